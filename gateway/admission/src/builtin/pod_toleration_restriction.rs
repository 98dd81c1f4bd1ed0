//! PodTolerationRestriction: pods get the tolerations that their namespace's annotation gives, and have none but those that another
//! annotation lists. Follows `plugin/pkg/admission/podtolerationrestriction` without a configuration, which would give and list
//! tolerations for all namespaces.

use std::sync::Arc;

use catalog::quota::is_best_effort;
use model::json::json;
use model::{GroupVersionResource, Status, Value, World, meta};

use crate::builtin::{is, items, tolerations};
use crate::{Notes, Operation, Plugin, Review};

const DEFAULTS: &str = "scheduler.alpha.kubernetes.io/defaultTolerations";
const LISTED: &str = "scheduler.alpha.kubernetes.io/tolerationsWhitelist";

pub(super) struct PodTolerationRestriction {
    world: Arc<dyn World>,
    namespaces: GroupVersionResource,
}

impl PodTolerationRestriction {
    pub(super) fn new(world: Arc<dyn World>) -> Self {
        Self { world, namespaces: GroupVersionResource::new("", "v1", "namespaces") }
    }

    /// The tolerations that an annotation of the namespace holds; none where there is none, or it is empty.
    async fn annotated(&self, review: &Review<'_>, annotation: &str) -> Result<Vec<Value>, Status> {
        let namespace = self.world.get(&self.namespaces, "", review.namespace).await?;
        let text = meta::annotation(&namespace, annotation).filter(|text| !text.is_empty());
        let parsed = text.map_or(Ok(Vec::new()), serde_json::from_str);
        parsed.map_err(|error| Status::new(500, "", error.to_string()))
    }
}

fn of_pod(pod: &Value) -> &[Value] {
    pod.get("spec").map_or(&[], |spec| items(spec, "tolerations"))
}

#[async_trait::async_trait]
impl Plugin for PodTolerationRestriction {
    fn name(&self) -> &'static str {
        "PodTolerationRestriction"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        matches!(operation, Operation::Create | Operation::Update) && is(resource, "", "pods") && subresource.is_empty()
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Value, notes: &mut Notes) -> Result<(), Status> {
        let mut more = Vec::new();
        if review.operation == Operation::Create {
            more = self.annotated(review, DEFAULTS).await?;
        }
        // What asks for memory shall not be kept from nodes for want of memory.
        if !is_best_effort(pod) {
            more.push(json!({"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}));
        }
        if more.is_empty() {
            return Ok(());
        }
        let mut made = pod.clone();
        if let Some(spec) = made.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("tolerations", tolerations::merged(of_pod(pod), &more).into());
        }
        // Of what an annotation says nothing is known.
        notes.replace(pod, made);
        Ok(())
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let own = object.map_or(&[][..], of_pod);
        if own.is_empty() {
            return Ok(());
        }
        let listed = self.annotated(review, LISTED).await?;
        let is_listed = |toleration: &Value| listed.iter().any(|wide| tolerations::covers(wide, toleration));
        if listed.is_empty() || own.iter().all(is_listed) {
            return Ok(());
        }
        let why = "pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist";
        // Upstream refuses with something that is no refusal.
        Err(Status::new(500, "", why))
    }
}
