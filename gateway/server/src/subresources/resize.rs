//! `pods/resize`: other requests and limits for the containers of a pod that runs. Nothing else of the pod changes.

use model::{Status, Value, meta};

use super::Facet;
use crate::row::Discipline;

pub(super) static FACET: Facet = Facet { view: Value::clone, merge, discipline: Discipline::Part };

/// What a resize may change of a container.
const FIELDS: [&str; 2] = ["resources", "resizePolicy"];

fn merge(wanted: Value, current: &Value) -> Result<Value, Status> {
    let mut pod = current.clone();
    for list in ["containers", "initContainers"] {
        let Some(containers) = pod.get_mut("spec").and_then(|spec| spec.get_mut(list)).and_then(Value::as_array_mut) else { continue };
        for container in containers {
            let name = container.get("name").cloned();
            let found = wanted.get("spec").and_then(|spec| spec.get(list)).and_then(Value::as_array);
            if let Some(found) = found.into_iter().flatten().find(|other| other.get("name") == name.as_ref()) {
                take_over(container, found);
            }
        }
    }
    if let (Some(spec), Some(resources)) = (pod.get_mut("spec"), wanted.get("spec").and_then(|spec| spec.get("resources"))) {
        spec["resources"] = resources.clone();
    }
    meta::set(&mut pod, "resourceVersion", meta::resource_version(&wanted));
    Ok(pod)
}

fn take_over(container: &mut Value, wanted: &Value) {
    let Some(container) = container.as_object_mut() else { return };
    for field in FIELDS {
        match wanted.get(field) {
            Some(value) => drop(container.insert(field.to_owned(), value.clone())),
            None => drop(container.shift_remove(field)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_resources_change() {
        let current = json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i", "resources": {"limits": {"cpu": "1"}}}]}});
        let wanted = json!({"metadata": {"name": "a", "resourceVersion": "3"},
            "spec": {"containers": [{"name": "c", "image": "other", "resources": {"limits": {"cpu": "2"}}}]}});
        let merged = merge(wanted, &current).unwrap();
        assert_eq!(merged["spec"]["containers"][0], json!({"name": "c", "image": "i", "resources": {"limits": {"cpu": "2"}}}));
        assert_eq!(meta::resource_version(&merged), "3");
    }
}
