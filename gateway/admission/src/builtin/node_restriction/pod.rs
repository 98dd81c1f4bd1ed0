//! What a node may do with Pods: mirror its own static ones, tell how those are that run there, end and evict them.

use model::field::quote;
use model::{Status, Value, meta};

use super::{Asked, at, labels, part};
use crate::Operation;
use crate::builtin::{items, service_account_secrets, text};

const MIRROR: &str = "kubernetes.io/config.mirror";
/// Volumes for which a kubelet needs nothing from the API.
const PLAIN_VOLUMES: &[&str] = &[
    "awsElasticBlockStore",
    "azureDisk",
    "cephfs",
    "cinder",
    "downwardAPI",
    "emptyDir",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "hostPath",
    "image",
    "iscsi",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];
/// Other volumes and what they stand for, in the order in which they are looked for.
const REFERRING_VOLUMES: &[(&str, &str)] = &[
    ("configMap", "configmaps (via configmap volumes)"),
    ("secret", "secrets (via secret volumes)"),
    ("csi", "csidrivers (via CSI volumes)"),
    ("glusterfs", "endpoints (via glusterFS volumes)"),
    ("persistentVolumeClaim", "persistentvolumeclaims"),
    ("ephemeral", "persistentvolumeclaims (via ephemeral volumes)"),
    ("azureFile", "secrets (via azureFile volumes)"),
];
/// The same of what is projected into one.
const REFERRING_SOURCES: &[(&str, &str)] = &[
    ("configMap", "configmaps (via projected volumes)"),
    ("secret", "secrets (via projected volumes)"),
    ("serviceAccountToken", "serviceaccounts (via projected volumes)"),
    ("clusterTrustBundle", "clustertrustbundles"),
    ("podCertificate", "podcertificates"),
];

pub(super) async fn judge(asked: &Asked<'_>) -> Result<(), Status> {
    let (node, review) = (quote(asked.node), asked.review);
    match (review.operation, asked.object) {
        (Operation::Create, Some(pod)) => {
            judge_mirror(asked, pod).await?;
            match reference(pod) {
                Ok(None) => Ok(()),
                Ok(Some(what)) => asked.refuse(format_args!("node {node} can not create pods that reference {what}")),
                Err(why) => asked.refuse(format_args!("error checking mirror pod for API references: {why}")),
            }
        }
        (Operation::Delete, _) => {
            let pod = asked.find_core("pods", review.namespace, review.name).await?;
            if at(&pod, "/spec/nodeName") == asked.node {
                return Ok(());
            }
            asked.refuse(format_args!("node {node} can only delete pods with spec.nodeName set to itself"))
        }
        (operation, _) => asked.refuse(format_args!(
            "unexpected operation {}, node {node} can only create and delete mirror pods",
            quote(operation.as_str())
        )),
    }
}

/// A mirror of a static Pod is the node's, which owns it.
async fn judge_mirror(asked: &Asked<'_>, pod: &Value) -> Result<(), Status> {
    let node = quote(asked.node);
    if meta::annotation(pod, MIRROR).is_none() {
        return asked
            .refuse(format_args!("pod does not have {} annotation, node {node} can only create mirror pods", quote(MIRROR)));
    }
    if at(pod, "/spec/nodeName") != asked.node {
        return asked.refuse(format_args!("node {node} can only create pods with spec.nodeName set to itself"));
    }
    let owners = pod.get("metadata").map_or(&[][..], |metadata| items(metadata, "ownerReferences"));
    let [owner] = owners else {
        let one = if owners.is_empty() { "an owner reference" } else { "a single owner reference" };
        return asked.refuse(format_args!("node {node} can only create pods with {one} set to itself"));
    };
    if (text(owner, "apiVersion"), text(owner, "kind"), text(owner, "name")) != ("v1", "Node", asked.node) {
        return asked.refuse(format_args!("node {node} can only create pods with an owner reference set to itself"));
    }
    if owner.get("controller") != Some(&Value::Bool(true)) {
        return asked.refuse(format_args!("node {node} can only create pods with a controller owner reference set to itself"));
    }
    if owner.get("blockOwnerDeletion") == Some(&Value::Bool(true)) {
        return asked.refuse(format_args!("node {node} must not set blockOwnerDeletion on an owner reference"));
    }
    let found = asked.find_core("nodes", "", asked.node).await?;
    let (told, real) = (text(owner, "uid"), at(&found, "/metadata/uid"));
    if told == real {
        return Ok(());
    }
    asked.refuse(format_args!("node {} UID mismatch: expected {told} got {real}", asked.node))
}

/// What of the API a Pod refers to; fails for volumes of which nobody knows.
fn reference(pod: &Value) -> Result<Option<&'static str>, String> {
    let Some(spec) = pod.get("spec") else { return Ok(None) };
    if !text(spec, "serviceAccountName").is_empty() {
        return Ok(Some("serviceaccounts"));
    }
    if service_account_secrets::names_secrets(spec) {
        return Ok(Some("secrets"));
    }
    if service_account_secrets::names_config_maps(spec) {
        return Ok(Some("configmaps"));
    }
    if !items(spec, "resourceClaims").is_empty() {
        return Ok(Some("resourceclaims"));
    }
    let is_set = |of: &Value, field: &str| of.get(field).is_some_and(|source| !source.is_null());
    for volume in items(spec, "volumes") {
        if PLAIN_VOLUMES.iter().any(|field| is_set(volume, field)) {
            continue;
        }
        if let Some((_, what)) = REFERRING_VOLUMES.iter().find(|(field, _)| is_set(volume, field)) {
            return Ok(Some(what));
        }
        let name = quote(text(volume, "name"));
        let Some(projected) = volume.get("projected").filter(|projected| !projected.is_null()) else {
            return Err(format!("unknown volume type for volume  {name}"));
        };
        for source in items(projected, "sources") {
            match REFERRING_SOURCES.iter().find(|(field, _)| is_set(source, field)) {
                Some((_, what)) => return Ok(Some(what)),
                None if is_set(source, "downwardAPI") => {}
                None => return Err(format!("unknown source for projected volume {name}")),
            }
        }
    }
    Ok(None)
}

pub(super) fn judge_status(asked: &Asked<'_>) -> Result<(), Status> {
    if asked.review.operation != Operation::Update {
        return asked.unexpected();
    }
    let (node, (new, old)) = (quote(asked.node), asked.both()?);
    if at(old, "/spec/nodeName") != asked.node {
        return asked.refuse(format_args!("node {node} can only update pod status for pods with spec.nodeName set to itself"));
    }
    if labels(new) != labels(old) {
        return asked.refuse(format_args!("node {node} cannot update labels through pod status"));
    }
    for (pointer, what) in [
        ("/status/resourceClaimStatuses", "resource claim statues"),
        ("/status/extendedResourceClaimStatus", "extended resource claim status"),
        ("/status/nodeAllocatableResourceClaimStatuses", "node allocatable resource claim statuses"),
    ] {
        if part(new, pointer) != part(old, pointer) {
            return asked.refuse(format_args!("node {node} cannot update {what}"));
        }
    }
    Ok(())
}

pub(super) async fn judge_eviction(asked: &Asked<'_>) -> Result<(), Status> {
    let review = asked.review;
    if review.operation != Operation::Create {
        return asked.refuse(format_args!("unexpected operation {}", review.operation.as_str()));
    }
    let named = if review.name.is_empty() { asked.object.map_or("", meta::name) } else { review.name };
    if named.is_empty() {
        return asked.refuse("could not determine pod from request data");
    }
    let pod = asked.find_core("pods", review.namespace, named).await?;
    if at(&pod, "/spec/nodeName") == asked.node {
        return Ok(());
    }
    asked.refuse(format_args!("node {} can only evict pods with spec.nodeName set to itself", asked.node))
}
