//! Whether a schema is structural: what it must say of every value, and what schemas that only judge may not say. Follows
//! `apiserver/schema/validation.go` and `complete.go`. Reads the schema as it is written, because the parsed tree has
//! forgotten what is refused here.

use model::field::{Errors, Path};
use model::json::{Map, Value, json};

use super::pattern_fault;

/// Where a schema stands; messages tell it.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    Root,
    Item,
    Field,
}

/// Which alternatives the two patterns of `x-kubernetes-int-or-string` may name types in.
#[derive(Clone, Copy, Default)]
struct Excused {
    any_of: bool,
    first_all_of: bool,
}

/// All that keeps a schema from being structural, sorted as upstream sorts it.
pub fn structural(schema: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mut found = Errors::new();
    describes(schema, Level::Root, path, &mut found);
    let values = path.to_string();
    judgements_complete(schema, Some(schema), path, &values, &mut found);
    let mut sorted: Vec<_> = found.0.into_iter().map(|error| (error.to_string(), error)).collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    errors.0.extend(sorted.into_iter().map(|(_, error)| error));
}

fn text<'a>(schema: &'a Value, field: &str) -> &'a str {
    schema.get(field).and_then(Value::as_str).unwrap_or("")
}

fn is(schema: &Value, field: &str) -> bool {
    schema.get(field).and_then(Value::as_bool).unwrap_or(false)
}

fn list<'a>(schema: &'a Value, field: &str) -> &'a [Value] {
    schema.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn schema_of<'a>(schema: &'a Value, field: &str) -> Option<&'a Value> {
    schema.get(field).filter(|inner| inner.is_object())
}

fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, schema)| (name.as_str(), schema))
}

/// A schema on the spine, which says of what its values are made.
fn describes(schema: &Value, level: Level, path: &Path<'_>, errors: &mut Errors) {
    let items = schema_of(schema, "items");
    if text(schema, "type") == "array" && items.is_none() {
        errors.required(&path.child("items"), "must be specified");
    }
    if let Some(items) = items {
        describes(items, Level::Item, &path.child("items"), errors);
    }
    let below = path.child("properties");
    for (name, property) in properties(schema) {
        describes(property, Level::Field, &below.key(name), errors);
    }
    let additional = schema.get("additionalProperties").filter(|a| !a.is_null());
    if additional.is_some() && level == Level::Root {
        errors.forbidden(&path.child("additionalProperties"), "must not be used at the root");
    }
    if let Some(values) = additional.filter(|a| a.is_object()) {
        describes(values, Level::Field, &path.child("additionalProperties"), errors);
    }
    extensions(schema, path, errors);
    judgements(schema, int_or_string(schema), path, errors);
    types(schema, level, path, errors);
    meta(schema, level, path, errors);
    let preserves = is(schema, "x-kubernetes-preserve-unknown-fields");
    if is(schema, "x-kubernetes-embedded-resource") && !preserves && properties(schema).next().is_none() {
        let detail = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        errors.required(&below, detail);
    }
}

fn extensions(schema: &Value, path: &Path<'_>, errors: &mut Errors) {
    if !is(schema, "x-kubernetes-int-or-string") {
        return;
    }
    for other in ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"] {
        if is(schema, other) {
            errors.invalid(&path.child(other), true, "must be false if x-kubernetes-int-or-string is true");
        }
    }
}

fn types(schema: &Value, level: Level, path: &Path<'_>, errors: &mut Errors) {
    let (kind, field) = (text(schema, "type"), path.child("type"));
    let embedded = is(schema, "x-kubernetes-embedded-resource");
    let stands_in = is(schema, "x-kubernetes-int-or-string") || is(schema, "x-kubernetes-preserve-unknown-fields");
    if embedded && kind != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        if kind.is_empty() { errors.required(&field, detail) } else { errors.invalid(&field, kind, detail) }
    } else if kind.is_empty() && !stands_in {
        let detail = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.required(&field, detail);
    }
    if embedded && schema.get("additionalProperties").is_some_and(|a| !a.is_null()) {
        errors.forbidden(&path.child("additionalProperties"), "must not be used if x-kubernetes-embedded-resource is set");
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        errors.invalid(&field, kind, "must be object at the root");
    }
}

/// What every object has can be restricted little.
fn meta(schema: &Value, level: Level, path: &Path<'_>, errors: &mut Errors) {
    let whole = level == Level::Root || is(schema, "x-kubernetes-embedded-resource");
    let below = path.child("properties");
    let property = |name| schema.get("properties").and_then(|all| all.get(name));
    for name in ["kind", "apiVersion"] {
        if let Some(property) = property(name).filter(|_| whole)
            && text(property, "type") != "string"
        {
            errors.invalid(&below.key(name).child("type"), text(property, "type"), "must be string");
        }
    }
    let Some(metadata) = property("metadata") else { return };
    let here = below.key("metadata");
    if whole && text(metadata, "type") != "object" {
        errors.invalid(&here.child("type"), text(metadata, "type"), "must be object");
    }
    if level == Level::Root && !restricts_names_only(metadata) {
        let detail = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        errors.forbidden(&here, detail);
    }
}

fn restricts_names_only(metadata: &Value) -> bool {
    let mut others =
        metadata.as_object().into_iter().flatten().filter(|(field, _)| !matches!(field.as_str(), "type" | "default"));
    others.all(|(field, value)| {
        let names = |all: &Map| all.keys().all(|name| name == "name" || name == "generateName");
        field == "properties" && value.as_object().is_some_and(names)
    })
}

/// The two ways in which alternatives may tell integers from texts.
fn int_or_string(schema: &Value) -> Excused {
    let pattern = |any_of: Option<&Value>| any_of == Some(&json!([{"type": "integer"}, {"type": "string"}]));
    let first = list(schema, "allOf").first();
    Excused { any_of: pattern(schema.get("anyOf")), first_all_of: first.is_some_and(|first| pattern(first.get("anyOf"))) }
}

/// What judges values beside the spine.
fn judgements(schema: &Value, excused: Excused, path: &Path<'_>, errors: &mut Errors) {
    for (field, skip) in [("anyOf", excused.any_of), ("allOf", false), ("oneOf", false)] {
        let below = path.child(field);
        for (i, nested) in list(schema, field).iter().enumerate().filter(|_| !skip) {
            let excused = Excused { any_of: field == "allOf" && i == 0 && excused.first_all_of, first_all_of: false };
            judges(nested, excused, &below.index(i), errors);
        }
    }
    if let Some(not) = schema_of(schema, "not") {
        judges(not, Excused::default(), &path.child("not"), errors);
    }
    let pattern = text(schema, "pattern");
    if let Some(fault) = pattern_fault(pattern) {
        errors.invalid(&path.child("pattern"), pattern, format!("must be a valid regular expression, but isn't: {fault}"));
    }
}

/// What a schema that only judges may not say.
fn judges(schema: &Value, excused: Excused, path: &Path<'_>, errors: &mut Errors) {
    judgements(schema, excused, path, errors);
    if let Some(items) = schema_of(schema, "items") {
        judges(items, Excused::default(), &path.child("items"), errors);
    }
    let below = path.child("properties");
    for (name, property) in properties(schema) {
        judges(property, Excused::default(), &below.key(name), errors);
    }
    let mut forbid = |broken: bool, field: &str, be: &str| {
        if broken {
            errors.forbidden(&path.child(field), format!("must be {be} to be structural"));
        }
    };
    forbid(!text(schema, "type").is_empty(), "type", "empty");
    let additional = schema.get("additionalProperties");
    forbid(additional.is_some_and(|a| a.is_object() || *a == true), "additionalProperties", "undefined");
    forbid(schema.get("default").is_some_and(|default| !default.is_null()), "default", "undefined");
    forbid(!text(schema, "title").is_empty(), "title", "empty");
    forbid(!text(schema, "description").is_empty(), "description", "empty");
    for field in
        ["nullable", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string"]
    {
        forbid(is(schema, field), field, "false");
    }
    forbid(!list(schema, "x-kubernetes-list-map-keys").is_empty(), "x-kubernetes-list-map-keys", "empty");
    forbid(schema.get("x-kubernetes-list-type").is_some(), "x-kubernetes-list-type", "undefined");
    forbid(schema.get("x-kubernetes-map-type").is_some(), "x-kubernetes-map-type", "undefined");
    forbid(!list(schema, "x-kubernetes-validations").is_empty(), "x-kubernetes-validations", "empty");
    if properties(schema).any(|(name, _)| name == "metadata") {
        errors.forbidden(&below.key("metadata"), "must not be specified in a nested context");
    }
}

/// Whether all that is judged is described: `spine` is the description, `values` where the judgement stands.
fn judgements_complete(schema: &Value, spine: Option<&Value>, path: &Path<'_>, values: &str, errors: &mut Errors) {
    if let Some(not) = schema_of(schema, "not") {
        complete(not, spine, path, &format!("{values}.not"), errors);
    }
    for field in ["allOf", "anyOf", "oneOf"] {
        for (i, nested) in list(schema, field).iter().enumerate() {
            complete(nested, spine, path, &format!("{values}.{field}[{i}]"), errors);
        }
    }
}

fn complete(schema: &Value, spine: Option<&Value>, path: &Path<'_>, values: &str, errors: &mut Errors) {
    let Some(spine) = spine else { return errors.required(path, format!("because it is defined in {values}")) };
    judgements_complete(schema, Some(spine), path, values, errors);
    if let Some(items) = schema_of(schema, "items") {
        complete(items, schema_of(spine, "items"), &path.child("items"), &format!("{values}.items"), errors);
    }
    let below = path.child("properties");
    for (name, property) in properties(schema) {
        let described = spine.get("properties").and_then(|all| all.get(name));
        complete(property, described, &below.key(name), &format!("{values}.properties[{name}]"), errors);
    }
}
