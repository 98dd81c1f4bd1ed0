//! CSINode: the drivers of a node. Upstream: `pkg/apis/storage/validation`, `pkg/registry/storage/csinode/strategy.go`.

use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::podspec::sources::csi_driver_name;
use super::rules::{get, internal, number, text};

/// `csiNodeIDMaxLength`, in bytes.
const NODE_ID_BYTES_MAX: usize = 256;

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(validate),
    validate_update: Some(validate_update),
    // CSIVolumeHealth is off.
    prepare_status: Some(|new, old| {
        if get::list(get::at(old, "status"), "storageHealth").is_empty()
            && let Some(status) = new.get_mut("status")
        {
            get::remove(status, "storageHealth");
        }
    }),
    ..Hooks::NONE
};

fn validate(object: &Value, errors: &mut Errors) {
    let list = Path::new("spec.drivers");
    let mut names = Vec::new();
    for (i, driver) in get::list(get::at(object, "spec"), "drivers").iter().enumerate() {
        let (path, name) = (list.index(i), get::text(driver, "name"));
        validate_driver(driver, &path, errors);
        if names.contains(&name) {
            errors.duplicate(&path.child("name"), name);
        }
        names.push(name);
        topology_keys(driver, &path, errors);
    }
}

fn validate_driver(driver: &Value, path: &Path, errors: &mut Errors) {
    csi_driver_name(get::text(driver, "name"), &path.child("name"), errors);
    let (id, at) = (get::text(driver, "nodeID"), path.child("nodeID"));
    text::required(id, &at, errors);
    if id.len() > NODE_ID_BYTES_MAX {
        errors.invalid(&at, id, format!("must be {NODE_ID_BYTES_MAX} characters or less"));
    }
    if let Some(count) = get::int(get::at(driver, "allocatable"), "count") {
        number::nonnegative(count, &path.child("allocatable.count"), errors);
    }
}

/// The errors name the driver, not the key.
fn topology_keys(driver: &Value, path: &Path, errors: &mut Errors) {
    let mut keys = Vec::new();
    for key in get::strings(driver, "topologyKeys") {
        text::required(key, path, errors);
        if keys.contains(&key) {
            errors.duplicate(path, key);
        }
        keys.push(key);
        text::qualified_name(key, path, errors);
    }
}

/// A driver stays what it is, but for what it can hold.
fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate(new, errors);
    let path = Path::new("spec.drivers");
    let bare = |driver: &Value| {
        let mut driver = driver.clone();
        get::remove(&mut driver, "allocatable");
        internal::show(&driver, internal::CSI_NODE_DRIVER)
    };
    let drivers = |object| get::list(get::at(object, "spec"), "drivers");
    for was in drivers(old) {
        for is in drivers(new).iter().filter(|is| get::text(is, "name") == get::text(was, "name")) {
            let (is, was) = (bare(is), bare(was));
            if is != was {
                errors.invalid(&path, is, number::IMMUTABLE);
            }
        }
    }
}
