//! Annotations that mean something to pods: mirror pods, tolerations, deletion cost, seccomp and AppArmor of old.
//! Follows `ValidatePodSpecificAnnotations` and the checks that such annotations agree with the fields that replaced them.

use model::Value;
use model::field::{Errors, Path, quote};

use super::super::rules::get;
use super::super::rules::path::local_descending;
use super::{security, tolerations, visit_containers};

/// Marks the API's copy of a static pod.
pub(crate) const MIRROR: &str = "kubernetes.io/config.mirror";
/// Prefix of a container's AppArmor profile.
pub(crate) const APPARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
/// A pod's seccomp profile, and the prefix of a container's.
pub(crate) const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
pub(crate) const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/tolerations";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// `ValidatePodSpecificAnnotations`; `path` is that of the annotations.
pub(crate) fn validate(metadata: &Value, spec: &Value, any_deletion_cost: bool, path: &Path, errors: &mut Errors) {
    let annotations = get::at(metadata, "annotations");
    if annotations.as_object().is_none_or(|map| map.is_empty()) {
        return;
    }
    if let Some(mirror) = get::string(annotations, MIRROR)
        && get::text(spec, "nodeName").is_empty()
    {
        errors.invalid(&path.key(MIRROR), mirror, "must set spec.nodeName if mirror pod annotation is set");
    }
    serialized_tolerations(get::text(annotations, TOLERATIONS), path, errors);
    if !any_deletion_cost && !deletion_cost_is_valid(metadata) {
        errors.invalid(&path.key(DELETION_COST), get::text(annotations, DELETION_COST), "must be a 32bit integer");
    }
    seccomp(metadata, path, errors);
    apparmor(metadata, spec, path, errors);
}

fn serialized_tolerations(text: &str, path: &Path, errors: &mut Errors) {
    if text.is_empty() {
        return;
    }
    match codec::json::structs(text, "core.Toleration") {
        Ok(list) => tolerations::validate(&list, &path.child(TOLERATIONS), errors),
        Err(why) => errors.invalid(path, TOLERATIONS, why),
    }
}

/// Whether the deletion cost, if there is one, is a 32-bit integer without a plus or leading zeros.
pub(super) fn deletion_cost_is_valid(metadata: &Value) -> bool {
    let Some(cost) = get::string(get::at(metadata, "annotations"), DELETION_COST) else { return true };
    let first_fits = cost == "0" || cost.starts_with(|c: char| c == '-' || ('1'..='9').contains(&c));
    first_fits && cost.parse::<i32>().is_ok()
}

fn seccomp(metadata: &Value, path: &Path, errors: &mut Errors) {
    for (key, profile) in get::pairs(metadata, "annotations") {
        if key != SECCOMP_POD && !key.starts_with(SECCOMP_CONTAINER) {
            continue;
        }
        match profile {
            "runtime/default" | "docker/default" | "unconfined" => {}
            _ => match profile.strip_prefix("localhost/") {
                Some(local) => local_descending(local, &path.child(key), errors),
                None => errors.invalid(&path.child(key), profile, "must be a valid seccomp profile"),
            },
        }
    }
}

fn apparmor(metadata: &Value, spec: &Value, path: &Path, errors: &mut Errors) {
    for (key, profile) in get::pairs(metadata, "annotations") {
        let Some(name) = key.strip_prefix(APPARMOR) else { continue };
        let mut found = false;
        visit_containers(spec, &Path::default(), &mut |container, _| found |= get::text(container, "name") == name);
        if !found {
            errors.invalid(&path.key(key), name, "container not found");
        }
        if !matches!(profile, "" | "runtime/default" | "unconfined") && !profile.starts_with("localhost/") {
            errors.invalid(&path.key(key), profile, format!("invalid AppArmor profile name: {}", quote(profile)));
        }
    }
}

/// `validateSeccompAnnotationsAndFields` and `validateAppArmorAnnotationsAndFieldsMatchOnCreate`; `path` is that of the spec.
pub(crate) fn agree_with_fields(metadata: &Value, spec: &Value, path: &Path, errors: &mut Errors) {
    let annotations = get::at(metadata, "annotations");
    if annotations.as_object().is_none_or(|map| map.is_empty()) {
        return;
    }
    let of_pod = get::object(get::at(spec, "securityContext"), "seccompProfile");
    agree("seccomp", of_pod, get::string(annotations, SECCOMP_POD), &path.child("securityContext.seccompProfile"), errors);
    visit_containers(spec, path, &mut |container, path| {
        let profile = get::object(get::at(container, "securityContext"), "seccompProfile");
        let annotation = get::string(annotations, &format!("{SECCOMP_CONTAINER}{}", get::text(container, "name")));
        agree("seccomp", profile, annotation, &path.child("securityContext.seccompProfile"), errors);
    });
    if get::text(get::at(spec, "os"), "name") == "windows" {
        return;
    }
    let of_pod = get::object(get::at(spec, "securityContext"), "appArmorProfile");
    visit_containers(spec, path, &mut |container, path| {
        let profile = get::object(get::at(container, "securityContext"), "appArmorProfile").or(of_pod);
        let annotation = get::string(annotations, &format!("{APPARMOR}{}", get::text(container, "name")));
        agree("apparmor", profile, annotation, &path.child("securityContext.appArmorProfile"), errors);
    });
}

/// One profile and the annotation for the same thing, where both are there.
fn agree(kind: &str, profile: Option<&Value>, annotation: Option<&str>, path: &Path, errors: &mut Errors) {
    let (Some(profile), Some(annotation)) = (profile, annotation) else { return };
    let same_type = match get::text(profile, "type") {
        "Unconfined" => annotation == "unconfined",
        "RuntimeDefault" => annotation == "runtime/default" || kind == "seccomp" && annotation == "docker/default",
        "Localhost" => annotation.starts_with("localhost/"),
        _ => return,
    };
    if !same_type {
        errors.forbidden(&path.child("type"), format!("{kind} type in annotation and field must match"));
    } else if get::text(profile, "type") == "Localhost"
        && annotation.strip_prefix("localhost/") != get::string(profile, "localhostProfile")
    {
        errors.forbidden(&path.child("localhostProfile"), format!("{kind} profile in annotation and field must match"));
    }
}

/// `ApparmorFieldForAnnotation`: the field that says what the annotation says.
pub(crate) fn apparmor_field(annotation: &str) -> Option<Value> {
    match annotation {
        "unconfined" => Some(model::json::json!({"type": "Unconfined"})),
        "runtime/default" => Some(model::json::json!({"type": "RuntimeDefault"})),
        _ => {
            let local = annotation.strip_prefix("localhost/").filter(|local| !local.is_empty())?;
            Some(model::json::json!({"type": "Localhost", "localhostProfile": local}))
        }
    }
}

/// Whether such a field would pass validation.
pub(crate) fn apparmor_field_is_valid(profile: &Value) -> bool {
    let mut errors = Errors::new();
    security::apparmor_profile(profile, &Path::default(), &mut errors);
    errors.is_empty()
}
