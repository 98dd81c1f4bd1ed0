//! What leads to which node, at one moment. Does not know where it comes from (`graph`).
//! Follows `plugin/pkg/auth/authorizer/node/graph.go`. There a Pod lies between what it refers to and its node, and an index
//! shortens the way where many Pods refer to one thing; here what a Pod refers to leads to the node at once, as often as there
//! are such Pods.

use std::sync::Arc;

use imbl::HashMap;

/// What may lead to a node, or be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Of {
    Node,
    Pod,
    ConfigMap,
    Secret,
    ServiceAccount,
    Claim,
    Volume,
    ResourceClaim,
    Attachment,
    Slice,
    CertificateRequest,
}

/// One object: what it is, its namespace (empty where it has none) and its name.
pub(super) type Vertex = (Of, Arc<str>, Arc<str>);

/// From one object to another that is nearer to the node.
pub(super) type Edge = (Vertex, Vertex);

/// Builds the name of an object.
pub(super) fn vertex(of: Of, namespace: &str, name: &str) -> Vertex {
    (of, namespace.into(), name.into())
}

/// All edges, by the objects that say them.
#[derive(Clone, Default)]
pub(super) struct Edges {
    /// What each object said, so that it can be taken back.
    said: HashMap<Vertex, Arc<[Edge]>>,
    /// Where each leads, and how many objects say so.
    next: HashMap<Vertex, HashMap<Vertex, usize>>,
}

impl Edges {
    /// Takes in what an object says now, in place of what it said; nothing when it is gone.
    pub(super) fn say(&mut self, who: Vertex, edges: Vec<Edge>) {
        if self.said.get(&who).map_or(&[][..], |said| &**said) == edges.as_slice() {
            return;
        }
        for (from, to) in self.said.remove(&who).iter().flat_map(|said| said.iter()) {
            self.forget(from, to);
        }
        for (from, to) in &edges {
            *self.next.entry(from.clone()).or_default().entry(to.clone()).or_default() += 1;
        }
        if !edges.is_empty() {
            self.said.insert(who, edges.into());
        }
    }

    fn forget(&mut self, from: &Vertex, to: &Vertex) {
        let Some(targets) = self.next.get_mut(from) else { return };
        match targets.get_mut(to) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = targets.remove(to),
        }
        if targets.is_empty() {
            self.next.remove(from);
        }
    }

    /// Whether there is a way from an object to a node. It has three steps at most: a secret, a volume, its claim.
    pub(super) fn leads(&self, from: &Vertex, node: &Vertex) -> bool {
        let Some(targets) = self.next.get(from) else { return false };
        if targets.contains_key(node) {
            return true;
        }
        // Only these lead elsewhere than to nodes, of which there may be many.
        matches!(from.0, Of::Secret | Of::Volume)
            && targets.keys().any(|target| matches!(target.0, Of::Volume | Of::Claim) && self.leads(target, node))
    }

    /// How many objects are known to lead somewhere.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.next.len()
    }
}
