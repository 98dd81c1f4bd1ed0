//! The spec of a volume, of a PersistentVolume or inside a VolumeAttachment. Follows `ValidatePersistentVolumeSpec`.

use model::Value;
use model::field::{Errors, Path};

use super::sources;
use crate::hooks::podspec::node_affinity;
use crate::hooks::rules::labels::Values;
use crate::hooks::rules::{claim, get, number, resource, text};

/// Where a spec stands.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// In a PersistentVolume.
    Volume {
        /// Its name.
        name: &'a str,
        /// Whether the required affinity may hold values that no label can have.
        values: Values,
    },
    /// In a VolumeAttachment, where it describes a volume that pods name inline.
    Inline,
}

/// `ValidatePersistentVolumeSpec`.
pub(crate) fn validate(spec: &Value, place: Place<'_>, path: &Path, errors: &mut Errors) {
    let inline = matches!(place, Place::Inline);
    if inline {
        inline_only(spec, path, errors);
    }
    if get::list(spec, "accessModes").is_empty() {
        errors.required(&path.child("accessModes"), "");
    }
    claim::access_modes(spec, path, errors);
    if !inline {
        capacity(spec, &path.child("capacity"), errors);
    }
    reclaim_policy(spec, place, &path.child("persistentVolumeReclaimPolicy"), errors);
    affinity(spec, place, &path.child("nodeAffinity"), errors);
    sources::validate(spec, place, path, errors);
    recycled_root(spec, &path.child("persistentVolumeReclaimPolicy"), errors);
    let class = get::text(spec, "storageClassName");
    if !class.is_empty() && inline {
        errors.forbidden(&path.child("storageClassName"), "may not be specified in the context of inline volumes");
    } else if !class.is_empty() {
        text::dns_subdomain(class, &path.child("storageClassName"), errors);
    }
    volume_mode(spec, place, &path.child("volumeMode"), errors);
    if !inline {
        attributes_class(spec, path, errors);
    }
}

fn inline_only(spec: &Value, path: &Path, errors: &mut Errors) {
    if spec.get("claimRef").is_some() {
        errors.forbidden(&path.child("claimRef"), "may not be specified in the context of inline volumes");
    }
    if get::entries(spec, "capacity").next().is_some() {
        errors.forbidden(&path.child("capacity"), "may not be specified in the context of inline volumes");
    }
    if spec.get("csi").is_none() {
        errors.required(&path.child("csi"), "has to be specified in the context of inline volumes");
    }
}

fn capacity(spec: &Value, path: &Path, errors: &mut Errors) {
    let given = get::entries(spec, "capacity").count();
    if given == 0 {
        errors.required(path, "");
    }
    if given != 1 || get::at(spec, "capacity").get("storage").is_none() {
        errors.not_supported(path, get::raw(spec, "capacity"), &["storage"]);
    }
    for (resource, value) in get::entries(spec, "capacity") {
        let (path, amount) = (path.key(resource), resource::amount(value));
        if amount.value() < 0 {
            errors.invalid(&path, amount.value(), "must be a valid resource quantity");
        }
        if amount.sign() <= 0 {
            errors.invalid(&path, value.clone(), number::NOT_POSITIVE);
        }
    }
}

fn reclaim_policy(spec: &Value, place: Place<'_>, path: &Path, errors: &mut Errors) {
    match (get::text(spec, "persistentVolumeReclaimPolicy"), place) {
        ("", _) | ("Retain", Place::Inline) => {}
        (_, Place::Inline) => errors.forbidden(path, "may only be Retain in the context of inline volumes"),
        (policy, _) => drop(text::one_of(policy, &["Delete", "Recycle", "Retain"], path, errors)),
    }
}

fn affinity(spec: &Value, place: Place<'_>, path: &Path, errors: &mut Errors) {
    let Some(affinity) = get::object(spec, "nodeAffinity") else { return };
    let Place::Volume { values, .. } = place else {
        return errors.forbidden(path, "may not be specified in the context of inline volumes");
    };
    match get::object(affinity, "required") {
        Some(required) => node_affinity::node_selector(required, values, &path.child("required"), errors),
        None => errors.required(&path.child("required"), "must specify required node constraints"),
    }
}

/// What is recycled is emptied, and that must not be the node's own disk.
fn recycled_root(spec: &Value, path: &Path, errors: &mut Errors) {
    let Some(host) = get::object(spec, "hostPath") else { return };
    let target = get::text(host, "path");
    let mut depth = 0_usize;
    for step in target.split('/').filter(|step| !matches!(*step, "" | ".")) {
        depth = if step == ".." { depth.saturating_sub(1) } else { depth + 1 };
    }
    if target.starts_with('/') && depth == 0 && get::text(spec, "persistentVolumeReclaimPolicy") == "Recycle" {
        errors.forbidden(path, "may not be 'recycle' for a hostPath mount of '/'");
    }
}

fn volume_mode(spec: &Value, place: Place<'_>, path: &Path, errors: &mut Errors) {
    match (get::string(spec, "volumeMode"), place) {
        (None, _) | (Some("Filesystem"), Place::Inline) => {}
        (Some(_), Place::Inline) => {
            errors.forbidden(path, "may not specify volumeMode other than Filesystem in the context of inline volumes");
        }
        (Some(mode), _) => drop(text::one_of(mode, claim::VOLUME_MODES, path, errors)),
    }
}

fn attributes_class(spec: &Value, path: &Path, errors: &mut Errors) {
    let Some(class) = get::string(spec, "volumeAttributesClassName") else { return };
    if class.is_empty() {
        errors.required(&path.child("volumeAttributesClassName"), "an empty string is disallowed");
    } else {
        text::dns_subdomain(class, &path.child("volumeAttributesClassName"), errors);
    }
    if spec.get("csi").is_none() {
        errors.required(&path.child("csi"), "has to be specified when using volumeAttributesClassName");
    }
}
