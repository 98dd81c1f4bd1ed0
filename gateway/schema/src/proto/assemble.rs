//! Puts messages that stand ready into what goes around them: envelopes, lists, frames of a watch.
//! From the first byte to the last, without knowing what the messages hold.

use super::PREFIX;
use super::wire::Reader;

/// What stands after the items of a list: the rest of its envelope, which says nothing.
pub const LIST_TAIL: &[u8] = &[3 << 3 | BYTES, 0, 4 << 3 | BYTES, 0];
/// The wire type of what has a length.
const BYTES: u8 = 2;
/// The field of a list that holds its metadata.
const METADATA: u8 = 1;
/// The field of every list that holds its items.
const ITEMS: u8 = 2;

/// An object's message in its envelope.
pub fn envelope(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + api_version.len() + kind.len() + 24);
    head(api_version, kind, message.len(), &mut out);
    out.extend_from_slice(message);
    out.extend_from_slice(LIST_TAIL);
    out
}

/// Where the metadata of an object's message ends, which is its first field: up to there it is a message of
/// `PartialObjectMetadata`.
pub fn metadata_end(message: &[u8]) -> usize {
    let mut reader = Reader::new("", message);
    match (reader.tag(), reader.bytes()) {
        (Ok(Some(tag)), Ok(_)) if tag.number == u32::from(METADATA) => message.len() - reader.left(),
        _ => 0,
    }
}

/// What stands before the items of a list, which are as many bytes as [`item_bytes`] says of all of them; `meta` is the
/// message of its metadata.
pub fn list_head(api_version: &str, kind: &str, meta: &[u8], items_bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(meta.len() + api_version.len() + kind.len() + 24);
    head(api_version, kind, item_bytes(meta.len()) + items_bytes, &mut out);
    field(METADATA, meta, &mut out);
    out
}

/// How many bytes an item takes up in a list whose message is as long as this.
pub fn item_bytes(length: usize) -> usize {
    1 + varint_bytes(length) + length
}

/// What stands before an item of a list whose message is as long as this.
pub fn item_head(length: usize) -> Vec<u8> {
    let mut out = vec![ITEMS << 3 | BYTES];
    varint(length, &mut out);
    out
}

/// An event of a watch: its length in four bytes, the type, and the object in its envelope. `None` where the length does not
/// fit into four bytes.
pub fn watch_frame(kind: &str, object: &[u8]) -> Option<Vec<u8>> {
    let raw = item_bytes(object.len());
    let length = item_bytes(kind.len()) + item_bytes(raw);
    let mut out = Vec::with_capacity(length + 4);
    out.extend_from_slice(&u32::try_from(length).ok()?.to_be_bytes());
    field(1, kind.as_bytes(), &mut out);
    out.push(2 << 3 | BYTES);
    varint(raw, &mut out);
    field(1, object, &mut out);
    Some(out)
}

/// The start of an envelope up to the bytes of its message.
fn head(api_version: &str, kind: &str, message_bytes: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(PREFIX);
    out.push(1 << 3 | BYTES);
    varint(item_bytes(api_version.len()) + item_bytes(kind.len()), out);
    field(1, api_version.as_bytes(), out);
    field(2, kind.as_bytes(), out);
    out.push(2 << 3 | BYTES);
    varint(message_bytes, out);
}

/// A field with a number below 16.
fn field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | BYTES);
    varint(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_bytes(value: usize) -> usize {
    (usize::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}
