//! The spec of a pod, alone or inside a template: conditional defaults, validation, warnings, fields of features that are off.
//! Follows `ValidatePodSpec` and its order, which is the order of the errors. What holds only for pods is in `pod`.

pub(crate) mod affinity;
pub(crate) mod annotations;
mod claims;
pub(crate) mod containers;
pub(crate) mod defaults;
mod dns;
pub(crate) mod drop;
mod env;
pub(crate) mod ephemeral;
mod files;
mod mounts;
pub(crate) mod node_affinity;
pub(crate) mod options;
mod os;
mod probes;
mod projected;
pub(crate) mod qos;
pub(crate) mod resources;
mod restart;
pub(crate) mod security;
pub(crate) mod sources;
mod spread;
pub(crate) mod tolerations;
mod volumes;
pub(crate) mod warnings;
mod warnings_containers;
mod warnings_volumes;

use model::Value;
use model::field::{Errors, Path};
use model::name::inclusive_range_error;

use super::rules::{get, labels, text};
pub(crate) use dns::is_dual_stack;
pub(crate) use options::Options;
pub use options::allow_privileged;

/// What the checks of a container and a volume need to know of the pod around it.
pub(crate) struct Scope<'a> {
    /// What the stored object already does wrong and may go on doing.
    pub(crate) options: &'a Options,
    /// Name of the pod, where it has one; a template has none.
    pub(crate) pod_name: Option<&'a str>,
    /// Volumes that passed their own checks, by name.
    pub(crate) volumes: Vec<(&'a str, &'a Value)>,
    /// Names of `spec.resourceClaims`.
    pub(crate) claims: Vec<&'a str>,
    /// `spec.terminationGracePeriodSeconds`.
    pub(crate) grace_s: Option<i64>,
    /// `spec.restartPolicy`.
    pub(crate) restart_policy: &'a str,
    /// Whether the pod shares the host's user namespace.
    pub(crate) host_users: bool,
}

impl<'a> Scope<'a> {
    /// The scope of a volume or of amounts that stand by themselves, with the name of what holds them.
    pub(crate) fn alone(options: &'a Options, name: &'a str) -> Self {
        let (volumes, claims) = (Vec::new(), Vec::new());
        Self { options, pod_name: Some(name), volumes, claims, grace_s: None, restart_policy: "", host_users: true }
    }

    /// The volume of this name.
    pub(crate) fn volume(&self, name: &str) -> Option<&'a Value> {
        self.volumes.iter().find(|(known, _)| *known == name).map(|(_, volume)| *volume)
    }
}

/// The three lists of containers in the order in which upstream visits them.
pub(crate) const CONTAINER_LISTS: &[&str] = &["initContainers", "containers", "ephemeralContainers"];

/// Visits all containers with their paths, as `VisitContainersWithPath` does.
pub(crate) fn visit_containers(spec: &Value, path: &Path, visit: &mut dyn FnMut(&Value, &Path)) {
    for list in CONTAINER_LISTS {
        let path = path.child(list);
        for (i, container) in get::list(spec, list).iter().enumerate() {
            visit(container, &path.index(i));
        }
    }
}

/// Visits all containers for writing.
pub(crate) fn visit_containers_mut(spec: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    for list in CONTAINER_LISTS {
        get::list_mut(spec, list).iter_mut().for_each(&mut *visit);
    }
}

/// `ValidatePodSpec`; `metadata` is that of a pod, null for a template.
pub(crate) fn validate(spec: &Value, metadata: &Value, options: &Options, path: &Path, errors: &mut Errors) {
    let grace_s = get::int(spec, "terminationGracePeriodSeconds");
    if grace_s.is_none() {
        errors.required(&path.child("terminationGracePeriodSeconds"), "");
    }
    let mut scope = Scope {
        options,
        pod_name: get::string(metadata, "name").filter(|name| !name.is_empty()),
        volumes: Vec::new(),
        claims: get::list(spec, "resourceClaims")
            .iter()
            .map(|claim| get::text(claim, "name"))
            .filter(|name| !name.is_empty())
            .collect(),
        grace_s,
        restart_policy: get::text(spec, "restartPolicy"),
        host_users: get::flag(spec, "hostUsers").unwrap_or(true),
    };
    volumes::validate(spec, &mut scope, path, errors);
    claims::validate(spec, metadata, path, errors);
    containers::validate(spec, &scope, path, errors);
    resources::of_pod(spec, &scope, path, errors);
    dns::host_network_ports(spec, options, path, errors);
    policies(spec, path, errors);
    labels::labels(spec, "nodeSelector", path, errors);
    security::of_pod(spec, options, path, errors);
    share_process_namespace(spec, path, errors);
    affinity::validate(spec, options, path, errors);
    dns::config(spec, path, errors);
    gates(spec, path, errors);
    spread::validate(spec, options, path, errors);
    os::windows_host_process(spec, options, path, errors);
    os::host_users(spec, options, path, errors);
    dns::hostname_override(spec, path, errors);
    identity(spec, path, errors);
    tolerations::validate(get::list(spec, "tolerations"), &path.child("tolerations"), errors);
    dns::host_aliases(spec, path, errors);
    classes(spec, &scope, path, errors);
    os::validate(spec, path, errors);
    env::file_key_volumes(spec, path, errors);
}

fn policies(spec: &Value, path: &Path, errors: &mut Errors) {
    const RESTART: &[&str] = &["Always", "OnFailure", "Never"];
    const DNS: &[&str] = &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    text::required_one_of(get::text(spec, "restartPolicy"), RESTART, &path.child("restartPolicy"), errors);
    text::required_one_of(get::text(spec, "dnsPolicy"), DNS, &path.child("dnsPolicy"), errors);
}

fn share_process_namespace(spec: &Value, path: &Path, errors: &mut Errors) {
    if get::is(spec, "shareProcessNamespace") && get::is(spec, "hostPID") {
        errors.invalid(&path.child("shareProcessNamespace"), true, "ShareProcessNamespace and HostPID cannot both be enabled");
    }
}

fn gates(spec: &Value, path: &Path, errors: &mut Errors) {
    let readiness = path.child("readinessGates");
    for (i, gate) in get::list(spec, "readinessGates").iter().enumerate() {
        text::qualified_name(get::text(gate, "conditionType"), &readiness.index(i).child("conditionType"), errors);
    }
    let scheduling = path.child("schedulingGates");
    let gates = get::list(spec, "schedulingGates");
    for (i, (gate, is_repeated)) in gates.iter().zip(get::repeated(gates, "name")).enumerate() {
        let name = get::text(gate, "name");
        text::qualified_name(name, &scheduling.index(i), errors);
        if is_repeated {
            errors.duplicate(&scheduling.index(i), name);
        }
    }
}

/// The fields that name who and where the pod is.
fn identity(spec: &Value, path: &Path, errors: &mut Errors) {
    let account = get::text(spec, "serviceAccountName");
    if !account.is_empty() {
        text::dns_subdomain(account, &path.child("serviceAccountName"), errors);
    }
    let deprecated = get::text(spec, "serviceAccount");
    if deprecated != account {
        let detail = format!("must be the same as serviceAccountName: {}", model::field::quote(account));
        errors.invalid(&path.child("deprecatedServiceAccount"), deprecated, detail);
    }
    let node = get::text(spec, "nodeName");
    if !node.is_empty() {
        text::dns_subdomain(node, &path.child("nodeName"), errors);
    }
    if let Some(deadline_s) = get::int(spec, "activeDeadlineSeconds")
        && !(1..=i64::from(i32::MAX)).contains(&deadline_s)
    {
        errors.invalid(&path.child("activeDeadlineSeconds"), deadline_s, inclusive_range_error(1, i32::MAX.into()));
    }
    for field in ["hostname", "subdomain"] {
        let value = get::text(spec, field);
        if !value.is_empty() {
            text::dns_label(value, &path.child(field), errors);
        }
    }
}

/// Priority and runtime classes, preemption, overhead.
fn classes(spec: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let priority = get::text(spec, "priorityClassName");
    if !priority.is_empty() {
        text::dns_subdomain(priority, &path.child("priorityClassName"), errors);
    }
    if let Some(runtime) = get::string(spec, "runtimeClassName") {
        text::dns_subdomain(runtime, &path.child("runtimeClassName"), errors);
    }
    if let Some(policy) = get::string(spec, "preemptionPolicy") {
        text::required_one_of(policy, &["PreemptLowerPriority", "Never"], &path.child("preemptionPolicy"), errors);
    }
    resources::overhead(spec, scope, path, errors);
}
