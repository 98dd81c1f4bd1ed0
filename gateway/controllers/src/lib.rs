//! The `controllers` crate; see gateway/ARCHITECTURE.md.
