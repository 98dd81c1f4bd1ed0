//! Drops what a schema does not know. Follows `apiserver/schema/pruning`. Knows nothing of what `metadata` may hold.

use std::fmt::{self, Display};

use model::json::Value;

use super::{Additional, Structural};

/// Where the walk is; printed only when a field is dropped.
#[derive(Clone, Copy)]
enum At<'a> {
    Root,
    Field(&'a At<'a>, &'a str),
    Index(&'a At<'a>, usize),
}

impl Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Whether the members that every object has are looked at.
#[derive(Clone, Copy, PartialEq)]
enum Resource {
    /// They stay untouched: the root, or an embedded object.
    Yes,
    No,
}

pub(super) fn run(schema: &Structural, object: &mut Value, unknown: &mut Vec<String>) {
    let first = unknown.len();
    walk(Some(schema), object, Resource::Yes, &At::Root, unknown);
    unknown[first..].sort_unstable();
}

impl Structural {
    /// Drops what the schema of any value does not know.
    pub(super) fn prune_value(&self, value: &mut Value) {
        walk(Some(self), value, resource(self), &At::Root, &mut Vec::new());
    }
}

fn is_meta(name: &str) -> bool {
    matches!(name, "apiVersion" | "kind" | "metadata")
}

fn resource(schema: &Structural) -> Resource {
    if schema.embedded_resource { Resource::Yes } else { Resource::No }
}

fn walk(schema: Option<&Structural>, value: &mut Value, whole: Resource, at: &At<'_>, unknown: &mut Vec<String>) {
    match (schema, value) {
        (Some(schema), value) if schema.preserve_unknown_fields => keep(schema, value, whole, at, unknown),
        (schema, Value::Array(items)) => {
            let schema = schema.and_then(|s| s.items.as_deref());
            for (i, item) in items.iter_mut().enumerate() {
                walk(schema, item, nested(schema), &At::Index(at, i), unknown);
            }
        }
        (None, Value::Object(fields)) => {
            unknown.extend(fields.keys().map(|name| At::Field(at, name).to_string()));
            fields.clear();
        }
        (Some(schema), Value::Object(fields)) => fields.retain(|name, value| {
            if whole == Resource::Yes && is_meta(name) {
                return true;
            }
            let here = At::Field(at, name);
            let Some(field) = known(schema, name) else {
                // What every object has is not told of at the root, even where it is dropped.
                if !is_meta(name) || !matches!(at, At::Root) {
                    unknown.push(here.to_string());
                }
                return false;
            };
            walk(field, value, nested(field), &here, unknown);
            true
        }),
        _ => {}
    }
}

fn nested(schema: Option<&Structural>) -> Resource {
    schema.map_or(Resource::No, resource)
}

/// The schema of a field, `None` when the field is not known. A map whose values have no schema knows every name.
fn known<'a>(schema: &'a Structural, name: &str) -> Option<Option<&'a Structural>> {
    match (schema.property(name), &schema.additional) {
        (Some(property), _) => Some(Some(property)),
        (None, Additional::Of(values)) => Some(Some(values)),
        (None, Additional::Any(_)) => Some(None),
        (None, Additional::Unsaid) => None,
    }
}

/// Below `x-kubernetes-preserve-unknown-fields` only what has a schema of its own is pruned again.
fn keep(schema: &Structural, value: &mut Value, whole: Resource, at: &At<'_>, unknown: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if whole == Resource::Yes && is_meta(name) {
                    continue;
                }
                if let Some(field) = known(schema, name) {
                    walk(field, value, nested(field), &At::Field(at, name), unknown);
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.items.as_deref() else { return };
            for (i, item) in items.iter_mut().enumerate() {
                keep(schema, item, resource(schema), &At::Index(at, i), unknown);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    fn pruned(schema: Value, mut object: Value) -> (Value, Vec<String>) {
        let mut unknown = Vec::new();
        Structural::parse(&schema).expect("schema").prune(&mut object, &mut unknown);
        (object, unknown)
    }

    #[test]
    fn what_is_unknown_goes_and_is_told() {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
            "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"b": {"type": "string"}}}},
        }}}});
        let (object, unknown) = pruned(
            schema,
            json!({"apiVersion": "g/v1", "kind": "K", "metadata": {"any": 1}, "x": 1, "spec": {
                "list": [{"a": "1", "z": 1}], "map": {"k": {"b": "1", "c": 2}}, "kind": "K"}}),
        );
        assert_eq!(unknown, ["spec.kind", "spec.list[0].z", "spec.map.k.c", "x"]);
        assert_eq!(
            object,
            json!({"apiVersion": "g/v1", "kind": "K", "metadata": {"any": 1}, "spec": {"list": [{"a": "1"}], "map": {"k": {"b": "1"}}}})
        );
    }

    #[test]
    fn preserved_fields_stay_until_a_schema_begins_again() {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
            "properties": {"known": {"type": "object", "properties": {"a": {"type": "string"}}}}}}});
        let (object, unknown) = pruned(schema, json!({"spec": {"free": {"deep": 1}, "known": {"a": "1", "b": 2}}}));
        assert_eq!(unknown, ["spec.known.b"]);
        assert_eq!(object, json!({"spec": {"free": {"deep": 1}, "known": {"a": "1"}}}));
    }
}
