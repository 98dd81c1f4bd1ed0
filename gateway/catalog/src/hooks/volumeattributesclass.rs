//! VolumeAttributesClass. Upstream: `pkg/apis/storage/validation`.

use model::Value;
use model::field::{Errors, Path};

use super::rules::get;
use super::{Hooks, storageclass};

pub(super) const HOOKS: Hooks = Hooks { validate: Some(validate), validate_update: Some(validate_update), ..Hooks::NONE };

fn validate(object: &Value, errors: &mut Errors) {
    storageclass::validate_provisioner(get::text(object, "driverName"), &Path::new("driverName"), errors);
    let before = errors.0.len();
    storageclass::validate_parameters(object, errors);
    if errors.0.len() == before && get::pairs(object, "parameters").next().is_none() {
        errors.required(&Path::new("parameters"), "must contain at least one key/value pair");
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    if get::text(new, "driverName") != get::text(old, "driverName") {
        errors.forbidden(&Path::new("driverName"), "updates to driverName are forbidden.");
    }
    if get::at(new, "parameters") != get::at(old, "parameters") {
        errors.forbidden(&Path::new("parameters"), "updates to parameters are forbidden.");
    }
    validate(new, errors);
}
