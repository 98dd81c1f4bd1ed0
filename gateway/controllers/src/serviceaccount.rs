//! Every active namespace has a service account called `default`.
//! Follows `pkg/controller/serviceaccount/serviceaccounts_controller.go`. Does not issue tokens.

use futures::future::BoxFuture;
use model::json::json;
use model::{GroupVersionResource, Status, Value, World, meta};

use crate::feed::{Change, What};
use crate::runtime::{Context, Controller, Error, Next, Watch, step};

/// The controller.
pub const CONTROLLER: Controller = Controller {
    name: "serviceaccount-controller",
    watches: &[Watch::new("", "v1", "namespaces", namespaces), Watch::new("", "v1", "serviceaccounts", lost_accounts)],
    workers: 2,
    reconcile,
};

const NAME: &str = "default";

/// A namespace that is new or has just changed.
pub(crate) fn namespaces(change: &Change<'_>) -> Vec<String> {
    if change.what == What::Deleted { Vec::new() } else { vec![meta::name(change.object).to_owned()] }
}

fn lost_accounts(change: &Change<'_>) -> Vec<String> {
    let lost = change.what == What::Deleted && meta::name(change.object) == NAME;
    if lost { vec![meta::namespace(change.object).to_owned()] } else { Vec::new() }
}

/// The namespace if it is there and active: nothing may be made in one that is ending.
pub(crate) async fn active(world: &dyn World, name: &str) -> Result<bool, Error> {
    match world.get(&GroupVersionResource::new("", "v1", "namespaces"), "", name).await {
        Ok(namespace) => Ok(namespace.pointer("/status/phase").and_then(Value::as_str) == Some("Active")),
        Err(status) if status.code == 404 => Ok(false),
        Err(status) => Err(step("read namespace")(status)),
    }
}

/// Whether a create failed because somebody else was faster, or the namespace is ending: neither needs another try.
pub(crate) fn is_settled(status: &Status) -> bool {
    let ending = |details: &model::status::Details| details.causes.iter().any(|cause| cause.reason == "NamespaceTerminating");
    status.reason == "AlreadyExists" || status.details.as_ref().is_some_and(|details| ending(details))
}

fn reconcile<'a>(context: &'a Context, namespace: &'a str) -> BoxFuture<'a, Result<Next, Error>> {
    Box::pin(async move {
        let (world, accounts) = (&*context.world, GroupVersionResource::new("", "v1", "serviceaccounts"));
        if !active(world, namespace).await? {
            return Ok(Next::Wait);
        }
        match world.get(&accounts, namespace, NAME).await {
            Ok(_) => return Ok(Next::Wait),
            Err(status) if status.code == 404 => {}
            Err(status) => return Err(step("read service account")(status)),
        }
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": namespace}});
        match world.create(&accounts, namespace, account).await {
            Err(status) if !is_settled(&status) => Err(step("create service account")(status)),
            _ => Ok(Next::Wait),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::context;
    use crate::world::Fake;

    #[tokio::test]
    async fn active_namespaces_get_their_account_once() {
        let (context, world) = context(Fake::new(&[]));
        world.seed("v1/namespaces", json!({"metadata": {"name": "a"}, "status": {"phase": "Active"}}));
        world.seed("v1/namespaces", json!({"metadata": {"name": "ending"}, "status": {"phase": "Terminating"}}));
        for namespace in ["a", "a", "ending", "gone"] {
            assert_eq!(reconcile(&context, namespace).await.unwrap(), Next::Wait);
        }
        assert_eq!(world.take_log(), ["create serviceaccounts a/default"]);
    }

    #[tokio::test]
    async fn a_namespace_that_ends_meanwhile_is_no_failure() {
        let (context, world) = context(Fake::new(&[]));
        world.seed("v1/namespaces", json!({"metadata": {"name": "a"}, "status": {"phase": "Active"}}));
        let cause = model::status::Cause { reason: "NamespaceTerminating".into(), ..Default::default() };
        world.fail("create serviceaccounts", Status::new(403, "Forbidden", "ending").with_cause(cause));
        assert_eq!(reconcile(&context, "a").await.unwrap(), Next::Wait);
        world.fail("create serviceaccounts", Status::internal("disk"));
        assert!(reconcile(&context, "a").await.is_err());
    }
}
