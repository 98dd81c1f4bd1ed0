//! The rules of `metadata` and of label selectors, the same for every kind.
//! Follows `k8s.io/apimachinery/pkg/api/validation/objectmeta.go` and `pkg/apis/meta/v1/validation`. Does not set system
//! fields (the write path) and does not know a kind's name rule.

use std::collections::HashSet;

use model::field::{Errors, Path, is_printable};
use model::json::{Map, Value};
use model::meta;
use model::name::{Prefix, is_qualified_name, is_valid_label_value, name_is_dns_label};

use crate::normal::zero_time;
use crate::types::Kind;

#[cfg(test)]
mod tests;

/// Most bytes of all annotations of an object, keys and values together.
pub const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;
/// Longest `fieldManager`.
const FIELD_MANAGER_BYTES_MAX: usize = 128;
/// Longest `subresource` of a managed-fields entry.
const SUBRESOURCE_BYTES_MAX: usize = 256;
/// What is said of a field that may not change.
pub const IMMUTABLE: &str = "field is immutable";
/// The finalizer that leaves dependants behind.
pub const ORPHAN: &str = "orphan";
/// The finalizer that deletes dependants first.
pub const FOREGROUND: &str = "foregroundDeletion";

/// Whether objects of a kind live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// They do.
    Namespaced,
    /// They do not.
    Cluster,
}

/// What a rule finds wrong with a name, or with what one is generated from.
pub type NameFaults<'a> = &'a dyn Fn(&str, Prefix) -> Vec<String>;

/// `ValidateObjectMeta`: the metadata of an object about to be created, its name generated already.
pub fn validate(object: &Value, scope: Scope, rule: NameFaults<'_>, errors: &mut Errors) {
    validate_names(object, rule, errors);
    let path = Path::new("metadata");
    match (scope, meta::namespace(object)) {
        (Scope::Namespaced, "") => errors.required(&path.child("namespace"), ""),
        (Scope::Namespaced, name) => invalid_each(name_is_dns_label(name, Prefix::No), &path.child("namespace"), name, errors),
        (Scope::Cluster, "") => {}
        (Scope::Cluster, _) => errors.forbidden(&path.child("namespace"), "not allowed on this type"),
    }
    validate_generation(object, errors);
    validate_labels(member(object, "labels"), &path.child("labels"), errors);
    validate_annotations(member(object, "annotations"), &path.child("annotations"), errors);
    validate_owner_references(object, errors);
    validate_finalizers(&meta::finalizers(object), &path.child("finalizers"), errors);
    validate_managed_fields(object, errors);
}

/// The part of it that is about names.
pub fn validate_names(object: &Value, rule: NameFaults<'_>, errors: &mut Errors) {
    let path = Path::new("metadata");
    let generate_name = meta::text(object, "generateName");
    if !generate_name.is_empty() {
        invalid_each(rule(generate_name, Prefix::Yes), &path.child("generateName"), generate_name, errors);
    }
    match meta::name(object) {
        "" => errors.required(&path.child("name"), "name or generateName is required"),
        name => invalid_each(rule(name, Prefix::No), &path.child("name"), name, errors),
    }
}

/// What Kubernetes' own kinds ask of finalizers besides: those without a domain are of its own.
pub fn validate_kube_finalizers(object: &Value, errors: &mut Errors) {
    let path = Path::new("metadata");
    let path = path.child("finalizers");
    for (index, finalizer) in meta::finalizers(object).into_iter().enumerate() {
        if !finalizer.contains('/') && !["kubernetes", ORPHAN, FOREGROUND].contains(&finalizer) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            errors.invalid(&path.index(index), finalizer, why);
        }
    }
}

/// `ValidateObjectMetaUpdate`: what may not change does not, and what did is well-formed.
pub fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    let path = Path::new("metadata");
    if meta::deletion_timestamp(old).is_some() {
        validate_no_new_finalizers(&meta::finalizers(new), &meta::finalizers(old), &path.child("finalizers"), errors);
    }
    if meta::resource_version(new).is_empty() {
        errors.invalid(&path.child("resourceVersion"), "", "must be specified for an update");
    }
    validate_generation(new, errors);
    if meta::generation(new) < meta::generation(old) {
        errors.invalid(&path.child("generation"), meta::generation(new), "must not be decremented");
    }
    for field in ["name", "namespace"] {
        if meta::text(new, field) != meta::text(old, field) {
            errors.invalid(&path.child(field), meta::text(new, field), IMMUTABLE);
        }
    }
    if meta::uid(new) != meta::uid(old) {
        errors.invalid_named(&path.child("uid"), meta::uid(new), IMMUTABLE);
    }
    for field in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        if raw(new, field) != raw(old, field) {
            let shown = Some(raw(new, field)).filter(|value| value.as_str() != Some(zero_time(&Kind::Time))).cloned();
            errors.invalid(&path.child(field), shown.unwrap_or(Value::Null), IMMUTABLE);
        }
    }
    validate_labels(member(new, "labels"), &path.child("labels"), errors);
    validate_annotations(member(new, "annotations"), &path.child("annotations"), errors);
    validate_owner_references(new, errors);
    validate_managed_fields(new, errors);
}

fn raw<'a>(object: &'a Value, field: &str) -> &'a Value {
    meta::metadata(object).and_then(|m| m.get(field)).unwrap_or(&Value::Null)
}

fn member<'a>(object: &'a Value, field: &str) -> Option<&'a Map> {
    raw(object, field).as_object()
}

fn invalid_each(wrong: Vec<String>, path: &Path<'_>, value: &str, errors: &mut Errors) {
    for message in wrong {
        errors.invalid(path, value, message);
    }
}

fn validate_generation(object: &Value, errors: &mut Errors) {
    if meta::generation(object) < 0 {
        errors.invalid(
            &Path::new("metadata").child("generation"),
            meta::generation(object),
            "must be greater than or equal to 0",
        );
    }
}

/// The pairs of a map in the order of their keys.
fn sorted(map: Option<&Map>) -> Vec<(&str, &str)> {
    let mut pairs: Vec<(&str, &str)> = map.into_iter().flatten().map(|(k, v)| (k.as_str(), v.as_str().unwrap_or(""))).collect();
    pairs.sort_unstable();
    pairs
}

/// `ValidateLabels`.
pub fn validate_labels(labels: Option<&Map>, path: &Path<'_>, errors: &mut Errors) {
    for (key, value) in sorted(labels) {
        invalid_each(is_qualified_name(key), path, key, errors);
        invalid_each(is_valid_label_value(value), path, value, errors);
    }
}

/// `ValidateAnnotations`: keys as labels, whatever their case; values of any kind up to a total size.
pub fn validate_annotations(annotations: Option<&Map>, path: &Path<'_>, errors: &mut Errors) {
    let mut bytes = 0;
    for (key, value) in sorted(annotations) {
        invalid_each(is_qualified_name(&key.to_lowercase()), path, key, errors);
        bytes += key.len() + value.len();
    }
    if bytes > ANNOTATIONS_BYTES_MAX {
        errors.too_long(path, ANNOTATIONS_BYTES_MAX);
    }
}

fn validate_owner_references(object: &Value, errors: &mut Errors) {
    let metadata = Path::new("metadata");
    let path = metadata.child("ownerReferences");
    let mut controller: Option<String> = None;
    for (i, owner) in meta::owner_references(object).iter().enumerate() {
        validate_owner_reference(owner, &path.index(i), errors);
        if owner.get("controller").and_then(Value::as_bool) != Some(true) {
            continue;
        }
        let current = format!("{}/{}", text(owner, "kind"), text(owner, "name"));
        match &controller {
            None => controller = Some(current),
            Some(first) => errors.invalid(
                &path,
                raw(object, "ownerReferences").as_array().into_iter().flatten().map(owner_shown).collect::<Value>(),
                format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {current}"
                ),
            ),
        }
    }
}

/// Members as messages show them: in the order of Go's struct.
const OWNER: [&str; 6] = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
const METADATA: [&str; 15] = [
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// An object's metadata as a message shows it.
pub fn shown(metadata: &Value) -> Value {
    let mut shown = in_order(metadata, &METADATA);
    if let Some(owners) = shown.get_mut("ownerReferences").and_then(Value::as_array_mut) {
        owners.iter_mut().for_each(|owner| *owner = owner_shown(owner));
    }
    shown
}

/// An owner as Go writes it: its texts always, flags where they are set.
fn owner_shown(owner: &Value) -> Value {
    let texts = OWNER[..4].iter().map(|name| (*name, text(owner, name).into()));
    let flags = OWNER[4..].iter().filter_map(|name| Some((*name, owner.get(*name)?.clone())));
    Value::Object(texts.chain(flags).map(|(name, member)| (name.to_owned(), member)).collect())
}

fn in_order(value: &Value, names: &[&str]) -> Value {
    let members = names.iter().filter_map(|name| Some((*name, value.get(*name)?.clone())));
    Value::Object(members.map(|(name, member)| (name.to_owned(), member)).collect::<model::Map>())
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or("")
}

fn validate_owner_reference(owner: &Value, path: &Path<'_>, errors: &mut Errors) {
    let api_version = text(owner, "apiVersion");
    if api_version.is_empty() {
        errors.required(&path.child("apiVersion"), "must not be empty");
    } else if api_version.matches('/').count() > 1 || api_version.ends_with('/') {
        errors.invalid(&path.child("apiVersion"), api_version, "must be <group>/<version> or <version>");
    }
    for field in ["kind", "name", "uid"] {
        if text(owner, field).is_empty() {
            errors.required(&path.child(field), "must not be empty");
        }
    }
    // Upstream reads a leading slash as the core group.
    if matches!(api_version, "v1" | "/v1") && text(owner, "kind") == "Event" {
        errors.invalid(path, owner.clone(), "/v1, Kind=Event is disallowed from being an owner");
    }
}

/// `ValidateFinalizers`.
pub fn validate_finalizers(finalizers: &[&str], path: &Path<'_>, errors: &mut Errors) {
    for finalizer in finalizers {
        invalid_each(is_qualified_name(finalizer), path, finalizer, errors);
    }
    if finalizers.contains(&ORPHAN) && finalizers.contains(&FOREGROUND) {
        errors.invalid(path, finalizers.to_vec(), format!("finalizer {ORPHAN} and {FOREGROUND} cannot be both set"));
    }
}

/// `ValidateNoNewFinalizers`: an object that is being deleted takes no more of them.
pub fn validate_no_new_finalizers(new: &[&str], old: &[&str], path: &Path<'_>, errors: &mut Errors) {
    let known: HashSet<&str> = old.iter().copied().collect();
    let mut extra: Vec<&str> = new.iter().copied().filter(|f| !known.contains(f)).collect();
    extra.sort_unstable();
    extra.dedup();
    if !extra.is_empty() {
        let listed: Vec<String> = extra.iter().map(|f| model::field::quote(f)).collect();
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            listed.join(", ")
        );
        errors.forbidden(path, detail);
    }
}

fn validate_managed_fields(object: &Value, errors: &mut Errors) {
    let metadata = Path::new("metadata");
    let list = metadata.child("managedFields");
    for (i, entry) in raw(object, "managedFields").as_array().into_iter().flatten().enumerate() {
        let path = list.index(i);
        match text(entry, "operation") {
            "" => errors.required(&path.child("operation"), "must not be empty"),
            "Apply" | "Update" => {}
            other => errors.not_supported(&path.child("operation"), other, &["Apply", "Update"]),
        }
        if !matches!(text(entry, "fieldsType"), "" | "FieldsV1") {
            errors.invalid(&path.child("fieldsType"), text(entry, "fieldsType"), "must be `FieldsV1`");
        }
        validate_field_manager(text(entry, "manager"), &path.child("manager"), errors);
        if text(entry, "subresource").len() > SUBRESOURCE_BYTES_MAX {
            errors.too_long(&path.child("subresource"), SUBRESOURCE_BYTES_MAX);
        }
    }
}

/// `ValidateFieldManager`: short and printable.
pub fn validate_field_manager(manager: &str, path: &Path<'_>, errors: &mut Errors) {
    if manager.len() > FIELD_MANAGER_BYTES_MAX {
        errors.too_long(path, FIELD_MANAGER_BYTES_MAX);
    }
    for (at, c) in manager.char_indices().filter(|(_, c)| !is_printable(*c)) {
        // Go prints `%#U`, which quotes only what can be printed.
        errors.invalid(path, manager, format!("invalid character U+{:04X} (at position {at})", c as u32));
    }
}

/// Whether values of a selector that are no label values pass: only where an old object already has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// They must be label values.
    Strict,
    /// They may be anything.
    Any,
}

/// `ValidateLabelSelector`; nothing is wrong with one that is absent.
pub fn validate_label_selector(selector: Option<&Value>, values: Values, path: &Path<'_>, errors: &mut Errors) {
    let Some(selector) = selector else { return };
    validate_labels(selector.get("matchLabels").and_then(Value::as_object), &path.child("matchLabels"), errors);
    let list = path.child("matchExpressions");
    for (i, expression) in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten().enumerate() {
        validate_requirement(expression, values, &list.index(i), errors);
    }
}

fn validate_requirement(requirement: &Value, strictness: Values, path: &Path<'_>, errors: &mut Errors) {
    let values = requirement.get("values").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match text(requirement, "operator") {
        "In" | "NotIn" if values.is_empty() => {
            errors.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            errors.forbidden(&path.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => errors.invalid(&path.child("operator"), other, "not a valid selector operator"),
    }
    let key = text(requirement, "key");
    invalid_each(is_qualified_name(key), &path.child("key"), key, errors);
    if strictness == Values::Strict {
        let list = path.child("values");
        for (i, value) in values.iter().enumerate() {
            let value = value.as_str().unwrap_or("");
            invalid_each(is_valid_label_value(value), &list.index(i), value, errors);
        }
    }
}
