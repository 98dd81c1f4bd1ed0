//! The `xtask` program; see gateway/ARCHITECTURE.md.
fn main() {}
