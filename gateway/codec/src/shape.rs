//! What stands around objects on the wire: list heads and tails, watch frames, partial metadata, tables.
//! Works on encoded bodies without parsing them. Chooses no media type (`negotiate`) and computes no cells.

use model::json::{Map, Value};

use crate::go_json::{write, write_int, write_string};
use crate::walk::Walk;

/// Closes a list of built-in kinds, after [`list_head`] and the bodies joined by commas.
pub const LIST_TAIL: &[u8] = b"]}\n";
/// Closes a watch frame.
pub const EVENT_TAIL: &[u8] = b"}\n";

/// `ListMeta`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListMeta {
    /// The revision of the list; not written when empty.
    pub resource_version: String,
    /// Where the next page begins; not written when empty.
    pub continue_token: String,
    /// How many objects are left, if known.
    pub remaining: Option<i64>,
}

impl ListMeta {
    /// As an object in normal form.
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        for (name, text) in [("resourceVersion", &self.resource_version), ("continue", &self.continue_token)] {
            if !text.is_empty() {
                map.insert(name.to_owned(), text.as_str().into());
            }
        }
        if let Some(count) = self.remaining {
            map.insert("remainingItemCount", count.into());
        }
        Value::Object(map)
    }

    fn write(&self, order: Order, out: &mut Vec<u8>) {
        let version = |out: &mut Vec<u8>, comma: &mut bool| text_member("resourceVersion", &self.resource_version, out, comma);
        let token = |out: &mut Vec<u8>, comma: &mut bool| match order {
            Order::Struct => text_member("continue", &self.continue_token, out, comma),
            // A map keeps what was set, be it empty.
            Order::Sorted => {
                member("continue", out, comma);
                write_string(&self.continue_token, out);
            }
        };
        let remaining = |out: &mut Vec<u8>, comma: &mut bool| {
            if let Some(count) = self.remaining {
                member("remainingItemCount", out, comma);
                write_int(count, out);
            }
        };
        let mut comma = false;
        out.push(b'{');
        match order {
            Order::Struct => {
                version(out, &mut comma);
                token(out, &mut comma);
                remaining(out, &mut comma);
            }
            Order::Sorted => {
                token(out, &mut comma);
                remaining(out, &mut comma);
                version(out, &mut comma);
            }
        }
        out.push(b'}');
    }
}

/// Whether Go keeps an object's fields in a struct or, for custom resources, in a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Struct order.
    Struct,
    /// Sorted keys.
    Sorted,
}

fn member(key: &str, out: &mut Vec<u8>, comma: &mut bool) {
    if std::mem::replace(comma, true) {
        out.push(b',');
    }
    write_string(key, out);
    out.push(b':');
}

fn text_member(key: &str, text: &str, out: &mut Vec<u8>, comma: &mut bool) {
    if !text.is_empty() {
        member(key, out, comma);
        write_string(text, out);
    }
}

/// Opens a list, up to the `[` of its items; close it with [`list_tail`].
pub fn list_head(api_version: &str, kind: &str, meta: &ListMeta, order: Order) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    let mut comma = false;
    out.push(b'{');
    match order {
        Order::Struct => {
            text_member("kind", kind, &mut out, &mut comma);
            text_member("apiVersion", api_version, &mut out, &mut comma);
            member("metadata", &mut out, &mut comma);
            meta.write(order, &mut out);
        }
        Order::Sorted => text_member("apiVersion", api_version, &mut out, &mut comma),
    }
    member("items", &mut out, &mut comma);
    out.push(b'[');
    out
}

/// Closes a list.
pub fn list_tail(kind: &str, meta: &ListMeta, order: Order) -> Vec<u8> {
    if order == Order::Struct {
        return LIST_TAIL.to_vec();
    }
    let mut out = b"]".to_vec();
    let mut comma = true;
    text_member("kind", kind, &mut out, &mut comma);
    member("metadata", &mut out, &mut comma);
    meta.write(order, &mut out);
    out.extend_from_slice(b"}\n");
    out
}

/// Appends a stored body, which has neither, with `kind` and `apiVersion` in front.
pub fn with_type_meta(api_version: &str, kind: &str, body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"kind\":");
    write_string(kind, out);
    out.extend_from_slice(b",\"apiVersion\":");
    write_string(api_version, out);
    match body {
        [b'{', b'}'] | [] => out.push(b'}'),
        [_, rest @ ..] => {
            out.push(b',');
            out.extend_from_slice(rest);
        }
    }
}

/// Opens a watch frame; the object and [`EVENT_TAIL`] follow. `kind` is `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK`, `ERROR`.
pub fn event_head(kind: &str) -> Vec<u8> {
    format!("{{\"type\":\"{kind}\",\"object\":").into_bytes()
}

/// The bytes of an encoded object's `metadata`, found without parsing; `None` when it has none.
pub fn metadata_of(body: &[u8]) -> Option<&[u8]> {
    let mut walk = Walk::new(body);
    if walk.peek()? != b'{' {
        return None;
    }
    walk.enter();
    while walk.more()? {
        let name = walk.name()?;
        let value = walk.pass()?;
        if name == b"metadata" {
            return Some(value);
        }
    }
    None
}

/// Appends `PartialObjectMetadata` of an encoded object; `version` is `v1` or `v1beta1` of `meta.k8s.io`.
pub fn partial(version: &str, body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/");
    out.extend_from_slice(version.as_bytes());
    out.extend_from_slice(b"\",\"metadata\":");
    out.extend_from_slice(metadata_of(body).unwrap_or(b"{}"));
    out.push(b'}');
}

/// A column of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Its head.
    pub name: String,
    /// `string`, `integer`, `number`, `boolean`, `date`.
    pub type_name: String,
    /// `name` for the column that identifies the row.
    pub format: String,
    /// What it shows.
    pub description: String,
    /// Above 0 it is shown only in wide views.
    pub priority: i32,
}

/// Opens a table, up to the `[` of its rows; [`LIST_TAIL`] closes it. Without columns (later frames of a watch) they are
/// written as null.
pub fn table_head(version: &str, meta: &ListMeta, columns: Option<&[Column]>) -> Vec<u8> {
    let mut out = format!("{{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/{version}\",\"metadata\":").into_bytes();
    meta.write(Order::Struct, &mut out);
    out.extend_from_slice(b",\"columnDefinitions\":");
    match columns {
        None => out.extend_from_slice(b"null"),
        Some(columns) => {
            out.push(b'[');
            for (i, column) in columns.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_column(column, &mut out);
            }
            out.push(b']');
        }
    }
    out.extend_from_slice(b",\"rows\":[");
    out
}

fn write_column(column: &Column, out: &mut Vec<u8>) {
    let mut comma = false;
    out.push(b'{');
    for (key, text) in
        [("name", &column.name), ("type", &column.type_name), ("format", &column.format), ("description", &column.description)]
    {
        member(key, out, &mut comma);
        write_string(text, out);
    }
    member("priority", out, &mut comma);
    write_int(column.priority.into(), out);
    out.push(b'}');
}

/// `includeObject` of a table request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Include<'a> {
    /// No object.
    None,
    /// Partial metadata of this encoded object.
    Metadata(&'a [u8]),
    /// This encoded object, as it is.
    Object(&'a [u8]),
}

/// Appends one row. `conditions` is a list, null for none.
pub fn table_row(version: &str, cells: &[Value], conditions: &Value, include: Include<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"cells\":[");
    for (i, cell) in cells.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(cell, out);
    }
    out.push(b']');
    if !conditions.is_null() {
        out.extend_from_slice(b",\"conditions\":");
        write(conditions, out);
    }
    out.extend_from_slice(b",\"object\":");
    match include {
        Include::None => out.extend_from_slice(b"null"),
        Include::Metadata(body) => partial(version, body, out),
        Include::Object(body) => out.extend_from_slice(body),
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[test]
    fn lists() {
        let meta = ListMeta { resource_version: "5".into(), continue_token: "c".into(), remaining: Some(2) };
        assert_eq!(
            text(&list_head("v1", "PodList", &meta, Order::Struct)),
            r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5","continue":"c","remainingItemCount":2},"items":["#
        );
        let whole = [list_head("g/v1", "AList", &meta, Order::Sorted), list_tail("AList", &meta, Order::Sorted)].concat();
        assert_eq!(
            text(&whole),
            "{\"apiVersion\":\"g/v1\",\"items\":[],\"kind\":\"AList\",\"metadata\":{\"continue\":\"c\",\"remainingItemCount\":2,\"resourceVersion\":\"5\"}}\n"
        );
    }

    #[test]
    fn metadata_is_cut_out() {
        let body = br#"{"a":[{"metadata":1}],"b":"x\"}","c":1.5,"metadata":{"name":"}","x":{}},"spec":{}}"#;
        assert_eq!(metadata_of(body).map(text).as_deref(), Some(r#"{"name":"}","x":{}}"#));
        assert_eq!(metadata_of(br#"{"a":1}"#), None);
        assert_eq!(metadata_of(b"{}"), None);
        assert_eq!(metadata_of(b"{\"a\":\"\\"), None);
        let mut out = Vec::new();
        partial("v1", br#"{"metadata":{"name":"a"},"spec":{}}"#, &mut out);
        assert_eq!(text(&out), r#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"a"}}"#);
    }

    #[test]
    fn type_meta_goes_in_front() {
        let mut out = Vec::new();
        with_type_meta("apps/v1", "Deployment", br#"{"metadata":{}}"#, &mut out);
        assert_eq!(text(&out), r#"{"kind":"Deployment","apiVersion":"apps/v1","metadata":{}}"#);
        out.clear();
        with_type_meta("v1", "X", b"{}", &mut out);
        assert_eq!(text(&out), r#"{"kind":"X","apiVersion":"v1"}"#);
    }

    #[test]
    fn tables() {
        let meta = ListMeta { resource_version: "5".into(), ..ListMeta::default() };
        let column = Column {
            name: "Name".into(),
            type_name: "string".into(),
            format: "name".into(),
            description: "d".into(),
            priority: 0,
        };
        let mut out = table_head("v1", &meta, Some(&[column]));
        table_row(
            "v1",
            &[json!("a"), json!(1)],
            &json!([{"type": "Completed"}]),
            Include::Metadata(br#"{"metadata":{"name":"a"}}"#),
            &mut out,
        );
        out.push(b',');
        table_row("v1", &[json!("b")], &Value::Null, Include::None, &mut out);
        out.extend_from_slice(LIST_TAIL);
        assert_eq!(
            text(&out),
            "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{\"resourceVersion\":\"5\"},\"columnDefinitions\":[{\"name\":\"Name\",\"type\":\"string\",\"format\":\"name\",\"description\":\"d\",\"priority\":0}],\"rows\":[{\"cells\":[\"a\",1],\"conditions\":[{\"type\":\"Completed\"}],\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{\"name\":\"a\"}}},{\"cells\":[\"b\"],\"object\":null}]}\n"
        );
        assert!(text(&table_head("v1", &meta, None)).contains("\"columnDefinitions\":null"));
    }
}
