//! Where a container mounts its volumes and block devices. Follows `ValidateVolumeMounts`, `ValidateVolumeDevices`.

use std::collections::HashSet;

use model::Value;
use model::field::{Errors, Path};

use super::super::rules::path::{has_backsteps, local_descending};
use super::super::rules::{get, text};
use super::Scope;

/// `ValidateVolumeMounts`. Some errors name the list and not the mount, as upstream's do.
pub(super) fn validate(container: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let list = path.child("volumeMounts");
    let devices = get::list(container, "volumeDevices");
    let mut points = HashSet::new();
    for (i, mount) in get::list(container, "volumeMounts").iter().enumerate() {
        let path = list.index(i);
        let (name, point) = (get::text(mount, "name"), get::text(mount, "mountPath"));
        text::required(name, &path.child("name"), errors);
        if scope.volume(name).is_none() {
            errors.not_found(&path.child("name"), name);
        }
        text::required(point, &path.child("mountPath"), errors);
        if !points.insert(point) {
            errors.invalid(&path.child("mountPath"), point, "must be unique");
        }
        if devices.iter().any(|device| get::text(device, "name") == name) {
            errors.invalid(&path.child("name"), name, "must not already exist in volumeDevices");
        }
        if devices.iter().any(|device| get::text(device, "devicePath") == point) {
            errors.invalid(&path.child("mountPath"), point, "must not already exist as a path in volumeDevices");
        }
        sub_paths(mount, &list, &path, errors);
        propagation(mount, container, &list.child("mountPropagation"), errors);
        recursive_read_only(mount, &list.child("recursiveReadOnly"), errors);
    }
}

fn sub_paths(mount: &Value, list: &Path, path: &Path, errors: &mut Errors) {
    let (plain, expression) = (get::text(mount, "subPath"), get::text(mount, "subPathExpr"));
    if !plain.is_empty() {
        local_descending(plain, &list.child("subPath"), errors);
    }
    if !expression.is_empty() {
        if !plain.is_empty() {
            errors.invalid(&path.child("subPathExpr"), expression, "subPathExpr and subPath are mutually exclusive");
        }
        local_descending(expression, &list.child("subPathExpr"), errors);
    }
}

fn propagation(mount: &Value, container: &Value, path: &Path, errors: &mut Errors) {
    let Some(mode) = get::string(mount, "mountPropagation") else { return };
    text::one_of(mode, &["Bidirectional", "HostToContainer", "None"], path, errors);
    if mode == "Bidirectional" && !get::is(get::at(container, "securityContext"), "privileged") {
        errors.forbidden(path, "Bidirectional mount propagation is available only to privileged containers");
    }
}

fn recursive_read_only(mount: &Value, path: &Path, errors: &mut Errors) {
    let Some(mode) = get::string(mount, "recursiveReadOnly") else { return };
    if !text::one_of(mode, &["Disabled", "Enabled", "IfPossible"], path, errors) || mode == "Disabled" {
        return;
    }
    if !get::is(mount, "readOnly") {
        errors.forbidden(path, "may only be specified when readOnly is true");
    }
    if get::string(mount, "mountPropagation").is_some_and(|mode| mode != "None") {
        errors.forbidden(path, "may only be specified when mountPropagation is None or not specified");
    }
}

/// `ValidateVolumeDevices`.
pub(super) fn devices(container: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    let list = path.child("volumeDevices");
    let mounts = get::list(container, "volumeMounts");
    let (mut names, mut paths) = (HashSet::new(), HashSet::new());
    for (i, device) in get::list(container, "volumeDevices").iter().enumerate() {
        let path = list.index(i);
        let (name, point) = (get::text(device, "name"), get::text(device, "devicePath"));
        device_name(name, &names, scope, &path.child("name"), errors);
        text::required(point, &path.child("devicePath"), errors);
        if paths.contains(point) {
            errors.invalid(&path.child("devicePath"), point, "must be unique");
        }
        if has_backsteps(point) {
            errors.invalid(&path.child("devicePath"), point, "can not contain backsteps ('..')");
        } else {
            paths.insert(point);
        }
        if mounts.iter().any(|mount| get::text(mount, "name") == name) {
            errors.invalid(&path.child("name"), name, "must not already exist in volumeMounts");
        }
        if mounts.iter().any(|mount| get::text(mount, "mountPath") == point) {
            errors.invalid(&path.child("devicePath"), point, "must not already exist as a path in volumeMounts");
        }
        if !name.is_empty() {
            names.insert(name);
        }
    }
}

fn device_name(name: &str, earlier: &HashSet<&str>, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    text::required(name, path, errors);
    if earlier.contains(name) {
        errors.invalid(path, name, "must be unique");
    }
    match scope.volume(name) {
        None => errors.not_found(path, name),
        Some(volume) => {
            if get::object(volume, "persistentVolumeClaim").is_none() && get::object(volume, "ephemeral").is_none() {
                errors.invalid(
                    path,
                    name,
                    "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
                );
            }
        }
    }
}
