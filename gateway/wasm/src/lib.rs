//! The `wasm` crate; see gateway/ARCHITECTURE.md.
