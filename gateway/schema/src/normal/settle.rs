//! What the storage encoding of struct types, protobuf, cannot tell apart: an empty list or map and an absent one. Upstream's
//! objects go through it on every write, dry runs too, so clients read `null` where Go always writes the field.
//! Does not touch raw JSON, which protobuf carries as text.

use model::json::Value;

use crate::types::{Kind, TypeId, Types};

/// Takes empty lists and maps out of an object of a struct type.
pub fn settle(types: &Types, ty: TypeId, object: &mut Value) {
    let Value::Object(map) = object else { return };
    map.retain(|name, member| match types[ty].field(name) {
        Some(field) => {
            within(types, &field.kind, member);
            field.pointer || !is_nothing(&field.kind, member)
        }
        None => true,
    });
}

fn within(types: &Types, kind: &Kind, value: &mut Value) {
    match (kind, value) {
        (Kind::Struct(id), value) => settle(types, *id, value),
        (Kind::List(inner), Value::Array(items)) => items.iter_mut().for_each(|item| within(types, inner, item)),
        (Kind::Map(inner), Value::Object(map)) => map.values_mut().for_each(|value| within(types, inner, value)),
        _ => {}
    }
}

fn is_nothing(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::List(_), Value::Array(items)) => items.is_empty(),
        (Kind::Map(_), Value::Object(map)) => map.is_empty(),
        _ => false,
    }
}
