//! The priority classes of the system; once there, they are their owner's. Follows `pkg/registry/scheduling/rest`.

use catalog::bootstrap;
use model::{GroupVersionResource, World};

use super::{all, ensure_exists};
use crate::runtime::Error;

pub(super) async fn ensure(world: &dyn World) -> Result<(), Error> {
    let resource = GroupVersionResource::new("scheduling.k8s.io", "v1", "priorityclasses");
    let classes = bootstrap::objects(bootstrap::PRIORITY_CLASSES, "priorityClasses");
    all(classes.into_iter().map(|class| ensure_exists(world, &resource, class))).await
}
