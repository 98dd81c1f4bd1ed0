//! Namespace. Upstream: `pkg/registry/core/namespace/strategy.go`, `pkg/apis/core/validation` (`ValidateNamespace`).
//! Emptying a deleted namespace is a controller's work (`controllers`).

use model::field::{Errors, Path};
use model::json::json;
use model::{Value, meta};

use super::rules::{get, text};
use super::{Hooks, Selectable};

/// The finalizer that the namespace controller removes once the namespace is empty.
const KUBERNETES: &str = "kubernetes";
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

pub(super) const HOOKS: Hooks = Hooks {
    default: Some(label_with_name),
    prepare_create: Some(prepare_create),
    prepare_update: Some(prepare_update),
    validate: Some(validate),
    validate_status: Some(validate_status),
    deleting: Some(deleting),
    selects_no_namespace: true,
    selectable: &[Selectable { field: "status.phase", value: |object| get::text(get::at(object, "status"), "phase").to_owned() }],
    without_unsafe_delete: true,
    ..Hooks::NONE
};

/// Every namespace carries its name as a label, so that selectors can name it.
fn label_with_name(object: &mut Value) {
    let name = meta::name(object).to_owned();
    if name.is_empty() {
        return;
    }
    let Some(metadata) = meta::metadata_mut(object) else { return };
    if let Some(labels) = metadata.entry("labels").or_insert_with(|| json!({})).as_object_mut() {
        labels.insert(NAME_LABEL.to_owned(), name.into());
    }
}

fn prepare_create(object: &mut Value) {
    label_with_name(object);
    get::set(object, "status", json!({"phase": "Active"}));
    let Some(spec) = get::object_mut(object, "spec") else { return };
    let finalizers = spec.entry("finalizers").or_insert_with(|| json!([]));
    if let Some(finalizers) = finalizers.as_array_mut()
        && !finalizers.iter().any(|f| f == KUBERNETES)
    {
        finalizers.push(KUBERNETES.into());
    }
}

/// Finalizers change through the subresource `finalize` only.
fn prepare_update(new: &mut Value, old: &Value) {
    label_with_name(new);
    get::copy(new, old, "spec");
}

/// `PrepareForUpdate` of the finalize strategy.
pub fn prepare_finalize(new: &mut Value, old: &Value) {
    get::copy(new, old, "status");
}

fn deleting(object: &mut Value) {
    if let Some(status) = get::object_mut(object, "status") {
        status.insert("phase", "Terminating".into());
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let path = Path::new("spec.finalizers");
    // Upstream names no index here.
    get::strings(get::at(object, "spec"), "finalizers").for_each(|finalizer| validate_finalizer(finalizer, &path, errors));
}

/// `ValidateNamespaceFinalizeUpdate`.
pub fn validate_finalize(new: &Value, _old: &Value, errors: &mut Errors) {
    let path = Path::new("spec.finalizers");
    for (i, finalizer) in get::strings(get::at(new, "spec"), "finalizers").enumerate() {
        validate_finalizer(finalizer, &path.index(i), errors);
    }
}

fn validate_finalizer(finalizer: &str, path: &Path, errors: &mut Errors) {
    text::qualified_name(finalizer, path, errors);
    if !finalizer.contains('/') && !matches!(finalizer, KUBERNETES | "orphan" | "foregroundDeletion") {
        errors.invalid(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified");
    }
}

fn validate_status(new: &Value, _old: &Value, errors: &mut Errors) {
    let phase = get::text(get::at(new, "status"), "phase");
    let (right, why) = match meta::deletion_timestamp(new) {
        None => ("Active", "may only be 'Active' if `deletionTimestamp` is empty"),
        Some(_) => ("Terminating", "may only be 'Terminating' if `deletionTimestamp` is not empty"),
    };
    if phase != right {
        // Upstream spells the field with a capital here.
        errors.invalid_named(&Path::new("status.Phase"), phase, why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_namespace_is_active_labelled_and_finalized() {
        let mut object = json!({"metadata": {"name": "a"}});
        prepare_create(&mut object);
        assert_eq!(
            object,
            json!({"metadata": {"name": "a", "labels": {"kubernetes.io/metadata.name": "a"}},
                "status": {"phase": "Active"}, "spec": {"finalizers": ["kubernetes"]}})
        );
    }

    #[test]
    fn finalizers_are_standard_or_qualified() {
        let mut errors = Errors::new();
        validate(&json!({"spec": {"finalizers": ["kubernetes", "example.com/a", "mine"]}}), &mut errors);
        assert_eq!(
            errors.0.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["spec.finalizers: Invalid value: \"mine\": name is neither a standard finalizer name nor is it fully qualified"]
        );
    }
}
