//! The `gatehouse` program; see gateway/ARCHITECTURE.md.
fn main() {}
