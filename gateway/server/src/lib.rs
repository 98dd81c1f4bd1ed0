//! The `server` crate; see gateway/ARCHITECTURE.md.
