//! The checks that the standard `restricted` makes beyond `baseline`: pods are hardened as is good practice.
//! Follows `k8s.io/pod-security-admission/policy/check_*.go`.

use std::collections::BTreeSet;

use model::Value;

use super::baseline::{proc_mount, seccomp};
use super::checks::{Check, Fault, Pod, containers, context, fault, field, plural, profile, quoted, setters, strings};
use crate::builtin::{items, text};

const fn check(id: &'static str, since: i64, find: fn(&Pod<'_>) -> Option<Fault>) -> Check {
    Check { id, since, instead_of: None, find }
}

const fn instead(of: &'static str, check: Check) -> Check {
    Check { instead_of: Some(of), ..check }
}

/// Every revision of every check, by name in the order of bytes.
pub(super) const CHECKS: &[Check] = &[
    check("allowPrivilegeEscalation", 8, escalation),
    check("allowPrivilegeEscalation", 25, |pod| on_linux(pod, escalation)),
    instead("capabilities_baseline", check("capabilities_restricted", 22, capabilities)),
    instead("capabilities_baseline", check("capabilities_restricted", 25, |pod| on_linux(pod, capabilities))),
    instead("procMount", check("procMount_restricted", 35, proc_mount)),
    instead("hostPathVolumes", check("restrictedVolumes", 0, volumes)),
    check("runAsNonRoot", 0, non_root),
    check("runAsNonRoot", 35, |pod| with_the_nodes_users(pod, non_root)),
    check("runAsUser", 23, user),
    check("runAsUser", 35, |pod| with_the_nodes_users(pod, user)),
    instead("seccompProfile_baseline", check("seccompProfile_restricted", 19, seccomp_on)),
    instead("seccompProfile_baseline", check("seccompProfile_restricted", 25, |pod| on_linux(pod, seccomp_on))),
];

/// Kinds of volumes that belong to the pod or its namespace.
const VOLUMES: [&str; 9] =
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"];

/// The others, in the order in which a volume that had several would be told of.
const OTHER_VOLUMES: [&str; 21] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
];

/// The API refuses what these checks ask for in pods for Windows.
fn on_linux(pod: &Pod<'_>, find: fn(&Pod<'_>) -> Option<Fault>) -> Option<Fault> {
    if pod.is_windows() { None } else { find(pod) }
}

/// Root in a pod that has users of its own is nobody on the node.
fn with_the_nodes_users(pod: &Pod<'_>, find: fn(&Pod<'_>) -> Option<Fault>) -> Option<Fault> {
    if pod.has_own_users() { None } else { find(pod) }
}

fn escalation(pod: &Pod<'_>) -> Option<Fault> {
    let bad = pod.containers_where(|container| field(context(container), "allowPrivilegeEscalation") != &Value::Bool(false));
    if bad.is_empty() {
        return None;
    }
    let detail = format!("{} must set securityContext.allowPrivilegeEscalation=false", containers(&bad));
    fault("allowPrivilegeEscalation != false", detail)
}

fn capabilities(pod: &Pod<'_>) -> Option<Fault> {
    let of = |container| field(context(container), "capabilities");
    let added = |container| strings(of(container), "add").filter(|added| *added != "NET_BIND_SERVICE");
    let keeping = pod.containers_where(|container| !strings(of(container), "drop").any(|dropped| dropped == "ALL"));
    let adding = pod.containers_where(|container| added(container).next().is_some());
    let mut found = Vec::new();
    if !keeping.is_empty() {
        found.push(format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", containers(&keeping)));
    }
    if !adding.is_empty() {
        let beyond: BTreeSet<&str> = pod.containers().flat_map(added).collect();
        let what = quoted(beyond);
        found.push(format!("{} must not include {what} in securityContext.capabilities.add", containers(&adding)));
    }
    if found.is_empty() { None } else { fault("unrestricted capabilities", found.join("; ")) }
}

fn volumes(pod: &Pod<'_>) -> Option<Fault> {
    let has = |volume: &Value, kind: &&str| !field(volume, kind).is_null();
    let bad: Vec<&Value> =
        items(pod.spec, "volumes").iter().filter(|volume| !VOLUMES.iter().any(|kind| has(volume, kind))).collect();
    if bad.is_empty() {
        return None;
    }
    let kind = |volume: &&Value| OTHER_VOLUMES.into_iter().find(|kind| has(volume, kind)).unwrap_or("unknown");
    let kinds: BTreeSet<&str> = bad.iter().map(kind).collect();
    let names = format!("{} {}", plural("volume", "volumes", bad.len()), quoted(bad.iter().map(|volume| text(volume, "name"))));
    let uses = plural("uses", "use", bad.len());
    let word = plural("restricted volume type", "restricted volume types", kinds.len());
    fault("restricted volume types", format!("{names} {uses} {word} {}", quoted(kinds)))
}

fn non_root(pod: &Pod<'_>) -> Option<Fault> {
    const REASON: &str = "runAsNonRoot != true";
    let said = |context: &Value| context.get("runAsNonRoot").and_then(Value::as_bool);
    let whole = said(pod.context());
    let denying = pod.containers_where(|container| said(context(container)) == Some(false));
    let setters = setters(whole == Some(false), &denying);
    if !setters.is_empty() {
        return fault(REASON, format!("{} must not set securityContext.runAsNonRoot=false", setters.join(" and ")));
    }
    let silent = pod.containers_where(|container| said(context(container)).is_none() && whole != Some(true));
    if silent.is_empty() {
        return None;
    }
    fault(REASON, format!("pod or {} must set securityContext.runAsNonRoot=true", containers(&silent)))
}

fn user(pod: &Pod<'_>) -> Option<Fault> {
    let is_root = |context: &Value| context.get("runAsUser").and_then(Value::as_i64) == Some(0);
    let bad = pod.containers_where(|container| is_root(context(container)));
    let setters = setters(is_root(pod.context()), &bad);
    if setters.is_empty() { None } else { fault("runAsUser=0", format!("{} must not set runAsUser=0", setters.join(" and "))) }
}

fn seccomp_on(pod: &Pod<'_>) -> Option<Fault> {
    let (confined, bad) = seccomp(pod);
    if bad.is_some() || confined {
        return bad;
    }
    let silent = pod.containers_where(|container| profile(context(container), "seccompProfile").is_none());
    if silent.is_empty() {
        return None;
    }
    let detail = format!(
        "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
        containers(&silent)
    );
    fault("seccompProfile", detail)
}
