//! StorageObjectInUseProtection: claims, volumes and classes of volume attributes are born with a finalizer, so that none goes
//! while it is used. The controllers of the same finalizers take them off (`controllers::protection`).

use model::{GroupVersionResource, Status, Value, meta};

use crate::builtin::is;
use crate::{Notes, Operation, Plugin, Review};

/// Group, resource and the finalizer of its objects.
const PROTECTED: &[(&str, &str, &str)] = &[
    ("", "persistentvolumes", "kubernetes.io/pv-protection"),
    ("", "persistentvolumeclaims", "kubernetes.io/pvc-protection"),
    ("storage.k8s.io", "volumeattributesclasses", "kubernetes.io/vac-protection"),
];

pub(super) struct StorageObjectInUseProtection;

#[async_trait::async_trait]
impl Plugin for StorageObjectInUseProtection {
    fn name(&self) -> &'static str {
        "StorageObjectInUseProtection"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        operation == Operation::Create && subresource.is_empty() && finalizer(resource).is_some()
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        if let Some(finalizer) = finalizer(review.resource) {
            let mut finalizers = meta::finalizers(object);
            if !finalizers.contains(&finalizer) {
                finalizers.push(finalizer);
                let finalizers: Value = finalizers.into();
                meta::set(object, "finalizers", finalizers);
            }
        }
        Ok(())
    }
}

fn finalizer(resource: &GroupVersionResource) -> Option<&'static str> {
    PROTECTED.iter().find(|(group, plural, _)| is(resource, group, plural)).map(|(_, _, finalizer)| *finalizer)
}
