//! The `resize` subresource: cpu and memory of running containers, and of the pod as a whole.
//! Follows `podResizeStrategy` and `ValidatePodResize`, with resizable volumes (a feature that is off) left out.

use model::Value;
use model::field::{Errors, Path};

use super::super::podspec::containers::is_sidecar;
use super::super::podspec::{annotations, drop, qos};
use super::super::rules::{equal, get};
use super::update::leniently;
use super::{level_resources, metadata_and_spec, prepare};

const ONLY_CPU_AND_MEMORY: &str = "only cpu and memory resources are mutable";
const LISTS: [&str; 2] = ["containers", "initContainers"];

/// `PrepareForUpdate`: everything but resources and resize policies becomes what it was, unless containers were added,
/// removed or renamed, which validation then refuses.
pub fn prepare(new: &mut Value, old: &Value) {
    let same_count = |list: &&str| get::list(get::at(new, "spec"), list).len() == get::list(get::at(old, "spec"), list).len();
    if LISTS.iter().all(same_count) {
        keep_all_but_resources(new, old);
    }
    prepare::keep_level_resources(new, old);
    if let Some(spec) = new.get_mut("spec") {
        level_resources::default(spec);
    }
    drop::disabled(new);
    prepare::keep_metadata(new, old);
}

fn keep_all_but_resources(new: &mut Value, old: &Value) {
    let mut spec = get::at(old, "spec").clone();
    let given = get::at(new, "spec");
    get::copy(&mut spec, given, "resources");
    for list in LISTS {
        let (given, kept) = (get::list(given, list), get::list_mut(&mut spec, list));
        if given.iter().zip(kept.iter()).any(|(a, b)| get::text(a, "name") != get::text(b, "name")) {
            kept.clone_from_slice(given);
            continue;
        }
        for (container, given) in kept.iter_mut().zip(given) {
            get::copy(container, given, "resources");
            get::copy(container, given, "resizePolicy");
        }
    }
    get::set(new, "spec", spec);
    get::copy(new, old, "status");
}

/// `ValidatePodResize`, without `metadata`.
pub fn validate(new: &Value, old: &Value, errors: &mut Errors) {
    if let Some(detail) = never_resized(old) {
        *errors = Errors::new();
        return errors.forbidden(&Path::new(""), detail);
    }
    let start = errors.0.len();
    leniently(new, old, errors, |options, errors| metadata_and_spec(new, options, errors));
    let (spec, before) = (get::at(new, "spec"), get::at(old, "spec"));
    let path = Path::new("spec");
    let class =
        get::string(get::at(old, "status"), "qosClass").filter(|class| !class.is_empty()).unwrap_or_else(|| qos::class(before));
    if class != qos::class(spec) {
        let shown = get::text(get::at(new, "status"), "qosClass");
        errors.invalid(&path, shown, "Pod QOS Class may not change as a result of resizing");
    }
    if !is_supported(old) {
        errors.forbidden(&path, "Pod running on node without support for resize");
    }
    let mut munged = spec.clone();
    if has_level_resources(spec) || has_level_resources(before) {
        level(spec, before, &mut munged, &path, errors);
    }
    if !same_containers(spec, before, &path, errors) {
        return;
    }
    nothing_removed(spec, before, &path, errors);
    regular(&mut munged, before, &path, errors);
    init(&mut munged, before, &path, errors);
    if !equal::semantic("volumes", spec.get("volumes"), before.get("volumes")) {
        let detail = "volumes are immutable on resize when InPlacePodVerticalScalingMemoryBackedVolumes feature gate is disabled";
        errors.forbidden(&path.child("volumes"), detail);
    }
    if errors.0.len() == start && !equal::structs(&munged, before) {
        errors.forbidden(&path, ONLY_CPU_AND_MEMORY);
    }
}

fn never_resized(old: &Value) -> Option<&'static str> {
    if get::at(get::at(old, "metadata"), "annotations").get(annotations::MIRROR).is_some() {
        return Some("static pods cannot be resized");
    }
    (get::text(get::at(old, "spec.os"), "name") == "windows").then_some("windows pods cannot be resized")
}

/// Whether the node reports resources, which says that it can resize. Without a running container nobody knows.
fn is_supported(old: &Value) -> bool {
    let statuses = get::list(get::at(old, "status"), "containerStatuses");
    let running = statuses.iter().find(|status| get::object(get::at(status, "state"), "running").is_some());
    running.is_none_or(|status| get::object(status, "resources").is_some())
}

fn has_level_resources(spec: &Value) -> bool {
    let resources = get::at(spec, "resources");
    get::entries(resources, "requests").chain(get::entries(resources, "limits")).next().is_some()
}

/// `validatePodLevelResourcesResize`.
fn level(spec: &Value, before: &Value, munged: &mut Value, path: &Path, errors: &mut Errors) {
    let (new, old) = (get::object(spec, "resources"), get::object(before, "resources"));
    if let Some(old) = old {
        let Some(new) = new else { return errors.forbidden(&path.child("resources"), "pod-level resources cannot be removed") };
        for list in ["requests", "limits"] {
            if is_removed(new, old, list) {
                let path = path.child("resources");
                errors.forbidden(&path.child(list), format!("pod-level resource {list} cannot be removed"));
            }
        }
    }
    if let Some(resources) = munged.get_mut("resources") {
        restore(resources, old.unwrap_or(&Value::Null));
        if old.is_none() && !has_level_resources(munged) {
            get::remove(munged, "resources");
        }
    }
    if !equal::semantic("resources", munged.get("resources"), old) {
        errors.forbidden(path, "only cpu and memory resources are mutable at pod-level");
    }
}

fn is_removed(new: &Value, old: &Value, list: &str) -> bool {
    get::entries(old, list).any(|(name, _)| get::at(new, list).get(name).is_none())
}

/// Makes cpu and memory what they were, so that only other differences remain.
fn restore(resources: &mut Value, old: &Value) {
    for list in ["requests", "limits"] {
        let old = get::at(old, list);
        if resources.get(list).is_none() && !old.is_object() {
            continue;
        }
        let Some(map) = get::object_mut(resources, list) else { continue };
        for name in ["cpu", "memory"] {
            map.shift_remove(name);
            if let Some(value) = old.get(name) {
                map.insert(name.to_owned(), value.clone());
            }
        }
    }
}

/// `validatePodResizeContainerOrdering`. Returns whether the containers are the same ones.
fn same_containers(new: &Value, old: &Value, path: &Path, errors: &mut Errors) -> bool {
    let before = errors.0.len();
    for list in LISTS {
        let path = path.child(list);
        let (containers, old) = (get::list(new, list), get::list(old, list));
        if containers.len() != old.len() {
            errors.forbidden(&path, format!("{list} may not be added or removed on resize"));
            continue;
        }
        for (i, (container, old)) in containers.iter().zip(old).enumerate() {
            if get::text(container, "name") != get::text(old, "name") {
                errors.forbidden(&path.index(i).child("name"), format!("{list} may not be renamed or reordered on resize"));
            }
        }
    }
    errors.0.len() == before
}

fn nothing_removed(new: &Value, old: &Value, path: &Path, errors: &mut Errors) {
    for field in ["initContainers", "containers"] {
        let list = path.child(field);
        for (i, (container, old)) in get::list(new, field).iter().zip(get::list(old, field)).enumerate() {
            let path = list.index(i);
            let path = path.child("resources");
            for kind in ["requests", "limits"] {
                if is_removed(get::at(container, "resources"), get::at(old, "resources"), kind) {
                    errors.forbidden(&path.child(kind), format!("resource {kind} cannot be removed"));
                }
            }
        }
    }
}

fn restored(container: &mut Value, old: &Value) -> bool {
    if let Some(resources) = container.get_mut("resources") {
        restore(resources, get::at(old, "resources"));
    }
    equal::structs(container, old)
}

fn regular(munged: &mut Value, before: &Value, path: &Path, errors: &mut Errors) {
    for (container, old) in get::list_mut(munged, "containers").iter_mut().zip(get::list(before, "containers")) {
        if !restored(container, old) {
            errors.forbidden(path, ONLY_CPU_AND_MEMORY);
        }
    }
}

fn init(munged: &mut Value, before: &Value, path: &Path, errors: &mut Errors) {
    let list = path.child("initContainers");
    for (i, (container, old)) in
        get::list_mut(munged, "initContainers").iter_mut().zip(get::list(before, "initContainers")).enumerate()
    {
        let changed = !equal::structs(container, old);
        if !restored(container, old) {
            errors.forbidden(&list.index(i), "only cpu and memory resources for init or sidecar containers are mutable");
        }
        if !changed || is_sidecar(container) {
            continue;
        }
        for _ in
            get::list(container, "resizePolicy").iter().filter(|policy| get::text(policy, "restartPolicy") == "RestartContainer")
        {
            errors.forbidden(
                &list.index(i),
                "non-sidecar init containers with a resize policy of RestartContainer cannot be resized",
            );
        }
    }
}
