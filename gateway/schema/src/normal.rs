//! Normal form: the one shape in which objects reach admission and the store. [`decode`] brings a parsed body into it,
//! [`encode`] writes it as Go writes the same object, byte for byte.
//! Knows struct types (`types`) but no rule of any kind; does not parse text (`codec`).

mod decode;
mod encode;
mod join;
mod restore;
mod settle;
#[cfg(test)]
mod tests;

use model::json::{Map, Value};

pub use decode::{Spelling, decode, decode_spelt, strict_error, strict_faults};
pub use encode::{Encode, encode, encode_sorted};
pub use join::join;
pub use restore::restore;
pub use settle::settle;

use crate::types::{Field, Kind, Omit, Types};

/// Whether Go leaves a field with this value out; null stands for a value that was never set. `value` is in normal form.
fn is_omitted(types: &Types, field: &Field, value: &Value) -> bool {
    match field.omit {
        Omit::Never => false,
        _ if field.pointer => value.is_null(),
        Omit::Empty => is_empty(&field.kind, value),
        Omit::Zero => is_zero(types, &field.kind, value),
    }
}

/// Go's zero time, which only a pointer tells from none: it is kept as a text and written as a null.
pub(crate) fn zero_time(kind: &Kind) -> &'static str {
    if *kind == Kind::MicroTime { "0001-01-01T00:00:00.000000Z" } else { "0001-01-01T00:00:00Z" }
}

/// What Go writes for a field that was never set; nothing when it leaves it out. A struct comes without its own fields.
pub(crate) fn unset(types: &Types, field: &Field) -> Option<Value> {
    if is_omitted(types, field, &Value::Null) {
        return None;
    }
    if field.pointer {
        return Some(Value::Null);
    }
    Some(match &field.kind {
        Kind::String => "".into(),
        Kind::Bool => false.into(),
        Kind::Int32 | Kind::Int64 | Kind::Float64 | Kind::IntOrString => 0.into(),
        Kind::Quantity => "0".into(),
        Kind::Duration => "0s".into(),
        Kind::Struct(_) => Value::Object(Map::new()),
        Kind::List(_) | Kind::Map(_) | Kind::Bytes | Kind::Time | Kind::MicroTime => Value::Null,
        Kind::RawExtension | Kind::FieldsV1 | Kind::Json => Value::Null,
    })
}

/// What `omitempty` calls empty; structs never are.
fn is_empty(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::String | Kind::Bool | Kind::Int32 | Kind::Int64 | Kind::Float64, Value::Null) => true,
        (Kind::List(_) | Kind::Map(_) | Kind::Bytes, Value::Null) => true,
        (Kind::String | Kind::Bytes, Value::String(text)) => text.is_empty(),
        (Kind::Bool, Value::Bool(is)) => !is,
        (Kind::Int32 | Kind::Int64 | Kind::Float64, Value::Number(number)) => number.as_f64() == Some(0.0),
        (Kind::List(_), Value::Array(items)) => items.is_empty(),
        (Kind::Map(_), Value::Object(map)) => map.is_empty(),
        _ => false,
    }
}

/// What `omitzero` calls zero.
fn is_zero(types: &Types, kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Null) => true,
        // An empty list or map is not nil.
        (Kind::List(_) | Kind::Map(_) | Kind::Bytes, _) => false,
        (Kind::Quantity, Value::String(text)) => text == "0",
        (Kind::Duration, Value::String(text)) => text == "0s",
        (Kind::Struct(id), Value::Object(map)) => map
            .iter()
            .all(|(key, value)| types[*id].field(key).is_none_or(|field| !field.pointer && is_zero(types, &field.kind, value))),
        _ => is_empty(kind, value),
    }
}
