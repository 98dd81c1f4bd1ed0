//! Objects straight from the store's cache, those of RBAC and others: what changed is found by comparing two snapshots, so that
//! nothing is watched and nothing is missed. Does not judge them.

use std::sync::{Arc, Mutex, PoisonError};

use model::Value;
use store::{Entry, ResourceCache, Snapshot, Store};

use crate::index::Kind;
use crate::rbac::{Change, Source};

/// The four resources in a store.
pub struct Live {
    resources: [(Kind, Followed); 4],
}

impl Live {
    /// Follows the objects under `/registry/roles/` and its siblings.
    pub fn new(store: &Store) -> Self {
        Self { resources: Kind::ALL.map(|kind| (kind, Followed::new(store, &format!("/registry/{}/", kind.resource())))) }
    }
}

impl Source for Live {
    fn version(&self) -> u64 {
        // Each only rises, so their sum rises with every change of any.
        self.resources.iter().map(|(_, resource)| resource.version()).sum()
    }

    fn drain(&self) -> Vec<Change> {
        let told = |(kind, resource): &(Kind, Followed)| {
            let kind = *kind;
            resource.drain().into_iter().map(move |changed| match changed.object {
                Some(object) => Change::Put(kind, object),
                None => Change::Remove(kind, changed.namespace, changed.name),
            })
        };
        self.resources.iter().flat_map(told).collect()
    }
}

/// One resource in a store, and what of it was told.
pub(crate) struct Followed {
    resource: Arc<ResourceCache>,
    /// What was told last.
    seen: Mutex<Option<Snapshot>>,
}

/// One object that changed: what it is now, nothing when it is gone.
pub(crate) struct Changed {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) object: Option<Value>,
}

impl Followed {
    /// Follows the objects under a prefix.
    pub(crate) fn new(store: &Store, prefix: &str) -> Self {
        Self { resource: store.resource(prefix), seen: Mutex::default() }
    }

    /// Rises with every change.
    pub(crate) fn version(&self) -> u64 {
        self.resource.version()
    }

    /// What changed since the last call; the first call tells every object.
    pub(crate) fn drain(&self) -> Vec<Changed> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.resource.snapshot();
        let changes = match seen.as_ref() {
            Some(older) => now.changes_since(older).map(|(key, entry)| self.changed(key, entry)).collect(),
            None => now.iter().map(|entry| self.changed(entry.key.as_str(), Some(entry))).collect(),
        };
        *seen = Some(now);
        changes
    }

    fn changed(&self, key: &str, entry: Option<&Arc<Entry>>) -> Changed {
        let object = entry.and_then(|entry| match serde_json::from_slice(&entry.body) {
            Ok(object) => Some(object),
            Err(error) => {
                // What cannot be read grants nothing.
                tracing::error!(key, %error, "unreadable object");
                None
            }
        });
        let place = key.strip_prefix(self.resource.prefix()).unwrap_or(key);
        let (namespace, name) = place.rsplit_once('/').unwrap_or(("", place));
        Changed { namespace: namespace.to_owned(), name: name.to_owned(), object }
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
