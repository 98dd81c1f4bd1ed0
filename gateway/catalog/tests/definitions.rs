//! What upstream says of some hundred definitions of custom resources, each breaking a rule (`definitions/*.jsonl`, answered
//! by `conformance/customresource`), and that ours say the same: errors, warnings, and the definition that would be stored.
//! Tests no HTTP.

use catalog::{Catalog, Resource};
use model::field::Errors;
use model::{Value, meta};
use schema::normal::Encode;
use schema::object_meta::validate_names;

/// Merges a change into an object, as RFC 7386 has it.
fn merge(object: &mut Value, change: &Value) {
    let Some(fields) = change.as_object() else {
        *object = change.clone();
        return;
    };
    if !object.is_object() {
        *object = Value::Object(model::Map::new());
    }
    let Some(map) = object.as_object_mut() else { return };
    for (field, inner) in fields {
        if inner.is_null() {
            map.shift_remove(field);
        } else {
            merge(map.entry(field.clone()).or_insert(Value::Null), inner);
        }
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().map_or(Vec::new(), |list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// As the write path reads it.
fn prepared(catalog: &Catalog, resource: &Resource, mut object: Value) -> Value {
    resource.shape.decode(&catalog.types, &mut object, &mut Vec::new()).expect("cases decode");
    catalog.fill_in(&resource.shape, &mut object);
    resource.hooks.default.inspect(|default| default(&mut object));
    meta::set(&mut object, "uid", "u1");
    meta::set(&mut object, "resourceVersion", "1");
    object
}

/// Errors, warnings, and what would be stored.
fn answer(resource: &Resource, what: &str, mut new: Value, old: Option<Value>) -> (Errors, Vec<String>, Value) {
    let (hooks, strategy) = (resource.hooks, &resource.strategy);
    let (mut errors, mut warnings) = (Errors::new(), Vec::new());
    match (what, &old) {
        ("create", None) => {
            strategy.prepare_create(&mut new);
            hooks.prepare_create.inspect(|prepare| prepare(&mut new));
            hooks.name.inspect(|own| validate_names(&new, &|name, prefix| own(&new, name, prefix), &mut errors));
            hooks.validate.inspect(|validate| validate(&new, &mut errors));
            warnings = hooks.warnings.map_or(Vec::new(), |warn| warn(&new, None));
        }
        ("update", Some(old)) => {
            strategy.prepare_update(&mut new, old);
            hooks.prepare_update.inspect(|prepare| prepare(&mut new, old));
            strategy.count(&mut new, old, &|_, a, b| a == b);
            hooks.validate_update.inspect(|validate| validate(&new, old, &mut errors));
            warnings = hooks.warnings.map_or(Vec::new(), |warn| warn(&new, Some(old)));
        }
        ("status", Some(old)) => {
            resource.subresource("status").expect("it has a status").prepare_update(&mut new, old);
            hooks.validate_status.inspect(|validate| validate(&new, old, &mut errors));
        }
        other => panic!("no such case: {other:?}"),
    }
    (errors, warnings, new)
}

fn written(catalog: &Catalog, resource: &Resource, object: &Value) -> Value {
    let mut bytes = Vec::new();
    let api_version = resource.api_version();
    let how = Encode { type_meta: Some((&api_version, &resource.gvk.kind)), splice_revision: false };
    resource.shape.encode(&catalog.types, object, how, &mut bytes);
    let mut object = serde_json::from_slice(&bytes).expect("we write JSON");
    without_nulls(&mut object);
    object
}

/// A merge patch cannot say that something is null.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// Asks every line; how many there were, and where we differ.
fn ask(lines: &str) -> (usize, Vec<String>) {
    let catalog = Catalog::builtin().expect("tables");
    let resource = catalog.by_kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition").expect("served");
    let base: Value = serde_json::from_str(include_str!("definitions/base.json")).expect("base");
    let mut wrong = Vec::new();
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).expect("case");
        let changed = |change: &Value| {
            let mut object = base.clone();
            merge(&mut object, change);
            object
        };
        let asked = changed(&case["new"]);
        let new = prepared(&catalog, resource, asked.clone());
        let old = case.get("old").map(|old| prepared(&catalog, resource, changed(old)));
        let (errors, warnings, made) = answer(resource, case["do"].as_str().expect("do"), new, old);
        let mut said: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        if case["any"] == true {
            said.sort_unstable();
        }
        let shown = format!("{} {} old {}", case["do"], case["new"], case["old"]);
        for (what, ours, theirs) in [("errors", said, texts(&case["errors"])), ("warnings", warnings, texts(&case["warnings"]))] {
            if ours != theirs {
                wrong.push(format!("{shown}\n  {what} {ours:?}\n  upstream's {theirs:?}"));
            }
        }
        if let Some(patch) = case.get("made") {
            let (mut theirs, ours) = (asked, written(&catalog, resource, &made));
            merge(&mut theirs, patch);
            without_nulls(&mut theirs);
            if ours != theirs {
                wrong.push(format!("{shown}\n  makes {ours}\n  upstream's {theirs}"));
            }
        }
    }
    (lines.lines().count(), wrong)
}

#[test]
fn definitions_are_judged_as_upstream_judges_them() {
    let (count, wrong) = ask(include_str!("definitions/cases.jsonl"));
    assert!(count > 400, "only {count} cases");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn rules_of_definitions_are_judged_as_upstream_judges_them() {
    let (count, wrong) = ask(include_str!("definitions/rules.jsonl"));
    assert!(count > 40, "only {count} cases");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
