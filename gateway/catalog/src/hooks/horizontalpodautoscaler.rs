//! HorizontalPodAutoscaler, in its v2 form. Upstream: `pkg/apis/autoscaling/{v2/defaults.go,validation}`,
//! `pkg/registry/autoscaling/horizontalpodautoscaler/strategy.go`. The v1 form is converted (`convert`).

use model::field::{Errors, Path};
use model::json::json;
use model::{Value, name};

use super::Hooks;
use super::rules::{get, number, resource, text};

pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    validate: Some(|object, errors| validate(object, None, errors)),
    validate_update: Some(|new, old, errors| validate(new, Some(old), errors)),
    validate_status: Some(validate_status),
    field_annotations: crate::convert::horizontalpodautoscaler::ANNOTATIONS,
    ..Hooks::NONE
};

/// How long a scaling policy may look back, in seconds.
const PERIOD_S_MAX: i64 = 1800;
/// How long a recommendation may be held against, in seconds.
const STABILIZATION_S_MAX: i64 = 3600;
const SOURCES: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];
const SOURCE_TYPES: &[&str] = &["ContainerResource", "External", "Object", "Pods", "Resource"];

fn default(object: &mut Value) {
    if get::text(object, "apiVersion") != "autoscaling/v2" {
        return;
    }
    let Some(spec) = object.get_mut("spec") else { return };
    get::default(spec, "minReplicas", 1);
    if get::list(spec, "metrics").is_empty() {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        get::set(spec, "metrics", json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]));
    }
    let Some(behavior) = spec.get_mut("behavior").filter(|b| b.is_object()) else { return };
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let pods = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
    default_rules(
        behavior,
        "scaleUp",
        json!({"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [pods, percent]}),
    );
    default_rules(behavior, "scaleDown", json!({"selectPolicy": "Max", "policies": [percent]}));
}

fn default_rules(behavior: &mut Value, direction: &str, defaults: Value) {
    let Some(rules) = get::object_mut(behavior, direction) else { return };
    for (field, value) in defaults.as_object().into_iter().flatten() {
        rules.entry(field.clone()).or_insert_with(|| value.clone());
    }
}

fn validate(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let (spec, path) = (get::at(object, "spec"), Path::new("spec"));
    let (min, max) = (get::int(spec, "minReplicas"), get::number(spec, "maxReplicas"));
    if let Some(min) = min.filter(|min| *min < 0) {
        errors.invalid(&path.child("minReplicas"), min, "must be greater than or equal to 0");
    }
    let max_path = path.child("maxReplicas");
    match max {
        0 => errors.required(&max_path, "must be set and greater than 0"),
        max if max < 0 => errors.invalid(&max_path, max, "must be greater than or equal to 1"),
        _ => {}
    }
    if min.is_some_and(|min| max < min) {
        errors.invalid(&max_path, max, "must be greater than or equal to `minReplicas`");
    }
    let target = get::at(spec, "scaleTargetRef");
    let same = |old: &Value| ["apiVersion", "kind"].iter().all(|f| get::text(target, f) == get::text(old, f));
    let version = match old {
        Some(old) if same(get::at(old, "spec.scaleTargetRef")) => Version::Any,
        _ if get::text(target, "kind") == "ReplicationController" => Version::MayBeCore,
        _ => Version::Grouped,
    };
    validate_reference(target, version, &path.child("scaleTargetRef"), errors);
    validate_metrics(spec, min, object_version(old), &path.child("metrics"), errors);
    if let Some(behavior) = get::object(spec, "behavior") {
        for direction in ["scaleUp", "scaleDown"] {
            if let Some(rules) = get::object(behavior, direction) {
                validate_rules(rules, &path.child("behavior").child(direction), errors);
            }
        }
    }
}

/// What is asked of a reference's `apiVersion`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Any,
    MayBeCore,
    Grouped,
}

/// Metrics that were stored with a malformed version may keep it.
fn object_version(old: Option<&Value>) -> Version {
    let metrics = old.map_or(&[][..], |old| get::list(get::at(old, "spec"), "metrics"));
    let bad = |metric: &Value| !version_is_well_formed(get::text(get::at(metric, "object.describedObject"), "apiVersion"));
    if metrics.iter().any(bad) { Version::Any } else { Version::MayBeCore }
}

fn version_is_well_formed(version: &str) -> bool {
    version.matches('/').count() <= 1
}

fn validate_reference(reference: &Value, version: Version, path: &Path, errors: &mut Errors) {
    for field in ["kind", "name"] {
        let (value, path) = (get::text(reference, field), path.child(field));
        if value.is_empty() {
            errors.required(&path, "");
        } else {
            text::invalid_each(value, name::is_valid_path_segment_name(value), &path, errors);
        }
    }
    let api_version = get::text(reference, "apiVersion");
    let field = path.child("apiVersion");
    match version {
        Version::Any => {}
        _ if !version_is_well_formed(api_version) => {
            errors.invalid(&field, api_version, format!("unexpected GroupVersion string: {api_version}"));
        }
        Version::Grouped if api_version.split_once('/').is_none_or(|(group, _)| group.is_empty()) => {
            errors.invalid(&field, api_version, "apiVersion must specify API group");
        }
        _ => {}
    }
}

fn validate_metrics(spec: &Value, min: Option<i64>, version: Version, path: &Path, errors: &mut Errors) {
    let metrics = get::list(spec, "metrics");
    for (i, metric) in metrics.iter().enumerate() {
        validate_metric(metric, version, &path.index(i), errors);
    }
    let outside = |metric: &Value| matches!(get::text(metric, "type"), "Object" | "External");
    if min == Some(0) && !metrics.iter().any(outside) {
        errors.forbidden(path, "must specify at least one Object or External metric to support scaling to zero replicas");
    }
}

fn validate_metric(metric: &Value, version: Version, path: &Path, errors: &mut Errors) {
    let kind = get::text(metric, "type");
    if kind.is_empty() {
        errors.required(&path.child("type"), "must specify a metric source type");
    }
    let known = text::one_of(kind, SOURCE_TYPES, &path.child("type"), errors);
    let present: Vec<&str> = SOURCES.iter().map(|(_, field)| *field).filter(|f| get::object(metric, f).is_some()).collect();
    if let Some(field) = present.first() {
        validate_source(field, get::at(metric, field), version, &path.child(field), errors);
    }
    let expected = SOURCES.iter().find(|(source, _)| *source == kind).map_or("", |(_, field)| *field);
    if !known {
        errors.not_supported(&path.child("type"), kind, SOURCE_TYPES);
    } else if !present.contains(&expected) {
        errors.required(&path.child(expected), "must populate information for the given metric source");
    }
    if present.len() > 1 {
        for field in present.iter().filter(|field| **field != expected) {
            errors.forbidden(&path.child(field), "must populate the given metric source only");
        }
    }
}

fn validate_source(field: &str, source: &Value, version: Version, path: &Path, errors: &mut Errors) {
    match field {
        "object" => {
            validate_reference(get::at(source, "describedObject"), version, &path.child("describedObject"), errors);
            validate_identifier(source, path, errors);
        }
        "external" | "pods" => validate_identifier(source, path, errors),
        _ => validate_resource(field, source, path, errors),
    }
    let target = get::at(source, "target");
    let path = path.child("target");
    validate_target(target, &path, errors);
    let has = |field: &str| target.get(field).is_some();
    match field {
        "object" if !has("value") && !has("averageValue") => {
            errors.required(&path.child("averageValue"), "must set either a target value or averageValue");
        }
        "external" if !has("value") && !has("averageValue") => {
            errors.required(&path.child("averageValue"), "must set either a target value for metric or a per-pod target");
        }
        "external" if has("value") && has("averageValue") => {
            errors.forbidden(&path.child("value"), "may not set both a target value for metric and a per-pod target");
        }
        "pods" if !has("averageValue") => {
            errors.required(&path.child("averageValue"), "must specify a positive target averageValue");
        }
        "resource" | "containerResource" => match (has("averageUtilization"), has("averageValue")) {
            (false, false) => {
                errors.required(&path.child("averageUtilization"), "must set either a target raw value or a target utilization");
            }
            (true, true) => {
                errors.forbidden(&path.child("averageValue"), "may not set both a target raw value and a target utilization");
            }
            _ => {}
        },
        _ => {}
    }
}

fn validate_identifier(source: &Value, path: &Path, errors: &mut Errors) {
    let (metric, path) = (get::text(get::at(source, "metric"), "name"), path.child("metric.name"));
    if metric.is_empty() {
        errors.required(&path, "must specify a metric name");
    } else {
        text::invalid_each(metric, name::is_valid_path_segment_name(metric), &path, errors);
    }
}

fn validate_resource(field: &str, source: &Value, path: &Path, errors: &mut Errors) {
    let (resource, container) = (get::text(source, "name"), get::text(source, "container"));
    if resource.is_empty() {
        errors.required(&path.child("name"), "must specify a resource name");
    }
    if field != "containerResource" {
        return;
    }
    if !resource.is_empty() {
        resource::valid_container_name(resource, &path.child("name"), errors);
    }
    if container.is_empty() {
        errors.required(&path.child("container"), "must specify a container");
    } else {
        text::dns_label(container, &path.child("container"), errors);
    }
}

fn validate_target(target: &Value, path: &Path, errors: &mut Errors) {
    let kind = get::text(target, "type");
    if kind.is_empty() {
        errors.required(&path.child("type"), "must specify a metric target type");
    }
    if !matches!(kind, "Utilization" | "Value" | "AverageValue") {
        errors.invalid_named(&path.child("type"), kind, "must be either Utilization, Value, or AverageValue");
    }
    for field in ["value", "averageValue"] {
        if let Some(value) = target.get(field).filter(|value| resource::amount(value).sign() != 1) {
            errors.invalid(&path.child(field), value.clone(), "must be positive");
        }
    }
    if let Some(percent) = get::int(target, "averageUtilization").filter(|percent| *percent < 1) {
        errors.invalid(&path.child("averageUtilization"), percent, "must be greater than 0");
    }
}

fn validate_rules(rules: &Value, path: &Path, errors: &mut Errors) {
    let window = path.child("stabilizationWindowSeconds");
    match get::int(rules, "stabilizationWindowSeconds") {
        Some(seconds) if seconds < 0 => errors.invalid(&window, seconds, "must be greater than or equal to zero"),
        Some(seconds) if seconds > STABILIZATION_S_MAX => {
            errors.invalid(&window, seconds, format!("must be less than or equal to {STABILIZATION_S_MAX}"));
        }
        _ => {}
    }
    if let Some(select) = get::string(rules, "selectPolicy") {
        text::one_of(select, &["Disabled", "Max", "Min"], &path.child("selectPolicy"), errors);
    }
    let policies = path.child("policies");
    if get::list(rules, "policies").is_empty() {
        errors.required(&policies, "must specify at least one Policy");
    }
    for (i, policy) in get::list(rules, "policies").iter().enumerate() {
        validate_policy(policy, &policies.index(i), errors);
    }
    if let Some(tolerance) = rules.get("tolerance").filter(|tolerance| resource::amount(tolerance).sign() < 0) {
        errors.invalid(&path.child("tolerance"), tolerance.clone(), number::NEGATIVE);
    }
}

fn validate_policy(policy: &Value, path: &Path, errors: &mut Errors) {
    text::one_of(get::text(policy, "type"), &["Percent", "Pods"], &path.child("type"), errors);
    for field in ["value", "periodSeconds"] {
        number::positive(get::number(policy, field), &path.child(field), errors);
    }
    let period = get::number(policy, "periodSeconds");
    if period > PERIOD_S_MAX {
        errors.invalid(&path.child("periodSeconds"), period, format!("must be less than or equal to {PERIOD_S_MAX}"));
    }
}

fn validate_status(new: &Value, _old: &Value, errors: &mut Errors) {
    number::nonnegative_fields(get::at(new, "status"), &["currentReplicas", "desiredReplicas"], &Path::new("status"), errors);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(spec: Value) -> Value {
        json!({"apiVersion": "autoscaling/v2", "spec": spec})
    }

    #[test]
    fn a_bare_one_scales_on_cpu() {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"});
        let mut object =
            object(json!({"scaleTargetRef": target, "maxReplicas": 3, "behavior": {"scaleUp": {"selectPolicy": "Min"}}}));
        default(&mut object);
        assert_eq!(object["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 80);
        assert_eq!(object["spec"]["behavior"]["scaleUp"]["selectPolicy"], "Min");
        assert_eq!(object["spec"]["behavior"]["scaleDown"]["policies"][0]["value"], 100);
        let mut errors = Errors::new();
        validate(&object, None, &mut errors);
        assert_eq!(errors, Errors::new());
    }

    #[test]
    fn faults_are_named() {
        let mut errors = Errors::new();
        let target = json!({"apiVersion": "v1", "kind": "Deployment", "name": "a"});
        validate(&object(json!({"scaleTargetRef": target, "minReplicas": 5, "maxReplicas": 3})), None, &mut errors);
        let lines: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`",
                "spec.scaleTargetRef.apiVersion: Invalid value: \"v1\": apiVersion must specify API group"
            ]
        );
    }
}
