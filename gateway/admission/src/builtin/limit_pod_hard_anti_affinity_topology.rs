//! LimitPodHardAntiAffinityTopology: a pod keeps others away from its node at most, not from a whole zone.
//! Follows `plugin/pkg/admission/antiaffinity`.

use model::{GroupVersionResource, Status, Value, meta};

use crate::builtin::{group_resource, is, text};
use crate::{Notes, Operation, Plugin, Review};

const HOSTNAME: &str = "kubernetes.io/hostname";
const TERMS: &str = "/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution";

pub(super) struct LimitPodHardAntiAffinityTopology;

#[async_trait::async_trait]
impl Plugin for LimitPodHardAntiAffinityTopology {
    fn name(&self) -> &'static str {
        "LimitPodHardAntiAffinityTopology"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        matches!(operation, Operation::Create | Operation::Update) && is(resource, "", "pods") && subresource.is_empty()
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let Some(pod) = object else { return Ok(()) };
        let terms = pod.pointer(TERMS).and_then(Value::as_array).into_iter().flatten();
        let Some(key) = terms.map(|term| text(term, "topologyKey")).find(|key| *key != HOSTNAME) else { return Ok(()) };
        let why =
            format!("affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey {key} but only key {HOSTNAME} is allowed");
        Err(Status::forbidden(&group_resource(review), meta::name(pod), why))
    }
}
