//! Writes objects as Go does: fields in struct order, zero values where Go writes them, maps sorted, strings HTML-safe.
//! One pass, no intermediate tree. Follows Go's `encoding/json` and the `MarshalJSON` of apimachinery's types.
//! Does not check types: what decoding has not seen is written as it is.

use codec::go_json::{write, write_map, write_number, write_sorted, write_string};
use model::json::{Map, Value};

use super::{is_omitted, zero_time};
use crate::types::{Field, Kind, TypeId, Types};

/// What stands around and in an encoded object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Encode<'a> {
    /// `apiVersion` and `kind` to write; without, neither is written (stored bodies and list items have none).
    pub type_meta: Option<(&'a str, &'a str)>,
    /// Write `"resourceVersion":""`, whatever the object says, and tell where its digits go.
    pub splice_revision: bool,
}

/// Appends an object, without a newline. With `splice_revision` gives the offset in `out` between the quotes of
/// `metadata.resourceVersion`.
pub fn encode(types: &Types, ty: TypeId, value: &Value, how: Encode<'_>, out: &mut Vec<u8>) -> Option<usize> {
    let mut writer = Writer { types, out, revision_at: None };
    writer.top(ty, value, how);
    writer.revision_at
}

/// Appends an object whose fields Go keeps in a map (custom resources): every key sorted. Without `type_meta` it keeps
/// its own `apiVersion` and `kind`.
pub fn encode_sorted(value: &Value, how: Encode<'_>, out: &mut Vec<u8>) -> Option<usize> {
    let Value::Object(map) = value else {
        write_sorted(value, out);
        return None;
    };
    let (api_version, kind) = how.type_meta.unwrap_or_default();
    let (api_version, kind) = (Value::from(api_version), Value::from(kind));
    let mut entries: Vec<(&str, &Value)> = map.iter().map(|(key, value)| (key.as_str(), value)).collect();
    if how.type_meta.is_some() {
        entries.retain(|(key, _)| !matches!(*key, "apiVersion" | "kind"));
        entries.extend([("apiVersion", &api_version), ("kind", &kind)]);
    }
    let mut revision_at = None;
    write_entries(entries, out, |key, value, out| match value {
        Value::Object(metadata) if key == "metadata" && how.splice_revision => revision_at = Some(write_metadata(metadata, out)),
        value => write_sorted(value, out),
    });
    revision_at
}

fn write_metadata(metadata: &Map, out: &mut Vec<u8>) -> usize {
    let empty = Value::from("");
    let mut entries: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    entries.retain(|(key, _)| *key != "resourceVersion");
    entries.push(("resourceVersion", &empty));
    let mut at = 0;
    write_entries(entries, out, |key, value, out| {
        if key == "resourceVersion" {
            at = out.len() + 1;
        }
        write_sorted(value, out);
    });
    at
}

fn write_entries(mut entries: Vec<(&str, &Value)>, out: &mut Vec<u8>, mut write_value: impl FnMut(&str, &Value, &mut Vec<u8>)) {
    entries.sort_unstable_by_key(|(key, _)| *key);
    out.push(b'{');
    for (i, (key, value)) in entries.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_string(key, out);
        out.push(b':');
        write_value(key, value, out);
    }
    out.push(b'}');
}

/// Structs with more fields than this are looked up field by field; the largest of 1.37 has 44.
const SLOTS: usize = 48;

struct Writer<'a> {
    types: &'a Types,
    out: &'a mut Vec<u8>,
    revision_at: Option<usize>,
}

impl Writer<'_> {
    fn top(&mut self, ty: TypeId, value: &Value, how: Encode<'_>) {
        let types = self.types;
        self.out.push(b'{');
        let mut comma = false;
        if let Some((api_version, kind)) = how.type_meta {
            for (key, text) in [("kind", kind), ("apiVersion", api_version)] {
                self.key(key, &mut comma);
                write_string(text, self.out);
            }
        }
        for field in types[ty].fields.iter().filter(|f| !matches!(f.json, "kind" | "apiVersion")) {
            match (&field.kind, value.get(field.json)) {
                (Kind::Struct(metadata), member) if field.json == "metadata" && how.splice_revision => {
                    self.key(field.json, &mut comma);
                    self.metadata(*metadata, member);
                }
                (_, member) => self.field(ty, field, member, &mut comma),
            }
        }
        self.out.push(b'}');
    }

    fn metadata(&mut self, ty: TypeId, value: Option<&Value>) {
        let types = self.types;
        self.out.push(b'{');
        let mut comma = false;
        for field in &types[ty].fields {
            if field.json == "resourceVersion" {
                self.key(field.json, &mut comma);
                self.out.extend_from_slice(b"\"\"");
                self.revision_at = Some(self.out.len() - 1);
            } else {
                self.field(ty, field, value.and_then(|v| v.get(field.json)), &mut comma);
            }
        }
        self.out.push(b'}');
    }

    fn structure(&mut self, ty: TypeId, map: Option<&Map>) {
        let types = self.types;
        let of = &types[ty];
        let mut slots: [Option<&Value>; SLOTS] = [None; SLOTS];
        let few = of.fields.len() <= SLOTS;
        for (key, value) in map.into_iter().flatten().filter(|_| few) {
            if let Some(at) = of.position(key) {
                slots[at] = Some(value);
            }
        }
        self.out.push(b'{');
        let mut comma = false;
        for (at, field) in of.fields.iter().enumerate() {
            let member = if few { slots[at] } else { map.and_then(|m| m.get(field.json)) };
            self.field(ty, field, member, &mut comma);
        }
        self.out.push(b'}');
    }

    fn key(&mut self, key: &str, comma: &mut bool) {
        if std::mem::replace(comma, true) {
            self.out.push(b',');
        }
        // Field names need no escapes.
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn field(&mut self, owner: TypeId, field: &Field, value: Option<&Value>, comma: &mut bool) {
        let zero_time = value.is_some_and(Value::is_null) && field.is_time_pointer();
        let value = value.unwrap_or(&Value::Null);
        if is_omitted(self.types, field, value) && !zero_time {
            return;
        }
        self.key(field.json, comma);
        if value.is_null() && field.pointer {
            self.out.extend_from_slice(b"null");
        } else if field.holds_schemas() {
            self.schemas(owner, &field.kind, value);
        } else {
            self.value(&field.kind, value);
        }
    }

    fn schemas(&mut self, ty: TypeId, kind: &Kind, value: &Value) {
        match (kind, value) {
            (Kind::Map(_), Value::Object(map)) => {
                let types = self.types;
                write_map(map, self.out, |value, out| Writer { types, out, revision_at: None }.schemas(ty, &Kind::Json, value));
            }
            (_, Value::Array(items)) if items.iter().all(Value::is_object) => self.list(&Kind::Struct(ty), items),
            (_, Value::Object(map)) => self.structure(ty, Some(map)),
            (kind, value) => self.value(kind, value),
        }
    }

    fn value(&mut self, kind: &Kind, value: &Value) {
        match (kind, value) {
            (Kind::Struct(id), Value::Object(map)) => self.structure(*id, Some(map)),
            (Kind::List(inner), Value::Array(items)) => self.list(inner, items),
            (Kind::Map(inner), Value::Object(map)) => {
                let types = self.types;
                write_map(map, self.out, |value, out| Writer { types, out, revision_at: None }.value(inner, value));
            }
            (kind, Value::Null) => self.zero(kind),
            (Kind::Time | Kind::MicroTime, Value::String(text)) if text == zero_time(kind) => self.zero(kind),
            (_, Value::String(text)) => write_string(text, self.out),
            (_, Value::Number(number)) => write_number(number, self.out),
            (_, value) => write(value, self.out),
        }
    }

    fn list(&mut self, inner: &Kind, items: &[Value]) {
        self.out.push(b'[');
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            self.value(inner, item);
        }
        self.out.push(b']');
    }

    /// What Go writes for a value that was never set.
    fn zero(&mut self, kind: &Kind) {
        let text: &[u8] = match kind {
            Kind::String => b"\"\"",
            Kind::Bool => b"false",
            Kind::Int32 | Kind::Int64 | Kind::Float64 | Kind::IntOrString => b"0",
            Kind::Quantity => b"\"0\"",
            Kind::Duration => b"\"0s\"",
            Kind::Struct(id) => return self.structure(*id, None),
            Kind::List(_) | Kind::Map(_) | Kind::Bytes | Kind::Time | Kind::MicroTime => b"null",
            Kind::RawExtension | Kind::FieldsV1 | Kind::Json => b"null",
        };
        self.out.extend_from_slice(text);
    }
}
