//! DeviceTaintRule. Upstream: `pkg/apis/resource/validation`, `pkg/registry/resource/devicetaintrule/strategy.go`.

use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::device;
use super::podspec::sources::csi_driver_name;
use super::rules::{condition, get, text};

const CONDITIONS_MAX: usize = 8;

pub(super) const HOOKS: Hooks = Hooks {
    default_now: Some(|rule, now| {
        if let Some(taint) = rule.pointer_mut("/spec/taint") {
            get::default(taint, "timeAdded", now);
        }
    }),
    stamp_update: Some(stamp),
    validate: Some(|rule, errors| validate(rule, None, errors)),
    validate_update: Some(|new, old, errors| validate(new, Some(old), errors)),
    validate_status: Some(validate_status),
    ..Hooks::NONE
};

/// A taint was added when its present effect was, unless the client says something else.
fn stamp(rule: &mut Value, old: Option<&Value>, now: &str) {
    let Some(before) = old.map(|old| get::at(old, "spec.taint")) else { return };
    let Some(taint) = rule.pointer_mut("/spec/taint") else { return };
    let same = |field: &str| get::text(before, field) == get::text(taint, field);
    if !same("effect") && same("timeAdded") {
        get::set(taint, "timeAdded", now);
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    #[test]
    fn the_time_is_that_of_the_effect() {
        let rule = |effect: &str, time: Option<&str>| json!({"spec": {"taint": {"effect": effect, "timeAdded": time}}});
        let stored = rule("NoSchedule", Some("2030-01-01T00:00:00Z"));
        let now = "2030-01-01T00:00:09Z";
        for (mut new, time) in [
            (rule("NoSchedule", Some("2030-01-01T00:00:00Z")), "2030-01-01T00:00:00Z"),
            (rule("NoExecute", Some("2030-01-01T00:00:00Z")), now),
            (rule("NoExecute", Some("2030-01-01T00:00:05Z")), "2030-01-01T00:00:05Z"),
        ] {
            stamp(&mut new, Some(&stored), now);
            assert_eq!(get::at(&new, "spec.taint.timeAdded"), time, "{new}");
        }
    }
}
