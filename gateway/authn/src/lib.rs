//! The `authn` crate; see gateway/ARCHITECTURE.md.
