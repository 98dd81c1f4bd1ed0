//! Brings a parsed body into normal form: types checked with Go's error texts, unknown fields dropped and told, nulls and
//! empty values that Go would not write dropped, quantities, times and bytes canonical.
//! Follows `sigs.k8s.io/json` and the `UnmarshalJSON` of apimachinery's types. Does not default and does not validate.

use std::fmt::Write as _;

use codec::go_base64;
use codec::json::{STRICT_ERRORS_MAX, type_word};
use model::field::quote;
use model::json::{Map, Number, Value};
use model::time::{Precision, canonical, format_duration, parse_duration};

use super::{is_omitted, zero_time};
use crate::types::{Field, Kind, TypeId, Types};

/// Decodes `value` in place. Unknown fields are dropped and told in document order as `unknown field "spec.foo"`.
///
/// # Errors
/// Go's text of the first fault: `json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type
/// []v1.Container`. The value is then half decoded.
pub fn decode(types: &Types, ty: TypeId, value: &mut Value, unknown: &mut Vec<String>) -> Result<(), String> {
    decode_spelt(types, ty, value, (unknown, &|_| None))
}

/// The same, where faults name numbers as they are spelt at a path of the text.
///
/// # Errors
/// As [`decode`].
pub fn decode_spelt(
    types: &Types,
    ty: TypeId,
    value: &mut Value,
    (unknown, spelling): (&mut Vec<String>, Spelling<'_>),
) -> Result<(), String> {
    let mut walk = Walk { types, unknown, spelling, fault: None, path: String::new(), fields: Vec::new(), owner: "" };
    match value {
        Value::Object(map) => walk.structure(ty, map)?,
        Value::Null => *value = Value::Object(Map::new()),
        other => walk.mismatch(type_word(other), types[ty].go_name),
    }
    walk.fault.map_or(Ok(()), Err)
}

/// Decodes a value with an encoding of its own that no field holds: faults name none.
pub(super) fn alone(types: &Types, kind: &Kind, value: &mut Value) -> Result<(), String> {
    let unknown = &mut Vec::new();
    Walk { types, unknown, spelling: &|_| None, fault: None, path: String::new(), fields: Vec::new(), owner: "" }
        .leaf(kind, value)
}

/// What strict decoding holds against a body, to be refused or warned of. A duplicate below an unknown field is not told,
/// as upstream skips what it does not know.
pub fn strict_faults<'a>(duplicates: &'a [String], unknown: &'a [String]) -> Vec<&'a str> {
    let below_unknown = |duplicate: &str| {
        let path = path_of(duplicate);
        unknown
            .iter()
            .map(|u| path_of(u))
            .any(|u| path.strip_prefix(u).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '['])))
    };
    duplicates.iter().filter(|d| !below_unknown(d)).chain(unknown).take(STRICT_ERRORS_MAX).map(String::as_str).collect()
}

/// The message of a request that asked for strict decoding; `None` when nothing is held against the body.
pub fn strict_error(duplicates: &[String], unknown: &[String]) -> Option<String> {
    let told = strict_faults(duplicates, unknown);
    if told.is_empty() { None } else { Some(format!("strict decoding error: {}", told.join(", "))) }
}

/// What stands between the quotes of `unknown field "spec.foo"`.
fn path_of(message: &str) -> &str {
    message.split_once('"').map_or("", |(_, rest)| rest.trim_end_matches('"'))
}

/// How the text spells the number at a path, where there is a text.
pub type Spelling<'a> = &'a dyn Fn(&str) -> Option<String>;

struct Walk<'a> {
    types: &'a Types,
    unknown: &'a mut Vec<String>,
    spelling: Spelling<'a>,
    /// The first type fault; upstream goes on after it, and a value's own fault found later outweighs it.
    fault: Option<String>,
    /// Where the walk is, as strict errors spell it: `spec.containers[0]`.
    path: String,
    /// Where the walk is, as type errors spell it: fields only.
    fields: Vec<&'static str>,
    /// Go's name of the struct that holds the current field.
    owner: &'static str,
}

/// Where a value's Go type is written down.
#[derive(Clone, Copy)]
enum Named<'a> {
    Field(&'a Field),
    ElementOf(&'a Field),
    Deeper,
}

impl<'a> Walk<'a> {
    fn structure(&mut self, ty: TypeId, map: &mut Map) -> Result<(), String> {
        let types = self.types;
        let of = &types[ty];
        let owner = std::mem::replace(&mut self.owner, of.short_name());
        let mut outcome = Ok(());
        map.retain(|key, value| {
            let Some(field) = of.field(key) else {
                self.tell_unknown(key);
                return false;
            };
            let said = !value.is_null();
            if outcome.is_ok() {
                outcome = if field.holds_schemas() { self.schemas(ty, field, value) } else { self.field(field, value) };
            }
            if value.is_null() {
                let zero = said && field.is_time_pointer();
                if zero {
                    *value = zero_time(&field.kind).into();
                }
                return zero;
            }
            !is_omitted(types, field, value) || field.tells_empty
        });
        // Kept on a fault, for its message.
        if outcome.is_ok() {
            self.owner = owner;
        }
        outcome
    }

    fn tell_unknown(&mut self, key: &str) {
        let path = if self.path.is_empty() { quote(key) } else { quote(&format!("{}.{key}", self.path)) };
        let message = format!("unknown field {path}");
        if self.unknown.len() < STRICT_ERRORS_MAX && !self.unknown.contains(&message) {
            self.unknown.push(message);
        }
    }

    fn field(&mut self, field: &'a Field, value: &mut Value) -> Result<(), String> {
        if value.is_null() && (field.pointer || field.kind != Kind::Duration) {
            return Ok(());
        }
        let length = self.path.len();
        let depth = self.fields.len();
        self.enter(field.json);
        self.fields.extend(field.go_in.iter().chain([&field.json]));
        self.value(&field.kind, Named::Field(field), value)?;
        self.fields.truncate(depth);
        self.path.truncate(length);
        Ok(())
    }

    /// Schemas that Go reads by a method of their type: not strictly, and a fault ends the decoding at once.
    fn schemas(&self, ty: TypeId, field: &Field, value: &mut Value) -> Result<(), String> {
        let each: Vec<&mut Value> = match (&field.kind, value) {
            (Kind::Map(_), Value::Object(map)) => map.values_mut().collect(),
            (_, Value::Array(items)) => items.iter_mut().collect(),
            (_, one) => vec![one],
        };
        for map in each.into_iter().filter_map(Value::as_object_mut) {
            let (types, unknown) = (self.types, &mut Vec::new());
            let fields = self.fields.iter().copied().chain([field.json]).collect();
            let mut walk = Walk { types, unknown, spelling: &|_| None, fault: None, path: String::new(), fields, owner: "" };
            walk.structure(ty, map)?;
            walk.fault.map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    fn enter(&mut self, key: &str) {
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key);
    }

    fn value(&mut self, kind: &'a Kind, named: Named<'a>, value: &mut Value) -> Result<(), String> {
        match (kind, &mut *value) {
            (Kind::String, Value::String(_)) | (Kind::Bool, Value::Bool(_)) => Ok(()),
            (Kind::Float64, Value::Number(number)) => {
                if let Some(nearest) = nearest(number) {
                    *value = nearest.into();
                }
                Ok(())
            }
            (Kind::RawExtension | Kind::FieldsV1 | Kind::Json, _) => Ok(()),
            (Kind::Int64, Value::Number(number)) if number.is_i64() => Ok(()),
            (Kind::Int32, Value::Number(number)) if number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => Ok(()),
            (Kind::Int32 | Kind::Int64, Value::Number(number)) => {
                let what = self.number(&self.path, number);
                let name = self.types.go_type_of(kind);
                self.mismatch(&what, &name);
                Ok(())
            }
            (Kind::Struct(id), Value::Object(map)) => self.structure(*id, map),
            (Kind::List(inner), Value::Array(items)) => self.list(inner, named, items),
            (Kind::Map(inner), Value::Object(map)) => self.map(inner, named, map),
            (Kind::Bytes, Value::String(_) | Value::Array(_)) => {
                self.bytes(value);
                Ok(())
            }
            (Kind::Quantity | Kind::Time | Kind::MicroTime | Kind::Duration | Kind::IntOrString, _) => self.leaf(kind, value),
            (_, other) => {
                let what = type_word(other);
                let name = self.type_name(kind, named);
                self.mismatch(what, &name);
                Ok(())
            }
        }
    }

    fn list(&mut self, inner: &'a Kind, named: Named<'a>, items: &mut [Value]) -> Result<(), String> {
        let length = self.path.len();
        for (i, item) in items.iter_mut().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(self.path, "[{i}]");
            self.element(inner, named, item)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn map(&mut self, inner: &'a Kind, named: Named<'a>, map: &mut Map) -> Result<(), String> {
        let length = self.path.len();
        for (key, value) in map.iter_mut() {
            self.enter(key);
            self.element(inner, named, value)?;
            self.path.truncate(length);
        }
        if !map.keys().is_sorted() {
            map.sort_keys();
        }
        Ok(())
    }

    fn element(&mut self, inner: &'a Kind, named: Named<'a>, value: &mut Value) -> Result<(), String> {
        if value.is_null() {
            *value = zero(inner);
        }
        if value.is_null() {
            return Ok(());
        }
        let named = if let Named::Field(field) = named { Named::ElementOf(field) } else { Named::Deeper };
        self.value(inner, named, value)
    }

    /// Base64, or a list of numbers, which Go takes for bytes too.
    fn bytes(&mut self, value: &mut Value) {
        let text = match value {
            Value::Array(items) => {
                let bytes: Vec<u8> = items.iter().enumerate().map(|(at, item)| self.byte(at, item)).collect();
                go_base64::encode(&bytes)
            }
            Value::String(text) => match go_base64::canonical(text) {
                Ok(std::borrow::Cow::Borrowed(_)) => return,
                Ok(std::borrow::Cow::Owned(canonical)) => canonical,
                Err(why) => {
                    self.fault.get_or_insert(why);
                    return;
                }
            },
            _ => return,
        };
        *value = text.into();
    }

    fn byte(&mut self, at: usize, item: &Value) -> u8 {
        let byte = match item {
            Value::Null => Some(0),
            item => item.as_u64().and_then(|n| u8::try_from(n).ok()),
        };
        byte.unwrap_or_else(|| {
            let what = match item {
                Value::Number(number) => self.number(&format!("{}[{at}]", self.path), number),
                item => type_word(item).to_owned(),
            };
            self.mismatch(&what, "uint8");
            0
        })
    }

    /// A value with an encoding of its own, whose faults end the decoding at once.
    fn leaf(&self, kind: &Kind, value: &mut Value) -> Result<(), String> {
        let text = match (kind, &*value) {
            (Kind::IntOrString, Value::String(_)) => return Ok(()),
            (Kind::IntOrString, Value::Number(n)) if n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => return Ok(()),
            (Kind::IntOrString, Value::Number(number)) => return Err(self.message(&self.number(&self.path, number), "int32")),
            (Kind::IntOrString, other) => return Err(self.message(type_word(other), "int32")),
            (_, Value::String(text)) => text,
            // `1e3` stays what it is, where there is a text that says so.
            (Kind::Quantity, Value::Number(number)) if number.is_f64() => {
                &(self.spelling)(&self.path).unwrap_or_else(|| number.to_string())
            }
            (Kind::Quantity, other) => &other.to_string(),
            (Kind::Duration, Value::Null) => "",
            (_, other) => return Err(self.message(type_word(other), "string")),
        };
        let canonical = match kind {
            Kind::Quantity => Some(model::quantity::canonical(text).map_err(|e| e.to_string())?),
            Kind::Duration => Some(format_duration(parse_duration(text)?)),
            Kind::Time => canonical(text, Precision::Seconds)?,
            _ => canonical(text, Precision::Micro)?,
        };
        if canonical.as_deref() != Some(text) || !value.is_string() {
            *value = canonical.map_or(Value::Null, Value::String);
        }
        Ok(())
    }

    fn type_name(&self, kind: &Kind, named: Named<'_>) -> String {
        match named {
            Named::Field(field) => self.types.go_type(field),
            Named::ElementOf(field) => self.types.go_element_type(field),
            Named::Deeper => self.types.go_type_of(kind),
        }
    }

    fn number(&self, path: &str, number: &Number) -> String {
        let spelt = (self.spelling)(path).unwrap_or_else(|| number.to_string());
        format!("number {spelt}")
    }

    fn mismatch(&mut self, what: &str, type_name: &str) {
        if self.fault.is_none() {
            self.fault = Some(self.message(what, type_name));
        }
    }

    /// Go's `UnmarshalTypeError`.
    fn message(&self, what: &str, type_name: &str) -> String {
        if self.fields.is_empty() {
            return format!("json: cannot unmarshal {what} into Go value of type {type_name}");
        }
        format!("json: cannot unmarshal {what} into Go struct field {}.{} of type {type_name}", self.owner, self.fields.join("."))
    }
}

/// The whole number that 64 bits of floating point make of another one, where they cannot tell it.
fn nearest(number: &Number) -> Option<i64> {
    number.as_i64().map(|exact| (exact, exact as f64 as i64)).filter(|(exact, nearest)| exact != nearest).map(|pair| pair.1)
}

/// What a null becomes as an element of a list or a map.
fn zero(kind: &Kind) -> Value {
    match kind {
        Kind::String => "".into(),
        Kind::Bool => false.into(),
        Kind::Int32 | Kind::Int64 | Kind::Float64 | Kind::IntOrString => 0.into(),
        Kind::Quantity => "0".into(),
        // None at all is an empty one once it has been stored.
        Kind::Bytes => "".into(),
        Kind::Struct(_) => Value::Object(Map::new()),
        _ => Value::Null,
    }
}
