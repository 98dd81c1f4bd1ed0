//! The `schema` crate; see gateway/ARCHITECTURE.md.
