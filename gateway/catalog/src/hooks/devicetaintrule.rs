//! DeviceTaintRule. Upstream: `pkg/apis/resource/validation`, `pkg/registry/resource/devicetaintrule/strategy.go`.

use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::device;
use super::podspec::sources::csi_driver_name;
use super::rules::{condition, get, text};

const CONDITIONS_MAX: usize = 8;

pub(super) const HOOKS: Hooks = Hooks {
    stamp: Some(|new, old, now| {
        // A status has no taint.
        if old.is_none()
            && let Some(taint) = new.pointer_mut("/spec/taint")
        {
            get::default(taint, "timeAdded", now);
        }
    }),
    validate: Some(|rule, errors| validate(rule, None, errors)),
    validate_update: Some(|new, old, errors| validate(new, Some(old), errors)),
    validate_status: Some(validate_status),
    ..Hooks::NONE
};

fn validate(rule: &Value, old: Option<&Value>, errors: &mut Errors) {
    let path = Path::new("spec");
    let at = path.child("deviceSelector");
    let selector = get::at(rule, "spec.deviceSelector");
    if let Some(driver) = get::string(selector, "driver") {
        csi_driver_name(driver, &at.child("driver"), errors);
    }
    if let Some(pool) = get::string(selector, "pool") {
        device::pool(pool, &at.child("pool"), errors);
    }
    if let Some(name) = get::string(selector, "device") {
        text::dns_label(name, &at.child("device"), errors);
    }
    let old = old.map(|old| get::at(old, "spec.taint"));
    device::taint(get::at(rule, "spec.taint"), old, &path.child("taint"), errors);
}

fn validate_status(new: &Value, _: &Value, errors: &mut Errors) {
    let (status, path) = (get::at(new, "status"), Path::new("status"));
    condition::conditions(status, "conditions", &path, errors);
    let count = get::list(status, "conditions").len();
    if count > CONDITIONS_MAX {
        errors.too_many(&path.child("conditions"), count, CONDITIONS_MAX);
    }
}
