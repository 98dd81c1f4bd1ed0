//! How a changed object that does not fit its type is refused where upstream goes over Go's maps instead of JSON text: after a
//! strategic merge patch. Follows `FromUnstructured` of `k8s.io/apimachinery/pkg/runtime/converter.go`.
//! Changes nothing, and leaves values with an encoding of their own (quantities, times) to decoding.

use codec::go_base64;
use model::json::Value;

use crate::types::{Kind, TypeId, Types};

/// Whether an object fits a struct type.
///
/// # Errors
/// The converter's text of the first fault, in the order of Go's fields.
pub fn restore(types: &Types, ty: TypeId, value: &Value) -> Result<(), String> {
    structure(types, ty, value)
}

fn structure(types: &Types, ty: TypeId, value: &Value) -> Result<(), String> {
    let Value::Object(map) = value else { return Err(format!("cannot restore struct from: {}", kind_of(value))) };
    for field in &types[ty].fields {
        let Some(value) = map.get(field.json) else { continue };
        match (&field.kind, value) {
            (Kind::List(inner), Value::Array(items)) => {
                items.iter().try_for_each(|item| any(types, inner, &|| types.go_element_type(field), item))?;
            }
            (Kind::Map(inner), Value::Object(map)) => {
                map.values().try_for_each(|value| any(types, inner, &|| types.go_element_type(field), value))?;
            }
            (kind, value) => any(types, kind, &|| types.go_type(field), value)?,
        }
    }
    Ok(())
}

/// A value of any kind; `name` is its Go type.
fn any(types: &Types, kind: &Kind, name: &dyn Fn() -> String, value: &Value) -> Result<(), String> {
    match (kind, value) {
        (_, Value::Null) => Ok(()),
        (Kind::Struct(id), value) => structure(types, *id, value),
        (Kind::List(inner), Value::Array(items)) => {
            items.iter().try_for_each(|item| any(types, inner, &|| types.go_type_of(inner), item))
        }
        (Kind::Map(inner), Value::Object(map)) => {
            map.values().try_for_each(|value| any(types, inner, &|| types.go_type_of(inner), value))
        }
        (Kind::Bytes, Value::String(text)) => match go_base64::canonical(text) {
            Ok(_) => Ok(()),
            Err(why) => Err(format!("error decoding from json: {why}")),
        },
        (Kind::Bytes, Value::Array(_)) => Ok(()),
        (Kind::List(_) | Kind::Bytes, value) => Err(format!("cannot restore slice from {}", kind_of(value))),
        (Kind::Map(_), value) => Err(format!("cannot restore map from {}", kind_of(value))),
        (kind, value) => scalar(kind, name, value),
    }
}

fn scalar(kind: &Kind, name: &dyn Fn() -> String, value: &Value) -> Result<(), String> {
    let word = match kind {
        Kind::String => "string",
        Kind::Bool => "bool",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Float64 => "float64",
        _ => return Ok(()),
    };
    let is_whole = |number: &model::json::Number| number.as_f64().is_some_and(|number| number == number.trunc());
    match (kind, value) {
        (Kind::String, Value::String(_)) | (Kind::Bool, Value::Bool(_)) | (Kind::Float64, Value::Number(_)) => Ok(()),
        (Kind::Int32 | Kind::Int64, Value::Number(number)) if is_whole(number) => Ok(()),
        // What Go could convert, JSON does not.
        (Kind::Int32 | Kind::Int64, Value::Number(_)) => Err(format!("cannot convert float64 to {}", name())),
        (Kind::String, Value::Number(number)) if number.is_i64() => Err(format!("cannot convert int64 to {}", name())),
        _ => Err(format!("unrecognized type: {word}")),
    }
}

/// What Go calls the kind of a parsed value.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "invalid",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn the_first_fault_is_told_in_the_converters_words() {
        let types = Types::parse(&[include_str!("../../../catalog/data/types.txt")]).expect("the committed table is readable");
        let told = |spec: Value| {
            let ty = types.of_kind("v1", "Pod").expect("known");
            restore(&types, ty, &json!({"spec": spec})).err().unwrap_or_default()
        };
        for (spec, fault) in [
            (json!({"containers": {}}), "cannot restore slice from map"),
            (json!({"containers": ["a"]}), "cannot restore struct from: string"),
            (json!({"nodeSelector": []}), "cannot restore map from slice"),
            (json!({"nodeSelector": {"a": 1}}), "cannot convert int64 to string"),
            (json!({"containers": [{"args": [true]}]}), "unrecognized type: string"),
            (json!({"containers": [{"imagePullPolicy": 1}]}), "cannot convert int64 to v1.PullPolicy"),
            (json!({"priority": "x"}), "unrecognized type: int32"),
            (json!({"priority": 1.5}), "cannot convert float64 to int32"),
            (json!({"hostNetwork": 1}), "unrecognized type: bool"),
            (json!({"priority": "x", "containers": {}}), "cannot restore slice from map"),
            (json!({"priority": 2, "containers": [{"name": "a", "resources": {"limits": {"cpu": 1}}}]}), ""),
        ] {
            assert_eq!(told(spec.clone()), fault, "{spec}");
        }
    }
}
