//! NamespaceExists, and NamespaceAutoProvision, which makes a namespace that does not exist instead of refusing.
//! Follows `plugin/pkg/admission/namespace/{exists,autoprovision}`.

use std::sync::Arc;

use model::json::json;
use model::{GroupVersionResource, Status, Value, World};

use crate::builtin::forbidden;
use crate::{Notes, Operation, Plugin, Review};

/// The namespace that a write is in; none for what is in none, and for namespaces.
fn within<'a>(review: &Review<'a>) -> Option<&'a str> {
    let itself = review.kind.group.is_empty() && &*review.kind.kind == "Namespace";
    Some(review.namespace).filter(|namespace| !namespace.is_empty() && !itself)
}

fn namespaces() -> GroupVersionResource {
    GroupVersionResource::new("", "v1", "namespaces")
}

pub(super) struct NamespaceExists(pub(super) Arc<dyn World>);

#[async_trait::async_trait]
impl Plugin for NamespaceExists {
    fn name(&self) -> &'static str {
        "NamespaceExists"
    }

    fn handles(&self, operation: Operation, _resource: &GroupVersionResource, _subresource: &str) -> bool {
        operation != Operation::Connect
    }

    async fn validate(&self, review: &Review<'_>, _object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let Some(namespace) = within(review) else { return Ok(()) };
        match self.0.get(&namespaces(), "", namespace).await {
            Ok(_) => Ok(()),
            Err(status) if status.code == 404 => Err(status),
            Err(status) => Err(Status::internal(status)),
        }
    }
}

pub(super) struct NamespaceAutoProvision(pub(super) Arc<dyn World>);

#[async_trait::async_trait]
impl Plugin for NamespaceAutoProvision {
    fn name(&self) -> &'static str {
        "NamespaceAutoProvision"
    }

    fn handles(&self, operation: Operation, _resource: &GroupVersionResource, _subresource: &str) -> bool {
        operation == Operation::Create
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        let Some(namespace) = within(review).filter(|_| !review.dry_run) else { return Ok(()) };
        let made = match self.0.get(&namespaces(), "", namespace).await {
            Ok(_) => return Ok(()),
            Err(status) if status.code == 404 => {
                let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
                self.0.create(&namespaces(), "", object).await
            }
            failed => failed,
        };
        match made {
            Err(status) if status.reason != "AlreadyExists" => Err(forbidden(review, Some(object), status)),
            _ => Ok(()),
        }
    }
}
