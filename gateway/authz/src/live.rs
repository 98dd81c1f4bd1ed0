//! RBAC objects straight from the store's cache: what changed is found by comparing two snapshots, so that nothing is
//! watched and nothing is missed. Does not judge them.

use std::sync::{Arc, Mutex, PoisonError};

use store::{Entry, ResourceCache, Snapshot, Store};

use crate::index::Kind;
use crate::rbac::{Change, Source};

/// The four resources in a store.
pub struct Live {
    resources: [(Kind, Arc<ResourceCache>); 4],
    /// What was reported last, in the same order.
    seen: Mutex<[Option<Snapshot>; 4]>,
}

impl Live {
    /// Follows the objects under `/registry/roles/` and its siblings.
    pub fn new(store: &Store) -> Self {
        let resources = Kind::ALL.map(|kind| (kind, store.resource(&format!("/registry/{}/", kind.resource()))));
        Self { resources, seen: Mutex::default() }
    }
}

impl Source for Live {
    fn version(&self) -> u64 {
        // Each only rises, so their sum rises with every change of any.
        self.resources.iter().map(|(_, resource)| resource.version()).sum()
    }

    fn drain(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for ((kind, resource), seen) in self.resources.iter().zip(seen.iter_mut()) {
            let now = resource.snapshot();
            match seen {
                Some(older) => changes.extend(now.changes_since(older).map(|(key, entry)| change(*kind, resource, key, entry))),
                None => changes.extend(now.iter().map(|entry| change(*kind, resource, entry.key.as_str(), Some(entry)))),
            }
            *seen = Some(now);
        }
        changes
    }
}

fn change(kind: Kind, resource: &ResourceCache, key: &str, entry: Option<&Arc<Entry>>) -> Change {
    let object = entry.and_then(|entry| match serde_json::from_slice(&entry.body) {
        Ok(object) => Some(object),
        Err(error) => {
            // A role or binding that cannot be read grants nothing.
            tracing::error!(key, %error, "unreadable rbac object");
            None
        }
    });
    let place = key.strip_prefix(resource.prefix()).unwrap_or(key);
    let (namespace, name) = place.rsplit_once('/').unwrap_or(("", place));
    match object {
        Some(object) => Change::Put(kind, object),
        None => Change::Remove(kind, namespace.to_owned(), name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use store::{Draft, Expect, Header, Key, Op};

    fn put(kind: Kind, rest: &str, body: &str) -> Op {
        let key = Key::new(&format!("/registry/{}/", kind.resource()), rest);
        let revision_at = body.find("\"resourceVersion\":\"").expect("a place for the revision") + "\"resourceVersion\":\"".len();
        let draft = Draft { header: Header::default(), body: Bytes::copy_from_slice(body.as_bytes()), revision_at, ttl_s: None };
        Op::Put { key, expect: Expect::Any, draft }
    }

    fn told(changes: &[Change]) -> Vec<String> {
        let one = |change: &Change| match change {
            Change::Put(kind, object) => format!("put {} {}", kind.as_str(), model::meta::name(object)),
            Change::Remove(kind, namespace, name) => format!("remove {} {namespace}/{name}", kind.as_str()),
        };
        changes.iter().map(one).collect()
    }

    #[tokio::test]
    async fn every_change_is_told_once() {
        let store = Store::memory().unwrap();
        let body = |name: &str| format!(r#"{{"metadata":{{"name":"{name}","namespace":"a","resourceVersion":""}}}}"#);
        store.commit(vec![put(Kind::Role, "a/old", &body("old"))]).await.unwrap();
        let live = Live::new(&store);
        assert_eq!(told(&live.drain()), ["put Role old"]);

        let version = live.version();
        store.commit(vec![put(Kind::Role, "a/new", &body("new")), put(Kind::RoleBinding, "a/b", &body("b"))]).await.unwrap();
        assert_ne!(live.version(), version);
        assert_eq!(told(&live.drain()), ["put Role new", "put RoleBinding b"]);
        assert_eq!(told(&live.drain()), [""; 0]);

        store.commit(vec![Op::Delete { key: Key::new("/registry/roles/", "a/old"), expect: Expect::Any }]).await.unwrap();
        assert_eq!(told(&live.drain()), ["remove Role a/old"]);
    }

    #[tokio::test]
    async fn changes_elsewhere_cost_nothing() {
        let store = Store::memory().unwrap();
        let live = Live::new(&store);
        let version = live.version();
        let draft = Draft {
            header: Header::default(),
            body: Bytes::from_static(b"{\"metadata\":{\"resourceVersion\":\"\"}}"),
            revision_at: 32,
            ttl_s: None,
        };
        store.commit(vec![Op::Put { key: Key::new("/registry/pods/", "a/p"), expect: Expect::Any, draft }]).await.unwrap();
        assert_eq!(live.version(), version);
    }
}
