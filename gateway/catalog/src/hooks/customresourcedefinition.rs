//! CustomResourceDefinition: names and versions that follow from others, what a definition must be for its objects to be
//! served, and what its deletion waits for.
//! Follows `apiextensions-apiserver/pkg/apis/apiextensions` and `pkg/registry/customresourcedefinition`. Schemas are parsed
//! here to be judged and again where they are served; nothing here serves them.

mod conversion;
mod cost;
mod internal;
mod keywords;
mod lists;
mod old;
mod rules;
mod schema;
mod selectable;
mod spec;
mod validate;
mod walk;
mod warnings;

use jiff::Timestamp;
use model::clock::rfc3339;
use model::json::json;
use model::{Value, meta};

use super::Hooks;

pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    name: Some(validate::name),
    prepare_create: Some(prepare_create),
    prepare_update: Some(prepare_update),
    validate: Some(validate::create),
    validate_update: Some(validate::update),
    validate_status: Some(validate::status),
    warnings: Some(warnings::warnings),
    closing: Some(close),
    tells_again: true,
    ..Hooks::NONE
};

/// What holds a definition until its instances are gone.
const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

fn default(definition: &mut Value) {
    store_current_version(definition, Stored::WhenNone);
    let Some(spec) = definition.get_mut("spec").filter(|spec| spec.is_object()) else { return };
    if spec.get("conversion").is_none_or(Value::is_null) {
        spec["conversion"] = json!({"strategy": "None"});
    }
    let Some(names) = spec.get_mut("names").filter(|names| names.is_object()) else { return };
    let kind = text(names, "kind").to_owned();
    if text(names, "singular").is_empty() && !kind.is_empty() {
        names["singular"] = kind.to_lowercase().into();
    }
    if text(names, "listKind").is_empty() && !kind.is_empty() {
        names["listKind"] = format!("{kind}List").into();
    }
}

fn prepare_create(definition: &mut Value) {
    store_current_version(definition, Stored::Always);
}

fn prepare_update(new: &mut Value, old: &Value) {
    super::rules::get::copy(new, old, "status");
    store_current_version(new, Stored::Always);
}

/// When the version that is stored from now on joins those that may be in the store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stored {
    Always,
    WhenNone,
}

fn store_current_version(definition: &mut Value, when: Stored) {
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    let current = versions.into_iter().find(|version| version.get("storage") == Some(&Value::Bool(true)));
    let Some(current) = current.map(|version| text(version, "name").to_owned()) else { return };
    if !definition.get("status").is_some_and(Value::is_object) {
        definition["status"] = json!({});
    }
    let stored = &mut definition["status"]["storedVersions"];
    match stored.as_array_mut().filter(|all| !all.is_empty()) {
        None => *stored = json!([current]),
        Some(all) if when == Stored::Always && !all.iter().any(|known| *known == current) => all.push(current.into()),
        Some(_) => {}
    }
}

/// The first delete marks a definition, whatever its options say: its instances go first.
fn close(definition: &mut Value, now: Timestamp) {
    let mut finalizers: Vec<String> = meta::finalizers(definition).into_iter().map(str::to_owned).collect();
    if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        finalizers.push(FINALIZER.to_owned());
        meta::set(definition, "finalizers", finalizers);
    }
    let condition = json!({
        "type": "Terminating",
        "status": "True",
        "lastTransitionTime": rfc3339(now),
        "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    });
    if !definition.get("status").is_some_and(Value::is_object) {
        definition["status"] = json!({});
    }
    match definition["status"]["conditions"].as_array_mut() {
        None => definition["status"]["conditions"] = json!([condition]),
        Some(all) => match all.iter_mut().find(|known| text(known, "type") == "Terminating") {
            Some(known) => *known = condition,
            None => all.push(condition),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_follow_from_others() {
        let mut definition =
            json!({"spec": {"names": {"plural": "crontabs", "kind": "CronTab"}, "versions": [{"name": "v1", "storage": true}]}});
        default(&mut definition);
        assert_eq!(definition["spec"]["names"]["singular"], "crontab");
        assert_eq!(definition["spec"]["names"]["listKind"], "CronTabList");
        assert_eq!(definition["spec"]["conversion"], json!({"strategy": "None"}));
        assert_eq!(definition["status"]["storedVersions"], json!(["v1"]));
        let old = definition.clone();
        definition["spec"]["versions"][0]["name"] = json!("v2");
        definition["status"] = json!({"storedVersions": ["mine"]});
        prepare_update(&mut definition, &old);
        assert_eq!(definition["status"]["storedVersions"], json!(["v1", "v2"]));
    }

    #[test]
    fn a_deleted_definition_waits_for_its_instances() {
        let mut definition = json!({"metadata": {"name": "a"}});
        close(&mut definition, Timestamp::UNIX_EPOCH);
        assert_eq!(meta::finalizers(&definition), [FINALIZER]);
        assert_eq!(definition["status"]["conditions"][0]["reason"], "InstanceDeletionPending");
    }
}
