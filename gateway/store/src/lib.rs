//! The `store` crate; see gateway/ARCHITECTURE.md.
