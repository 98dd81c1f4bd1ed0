//! What objects look like: struct types, normal form, patches. No I/O.
//! Knows no kind by name; which kinds exist is `catalog`'s.

pub mod apply;
pub mod equal;
pub mod normal;
pub mod object_meta;
pub mod patch;
pub mod proto;
pub mod shape;
pub mod structural;
pub mod types;
#[cfg(test)]
#[path = "../../upstream.rs"]
mod upstream;

pub use shape::Shape;
pub use structural::Structural;
pub use types::{Field, Kind, Struct, TypeId, Types};
