//! Reads the JSON of an `openAPIV3Schema` into a [`Structural`]. Follows `apiserver/schema/convert.go`. Prose (titles,
//! descriptions, examples) is left out; equal names and patterns are kept once.

use std::collections::HashMap;
use std::sync::Arc;

use model::json::{Map, Value};

use super::format::Format;
use super::pattern::Pattern;
use super::rules;
use super::values::{Bound, Combined, Count, Number, Text, Values};
use super::{Additional, Structural, Topology, Type};

type Schema = Map;
/// Properties, sorted by name.
type Properties = Box<[(Arc<str>, Structural)]>;

/// What no schema of a custom resource may have.
const UNSUPPORTED: [&str; 7] = ["id", "$schema", "$ref", "patternProperties", "dependencies", "additionalItems", "definitions"];

/// What has been read before and is shared.
#[derive(Default)]
struct Reader {
    names: HashMap<String, Arc<str>>,
    patterns: HashMap<String, Arc<Pattern>>,
}

pub(super) fn schema(value: &Value) -> Result<Structural, String> {
    let mut root = Reader::default().schema(value)?;
    rules::compile_all(&mut root);
    Ok(root)
}

/// Whether a schema has only what schemas of custom resources may have; says what it has beyond.
pub fn supported(value: &Value) -> Result<(), String> {
    Reader::default().schema(value).map(drop)
}

impl Reader {
    fn schema(&mut self, value: &Value) -> Result<Structural, String> {
        let empty = Schema::new();
        let from = value.as_object().unwrap_or(&empty);
        refuse_unsupported(from)?;
        let values = self.values(from)?;
        let preserve_unknown_fields = match from.get("x-kubernetes-preserve-unknown-fields").and_then(Value::as_bool) {
            Some(false) => return Err("internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined".into()),
            preserve => preserve.is_some(),
        };
        Ok(Structural {
            kind: kind(from),
            nullable: is(from, "nullable"),
            preserve_unknown_fields,
            embedded_resource: is(from, "x-kubernetes-embedded-resource"),
            int_or_string: is(from, "x-kubernetes-int-or-string"),
            properties: self.properties(from)?,
            items: self.items(from)?,
            additional: self.additional(from)?,
            default: from.get("default").filter(|d| !d.is_null()).cloned().map(Box::new),
            topology: topology(from).map(Box::new),
            values: Some(values).filter(|v| !v.is_empty()).map(Box::new),
            rules: rules::read(from),
            ruled: false,
            atoms: Default::default(),
        })
    }

    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let shared: Arc<str> = name.into();
        self.names.insert(name.to_owned(), shared.clone());
        shared
    }

    fn properties(&mut self, from: &Schema) -> Result<Properties, String> {
        let mut all = Vec::new();
        for (name, schema) in from.get("properties").and_then(Value::as_object).into_iter().flatten() {
            all.push((self.name(name), self.schema(schema)?));
        }
        all.sort_by(|a: &(Arc<str>, _), b| a.0.cmp(&b.0));
        Ok(all.into())
    }

    fn items(&mut self, from: &Schema) -> Result<Option<Box<Structural>>, String> {
        match from.get("items") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(schemas)) if !schemas.is_empty() => {
                Err("OpenAPIV3Schema 'items' must be a schema, but is an array".into())
            }
            Some(schema) => Ok(Some(Box::new(self.schema(schema)?))),
        }
    }

    fn additional(&mut self, from: &Schema) -> Result<Additional, String> {
        match from.get("additionalProperties") {
            None | Some(Value::Null) => Ok(Additional::Unsaid),
            Some(Value::Bool(allowed)) => Ok(Additional::Any(*allowed)),
            Some(schema) => Ok(Additional::Of(Box::new(self.schema(schema)?))),
        }
    }

    fn values(&mut self, from: &Schema) -> Result<Values, String> {
        let not = match from.get("not") {
            None | Some(Value::Null) => None,
            Some(schema) => Some(self.schema(schema)?),
        };
        let combined = Combined {
            all_of: self.each(from, "allOf")?,
            any_of: self.each(from, "anyOf")?,
            one_of: self.each(from, "oneOf")?,
            not,
        };
        let used =
            combined.not.is_some() || [&combined.all_of, &combined.any_of, &combined.one_of].iter().any(|list| !list.is_empty());
        let required = list(from, "required").iter().map(|name| self.name(name.as_str().unwrap_or(""))).collect();
        Ok(Values {
            format: Format::of(text(from, "format"), kind(from), is(from, "x-kubernetes-int-or-string")).map(Box::new),
            text: self.text(from),
            number: number(from),
            count: count(from),
            enumerated: list(from, "enum").into(),
            required,
            combined: used.then(|| Box::new(combined)),
        })
    }

    fn each(&mut self, from: &Schema, field: &str) -> Result<Box<[Structural]>, String> {
        list(from, field).iter().map(|schema| self.schema(schema)).collect()
    }

    fn text(&mut self, from: &Schema) -> Option<Box<Text>> {
        let pattern = match text(from, "pattern") {
            "" => None,
            pattern => Some(self.pattern(pattern)),
        };
        let text = Text { min_length: int(from, "minLength"), max_length: int(from, "maxLength"), pattern };
        let used = text.min_length.is_some() || text.max_length.is_some() || text.pattern.is_some();
        used.then(|| Box::new(text))
    }

    fn pattern(&mut self, pattern: &str) -> Arc<Pattern> {
        if let Some(known) = self.patterns.get(pattern) {
            return known.clone();
        }
        let shared = Arc::new(Pattern::new(pattern));
        self.patterns.insert(pattern.to_owned(), shared.clone());
        shared
    }
}

fn refuse_unsupported(from: &Schema) -> Result<(), String> {
    let set = |field: &&&str| match from.get(**field) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Object(map)) => !map.is_empty() || **field == "additionalItems",
        Some(_) => true,
    };
    match UNSUPPORTED.iter().find(set) {
        Some(field) => Err(format!("OpenAPIV3Schema '{}' is not supported", if *field == "$schema" { "schema" } else { field })),
        None => Ok(()),
    }
}

fn kind(from: &Schema) -> Option<Type> {
    match text(from, "type") {
        "object" => Some(Type::Object),
        "array" => Some(Type::Array),
        "string" => Some(Type::String),
        "integer" => Some(Type::Integer),
        "number" => Some(Type::Number),
        "boolean" => Some(Type::Boolean),
        // Refused where definitions are validated.
        _ => None,
    }
}

fn topology(from: &Schema) -> Option<Topology> {
    let named = |field: &str| from.get(field).and_then(Value::as_str).map(Box::from);
    let topology = Topology {
        list_type: named("x-kubernetes-list-type"),
        list_map_keys: list(from, "x-kubernetes-list-map-keys").iter().map(|key| key.as_str().unwrap_or("").into()).collect(),
        map_type: named("x-kubernetes-map-type"),
    };
    let used = topology.list_type.is_some() || topology.map_type.is_some() || !topology.list_map_keys.is_empty();
    used.then_some(topology)
}

fn number(from: &Schema) -> Option<Box<Number>> {
    let bound = |limit: &str, exclusive: &str| {
        let limit = from.get(limit).and_then(Value::as_f64)?;
        Some(Bound { limit, exclusive: is(from, exclusive) })
    };
    let number = Number {
        maximum: bound("maximum", "exclusiveMaximum"),
        minimum: bound("minimum", "exclusiveMinimum"),
        multiple_of: from.get("multipleOf").and_then(Value::as_f64),
    };
    let used = number.maximum.is_some() || number.minimum.is_some() || number.multiple_of.is_some();
    used.then(|| Box::new(number))
}

fn count(from: &Schema) -> Option<Box<Count>> {
    let count = Count {
        min_items: int(from, "minItems"),
        max_items: int(from, "maxItems"),
        unique_items: is(from, "uniqueItems"),
        min_properties: int(from, "minProperties"),
        max_properties: int(from, "maxProperties"),
    };
    let bounds = [count.min_items, count.max_items, count.min_properties, count.max_properties];
    (count.unique_items || bounds.iter().any(Option::is_some)).then(|| Box::new(count))
}

fn text<'a>(from: &'a Schema, field: &str) -> &'a str {
    from.get(field).and_then(Value::as_str).unwrap_or("")
}

fn is(from: &Schema, field: &str) -> bool {
    from.get(field).and_then(Value::as_bool).unwrap_or(false)
}

fn int(from: &Schema, field: &str) -> Option<i64> {
    from.get(field).and_then(Value::as_i64)
}

fn list<'a>(from: &'a Schema, field: &str) -> &'a [Value] {
    from.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn what_no_schema_may_have_is_told() {
        for (schema, words) in [
            (json!({"$ref": "#/x"}), "OpenAPIV3Schema '$ref' is not supported"),
            (json!({"properties": {"a": {"items": [{}]}}}), "OpenAPIV3Schema 'items' must be a schema, but is an array"),
            (json!({"allOf": [{"id": "a"}]}), "OpenAPIV3Schema 'id' is not supported"),
        ] {
            assert_eq!(Structural::parse(&schema).expect_err("refused"), words);
        }
    }

    #[test]
    fn names_are_kept_once_and_found() {
        let schema = json!({"properties": {"b": {"type": "string"}, "a": {"properties": {"b": {"type": "integer"}}}}});
        let root = Structural::parse(&schema).expect("schema");
        assert_eq!(root.properties().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "b"]);
        let inner = root.property("a").and_then(|a| a.property("b")).expect("a.b");
        assert_eq!(inner.kind, Some(Type::Integer));
        assert!(Arc::ptr_eq(&root.properties[1].0, &root.properties[0].1.properties[0].0));
    }
}
