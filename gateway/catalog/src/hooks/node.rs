//! Node. Upstream: `pkg/apis/core/validation` (`ValidateNode…`), `pkg/apis/core/v1/defaults.go`, `pkg/registry/core/node`.

use std::collections::BTreeSet;

use model::field::{Errors, Path};
use model::{Value, name};

use super::rules::{cidr, get, resource, text};
use super::{Hooks, Selectable};

pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    validate: Some(validate),
    validate_update: Some(validate_update),
    validate_status: Some(validate_update),
    selectable: &[Selectable {
        field: "spec.unschedulable",
        value: |object| get::is(get::at(object, "spec"), "unschedulable").to_string(),
    }],
    ..Hooks::NONE
};

/// What can be allocated is the capacity, until the kubelet says otherwise.
fn default(object: &mut Value) {
    let Some(status) = object.get_mut("status") else { return };
    if status.get("allocatable").is_none() && status.get("capacity").is_some() {
        let capacity = get::raw(status, "capacity");
        get::set(status, "allocatable", capacity);
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let spec = get::at(object, "spec");
    validate_taints(spec, errors);
    validate_amounts(object, errors);
    let ranges: Vec<&str> = get::strings(spec, "podCIDRs").collect();
    let path = Path::new("spec.podCIDRs");
    for (i, range) in ranges.iter().enumerate() {
        cidr::legacy(range, &[], &path.index(i), errors);
    }
    let v6 = ranges.iter().filter(|range| range.contains(':')).count();
    if ranges.len() > 2 || ranges.len() == 2 && v6 != 1 {
        errors.invalid(&path, get::raw(spec, "podCIDRs"), "may specify no more than one CIDR for each IP family");
    }
}

fn validate_amounts(object: &Value, errors: &mut Errors) {
    let status = get::at(object, "status");
    let path = Path::new("status");
    for field in ["capacity", "allocatable"] {
        for (resource, value) in get::entries(status, field) {
            resource::valid_amount(resource, value, &path.child(field).child(resource), errors);
        }
    }
}

/// Upstream's path for taints is below `metadata`.
fn validate_taints(spec: &Value, errors: &mut Errors) {
    let path = Path::new("metadata.taints");
    let mut seen = BTreeSet::new();
    for (i, taint) in get::list(spec, "taints").iter().enumerate() {
        let path = path.index(i);
        let (key, value, effect) = (get::text(taint, "key"), get::text(taint, "value"), get::text(taint, "effect"));
        text::qualified_name(key, &path.child("key"), errors);
        let wrong = name::is_valid_label_value(value);
        if !wrong.is_empty() {
            errors.invalid(&path.child("value"), value, wrong.join(";"));
        }
        if effect.is_empty() {
            errors.required(&path.child("effect"), "");
        } else {
            text::one_of(effect, &["NoSchedule", "PreferNoSchedule", "NoExecute"], &path.child("effect"), errors);
        }
        if !seen.insert((key, effect)) {
            let detail = "taints must be unique by key and effect pair";
            errors.push(model::field::Fault::Duplicate, &path, Some(taint.clone()), detail);
        }
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_amounts(new, errors);
    let mut seen = BTreeSet::new();
    let path = Path::new("status.addresses");
    for (i, address) in get::list(get::at(new, "status"), "addresses").iter().enumerate() {
        if !seen.insert((get::text(address, "type"), get::text(address, "address"))) {
            errors.duplicate(&path.index(i), address.clone());
        }
    }
    let (spec, old) = (get::at(new, "spec"), get::at(old, "spec"));
    let ranges = get::list(old, "podCIDRs");
    if !ranges.is_empty() && ranges != get::list(spec, "podCIDRs") {
        errors.forbidden(&Path::new("spec.podCIDRs"), "node updates may not change podCIDR except from \"\" to valid");
    }
    match (get::text(old, "providerID"), get::text(spec, "providerID")) {
        ("", _) => {}
        (_, "") => errors.invalid(&Path::new("spec.providerID"), Value::Null, "field cannot be cleared once set"),
        (old, new) if old != new => {
            errors.invalid(&Path::new("spec.providerID"), Value::Null, "field cannot be modified once set");
        }
        _ => {}
    }
    validate_taints(spec, errors);
    if get::text(spec, "externalID") != get::text(old, "externalID") {
        errors.forbidden(&Path::new("spec.externalID"), "may not be updated");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn taints_are_named_and_unique() {
        let taint = json!({"key": "a", "effect": "NoSchedule"});
        let mut errors = Errors::new();
        validate(&json!({"spec": {"taints": [taint, taint, {"key": "b", "effect": "Never"}]}}), &mut errors);
        let lines: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "metadata.taints[1]: Duplicate value: {\"key\":\"a\",\"effect\":\"NoSchedule\"}: \
                 taints must be unique by key and effect pair",
                "metadata.taints[2].effect: Unsupported value: \"Never\": \
                 supported values: \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\""
            ]
        );
    }

    #[test]
    fn what_is_allocatable_defaults_to_the_capacity() {
        let mut object = json!({"status": {"capacity": {"cpu": "4"}}});
        default(&mut object);
        assert_eq!(object["status"]["allocatable"], json!({"cpu": "4"}));
    }
}
