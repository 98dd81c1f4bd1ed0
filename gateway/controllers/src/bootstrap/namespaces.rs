//! The namespaces that every cluster has. Follows `pkg/controlplane/controller/systemnamespaces`.

use model::json::json;
use model::{GroupVersionResource, World};

use super::{all, ensure_exists};
use crate::runtime::Error;

/// Their names.
pub(super) const NAMES: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "default"];

pub(super) async fn ensure(world: &dyn World) -> Result<(), Error> {
    let resource = GroupVersionResource::new("", "v1", "namespaces");
    let one =
        |name| ensure_exists(world, &resource, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    all(NAMES.map(one)).await
}
