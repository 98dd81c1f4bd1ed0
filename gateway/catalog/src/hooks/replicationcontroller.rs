//! ReplicationControllers. Follows `pkg/registry/core/replicationcontroller` and `ValidateReplicationControllerSpec`, with
//! the declarative rules of 1.37 for their counts, whose errors come last.

use model::Value;
use model::field::{Errors, Path};
use model::json::Map;

use super::rules::number::nonnegative;
use super::rules::{get, internal};
use super::{Hooks, Selectable, pod_template, replicaset, workload};

/// The hooks of ReplicationControllers.
pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    prepare_create: Some(|object| pod_template::prepare(object, "spec.template")),
    prepare_update: Some(|object, _| pod_template::prepare(object, "spec.template")),
    validate: Some(|new, errors| validate(new, None, errors)),
    validate_update: Some(|new, old, errors| validate(new, Some(old), errors)),
    validate_status: Some(|new, _, errors| replicaset::counts(get::at(new, "status"), &[], errors)),
    warnings: Some(warnings),
    selectable: &[Selectable { field: "status.replicas", value: workload::status_replicas }],
    ..Hooks::NONE
};

/// The template's labels become the selector and the controller's own labels, where those are empty.
fn default(object: &mut Value) {
    let labels = get::at(object, "spec.template.metadata.labels").clone();
    if labels.is_object() {
        let is_empty = |holder: &Value, field: &str| get::entries(holder, field).next().is_none();
        if let Some(spec) = object.get_mut("spec").filter(|spec| is_empty(spec, "selector")) {
            get::set(spec, "selector", labels.clone());
        }
        // Where metadata is left out, it is filled in later; Go's is always there.
        if object.get("metadata").is_none() {
            get::set(object, "metadata", Value::Object(Map::default()));
        }
        if let Some(metadata) = object.get_mut("metadata").filter(|metadata| is_empty(metadata, "labels")) {
            get::set(metadata, "labels", labels);
        }
    }
    pod_template::default(object, "spec.template");
}

fn validate(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = get::at(object, "spec");
    let path = Path::new("spec");
    if get::entries(spec, "selector").next().is_none() {
        errors.required(&path.child("selector"), "");
    }
    template(spec, old, &path, errors);
    let before = old.map(|old| get::at(old, "spec"));
    let unchanged = |field: &str| before.is_some_and(|before| get::int(before, field) == get::int(spec, field));
    match get::int(spec, "replicas") {
        _ if unchanged("replicas") => {}
        None => errors.required(&path.child("replicas"), ""),
        Some(replicas) => nonnegative(replicas, &path.child("replicas"), errors),
    }
    if !unchanged("minReadySeconds") {
        nonnegative(get::number(spec, "minReadySeconds"), &path.child("minReadySeconds"), errors);
    }
}

/// As of ReplicaSets, but that upstream warns of the template that an update replaces.
fn warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    match old {
        None => replicaset::warnings(object, None),
        Some(old) if pod_template::spec_changed(object, old) => pod_template::warnings(old, "spec.template"),
        Some(_) => Vec::new(),
    }
}

/// `ValidatePodTemplateSpecForRC`: the selector is a plain map.
fn template(spec: &Value, old: Option<&Value>, path: &Path, errors: &mut Errors) {
    let path = path.child("template");
    let Some(template) = get::object(spec, "template") else { return errors.required(&path, "") };
    let labels = get::at(template, "metadata.labels");
    if get::pairs(spec, "selector").any(|(key, value)| get::string(labels, key) != Some(value)) {
        pod_template::not_matched(&internal::sorted(labels), &path, errors);
    }
    let old = old.map(|old| get::at(old, "spec.template"));
    pod_template::leniently(old, errors, |options, errors| pod_template::validate(template, options, &path, errors));
    pod_template::always_restarts(template, "ReplicationController", &path, errors);
}
