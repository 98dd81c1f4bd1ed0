//! `pods/ephemeralcontainers`: containers for debugging, added to a pod that runs. Nothing else of the pod changes.

use model::{Status, Value, meta};

use super::Facet;
use crate::row::Discipline;

pub(super) static FACET: Facet = Facet { view: Value::clone, merge, discipline: Discipline::Part };

const FIELD: &str = "ephemeralContainers";

fn merge(wanted: Value, current: &Value) -> Result<Value, Status> {
    let mut pod = current.clone();
    let containers = wanted.get("spec").and_then(|spec| spec.get(FIELD)).cloned();
    if let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) {
        match containers {
            Some(containers) => drop(spec.insert(FIELD.to_owned(), containers)),
            None => drop(spec.shift_remove(FIELD)),
        }
    }
    meta::set(&mut pod, "resourceVersion", meta::resource_version(&wanted));
    Ok(pod)
}
