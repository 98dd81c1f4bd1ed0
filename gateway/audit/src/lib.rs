//! The `audit` crate; see gateway/ARCHITECTURE.md.
