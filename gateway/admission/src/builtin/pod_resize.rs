//! PodResizeValidator: a pod that lies on a node is not resized beyond what the node can ever give.
//! Follows `plugin/pkg/admission/podresize`. What a pod asks for is summed as LimitRanger does.

use std::sync::Arc;

use model::quantity::Quantity;
use model::status::Cause;
use model::{GroupVersionResource, Status, Value, World, meta};

use super::limit_ranger::{Amounts, add, amounts, whole};
use crate::builtin::{forbidden, is};
use crate::{Notes, Operation, Plugin, Review};

const OS_LABEL: &str = "kubernetes.io/os";

pub(super) struct PodResizeValidator {
    world: Arc<dyn World>,
    nodes: GroupVersionResource,
}

impl PodResizeValidator {
    pub(super) fn new(world: Arc<dyn World>) -> Self {
        Self { world, nodes: GroupVersionResource::new("", "v1", "nodes") }
    }
}

#[async_trait::async_trait]
impl Plugin for PodResizeValidator {
    fn name(&self) -> &'static str {
        "PodResizeValidator"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        operation == Operation::Update && is(resource, "", "pods") && subresource == "resize"
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let (Some(pod), Some(old)) = (object, review.old) else { return Ok(()) };
        let name = pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or("");
        if name.is_empty() || meta::generation(pod) == meta::generation(old) {
            return Ok(());
        }
        let node = match self.world.get(&self.nodes, "", name).await {
            Ok(node) => node,
            Err(status) if status.code == 404 => {
                return Err(forbidden(review, Some(pod), format!("node {} not found", model::field::quote(name))));
            }
            Err(status) => return Err(status),
        };
        match fault(pod, &node) {
            None => Ok(()),
            Some((reason, why)) => {
                let cause = Cause { reason: reason.to_owned(), ..Cause::default() };
                Err(forbidden(review, Some(pod), why).with_cause(cause))
            }
        }
    }
}

/// Why the node cannot hold the pod, with the reason for programs.
fn fault(pod: &Value, node: &Value) -> Option<(&'static str, String)> {
    if let Some((_, os)) = meta::labels(node).find(|(name, os)| *name == OS_LABEL && *os != "linux") {
        let (name, os) = (model::field::quote(meta::name(node)), model::field::quote(os));
        return Some(("UnsupportedPlatform", format!("pod resize is only supported on linux nodes, node {name} is {os}")));
    }
    let spec = pod.get("spec")?;
    let mut requests = whole(spec, "requests");
    add(&mut requests, &amounts(spec, "overhead"));
    let allocatable = node.get("status").map(|status| amounts(status, "allocatable")).unwrap_or_default();
    let beyond = |name: &str, number: fn(&Quantity) -> i64| {
        let of = |amounts: &Amounts| amounts.get(name).map_or(0, number);
        let (asked, most) = (of(&requests), of(&allocatable));
        (asked > most).then(|| format!("{name}, requested: {asked}, allocatable: {most}"))
    };
    let told: Vec<String> =
        [beyond("cpu", Quantity::milli_value), beyond("memory", Quantity::value)].into_iter().flatten().collect();
    let why = format!("node didn't have enough allocatable resources: {}", told.join("; "));
    (!told.is_empty()).then_some(("NodeCapacity", why))
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn a_node_bounds_what_a_pod_may_grow_to() {
        let pod = |cpu: &str| {
            let resources = json!({"requests": {"cpu": cpu, "memory": "1Gi"}});
            json!({"spec": {"containers": [{"name": "a", "resources": resources}], "overhead": {"cpu": "100m"}}})
        };
        let node = |os: &str| json!({"metadata": {"name": "n", "labels": {OS_LABEL: os}}, "status": {"allocatable": {"cpu": "1", "memory": "1Gi"}}});
        assert_eq!(fault(&pod("900m"), &node("linux")), None);
        assert_eq!(
            fault(&pod("1"), &node("linux")),
            Some((
                "NodeCapacity",
                "node didn't have enough allocatable resources: cpu, requested: 1100, allocatable: 1000".to_owned()
            ))
        );
        let other = "pod resize is only supported on linux nodes, node \"n\" is \"windows\"".to_owned();
        assert_eq!(fault(&pod("1"), &node("windows")), Some(("UnsupportedPlatform", other)));
    }
}
