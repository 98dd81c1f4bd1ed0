//! Protobuf of answers that are no stored objects, and the frames of watches.
//! Stored objects have theirs in the cache (`row`); lists are put together where they are read (`verbs::list`).

use bytes::Bytes;
use model::{Revision, Status, Value};
use schema::proto;
use schema::types::Types;
use store::Entry;

use super::{BookmarkEnd, Shape, line};
use crate::row::Row;

/// An object that says what it is; nothing for kinds that no table describes. Discovery of the core group says no version.
pub(super) fn object(types: &Types, json: &[u8]) -> Option<Bytes> {
    let value: Value = serde_json::from_slice(json).ok()?;
    let text = |field: &str| value.get(field).and_then(Value::as_str);
    let (api_version, kind) = (text("apiVersion").unwrap_or(""), text("kind")?);
    let ty = types.of_kind(if api_version.is_empty() { "v1" } else { api_version }, kind)?;
    Some(proto::encode(types, ty, api_version, kind, &value).into())
}

/// A stored object as it is, or its metadata.
pub(super) fn entry(row: &Row, shape: &Shape, entry: &Entry) -> Vec<u8> {
    match shape {
        Shape::Partial(version) => {
            proto::envelope(&format!("meta.k8s.io/{version}"), "PartialObjectMetadata", &row.metadata_message(entry))
        }
        _ => row.envelope(&row.message(entry)),
    }
}

/// A frame of a watch about a stored object.
pub fn event(row: &Row, shape: &Shape, kind: &str, of: &Entry) -> Bytes {
    framed(kind, &entry(row, shape, of))
}

/// A frame of a watch about what comes as JSON.
fn converted(types: &Types, kind: &str, json: &[u8]) -> Bytes {
    framed(kind, &object(types, json).unwrap_or_default())
}

/// A `BOOKMARK` frame.
pub fn bookmark(row: &Row, shape: &Shape, revision: Revision, end: BookmarkEnd) -> Bytes {
    let mut json = Vec::new();
    shape.bookmark(row, revision, end, &mut json);
    converted(row.form().types(), "BOOKMARK", &json)
}

/// An `ERROR` frame.
pub fn error(types: &Types, status: &Status) -> Bytes {
    converted(types, "ERROR", &line(&status.to_object()))
}

fn framed(kind: &str, object: &[u8]) -> Bytes {
    // No object comes near the four gigabytes that a frame can hold.
    proto::watch_frame(kind, object).unwrap_or_default().into()
}
