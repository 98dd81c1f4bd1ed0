//! A VolumeAttributesClass that is to go stays while a volume or a claim names it.
//! Follows `pkg/controller/volume/vacprotection`, with one key for all classes: they are few, and one list of volumes and
//! claims then answers for all that are to go.

use std::collections::HashSet;

use futures::future::BoxFuture;
use model::{GroupVersionResource, Value, meta};

use crate::feed::Change;
use crate::protection::{self, Wanted};
use crate::runtime::{Context, Controller, Error, Next, Watch, step};

/// The controller.
pub const CONTROLLER: Controller = Controller {
    name: "volumeattributesclass-protection-controller",
    watches: &[
        Watch::new("storage.k8s.io", "v1", "volumeattributesclasses", everything),
        Watch::new("", "v1", "persistentvolumes", everything),
        Watch::new("", "v1", "persistentvolumeclaims", everything),
    ],
    workers: 1,
    reconcile,
};

const FINALIZER: &str = "kubernetes.io/vac-protection";

/// Where a volume or a claim names its class.
const REFERENCES: [&str; 3] = [
    "/spec/volumeAttributesClassName",
    "/status/currentVolumeAttributesClassName",
    "/status/modifyVolumeStatus/targetVolumeAttributesClassName",
];

fn everything(_: &Change<'_>) -> Vec<String> {
    vec!["all".to_owned()]
}

/// The classes that must change, as they must become. `users` are volumes and claims.
fn decide(classes: &[Value], users: &[Value]) -> Vec<Value> {
    let named: HashSet<&str> =
        users.iter().flat_map(|user| REFERENCES.iter().filter_map(|at| user.pointer(at)?.as_str())).collect();
    classes.iter().filter_map(|class| protection::decide(class, FINALIZER, || named.contains(meta::name(class)))).collect()
}

fn reconcile<'a>(context: &'a Context, _: &'a str) -> BoxFuture<'a, Result<Next, Error>> {
    Box::pin(async move {
        let (world, resource) = (&*context.world, GroupVersionResource::new("storage.k8s.io", "v1", "volumeattributesclasses"));
        let (classes, _) = world.list(&resource, "", "").await.map_err(step("list volume attributes classes"))?;
        let mut users = Vec::new();
        if classes.iter().any(|class| protection::wanted(class, FINALIZER) == Wanted::RemoveUnlessUsed) {
            for plural in ["persistentvolumes", "persistentvolumeclaims"] {
                let listed = world.list(&GroupVersionResource::new("", "v1", plural), "", "").await;
                users.extend(listed.map_err(step("list volumes and claims"))?.0);
            }
        }
        for class in decide(&classes, &users) {
            world.update(&resource, "", class).await.map_err(step("update volume attributes class"))?;
        }
        Ok(Next::Wait)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    #[test]
    fn a_class_that_is_named_stays() {
        let class = |name: &str| json!({"metadata": {"name": name, "finalizers": [FINALIZER], "deletionTimestamp": "2030-01-01T00:00:00Z"}});
        let users = [
            json!({"spec": {"volumeAttributesClassName": "wanted"}}),
            json!({"status": {"currentVolumeAttributesClassName": "had", "modifyVolumeStatus": {"targetVolumeAttributesClassName": "to-be"}}}),
            json!({}),
        ];
        let classes = ["wanted", "had", "to-be", "free"].map(class);
        let changed = decide(&classes, &users);
        assert_eq!(changed.iter().map(meta::name).collect::<Vec<_>>(), ["free"]);
        assert!(meta::finalizers(&changed[0]).is_empty());
    }
}
