//! What the strategy of pods sets and drops before validation. Follows `PrepareForCreate` and `PrepareForUpdate`.

use model::field::Path;
use model::json::json;
use model::{Map, Value, meta};

use super::super::podspec::{annotations, drop, qos, visit_containers, visit_containers_mut};
use super::super::rules::{equal, get};
use super::level_resources;

/// `PrepareForCreate`.
pub(super) fn create(pod: &mut Value) {
    drop::disabled(pod);
    let mut status = json!({"phase": "Pending"});
    if !get::list(get::at(pod, "spec"), "schedulingGates").is_empty() {
        status["conditions"] = json!([gated(meta::text(pod, "creationTimestamp"))]);
    }
    select_by_label_keys(pod);
    apparmor_from_annotations(pod);
    if let Some(spec) = pod.get_mut("spec") {
        level_resources::default(spec);
    }
    status["qosClass"] = json!(qos::class(get::at(pod, "spec")));
    get::set(pod, "status", status);
}

/// The condition of a pod that waits at its gates, since it was created.
fn gated(since: &str) -> Value {
    json!({
        "type": "PodScheduled",
        "status": "False",
        "lastTransitionTime": since,
        "reason": "SchedulingGated",
        "message": "Scheduling is blocked due to non-empty scheduling gates",
    })
}

/// `PrepareForUpdate`: a client that does not know pod-level resources does not remove them.
pub(super) fn update(pod: &mut Value, old: &Value) {
    keep_level_resources(pod, old);
    drop::disabled(pod);
}

/// `ResetObjectMetaForStatus` and the generation: what a subresource of the spec leaves of the new metadata.
pub(super) fn keep_metadata(pod: &mut Value, old: &Value) {
    const KEPT: &[&str] = &["deletionTimestamp", "selfLink", "labels", "annotations", "finalizers", "ownerReferences"];
    let before = get::at(old, "metadata");
    let changed = !equal::semantic("spec", pod.get("spec"), old.get("spec"));
    let Some(metadata) = pod.get_mut("metadata") else { return };
    for field in KEPT {
        get::copy(metadata, before, field);
    }
    match meta::generation(old) + i64::from(changed) {
        0 => get::remove(metadata, "generation"),
        generation => get::set(metadata, "generation", generation),
    }
}

/// Pod-level resources that the new object lacks altogether.
pub(super) fn keep_level_resources(pod: &mut Value, old: &Value) {
    let kept = get::object(get::at(old, "spec"), "resources");
    if let (Some(kept), Some(spec)) = (kept, pod.get_mut("spec"))
        && get::object(spec, "resources").is_none()
    {
        get::set(spec, "resources", kept.clone());
    }
}

/// `mutatePodAffinity` and `mutateTopologySpreadConstraints`: label keys become requirements with the pod's own values.
fn select_by_label_keys(pod: &mut Value) {
    let labels = get::at(get::at(pod, "metadata"), "labels").as_object().cloned().unwrap_or_default();
    let Some(spec) = pod.get_mut("spec") else { return };
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(affinity) = spec.get_mut("affinity").and_then(|affinity| affinity.get_mut(kind)) else { continue };
        for weighted in get::list_mut(affinity, "preferredDuringSchedulingIgnoredDuringExecution") {
            if let Some(term) = weighted.get_mut("podAffinityTerm") {
                select(term, &labels);
            }
        }
        for term in get::list_mut(affinity, "requiredDuringSchedulingIgnoredDuringExecution") {
            select(term, &labels);
        }
    }
    for constraint in get::list_mut(spec, "topologySpreadConstraints") {
        select(constraint, &labels);
    }
}

fn select(term: &mut Value, labels: &Map) {
    let mut requirements = Vec::new();
    for (field, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
        for key in get::strings(term, field) {
            if let Some(value) = labels.get(key) {
                requirements.push(json!({"key": key, "operator": operator, "values": [value]}));
            }
        }
    }
    let Some(selector) = term.get_mut("labelSelector").and_then(Value::as_object_mut).filter(|_| !requirements.is_empty()) else {
        return;
    };
    let expressions = selector.entry("matchExpressions").or_insert_with(|| json!([]));
    if let Some(expressions) = expressions.as_array_mut() {
        expressions.extend(requirements);
    }
}

/// `applyAppArmorVersionSkew`: the annotations of old become fields, where they say something else than the pod's field.
fn apparmor_from_annotations(pod: &mut Value) {
    let (notes, of_pod) = (apparmor_notes(pod), apparmor_of_pod(pod));
    let Some(spec) = pod.get_mut("spec").filter(|_| !notes.is_empty()) else { return };
    visit_containers_mut(spec, &mut |container| {
        if let Some(Old { profile: Some(profile), .. }) = old_apparmor(&notes, of_pod.as_ref(), container)
            && let Some(context) = get::object_mut(container, "securityContext")
        {
            context.insert("appArmorProfile", profile);
        }
    });
}

/// What is said of those annotations, as long as no field was made of them.
pub(super) fn apparmor_warnings(pod: &Value) -> Vec<String> {
    let (notes, of_pod) = (apparmor_notes(pod), apparmor_of_pod(pod));
    let mut warnings = Vec::new();
    if notes.is_empty() {
        return warnings;
    }
    let path = Path::new("metadata.annotations");
    visit_containers(get::at(pod, "spec"), &Path::new("spec"), &mut |container, _| {
        if let Some(old) = old_apparmor(&notes, of_pod.as_ref(), container).filter(|old| old.told) {
            let key = format!("{}{}", annotations::APPARMOR, old.container);
            let at = path.key(&key);
            warnings.push(format!("{at}: deprecated since v1.30; use the \"appArmorProfile\" field instead"));
        }
    });
    warnings
}

/// An annotation of a container that has no field of its own.
struct Old {
    container: String,
    /// The field that is made of it.
    profile: Option<Value>,
    /// Whether its author is told: not where it repeats the pod's field.
    told: bool,
}

/// Profiles of containers in annotations; none counts on Windows.
fn apparmor_notes(pod: &Value) -> Vec<(String, String)> {
    if get::text(get::at(pod, "spec.os"), "name") == "windows" {
        return Vec::new();
    }
    get::pairs(get::at(pod, "metadata"), "annotations")
        .filter_map(|(key, value)| Some((key.strip_prefix(annotations::APPARMOR)?.to_owned(), value.to_owned())))
        .collect()
}

fn apparmor_of_pod(pod: &Value) -> Option<Value> {
    get::object(get::at(pod, "spec.securityContext"), "appArmorProfile").cloned()
}

fn old_apparmor(notes: &[(String, String)], of_pod: Option<&Value>, container: &Value) -> Option<Old> {
    let (name, annotation) = notes.iter().find(|(name, _)| name == get::text(container, "name"))?;
    if get::object(get::at(container, "securityContext"), "appArmorProfile").is_some() {
        return None;
    }
    let valid = annotations::apparmor_field(annotation).filter(annotations::apparmor_field_is_valid);
    let unread = valid.is_none();
    let profile = valid.filter(|profile| !equal::semantic("appArmorProfile", Some(profile), of_pod));
    Some(Old { container: name.clone(), told: unread || profile.is_some(), profile })
}
