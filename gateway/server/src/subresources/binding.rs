//! `pods/binding` and the older `bindings`: puts a pod on a node. Follows `pkg/registry/core/pod/storage/storage.go`.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use model::clock::rfc3339;
use model::field::Errors;
use model::json::json;
use model::{GroupResource, Status, Value, meta};

use crate::answer::Answer;
use crate::body::Body;
use crate::call::Call;
use crate::gate::Gate;
use crate::removal;
use crate::row::Row;
use crate::verbs::create;
use crate::write::{self, Review};

/// Serves a binding.
pub(super) fn serve<'a>(
    gate: &'a Arc<Gate>,
    call: &'a mut Call,
    row: &'a Row,
    body: Body,
) -> BoxFuture<'a, Result<Answer, Status>> {
    async move {
        let (mut binding, options) = create::read(call, row, body).await?;
        let namespace = call.info.namespace.clone();
        let name = if call.info.name.is_empty() { meta::name(&binding).to_owned() } else { call.info.name.clone() };
        let review = Review::of_post(row, &namespace, &name, &options);
        review.mutate(gate, call, &mut binding).await?;
        if meta::name(&binding) != name {
            return Err(Status::bad_request("name in URL does not match name in Binding object"));
        }
        check(&binding)?;
        review.validate(gate, call, &binding).await?;
        let pods = super::pods(gate)?;
        let now = rfc3339(call.now);
        write::change(gate, &pods, (&namespace, &name), options.dry_run, |pod| assign(pod, &binding, &now)).await?;
        Ok(Answer::done())
    }
    .boxed()
}

/// `ValidatePodBinding`; upstream answers 500 here.
fn check(binding: &Value) -> Result<(), Status> {
    let mut errors = Errors::new();
    catalog::hooks::pod::binding::validate(binding, &mut errors);
    let mut faults: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
    match faults.len() {
        0 => Ok(()),
        1 => Err(Status::new(500, "", faults.remove(0))),
        _ => Err(Status::new(500, "", format!("[{}]", faults.join(", ")))),
    }
}

fn assign(pod: &mut Value, binding: &Value, now: &str) -> Result<(), Status> {
    let name = meta::name(pod).to_owned();
    let conflict = |why: String| Status::conflict(&GroupResource::new("", "pods/binding"), &name, why);
    let (uid, revision) = (meta::uid(binding), meta::resource_version(binding));
    // It is the store that checks these, in its own words.
    let unmet = |what: &str, wanted: &str, found: &str| {
        let key = format!("/registry/pods/{}/{name}", meta::namespace(pod));
        let why = format!("Precondition failed: {}", removal::unmet(what, wanted, found));
        let why = format!("StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: {why}");
        Err(Status::conflict(&GroupResource::new("", "pods"), &name, why))
    };
    if !uid.is_empty() && uid != meta::uid(pod) {
        return unmet("UID", uid, meta::uid(pod));
    }
    if !revision.is_empty() && revision != meta::resource_version(pod) {
        return unmet("ResourceVersion", revision, meta::resource_version(pod));
    }
    if meta::deletion_timestamp(pod).is_some() {
        return Err(conflict(format!("pod {name} is being deleted, cannot be assigned to a host")));
    }
    let node = pod["spec"]["nodeName"].as_str().unwrap_or("");
    if !node.is_empty() {
        return Err(conflict(format!("pod {name} is already assigned to node {}", model::field::quote(node))));
    }
    if pod["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty()) {
        return Err(conflict(format!("pod {name} has non-empty .spec.schedulingGates")));
    }
    pod["spec"]["nodeName"] = binding["target"]["name"].clone();
    if let Some(status) = pod.get_mut("status").and_then(Value::as_object_mut) {
        status.shift_remove("nominatedNodeName");
    }
    for field in ["annotations", "labels"] {
        merge(pod, binding, field);
    }
    super::set_condition(pod, json!({"type": "PodScheduled", "status": "True"}), now);
    Ok(())
}

fn merge(pod: &mut Value, binding: &Value, field: &str) {
    let Some(pairs) = meta::metadata(binding).and_then(|m| m.get(field)).and_then(Value::as_object) else { return };
    let Some(metadata) = meta::metadata_mut(pod) else { return };
    let target = metadata.entry(field.to_owned()).or_insert_with(|| json!({}));
    if let Some(target) = target.as_object_mut() {
        target.extend(pairs.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_gets_its_node_once() {
        let binding = json!({"metadata": {"name": "a", "annotations": {"k": "v"}}, "target": {"name": "n1"}});
        let mut pod = json!({"metadata": {"name": "a"}, "spec": {}, "status": {"phase": "Pending", "nominatedNodeName": "n0"}});
        assign(&mut pod, &binding, "2030-01-01T00:00:00Z").unwrap();
        assert_eq!(pod["spec"]["nodeName"], "n1");
        assert_eq!(pod["metadata"]["annotations"], json!({"k": "v"}));
        assert_eq!(
            pod["status"]["conditions"],
            json!([{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2030-01-01T00:00:00Z"}])
        );
        assert_eq!(
            assign(&mut pod, &binding, "").unwrap_err().message,
            "Operation cannot be fulfilled on pods/binding \"a\": pod a is already assigned to node \"n1\""
        );
        assert_eq!(check(&json!({"target": {"kind": "Pod"}})).unwrap_err().code, 500);
    }
}
