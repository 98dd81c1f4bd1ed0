//! PodNodeSelector: pods go only to nodes that their namespace's annotation selects, or the configuration where it has none, and
//! select nothing else where the configuration lists what they may. Follows `plugin/pkg/admission/podnodeselector`.

use std::collections::BTreeMap;
use std::sync::Arc;

use codec::yaml;
use model::json::Key;
use model::{GroupVersionResource, Map, Status, Value, World, content, meta};

use crate::builtin::{group_resource, is};
use crate::{Notes, Operation, Plugin, Review};

const ANNOTATION: &str = "scheduler.alpha.kubernetes.io/node-selector";
/// Where a configuration has its selectors.
const SELECTORS: &str = "podNodeSelectorPluginConfig";
/// Which of them is for namespaces without an annotation; the others are named after the namespaces that they bound.
const DEFAULT: &str = "clusterDefaultNodeSelector";

/// The selectors of a configuration, by name. What cannot be read is none: upstream looks at no error here.
pub(super) fn read(text: &str) -> BTreeMap<String, String> {
    let Ok(parsed) = yaml::parse(text.as_bytes()) else { return BTreeMap::new() };
    let fields = parsed.value.as_object().into_iter().flatten();
    // Upstream's struct names no field for JSON, which then looks for one regardless of case.
    let selectors = fields.filter(|(name, _)| name.eq_ignore_ascii_case(SELECTORS)).map(|(_, value)| value).next_back();
    let selectors = selectors.and_then(Value::as_object).into_iter().flatten();
    selectors.filter_map(|(name, selector)| Some((name.to_string(), selector.as_str()?.to_owned()))).collect()
}

pub(super) struct PodNodeSelector {
    world: Arc<dyn World>,
    namespaces: GroupVersionResource,
    selectors: BTreeMap<String, String>,
}

impl PodNodeSelector {
    pub(super) fn new(world: Arc<dyn World>, selectors: BTreeMap<String, String>) -> Self {
        Self { world, namespaces: GroupVersionResource::new("", "v1", "namespaces"), selectors }
    }

    fn configured(&self, name: &str) -> &str {
        self.selectors.get(name).map_or("", String::as_str)
    }

    /// Refuses a pod that selects what its namespace may not.
    fn bound(&self, review: &Review<'_>, pod: &Value) -> Result<(), Status> {
        let listed = parse(self.configured(review.namespace)).map_err(|why| Status::new(500, "", why))?;
        let own = pod.pointer("/spec/nodeSelector").and_then(Value::as_object).into_iter().flatten();
        let is_listed = |(key, value): (&Key, &Value)| listed.get(key.as_str()).is_some_and(|listed| value == listed.as_str());
        if listed.is_empty() || own.into_iter().all(is_listed) {
            return Ok(());
        }
        let why = "pod node label selector labels conflict with its namespace whitelist";
        Err(Status::forbidden(&group_resource(review), meta::name(pod), why))
    }

    /// What the namespace selects, if the pod selects nothing else.
    async fn selected(&self, review: &Review<'_>, pod: &Value) -> Result<BTreeMap<String, String>, Status> {
        let namespace = self.world.get(&self.namespaces, "", review.namespace).await?;
        let selected = parse(meta::annotation(&namespace, ANNOTATION).unwrap_or_else(|| self.configured(DEFAULT)));
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
            Some(pod) => {
                self.selected(review, pod).await?;
                self.bound(review, pod)
            }
            None => Ok(()),
        }
    }
}
