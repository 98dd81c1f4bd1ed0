//! Volumes whose files come from keys: secret, configMap, downwardAPI, and the items they share with projected volumes.

use model::Value;
use model::field::{Errors, Path};

use super::super::rules::path::local_non_reserved;
use super::super::rules::{get, text};
use super::{Scope, env};

const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// Field paths that a file of the downward API may show. Sorted.
const FIELD_PATHS: &[&str] = &["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

/// `validateSecretVolumeSource`.
pub(super) fn secret(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    text::required(get::text(source, "secretName"), &path.child("secretName"), errors);
    mode(source, "defaultMode", path, errors);
    items(source, path, errors);
}

/// `validateConfigMapVolumeSource`.
pub(super) fn config_map(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    text::required(get::text(source, "name"), &path.child("name"), errors);
    mode(source, "defaultMode", path, errors);
    items(source, path, errors);
}

fn items(source: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("items");
    for (i, item) in get::list(source, "items").iter().enumerate() {
        key_to_path(item, &path.index(i), errors);
    }
}

/// A file's mode, where one is given.
pub(super) fn mode(source: &Value, field: &str, path: &Path, errors: &mut Errors) {
    if let Some(mode) = get::int(source, field)
        && !(0..=0o777).contains(&mode)
    {
        errors.invalid(&path.child(field), mode, MODE);
    }
}

/// `validateKeyToPath`.
pub(super) fn key_to_path(item: &Value, path: &Path, errors: &mut Errors) {
    text::required(get::text(item, "key"), &path.child("key"), errors);
    file_path(item, path, errors);
    mode(item, "mode", path, errors);
}

fn file_path(item: &Value, path: &Path, errors: &mut Errors) {
    let target = get::text(item, "path");
    text::required(target, &path.child("path"), errors);
    local_non_reserved(target, &path.child("path"), errors);
}

/// `validateDownwardAPIVolumeSource`; errors of a file name the volume, not the file.
pub(super) fn downward_api(source: &Value, _: &Scope<'_>, path: &Path, errors: &mut Errors) {
    mode(source, "defaultMode", path, errors);
    for file in get::list(source, "items") {
        downward_api_file(file, path, errors);
    }
}

/// `validateDownwardAPIVolumeFile`.
pub(super) fn downward_api_file(file: &Value, path: &Path, errors: &mut Errors) {
    file_path(file, path, errors);
    match (get::object(file, "fieldRef"), get::object(file, "resourceFieldRef")) {
        (Some(field), resource) => {
            env::field_selector(field, FIELD_PATHS, &path.child("fieldRef"), errors);
            if resource.is_some() {
                errors.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
            }
        }
        (None, Some(resource)) => {
            env::resource_field_selector(resource, env::Container::Named, &path.child("resourceFieldRef"), errors)
        }
        (None, None) => errors.required(path, "one of fieldRef and resourceFieldRef is required"),
    }
    mode(file, "mode", path, errors);
}
