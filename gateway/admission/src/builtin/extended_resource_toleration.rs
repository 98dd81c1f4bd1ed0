//! ExtendedResourceToleration: a pod that asks for a device bears the taint of nodes that are kept for those who do.
//! Follows `plugin/pkg/admission/extendedresourcetoleration`.

use std::collections::BTreeSet;

use catalog::hooks::is_extended_resource;
use model::json::json;
use model::{GroupVersionResource, Status, Value};

use crate::builtin::{is, items, list_mut, text};
use crate::{Notes, Operation, Plugin, Review};

pub(super) struct ExtendedResourceToleration;

/// The devices that a pod asks for, in the order of their names.
fn devices(pod: &Value) -> BTreeSet<String> {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let containers = items(spec, "containers").iter().chain(items(spec, "initContainers"));
    let requests = containers.filter_map(|container| container.pointer("/resources/requests")?.as_object());
    requests.flat_map(|requests| requests.keys()).filter(|name| is_extended_resource(name)).map(ToString::to_string).collect()
}

#[async_trait::async_trait]
impl Plugin for ExtendedResourceToleration {
    fn name(&self) -> &'static str {
        "ExtendedResourceToleration"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        matches!(operation, Operation::Create | Operation::Update) && is(resource, "", "pods") && subresource.is_empty()
    }

    async fn mutate(&self, _review: &Review<'_>, pod: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        let devices = devices(pod);
        if devices.is_empty() {
            return Ok(());
        }
        let Some(tolerations) = pod.get_mut("spec").and_then(|spec| list_mut(spec, "tolerations")) else { return Ok(()) };
        for device in devices {
            let toleration = json!({"key": device, "operator": "Exists", "effect": "NoSchedule"});
            let is_same = |known: &&mut Value| {
                ["key", "operator", "effect", "value"].iter().all(|field| text(known, field) == text(&toleration, field))
            };
            let mut known = tolerations.iter_mut().filter(is_same).peekable();
            if known.peek().is_some() {
                // One for a limited time becomes one for ever.
                known.for_each(|known| known.clone_from(&toleration));
            } else {
                drop(known);
                tolerations.push(toleration);
            }
        }
        Ok(())
    }
}
