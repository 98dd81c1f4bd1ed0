//! Protobuf of answers that are no stored objects, and the frames of watches.
//! Stored objects have theirs in the cache (`row`); lists are put together where they are read (`verbs::list`).

use bytes::Bytes;
use model::{Revision, Status, Value};
use schema::proto;
use schema::types::Types;
use store::Entry;

use super::render::bookmark_object;
use super::{BookmarkEnd, line};
use crate::row::Row;

/// An object that says what it is; nothing for kinds that no table describes.
pub(super) fn object(types: &Types, json: &[u8]) -> Option<Bytes> {
    let value: Value = serde_json::from_slice(json).ok()?;
    let text = |field: &str| value.get(field).and_then(Value::as_str);
    let (api_version, kind) = (text("apiVersion")?, text("kind")?);
    let ty = types.of_kind(api_version, kind)?;
    Some(proto::encode(types, ty, api_version, kind, &value).into())
}

/// A frame of a watch about a stored object.
pub fn event(row: &Row, kind: &str, entry: &Entry) -> Bytes {
    framed(kind, &row.envelope(&row.message(entry)))
}

/// A `BOOKMARK` frame.
pub fn bookmark(row: &Row, revision: Revision, end: BookmarkEnd) -> Bytes {
    framed("BOOKMARK", &row.envelope(&row.encode_message(&bookmark_object(revision, end))))
}

/// An `ERROR` frame.
pub fn error(types: &Types, status: &Status) -> Bytes {
    framed("ERROR", &object(types, &line(&status.to_object())).unwrap_or_default())
}

fn framed(kind: &str, object: &[u8]) -> Bytes {
    // No object comes near the four gigabytes that a frame can hold.
    proto::watch_frame(kind, object).unwrap_or_default().into()
}
