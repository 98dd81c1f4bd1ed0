//! NamespaceLifecycle: nothing is made in a namespace that does not exist or is on its way out, and the namespaces that
//! the cluster cannot do without stay. Does not empty namespaces (controller `namespace`).

use std::sync::Arc;

use model::status::Cause;
use model::{GroupVersionResource, Status, Value, World};

use crate::builtin::{forbidden, group_resource, is};
use crate::{Notes, Operation, Plugin, Review};

/// Namespaces that may not be deleted.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

pub(super) struct NamespaceLifecycle {
    world: Arc<dyn World>,
    namespaces: GroupVersionResource,
}

impl NamespaceLifecycle {
    pub(super) fn new(world: Arc<dyn World>) -> Self {
        Self { world, namespaces: GroupVersionResource::new("", "v1", "namespaces") }
    }
}

#[async_trait::async_trait]
impl Plugin for NamespaceLifecycle {
    fn name(&self) -> &'static str {
        "NamespaceLifecycle"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, _subresource: &str) -> bool {
        match operation {
            // Whether a namespace exists would leak to those who may only ask what they may do there.
            Operation::Create => {
                !is(resource, "", "namespaces") && !is(resource, "authorization.k8s.io", "localsubjectaccessreviews")
            }
            Operation::Delete => is(resource, "", "namespaces"),
            Operation::Update | Operation::Connect => false,
        }
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        if review.namespace.is_empty() {
            return Ok(());
        }
        let namespace = self.world.look(&self.namespaces, "", review.namespace).await?;
        if namespace.pointer("/status/phase").and_then(Value::as_str) != Some("Terminating") {
            return Ok(());
        }
        let name = review.namespace;
        let why = format!("unable to create new content in namespace {name} because it is being terminated");
        Err(forbidden(review, Some(object), why).with_cause(Cause {
            reason: "NamespaceTerminating".to_owned(),
            message: format!("namespace {name} is being terminated"),
            field: "metadata.namespace".to_owned(),
        }))
    }

    async fn precede(&self, review: &Review<'_>, _notes: &mut Notes) -> Result<(), Status> {
        if review.operation == Operation::Delete && IMMORTAL.contains(&review.name) {
            return Err(Status::forbidden(&group_resource(review), review.name, "this namespace may not be deleted"));
        }
        Ok(())
    }
}
