//! PersistentVolume. Upstream: `pkg/apis/core/v1/defaults.go`, `pkg/apis/core/validation` (`ValidatePersistentVolume…`),
//! `pkg/volume/validation`, `pkg/api/persistentvolume`, `pkg/registry/core/persistentvolume/strategy.go`.

pub(super) mod sources;
pub(super) mod spec;

use model::field::{Errors, Path};
use model::json::json;
use model::{Value, meta};

use super::Hooks;
use super::pod::diff;
use super::podspec::warnings::{Values as Judged, node_term};
use super::rules::labels::Values;
use super::rules::{equal, get, internal, number, resource, text};

const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";
const MOUNT_OPTIONS_ANNOTATION: &str = "volume.beta.kubernetes.io/mount-options";

pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    prepare_create: Some(|object| get::set(object, "status", json!({"phase": "Pending"}))),
    stamp: Some(stamp),
    validate: Some(validate),
    validate_update: Some(validate_update),
    validate_status: Some(validate_status),
    warnings: Some(|new, _old| warnings(new)),
    ..Hooks::NONE
};

/// Not rows, because a volume described inside a VolumeAttachment has the same type and gets neither.
fn default(object: &mut Value) {
    if let Some(spec) = object.get_mut("spec").filter(|spec| spec.is_object()) {
        resource::round_up(spec, "capacity");
        if get::text(spec, "persistentVolumeReclaimPolicy").is_empty() {
            get::set(spec, "persistentVolumeReclaimPolicy", "Retain");
        }
        if spec.get("volumeMode").is_none() {
            get::set(spec, "volumeMode", "Filesystem");
        }
    }
}

/// Says when the phase became what it is, unless the client did.
fn stamp(new: &mut Value, old: Option<&Value>, now: &str) {
    const TIME: &str = "lastPhaseTransitionTime";
    let before = old.map_or(&Value::Null, |old| get::at(old, "status"));
    let Some(status) = new.get_mut("status").filter(|status| status.is_object()) else { return };
    let same_phase = old.is_some() && get::text(before, "phase") == get::text(status, "phase");
    match (same_phase, get::string(status, TIME)) {
        (true, None) => get::copy(status, before, TIME),
        (false, time) if time.is_none() || time == get::string(before, TIME) => get::set(status, TIME, now),
        _ => {}
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    judge(object, Values::Strict, errors);
    mount_options(object, errors);
}

fn judge(object: &Value, values: Values, errors: &mut Errors) {
    spec::validate(get::at(object, "spec"), spec::Place::Volume { name: meta::name(object), values }, &Path::new("spec"), errors);
}

/// `checkMountOption`: the annotation means something to these sources only.
fn mount_options(object: &Value, errors: &mut Errors) {
    const WITH_OPTIONS: [&str; 13] = [
        "gcePersistentDisk",
        "awsElasticBlockStore",
        "glusterfs",
        "nfs",
        "rbd",
        "quobyte",
        "iscsi",
        "cinder",
        "cephfs",
        "azureFile",
        "vsphereVolume",
        "azureDisk",
        "photonPersistentDisk",
    ];
    let spec = get::at(object, "spec");
    if meta::annotation(object, MOUNT_OPTIONS_ANNOTATION).is_some() && WITH_OPTIONS.iter().all(|kind| spec.get(kind).is_none()) {
        let path = Path::new("metadata.annotations");
        errors.forbidden(&path.child(MOUNT_OPTIONS_ANNOTATION), "may not specify mount options for this volume type");
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    let (spec, was) = (get::at(new, "spec"), get::at(old, "spec"));
    let terms = get::list(get::at(was, "nodeAffinity.required"), "nodeSelectorTerms");
    let values = if terms.iter().any(super::rules::labels::has_invalid_value) { Values::Lenient } else { Values::Strict };
    judge(new, values, errors);
    mount_options(new, errors);
    // Upstream judges it once more.
    judge(new, values, errors);
    let (is, before) = (sources::of(spec, was), sources::of(was, was));
    if !equal::structs(&is, &before) {
        let diff =
            diff::unified(&internal::show(&before, internal::VOLUME_SOURCE), &internal::show(&is, internal::VOLUME_SOURCE));
        let why = format!("spec.persistentvolumesource is immutable after creation\n{diff}");
        errors.forbidden(&Path::new("spec.persistentvolumesource"), why);
    }
    number::immutable(spec, was, "volumeMode", &Path::default(), errors);
    if let Some(affinity) = was.get("nodeAffinity").filter(|affinity| !affinity.is_null())
        && !same_affinity(spec.get("nodeAffinity").unwrap_or(&Value::Null), affinity)
    {
        let shown = match spec.get("nodeAffinity") {
            Some(affinity) if affinity.is_object() => internal::show(affinity, internal::VOLUME_NODE_AFFINITY),
            _ => Value::Null,
        };
        errors.invalid(&Path::new("nodeAffinity"), shown, "field is immutable, except for updating from beta label to GA");
    }
    if was.get("volumeAttributesClassName").is_some() && spec.get("volumeAttributesClassName").is_none() {
        errors.forbidden(&Path::new("spec.volumeAttributesClassName"), "update from non-nil value to nil is forbidden");
    }
}

/// Whether the affinity is the old one, but for labels that go by their later names.
fn same_affinity(new: &Value, old: &Value) -> bool {
    const RENAMED: [(&str, &str); 5] = [
        ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
        ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
        ("beta.kubernetes.io/os", "kubernetes.io/os"),
        ("beta.kubernetes.io/arch", "kubernetes.io/arch"),
        ("beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"),
    ];
    let (mut old, mut wanted) = (old.clone(), get::list(get::at(new, "required"), "nodeSelectorTerms").iter());
    for term in get::list_mut(old.get_mut("required").unwrap_or(&mut Value::Null), "nodeSelectorTerms") {
        let Some(wanted) = wanted.next() else { return false };
        for list in ["matchExpressions", "matchFields"] {
            for (requirement, wanted) in get::list_mut(term, list).iter_mut().zip(get::list(wanted, list)) {
                let (from, to) = (get::text(requirement, "key"), get::text(wanted, "key"));
                if RENAMED.contains(&(from, to)) {
                    get::copy(requirement, wanted, "key");
                }
            }
        }
    }
    equal::structs(new, &old)
}

fn validate_status(new: &Value, _old: &Value, errors: &mut Errors) {
    text::required(meta::resource_version(new), &Path::new("resourceVersion"), errors);
}

/// `GetWarningsForPersistentVolume`.
fn warnings(object: &Value) -> Vec<String> {
    const ANNOTATIONS: [(&str, &str); 2] = [
        (CLASS_ANNOTATION, "deprecated since v1.8; use \"storageClassName\" attribute instead"),
        (MOUNT_OPTIONS_ANNOTATION, "deprecated since v1.31; use \"mountOptions\" attribute instead"),
    ];
    const SOURCES: [(&str, &str, &str); 6] = [
        ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
        ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
        ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
        ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
        ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
        ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
    ];
    let spec = get::at(object, "spec");
    let mut warnings: Vec<String> = ANNOTATIONS
        .iter()
        .filter(|(key, _)| meta::annotation(object, key).is_some())
        .map(|(key, message)| format!("metadata.annotations[{key}]: {message}"))
        .collect();
    if get::text(spec, "persistentVolumeReclaimPolicy") == "Recycle" {
        warnings.push(
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to \
             use dynamic provisioning."
                .to_owned(),
        );
    }
    let terms = Path::new("spec.nodeAffinity.required.nodeSelectorTerms");
    for (i, term) in get::list(get::at(spec, "nodeAffinity.required"), "nodeSelectorTerms").iter().enumerate() {
        node_term(term, Judged::Judged, &terms.index(i), &mut warnings);
    }
    let used = SOURCES.iter().filter(|(field, ..)| spec.get(field).is_some());
    warnings.extend(used.map(|(_, shown, message)| format!("spec.{shown}: {message}")));
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_kept_and_holds_files_unless_it_says() {
        let mut volume = json!({"spec": {}});
        default(&mut volume);
        assert_eq!(volume["spec"], json!({"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"}));
        let said = json!({"spec": {"persistentVolumeReclaimPolicy": "Delete", "volumeMode": "Block"}});
        let mut volume = said.clone();
        default(&mut volume);
        assert_eq!(volume, said);
    }

    #[test]
    fn the_time_of_a_phase_is_that_of_its_beginning() {
        let stamped = |new: Value, old: Option<Value>| {
            let mut new = json!({"status": new});
            stamp(&mut new, old.map(|old| json!({"status": old})).as_ref(), "now");
            new["status"]["lastPhaseTransitionTime"].clone()
        };
        let bound = json!({"phase": "Bound", "lastPhaseTransitionTime": "then"});
        assert_eq!(stamped(json!({"phase": "Pending"}), None), "now");
        assert_eq!(stamped(json!({"phase": "Bound"}), Some(bound.clone())), "then");
        assert_eq!(stamped(json!({"phase": "Released", "lastPhaseTransitionTime": "then"}), Some(bound.clone())), "now");
        assert_eq!(stamped(json!({"phase": "Released", "lastPhaseTransitionTime": "mine"}), Some(bound)), "mine");
    }
}
