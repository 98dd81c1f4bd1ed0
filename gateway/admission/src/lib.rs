//! The `admission` crate; see gateway/ARCHITECTURE.md.
