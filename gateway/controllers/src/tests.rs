//! All controllers together over a world in memory, and what their own tests share.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use catalog::Catalog;
use jiff::Timestamp;
use model::json::json;
use model::world::{DeleteOptions, Propagation};
use model::{Clock, World};

use crate::client::Clients;
use crate::world::{Fake, gvr};
use crate::{Context, Served, Sign, start};

/// What the time is in tests: ten seconds after everything was made.
pub(crate) const NOW: &str = "2030-01-01T00:00:10Z";

static BUILTIN: LazyLock<Arc<Catalog>> = LazyLock::new(|| Arc::new(Catalog::builtin().unwrap()));

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        NOW.parse().unwrap()
    }
}

/// A context over a fake world, and the world.
pub(crate) fn context(world: Fake) -> (Context, Arc<Fake>) {
    let world = Arc::new(world);
    let served: Served = Arc::new(|| Ok(BUILTIN.clone()));
    let sign: Sign = Arc::new(|(namespace, account, uid), secret| Ok(format!("{namespace} {account} {uid} {secret}")));
    let client = world.clone();
    let clients: Clients = Arc::new(move |_| client.clone());
    (
        Context {
            world: world.clone(),
            clients,
            clock: Arc::new(Stopped),
            shares_storage: false,
            served,
            root_ca: "ROOT".into(),
            sign,
        },
        world,
    )
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..2000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn the_controllers_run_together() {
    let resources = [
        ("v1/namespaces", "Namespace", false),
        ("v1/serviceaccounts", "ServiceAccount", true),
        ("v1/secrets", "Secret", true),
        ("v1/configmaps", "ConfigMap", true),
        ("v1/pods", "Pod", true),
        ("apps/v1/replicasets", "ReplicaSet", true),
    ];
    let (context, world) = context(Fake::new(&resources));
    let running = start(context, &["*".to_owned()], None);
    let namespace = json!({"metadata": {"name": "a"}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}});
    world.create(&gvr("v1/namespaces"), "", namespace).await.unwrap();
    until("service account", || world.names("v1/serviceaccounts") == ["a/default"]).await;
    until("root certificate", || world.names("v1/configmaps") == ["a/kube-root-ca.crt"]).await;

    let set = world.create(&gvr("apps/v1/replicasets"), "a", json!({"metadata": {"name": "r"}})).await.unwrap();
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": set["metadata"]["uid"]});
    world.create(&gvr("v1/pods"), "a", json!({"metadata": {"name": "p", "ownerReferences": [owner]}})).await.unwrap();
    let options = DeleteOptions { propagation: Propagation::Background, ..DeleteOptions::default() };
    world.delete(&gvr("apps/v1/replicasets"), "a", "r", options).await.unwrap();
    until("pod collected", || world.names("v1/pods").is_empty()).await;

    world.delete(&gvr("v1/namespaces"), "", "a", DeleteOptions::default()).await.unwrap();
    until("namespace gone", || world.names("v1/namespaces").is_empty()).await;
    assert!(world.names("v1/serviceaccounts").is_empty());
    assert!(running.metrics().iter().any(|queue| queue.name == "namespace-controller" && queue.adds > 0));
}

#[tokio::test]
async fn none_run_when_none_are_wanted() {
    let (context, _) = context(Fake::new(&[]));
    assert!(start(context, &["-*".to_owned()], None).metrics().is_empty());
}
