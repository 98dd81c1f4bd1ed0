//! The `flow` crate; see gateway/ARCHITECTURE.md.
