//! APIService. Upstream: `kube-aggregator/pkg/apis/apiregistration/validation`, `pkg/registry/apiservice/strategy.go`.

use model::field::{Errors, Path, quote};
use model::json::json;
use model::name::Prefix;
use model::{Value, content, name};
use schema::object_meta::{self, Scope};

use super::Hooks;
use super::rules::{get, text};

const GROUP_PRIORITY_MAX: i64 = 20_000;
const VERSION_PRIORITY_MAX: i64 = 1000;

pub(super) const HOOKS: Hooks = Hooks {
    name: Some(own_name),
    stamp: Some(stamp),
    validate: Some(validate),
    validate_update: Some(|new, old, errors| {
        object_meta::validate_update(new, old, errors);
        // Names are judged by the kind's own rule already.
        object_meta::validate(new, Scope::Cluster, &|_, _| Vec::new(), errors);
        validate(new, errors);
    }),
    validate_status: Some(validate_status),
    tells_again: true,
    ..Hooks::NONE
};

/// A local one is available from the start.
fn stamp(service: &mut Value, old: Option<&Value>, now: &str) {
    if old.is_none() && get::object(get::at(service, "spec"), "service").is_none() {
        service["status"] = json!({"conditions": [{
            "type": "Available", "status": "True", "lastTransitionTime": now, "reason": "Local",
            "message": "Local APIServices are always available",
        }]});
    }
}

fn validate(service: &Value, errors: &mut Errors) {
    let (spec, path) = (get::at(service, "spec"), Path::new("spec"));
    let (group, version) = (get::text(spec, "group"), get::text(spec, "version"));
    if group.is_empty() && version != "v1" {
        errors.required(&path.child("group"), "only v1 may have an empty group and it better be legacy kube");
    }
    if !group.is_empty() {
        text::dns_subdomain(group, &path.child("group"), errors);
    }
    text::invalid_each(version, name::is_dns1035_label(version), &path.child("version"), errors);
    for (field, max) in [("groupPriorityMinimum", GROUP_PRIORITY_MAX), ("versionPriority", VERSION_PRIORITY_MAX)] {
        let priority = get::number(spec, field);
        if !(1..=max).contains(&priority) {
            errors.invalid(&path.child(field), priority, format!("must be positive and less than {max}"));
        }
    }
    let (bundle, insecure) = (bytes(get::text(spec, "caBundle")), get::is(spec, "insecureSkipTLSVerify"));
    let Some(target) = get::object(spec, "service") else {
        if bundle > 0 {
            let why = "local APIServices may not have a caBundle";
            errors.invalid(&path.child("caBundle"), format!("{bundle} bytes"), why);
        }
        if insecure {
            let why = "local APIServices may not have insecureSkipTLSVerify";
            errors.invalid(&path.child("insecureSkipTLSVerify"), true, why);
        }
        return;
    };
    let at = path.child("service");
    text::required(get::text(target, "namespace"), &at.child("namespace"), errors);
    text::required(get::text(target, "name"), &at.child("name"), errors);
    let port = get::number(target, "port");
    let wrong = name::is_valid_port_num(port);
    if !wrong.is_empty() {
        errors.invalid(&at.child("port"), port, format!("port is not valid: {}", wrong.join(", ")));
    }
    if insecure && bundle > 0 {
        errors.invalid(&path.child("insecureSkipTLSVerify"), true, "may not be true if caBundle is present");
    }
}

/// The name says which version of which group is served.
fn own_name(service: &Value, called: &str, _: Prefix) -> Vec<String> {
    let spec = get::at(service, "spec");
    let wanted = format!("{}.{}", get::text(spec, "version"), get::text(spec, "group"));
    let mut wrong = content::path_segment_name(called);
    if wrong.is_empty() && called != wanted {
        wrong.push(format!("must be `spec.version+\".\"+spec.group`: {}", quote(&wanted)));
    }
    wrong
}

/// How many bytes a text of base64 stands for.
fn bytes(base64: &str) -> usize {
    base64.trim_end_matches('=').len() * 3 / 4
}

fn validate_status(new: &Value, old: &Value, errors: &mut Errors) {
    object_meta::validate_update(new, old, errors);
    let path = Path::new("status.conditions");
    for (i, condition) in get::list(get::at(new, "status"), "conditions").iter().enumerate() {
        let path = path.index(i);
        text::one_of(get::text(condition, "status"), &["True", "False", "Unknown"], &path.child("status"), errors);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(spec: Value) -> Vec<String> {
        let mut errors = Errors::new();
        validate(&json!({"spec": spec}), &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_service_serves_one_version_of_one_group() {
        let none: [&str; 0] = [];
        let service = json!({"namespace": "n", "name": "s", "port": 443});
        let spec = json!({"group": "example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 15, "service": service});
        assert_eq!(faults(spec.clone()), none);
        let named = |name: &str| own_name(&json!({"spec": spec.clone()}), name, Prefix::No);
        assert_eq!(named("v1.example.com"), none);
        assert_eq!(named("v2.example.com"), ["must be `spec.version+\".\"+spec.group`: \"v1.example.com\""]);
        assert_eq!(named("a/b"), ["may not contain '/'"]);
    }

    #[test]
    fn names_are_left_to_the_rule_that_is_asked_before() {
        let service = json!({"metadata": {"name": "a/b", "generateName": "a/b", "resourceVersion": "1", "labels": {"a b": ""}}, "spec": {}});
        let mut errors = Errors::new();
        HOOKS.validate_update.expect("there is one")(&service, &service, &mut errors);
        let told = |field: &str| errors.0.iter().filter(|error| error.field == field).count();
        assert_eq!([told("metadata.name"), told("metadata.generateName"), told("metadata.labels")], [0, 0, 2]);
    }

    #[test]
    fn a_local_service_has_no_trust_settings() {
        let spec = json!({"version": "v1", "groupPriorityMinimum": 20001, "versionPriority": 0, "caBundle": "YWI=", "insecureSkipTLSVerify": true});
        assert_eq!(
            faults(spec),
            [
                "spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000",
                "spec.versionPriority: Invalid value: 0: must be positive and less than 1000",
                "spec.caBundle: Invalid value: \"2 bytes\": local APIServices may not have a caBundle",
                "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify",
            ]
        );
    }

    #[test]
    fn a_remote_service_is_found() {
        let spec = json!({"version": "v2", "groupPriorityMinimum": 1, "versionPriority": 1, "service": {}, "caBundle": "YQ==", "insecureSkipTLSVerify": true});
        assert_eq!(
            faults(spec),
            [
                "spec.group: Required value: only v1 may have an empty group and it better be legacy kube",
                "spec.service.namespace: Required value",
                "spec.service.name: Required value",
                "spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
                "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present",
            ]
        );
    }
}
