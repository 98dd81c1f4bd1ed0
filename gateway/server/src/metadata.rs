//! What every kind's `metadata` must obey, on create and on update.
//! Follows `k8s.io/apimachinery/pkg/api/validation/objectmeta.go`. Does not know a kind: the rule for names is handed in.

use model::field::{Errors, Path, quote};
use model::name::{NameRule, Prefix, name_is_dns_label, name_is_path_segment};
use model::{Value, content, meta};

/// All keys and values of the annotations of an object, in bytes, as upstream.
const ANNOTATIONS_BYTES_MAX: usize = 256 << 10;
/// Longest name of a field manager, in bytes, as upstream.
const FIELD_MANAGER_BYTES_MAX: usize = 128;
/// Longest subresource of a managed field, in bytes, as upstream.
const SUBRESOURCE_BYTES_MAX: usize = 256;
/// The finalizer by which dependants are left behind.
pub const ORPHAN: &str = "orphan";
/// The finalizer by which dependants go first.
pub const FOREGROUND: &str = "foregroundDeletion";

/// Whether a kind lives in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// It does.
    Namespaced,
    /// It does not.
    Cluster,
}

/// `ValidateObjectMetaAccessor`: metadata on its own.
pub fn validate(object: &Value, scope: Scope, rule: NameRule, errors: &mut Errors) {
    let path = Path::new("metadata");
    let generate_name = meta::text(object, "generateName");
    if !generate_name.is_empty() {
        for fault in rule(generate_name, Prefix::Yes) {
            errors.invalid(&path.child("generateName"), generate_name, fault);
        }
    }
    let name = meta::name(object);
    if name.is_empty() {
        errors.required(&path.child("name"), "name or generateName is required");
    } else {
        for fault in rule(name, Prefix::No) {
            errors.invalid(&path.child("name"), name, fault);
        }
    }
    validate_namespace(object, scope, &path, errors);
    validate_generation(object, &path, errors);
    validate_maps(object, &path, errors);
    validate_owner_references(object, &path.child("ownerReferences"), errors);
    validate_finalizers(object, &path.child("finalizers"), errors);
    validate_managed_fields(object, &path.child("managedFields"), errors);
}

/// `validateCommonFields`: metadata of an update, against what is stored.
pub fn validate_update(new: &Value, old: &Value, scope: Scope, errors: &mut Errors) {
    validate(new, scope, name_is_path_segment, errors);
    validate_change(new, old, errors);
}

/// `ValidateObjectMetaAccessorUpdate`: what an update may not do to metadata.
pub fn validate_change(new: &Value, old: &Value, errors: &mut Errors) {
    let path = Path::new("metadata");
    if meta::deletion_timestamp(old).is_some() {
        validate_no_new_finalizers(new, old, &path.child("finalizers"), errors);
    }
    if meta::resource_version(new).is_empty() {
        errors.invalid(&path.child("resourceVersion"), "", "must be specified for an update");
    }
    validate_generation(new, &path, errors);
    if meta::generation(new) < meta::generation(old) {
        errors.invalid(&path.child("generation"), meta::generation(new), "must not be decremented");
    }
    for field in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        let value = |object: &Value| meta::metadata(object).and_then(|m| m.get(field)).cloned().unwrap_or(Value::Null);
        if value(new) != value(old) {
            errors.invalid(&path.child(field), value(new), "field is immutable");
        }
    }
    validate_maps(new, &path, errors);
    validate_owner_references(new, &path.child("ownerReferences"), errors);
    validate_managed_fields(new, &path.child("managedFields"), errors);
}

/// Removes owner references that stand twice. Gives the uids that were removed.
pub fn dedup_owner_references(object: &mut Value) -> Vec<String> {
    let references = meta::owner_references(object);
    if references.len() < 2 {
        return Vec::new();
    }
    let (mut kept, mut removed): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    for reference in references {
        if kept.contains(reference) {
            removed.push(reference.get("uid").and_then(Value::as_str).unwrap_or("").to_owned());
        } else {
            kept.push(reference.clone());
        }
    }
    if !removed.is_empty() {
        meta::set(object, "ownerReferences", kept);
    }
    removed
}

fn validate_namespace(object: &Value, scope: Scope, path: &Path, errors: &mut Errors) {
    let namespace = meta::namespace(object);
    let path = path.child("namespace");
    match scope {
        Scope::Namespaced if namespace.is_empty() => errors.required(&path, ""),
        Scope::Namespaced => {
            for fault in name_is_dns_label(namespace, Prefix::No) {
                errors.invalid(&path, namespace, fault);
            }
        }
        Scope::Cluster if !namespace.is_empty() => errors.forbidden(&path, "not allowed on this type"),
        Scope::Cluster => {}
    }
}

fn validate_generation(object: &Value, path: &Path, errors: &mut Errors) {
    if meta::generation(object) < 0 {
        errors.invalid(&path.child("generation"), meta::generation(object), "must be greater than or equal to 0");
    }
}

fn validate_maps(object: &Value, path: &Path, errors: &mut Errors) {
    let labels = path.child("labels");
    for (key, value) in meta::labels(object) {
        for fault in content::label_key(key) {
            errors.invalid(&labels, key, fault);
        }
        for fault in content::label_value(value) {
            errors.invalid(&labels, value, fault);
        }
    }
    let annotations = path.child("annotations");
    let mut bytes = 0;
    for (key, value) in meta::annotations(object) {
        bytes += key.len() + value.len();
        for fault in content::label_key(&key.to_lowercase()) {
            errors.invalid(&annotations, key, fault);
        }
    }
    if bytes > ANNOTATIONS_BYTES_MAX {
        errors.too_long(&annotations, ANNOTATIONS_BYTES_MAX);
    }
}

fn validate_owner_references(object: &Value, path: &Path, errors: &mut Errors) {
    let references = meta::owner_references(object);
    let mut controller = String::new();
    for (at, reference) in references.iter().enumerate() {
        let path_at = path.index(at);
        let text = |field: &str| reference.get(field).and_then(Value::as_str).unwrap_or("");
        let api_version = text("apiVersion");
        if api_version.is_empty() {
            errors.required(&path_at.child("apiVersion"), "must not be empty");
        } else if api_version.matches('/').count() > 1 || api_version.ends_with('/') {
            errors.invalid(&path_at.child("apiVersion"), api_version, "must be <group>/<version> or <version>");
        }
        for field in ["kind", "name", "uid"] {
            if text(field).is_empty() {
                errors.required(&path_at.child(field), "must not be empty");
            }
        }
        if (api_version, text("kind")) == ("v1", "Event") {
            errors.invalid(&path_at, reference.clone(), "/v1, Kind=Event is disallowed from being an owner");
        }
        if reference.get("controller").and_then(Value::as_bool) == Some(true) {
            let this = format!("{}/{}", text("kind"), text("name"));
            if controller.is_empty() {
                controller = this;
            } else {
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {controller} and {this}"
                );
                errors.invalid(path, references.to_vec(), detail);
            }
        }
    }
}

fn validate_finalizers(object: &Value, path: &Path, errors: &mut Errors) {
    let finalizers = meta::finalizers(object);
    for finalizer in &finalizers {
        for fault in content::label_key(finalizer) {
            errors.invalid(path, *finalizer, fault);
        }
    }
    if finalizers.contains(&ORPHAN) && finalizers.contains(&FOREGROUND) {
        errors.invalid(path, finalizers.clone(), format!("finalizer {ORPHAN} and {FOREGROUND} cannot be both set"));
    }
}

fn validate_no_new_finalizers(new: &Value, old: &Value, path: &Path, errors: &mut Errors) {
    let had = meta::finalizers(old);
    let mut extra: Vec<&str> = meta::finalizers(new).into_iter().filter(|finalizer| !had.contains(finalizer)).collect();
    if extra.is_empty() {
        return;
    }
    extra.sort_unstable();
    extra.dedup();
    let shown: Vec<String> = extra.iter().map(|finalizer| quote(finalizer)).collect();
    let shown = format!("[]string{{{}}}", shown.join(", "));
    errors.forbidden(path, format!("no new finalizers can be added if the object is being deleted, found new finalizers {shown}"));
}

fn validate_managed_fields(object: &Value, path: &Path, errors: &mut Errors) {
    let entries = meta::metadata(object).and_then(|m| m.get("managedFields")).and_then(Value::as_array);
    for (at, entry) in entries.into_iter().flatten().enumerate() {
        let path = path.index(at);
        let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or("");
        match text("operation") {
            "" => errors.required(&path.child("operation"), "must not be empty"),
            "Apply" | "Update" => {}
            other => errors.not_supported(&path.child("operation"), other, &["Apply", "Update"]),
        }
        if !matches!(text("fieldsType"), "" | "FieldsV1") {
            errors.invalid(&path.child("fieldsType"), text("fieldsType"), "must be `FieldsV1`");
        }
        if text("manager").len() > FIELD_MANAGER_BYTES_MAX {
            errors.too_long(&path.child("manager"), FIELD_MANAGER_BYTES_MAX);
        }
        if text("subresource").len() > SUBRESOURCE_BYTES_MAX {
            errors.too_long(&path.child("subresource"), SUBRESOURCE_BYTES_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use model::name::name_is_dns_subdomain;
    use serde_json::json;

    use super::*;

    fn faults(object: Value) -> Vec<String> {
        let mut errors = Errors::new();
        validate(&object, Scope::Namespaced, name_is_dns_subdomain, &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn metadata_alone() {
        assert!(faults(json!({"metadata": {"name": "a", "namespace": "b", "labels": {"x": "y"}}})).is_empty());
        assert_eq!(
            faults(json!({"metadata": {}})),
            ["metadata.name: Required value: name or generateName is required", "metadata.namespace: Required value"]
        );
        let found = faults(json!({"metadata": {"name": "A", "namespace": "b", "labels": {"x": "/"}, "finalizers": ["orphan", "foregroundDeletion"]}}));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[1].starts_with("metadata.labels: Invalid value: \"/\": a valid label must be"), "{}", found[1]);
        assert_eq!(
            faults(json!({"metadata": {"name": "a", "namespace": "b", "ownerReferences": [
                {"apiVersion": "v1", "kind": "K", "name": "x", "uid": "1", "controller": true},
                {"apiVersion": "v1", "kind": "K", "name": "y", "uid": "2", "controller": true}]}}))
            .len(),
            1
        );
    }

    #[test]
    fn what_an_update_may_not_do() {
        let old = json!({"metadata": {"name": "a", "namespace": "b", "uid": "1", "deletionTimestamp": "2020-01-01T00:00:00Z"}});
        let new = json!({"metadata": {"name": "a", "namespace": "b", "uid": "2", "finalizers": ["x/y"], "resourceVersion": "1"}});
        let mut errors = Errors::new();
        validate_change(&new, &old, &mut errors);
        let found: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"x/y\"}",
                "metadata.uid: Invalid value: \"2\": field is immutable",
                "metadata.deletionTimestamp: Invalid value: null: field is immutable",
            ]
        );
    }

    #[test]
    fn owner_references_stand_once() {
        let one = json!({"uid": "1", "name": "a"});
        let mut object = json!({"metadata": {"ownerReferences": [one, {"uid": "1", "name": "b"}, one]}});
        assert_eq!(dedup_owner_references(&mut object), ["1"]);
        assert_eq!(meta::owner_references(&object).len(), 2);
    }
}
