//! Pods: what makes them more than their spec. Strategy, validation on create and update, warnings, grace, fields to select.
//! Follows `pkg/registry/core/pod/strategy.go` and `ValidatePodCreate`. The spec itself is in `podspec`.

pub mod binding;
pub(crate) mod diff;
pub mod ephemeral_containers;
mod level_resources;
mod prepare;
pub mod resize;
mod status;
mod update;

use model::Value;
use model::field::{Errors, Path};
use model::{meta, name};

use super::podspec::warnings::Holder;
use super::podspec::{self, Options, annotations, warnings};
use super::rules::{get, ip, number};
use super::{Hooks, Selectable};

/// The hooks of pods.
pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    prepare_create: Some(prepare::create),
    prepare_update: Some(prepare::update),
    prepare_status: Some(status::prepare),
    validate: Some(validate_create),
    validate_update: Some(update::validate),
    validate_status: Some(status::validate),
    warnings: Some(warnings),
    warnings_unprepared: Some(prepare::apparmor_warnings),
    warnings_status: Some(status_warnings),
    selectable: SELECTABLE,
    grace: Some(grace),
    ..Hooks::NONE
};

const SELECTABLE: &[Selectable] = &[
    Selectable { field: "spec.nodeName", value: |pod| get::text(get::at(pod, "spec"), "nodeName").to_owned() },
    Selectable { field: "spec.restartPolicy", value: |pod| get::text(get::at(pod, "spec"), "restartPolicy").to_owned() },
    Selectable { field: "spec.schedulerName", value: |pod| get::text(get::at(pod, "spec"), "schedulerName").to_owned() },
    Selectable {
        field: "spec.serviceAccountName",
        value: |pod| get::text(get::at(pod, "spec"), "serviceAccountName").to_owned(),
    },
    Selectable { field: "spec.hostNetwork", value: |pod| get::is(get::at(pod, "spec"), "hostNetwork").to_string() },
    Selectable { field: "status.phase", value: |pod| get::text(get::at(pod, "status"), "phase").to_owned() },
    Selectable { field: "status.podIP", value: pod_ip },
    // Upstream lets it be asked for and sets no value.
    Selectable { field: "status.podIPs", value: |_| String::new() },
    Selectable {
        field: "status.nominatedNodeName",
        value: |pod| get::text(get::at(pod, "status"), "nominatedNodeName").to_owned(),
    },
];

/// The first of `podIPs`; `podIP` is kept equal to it.
fn pod_ip(pod: &Value) -> String {
    get::list(get::at(pod, "status"), "podIPs").first().map(|entry| get::text(entry, "ip").to_owned()).unwrap_or_default()
}

fn default(pod: &mut Value) {
    if let Some(spec) = pod.get_mut("spec") {
        podspec::defaults::spec(spec);
    }
    podspec::defaults::pod(pod);
}

/// `ValidatePodCreate`.
fn validate_create(pod: &Value, errors: &mut Errors) {
    metadata_and_spec(pod, &Options::strict().of_pod(), errors);
    let (metadata, spec) = (get::at(pod, "metadata"), get::at(pod, "spec"));
    let path = Path::new("spec");
    if !get::list(spec, "ephemeralContainers").is_empty() {
        errors.forbidden(&path.child("ephemeralContainers"), "cannot be set on create");
    }
    if !get::text(spec, "nodeName").is_empty() && !get::list(spec, "schedulingGates").is_empty() {
        errors.forbidden(&path.child("nodeName"), "cannot be set until all schedulingGates have been cleared");
    }
    annotations::agree_with_fields(metadata, spec, &path, errors);
}

/// `validatePodMetadataAndSpec`, without what holds for any metadata.
fn metadata_and_spec(pod: &Value, options: &Options, errors: &mut Errors) {
    let (metadata, spec) = (get::at(pod, "metadata"), get::at(pod, "spec"));
    let path = Path::new("spec");
    annotations::validate(metadata, spec, options.any_deletion_cost, &Path::new("metadata.annotations"), errors);
    podspec::validate(spec, metadata, options, &path, errors);
    if get::text(spec, "serviceAccountName").is_empty() {
        tokens_without_account(spec, &path, errors);
    }
    if let Some(grace_s) = get::int(spec, "terminationGracePeriodSeconds") {
        number::nonnegative(grace_s, &path.child("terminationGracePeriodSeconds"), errors);
    }
    for field in ["containers", "initContainers"] {
        let list = path.child(field);
        for (i, container) in get::list(spec, field).iter().enumerate() {
            podspec::ephemeral::image_whitespace(container, &list.index(i), errors);
        }
    }
}

fn tokens_without_account(spec: &Value, path: &Path, errors: &mut Errors) {
    let volumes = path.child("volumes");
    for (i, volume) in get::list(spec, "volumes").iter().enumerate() {
        let path = volumes.index(i);
        let sources = path.child("projected.sources");
        for (j, source) in get::list(get::at(volume, "projected"), "sources").iter().enumerate() {
            if get::object(source, "serviceAccountToken").is_some() {
                errors.forbidden(
                    &sources.index(j).child("serviceAccountToken"),
                    "must not be specified when serviceAccountName is not set",
                );
            }
        }
    }
}

/// `WarningsOnCreate`; updates of pods warn of nothing.
fn warnings(pod: &Value, old: Option<&Value>) -> Vec<String> {
    if old.is_some() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let wrong = name::is_dns1123_label(meta::name(pod));
    if !wrong.is_empty() {
        found.push(format!(
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [{}]",
            wrong.join(" ")
        ));
    }
    found.extend(warnings::of(pod, Holder::Pod, &Path::default()));
    found
}

/// `WarningsOnUpdate` of the status: addresses that are valid but not written as they should be.
fn status_warnings(pod: &Value) -> Vec<String> {
    let status = get::at(pod, "status");
    let mut found = Vec::new();
    for field in ["podIPs", "hostIPs"] {
        let path = Path::new("status");
        let list = path.child(field);
        for (i, entry) in get::list(status, field).iter().enumerate() {
            found.extend(ip::warnings(get::text(entry, "ip"), &list.index(i).child("ip")));
        }
    }
    found
}

/// `CheckGracefulDelete`: seconds of grace, none for a pod that is on no node or has ended.
fn grace(pod: &Value, requested: Option<i64>) -> Option<i64> {
    let spec = get::at(pod, "spec");
    let period_s = requested.or(get::int(spec, "terminationGracePeriodSeconds")).unwrap_or(0);
    let ended = matches!(get::text(get::at(pod, "status"), "phase"), "Failed" | "Succeeded");
    if get::text(spec, "nodeName").is_empty() || ended {
        return Some(0);
    }
    Some(if period_s < 0 { 1 } else { period_s })
}

#[cfg(test)]
pub(super) mod tests;
