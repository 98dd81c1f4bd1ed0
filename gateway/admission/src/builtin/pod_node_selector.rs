//! PodNodeSelector: pods go only to nodes that their namespace's annotation selects. Follows `plugin/pkg/admission/podnodeselector`
//! without a configuration, which would select nodes for other namespaces and keep a list of what each may select.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{GroupVersionResource, Map, Status, Value, World, content, meta};

use crate::builtin::{group_resource, is};
use crate::{Notes, Operation, Plugin, Review};

const ANNOTATION: &str = "scheduler.alpha.kubernetes.io/node-selector";

pub(super) struct PodNodeSelector {
    world: Arc<dyn World>,
    namespaces: GroupVersionResource,
}

impl PodNodeSelector {
    pub(super) fn new(world: Arc<dyn World>) -> Self {
        Self { world, namespaces: GroupVersionResource::new("", "v1", "namespaces") }
    }

    /// What the namespace selects, if the pod selects nothing else.
    async fn selected(&self, review: &Review<'_>, pod: &Value) -> Result<BTreeMap<String, String>, Status> {
        let namespace = self.world.get(&self.namespaces, "", review.namespace).await?;
        let selected = parse(meta::annotation(&namespace, ANNOTATION).unwrap_or_default());
        let selected = selected.map_err(|why| Status::new(500, "", why))?;
        let own = |key: &str| pod.pointer("/spec/nodeSelector")?.get(key)?.as_str();
        if selected.iter().any(|(key, value)| own(key).is_some_and(|own| own != value)) {
            let why = "pod node label selector conflicts with its namespace node label selector";
            return Err(Status::forbidden(&group_resource(review), meta::name(pod), why));
        }
        Ok(selected)
    }
}

/// Reads `key=value,key=value`.
fn parse(selector: &str) -> Result<BTreeMap<String, String>, String> {
    let mut labels = BTreeMap::new();
    for part in selector.split(',').filter(|_| !selector.is_empty()) {
        let words: Vec<&str> = part.split('=').collect();
        let [key, value] = words[..] else { return Err(format!("invalid selector: [{}]", words.join(" "))) };
        let (key, value) = (key.trim(), value.trim());
        if let Some(why) = content::label_key(key).into_iter().chain(content::label_value(value)).next() {
            return Err(format!("invalid selector: {part}: {why}"));
        }
        labels.insert(key.to_owned(), value.to_owned());
    }
    Ok(labels)
}

#[async_trait::async_trait]
impl Plugin for PodNodeSelector {
    fn name(&self) -> &'static str {
        "PodNodeSelector"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        operation == Operation::Create && is(resource, "", "pods") && subresource.is_empty()
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        let selected = self.selected(review, pod).await?;
        let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut).filter(|_| !selected.is_empty()) else {
            return Ok(());
        };
        let selector = spec.entry("nodeSelector").or_insert_with(|| Value::Object(Map::new()));
        if let Some(selector) = selector.as_object_mut() {
            selector.extend(selected.into_iter().map(|(key, value)| (key, Value::from(value))));
        }
        Ok(())
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        match object {
            Some(pod) => self.selected(review, pod).await.map(drop),
            None => Ok(()),
        }
    }
}
