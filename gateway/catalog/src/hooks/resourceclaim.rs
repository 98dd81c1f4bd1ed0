//! ResourceClaim, and ResourceClaimTemplate which holds one. Upstream: `pkg/apis/resource/{v1/defaults.go,validation}`,
//! `pkg/registry/resource/{resourceclaim,resourceclaimtemplate}/strategy.go`. The status is next door. Bounds of lists,
//! duplicates and enumerations are declared.

mod permit;
mod status;

use model::field::{Errors, Path};
use model::{Value, name};

use super::Hooks;
use super::device::{self, Age};
use super::rules::{get, internal, labels, number, text};

const REQUESTS_MAX: usize = 32;
const ALTERNATIVES_MAX: usize = 8;
const CONSTRAINTS_MAX: usize = 32;
const CONFIG_MAX: usize = 32;
const NO_REQUEST: &str = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";

pub(super) const HOOKS: Hooks = Hooks {
    default: Some(|claim| default(claim, "/spec/devices")),
    prepare_create: Some(|claim| drop_disabled(claim, "/spec/devices")),
    prepare_update: Some(|claim, _| drop_disabled(claim, "/spec/devices")),
    prepare_status: Some(status::prepare),
    permit: Some(|claim, old, asker, errors| permit::admin(claim, "spec.devices", old, asker, errors)),
    permit_status: Some(permit::status),
    validate: Some(|claim, errors| validate_spec(get::at(claim, "spec"), &Path::new("spec"), errors)),
    validate_update: Some(|new, old, errors| number::immutable(new, old, "spec", &Path::default(), errors)),
    validate_status: Some(status::validate),
    ..Hooks::NONE
};

pub(super) const TEMPLATE: Hooks = Hooks {
    default: Some(|template| default(template, "/spec/spec/devices")),
    prepare_create: Some(|template| drop_disabled(template, "/spec/spec/devices")),
    prepare_update: Some(|template, _| drop_disabled(template, "/spec/spec/devices")),
    permit: Some(|template, old, asker, errors| permit::admin(template, "spec.spec.devices", old, asker, errors)),
    validate: Some(validate_template),
    validate_update: Some(|new, old, errors| {
        validate_template(new, errors);
        number::immutable_value(new, old, "spec", internal::CLAIM_TEMPLATE, &Path::default(), errors);
    }),
    ..Hooks::NONE
};

/// A request for an exact count that names none is for one device.
fn default(object: &mut Value, devices: &str) {
    each_request(object, devices, |request| {
        if get::text(request, "allocationMode") == "ExactCount" && get::number(request, "count") == 0 {
            get::set(request, "count", 1);
        }
    });
}

/// `DropDisabledFields`, as far as gates of 1.37 are off by default.
fn drop_disabled(object: &mut Value, devices: &str) {
    each_request(object, devices, |request| get::remove(request, "derivedAttributes"));
}

fn each_request(object: &mut Value, devices: &str, change: impl Fn(&mut Value)) {
    let Some(devices) = object.pointer_mut(devices) else { return };
    for request in get::list_mut(devices, "requests") {
        if let Some(exactly) = request.get_mut("exactly") {
            change(exactly);
        }
        get::list_mut(request, "firstAvailable").iter_mut().for_each(&change);
    }
}

fn validate_template(template: &Value, errors: &mut Errors) {
    let (spec, path) = (get::at(template, "spec"), Path::new("spec"));
    labels::template_metadata(get::at(spec, "metadata"), &path.child("metadata"), errors);
    validate_spec(get::at(spec, "spec"), &path.child("spec"), errors);
}

fn validate_spec(spec: &Value, path: &Path, errors: &mut Errors) {
    let (claim, path) = (get::at(spec, "devices"), path.child("devices"));
    let known = |name: &str| is_request(claim, name);
    device::set(claim, "requests", REQUESTS_MAX, device::by_name, &path, errors, validate_request);
    device::each(claim, "constraints", CONSTRAINTS_MAX, &path, errors, |constraint, path, errors| {
        request_names(constraint, &known, path, errors);
        if get::string(constraint, "matchAttribute").or(get::string(constraint, "distinctAttribute")).is_none() {
            let why = r#"exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set"#;
            errors.required(path, why);
        }
    });
    device::each(claim, "config", CONFIG_MAX, &path, errors, |config, path, errors| {
        request_names(config, &known, path, errors);
        device::configuration(config, Age::New, path, errors);
    });
}

fn validate_request(request: &Value, path: &Path, errors: &mut Errors) {
    const WHAT: &str = "exactly one of `exactly` or `firstAvailable` is required";
    text::dns_label(get::text(request, "name"), &path.child("name"), errors);
    match (get::object(request, "exactly"), get::list(request, "firstAvailable").is_empty()) {
        (None, true) => errors.required(path, WHAT),
        (Some(_), false) => errors.invalid(path, Value::Null, format!("{WHAT}, but multiple fields are set")),
        (Some(exactly), true) => validate_devices(exactly, &path.child("exactly"), errors),
        (None, false) => {
            device::set(request, "firstAvailable", ALTERNATIVES_MAX, device::by_name, path, errors, |request, path, errors| {
                text::dns_label(get::text(request, "name"), &path.child("name"), errors);
                validate_devices(request, path, errors);
            });
        }
    }
}

/// What a request and each of its alternatives ask for.
fn validate_devices(request: &Value, path: &Path, errors: &mut Errors) {
    let class = get::text(request, "deviceClassName");
    if class.is_empty() {
        errors.required(&path.child("deviceClassName"), "");
    } else {
        text::dns_subdomain(class, &path.child("deviceClassName"), errors);
    }
    device::selectors(request, Age::New, path, errors);
    let (mode, count) = (get::text(request, "allocationMode"), get::number(request, "count"));
    match mode {
        "All" if count != 0 => {
            errors.invalid(&path.child("count"), count, "must not be specified when allocationMode is 'All'");
        }
        "All" => {}
        "ExactCount" => number::positive(count, &path.child("count"), errors),
        _ => errors.not_supported(&path.child("allocationMode"), mode, &["All", "ExactCount"]),
    }
    device::tolerations(request, path, errors);
}

/// The requests that a constraint or a configuration is about.
fn request_names(holder: &Value, known: &dyn Fn(&str) -> bool, path: &Path, errors: &mut Errors) {
    device::set(holder, "requests", REQUESTS_MAX, Value::clone, path, errors, |name, path, errors| {
        request_name(name.as_str().unwrap_or(""), known, path, errors);
    });
}

/// `validateRequestNameRef`.
fn request_name(request: &str, known: &dyn Fn(&str) -> bool, path: &Path, errors: &mut Errors) {
    let segments: Vec<&str> = request.split('/').collect();
    if segments.len() > 2 {
        return errors.invalid(path, request, NO_REQUEST);
    }
    for segment in segments {
        text::invalid_each(segment, name::is_dns1123_label(segment), path, errors);
    }
    if !known(request) {
        errors.invalid(path, request, NO_REQUEST);
    }
}

/// Whether a claim has a request of this name, or one with such an alternative: `request` or `request/alternative`.
fn is_request(claim: &Value, name: &str) -> bool {
    let (request, alternative) = name.split_once('/').map_or((name, None), |(request, rest)| (request, Some(rest)));
    let named = |list: &[Value], name: &str| list.iter().rev().find(|item| get::text(item, "name") == name).cloned();
    let Some(request) = named(get::list(claim, "requests"), request) else { return false };
    alternative.is_none_or(|alternative| named(get::list(&request, "firstAvailable"), alternative).is_some())
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn an_exact_request_is_for_one_device() {
        let mut claim = json!({"devices": {"requests": [
            {"exactly": {"allocationMode": "ExactCount"}},
            {"firstAvailable": [{"allocationMode": "ExactCount", "count": 2}, {"allocationMode": "All"}]},
        ]}});
        default(&mut claim, "/devices");
        assert_eq!(claim["devices"]["requests"][0]["exactly"]["count"], 1);
        assert_eq!(
            claim["devices"]["requests"][1],
            json!({"firstAvailable": [{"allocationMode": "ExactCount", "count": 2}, {"allocationMode": "All"}]})
        );
    }

    #[test]
    fn requests_are_named_with_their_alternatives() {
        let claim = json!({"requests": [{"name": "a", "firstAvailable": [{"name": "x"}]}, {"name": "b", "exactly": {}}]});
        for (name, known) in [("a", true), ("a/x", true), ("a/y", false), ("b", true), ("b/x", false), ("c", false)] {
            assert_eq!(is_request(&claim, name), known, "{name}");
        }
    }
}
