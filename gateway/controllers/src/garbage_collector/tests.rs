//! Owners that go, in every way, over a world in memory.

use std::sync::Arc;

use model::world::DeleteOptions;

use super::*;
use crate::world::{Fake, gvr};

const RESOURCES: &[(&str, &str, bool)] = &[
    ("v1/pods", "Pod", true),
    ("apps/v1/replicasets", "ReplicaSet", true),
    ("apps/v1/deployments", "Deployment", true),
    ("v1/nodes", "Node", false),
];

struct Cluster {
    world: Fake,
    collector: Collector,
}

impl Cluster {
    fn new() -> Self {
        let world = Fake::new(RESOURCES);
        let (_, synced) = watch::channel(true);
        let collector = Collector::new(&world.resources(), synced);
        Self { world, collector }
    }

    fn add(&self, path: &str, name: &str, owners: Value) {
        self.world.seed(path, json!({"metadata": {"namespace": "a", "name": name, "uid": name, "ownerReferences": owners}}));
        self.hear(path, name);
    }

    /// Tells the collector how an object is now.
    fn hear(&self, path: &str, name: &str) {
        let resource = gvr(path);
        let now = self.world.peek(path, "a", name);
        let last = json!({"metadata": {"namespace": "a", "name": name, "uid": name}});
        let what = if now.is_some() { What::Modified } else { What::Deleted };
        self.collector.hear(&Change { resource: &resource, what, object: now.as_ref().unwrap_or(&last) });
    }

    async fn delete(&self, path: &str, name: &str, propagation: Propagation) {
        self.world.delete(&gvr(path), "a", name, DeleteOptions { propagation, ..DeleteOptions::default() }).await.unwrap();
        self.hear(path, name);
    }

    /// Works off the queue, telling the collector of everything it did, until nothing is left.
    async fn settle(&self) {
        while self.collector.queue.depth() > 0 {
            let item = self.collector.queue.next().await.unwrap();
            self.collector.reconcile(&self.world, &item).await.unwrap();
            self.collector.queue.done(&item);
            let before: Vec<Arc<Item>> = self.collector.lock().everything();
            for item in before {
                let path = RESOURCES.iter().find(|r| gvr(r.0) == item.resource).unwrap().0;
                let gone = self.world.peek(path, "a", &item.name).is_none();
                let ending = self.world.peek(path, "a", &item.name).is_some_and(|o| meta::deletion_timestamp(&o).is_some());
                let fresh = ending && !self.collector.lock().is_ending(&item.uid);
                if gone || fresh {
                    self.hear(path, &item.name);
                }
            }
        }
    }

    fn owners(&self, path: &str, name: &str) -> Vec<String> {
        let object = self.world.peek(path, "a", name).unwrap();
        meta::owner_references(&object).iter().map(|r| r["uid"].as_str().unwrap().to_owned()).collect()
    }
}

fn by(kind: &str, name: &str, blocks: bool) -> Value {
    let api_version = if kind == "Node" { "v1" } else { "apps/v1" };
    json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": name, "blockOwnerDeletion": blocks})
}

fn stack() -> Cluster {
    let cluster = Cluster::new();
    cluster.add("apps/v1/deployments", "d", json!([]));
    cluster.add("apps/v1/replicasets", "r", json!([by("Deployment", "d", true)]));
    cluster.add("v1/pods", "p", json!([by("ReplicaSet", "r", true)]));
    assert_eq!(cluster.collector.queue.depth(), 0, "known owners need no look");
    cluster
}

#[tokio::test]
async fn background_takes_dependents_after() {
    let cluster = stack();
    cluster.delete("apps/v1/deployments", "d", Propagation::Background).await;
    cluster.settle().await;
    assert_eq!(cluster.world.names("apps/v1/replicasets"), [""; 0]);
    assert_eq!(cluster.world.names("v1/pods"), [""; 0]);
}

#[tokio::test]
async fn foreground_takes_dependents_first() {
    let cluster = stack();
    cluster.world.take_log();
    cluster.delete("apps/v1/deployments", "d", Propagation::Foreground).await;
    cluster.settle().await;
    assert_eq!(cluster.world.names("apps/v1/deployments"), [""; 0]);
    let log = cluster.world.take_log();
    let at = |line: &str| log.iter().position(|l| l == line).unwrap_or_else(|| panic!("{line} in {log:?}"));
    assert!(at("delete pods a/p") < at("patch replicasets.apps a/r"));
    assert!(at("patch replicasets.apps a/r") < at("patch deployments.apps a/d"));
}

#[tokio::test]
async fn a_dependent_that_does_not_block_is_not_awaited() {
    let cluster = Cluster::new();
    cluster.add("apps/v1/replicasets", "r", json!([]));
    cluster.add("v1/pods", "p", json!([by("ReplicaSet", "r", false)]));
    cluster.world.seed("v1/pods", json!({"metadata": {"namespace": "a", "name": "p", "uid": "p", "finalizers": ["x"], "ownerReferences": [by("ReplicaSet", "r", false)]}}));
    cluster.delete("apps/v1/replicasets", "r", Propagation::Foreground).await;
    cluster.settle().await;
    assert_eq!(cluster.world.names("apps/v1/replicasets"), [""; 0]);
}

#[tokio::test]
async fn orphans_stay_and_forget() {
    let cluster = stack();
    cluster.delete("apps/v1/deployments", "d", Propagation::Orphan).await;
    cluster.settle().await;
    assert_eq!(cluster.world.names("apps/v1/deployments"), [""; 0]);
    assert_eq!(cluster.owners("apps/v1/replicasets", "r"), [""; 0]);
    assert_eq!(cluster.owners("v1/pods", "p"), ["r"]);
}

#[tokio::test]
async fn one_owner_left_is_enough() {
    let cluster = Cluster::new();
    cluster.add("apps/v1/replicasets", "r", json!([]));
    cluster.add("apps/v1/replicasets", "s", json!([]));
    cluster.add("v1/pods", "p", json!([by("ReplicaSet", "r", false), by("ReplicaSet", "s", false)]));
    cluster.delete("apps/v1/replicasets", "r", Propagation::Background).await;
    cluster.settle().await;
    assert_eq!(cluster.owners("v1/pods", "p"), ["s"]);
}

#[tokio::test]
async fn an_owner_that_never_was_is_verified_live() {
    let cluster = Cluster::new();
    cluster.add("v1/pods", "p", json!([by("ReplicaSet", "r", false)]));
    assert_eq!(cluster.collector.queue.depth(), 1);
    cluster.settle().await;
    assert_eq!(cluster.world.names("v1/pods"), [""; 0]);

    let cluster = Cluster::new();
    // There, but its event is still on the way.
    cluster.world.seed("apps/v1/replicasets", json!({"metadata": {"namespace": "a", "name": "r", "uid": "r"}}));
    cluster.add("v1/pods", "p", json!([by("ReplicaSet", "r", false)]));
    cluster.settle().await;
    assert_eq!(cluster.world.names("v1/pods"), ["a/p"]);
}

#[tokio::test]
async fn a_namesake_with_another_uid_is_no_owner() {
    let cluster = Cluster::new();
    cluster.add("apps/v1/replicasets", "r", json!([]));
    let mut owner = by("ReplicaSet", "r", false);
    owner["uid"] = json!("older");
    cluster.add("v1/pods", "p", json!([owner]));
    cluster.settle().await;
    assert_eq!(cluster.world.names("v1/pods"), [""; 0]);
}

#[tokio::test]
async fn cluster_scoped_objects_keep_clear_of_namespaced_owners() {
    let cluster = Cluster::new();
    let node = json!({"metadata": {"name": "n", "uid": "n", "ownerReferences": [by("ReplicaSet", "r", false)]}});
    cluster.world.seed("v1/nodes", node.clone());
    cluster.collector.hear(&Change { resource: &gvr("v1/nodes"), what: What::Added, object: &node });
    let item = cluster.collector.queue.next().await.unwrap();
    assert_eq!(cluster.collector.reconcile(&cluster.world, &item).await.unwrap(), Next::Wait);
    assert_eq!(cluster.world.names("v1/nodes"), ["/n"]);
}

#[tokio::test]
async fn an_unknown_kind_is_tried_again() {
    let cluster = Cluster::new();
    cluster.add("v1/pods", "p", json!([by("Mystery", "m", false)]));
    let item = cluster.collector.queue.next().await.unwrap();
    let error = cluster.collector.reconcile(&cluster.world, &item).await.unwrap_err();
    assert_eq!(error.to_string(), "unable to get REST mapping for apps/v1/Mystery.");
    assert_eq!(cluster.world.names("v1/pods"), ["a/p"]);
}

#[tokio::test]
async fn an_owner_of_another_kind_is_noticed_at_once() {
    let owner = json!({"kind": "ReplicaSet", "metadata": {"namespace": "a", "name": "r", "uid": "r"}});
    let sees_owner = |cluster: &Cluster| {
        cluster.world.seed("apps/v1/replicasets", owner.clone());
        cluster.collector.hear(&Change { resource: &gvr("apps/v1/replicasets"), what: What::Added, object: &owner });
    };
    for owner_first in [true, false] {
        let cluster = Cluster::new();
        if owner_first {
            sees_owner(&cluster);
        }
        cluster.add("v1/pods", "right", json!([by("ReplicaSet", "r", false)]));
        cluster.add("v1/pods", "wrong", json!([by("Deployment", "r", false)]));
        if !owner_first {
            sees_owner(&cluster);
        }
        cluster.settle().await;
        assert_eq!(cluster.world.names("v1/pods"), ["a/right"], "owner first: {owner_first}");
    }
}

#[tokio::test]
async fn an_owner_in_another_namespace_is_told_of_once() {
    let (context, world) = crate::tests::context(Fake::new(&[RESOURCES, &[("v1/events", "Event", true)]].concat()));
    let collector = Collector::new(&world.resources(), watch::channel(true).1);
    let object = |namespace: &str, name: &str, owners: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name, "uid": name, "ownerReferences": owners}});
    let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "owner", "uid": "owner"});
    for one in [object("b", "early", json!([owner])), object("a", "owner", json!([])), object("b", "late", json!([owner]))] {
        world.seed("v1/pods", one.clone());
        collector.hear(&Change { resource: &gvr("v1/pods"), what: What::Added, object: &one });
    }
    for _ in 0..2 {
        let all = collector.lock().everything();
        for item in all {
            collector.warn(&context, &item).await;
        }
    }
    let mut told = world.names("v1/events");
    told.sort();
    let [early, late] = &told[..] else { panic!("{told:?}") };
    assert!(early.starts_with("b/early.") && late.starts_with("b/late."), "{told:?}");
}
