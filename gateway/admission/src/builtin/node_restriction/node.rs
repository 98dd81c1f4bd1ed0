//! What a node may write of itself: its Node but for what steers Pods, its lease, its CSINode, its slices, its certificates.

use catalog::hooks::certificatesigningrequest::common_name;
use model::field::quote;
use model::user::NODE_PREFIX;
use model::{Status, Value, meta};

use super::{Asked, at, labels, part};
use crate::Operation;

const LEASES: &str = "kube-node-lease";
/// Labels in this domain are kept from nodes for those who rely on them.
const RESTRICTED: &str = "node-restriction.kubernetes.io";
/// Labels of Kubernetes' own domains that kubelets set.
const OWN_LABELS: &[&str] = &[
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
];
const OWN_DOMAINS: &[&str] = &["kubelet.kubernetes.io", "node.kubernetes.io"];
/// Signers of what a kubelet shows to servers and to clients.
const SIGNERS: &[&str] = &["kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"];

pub(super) fn judge(asked: &Asked<'_>) -> Result<(), Status> {
    let (node, review) = (quote(asked.node), asked.review);
    let named = asked.object.filter(|_| review.name.is_empty()).map_or(review.name, meta::name);
    if named != asked.node {
        return asked.refuse(format_args!("node {node} is not allowed to modify node {}", quote(named)));
    }
    match review.operation {
        Operation::Create => {
            let Some(object) = asked.object else { return asked.unexpected() };
            if part(object, "/spec/configSource").is_some() {
                return asked.refuse(format_args!("node {node} is not allowed to create pods with a non-nil configSource"));
            }
            let forbidden = forbidden_labels(object, &Value::Null);
            if !forbidden.is_empty() {
                let why = format!("node {node} is not allowed to set the following labels: {}", forbidden.join(", "));
                return asked.refuse(why);
            }
        }
        Operation::Update => judge_update(asked)?,
        _ => {}
    }
    Ok(())
}

/// Taints, owners and labels decide what runs on a node and what becomes of it.
fn judge_update(asked: &Asked<'_>) -> Result<(), Status> {
    let (node, (new, old)) = (quote(asked.node), asked.both()?);
    let differs = |pointer| part(new, pointer) != part(old, pointer);
    if part(new, "/spec/configSource").is_some() && differs("/spec/configSource") {
        return asked.refuse(format_args!("node {node} is not allowed to update configSource to a new non-nil configSource"));
    }
    if differs("/spec/taints") {
        return asked.refuse(format_args!("node {node} is not allowed to modify taints"));
    }
    if differs("/metadata/ownerReferences") {
        return asked.refuse(format_args!("node {node} is not allowed to modify ownerReferences"));
    }
    let forbidden = forbidden_labels(new, old);
    if !forbidden.is_empty() {
        return asked.refuse(format_args!("is not allowed to modify labels: {}", forbidden.join(", ")));
    }
    Ok(())
}

/// Labels that differ and are not a node's to set, in order.
fn forbidden_labels<'v>(new: &'v Value, old: &'v Value) -> Vec<&'v str> {
    let (new, old) = (labels(new), labels(old));
    let mut modified: Vec<&str> = new.keys().chain(old.keys()).copied().filter(|key| new.get(key) != old.get(key)).collect();
    modified.sort_unstable();
    modified.dedup();
    modified.retain(|label| is_forbidden(label));
    modified
}

fn is_forbidden(label: &str) -> bool {
    let domain = label.split_once('/').map_or("", |(domain, _)| domain);
    let within = |of: &str| domain == of || domain.strip_suffix(of).is_some_and(|rest| rest.ends_with('.'));
    let kubernetes = within("kubernetes.io") || within("k8s.io");
    let own = OWN_LABELS.contains(&label) || OWN_DOMAINS.iter().any(|of| within(of));
    within(RESTRICTED) || kubernetes && !own
}

pub(super) fn judge_lease(asked: &Asked<'_>) -> Result<(), Status> {
    if asked.review.namespace != LEASES {
        return asked.refuse(format_args!("can only access leases in the {} system namespace", quote(LEASES)));
    }
    judge_name(asked, "node lease")
}

pub(super) fn judge_csi_node(asked: &Asked<'_>) -> Result<(), Status> {
    judge_name(asked, "CSINode")?;
    if asked.review.subresource == "status" { asked.refuse("CSIVolumeHealth feature gate is disabled") } else { Ok(()) }
}

/// What is named as its node.
fn judge_name(asked: &Asked<'_>, what: &str) -> Result<(), Status> {
    let created = asked.object.filter(|_| asked.review.operation == Operation::Create);
    if created.map_or(asked.review.name, meta::name) == asked.node {
        return Ok(());
    }
    asked.refuse(format_args!("can only access {what} with the same name as the requesting node"))
}

/// What is neither made nor removed is judged by the authorizer, who knows the object then.
pub(super) fn judge_slice(asked: &Asked<'_>) -> Result<(), Status> {
    let (deed, slice) = match asked.review.operation {
        Operation::Create => ("create", asked.object),
        Operation::Delete => ("delete", asked.review.old),
        _ => return Ok(()),
    };
    if slice.is_some_and(|slice| at(slice, "/spec/nodeName") == asked.node) {
        return Ok(());
    }
    asked.refuse(format_args!("can only {deed} ResourceSlice with the same NodeName as the requesting node"))
}

pub(super) fn judge_signing_request(asked: &Asked<'_>) -> Result<(), Status> {
    let created = asked.object.filter(|_| asked.review.operation == Operation::Create);
    let Some(request) = created.filter(|request| SIGNERS.contains(&at(request, "/spec/signerName"))) else { return Ok(()) };
    let named = common_name(request).map_err(|why| asked.forbidden(format_args!("unable to parse csr: {why}")))?;
    if named.strip_prefix(NODE_PREFIX) == Some(asked.node) {
        return Ok(());
    }
    asked.refuse(format_args!("can only create a node CSR with CN={NODE_PREFIX}{}", asked.node))
}
