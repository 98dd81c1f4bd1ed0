//! The `authz` crate; see gateway/ARCHITECTURE.md.
