//! What an update of a pod may change: images, the deadline, grace, more tolerations, fewer scheduling gates.
//! Follows `ValidatePodUpdate`.

use model::Value;
use model::field::{Errors, Path};
use model::name::inclusive_range_error;

use super::super::podspec::options::validate_leniently;
use super::super::podspec::{Options, annotations, ephemeral, tolerations};
use super::super::rules::{equal, get, internal};
use super::{diff, metadata_and_spec};

const UPDATABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
`spec.tolerations` (only additions to existing tolerations),\
`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// `ValidatePodUpdate`.
pub(super) fn validate(new: &Value, old: &Value, errors: &mut Errors) {
    leniently(new, old, errors, |options, errors| {
        metadata_and_spec(new, options, errors);
        annotation_updates(new, old, options, errors);
    });
    let (new, old) = (get::at(new, "spec"), get::at(old, "spec"));
    let path = Path::new("spec");
    for field in ["containers", "initContainers"] {
        if !containers(new, old, field, &path, errors) {
            return;
        }
    }
    if !deadline(new, old, &path, errors) {
        return;
    }
    only_added_tolerations(new, old, &path.child("tolerations"), errors);
    only_deleted_gates(new, old, &path.child("schedulingGates"), errors);
    if !equal::structs(new, old) {
        the_rest(new, old, &path, errors);
    }
}

/// Runs validations of a whole pod with the leniency that the stored one asks for.
pub(super) fn leniently(new: &Value, old: &Value, errors: &mut Errors, run: impl Fn(&Options, &mut Errors)) {
    debug_assert!(new.is_object());
    let options = || Options::from_old(get::at(old, "spec"), get::at(old, "metadata")).of_pod();
    validate_leniently(options, Options::strict().of_pod(), errors, run);
}

/// `ValidatePodSpecificAnnotationUpdates`.
pub(super) fn annotation_updates(new: &Value, old: &Value, options: &Options, errors: &mut Errors) {
    let path = Path::new("metadata.annotations");
    let (metadata, before) = (get::at(new, "metadata"), get::at(old, "metadata"));
    let (new_notes, old_notes) = (get::at(metadata, "annotations"), get::at(before, "annotations"));
    for (key, value) in get::pairs(before, "annotations") {
        if get::string(new_notes, key) == Some(value) {
            continue;
        }
        if key.starts_with(annotations::APPARMOR) {
            errors.forbidden(&path.key(key), "may not remove or update AppArmor annotations");
        }
        if key == annotations::MIRROR {
            errors.forbidden(&path.key(key), "may not remove or update mirror pod annotation");
        }
    }
    for (key, _) in get::pairs(metadata, "annotations").filter(|(key, _)| old_notes.get(*key).is_none()) {
        if key.starts_with(annotations::APPARMOR) {
            errors.forbidden(&path.key(key), "may not add AppArmor annotations");
        }
        if key == annotations::MIRROR {
            errors.forbidden(&path.key(key), "may not add mirror pod annotation");
        }
    }
    annotations::validate(metadata, get::at(new, "spec"), options.any_deletion_cost, &path, errors);
}

/// `ValidateContainerUpdates`. Returns whether to go on.
fn containers(new: &Value, old: &Value, field: &str, path: &Path, errors: &mut Errors) -> bool {
    let path = path.child(field);
    let containers = get::list(new, field);
    if containers.len() != get::list(old, field).len() {
        errors.forbidden(&path, "pod updates may not add or remove containers");
        return false;
    }
    for (i, container) in containers.iter().enumerate() {
        let path = path.index(i);
        if get::text(container, "image").is_empty() {
            errors.required(&path.child("image"), "");
        }
        ephemeral::image_whitespace(container, &path, errors);
    }
    true
}

/// The deadline may be set, or shortened. Returns whether to go on.
fn deadline(new: &Value, old: &Value, path: &Path, errors: &mut Errors) -> bool {
    let path = path.child("activeDeadlineSeconds");
    match (get::int(new, "activeDeadlineSeconds"), get::int(old, "activeDeadlineSeconds")) {
        (Some(new), _) if !(0..=i64::from(i32::MAX)).contains(&new) => {
            errors.invalid(&path, new, inclusive_range_error(0, i32::MAX.into()));
            false
        }
        (Some(new), Some(old)) if old < new => {
            errors.invalid(&path, new, "must be less than or equal to previous value");
            false
        }
        (None, Some(_)) => {
            errors.invalid(&path, Value::Null, "must not update from a positive integer to nil value");
            true
        }
        _ => true,
    }
}

/// `validateOnlyAddedTolerations`: those that were there stay, but for their seconds.
fn only_added_tolerations(new: &Value, old: &Value, path: &Path, errors: &mut Errors) {
    let new = get::list(new, "tolerations");
    let fields = ["key", "operator", "value", "effect"];
    let same = |a: &Value, b: &Value| fields.iter().all(|field| get::text(a, field) == get::text(b, field));
    if get::list(old, "tolerations").iter().any(|old| !new.iter().any(|new| same(old, new))) {
        return errors.forbidden(path, "existing toleration can not be modified except its tolerationSeconds");
    }
    tolerations::validate(new, path, errors);
}

fn only_deleted_gates(new: &Value, old: &Value, path: &Path, errors: &mut Errors) {
    let (gates, old) = (get::list(new, "schedulingGates"), get::list(old, "schedulingGates"));
    for (i, gate) in gates.iter().enumerate() {
        let name = get::text(gate, "name");
        let named = |other: &Value| get::text(other, "name") == name;
        // Of gates with one name the last is told.
        if !old.iter().any(named) && !gates[i + 1..].iter().any(named) {
            errors.forbidden(
                &path.index(i).child("name"),
                format!("only deletion is allowed, but found new scheduling gate '{name}'"),
            );
        }
    }
}

/// With what may change made as it was, nothing else may differ.
fn the_rest(new: &Value, old: &Value, path: &Path, errors: &mut Errors) {
    let mut munged = new.clone();
    for field in ["containers", "initContainers"] {
        for (container, old) in get::list_mut(&mut munged, field).iter_mut().zip(get::list(old, field)) {
            get::copy(container, old, "image");
        }
    }
    for field in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        get::copy(&mut munged, old, field);
    }
    let grace_s = |spec: &Value| get::int(spec, "terminationGracePeriodSeconds");
    if grace_s(old).is_some_and(|grace_s| grace_s < 0) && grace_s(&munged) == Some(1) {
        get::copy(&mut munged, old, "terminationGracePeriodSeconds");
    }
    if !get::list(old, "schedulingGates").is_empty() {
        gated(&mut munged, old, path, errors);
    }
    if !equal::structs(&munged, old) {
        let diff = diff::unified(&internal::show(old, internal::POD_SPEC), &internal::show(&munged, internal::POD_SPEC));
        errors.forbidden(path, format!("pod updates may not change fields other than {UPDATABLE}\n{diff}"));
    }
}

/// A pod that still waits at its gates may be told more precisely where to go.
fn gated(munged: &mut Value, old: &Value, path: &Path, errors: &mut Errors) {
    if !equal::semantic("nodeSelector", munged.get("nodeSelector"), old.get("nodeSelector")) {
        let new = get::at(munged, "nodeSelector");
        if get::pairs(old, "nodeSelector").any(|(key, value)| get::string(new, key) != Some(value)) {
            let detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
            errors.invalid(&path.child("nodeSelector"), internal::sorted(new), detail);
        }
        get::copy(munged, old, "nodeSelector");
    }
    let new = get::object(get::at(munged, "affinity"), "nodeAffinity");
    let before = get::object(get::at(old, "affinity"), "nodeAffinity");
    if equal::semantic("nodeAffinity", new, before) {
        return;
    }
    node_affinity(new, before, &path.child("affinity.nodeAffinity"), errors);
    restore_node_affinity(munged, old, before.cloned());
}

/// `validateNodeAffinityMutation`.
fn node_affinity(new: Option<&Value>, old: Option<&Value>, path: &Path, errors: &mut Errors) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    let terms = |affinity: Option<&Value>| {
        affinity.map_or(Vec::new(), |affinity| get::list(get::at(affinity, REQUIRED), "nodeSelectorTerms").to_vec())
    };
    let (new, old) = (terms(new), terms(old));
    let path = path.child(REQUIRED);
    let path = path.child("nodeSelectorTerms");
    if !old.is_empty() && old.len() != new.len() {
        let shown =
            if new.is_empty() { Value::Null } else { internal::show_each(&Value::Array(new), internal::NODE_SELECTOR_TERM) };
        return errors.invalid(&path, shown, "no additions/deletions to non-empty NodeSelectorTerms list are allowed");
    }
    for (i, (new, old)) in new.iter().zip(&old).enumerate() {
        if !has_only_additions(new, old) {
            let shown = internal::show(new, internal::NODE_SELECTOR_TERM);
            errors.invalid(&path.index(i), shown, "only additions are allowed (no mutations or deletions)");
        }
    }
}

fn has_only_additions(new: &Value, old: &Value) -> bool {
    let fields = ["matchExpressions", "matchFields"];
    let is_empty = |term: &Value| fields.iter().all(|field| get::list(term, field).is_empty());
    if is_empty(old) && !is_empty(new) {
        return false;
    }
    fields.iter().all(|field| {
        let (new, old) = (get::list(new, field), get::list(old, field));
        new.len() >= old.len() && old.iter().zip(new).all(|(old, new)| equal::semantic(field, Some(old), Some(new)))
    })
}

fn restore_node_affinity(munged: &mut Value, old: &Value, node_affinity: Option<Value>) {
    let others = ["podAffinity", "podAntiAffinity"];
    match (get::object(munged, "affinity"), node_affinity) {
        (None, None) => {}
        (None, Some(before)) => get::set(munged, "affinity", model::json::json!({"nodeAffinity": before})),
        (Some(new), _)
            if get::object(old, "affinity").is_none() && others.iter().all(|field| get::object(new, field).is_none()) =>
        {
            get::remove(munged, "affinity");
        }
        (Some(_), before) => {
            if let Some(affinity) = munged.get_mut("affinity") {
                match before {
                    Some(before) => get::set(affinity, "nodeAffinity", before),
                    None => get::remove(affinity, "nodeAffinity"),
                }
            }
        }
    }
}
