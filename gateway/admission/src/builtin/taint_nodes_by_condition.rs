//! TaintNodesByCondition: a new node takes no pods until somebody found it ready.

use model::json::json;
use model::{GroupVersionResource, Status, Value};

use crate::builtin::{is, list_mut, text};
use crate::{Notes, Operation, Plugin, Review};

const NOT_READY: &str = "node.kubernetes.io/not-ready";

pub(super) struct TaintNodesByCondition;

#[async_trait::async_trait]
impl Plugin for TaintNodesByCondition {
    fn name(&self) -> &'static str {
        "TaintNodesByCondition"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        operation == Operation::Create && is(resource, "", "nodes") && subresource.is_empty()
    }

    async fn mutate(&self, _review: &Review<'_>, object: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        let Some(node) = object.as_object_mut() else { return Ok(()) };
        let spec = node.entry("spec").or_insert_with(|| json!({}));
        let Some(taints) = list_mut(spec, "taints") else { return Ok(()) };
        if !taints.iter().any(|t| text(t, "key") == NOT_READY && text(t, "effect") == "NoSchedule") {
            taints.push(json!({"key": NOT_READY, "effect": "NoSchedule"}));
        }
        Ok(())
    }
}
