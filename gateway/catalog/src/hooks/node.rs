//! Node. Upstream: `pkg/apis/core/validation` (`ValidateNode…`), `pkg/apis/core/v1/defaults.go`, `pkg/registry/core/node`.

use std::collections::BTreeSet;

use model::field::{Errors, Path, quote};
use model::{Value, meta, name};

use super::rules::{cidr, get, internal, number, resource, text};
use super::{Hooks, Selectable};

const TAINTS_ANNOTATION: &str = "scheduler.alpha.kubernetes.io/taints";
const AVOID_ANNOTATION: &str = "scheduler.alpha.kubernetes.io/preferAvoidPods";

pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    prepare_create: Some(|object| drop_config(object, &Value::Null)),
    prepare_update: Some(drop_config),
    prepare_status: Some(drop_config),
    validate: Some(validate),
    validate_update: Some(|new, old, errors| {
        validate(new, errors);
        validate_change(new, old, errors);
    }),
    validate_status: Some(validate_change),
    warnings: Some(|new, _old| warnings(new)),
    selects_no_namespace: true,
    selectable: &[Selectable {
        field: "spec.unschedulable",
        value: |object| get::is(get::at(object, "spec"), "unschedulable").to_string(),
    }],
    ..Hooks::NONE
};

/// What can be allocated is the capacity, until the kubelet says otherwise; one range of addresses is the first of many.
fn default(object: &mut Value) {
    if let Some(spec) = object.get_mut("spec") {
        let one = get::text(spec, "podCIDR").to_owned();
        if !one.is_empty() && get::strings(spec, "podCIDRs").next() != Some(&one) {
            get::set(spec, "podCIDRs", vec![one]);
        }
        let first = get::strings(spec, "podCIDRs").next().map(str::to_owned);
        if let Some(first) = first {
            get::set(spec, "podCIDR", first);
        }
    }
    let Some(status) = object.get_mut("status") else { return };
    resource::round_up(status, "capacity");
    resource::round_up(status, "allocatable");
    if status.get("allocatable").is_none() && status.get("capacity").is_some() {
        let capacity = get::raw(status, "capacity");
        get::set(status, "allocatable", capacity);
    }
}

/// Dynamic configuration of kubelets is gone, and the policy of preemption for pods in place is not there yet.
fn drop_config(new: &mut Value, old: &Value) {
    for (holder, field) in [("spec", "configSource"), ("status", "config"), ("spec", "podPreemptionPolicy")] {
        let was = get::at(old, holder).get(field).is_some();
        if let Some(holder) = new.get_mut(holder).filter(|_| !was) {
            get::remove(holder, field);
        }
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let spec = get::at(object, "spec");
    validate_annotations(object, errors);
    validate_taints(get::list(spec, "taints"), &Path::new("metadata.taints"), errors);
    validate_amounts(object, errors);
    let status = get::at(object, "status");
    if let Some(capacity) = get::int(get::at(status, "nodeInfo.swap"), "capacity") {
        number::positive(capacity, &Path::new("metadata.nodeSwapStatus.capacity"), errors);
    }
    validate_features(status, errors);
    let ranges: Vec<&str> = get::strings(spec, "podCIDRs").collect();
    let path = Path::new("spec.podCIDRs");
    for (i, range) in ranges.iter().enumerate() {
        cidr::legacy(range, &[], &path.index(i), errors);
    }
    if ranges.len() < 2 {
        return;
    }
    let families: Vec<Option<bool>> = ranges.iter().map(|range| cidr::Cidr::parse(range).map(|range| range.is_v6())).collect();
    if let Some(i) = families.iter().position(Option::is_none) {
        let why = format!("invalid CIDR[{i}]: <nil> (invalid CIDR address: {})", ranges[i]);
        errors.internal(&path, format!("invalid PodCIDRs. failed to check with dual stack with error:{why}"));
    }
    let dual = families.contains(&Some(false)) && families.contains(&Some(true));
    if !dual || ranges.len() > 2 || families.contains(&None) {
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

/// Two annotations of the alpha days: taints, and controllers whose pods the node would rather not have.
fn validate_annotations(object: &Value, errors: &mut Errors) {
    let path = Path::new("metadata.annotations");
    if let Some(text) = meta::annotation(object, TAINTS_ANNOTATION).filter(|text| !text.is_empty()) {
        match codec::json::structs(text, "core.Taint") {
            Ok(taints) => validate_taints(&taints, &path.child(TAINTS_ANNOTATION), errors),
            Err(why) => errors.invalid(&path, TAINTS_ANNOTATION, why),
        }
    }
    let Some(text) = meta::annotation(object, AVOID_ANNOTATION).filter(|text| !text.is_empty()) else { return };
    let avoided = match codec::json::parse(text.as_bytes()) {
        Ok(avoided) => avoided.value,
        Err(error) => return errors.invalid(&path.child("AvoidPods"), AVOID_ANNOTATION, error.to_string()),
    };
    let path = path.child(AVOID_ANNOTATION);
    for (i, entry) in get::list(&avoided, "preferAvoidPods").iter().enumerate() {
        let path = path.index(i);
        let path = path.child("PodSignature");
        match get::object(get::at(entry, "podSignature"), "podController") {
            None => errors.required(&path, ""),
            Some(controller) if !get::is(controller, "controller") => {
                errors.invalid(&path.child("PodController.Controller"), false, "must point to a controller");
            }
            Some(_) => {}
        }
    }
}

/// `validateNodeDeclaredFeatures`: names, sorted, each once.
fn validate_features(status: &Value, errors: &mut Errors) {
    let path = Path::new("status.declaredFeatures");
    let features: Vec<&str> = get::strings(status, "declaredFeatures").collect();
    for (i, feature) in features.iter().enumerate() {
        let fault = if feature.len() > name::SUBDOMAIN_BYTES_MAX {
            Some(format!("must be no more than {} characters", name::SUBDOMAIN_BYTES_MAX))
        } else if !is_feature(feature) {
            Some(
                "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or \
                 MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"
                    .to_owned(),
            )
        } else {
            None
        };
        if let Some(fault) = fault {
            errors.invalid(&path.index(i), *feature, format!("invalid feature name {}: {fault}", quote(feature)));
        }
        match features.get(i + 1) {
            Some(next) if next == feature => errors.duplicate(&path.index(i + 1), *next),
            Some(next) if next < feature => errors.invalid(&path.index(i + 1), *next, "list must be sorted alphabetically"),
            _ => {}
        }
    }
}

fn is_feature(feature: &str) -> bool {
    let segments = || feature.split('/');
    feature.starts_with(|c: char| c.is_ascii_uppercase())
        && segments().all(|segment| segment.starts_with(|c: char| c.is_ascii_alphabetic()))
        && segments().all(|segment| segment.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Upstream's path for taints is below `metadata`.
fn validate_taints(taints: &[Value], path: &Path, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (i, taint) in taints.iter().enumerate() {
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
            errors.push(model::field::Fault::Duplicate, &path, Some(internal::show(taint, internal::TAINT)), detail);
        }
    }
}

fn validate_change(new: &Value, old: &Value, errors: &mut Errors) {
    validate_annotations(new, errors);
    validate_amounts(new, errors);
    validate_features(get::at(new, "status"), errors);
    let mut seen = BTreeSet::new();
    let path = Path::new("status.addresses");
    for (i, address) in get::list(get::at(new, "status"), "addresses").iter().enumerate() {
        if !seen.insert((get::text(address, "type"), get::text(address, "address"))) {
            errors.duplicate(&path.index(i), internal::show(address, internal::NODE_ADDRESS));
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
    validate_taints(get::list(spec, "taints"), &Path::new("metadata.taints"), errors);
    if get::text(spec, "externalID") != get::text(old, "externalID") {
        errors.forbidden(&Path::new("spec.externalID"), "may not be updated");
    }
}

fn warnings(object: &Value) -> Vec<String> {
    let spec = get::at(object, "spec");
    let mut warnings = Vec::new();
    if spec.get("configSource").is_some() {
        warnings.push("spec.configSource: the feature is removed".to_owned());
    }
    if !get::text(spec, "externalID").is_empty() {
        warnings.push("spec.externalID: this field is deprecated, and is unused by Kubernetes".to_owned());
    }
    let path = Path::new("spec.podCIDRs");
    for (i, range) in get::strings(spec, "podCIDRs").enumerate() {
        warnings.extend(cidr::warnings(range, &path.index(i)));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    #[test]
    fn taints_are_named_and_unique() {
        let taint = json!({"key": "a", "effect": "NoSchedule"});
        let mut errors = Errors::new();
        validate(&json!({"spec": {"taints": [taint, taint, {"key": "b", "effect": "Never"}]}}), &mut errors);
        let lines: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "metadata.taints[1]: Duplicate value: {\"Key\":\"a\",\"Value\":\"\",\"Effect\":\"NoSchedule\",\"TimeAdded\":null}: \
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
