//! The forms in which objects are shown: as they are, as partial metadata, as rows of a Table.
//! Parses a body only for the cells of a Table.

use bytes::Bytes;
use codec::shape::{self, Include, ListMeta, Order};
use jiff::Timestamp;
use model::json::json;
use model::{Revision, Value};

use crate::call::Call;
use crate::options::table::IncludeObject;
use crate::row::Row;

/// A form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As they are.
    Plain,
    /// `PartialObjectMetadata` of this version of `meta.k8s.io`.
    Partial(String),
    /// `Table` of this version of `meta.k8s.io`, and what its rows carry.
    Table(String, IncludeObject),
}

/// Whether a bookmark ends the present objects of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookmarkEnd {
    /// It does.
    InitialEvents,
    /// It only tells a revision.
    None,
}

impl Shape {
    /// What a request asks for.
    pub fn of(call: &Call) -> Self {
        match &call.output.convert {
            Some(convert) if convert.is_partial() => Self::Partial(convert.version.clone()),
            Some(convert) if convert.is_meta("Table") => Self::Table(convert.version.clone(), call.include),
            _ => Self::Plain,
        }
    }

    /// One object, whole answer with its newline. `value` parses it, where cells need that.
    pub fn single(&self, row: &Row, body: &[u8], value: impl FnOnce() -> Option<Value>, now: Timestamp) -> Bytes {
        let mut out = Vec::with_capacity(body.len() + 128);
        match self {
            Self::Plain => row.with_type_meta(body, &mut out),
            Self::Partial(version) => shape::partial(version, &row.metadata_of(body), &mut out),
            Self::Table(version, _) => {
                let value = value().unwrap_or(Value::Null);
                let meta = ListMeta { resource_version: model::meta::resource_version(&value).to_owned(), ..ListMeta::default() };
                out = shape::table_head(version, &meta, Some(&row.columns()));
                self.table_row(row, body, &value, now, None, &mut out);
                out.extend_from_slice(shape::LIST_TAIL);
                return out.into();
            }
        }
        out.push(b'\n');
        out.into()
    }

    /// The version and kind of a list of objects, whole or partial.
    pub(crate) fn list_type<'a>(&self, row: &'a Row) -> (String, &'a str) {
        match self {
            Self::Partial(version) => (format!("meta.k8s.io/{version}"), "PartialObjectMetadataList"),
            _ => (row.kind().api_version(), row.list_kind()),
        }
    }

    /// What stands before the items of a list.
    pub fn list_head(&self, row: &Row, meta: &ListMeta) -> Vec<u8> {
        if let Self::Table(version, _) = self {
            return shape::table_head(version, meta, Some(&row.columns()));
        }
        let order = if *self == Self::Plain { row.order() } else { Order::Struct };
        let (api_version, kind) = self.list_type(row);
        shape::list_head(&api_version, kind, meta, order)
    }

    /// Closes a list without items, whose head is in `out`: partial metadata has Go's nil where others have an empty list.
    pub fn close_empty(&self, row: &Row, meta: &ListMeta, out: &mut Vec<u8>) {
        match self {
            Self::Partial(_) => {
                out.pop();
                out.extend_from_slice(b"null}\n");
            }
            _ => out.extend_from_slice(&self.list_tail(row, meta)),
        }
    }

    /// What stands after them.
    pub fn list_tail(&self, row: &Row, meta: &ListMeta) -> Vec<u8> {
        match self {
            Self::Plain => shape::list_tail(row.list_kind(), meta, row.order()),
            _ => shape::LIST_TAIL.to_vec(),
        }
    }

    /// One item of a list, of which the one named `marked` is the default.
    pub fn item(&self, row: &Row, entry: &store::Entry, now: Timestamp, marked: Option<&str>, out: &mut Vec<u8>) {
        match self {
            Self::Plain => out.extend_from_slice(&row.body(entry)),
            Self::Partial(version) => shape::partial(version, &row.metadata_of(&row.body(entry)), out),
            Self::Table(..) => {
                // A body that cannot be read shows empty cells; one bad object must not fail the list.
                let value = row.table_value(entry).unwrap_or(Value::Null);
                self.table_row(row, &row.body(entry), &value, now, marked, out);
            }
        }
    }

    /// The object of a watch frame. A Table has its columns in the first frame only.
    pub fn event_object(&self, row: &Row, entry: &store::Entry, now: Timestamp, first: bool, out: &mut Vec<u8>) {
        match self {
            Self::Plain => row.with_type_meta(&row.body(entry), out),
            Self::Partial(version) => shape::partial(version, &row.metadata_of(&row.body(entry)), out),
            Self::Table(version, _) => {
                let value = row.table_value(entry).unwrap_or(Value::Null);
                let meta = ListMeta { resource_version: entry.revision.to_string(), ..ListMeta::default() };
                let columns = row.columns();
                out.extend_from_slice(&shape::table_head(version, &meta, first.then_some(&columns[..])));
                self.table_row(row, &row.body(entry), &value, now, None, out);
                out.extend_from_slice(b"]}");
            }
        }
    }

    /// A whole list of objects that are not stored, in their order.
    pub fn listed(&self, row: &Row, objects: &[Value], now: Timestamp) -> Bytes {
        let meta = ListMeta::default();
        let mut out = self.list_head(row, &meta);
        for (at, object) in objects.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let body = row.encode_body(object);
            match self {
                Self::Plain => out.extend_from_slice(&body),
                Self::Partial(version) => shape::partial(version, &row.metadata_of(&body), &mut out),
                Self::Table(..) => self.table_row(row, &body, object, now, None, &mut out),
            }
        }
        match objects {
            [] => self.close_empty(row, &meta, &mut out),
            _ => out.extend_from_slice(&self.list_tail(row, &meta)),
        }
        out.into()
    }

    fn table_row(&self, row: &Row, body: &[u8], value: &Value, now: Timestamp, marked: Option<&str>, out: &mut Vec<u8>) {
        let Self::Table(version, include) = self else { return };
        let (mut cells, conditions) = (row.cells(value, now), row.conditions(value));
        if let (Some(name), Some(first)) = (marked.filter(|marked| *marked == model::meta::name(value)), cells.first_mut()) {
            *first = format!("{name} (default)").into();
        }
        match include {
            IncludeObject::None => shape::table_row(version, &cells, &conditions, Include::None, out),
            IncludeObject::Metadata => {
                shape::table_row(version, &cells, &conditions, Include::Metadata(&row.metadata_of(body)), out)
            }
            IncludeObject::Object => {
                let mut object = Vec::with_capacity(body.len() + 64);
                row.with_type_meta(body, &mut object);
                shape::table_row(version, &cells, &conditions, Include::Object(&object), out);
            }
        }
    }
}

/// The object of a bookmark, of which only the revision means something.
fn bookmark_object(revision: Revision, end: BookmarkEnd) -> Value {
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if end == BookmarkEnd::InitialEvents {
        metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    json!({"metadata": metadata})
}

impl Shape {
    /// The object of a bookmark, in JSON.
    pub(super) fn bookmark(&self, row: &Row, revision: Revision, end: BookmarkEnd, out: &mut Vec<u8>) {
        let body = row.encode_body(&bookmark_object(revision, end));
        match self {
            Self::Plain => row.with_type_meta(&body, out),
            Self::Partial(version) => shape::partial(version, &row.metadata_of(&body), out),
            Self::Table(version, _) => {
                let meta = ListMeta { resource_version: revision.to_string(), ..ListMeta::default() };
                out.extend_from_slice(&shape::table_head(version, &meta, None));
                self.table_row(row, &body, &Value::Null, Timestamp::UNIX_EPOCH, None, out);
                out.extend_from_slice(b"]}");
            }
        }
    }
}

/// A `BOOKMARK` frame in JSON.
pub fn bookmark(row: &Row, shape: &Shape, revision: Revision, end: BookmarkEnd) -> Bytes {
    let mut out = shape::event_head("BOOKMARK");
    shape.bookmark(row, revision, end, &mut out);
    out.extend_from_slice(shape::EVENT_TAIL);
    out.into()
}
