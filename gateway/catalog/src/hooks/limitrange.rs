//! LimitRange. Upstream: `pkg/apis/core/validation` (`ValidateLimitRange`), `pkg/apis/core/v1/defaults.go`.
//! Applying it to pods and claims is admission's work.

use std::collections::BTreeSet;

use model::field::{Errors, Path};
use model::quantity::Quantity;
use model::{Value, generate, meta, name};

use super::Hooks;
use super::rules::{get, resource};

pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    prepare_create: Some(name_it),
    validate: Some(validate),
    validate_update: Some(|new, _old, errors| validate(new, errors)),
    ..Hooks::NONE
};

const BOUNDS: [&str; 5] = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"];

/// For containers: a missing default is the maximum, a missing default request the default, then the minimum.
fn default(object: &mut Value) {
    let Some(limits) = object.pointer_mut("/spec/limits") else { return };
    for item in limits.as_array_mut().into_iter().flatten() {
        BOUNDS.iter().for_each(|bound| resource::round_up(item, bound));
    }
    for item in limits.as_array_mut().into_iter().flatten().filter(|item| get::text(item, "type") == "Container") {
        for (to, from) in [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")] {
            let from = get::raw(item, from);
            let Some(to) = get::object_mut(item, to) else { continue };
            for (resource, amount) in from.as_object().into_iter().flatten() {
                to.entry(resource.clone()).or_insert_with(|| amount.clone());
            }
        }
    }
}

/// A range that has no name gets a uid for one.
fn name_it(object: &mut Value) {
    if meta::name(object).is_empty() {
        meta::set(object, "name", generate::uid());
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let mut types = BTreeSet::new();
    let path = Path::new("spec.limits");
    for (i, item) in get::list(get::at(object, "spec"), "limits").iter().enumerate() {
        let path = path.index(i);
        let kind = get::text(item, "type");
        validate_type(kind, &path.child("type"), errors);
        if !types.insert(kind) {
            errors.duplicate_named(&path.child("type"), kind);
        }
        validate_item(item, kind, &path, errors);
    }
}

fn validate_type(kind: &str, path: &Path, errors: &mut Errors) {
    let wrong = name::is_qualified_name(kind);
    if wrong.is_empty() && !kind.contains('/') && !matches!(kind, "Pod" | "Container" | "PersistentVolumeClaim") {
        errors.invalid_named(path, kind, "must be a standard limit type or fully qualified");
    }
    for message in wrong {
        errors.invalid_named(path, kind, message);
    }
}

fn validate_item(item: &Value, kind: &str, path: &Path, errors: &mut Errors) {
    let mut resources = BTreeSet::new();
    for bound in BOUNDS {
        if kind == "Pod" && matches!(bound, "default" | "defaultRequest") {
            if get::entries(item, bound).next().is_some() {
                errors.forbidden(&path.child(bound), "may not be specified when `type` is 'Pod'");
            }
            continue;
        }
        for (resource, _) in get::entries(item, bound) {
            let path = path.child(bound);
            match kind {
                "Pod" | "Container" => resource::valid_container_name(resource, &path.key(resource), errors),
                _ => resource::valid_name(resource, &path.key(resource), errors),
            }
            resources.insert(resource);
        }
    }
    let stored = |bound| get::at(item, bound).get("storage").is_some();
    if kind == "PersistentVolumeClaim" && !stored("min") && !stored("max") {
        errors.required(&path.child("limits"), "either minimum or maximum storage value is required, but neither was provided");
    }
    for resource in resources {
        compare(item, kind, resource, path, errors);
    }
}

/// One resource's bounds against each other; the first quantity named may not exceed the second.
fn compare(item: &Value, kind: &str, resource: &str, path: &Path, errors: &mut Errors) {
    let pod = kind == "Pod";
    let amount = |bound: &str| {
        let ignored = pod && matches!(bound, "default" | "defaultRequest");
        if ignored { None } else { get::at(item, bound).get(resource).map(|value| (value, resource::amount(value))) }
    };
    // (smaller, its name, greater, its name, field of the fault, whose value is shown)
    const ORDER: [(&str, &str, &str, &str, &str, &str); 6] = [
        ("min", "min value", "max", "max value", "min", "min"),
        ("min", "min value", "defaultRequest", "default request value", "defaultRequest", "defaultRequest"),
        ("defaultRequest", "default request value", "max", "max value", "defaultRequest", "defaultRequest"),
        ("defaultRequest", "default request value", "default", "default limit value", "defaultRequest", "defaultRequest"),
        ("min", "min value", "default", "default value", "default", "min"),
        ("default", "default value", "max", "max value", "default", "max"),
    ];
    for (small, small_name, great, great_name, field, shown) in ORDER {
        let (Some((small_value, a)), Some((great_value, b))) = (amount(small), amount(great)) else { continue };
        if a > b {
            let why = format!("{small_name} {} is greater than {great_name} {}", plain(small_value), plain(great_value));
            let shown = if shown == small { small_value } else { great_value };
            errors.invalid(&path.child(field).key(resource), shown.clone(), why);
        }
    }
    if let Some((ratio, value)) = amount("maxLimitRequestRatio") {
        let bounds = (amount("min").map(|m| m.1), amount("max").map(|m| m.1));
        compare_ratio(ratio, &value, bounds, &path.child("maxLimitRequestRatio").key(resource), errors);
    }
    if let (Some((default, a)), Some((request, b))) = (amount("default"), amount("defaultRequest"))
        && !resource::may_overcommit(resource)
        && a != b
    {
        let why = format!("default value {} must equal to defaultRequest value {} in {resource}", plain(default), plain(request));
        errors.invalid(&path.child("defaultRequest").key(resource), request.clone(), why);
    }
}

fn compare_ratio(
    shown: &Value,
    ratio: &Quantity,
    bounds: (Option<Quantity>, Option<Quantity>),
    path: &Path,
    errors: &mut Errors,
) {
    if ratio.to_f64() < 1.0 {
        errors.invalid(path, shown.clone(), format!("ratio {} is less than 1", plain(shown)));
    }
    let (Some(min), Some(max)) = bounds else { return };
    let limit = max.to_f64() / min.to_f64();
    if ratio.to_f64() > limit {
        errors.invalid(path, shown.clone(), format!("ratio {} is greater than max/min = {limit:.6}", plain(shown)));
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn faults(item: Value) -> Vec<String> {
        let mut errors = Errors::new();
        validate(&json!({"spec": {"limits": [item]}}), &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn container_defaults_follow_from_the_bounds() {
        let mut object = json!({"spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}}]}});
        default(&mut object);
        let item = &object["spec"]["limits"][0];
        assert_eq!(item["default"], json!({"cpu": "2"}));
        assert_eq!(item["defaultRequest"], json!({"cpu": "2", "memory": "1Mi"}));
    }

    #[test]
    fn bounds_are_in_order() {
        assert_eq!(
            faults(json!({"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "2"}})),
            ["spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1"]
        );
        assert_eq!(
            faults(json!({"type": "Pod", "default": {"cpu": "1"}})),
            ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"]
        );
        assert_eq!(
            faults(json!({"type": "Container", "min": {"cpu": "1"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "3"}})),
            ["spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"3\": ratio 3 is greater than max/min = 2.000000"]
        );
    }
}
