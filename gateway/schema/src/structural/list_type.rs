//! Whether lists of type `set` and `map` hold nothing twice. Follows `apiserver/schema/listtype`.
//! Lists of any other type may hold what they like.

use std::collections::HashMap;

use model::field::{Errors, Fault, Path};
use model::json::{Map, Value};

use super::shown::shown;
use super::{Additional, Structural};

pub(super) fn validate(schema: &Structural, value: &Value, path: &Path<'_>, errors: &mut Errors) {
    match value {
        Value::Array(items) => list(schema, items, path, errors),
        Value::Object(fields) => {
            if let Additional::Of(values) = &schema.additional {
                for (name, value) in fields {
                    validate(values, value, &path.key(name), errors);
                }
            }
            for (name, value) in fields {
                if let Some(property) = schema.property(name) {
                    validate(property, value, &path.child(name), errors);
                }
            }
        }
        _ => {}
    }
}

fn list(schema: &Structural, items: &[Value], path: &Path<'_>, errors: &mut Errors) {
    match schema.list_type() {
        Some("set") => {
            for i in repeated(items.iter()) {
                errors.duplicate(&path.index(i), shown(&items[i]));
            }
        }
        Some("map") => keyed(schema, items, path, errors),
        _ => {}
    }
    if let Some(schema) = schema.items.as_deref() {
        for (i, item) in items.iter().enumerate() {
            validate(schema, item, &path.index(i), errors);
        }
    }
}

fn keyed(schema: &Structural, items: &[Value], path: &Path<'_>, errors: &mut Errors) {
    if let Some(i) = items.iter().position(|item| !item.is_null() && !item.is_object()) {
        let detail = "must be an object for an array of list-type map";
        return errors.push(Fault::Invalid, &path.index(i), Some(shown(&items[i])), detail);
    }
    let key = |item: &Value| -> Value {
        let fields = schema.list_map_keys().iter().filter_map(|name| Some((name.to_string(), item.get(name.as_ref())?.clone())));
        Value::Object(fields.collect::<Map>())
    };
    let keys: Vec<Value> = if items.len() > 1 { items.iter().map(key).collect() } else { Vec::new() };
    for i in repeated(keys.iter()) {
        errors.duplicate(&path.index(i), shown(&keys[i]));
    }
}

/// Where each value that is there more than once is there for the second time.
fn repeated<'a>(values: impl ExactSizeIterator<Item = &'a Value>) -> Vec<usize> {
    if values.len() < 2 {
        return Vec::new();
    }
    let mut seen: HashMap<String, usize> = HashMap::with_capacity(values.len());
    let mut second = Vec::new();
    for (i, value) in values.enumerate() {
        // Texts and numbers are told apart by their JSON, as are whole numbers and others.
        let times = seen.entry(sorted(value)).or_default();
        *times += 1;
        if *times == 2 {
            second.push(i);
        }
    }
    second
}

fn sorted(value: &Value) -> String {
    match value {
        Value::Object(_) | Value::Array(_) => shown(value).to_string(),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn what_is_there_twice_is_told_once() {
        let schema = Structural::parse(&json!({"type": "object", "properties": {
            "s": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "m": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a", "b"], "items": {
                "type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}},
        }}))
        .expect("schema");
        let object = json!({"s": ["x", "y", "x", "x"], "m": [{"b": 1, "a": "1"}, {"a": "1"}, {"a": "1", "b": 1}]});
        let mut errors = Errors::new();
        validate(&schema, &object, &Path::default(), &mut errors);
        let said: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["s[2]: Duplicate value: \"x\"", "m[2]: Duplicate value: {\"a\":\"1\",\"b\":1}"]);
    }
}
