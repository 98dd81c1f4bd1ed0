//! Reads protobuf into normal form: what the same object would be had it come as JSON.
//! Fields that the tables do not know are passed over, as upstream does. Does not default and does not validate.

use codec::json::DEPTH_MAX;
use codec::{go_base64, json};
use model::json::{Map, Value};
use model::time::{Precision, format_duration, from_unix};

use super::schema_or::SchemaOr;
use super::wire::{Part, Reader, Tag, Wire, parts};
use super::{PREFIX, is_list_message};
use crate::normal;
use crate::types::{Field, Kind, TypeId, Types};

/// What stands around an object.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// `v1` or `group/version`, or empty.
    pub api_version: String,
    /// The kind, or empty.
    pub kind: String,
    /// The object's message.
    pub raw: &'a [u8],
}

/// Reads the envelope of a body. Fails with upstream's words.
pub fn open(body: &[u8]) -> Result<Envelope<'_>, String> {
    if body.is_empty() {
        return Err("empty data".to_owned());
    }
    let data = body
        .strip_prefix(PREFIX)
        .ok_or("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")?;
    if data.is_empty() {
        return Err("empty body".to_owned());
    }
    let text = Wire::Bytes;
    let [meta, raw, ..] =
        parts("Unknown", data, [(text, "TypeMeta"), (text, "Raw"), (text, "ContentEncoding"), (text, "ContentType")])?;
    let [api_version, kind] = parts("TypeMeta", meta.bytes().unwrap_or_default(), [(text, "APIVersion"), (text, "Kind")])?;
    Ok(Envelope { api_version: api_version.text(), kind: kind.text(), raw: raw.bytes().unwrap_or_default() })
}

/// Decodes the message of an object of this type into normal form, without `apiVersion` and `kind`.
///
/// # Errors
/// What is wrong, in the words of upstream's generated readers: `proto: wrong wireType = 0 for field Name`.
pub fn decode(types: &Types, ty: TypeId, raw: &[u8]) -> Result<Value, String> {
    Walk { types, depth: 0 }.object(ty, raw)
}

/// Where a value is: how deep, so that no body overflows the stack.
#[derive(Clone, Copy)]
pub(super) struct Walk<'t> {
    types: &'t Types,
    depth: usize,
}

/// A value of a field that is about to be read.
struct Place<'t> {
    owner: TypeId,
    field: &'t Field,
    tag: Tag,
}

impl<'t> Walk<'t> {
    fn deeper(self) -> Result<Self, String> {
        let depth = self.depth + 1;
        if depth > DEPTH_MAX { Err("exceeded max depth".to_owned()) } else { Ok(Self { depth, ..self }) }
    }

    /// Reads a struct's message and brings it into normal form.
    pub(super) fn object(self, ty: TypeId, raw: &[u8]) -> Result<Value, String> {
        let mut map = Map::new();
        self.message(ty, raw, &mut map)?;
        let mut value = Value::Object(map);
        // Once at the end: a message may come in any number of pieces, and each would cost as much as what is there.
        normal::decode(self.types, ty, &mut value, &mut Vec::new())?;
        Ok(value)
    }

    /// Reads a struct's message over what earlier occurrences left in `into`.
    fn message(self, ty: TypeId, raw: &[u8], into: &mut Map) -> Result<(), String> {
        self.deeper()?.level((ty, 0), self.types[ty].carried(), raw, into)
    }

    /// Reads the message of a struct, or of one that it inlines this many messages down: JSON has the fields of both, which
    /// `carried` lists, in one object.
    fn level(self, (ty, level): (TypeId, usize), carried: &[u16], raw: &[u8], into: &mut Map) -> Result<(), String> {
        let of = &self.types[ty];
        let number = |at: &u16| of.fields[usize::from(*at)].proto_at(level);
        let mut reader = Reader::new(of.short_name(), raw);
        while let Some(tag) = reader.tag()? {
            let start = carried.partition_point(|at| number(at) < tag.number);
            let length = carried[start..].partition_point(|at| number(at) == tag.number);
            let known = &carried[start..start + length];
            match known.first().map(|at| &of.fields[usize::from(*at)]) {
                None => reader.skip(tag)?,
                Some(field) if field.proto_in.len() == level => {
                    self.field(&Place { owner: ty, field, tag }, &mut reader, into)?
                }
                Some(_) => {
                    tag.expect(Wire::Bytes, of.short_name())?;
                    self.level((ty, level + 1), known, reader.bytes()?, into)?;
                }
            }
        }
        Ok(())
    }

    fn field(self, place: &Place<'t>, reader: &mut Reader<'_>, into: &mut Map) -> Result<(), String> {
        let field = place.field;
        let slot = into.entry(field.json).or_insert(Value::Null);
        match &field.kind {
            Kind::List(_) if is_list_message(self.types, field) => {
                place.tag.expect(Wire::Bytes, field.go_name)?;
                *slot = items(reader.bytes()?)?;
                Ok(())
            }
            Kind::List(inner) => self.elements(place, inner, reader, array(slot)),
            Kind::Map(inner) => {
                place.tag.expect(Wire::Bytes, field.go_name)?;
                self.entry(place, inner, reader.bytes()?, object(slot))
            }
            kind => self.value(place, kind, reader, slot),
        }
    }

    /// One element, or several numbers packed into one value.
    fn elements(self, place: &Place<'t>, inner: &Kind, reader: &mut Reader<'_>, list: &mut Vec<Value>) -> Result<(), String> {
        if matches!(inner, Kind::Bool | Kind::Int32 | Kind::Int64) && place.tag.is(Wire::Bytes) {
            let mut packed = Reader::new(place.field.go_name, reader.bytes()?);
            while !packed.is_empty() {
                list.push(number(inner, packed.varint()?));
            }
            return Ok(());
        }
        let mut element = Value::Null;
        self.value(place, inner, reader, &mut element)?;
        list.push(element);
        Ok(())
    }

    fn entry(self, place: &Place<'t>, inner: &Kind, raw: &[u8], map: &mut Map) -> Result<(), String> {
        let name = place.field.go_name;
        let mut reader = Reader::new(name, raw);
        let (mut key, mut value) = (String::new(), zero(inner));
        while let Some(tag) = reader.tag()? {
            match tag.number {
                1 => {
                    tag.expect(Wire::Bytes, name)?;
                    key = text(reader.bytes()?);
                }
                2 => match inner {
                    // Lists cannot be values of a map; Go's named list types are messages there.
                    Kind::List(_) => {
                        tag.expect(Wire::Bytes, name)?;
                        value = items(reader.bytes()?)?;
                    }
                    inner => self.value(&Place { tag, ..*place }, inner, &mut reader, &mut value)?,
                },
                _ => reader.skip(tag)?,
            }
        }
        map.insert(key, value);
        Ok(())
    }

    fn value(self, place: &Place<'t>, kind: &Kind, reader: &mut Reader<'_>, slot: &mut Value) -> Result<(), String> {
        let (tag, name) = (place.tag, place.field.go_name);
        match kind {
            Kind::Bool | Kind::Int32 | Kind::Int64 => {
                tag.expect(Wire::Varint, name)?;
                *slot = number(kind, reader.varint()?);
                return Ok(());
            }
            Kind::Float64 => {
                tag.expect(Wire::Fixed64, name)?;
                let double = reader.double()?;
                let unspeakable = || format!("json: unsupported value: {double}");
                *slot = model::json::Number::from_f64(double).map(Value::Number).ok_or_else(unspeakable)?;
                return Ok(());
            }
            _ => tag.expect(Wire::Bytes, name)?,
        }
        let raw = reader.bytes()?;
        match kind {
            Kind::Struct(id) => return self.message(*id, raw, object(slot)),
            Kind::String => *slot = text(raw).into(),
            Kind::Bytes => *slot = go_base64::encode(raw).into(),
            Kind::RawExtension | Kind::FieldsV1 => *slot = self.json(raw)?,
            Kind::Json => match SchemaOr::of(self.types, place.field) {
                Some(or) => *slot = or.decode(self.deeper()?, place.owner, raw)?,
                None => *slot = self.json(raw)?,
            },
            kind => *slot = leaf(kind, raw)?,
        }
        Ok(())
    }

    /// The JSON inside a message of one field.
    fn json(self, raw: &[u8]) -> Result<Value, String> {
        let [inner] = parts("RawExtension", raw, [(Wire::Bytes, "Raw")])?;
        let Some(text) = inner.bytes().filter(|text| !text.is_empty()) else {
            return Ok(Value::Null);
        };
        let value = json::parse(text).map_err(|error| error.to_string())?.value;
        if self.depth + depth(&value) > DEPTH_MAX { Err("exceeded max depth".to_owned()) } else { Ok(value) }
    }
}

/// How deep a value nests; itself 1.
fn depth(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A value with an encoding of its own, not canonical yet.
fn leaf(kind: &Kind, raw: &[u8]) -> Result<Value, String> {
    Ok(match kind {
        Kind::Quantity => {
            let [text] = parts("Quantity", raw, [(Wire::Bytes, "String_")])?;
            match text {
                Part::Bytes(_) => text.text().into(),
                _ => "0".into(),
            }
        }
        // Where nothing points at it, normal form leaves it out.
        Kind::Time | Kind::MicroTime if raw.is_empty() => normal::zero_time(kind).into(),
        Kind::Time | Kind::MicroTime => {
            let [seconds, nanos] = parts("Timestamp", raw, [(Wire::Varint, "Seconds"), (Wire::Varint, "Nanos")])?;
            let (seconds, nanos) = (seconds.number() as i64, nanos.number() as i32);
            // Upstream drops the fraction of a `metav1.Time`.
            let known = if *kind == Kind::Time { (0, Precision::Seconds) } else { (nanos / 1000 * 1000, Precision::Micro) };
            from_unix(seconds, known.0, known.1)?.map_or_else(|| normal::zero_time(kind).into(), Value::String)
        }
        Kind::Duration => {
            let [nanos] = parts("Duration", raw, [(Wire::Varint, "Duration")])?;
            format_duration(nanos.number() as i64).into()
        }
        // `IntOrString` is what is left; upstream reads any type but 0 and 1 as an error only once it is written as JSON.
        _ => {
            let fields = [(Wire::Varint, "Type"), (Wire::Varint, "IntVal"), (Wire::Bytes, "StrVal")];
            match parts("IntOrString", raw, fields)? {
                [of, number, _] if of.number() == 0 => (number.number() as i32).into(),
                [of, _, text] if of.number() == 1 => text.text().into(),
                _ => return Err("impossible IntOrString.Type".to_owned()),
            }
        }
    })
}

/// The elements of a list of strings that is a message.
fn items(raw: &[u8]) -> Result<Value, String> {
    let mut reader = Reader::new("ExtraValue", raw);
    let mut list = Vec::new();
    while let Some(tag) = reader.tag()? {
        if tag.number == 1 {
            tag.expect(Wire::Bytes, "Items")?;
            list.push(Value::String(text(reader.bytes()?)));
        } else {
            reader.skip(tag)?;
        }
    }
    Ok(Value::Array(list))
}

fn number(kind: &Kind, value: u64) -> Value {
    match kind {
        Kind::Bool => (value != 0).into(),
        Kind::Int32 => (value as i32).into(),
        _ => (value as i64).into(),
    }
}

fn text(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).into_owned()
}

/// What a map's value is when its entry leaves it out.
fn zero(kind: &Kind) -> Value {
    match kind {
        Kind::String | Kind::Bytes => "".into(),
        Kind::Bool => false.into(),
        Kind::Int32 | Kind::Int64 | Kind::Float64 | Kind::IntOrString => 0.into(),
        Kind::Quantity => "0".into(),
        Kind::Duration => "0s".into(),
        Kind::Struct(_) => Value::Object(Map::new()),
        _ => Value::Null,
    }
}

fn array(slot: &mut Value) -> &mut Vec<Value> {
    if !slot.is_array() {
        *slot = Value::Array(Vec::new());
    }
    match slot {
        Value::Array(items) => items,
        _ => unreachable!("it was made a list above"),
    }
}

fn object(slot: &mut Value) -> &mut Map {
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    match slot {
        Value::Object(map) => map,
        _ => unreachable!("it was made an object above"),
    }
}
