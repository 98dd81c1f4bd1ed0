//! DefaultTolerationSeconds: a pod bears a node that is not ready or unreachable for a while, unless it says otherwise.

use model::json::json;
use model::{GroupVersionResource, Status, Value};

use crate::builtin::{Setup, is, list_mut, text};
use crate::{Notes, Operation, Plugin, Review};

pub(super) struct DefaultTolerationSeconds {
    /// Taint key and seconds.
    tolerations: [(&'static str, i64); 2],
}

impl DefaultTolerationSeconds {
    pub(super) fn new(setup: &Setup) -> Self {
        Self {
            tolerations: [
                ("node.kubernetes.io/not-ready", setup.not_ready_toleration_s),
                ("node.kubernetes.io/unreachable", setup.unreachable_toleration_s),
            ],
        }
    }
}

#[async_trait::async_trait]
impl Plugin for DefaultTolerationSeconds {
    fn name(&self) -> &'static str {
        "DefaultTolerationSeconds"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        matches!(operation, Operation::Create | Operation::Update) && is(resource, "", "pods") && subresource.is_empty()
    }

    async fn mutate(&self, _review: &Review<'_>, object: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        let Some(given) = object.get_mut("spec").and_then(|spec| list_mut(spec, "tolerations")) else { return Ok(()) };
        for (key, seconds) in self.tolerations {
            let tolerated =
                given.iter().any(|t| ["", key].contains(&text(t, "key")) && ["", "NoExecute"].contains(&text(t, "effect")));
            if !tolerated {
                given.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}));
            }
        }
        Ok(())
    }
}
