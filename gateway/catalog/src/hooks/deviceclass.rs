//! DeviceClass. Upstream: `pkg/apis/resource/validation`, `pkg/registry/resource/deviceclass/strategy.go`. The name of an
//! extended resource and the bounds of lists are declared.

use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::device::{self, Age};
use super::rules::get;

const CONFIG_MAX: usize = 32;

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(|class, errors| validate(class, None, errors)),
    validate_update: Some(|new, old, errors| validate(new, Some(old), errors)),
    ..Hooks::NONE
};

fn validate(class: &Value, old: Option<&Value>, errors: &mut Errors) {
    let (spec, path) = (get::at(class, "spec"), Path::new("spec"));
    // What is exactly as before was judged when it was stored.
    let age = |field: &str| match old.map(|old| get::at(old, "spec").get(field) == spec.get(field)) {
        Some(true) => Age::Stored,
        _ => Age::New,
    };
    device::selectors(spec, age("selectors"), &path, errors);
    device::each(spec, "config", CONFIG_MAX, &path, errors, |config, path, errors| {
        device::configuration(config, age("config"), path, errors);
    });
}
