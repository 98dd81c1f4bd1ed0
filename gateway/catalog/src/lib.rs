//! The `catalog` crate; see gateway/ARCHITECTURE.md.
