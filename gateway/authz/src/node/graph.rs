//! The edges as the store's cache has them now: brought up to date before an answer that needs them, so that a kubelet may read
//! what a Pod needs as soon as that is bound, and nothing that changes is read while no node asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use store::Store;

use super::edges::{Edges, Of, vertex};
use super::references;
use crate::live::Followed;

/// Whose objects say where something leads.
const TOLD_BY: [(Of, &str); 5] = [
    (Of::Pod, "/registry/pods/"),
    (Of::Volume, "/registry/persistentvolumes/"),
    (Of::Attachment, "/registry/volumeattachments/"),
    (Of::Slice, "/registry/resourceslices/"),
    (Of::CertificateRequest, "/registry/podcertificaterequests/"),
];

pub(super) struct Graph {
    edges: ArcSwap<Edges>,
    followed: [(Of, Followed); 5],
    /// The version that `edges` shows.
    seen: AtomicU64,
    /// Held while draining, so that whoever sees a new version waits until the edges show it.
    draining: Mutex<()>,
}

impl Graph {
    pub(super) fn new(store: &Store) -> Self {
        let followed = TOLD_BY.map(|(of, prefix)| (of, Followed::new(store, prefix)));
        // Never equal to the first version, so that the first answer drains.
        let seen = AtomicU64::new(version(&followed).wrapping_sub(1));
        Self { edges: ArcSwap::default(), followed, seen, draining: Mutex::new(()) }
    }

    /// Whether an object leads to a node.
    pub(super) fn leads(&self, of: Of, namespace: &str, name: &str, node: &str) -> bool {
        if version(&self.followed) != self.seen.load(Ordering::Acquire) {
            self.catch_up();
        }
        self.edges.load().leads(&vertex(of, namespace, name), &vertex(Of::Node, "", node))
    }

    /// Takes in what changed.
    pub(super) fn catch_up(&self) {
        // A panic while draining left the old edges in place; the next one drains on.
        let _draining = self.draining.lock().unwrap_or_else(PoisonError::into_inner);
        // Read before draining: a change in between is drained twice at worst, never missed.
        let version = version(&self.followed);
        if version == self.seen.load(Ordering::Acquire) {
            return;
        }
        let mut edges = Edges::clone(&self.edges.load());
        for (of, followed) in &self.followed {
            for change in followed.drain() {
                let said = change.object.map_or_else(Vec::new, |object| references::edges(*of, &object));
                edges.say(vertex(*of, &change.namespace, &change.name), said);
            }
        }
        self.edges.store(Arc::new(edges));
        self.seen.store(version, Ordering::Release);
    }
}

/// Each only rises, so their sum rises with every change of any.
fn version(followed: &[(Of, Followed)]) -> u64 {
    followed.iter().map(|(_, followed)| followed.version()).sum()
}
