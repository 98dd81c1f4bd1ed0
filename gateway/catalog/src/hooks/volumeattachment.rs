//! VolumeAttachment. Upstream: `pkg/apis/storage/validation`, `pkg/registry/storage/volumeattachment/strategy.go`.

use model::Value;
use model::field::{Errors, Path};
use model::name::inclusive_range_error;

use super::Hooks;
use super::persistentvolume::spec::{self, Place};
use super::podspec::sources::csi_driver_name;
use super::rules::{equal, get, number, text};

/// `maxAttachedVolumeMetadataSize` and `maxVolumeErrorMessageSize`, in bytes.
const METADATA_BYTES_MAX: usize = 256 * 1024;
const MESSAGE_BYTES_MAX: usize = 1024;

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(validate),
    validate_update: Some(validate_update),
    validate_status: Some(validate_update),
    ..Hooks::NONE
};

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (get::at(object, "spec"), Path::new("spec"));
    csi_driver_name(get::text(spec, "attacher"), &path.child("attacher"), errors);
    validate_source(get::at(spec, "source"), &path.child("source"), errors);
    text::dns_subdomain(get::text(spec, "nodeName"), &path.child("nodeName"), errors);
    validate_status(get::at(object, "status"), errors);
    if let Some(volume) = get::string(get::at(spec, "source"), "persistentVolumeName") {
        text::dns_subdomain(volume, &path.child("source.persistentVolumeName"), errors);
    }
}

fn validate_source(source: &Value, path: &Path, errors: &mut Errors) {
    const ONE: &str = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
    match (get::object(source, "inlineVolumeSpec"), get::string(source, "persistentVolumeName")) {
        (None, None) => errors.required(path, ONE),
        (Some(_), Some(_)) => errors.forbidden(path, ONE),
        (None, Some("")) => errors.required(&path.child("persistentVolumeName"), "must specify non empty persistentVolumeName"),
        (None, Some(_)) => {}
        (Some(inline), None) => spec::validate(inline, Place::Inline, &path.child("inlineVolumeSpec"), errors),
    }
}

fn validate_status(status: &Value, errors: &mut Errors) {
    let path = Path::new("status");
    let bytes: usize = get::pairs(status, "attachmentMetadata").map(|(key, value)| key.len() + value.len()).sum();
    if bytes > METADATA_BYTES_MAX {
        errors.too_long(&path.child("attachmentMetadata"), METADATA_BYTES_MAX);
    }
    for field in ["attachError", "detachError"] {
        let Some(error) = get::object(status, field) else { continue };
        let path = path.child(field);
        if get::text(error, "message").len() > MESSAGE_BYTES_MAX {
            errors.too_long(&path.child("message"), MESSAGE_BYTES_MAX);
        }
        if let Some(code) = get::int(error, "errorCode").filter(|code| *code < 0) {
            errors.invalid(&path.child("errorCode"), code, inclusive_range_error(0, i64::from(i32::MAX)));
        }
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate(new, errors);
    let (is, was) = (get::at(new, "spec"), get::at(old, "spec"));
    if !equal::structs(is, was) {
        // What is said here is superseded by the declared rule, which shows no value.
        errors.invalid(&Path::new("spec"), Value::Null, number::IMMUTABLE);
    }
}
