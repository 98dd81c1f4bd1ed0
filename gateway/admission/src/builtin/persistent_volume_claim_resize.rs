//! PersistentVolumeClaimResize: a claim grows only where it is bound and its class allows that.
//! Follows `plugin/pkg/admission/storage/persistentvolume/resize`.

use std::sync::Arc;

use model::quantity::Quantity;
use model::{GroupVersionResource, Status, Value, World, meta};

use crate::builtin::{forbidden, is};
use crate::{Notes, Operation, Plugin, Review};

/// Where claims of old name their class.
const ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

pub(super) struct PersistentVolumeClaimResize {
    world: Arc<dyn World>,
    classes: GroupVersionResource,
}

impl PersistentVolumeClaimResize {
    pub(super) fn new(world: Arc<dyn World>) -> Self {
        Self { world, classes: GroupVersionResource::new("storage.k8s.io", "v1", "storageclasses") }
    }

    async fn may_grow(&self, old: &Value, new: &Value) -> bool {
        let name = class(new);
        if name.is_empty() || class(old) != name {
            return false;
        }
        let class = self.world.get(&self.classes, "", name).await;
        class.is_ok_and(|class| class.get("allowVolumeExpansion") == Some(&Value::Bool(true)))
    }
}

fn class(claim: &Value) -> &str {
    let named = || claim.pointer("/spec/storageClassName").and_then(Value::as_str);
    meta::annotation(claim, ANNOTATION).or_else(named).unwrap_or("")
}

fn size(claim: &Value) -> Option<Quantity> {
    claim.pointer("/spec/resources/requests/storage").and_then(Value::as_str)?.parse().ok()
}

#[async_trait::async_trait]
impl Plugin for PersistentVolumeClaimResize {
    fn name(&self) -> &'static str {
        "PersistentVolumeClaimResize"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        operation == Operation::Update && is(resource, "", "persistentvolumeclaims") && subresource.is_empty()
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let (Some(old), Some(new)) = (review.old, object) else { return Ok(()) };
        let (before, after) = (size(old), size(new));
        let grows = after.is_some_and(|after| before.map_or(after.sign() > 0, |before| after > before));
        if !grows {
            return Ok(());
        }
        if old.pointer("/status/phase").and_then(Value::as_str) != Some("Bound") {
            return Err(forbidden(review, object, "Only bound persistent volume claims can be expanded"));
        }
        if self.may_grow(old, new).await {
            return Ok(());
        }
        let why =
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
        Err(forbidden(review, object, why))
    }
}
