//! ResourceQuota. Upstream: `pkg/apis/core/validation` (`ValidateResourceQuota`), `pkg/registry/core/resourcequota`.
//! Counting what is used is admission's and a controller's work.

use std::collections::BTreeSet;

use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::rules::{get, internal, number, resource};

pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    validate: Some(validate),
    validate_update: Some(validate_update),
    validate_status: Some(validate_status),
    warnings: Some(warnings),
    ..Hooks::NONE
};

fn default(object: &mut Value) {
    for (holder, lists) in [("spec", &["hard"][..]), ("status", &["hard", "used"])] {
        if let Some(holder) = object.get_mut(holder) {
            lists.iter().for_each(|list| resource::round_up(holder, list));
        }
    }
}

const SCOPES: &[&str] = &[
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "VolumeAttributesClass",
    "CrossNamespacePodAffinity",
];
const COMPUTE: &[&str] = &["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
const CONFLICTING: [[&str; 2]; 2] = [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]];

fn validate(object: &Value, errors: &mut Errors) {
    let spec = get::at(object, "spec");
    validate_spec(spec, errors);
    validate_amounts(get::at(object, "status"), &Path::new("status"), errors);
}

fn validate_amounts(holder: &Value, path: &Path, errors: &mut Errors) {
    for field in ["hard", "used"] {
        let path = path.child(field);
        for (name, value) in get::entries(holder, field) {
            resource::valid_quota_name(name, &path.key(name), errors);
            resource::valid_amount(name, value, &path.key(name), errors);
        }
    }
}

fn validate_spec(spec: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    validate_amounts(spec, &path, errors);
    let scopes: Vec<&str> = get::strings(spec, "scopes").collect();
    let field = path.child("scopes");
    for scope in &scopes {
        if !SCOPES.contains(scope) {
            errors.invalid(&field, get::raw(spec, "scopes"), "unsupported scope");
        }
        for _ in unfit(scope, spec) {
            errors.invalid(&field, get::raw(spec, "scopes"), "unsupported scope applied to resource");
        }
    }
    conflicting(&scopes, spec, &field, errors);
    if let Some(selector) = get::object(spec, "scopeSelector") {
        validate_selector(selector, spec, errors);
    }
}

fn conflicting(scopes: &[&str], spec: &Value, path: &Path, errors: &mut Errors) {
    for pair in CONFLICTING {
        if pair.iter().all(|scope| scopes.contains(scope)) {
            errors.invalid(path, get::raw(spec, "scopes"), "conflicting scopes");
        }
    }
}

/// The limited resources that a scope does not apply to.
fn unfit<'a>(scope: &'a str, spec: &'a Value) -> impl Iterator<Item = &'a str> {
    let limited: BTreeSet<&str> = get::entries(spec, "hard").map(|(name, _)| name).collect();
    limited.into_iter().filter(move |name| resource::is_standard_for_quota(name) && !applies(scope, name))
}

fn applies(scope: &str, resource: &str) -> bool {
    match scope {
        "BestEffort" => resource == "pods",
        "Terminating" | "NotTerminating" | "NotBestEffort" | "PriorityClass" | "CrossNamespacePodAffinity" => {
            resource == "pods" || COMPUTE.contains(&resource)
        }
        "VolumeAttributesClass" => matches!(resource, "persistentvolumeclaims" | "requests.storage"),
        _ => true,
    }
}

fn validate_selector(selector: &Value, spec: &Value, errors: &mut Errors) {
    let path = Path::new("spec.scopeSelector.matchExpressions");
    let mut scopes = Vec::new();
    for requirement in get::list(selector, "matchExpressions") {
        let scope = get::text(requirement, "scopeName");
        if !SCOPES.contains(&scope) {
            errors.invalid_named(&path.child("scopeName"), scope, "unsupported scope");
        }
        for _ in unfit(scope, spec) {
            errors.invalid(&path, internal::show(selector, internal::SCOPE_SELECTOR), "unsupported scope applied to resource");
        }
        validate_requirement(requirement, scope, &path, errors);
        scopes.push(scope);
    }
    conflicting(&scopes, spec, &path, errors);
}

fn validate_requirement(requirement: &Value, scope: &str, path: &Path, errors: &mut Errors) {
    let operator = get::text(requirement, "operator");
    let exists_only = !matches!(scope, "PriorityClass" | "VolumeAttributesClass") && SCOPES.contains(&scope);
    if exists_only && operator != "Exists" {
        errors.invalid_named(
            &path.child("operator"),
            operator,
            "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, \
             ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
        );
    }
    let none = get::list(requirement, "values").is_empty();
    let values = path.child("values");
    match operator {
        "In" | "NotIn" if none => {
            errors.required(&values, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
        }
        "Exists" | "DoesNotExist" if !none => errors.invalid(
            &values,
            get::raw(requirement, "values"),
            "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        ),
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => errors.invalid_named(&path.child("operator"), operator, "not a valid selector operator"),
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    let (new, old) = (get::at(new, "spec"), get::at(old, "spec"));
    validate_spec(new, errors);
    let scopes = |spec| get::strings(spec, "scopes").collect::<BTreeSet<_>>();
    if scopes(new) != scopes(old) {
        errors.invalid(&Path::new("spec.scopes"), get::raw(new, "scopes"), number::IMMUTABLE);
    }
}

fn validate_status(new: &Value, _old: &Value, errors: &mut Errors) {
    validate_amounts(get::at(new, "status"), &Path::new("status"), errors);
}

fn warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    if old.is_some() {
        return Vec::new();
    }
    let hard = get::at(get::at(new, "spec"), "hard");
    let mut all = Vec::new();
    for name in ["cpu", "memory", "storage", "ephemeral-storage"] {
        let mut request_name = format!("requests.{name}");
        if hard.get(&request_name).is_none() && matches!(name, "cpu" | "memory") {
            name.clone_into(&mut request_name);
        }
        let limit_name = format!("limits.{name}");
        let (Some(request), Some(limit)) = (hard.get(&request_name), hard.get(&limit_name)) else { continue };
        if resource::amount(request) > resource::amount(limit) {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            all.push(format!(
                "ResourceQuota {request_name} ({}) should be less than {limit_name} ({})",
                text(request),
                text(limit)
            ));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn faults(object: &Value) -> Vec<String> {
        let mut errors = Errors::new();
        validate(object, &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn resources_and_amounts_are_checked() {
        assert_eq!(faults(&json!({"spec": {"hard": {"cpu": "1", "pods": "3", "example.com/gpu": "2"}}})), Vec::<String>::new());
        assert_eq!(
            faults(&json!({"spec": {"hard": {"pods": "500m", "cpu": "-1"}}})),
            [
                "spec.hard[pods]: Invalid value: \"500m\": must be an integer",
                "spec.hard[cpu]: Invalid value: \"-1\": must be greater than or equal to 0"
            ]
        );
    }

    #[test]
    fn scopes_fit_the_resources_and_each_other() {
        assert_eq!(
            faults(&json!({"spec": {"hard": {"services": "1"}, "scopes": ["BestEffort"]}})),
            ["spec.scopes: Invalid value: [\"BestEffort\"]: unsupported scope applied to resource"]
        );
        assert_eq!(
            faults(&json!({"spec": {"hard": {"pods": "1"}, "scopes": ["BestEffort", "NotBestEffort"]}})),
            ["spec.scopes: Invalid value: [\"BestEffort\",\"NotBestEffort\"]: conflicting scopes"]
        );
    }

    #[test]
    fn a_request_above_its_limit_is_warned_of() {
        let object = json!({"spec": {"hard": {"cpu": "2", "limits.cpu": "1"}}});
        assert_eq!(warnings(&object, None), ["ResourceQuota cpu (2) should be less than limits.cpu (1)"]);
    }
}
