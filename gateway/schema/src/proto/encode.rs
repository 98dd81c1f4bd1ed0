//! Writes objects in normal form as upstream's generated code marshals them: every value field even when zero, pointers
//! when set, by ascending number, maps by key. From the last byte to the first, so that lengths are known when they are due.
//! Does not check types: what decoding has not seen is written as zero.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use codec::go_json;
use model::json::{Map, Value};
use model::time::{Precision, parse_duration, to_unix};

use super::schema_or::SchemaOr;
use super::wire::Wire;
use super::{envelope, is_list_message};
use crate::normal::zero_time;
use crate::types::{Field, Kind, TypeId, Types};

/// A whole body: the envelope and in it the object.
pub fn encode(types: &Types, ty: TypeId, api_version: &str, kind: &str, value: &Value) -> Vec<u8> {
    envelope(api_version, kind, &message(types, ty, value))
}

/// The object's message alone, as it stands in a list.
pub fn message(types: &Types, ty: TypeId, value: &Value) -> Vec<u8> {
    let mut writer = Writer { types, reversed: Vec::new() };
    writer.message(ty, value.as_object());
    writer.reversed.reverse();
    writer.reversed
}

/// Bytes from the last to the first.
pub(super) struct Writer<'t> {
    types: &'t Types,
    reversed: Vec<u8>,
}

impl<'t> Writer<'t> {
    fn mark(&self) -> usize {
        self.reversed.len()
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.reversed.extend(bytes.iter().rev());
    }

    fn varint(&mut self, mut value: u64) {
        let mark = self.mark();
        while value >= 0x80 {
            self.reversed.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.reversed.push(value as u8);
        self.reversed[mark..].reverse();
    }

    fn tag(&mut self, number: u32, wire: Wire) {
        self.varint(u64::from(number << 3 | wire as u32));
    }

    /// Makes what was written since `mark` the value of a field.
    fn close(&mut self, number: u32, mark: usize) {
        self.varint((self.mark() - mark) as u64);
        self.tag(number, Wire::Bytes);
    }

    pub(super) fn bytes_field(&mut self, number: u32, bytes: &[u8]) {
        let mark = self.mark();
        self.bytes(bytes);
        self.close(number, mark);
    }

    pub(super) fn varint_field(&mut self, number: u32, value: u64) {
        self.varint(value);
        self.tag(number, Wire::Varint);
    }

    pub(super) fn message_field(&mut self, number: u32, ty: TypeId, map: &Map) {
        let mark = self.mark();
        self.message(ty, Some(map));
        self.close(number, mark);
    }

    fn message(&mut self, ty: TypeId, map: Option<&Map>) {
        let types = self.types;
        self.level((ty, 0), types[ty].carried(), map);
    }

    /// The fields that `carried` lists, which lie in the struct's message or in one that it inlines this many messages down.
    fn level(&mut self, (ty, level): (TypeId, usize), carried: &[u16], map: Option<&Map>) {
        let types = self.types;
        let field = |at: &u16| &types[ty].fields[usize::from(*at)];
        for known in carried.chunk_by(|a, b| field(a).proto_at(level) == field(b).proto_at(level)).rev() {
            let first = field(&known[0]);
            if first.proto_in.len() > level {
                let mark = self.mark();
                self.level((ty, level + 1), known, map);
                self.close(first.proto_at(level), mark);
            } else {
                let said = |value: &&Value| !value.is_null() || first.is_time_pointer();
                let value = map.and_then(|map| map.get(first.json)).filter(said);
                self.field(ty, first, value);
            }
        }
    }

    fn field(&mut self, owner: TypeId, field: &'t Field, value: Option<&Value>) {
        match &field.kind {
            Kind::List(_) if is_list_message(self.types, field) => {
                if let Some(Value::Array(list)) = value {
                    self.items(field.proto, list);
                }
            }
            Kind::List(inner) => {
                for item in value.and_then(Value::as_array).into_iter().flatten().rev() {
                    self.value((owner, field), field.proto, inner, Some(item));
                }
            }
            Kind::Map(inner) => {
                let mut entries: Vec<_> = value.and_then(Value::as_object).into_iter().flatten().collect();
                entries.sort_by_key(|(key, _)| key.as_str());
                for (key, value) in entries.into_iter().rev() {
                    let mark = self.mark();
                    self.map_value((owner, field), inner, value);
                    self.bytes_field(1, key.as_bytes());
                    self.close(field.proto, mark);
                }
            }
            kind if value.is_some() || !field.pointer => self.value((owner, field), field.proto, kind, value),
            _ => {}
        }
    }

    fn map_value(&mut self, place: (TypeId, &Field), inner: &Kind, value: &Value) {
        match (inner, value) {
            // Lists cannot be values of a map; Go's named list types are messages there.
            (Kind::List(_), value) => self.items(2, value.as_array().map_or(&[][..], Vec::as_slice)),
            (inner, value) => self.value(place, 2, inner, Some(value).filter(|value| !value.is_null())),
        }
    }

    /// A list of strings that is a message.
    fn items(&mut self, number: u32, list: &[Value]) {
        let mark = self.mark();
        for item in list.iter().rev() {
            self.bytes_field(1, item.as_str().unwrap_or("").as_bytes());
        }
        self.close(number, mark);
    }

    fn value(&mut self, (owner, field): (TypeId, &Field), number: u32, kind: &Kind, value: Option<&Value>) {
        let text = || value.and_then(Value::as_str);
        match kind {
            Kind::String => self.bytes_field(number, text().unwrap_or("").as_bytes()),
            Kind::Bool => self.varint_field(number, u64::from(value == Some(&Value::Bool(true)))),
            Kind::Int32 | Kind::Int64 => self.varint_field(number, value.and_then(Value::as_i64).unwrap_or(0) as u64),
            Kind::Float64 => {
                self.bytes(&value.and_then(Value::as_f64).unwrap_or(0.0).to_le_bytes());
                self.tag(number, Wire::Fixed64);
            }
            // Nil bytes are left out.
            Kind::Bytes => {
                if let Some(bytes) = text().and_then(|text| STANDARD.decode(text).ok()) {
                    self.bytes_field(number, &bytes);
                }
            }
            kind => {
                let mark = self.mark();
                match kind {
                    Kind::Struct(id) => self.message(*id, value.and_then(Value::as_object)),
                    Kind::Json => match (SchemaOr::of(self.types, field), value) {
                        (Some(or), value) => or.encode(self, owner, value.unwrap_or(&Value::Null)),
                        (None, value) => self.json(value),
                    },
                    Kind::RawExtension | Kind::FieldsV1 => self.json(value),
                    kind => self.leaf(kind, value),
                }
                self.close(number, mark);
            }
        }
    }

    /// JSON inside a message of one field; nil is left out.
    fn json(&mut self, value: Option<&Value>) {
        if let Some(value) = value {
            let mut json = Vec::new();
            go_json::write(value, &mut json);
            self.bytes_field(1, &json);
        }
    }

    /// The fields of a value with an encoding of its own.
    fn leaf(&mut self, kind: &Kind, value: Option<&Value>) {
        let text = value.and_then(Value::as_str);
        match (kind, text) {
            (Kind::Quantity, text) => self.bytes_field(1, text.unwrap_or("0").as_bytes()),
            (Kind::Duration, text) => {
                let nanos = text.and_then(|text| parse_duration(text).ok()).unwrap_or(0);
                self.varint_field(1, nanos as u64);
            }
            (Kind::Time | Kind::MicroTime, Some(text)) if text != zero_time(kind) => {
                let precision = if *kind == Kind::Time { Precision::Seconds } else { Precision::Micro };
                if let Ok((seconds, nanos)) = to_unix(text, precision) {
                    self.varint_field(2, nanos as u64);
                    self.varint_field(1, seconds as u64);
                }
            }
            (Kind::IntOrString, text) => {
                self.bytes_field(3, text.unwrap_or("").as_bytes());
                self.varint_field(2, value.and_then(Value::as_i64).unwrap_or(0) as u64);
                self.varint_field(1, u64::from(text.is_some()));
            }
            // A zero time is an empty message.
            _ => {}
        }
    }
}
