//! NodeDeclaredFeatureValidator: what an update asks of a pod that lies on a node already, its node must have said that it can.
//! Follows `plugin/pkg/admission/nodedeclaredfeatures` and `k8s.io/component-helpers/nodedeclaredfeatures`. ResourceSlices are
//! looked at behind a gate that is off upstream.

use std::sync::Arc;

use model::field::quote;
use model::quantity::Quantity;
use model::{GroupVersionResource, Status, Value, World, meta};

use crate::builtin::{forbidden, is, items, text};
use crate::{Notes, Operation, Plugin, Review};

/// A feature that only some nodes have.
struct Feature {
    /// As nodes name it.
    name: &'static str,
    /// Whether an update needs it, seen from the specification before and after.
    needed: fn(&Value, &Value) -> bool,
}

/// Those that updates may need, in the order of their names. The others matter when a pod is scheduled.
const FEATURES: [Feature; 3] = [
    Feature { name: "InPlacePodLevelResourcesVerticalScaling", needed: resizes_pod },
    Feature { name: "InPlacePodVerticalScalingInitContainers", needed: resizes_init_container },
    Feature { name: "InPlacePodVerticalScalingMemoryBackedVolumes", needed: resizes_memory_volume },
];

fn resizes_pod(old: &Value, new: &Value) -> bool {
    old.get("resources") != new.get("resources")
}

fn resizes_init_container(old: &Value, new: &Value) -> bool {
    let ends = |container: &Value| text(container, "restartPolicy") != "Always";
    let pairs = items(old, "initContainers").iter().zip(items(new, "initContainers"));
    pairs.filter(|(old, _)| ends(old)).any(|(old, new)| old.get("resources") != new.get("resources"))
}

/// Validation sees to everything about volumes but their size.
fn resizes_memory_volume(old: &Value, new: &Value) -> bool {
    let (old, new) = (items(old, "volumes"), items(new, "volumes"));
    let limit = |volume: &Value| volume.pointer("/emptyDir/sizeLimit").and_then(Value::as_str)?.parse::<Quantity>().ok();
    let in_memory = |volume: &Value| volume.pointer("/emptyDir/medium").and_then(Value::as_str) == Some("Memory");
    let resized = |(old, new): (&Value, &Value)| {
        let both = limit(old).zip(limit(new));
        text(old, "name") == text(new, "name") && in_memory(new) && both.is_some_and(|(old, new)| old != new)
    };
    old.len() == new.len() && old.iter().zip(new).any(resized)
}

pub(super) struct NodeDeclaredFeatureValidator {
    world: Arc<dyn World>,
    nodes: GroupVersionResource,
}

impl NodeDeclaredFeatureValidator {
    pub(super) fn new(world: Arc<dyn World>) -> Self {
        Self { world, nodes: GroupVersionResource::new("", "v1", "nodes") }
    }
}

#[async_trait::async_trait]
impl Plugin for NodeDeclaredFeatureValidator {
    fn name(&self) -> &'static str {
        "NodeDeclaredFeatureValidator"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        operation == Operation::Update && is(resource, "", "pods") && matches!(subresource, "" | "resize")
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let (Some(pod), Some(old)) = (object, review.old) else { return Ok(()) };
        let node = pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or("");
        if node.is_empty() || meta::generation(pod) == meta::generation(old) {
            return Ok(());
        }
        let spec = |pod: &Value| pod.get("spec").cloned().unwrap_or_default();
        let (before, after) = (spec(old), spec(pod));
        let needed: Vec<&str> = FEATURES.iter().filter(|feature| (feature.needed)(&before, &after)).map(|one| one.name).collect();
        if needed.is_empty() {
            return Ok(());
        }
        let declares = match self.world.look(&self.nodes, "", node).await {
            Ok(node) => node,
            Err(status) if status.code == 404 => {
                return Err(forbidden(review, Some(pod), format!("node {} not found", quote(node))));
            }
            Err(status) => return Err(status),
        };
        let declared = declares.get("status").map_or(&[][..], |status| items(status, "declaredFeatures"));
        let lacking: Vec<&str> = needed.into_iter().filter(|name| !declared.iter().any(|one| one == name)).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let (features, node) = (lacking.join(", "), quote(node));
        Err(forbidden(
            review,
            Some(pod),
            format!("pod update requires features {features} which are not available on node {node}"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;
    use model::{GroupVersionKind, RequestInfo, User};

    use super::*;
    use crate::builtin::world::{Fake, gvr};

    /// What an update is refused, on a node that has declared these features.
    async fn refused(declared: Value, old: &Value, new: &Value) -> Option<String> {
        let world = Fake::new(&[]);
        world.seed("v1/nodes", json!({"metadata": {"name": "n1"}, "status": {"declaredFeatures": declared}}));
        let pod = |generation: i64, spec: &Value| {
            let mut pod = json!({"metadata": {"name": "web", "generation": generation}, "spec": spec});
            pod["spec"]["nodeName"] = json!(if spec.get("lost").is_some() { "n2" } else { "n1" });
            pod
        };
        let (old, new, resource) = (pod(1, old), pod(2, new), gvr("v1/pods"));
        let review = Review {
            request: &RequestInfo::default(),
            user: &User::default(),
            operation: Operation::Update,
            resource: &resource,
            kind: &GroupVersionKind::new("", "v1", "Pod"),
            subresource: "resize",
            namespace: "shop",
            name: "web",
            old: Some(&old),
            options: &Value::Null,
            dry_run: false,
            uid: "",
            now: jiff::Timestamp::UNIX_EPOCH,
            deadline: None,
        };
        let plugin = NodeDeclaredFeatureValidator::new(Arc::new(world));
        let outcome = plugin.validate(&review, Some(&new), &mut Notes::default()).await;
        outcome.err().map(|status| status.message)
    }

    #[tokio::test]
    async fn a_node_must_have_said_that_it_can() {
        let sized = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let init = |policy: &str, cpu: &str| json!({"initContainers": [{"name": "i", "restartPolicy": policy, "resources": {"requests": {"cpu": cpu}}}]});
        let memory = |limit: &str| json!({"volumes": [{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": limit}}]});
        let lacks = |features: &str| {
            Some(format!(
                r#"pods "web" is forbidden: pod update requires features {features} which are not available on node "n1""#
            ))
        };
        let level = "InPlacePodLevelResourcesVerticalScaling";
        assert_eq!(refused(json!([]), &sized("1"), &sized("2")).await, lacks(level));
        assert_eq!(refused(json!([level]), &sized("1"), &sized("2")).await, None);
        assert_eq!(refused(json!([]), &sized("1"), &sized("1")).await, None);
        assert_eq!(refused(json!([]), &json!({}), &sized("1")).await, lacks(level));
        assert_eq!(refused(json!([]), &init("", "1"), &init("", "2")).await, lacks("InPlacePodVerticalScalingInitContainers"));
        assert_eq!(refused(json!([]), &init("Always", "1"), &init("Always", "2")).await, None);
        assert_eq!(
            refused(json!([]), &memory("1Gi"), &memory("2Gi")).await,
            lacks("InPlacePodVerticalScalingMemoryBackedVolumes")
        );
        assert_eq!(refused(json!([]), &memory("1Gi"), &memory("1024Mi")).await, None);
        let (mut old, mut new) = (sized("1"), sized("2"));
        (old["initContainers"], new["initContainers"]) =
            (init("", "1")["initContainers"].clone(), init("", "2")["initContainers"].clone());
        assert_eq!(refused(Value::Null, &old, &new).await, lacks(&format!("{level}, InPlacePodVerticalScalingInitContainers")));
        new["lost"] = json!(true);
        assert_eq!(refused(json!([level]), &old, &new).await, Some(r#"pods "web" is forbidden: node "n2" not found"#.to_owned()));
    }
}
