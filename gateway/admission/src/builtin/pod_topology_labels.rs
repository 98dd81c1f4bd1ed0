//! PodTopologyLabels: a pod carries the zone and the region of its node.
//! Follows `plugin/pkg/admission/podtopologylabels`. The labels of a binding become those of its pod where it is made.

use std::sync::Arc;

use model::{GroupVersionResource, Map, Status, Value, World, meta};

use crate::builtin::{is, is_path_segment};
use crate::{Notes, Operation, Plugin, Review};

const LABELS: [&str; 2] = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"];

pub(super) struct PodTopologyLabels {
    world: Arc<dyn World>,
    nodes: GroupVersionResource,
}

impl PodTopologyLabels {
    pub(super) fn new(world: Arc<dyn World>) -> Self {
        Self { world, nodes: GroupVersionResource::new("", "v1", "nodes") }
    }

    async fn labels(&self, node: &str) -> Result<Vec<(&'static str, String)>, Status> {
        let node = match self.world.get(&self.nodes, "", node).await {
            Ok(node) => node,
            // Upstream looks into its cache, where no name is wrong.
            Err(status) if status.code == 404 || !is_path_segment(node) => return Ok(Vec::new()),
            Err(status) => return Err(status),
        };
        let value = |label: &str| node.pointer("/metadata/labels").and_then(|labels| labels.get(label)).and_then(Value::as_str);
        Ok(LABELS.iter().filter_map(|label| Some((*label, value(label)?.to_owned()))).collect())
    }
}

/// The node on which a pod is, or shall be.
fn node<'a>(object: &'a Value, subresource: &str) -> &'a str {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or("");
    match subresource {
        "binding" if text("/target/kind") == "Node" => text("/target/name"),
        "binding" => "",
        _ => text("/spec/nodeName"),
    }
}

#[async_trait::async_trait]
impl Plugin for PodTopologyLabels {
    fn name(&self) -> &'static str {
        "PodTopologyLabels"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        operation == Operation::Create && is(resource, "", "pods") && matches!(subresource, "" | "binding")
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        let node = node(object, review.subresource);
        if node.is_empty() {
            return Ok(());
        }
        let copied = self.labels(node).await?;
        let Some(metadata) = meta::metadata_mut(object).filter(|_| !copied.is_empty()) else { return Ok(()) };
        let labels = metadata.entry("labels").or_insert_with(|| Value::Object(Map::new()));
        if labels.is_null() {
            *labels = Value::Object(Map::new());
        }
        if let Some(labels) = labels.as_object_mut() {
            labels.extend(copied.into_iter().map(|(label, value)| (label.to_owned(), value.into())));
        }
        Ok(())
    }
}
