//! The Node authorizer: a kubelet reads what the Pods of its node refer to, writes what is its own, and has for all else the rules
//! of the role `system:node`. What it may write of an object is plugin NodeRestriction's (`admission`).
//! Follows `plugin/pkg/auth/authorizer/node/node_authorizer.go` with the feature gates of 1.37 as they stand by default.

mod edges;
mod graph;
mod references;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use model::{Attributes, Decision};
use store::Store;

use crate::rule::PolicyRule;
use edges::Of;
use graph::Graph;

const LEASES: &str = "kube-node-lease";

/// Authorizes nodes by what refers to what.
pub struct Nodes {
    graph: Arc<Graph>,
    rules: Vec<PolicyRule>,
}

/// A question of one node.
struct Asked<'a> {
    graph: &'a Graph,
    node: &'a str,
    attributes: &'a Attributes,
}

impl Nodes {
    /// Follows the objects of a store. `rules` are the role `system:node` as it is when a cluster begins: whoever changes the
    /// role does not change what nodes may do here.
    pub fn new(store: &Store, rules: Vec<PolicyRule>) -> Self {
        let graph = Arc::new(Graph::new(store));
        // A hundred thousand Pods take seconds to read, for which the first node would wait otherwise. Where no thread is to be
        // had it does.
        let first = graph.clone();
        let _ = std::thread::Builder::new().name("nodes".to_owned()).spawn(move || first.catch_up());
        Self { graph, rules }
    }

    /// Decides about nodes; of others it has no opinion, and it refuses nothing for good.
    pub fn decide(&self, attributes: &Attributes) -> Decision {
        let Some(node) = attributes.user.node() else { return no("") };
        if node.is_empty() {
            return no(format!("unknown node for user {}", model::field::quote(&attributes.user.name)));
        }
        if let Some(decision) = (Asked { graph: &self.graph, node, attributes }).decide() {
            return decision;
        }
        if self.rules.iter().any(|rule| rule.allows(attributes)) { yes() } else { no("") }
    }
}

fn yes() -> Decision {
    Decision::Allow(String::new())
}

fn no(reason: impl Into<String>) -> Decision {
    Decision::NoOpinion(reason.into())
}

impl Asked<'_> {
    /// Decides about what nodes share among themselves; `None` about all else.
    fn decide(&self) -> Option<Decision> {
        if !self.attributes.resource_request {
            return None;
        }
        Some(match (self.attributes.group.as_str(), self.attributes.resource.as_str()) {
            ("", "secrets") => self.read(Of::Secret),
            ("", "configmaps") => self.read(Of::ConfigMap),
            ("", "persistentvolumeclaims") if self.subresource() == "status" => self.update_status(),
            ("", "persistentvolumeclaims") => self.get(Of::Claim),
            ("", "persistentvolumes") => self.get(Of::Volume),
            ("resource.k8s.io", "resourceclaims") => self.get(Of::ResourceClaim),
            ("storage.k8s.io", "volumeattachments") => self.get(Of::Attachment),
            ("", "serviceaccounts") => self.service_account(),
            ("coordination.k8s.io", "leases") => self.lease(),
            ("storage.k8s.io", "csinodes") => self.csi_node(),
            ("resource.k8s.io", "resourceslices") => self.slice(),
            ("", "nodes") => self.own_node(),
            ("", "pods") => self.pod(),
            ("certificates.k8s.io", "podcertificaterequests") => self.certificate_request(),
            _ => return None,
        })
    }

    fn verb(&self) -> &str {
        &self.attributes.verb
    }

    fn subresource(&self) -> &str {
        &self.attributes.subresource
    }

    /// Whether the object that is named is this node's.
    fn related(&self, of: Of) -> Decision {
        if self.attributes.name.is_empty() {
            return no("No Object name found");
        }
        if self.graph.leads(of, &self.attributes.namespace, &self.attributes.name, self.node) {
            return yes();
        }
        no(format!("no relationship found between node '{}' and this object", self.node))
    }

    /// Whether a selector of fields asks for nothing but what is this node's.
    fn selects(&self, field: &str) -> bool {
        self.attributes.fields.iter().any(|term| term.equal && term.field == field && term.value == self.node)
    }

    fn update_status(&self) -> Decision {
        match self.verb() {
            "update" | "patch" => self.related(Of::Claim),
            _ => no("can only get/update/patch this type"),
        }
    }

    fn get(&self, of: Of) -> Decision {
        match (self.verb(), self.subresource()) {
            ("get", "") => self.related(of),
            ("get", _) => no("cannot get subresource"),
            _ => no("can only get individual resources of this type"),
        }
    }

    fn read(&self, of: Of) -> Decision {
        match self.verb() {
            "get" | "list" | "watch" if !self.subresource().is_empty() => no("cannot read subresource"),
            "get" | "list" | "watch" if self.attributes.namespace.is_empty() => {
                no("can only read namespaced object of this type")
            }
            "get" | "list" | "watch" => self.related(of),
            _ => no("can only read resources of this type"),
        }
    }

    fn service_account(&self) -> Decision {
        match (self.verb(), self.subresource()) {
            ("get", "") => self.read(Of::ServiceAccount),
            ("create", _) if self.attributes.name.is_empty() => no("can only create tokens for individual service accounts"),
            ("create", "token") => self.related(Of::ServiceAccount),
            ("create", _) => no("can only create token subresource of serviceaccount"),
            _ => no("can only create tokens for individual service accounts"),
        }
    }

    fn lease(&self) -> Decision {
        match self.verb() {
            "get" | "create" | "update" | "patch" | "delete" => {}
            _ => return no("can only get, create, update, patch, or delete a node lease"),
        }
        if self.attributes.namespace != LEASES {
            return no(format!("can only access leases in the {LEASES:?} system namespace"));
        }
        self.named_alike("can only access node lease with the same name as the requesting node")
    }

    fn csi_node(&self) -> Decision {
        match (self.subresource(), self.verb()) {
            ("", "get" | "create" | "update" | "patch" | "delete") => {
                self.named_alike("can only access CSINode with the same name as the requesting node")
            }
            ("", _) => no("can only get, create, update, patch, or delete a CSINode"),
            ("status", _) => no("CSINode status access requires CSIVolumeHealth feature"),
            _ => no("cannot authorize CSINode subresources"),
        }
    }

    /// An object is the node's by its name, which nobody knows yet when it is created: there NodeRestriction looks.
    fn named_alike(&self, otherwise: &str) -> Decision {
        if self.verb() == "create" || self.attributes.name == self.node { yes() } else { no(otherwise) }
    }

    fn slice(&self) -> Decision {
        match (self.subresource(), self.verb()) {
            ("", "create") => yes(),
            ("", "get" | "update" | "patch" | "delete") => self.related(Of::Slice),
            ("", "watch" | "list" | "deletecollection") if self.selects("spec.nodeName") => yes(),
            ("", "watch" | "list" | "deletecollection") => {
                no("can only list/watch/deletecollection resourceslices with nodeName field selector")
            }
            ("", _) => no(
                "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection",
            ),
            _ => no("cannot authorize ResourceSlice subresources"),
        }
    }

    fn certificate_request(&self) -> Decision {
        match (self.subresource(), self.verb()) {
            ("", "create") => yes(),
            ("", "get") => self.related(Of::CertificateRequest),
            ("", "list" | "watch") if self.selects("spec.nodeName") => yes(),
            ("", "list" | "watch") => no("can only list/watch podcertificaterequests with nodeName field selector"),
            ("", verb) => no(format!("nodes may not {verb} podcertificaterequests")),
            _ => no("nodes may not access the status subresource of PodCertificateRequests"),
        }
    }

    /// By its name and not by what refers to it: a kubelet looks for its Node before there is one.
    fn own_node(&self) -> Decision {
        match (self.subresource(), self.verb(), self.attributes.name.as_str()) {
            ("", "create" | "update" | "patch", _) | ("status", "update" | "patch", _) => yes(),
            ("", "get" | "list" | "watch", name) if name == self.node => yes(),
            ("", "get" | "list" | "watch", "") => {
                no(format!("node '{}' cannot read all nodes, only its own Node object", self.node))
            }
            ("", "get" | "list" | "watch", name) => {
                no(format!("node '{}' cannot read '{name}', only its own Node object", self.node))
            }
            _ => no(""),
        }
    }

    fn pod(&self) -> Decision {
        match (self.subresource(), self.verb()) {
            ("", "get") => self.related(Of::Pod),
            ("", "list" | "watch") if self.selects("spec.nodeName") => yes(),
            ("", "list" | "watch") if !self.attributes.name.is_empty() => self.related(Of::Pod),
            ("", "list" | "watch") => no("can only list/watch pods with spec.nodeName field selector"),
            ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => yes(),
            _ => no(""),
        }
    }
}
