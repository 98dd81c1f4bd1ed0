//! DaemonSets. Follows `pkg/registry/apps/daemonset` and `ValidateDaemonSetSpec`. The generation of the template is kept in
//! an annotation, as `apps/v1` keeps it.

use model::field::{Errors, Path};
use model::json::json;
use model::{Value, meta};

use super::rules::labels::{self, Values};
use super::rules::number::nonnegative_fields;
use super::rules::{equal, get, internal, percent};
use super::{Hooks, pod_template, workload};

const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// The hooks of DaemonSets.
pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    prepare_create: Some(prepare_create),
    prepare_update: Some(prepare_update),
    prepare_status: Some(prepare_status),
    validate: Some(|new, errors| validate(new, None, errors)),
    validate_update: Some(validate_update),
    validate_status: Some(validate_status),
    warnings: Some(warnings),
    field_annotations: &[TEMPLATE_GENERATION],
    ..Hooks::NONE
};

fn default(object: &mut Value) {
    // Upstream's internal type counts from 0 where the client says nothing: whoever writes, writes this.
    if meta::annotation(object, TEMPLATE_GENERATION).is_none() {
        meta::annotate(object, TEMPLATE_GENERATION, "0");
    }
    pod_template::default(object, "spec.template");
    let Some(spec) = object.get_mut("spec") else { return };
    get::default(spec, "updateStrategy", json!({}));
    let Some(strategy) = spec.get_mut("updateStrategy") else { return };
    get::default(strategy, "type", "RollingUpdate");
    let rolls = get::text(strategy, "type") == "RollingUpdate";
    if rolls {
        get::default(strategy, "rollingUpdate", json!({}));
    }
    // Upstream's internal type has both, so that what makes no sense is 0.
    if let Some(update) = strategy.get_mut("rollingUpdate").filter(|update| update.is_object()) {
        get::default_pointer(update, "maxUnavailable", i64::from(rolls));
        get::default_pointer(update, "maxSurge", 0);
    }
}

fn template_generation(object: &Value) -> i64 {
    meta::annotation(object, TEMPLATE_GENERATION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn prepare_create(object: &mut Value) {
    let generation = template_generation(object).max(1);
    meta::annotate(object, TEMPLATE_GENERATION, generation.to_string());
    pod_template::prepare(object, "spec.template");
}

/// The generation follows the template, whatever the client says it is.
fn prepare_update(object: &mut Value, old: &Value) {
    pod_template::prepare(object, "spec.template");
    let generation = template_generation(old) + i64::from(template_changed(object, old));
    meta::annotate(object, TEMPLATE_GENERATION, generation.to_string());
}

/// Upstream keeps the generation in the internal spec, which is not the status writer's.
fn prepare_status(object: &mut Value, old: &Value) {
    meta::annotate(object, TEMPLATE_GENERATION, template_generation(old).to_string());
}

fn template_changed(new: &Value, old: &Value) -> bool {
    !equal::semantic("template", get::at(new, "spec").get("template"), get::at(old, "spec").get("template"))
}

/// `ValidateDaemonSetSpec`.
fn validate(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = get::at(object, "spec");
    let path = Path::new("spec");
    let before = errors.0.len();
    let lenient = old.is_some_and(|old| labels::has_invalid_value(get::at(old, "spec.selector")));
    labels::selector(spec, "selector", if lenient { Values::Lenient } else { Values::Strict }, &path, errors);
    let understood = errors.0.len() == before && (!lenient || labels::is_understood(get::at(spec, "selector")));
    if understood {
        workload::selects_template(spec, &path, errors);
    }
    if let Some(selector) = get::object(spec, "selector").filter(|selector| labels::is_empty(selector)) {
        errors.invalid(&path.child("selector"), internal::label_selector(selector), "empty selector is invalid for daemonset");
    }
    let template = get::at(spec, "template");
    let at = path.child("template");
    let old_template = old.map(|old| get::at(old, "spec.template"));
    pod_template::leniently(old_template, errors, |options, errors| pod_template::validate(template, options, &at, errors));
    pod_template::always_restarts(template, "DaemonSet", &at, errors);
    nonnegative_fields(spec, &["minReadySeconds"], &path, errors);
    update_strategy(get::at(spec, "updateStrategy"), &path.child("updateStrategy"), errors);
    workload::nonnegative_if_set(spec, &["revisionHistoryLimit"], &path, errors);
}

fn update_strategy(strategy: &Value, path: &Path, errors: &mut Errors) {
    match get::text(strategy, "type") {
        "OnDelete" => {}
        "RollingUpdate" => match get::object(strategy, "rollingUpdate") {
            None => errors.required(&path.child("rollingUpdate"), ""),
            Some(update) => rolling_update(update, &path.child("rollingUpdate"), errors),
        },
        _ => errors.not_supported(path, internal::show(strategy, internal::DEPLOYMENT_STRATEGY), &["RollingUpdate", "OnDelete"]),
    }
}

/// `ValidateRollingUpdateDaemonSet`: either pods are missing for a while, or there are too many, never both.
fn rolling_update(update: &Value, path: &Path, errors: &mut Errors) {
    let steps = ["maxUnavailable", "maxSurge"].map(|field| (field, workload::step(update, field)));
    for (field, value) in &steps {
        percent::positive_int_or_percent(value, &path.child(field), errors);
    }
    for (field, value) in &steps {
        percent::not_more_than_100(value, &path.child(field), errors);
    }
    let [unavailable, surge] = steps.map(|(_, value)| value);
    match (workload::int_or_percent_value(&unavailable) != 0, workload::int_or_percent_value(&surge) != 0) {
        (true, true) => errors.invalid(&path.child("maxSurge"), surge, "may not be set when maxUnavailable is non-zero"),
        (false, false) => errors.required(&path.child("maxUnavailable"), "cannot be 0 when maxSurge is 0"),
        _ => {}
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    workload::immutable_selector(get::at(new, "spec"), get::at(old, "spec"), &Path::new("spec"), errors);
    validate(new, Some(old), errors);
}

fn validate_status(new: &Value, old: &Value, errors: &mut Errors) {
    const COUNTS: &[&str] = &[
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "observedGeneration",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
    ];
    let status = get::at(new, "status");
    let path = Path::new("status");
    nonnegative_fields(status, COUNTS, &path, errors);
    workload::nonnegative_if_set(status, &["collisionCount"], &path, errors);
    workload::collisions_only_rise(status, get::at(old, "status"), &path, errors);
}

fn warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    match old {
        Some(old) if template_generation(object) == template_generation(old) => Vec::new(),
        _ => pod_template::warnings(object, "spec.template"),
    }
}
