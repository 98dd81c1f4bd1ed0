//! Deployments. Follows `pkg/registry/apps/deployment` and `ValidateDeploymentSpec`.

use model::Value;
use model::field::{Errors, Path};
use model::json::json;

use super::pod_template;
use super::rules::number::nonnegative_fields;
use super::rules::{get, internal, percent};
use super::workload::{self, Selector};
use super::{Hooks, replicaset};

/// The hooks of Deployments.
pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    prepare_create: Some(prepare_create),
    prepare_update: Some(|new, _| prepare_create(new)),
    validate: Some(|new, errors| validate(new, None, errors)),
    validate_update: Some(validate_update),
    validate_status: Some(validate_status),
    warnings: Some(replicaset::warnings),
    ..Hooks::NONE
};

fn default(deployment: &mut Value) {
    pod_template::default(deployment, "spec.template");
    let Some(spec) = deployment.get_mut("spec") else { return };
    get::default(spec, "strategy", json!({}));
    let Some(strategy) = spec.get_mut("strategy") else { return };
    get::default(strategy, "type", "RollingUpdate");
    if get::text(strategy, "type") != "RollingUpdate" {
        return;
    }
    get::default(strategy, "rollingUpdate", json!({}));
    if let Some(update) = strategy.get_mut("rollingUpdate") {
        get::default_pointer(update, "maxUnavailable", "25%");
        get::default_pointer(update, "maxSurge", "25%");
    }
}

fn prepare_create(deployment: &mut Value) {
    pod_template::prepare(deployment, "spec.template");
}

/// `ValidateDeploymentSpec`.
fn validate(deployment: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = get::at(deployment, "spec");
    let path = Path::new("spec");
    nonnegative_fields(spec, &["replicas"], &path, errors);
    if workload::selector(spec, "deployment", &path, errors) == Selector::Malformed {
        let shown = internal::label_selector(get::at(spec, "selector"));
        errors.invalid(&path.child("selector"), shown, "invalid label selector");
    } else {
        replicaset::template(spec, old.map(|old| get::at(old, "spec.template")), &path, errors);
    }
    strategy(get::at(spec, "strategy"), &path.child("strategy"), errors);
    nonnegative_fields(spec, &["minReadySeconds"], &path, errors);
    workload::nonnegative_if_set(spec, &["revisionHistoryLimit", "progressDeadlineSeconds"], &path, errors);
    if let Some(deadline_s) =
        get::int(spec, "progressDeadlineSeconds").filter(|deadline_s| *deadline_s <= get::number(spec, "minReadySeconds"))
    {
        errors.invalid(&path.child("progressDeadlineSeconds"), deadline_s, "must be greater than minReadySeconds");
    }
}

fn strategy(strategy: &Value, path: &Path, errors: &mut Errors) {
    match (get::text(strategy, "type"), get::object(strategy, "rollingUpdate")) {
        ("Recreate", Some(_)) => {
            errors.forbidden(&path.child("rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'");
        }
        ("Recreate", None) => {}
        ("RollingUpdate", None) => errors.required(&path.child("rollingUpdate"), "this should be defaulted and never be nil"),
        ("RollingUpdate", Some(update)) => rolling_update(update, &path.child("rollingUpdate"), errors),
        _ => errors.not_supported(path, internal::show(strategy, internal::DEPLOYMENT_STRATEGY), &["Recreate", "RollingUpdate"]),
    }
}

/// `ValidateRollingUpdateDeployment`.
fn rolling_update(update: &Value, path: &Path, errors: &mut Errors) {
    let (unavailable, surge) = (workload::step(update, "maxUnavailable"), workload::step(update, "maxSurge"));
    let at = path.child("maxUnavailable");
    percent::positive_int_or_percent(&unavailable, &at, errors);
    percent::positive_int_or_percent(&surge, &path.child("maxSurge"), errors);
    if workload::int_or_percent_value(&unavailable) == 0 && workload::int_or_percent_value(&surge) == 0 {
        errors.invalid_named(&at, unavailable.clone(), "may not be 0 when `maxSurge` is 0");
    }
    percent::not_more_than_100(&unavailable, &at, errors);
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate(new, Some(old), errors);
    workload::immutable_selector(get::at(new, "spec"), get::at(old, "spec"), &Path::new("spec"), errors);
}

/// `ValidateDeploymentStatusUpdate`.
fn validate_status(new: &Value, old: &Value, errors: &mut Errors) {
    const COUNTS: &[&str] =
        &["observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"];
    let status = get::at(new, "status");
    let path = Path::new("status");
    nonnegative_fields(status, COUNTS, &path, errors);
    workload::nonnegative_if_set(status, &["terminatingReplicas", "collisionCount"], &path, errors);
    workload::parts_of_replicas(
        status,
        &["updatedReplicas", "readyReplicas", "availableReplicas"],
        "readyReplicas",
        &path,
        errors,
    );
    workload::collisions_only_rise(status, get::at(old, "status"), &path, errors);
}
