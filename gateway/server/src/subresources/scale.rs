//! `scale`: the wished and the present number of replicas of anything that has them.
//! Follows `pkg/registry/apps/deployment/storage/storage.go` and its siblings.

use catalog::Resource;
use catalog::custom::scale::Paths;
use model::field::{Errors, Path};
use model::gvk::split_api_version;
use model::json::json;
use model::selector::label::Selector;
use model::{GroupKind, GroupResource, Status, Value, meta};
use schema::apply::{self, scale::Places};

use super::Facet;
use crate::removal;
use crate::row::Discipline;

pub(super) static FACET: Facet = Facet {
    view: |_, object| Ok(view(object)),
    merge: |resource, scale, current| {
        let uid = meta::uid(&scale).to_owned();
        let merged = merge(scale, current)?;
        means(resource, &uid, current)?;
        Ok(merged)
    },
    discipline: Discipline::Whole,
    part: None,
    managers: Some(|_, object| managers(object)),
    unread: None,
};

/// Where every built-in kind that is scaled has its number.
const REPLICAS: &str = "spec.replicas";

/// Of custom resources, whose definitions say where the numbers are.
pub(super) static CUSTOM: Facet = Facet {
    view: view_custom,
    merge: merge_custom,
    discipline: Discipline::Whole,
    part: None,
    managers: Some(managers_custom),
    unread: Some(UNREAD),
};

/// Upstream looks the type of a Scale up in a scheme that does not have it.
const UNREAD: &str = "no kind is registered for the type v1.Scale in scheme \"k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_handler.go:781\"";

fn metadata(object: &Value) -> Value {
    let mut metadata = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = meta::metadata(object).and_then(|m| m.get(field)) {
            metadata[field] = value.clone();
        }
    }
    metadata
}

fn view(object: &Value) -> Value {
    let metadata = metadata(object);
    let number = |part: &str| object.get(part).and_then(|part| part.get("replicas")).and_then(Value::as_i64).unwrap_or(0);
    let mut scale = json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": {}, "status": {"replicas": number("status")}});
    if number("spec") != 0 {
        scale["spec"]["replicas"] = number("spec").into();
    }
    let selector = selector(object);
    if !selector.is_empty() {
        scale["status"]["selector"] = selector.into();
    }
    scale
}

fn paths(resource: &Resource) -> Result<&Paths, Status> {
    let paths = resource.custom.as_ref().and_then(|custom| custom.scale.as_ref());
    paths.ok_or_else(|| Status::internal("a scale without paths"))
}

fn view_custom(resource: &Resource, object: &Value) -> Result<Value, Status> {
    let shown = paths(resource)?.read(object).map_err(Status::internal)?;
    let mut scale = json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata(object), "spec": {}, "status": {"replicas": shown.present}});
    match shown.wanted {
        // What is not there must not look like none: a write that leaves it out is refused.
        None => scale["spec"]["replicas"] = Paths::unset().into(),
        Some(0) => {}
        Some(wanted) => scale["spec"]["replicas"] = wanted.into(),
    }
    if !shown.selector.is_empty() {
        scale["status"]["selector"] = shown.selector.into();
    }
    Ok(scale)
}

fn merge_custom(resource: &Resource, scale: Value, current: &Value) -> Result<Value, Status> {
    let replicas = scale.get("spec").and_then(|spec| spec.get("replicas")).and_then(Value::as_i64).unwrap_or(0);
    let mut object = current.clone();
    let paths = paths(resource)?;
    paths.write(&mut object, replicas).map_err(Status::bad_request)?;
    meta::set(&mut object, "resourceVersion", meta::resource_version(&scale));
    let version = resource.api_version();
    give_back(&mut object, &scale, current, &|other| same_group(other, &version).then_some(paths.wanted_place()));
    Ok(object)
}

/// In text; an older kind has a plain map where newer ones have a selector.
fn selector(object: &Value) -> String {
    let Some(selector) = object.get("spec").and_then(|spec| spec.get("selector")) else { return String::new() };
    if meta_kind(object) == ("v1", "ReplicationController") {
        let labels = selector.as_object().into_iter().flatten();
        return Selector::equal_to(labels.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))).to_string();
    }
    Selector::from_object(selector).ok().flatten().map(|selector| in_labels_form(selector).to_string()).unwrap_or_default()
}

/// `a in (b)` of one value is printed `a=b`, as upstream's conversion of `matchLabels` does.
fn in_labels_form(mut selector: Selector) -> Selector {
    use model::selector::label::Operator;
    for requirement in &mut selector.requirements {
        if requirement.operator == Operator::In && requirement.values.len() == 1 {
            requirement.operator = Operator::Equals;
        }
    }
    selector
}

fn meta_kind(object: &Value) -> (&str, &str) {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or("");
    (text("apiVersion"), text("kind"))
}

/// Owners of the number, as owners of a scale.
fn managers(object: &Value) -> Option<Value> {
    let (api_version, _) = meta_kind(object);
    let owners = meta::metadata(object).and_then(|m| m.get("managedFields"));
    apply::scale::to_scale(owners, &|version| place(api_version, version))
}

fn managers_custom(resource: &Resource, object: &Value) -> Option<Value> {
    let place = paths(resource).ok()?.wanted_place();
    let owners = meta::metadata(object).and_then(|m| m.get("managedFields"));
    let version = resource.api_version();
    apply::scale::to_scale(owners, &|other| same_group(other, &version).then_some(place))
}

/// Upstream knows all versions that the kind ever had.
fn place(api_version: &str, version: &str) -> Option<&'static str> {
    same_group(api_version, version).then_some(REPLICAS)
}

fn same_group(one: &str, other: &str) -> bool {
    split_api_version(one).0 == split_api_version(other).0
}

/// Writes the owners of a scale that was written into those of its object.
fn give_back(object: &mut Value, scale: &Value, current: &Value, places: Places<'_>) {
    let (api_version, _) = meta_kind(current);
    let owners = |object| meta::metadata(object).and_then(|m| m.get("managedFields"));
    match apply::scale::to_parent(owners(current), owners(scale), api_version, places) {
        Some(owners) => meta::set(object, "managedFields", owners),
        None => drop(meta::remove(object, "managedFields")),
    }
}

fn merge(scale: Value, current: &Value) -> Result<Value, Status> {
    let replicas = scale.get("spec").and_then(|spec| spec.get("replicas")).and_then(Value::as_i64).unwrap_or(0);
    if replicas < 0 {
        let mut errors = Errors::new();
        let spec = Path::new("spec");
        errors.invalid(&spec.child("replicas"), replicas, "must be greater than or equal to 0");
        let kind = GroupKind { group: "autoscaling".into(), kind: "Scale".into() };
        return Err(Status::invalid(&kind, meta::name(current), &errors));
    }
    let mut object = current.clone();
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("replicas", replicas.into());
    }
    meta::set(&mut object, "resourceVersion", meta::resource_version(&scale));
    let (api_version, _) = meta_kind(current);
    give_back(&mut object, &scale, current, &|version| place(api_version, version));
    Ok(object)
}

/// A scale that names a uid means the scale of that object. A replace was told before; a patch is told here.
fn means(resource: &Resource, uid: &str, current: &Value) -> Result<(), Status> {
    let found = meta::uid(current);
    if uid.is_empty() || uid == found {
        return Ok(());
    }
    let scale = GroupResource::new(&resource.gvr.group, &format!("{}/scale", resource.gvr.resource));
    let why = format!("Precondition failed: {}", removal::unmet("UID", uid, found));
    Err(Status::conflict(&scale, meta::name(current), why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_read_and_written_back() {
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "a", "namespace": "b", "uid": "u", "resourceVersion": "7", "labels": {"x": "y"}},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {}}, "status": {"replicas": 1}});
        let mut scale = view(&deployment);
        assert_eq!(scale["status"], json!({"replicas": 1, "selector": "app=web"}));
        assert_eq!(scale["spec"], json!({"replicas": 2}));
        assert_eq!(scale["metadata"].get("labels"), None);
        scale["spec"]["replicas"] = 5.into();
        let merged = merge(scale.clone(), &deployment).unwrap();
        assert_eq!((&merged["spec"]["replicas"], &merged["spec"]["template"]), (&json!(5), &json!({})));
        scale["spec"]["replicas"] = (-1).into();
        let refused = merge(scale, &deployment).unwrap_err();
        assert_eq!(
            refused.message,
            "Scale.autoscaling \"a\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
        );
    }
}
