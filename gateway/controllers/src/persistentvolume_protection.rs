//! A PersistentVolume that is to go stays while a claim is bound to it.
//! Follows `pkg/controller/volume/pvprotection`. Does not bind (`persistentvolume-binder-controller`, gaps/controllers.txt).

use futures::future::BoxFuture;
use model::{GroupVersionResource, Value, meta};

use crate::feed::{Change, What};
use crate::protection::{self, Wanted};
use crate::runtime::{Context, Controller, Error, Next, Watch, step};

/// The controller.
pub const CONTROLLER: Controller = Controller {
    name: "persistentvolume-protection-controller",
    watches: &[Watch::new("", "v1", "persistentvolumes", volumes)],
    workers: 1,
    reconcile,
};

const FINALIZER: &str = "kubernetes.io/pv-protection";

fn volumes(change: &Change<'_>) -> Vec<String> {
    let concerns = change.what != What::Deleted && protection::wanted(change.object, FINALIZER) != Wanted::Nothing;
    if concerns { vec![meta::name(change.object).to_owned()] } else { Vec::new() }
}

fn decide(volume: &Value) -> Option<Value> {
    protection::decide(volume, FINALIZER, || volume.pointer("/status/phase").and_then(Value::as_str) == Some("Bound"))
}

fn reconcile<'a>(context: &'a Context, name: &'a str) -> BoxFuture<'a, Result<Next, Error>> {
    Box::pin(async move {
        let (world, volumes) = (&*context.world, GroupVersionResource::new("", "v1", "persistentvolumes"));
        let volume = match world.get(&volumes, "", name).await {
            Ok(volume) => volume,
            Err(status) if status.code == 404 => return Ok(Next::Wait),
            Err(status) => return Err(step("read persistent volume")(status)),
        };
        if let Some(volume) = decide(&volume) {
            world.update(&volumes, "", volume).await.map_err(step("update persistent volume"))?;
        }
        Ok(Next::Wait)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::context;
    use crate::world::Fake;
    use model::json::json;

    #[tokio::test]
    async fn a_bound_volume_stays() {
        let (context, world) = context(Fake::new(&[]));
        let volume = |name: &str, phase: &str| {
            let metadata = json!({"name": name, "finalizers": [FINALIZER], "deletionTimestamp": "2030-01-01T00:00:00Z"});
            json!({"metadata": metadata, "status": {"phase": phase}})
        };
        world.seed("v1/persistentvolumes", volume("bound", "Bound"));
        world.seed("v1/persistentvolumes", volume("free", "Available"));
        for name in ["bound", "free", "gone"] {
            assert_eq!(reconcile(&context, name).await.unwrap(), Next::Wait);
        }
        assert_eq!(world.take_log(), ["update persistentvolumes /free"]);
    }
}
