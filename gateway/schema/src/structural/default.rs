//! Fills in what a schema defaults, and removes nulls that it does not allow. Follows `apiserver/schema/defaulting`.
//! Whether a default is valid was judged when its definition was written.

mod check;

use model::json::Value;

pub use check::Pruned;

use super::{Additional, Structural};

pub(super) fn run(schema: &Structural, object: &mut Value) {
    prune_nulls(Some(schema), object);
    fill(schema, object);
}

/// Removes nulls from maps where the schema does not allow them and has nothing to put in their place.
pub(super) fn prune_nulls(schema: Option<&Structural>, value: &mut Value) {
    match value {
        Value::Object(fields) => fields.retain(|name, value| {
            let field = schema.and_then(|s| s.field(name));
            if value.is_null() && field.is_some_and(|f| !f.nullable && f.default.is_none()) {
                return false;
            }
            prune_nulls(field, value);
            true
        }),
        Value::Array(items) => {
            let schema = schema.and_then(|s| s.items.as_deref());
            items.iter_mut().for_each(|item| prune_nulls(schema, item));
        }
        _ => {}
    }
}

pub(super) fn fill(schema: &Structural, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, property) in &schema.properties {
                let Some(default) = &property.default else { continue };
                match fields.get(name.as_ref()) {
                    Some(Value::Null) if !property.nullable => {}
                    Some(_) => continue,
                    None => {}
                }
                fields.insert(name.to_string(), default.as_ref().clone());
            }
            for (name, value) in fields.iter_mut() {
                match (schema.property(name), &schema.additional) {
                    (Some(property), _) => fill(property, value),
                    (None, Additional::Of(values)) => fill_item(values, value),
                    (None, _) => {}
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.items.as_deref() else { return };
            items.iter_mut().for_each(|item| fill_item(schema, item));
        }
        _ => {}
    }
}

/// An entry of a map or list: it is there, so its default only stands in for a null.
fn fill_item(schema: &Structural, value: &mut Value) {
    if value.is_null()
        && !schema.nullable
        && let Some(default) = &schema.default
    {
        *value = default.as_ref().clone();
    }
    fill(schema, value);
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn defaults_fill_what_is_absent_and_what_may_not_be_null() {
        let schema = json!({"type": "object", "properties": {
            "a": {"type": "string", "default": "A"},
            "n": {"type": "string", "nullable": true, "default": "N"},
            "x": {"type": "string"},
            "o": {"type": "object", "default": {}, "properties": {"p": {"type": "integer", "default": 5}}},
            "m": {"type": "object", "additionalProperties": {"type": "string", "default": "M"}},
            "l": {"type": "array", "items": {"type": "integer", "default": 1}},
        }});
        let mut object = json!({"a": null, "n": null, "x": null, "m": {"k": null}, "l": [null, 2]});
        Structural::parse(&schema).expect("schema").default(&mut object);
        assert_eq!(object, json!({"a": "A", "n": null, "m": {"k": "M"}, "l": [1, 2], "o": {"p": 5}}));
        let mut merged = json!({"a": null, "n": null, "x": null, "o": null});
        Structural::parse(&schema).expect("schema").default_keeping_nulls(&mut merged);
        assert_eq!(merged, json!({"a": "A", "n": null, "x": null, "o": {"p": 5}}));
    }
}
