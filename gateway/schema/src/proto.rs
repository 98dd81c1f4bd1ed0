//! Kubernetes' protobuf form of objects, read and written by the type tables: an envelope that says what it holds, then
//! one message a struct. Follows `runtime/serializer/protobuf` and what gogo-protobuf generates for upstream's types.
//! Knows no kind by name and chooses no media type (`codec::negotiate`).

mod assemble;
mod decode;
mod encode;
mod schema_or;
#[cfg(test)]
mod tests;
mod wire;

pub use assemble::{LIST_TAIL, envelope, item_bytes, item_head, list_head, metadata_end, watch_frame};
pub use decode::{Envelope, decode, open};
pub use encode::{encode, message};

use crate::types::{Field, Types};

/// How every protobuf body begins.
pub const PREFIX: &[u8; 4] = b"k8s\0";

/// Whether Go holds this list as a message of its own, with the elements as field 1, so that nil differs from empty.
fn is_list_message(types: &Types, field: &Field) -> bool {
    types.go_type(field) == "v1.Verbs"
}
