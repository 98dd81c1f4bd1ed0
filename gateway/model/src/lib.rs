//! The `model` crate; see gateway/ARCHITECTURE.md.
