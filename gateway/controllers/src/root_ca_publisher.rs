//! Every active namespace has the certificate authority of the API server, for pods to verify it by.
//! Follows `pkg/controller/certificates/rootcacertpublisher`.

use futures::future::BoxFuture;
use model::json::json;
use model::{GroupVersionResource, Value, meta};

use crate::feed::{Change, IDENTITY};
use crate::runtime::{Context, Controller, Error, Next, Watch, step};
use crate::serviceaccount::{active, is_settled, namespaces};

/// The controller.
pub const CONTROLLER: Controller = Controller {
    name: "root-ca-certificate-publisher-controller",
    watches: &[Watch::new("", "v1", "namespaces", namespaces), Watch::new("", "v1", "configmaps", own_maps).reading(IDENTITY)],
    workers: 2,
    reconcile,
};

const NAME: &str = "kube-root-ca.crt";
const DESCRIPTION_KEY: &str = "kubernetes.io/description";
const DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

fn own_maps(change: &Change<'_>) -> Vec<String> {
    if meta::name(change.object) == NAME { vec![meta::namespace(change.object).to_owned()] } else { Vec::new() }
}

/// What the map must become; `None` when it is as it should be.
fn decide(map: &Value, root_ca: &str) -> Option<Value> {
    let data = json!({"ca.crt": root_ca});
    if map.get("data") == Some(&data) && meta::annotation(map, DESCRIPTION_KEY).is_some_and(|text| !text.is_empty()) {
        return None;
    }
    let mut map = map.clone();
    map["data"] = data;
    meta::annotate(&mut map, DESCRIPTION_KEY, DESCRIPTION);
    Some(map)
}

fn reconcile<'a>(context: &'a Context, namespace: &'a str) -> BoxFuture<'a, Result<Next, Error>> {
    Box::pin(async move {
        let (world, maps) = (&*context.world, GroupVersionResource::new("", "v1", "configmaps"));
        if !active(world, namespace).await? {
            return Ok(Next::Wait);
        }
        match world.get(&maps, namespace, NAME).await {
            Ok(map) => {
                if let Some(map) = decide(&map, &context.root_ca) {
                    world.update(&maps, "", map).await.map_err(step("update config map"))?;
                }
            }
            Err(status) if status.code == 404 => {
                let bare = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME, "namespace": namespace}});
                let map = decide(&bare, &context.root_ca).unwrap_or(bare);
                if let Err(status) = world.create(&maps, namespace, map).await
                    && !is_settled(&status)
                {
                    return Err(step("create config map")(status));
                }
            }
            Err(status) => return Err(step("read config map")(status)),
        }
        Ok(Next::Wait)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::context;
    use crate::world::Fake;

    #[tokio::test]
    async fn the_certificate_is_published_and_restored() {
        let (context, world) = context(Fake::new(&[]));
        world.seed("v1/namespaces", json!({"metadata": {"name": "a"}, "status": {"phase": "Active"}}));
        reconcile(&context, "a").await.unwrap();
        let map = world.peek("v1/configmaps", "a", NAME).unwrap();
        assert_eq!(map["data"], json!({"ca.crt": "ROOT"}));
        assert_eq!(meta::annotation(&map, DESCRIPTION_KEY), Some(DESCRIPTION));

        world.take_log();
        reconcile(&context, "a").await.unwrap();
        assert!(world.take_log().is_empty());

        let mut spoilt = map;
        spoilt["data"]["ca.crt"] = json!("MINE");
        world.seed("v1/configmaps", spoilt);
        reconcile(&context, "a").await.unwrap();
        assert_eq!(world.take_log(), ["update configmaps a/kube-root-ca.crt"]);
    }
}
