//! ReplicaSets, and what Deployments share with them. Follows `pkg/registry/apps/replicaset` and `ValidateReplicaSetSpec`.

use model::Value;
use model::field::{Errors, Path};

use super::rules::number::nonnegative_fields;
use super::rules::{get, internal};
use super::workload::{self, Selector};
use super::{Hooks, pod_template};

/// The hooks of ReplicaSets.
pub(super) const HOOKS: Hooks = Hooks {
    default: Some(|object| pod_template::default(object, "spec.template")),
    prepare_create: Some(|object| pod_template::prepare(object, "spec.template")),
    prepare_update: Some(|object, _| pod_template::prepare(object, "spec.template")),
    validate: Some(|new, errors| validate(new, None, errors)),
    validate_update: Some(validate_update),
    validate_status: Some(|new, _, errors| counts(get::at(new, "status"), &["terminatingReplicas"], errors)),
    warnings: Some(warnings),
    ..Hooks::NONE
};

/// `ValidateReplicaSetSpec`; its message about empty selectors speaks of deployments.
fn validate(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = get::at(object, "spec");
    let path = Path::new("spec");
    nonnegative_fields(spec, &["replicas", "minReadySeconds"], &path, errors);
    if workload::selector(spec, "deployment", &path, errors) == Selector::Malformed {
        let shown = internal::label_selector(get::at(spec, "selector"));
        return errors.invalid(&path.child("selector"), shown, "invalid label selector");
    }
    template(spec, old.map(|old| get::at(old, "spec.template")), &path, errors);
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate(new, Some(old), errors);
    workload::immutable_selector(get::at(new, "spec"), get::at(old, "spec"), &Path::new("spec"), errors);
}

/// `ValidatePodTemplateSpecForReplicaSet`.
pub(super) fn template(spec: &Value, old: Option<&Value>, path: &Path, errors: &mut Errors) {
    let template = get::at(spec, "template");
    match get::object(spec, "selector") {
        Some(selector) => pod_template::must_match(selector, template, &path.child("template"), errors),
        None => workload::selects_template(spec, path, errors),
    }
    let path = path.child("template");
    pod_template::leniently(old, errors, |options, errors| pod_template::validate(template, options, &path, errors));
    pod_template::always_restarts(template, "ReplicaSet", &path, errors);
}

/// `ValidateReplicaSetStatus`, which is also that of ReplicationControllers without the optional counts.
pub(super) fn counts(status: &Value, optional: &[&str], errors: &mut Errors) {
    const COUNTS: &[&str] = &["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration"];
    let path = Path::new("status");
    nonnegative_fields(status, COUNTS, &path, errors);
    workload::nonnegative_if_set(status, optional, &path, errors);
    workload::parts_of_replicas(
        status,
        &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
        "readyReplicas",
        &path,
        errors,
    );
}

/// Of the name on create, of the template when the spec is new.
pub(super) fn warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    match old {
        None => pod_template::name_warning(object).into_iter().chain(pod_template::warnings(object, "spec.template")).collect(),
        Some(old) if pod_template::spec_changed(object, old) => pod_template::warnings(object, "spec.template"),
        Some(_) => Vec::new(),
    }
}
