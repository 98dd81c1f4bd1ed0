//! The objects that tokens are bound to, looked up in the store's cache. Judges no token (`authn`).

use std::sync::Arc;

use authn::service_account::{Bound, Found, Lookup};
use model::Value;
use serde::Deserialize;
use store::{Entry, ResourceCache, Store};

/// Finds service accounts, pods, secrets and nodes.
pub struct Accounts {
    service_accounts: Arc<ResourceCache>,
    pods: Arc<ResourceCache>,
    secrets: Arc<ResourceCache>,
    nodes: Arc<ResourceCache>,
}

/// The little that is read of an object; the rest of it is skipped, not parsed into a tree.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(default)]
    uid: &'a str,
    #[serde(default)]
    deletion_timestamp: Option<&'a str>,
}

impl Accounts {
    /// Looks in this store.
    pub fn new(store: &Store) -> Self {
        let resource = |name: &str| store.resource(&format!("/registry/{name}/"));
        Self {
            service_accounts: resource("serviceaccounts"),
            pods: resource("pods"),
            secrets: resource("secrets"),
            // Upstream keeps nodes under their oldest name.
            nodes: resource("minions"),
        }
    }
}

impl Accounts {
    fn entry(&self, what: Bound, namespace: &str, name: &str) -> Option<Arc<Entry>> {
        let resource = match what {
            Bound::ServiceAccount => &self.service_accounts,
            Bound::Pod => &self.pods,
            Bound::Secret => &self.secrets,
            Bound::Node => &self.nodes,
        };
        let rest = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
        resource.get(&format!("{}{rest}", resource.prefix()))
    }
}

impl Lookup for Accounts {
    fn find(&self, what: Bound, namespace: &str, name: &str) -> Option<Found> {
        let entry = self.entry(what, namespace, name)?;
        let object: Object<'_> = serde_json::from_slice(&entry.body).ok()?;
        let deleted = object.metadata.deletion_timestamp.and_then(|at| at.parse().ok());
        Some(Found { uid: object.metadata.uid.to_owned(), deleted })
    }

    fn object(&self, what: Bound, namespace: &str, name: &str) -> Option<Value> {
        serde_json::from_slice(&self.entry(what, namespace, name)?.body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{Draft, Expect, Header, Key, Op};

    #[tokio::test]
    async fn finds_uid_and_deletion() {
        let store = Store::memory().unwrap();
        let body = r#"{"metadata":{"name":"builder","uid":"u1","deletionTimestamp":"2026-01-01T00:00:00Z","resourceVersion":""},"secrets":[{"name":"x"}]}"#;
        let draft = Draft { header: Header::default(), body: body.into(), revision_at: body.find(r#"""#).unwrap(), ttl_s: None };
        let revision_at = body.find(r#""resourceVersion":""#).unwrap() + r#""resourceVersion":""#.len();
        let draft = Draft { revision_at, ..draft };
        let key = Key::new("/registry/serviceaccounts/", "default/builder");
        store.commit(vec![Op::Put { key, expect: Expect::Absent, draft }]).await.unwrap();
        let accounts = Accounts::new(&store);
        let found = accounts.find(Bound::ServiceAccount, "default", "builder").unwrap();
        assert_eq!((found.uid.as_str(), found.deleted), ("u1", Some("2026-01-01T00:00:00Z".parse().unwrap())));
        assert_eq!(accounts.find(Bound::ServiceAccount, "default", "other"), None);
        assert_eq!(accounts.find(Bound::Node, "", "builder"), None);
    }
}
