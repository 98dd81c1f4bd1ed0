//! What upstream's strategies say of many hundred objects (`cases/cases*.jsonl`, answered by `conformance/cases`), and that
//! ours say the same: errors in their order, warnings, and the object that would be stored. Tests no HTTP.

use std::sync::Arc;

use catalog::hooks::{certificatesigningrequest, pod};
use catalog::{Catalog, Resource, convert, declarative};
use model::field::Errors;
use model::{User, Value, meta};
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

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().map_or(Vec::new(), |list| list.iter().filter_map(Value::as_str).collect())
}

/// What is said of an object.
struct Answer {
    errors: Vec<String>,
    warnings: Vec<String>,
    made: Value,
}

/// The time that stands for the one of the request.
const NOW: &str = "2000-01-01T00:00:00Z";

/// As the write path does it: decoded and defaulted in the version of the request, then in the version that is stored. Says as
/// well whether a default was another part of it.
fn prepared(catalog: &Catalog, resource: &Resource, mut object: Value) -> (Value, bool) {
    resource.shape.decode(&catalog.types, &mut object, &mut Vec::new()).expect("cases decode");
    catalog.fill_in(&resource.shape, &mut object);
    let stored = resource.storage.as_ref().map(|storage| &storage.gvk);
    if let Some(default) = resource.hooks.default.filter(|_| stored.is_none_or(|stored| *stored == resource.gvk)) {
        default(&mut object);
    }
    resource.hooks.default_now.inspect(|default| default(&mut object, NOW));
    let shared = resource.hooks.shared.as_ref().is_some_and(|shared| (shared.fill)(&mut object));
    if let Some(conversion) = convert::of(&resource.gvk) {
        (conversion.to_storage)(&mut object);
    }
    meta::set(&mut object, "uid", "u1");
    meta::set(&mut object, "resourceVersion", "1");
    (object, shared)
}

fn answer(catalog: &Catalog, resource: &Arc<Resource>, what: &str, new: Value, old: Option<Value>) -> Answer {
    let (hooks, strategy) = (resource.hooks, &resource.strategy);
    let (mut new, shared) = prepared(catalog, resource, new);
    let old = old.map(|old| prepared(catalog, resource, old).0);
    let (mut errors, mut warnings) = (Errors::new(), Vec::new());
    match (what, &old) {
        ("create", None) => {
            strategy.prepare_create(&mut new);
            hooks.prepare_create.inspect(|prepare| prepare(&mut new));
            hooks.shared.as_ref().filter(|_| shared).inspect(|shared| (shared.join)(&mut new));
            hooks.author.inspect(|author| author(&mut new, &User::new("somebody", &["system:authenticated"])));
            hooks.stamp.inspect(|stamp| stamp(&mut new, None, NOW));
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
            hooks.prepare_status.inspect(|prepare| prepare(&mut new, old));
            hooks.stamp.inspect(|stamp| stamp(&mut new, Some(old), NOW));
            hooks.validate_status.inspect(|validate| validate(&new, old, &mut errors));
            warnings = hooks.warnings_status.map_or(Vec::new(), |warn| warn(&new));
        }
        ("approval", Some(old)) => {
            certificatesigningrequest::prepare_approval(&mut new, old);
            hooks.stamp.inspect(|stamp| stamp(&mut new, Some(old), NOW));
            certificatesigningrequest::validate_approval(&new, old, &mut errors);
        }
        ("ephemeralcontainers", Some(old)) => {
            pod::ephemeral_containers::prepare(&mut new, old);
            pod::ephemeral_containers::validate(&new, old, &mut errors);
        }
        ("resize", Some(old)) => {
            pod::resize::prepare(&mut new, old);
            pod::resize::validate(&new, old, &mut errors);
        }
        other => panic!("no such case: {other:?}"),
    }
    let subresource = if matches!(what, "create" | "update") { "" } else { what };
    let old = old.map(|old| requested(resource, &old));
    declarative::validate(&catalog.types, resource, subresource, &requested(resource, &new), old.as_ref(), &mut errors);
    errors.unique();
    let message = |error: &model::field::Error| error.to_string().split("\n@@").next().unwrap_or_default().to_owned();
    Answer { errors: errors.0.iter().map(message).collect(), warnings, made: written(catalog, resource, &new) }
}

/// A stored object in the version of the request.
fn requested(resource: &Resource, stored: &Value) -> Value {
    let mut object = stored.clone();
    if let Some(conversion) = convert::of(&resource.gvk) {
        (conversion.from_storage)(&mut object);
    }
    object
}

/// The object as it would be sent, read again.
fn written(catalog: &Catalog, resource: &Resource, object: &Value) -> Value {
    let mut bytes = Vec::new();
    let object = requested(resource, object);
    let api_version = resource.api_version();
    let how = Encode { type_meta: Some((&api_version, &resource.gvk.kind)), splice_revision: false };
    resource.shape.encode(&catalog.types, &object, how, &mut bytes);
    serde_json::from_slice(&bytes).expect("we write JSON")
}

/// The value without fields that are null.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter().filter(|(_, inner)| !inner.is_null()).map(|(key, inner)| (key.clone(), bare(inner))).collect(),
        ),
        Value::Array(items) => items.iter().map(bare).collect(),
        other => other.clone(),
    }
}

/// Asks every case of a file and returns how many there were and where we differ.
fn ask(catalog: &Catalog, bases: &str, cases: &str) -> (usize, Vec<String>) {
    let bases: Value = serde_json::from_str(bases).expect("bases");
    let mut wrong = Vec::new();
    for line in cases.lines() {
        let case: Value = serde_json::from_str(line).expect("case");
        let base = &bases[case["base"].as_str().expect("base")];
        let changed = |change: &Value| {
            let mut object = base.clone();
            merge(&mut object, change);
            object
        };
        let (new, old) = (changed(&case["new"]), case.get("old").map(changed));
        let (group, version) = base["apiVersion"].as_str().and_then(|v| v.split_once('/')).unwrap_or(("", "v1"));
        let resource = catalog.by_kind(group, version, base["kind"].as_str().expect("kind")).expect("served");
        let said = answer(catalog, resource, case["do"].as_str().expect("do"), new.clone(), old);
        let shown = format!("{} {} {}", case["do"], case["base"], case["new"]);
        if said.errors != texts(&case["errors"]) {
            wrong.push(format!("{shown}\n  errors    {:?}\n  upstream's {:?}", said.errors, texts(&case["errors"])));
        }
        if said.warnings != texts(&case["warnings"]) {
            wrong.push(format!("{shown}\n  warnings  {:?}\n  upstream's {:?}", said.warnings, texts(&case["warnings"])));
        }
        if let Some(patch) = case.get("made") {
            let mut made = new;
            merge(&mut made, patch);
            // A merge patch cannot say null.
            if bare(&said.made) != bare(&made) {
                wrong.push(format!("{shown}\n  makes     {}\n  upstream's {made}", said.made));
            }
        }
    }
    (cases.lines().count(), wrong)
}

fn agree(bases: &str, cases: &str, least: usize) {
    let catalog = Catalog::builtin().expect("tables");
    // As the answers were recorded.
    catalog::hooks::allow_privileged(true);
    let (count, wrong) = ask(&catalog, bases, cases);
    assert!(count > least, "only {count} cases");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn pods_and_workloads_are_judged_as_upstream_judges_them() {
    agree(include_str!("cases/bases.json"), include_str!("cases/cases.jsonl"), 900);
}

#[test]
fn devices_flows_and_access_are_judged_as_upstream_judges_them() {
    agree(include_str!("cases/bases-other.json"), include_str!("cases/cases-other.jsonl"), 700);
}

#[test]
fn volumes_nodes_endpoints_and_certificates_are_judged_as_upstream_judges_them() {
    agree(include_str!("cases/bases-core.json"), include_str!("cases/cases-core.jsonl"), 850);
}

#[test]
fn expressions_are_judged_as_upstream_judges_them() {
    agree(include_str!("cases/bases-expressions.json"), include_str!("cases/cases-expressions.jsonl"), 190);
}
