//! NodeRestriction: a kubelet writes its own Node, what belongs to that, and the Pods that run there. Asks only who the user is
//! (`system:node:NAME` in the group of nodes); what a node may read is the authorizer's.
//! Follows `plugin/pkg/admission/noderestriction` with the feature gates of 1.37 as they stand by default.

mod node;
mod pod;
mod token;

use std::collections::BTreeMap;

use model::field::quote;
use model::{GroupResource, GroupVersionResource, Status, Value, meta};

use crate::builtin::{forbidden, is};
use crate::{Cluster, Notes, Operation, Plugin, Review};

const CERTIFICATES: &str = "certificates.k8s.io";

pub(super) struct NodeRestriction(pub(super) Cluster);

/// One write by a node.
struct Asked<'a> {
    cluster: &'a Cluster,
    review: &'a Review<'a>,
    /// What is to be stored; nothing on a delete.
    object: Option<&'a Value>,
    node: &'a str,
}

impl NodeRestriction {
    async fn judge(&self, review: &Review<'_>, object: Option<&Value>) -> Result<(), Status> {
        let Some(node) = review.user.node() else { return Ok(()) };
        let asked = Asked { cluster: &self.0, review, object, node };
        if node.is_empty() {
            return asked.refuse(format_args!("could not determine node from user {}", quote(&review.user.name)));
        }
        let of = |group, plural| is(review.resource, group, plural);
        match review.subresource {
            "" if of("", "pods") => pod::judge(&asked).await,
            "status" if of("", "pods") => pod::judge_status(&asked),
            "eviction" if of("", "pods") => pod::judge_eviction(&asked).await,
            other if of("", "pods") => asked
                .refuse(format_args!("unexpected pod subresource {}, only 'status' and 'eviction' are allowed", quote(other))),
            _ if of("", "nodes") => node::judge(&asked),
            "status" if of("", "persistentvolumeclaims") => claim_status(&asked),
            _ if of("", "persistentvolumeclaims") => asked.refuse("may only update PVC status"),
            "token" if of("", "serviceaccounts") => token::judge(&asked).await,
            _ if of(CERTIFICATES, "podcertificaterequests") => token::judge_certificate(&asked).await,
            _ if of("coordination.k8s.io", "leases") => node::judge_lease(&asked),
            _ if of("storage.k8s.io", "csinodes") => node::judge_csi_node(&asked),
            _ if of("resource.k8s.io", "resourceslices") => node::judge_slice(&asked),
            _ if of(CERTIFICATES, "certificatesigningrequests") => node::judge_signing_request(&asked),
            _ => Ok(()),
        }
    }
}

impl Asked<'_> {
    fn refuse(&self, why: impl std::fmt::Display) -> Result<(), Status> {
        Err(self.forbidden(why))
    }

    fn forbidden(&self, why: impl std::fmt::Display) -> Status {
        forbidden(self.review, self.object, why)
    }

    fn unexpected(&self) -> Result<(), Status> {
        self.refuse(format_args!("unexpected operation {}", quote(self.review.operation.as_str())))
    }

    /// The object that is to be stored, and the one that is.
    fn both(&self) -> Result<(&Value, &Value), Status> {
        let both = self.object.zip(self.review.old);
        both.ok_or_else(|| self.forbidden("unexpected type <nil>"))
    }

    /// An object as upstream's listers find it, which call what is not there after its kind. Nothing has no name: of the objects
    /// of a collection that goes, none is told by its name.
    async fn find(&self, resource: &GroupVersionResource, namespace: &str, name: &str) -> Result<Value, Status> {
        let missing = || {
            let singular = resource.resource.strip_suffix('s').unwrap_or(&resource.resource);
            Status::not_found(&GroupResource::new(&resource.group, singular), name)
        };
        if name.is_empty() {
            return Err(missing());
        }
        self.cluster.world.get(resource, namespace, name).await.map_err(|why| if why.code == 404 { missing() } else { why })
    }

    async fn find_core(&self, resource: &str, namespace: &str, name: &str) -> Result<Value, Status> {
        self.find(&GroupVersionResource::new("", "v1", resource), namespace, name).await
    }
}

/// The text at a pointer, empty where there is none.
fn at<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// What is there, where nothing, null and an empty list or map are the same.
fn part(object: &Value, pointer: &str) -> Option<Value> {
    let found = object.pointer(pointer).filter(|found| !found.is_null())?;
    let empty = found.as_array().is_some_and(Vec::is_empty) || found.as_object().is_some_and(|map| map.is_empty());
    (!empty).then(|| found.clone())
}

fn labels(object: &Value) -> BTreeMap<&str, &str> {
    meta::labels(object).collect()
}

/// Of a claim a node tells sizes and conditions, and nothing else.
fn claim_status(asked: &Asked<'_>) -> Result<(), Status> {
    if asked.review.operation != Operation::Update {
        return asked.unexpected();
    }
    let (new, old) = asked.both()?;
    let rest = |claim: &Value| {
        let mut rest = claim.clone();
        if let Some(metadata) = meta::metadata_mut(&mut rest) {
            metadata.shift_remove("resourceVersion");
            metadata.shift_remove("managedFields");
        }
        if let Some(status) = rest.get_mut("status").and_then(Value::as_object_mut) {
            for field in ["capacity", "conditions", "allocatedResourceStatuses", "allocatedResources"] {
                status.shift_remove(field);
            }
        }
        rest
    };
    if rest(new) == rest(old) {
        return Ok(());
    }
    asked.refuse(format_args!(
        "node {} is not allowed to update fields other than status.quantity and status.conditions",
        quote(asked.node)
    ))
}

#[async_trait::async_trait]
impl Plugin for NodeRestriction {
    fn name(&self) -> &'static str {
        "NodeRestriction"
    }

    fn handles(&self, operation: Operation, _: &GroupVersionResource, _: &str) -> bool {
        operation != Operation::Connect
    }

    /// Before others change the object, as upstream: what a webhook adds is not the node's.
    async fn mutate(&self, review: &Review<'_>, object: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        self.judge(review, Some(object)).await
    }

    fn reinvocable(&self) -> bool {
        false
    }

    async fn validate(&self, review: &Review<'_>, _object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        if review.operation == Operation::Delete { self.judge(review, None).await } else { Ok(()) }
    }
}
