//! RuntimeClass: a pod takes its overhead and its place from the class that it names, and has no overhead of its own.
//! Follows `plugin/pkg/admission/runtimeclass`.

use std::sync::Arc;

use model::{GroupVersionResource, Map, Status, Value, World};

use crate::builtin::{forbidden, is, items, tolerations};
use crate::{Notes, Operation, Plugin, Review};

pub(super) struct RuntimeClass {
    world: Arc<dyn World>,
    classes: GroupVersionResource,
}

impl RuntimeClass {
    pub(super) fn new(world: Arc<dyn World>) -> Self {
        Self { world, classes: GroupVersionResource::new("node.k8s.io", "v1", "runtimeclasses") }
    }

    async fn class(&self, review: &Review<'_>, pod: &Value) -> Result<Option<Value>, Status> {
        let Some(name) = pod.pointer("/spec/runtimeClassName").and_then(Value::as_str) else { return Ok(None) };
        match self.world.get(&self.classes, "", name).await {
            Ok(class) => Ok(Some(class)),
            Err(status) if status.code == 404 => {
                let why = format!("pod rejected: RuntimeClass {} not found", model::field::quote(name));
                Err(forbidden(review, Some(pod), why))
            }
            Err(status) => Err(status),
        }
    }
}

fn overhead(class: &Value) -> Option<&Value> {
    class.get("overhead").filter(|overhead| overhead.is_object()).map(|overhead| overhead.get("podFixed").unwrap_or(&Value::Null))
}

fn own_overhead(pod: &Value) -> Option<&Value> {
    pod.pointer("/spec/overhead").filter(|overhead| overhead.as_object().is_some_and(|amounts| !amounts.is_empty()))
}

#[async_trait::async_trait]
impl Plugin for RuntimeClass {
    fn name(&self) -> &'static str {
        "RuntimeClass"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        operation == Operation::Create && is(resource, "", "pods") && subresource.is_empty()
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        let Some(class) = self.class(review, pod).await? else { return Ok(()) };
        if let Some(fixed) = overhead(&class) {
            if own_overhead(pod).is_some_and(|own| own != fixed) {
                let why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
                return Err(forbidden(review, Some(pod), why));
            }
            if let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut).filter(|_| !fixed.is_null()) {
                spec.insert("overhead", fixed.clone());
            }
        }
        let Some(scheduling) = class.get("scheduling").filter(|scheduling| scheduling.is_object()) else { return Ok(()) };
        select_nodes(pod, scheduling).map_err(|why| forbidden(review, Some(pod), why))?;
        let Some(spec) = pod.get_mut("spec") else { return Ok(()) };
        let merged = tolerations::merged(items(spec, "tolerations"), items(scheduling, "tolerations"));
        if let Some(spec) = spec.as_object_mut().filter(|_| !merged.is_empty()) {
            spec.insert("tolerations", merged.into());
        }
        Ok(())
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let Some(pod) = object else { return Ok(()) };
        let class = self.class(review, pod).await?;
        let (own, fixed) = (own_overhead(pod), class.as_ref().and_then(overhead));
        let why = match (fixed, own) {
            (None, Some(_)) => "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
            (Some(fixed), own) if own.unwrap_or(&Value::Null) != fixed => {
                "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
            }
            _ => return Ok(()),
        };
        Err(forbidden(review, Some(pod), why))
    }
}

fn select_nodes(pod: &mut Value, scheduling: &Value) -> Result<(), String> {
    let Some(wanted) = scheduling.get("nodeSelector").and_then(Value::as_object) else { return Ok(()) };
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else { return Ok(()) };
    let selector = spec.entry("nodeSelector").or_insert_with(|| Value::Object(Map::new()));
    let Some(selector) = selector.as_object_mut() else { return Ok(()) };
    for (key, value) in wanted {
        let of = |value: &Value| value.as_str().unwrap_or("").to_owned();
        if let Some(own) = selector.get(key).filter(|own| *own != value) {
            return Err(format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {}; pod.spec.nodeSelector[{key}] = {}",
                of(value),
                of(own)
            ));
        }
        selector.insert(key.clone(), value.clone());
    }
    Ok(())
}
