//! The `codec` crate; see gateway/ARCHITECTURE.md.
