//! Lease. Upstream: `pkg/apis/coordination/validation`, `pkg/registry/coordination/lease/strategy.go`.

use model::Value;
use model::field::{Errors, Path, Spelling};

use super::Hooks;
use super::rules::{get, text};

/// Fields of coordinated leader election, which is off by default in 1.37.
const COORDINATED: [&str; 2] = ["strategy", "preferredHolder"];

pub(super) const HOOKS: Hooks = Hooks {
    prepare_create: Some(|lease| drop_disabled(lease, &Value::Null)),
    prepare_update: Some(drop_disabled),
    validate: Some(validate),
    validate_update: Some(|new, _old, errors| validate(new, errors)),
    ..Hooks::NONE
};

/// What is off stays only where it was in use.
fn drop_disabled(new: &mut Value, old: &Value) {
    let Some(spec) = new.get_mut("spec") else { return };
    for field in COORDINATED.iter().filter(|field| get::string(get::at(old, "spec"), field).is_none()) {
        get::remove(spec, field);
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (get::at(object, "spec"), Path::new("spec"));
    if let Some(seconds) = get::int(spec, "leaseDurationSeconds").filter(|seconds| *seconds <= 0) {
        errors.invalid(&path.child("leaseDurationSeconds"), seconds, "must be greater than 0");
    }
    if let Some(transitions) = get::int(spec, "leaseTransitions").filter(|transitions| *transitions < 0) {
        errors.invalid(&path.child("leaseTransitions"), transitions, "must be greater than or equal to 0");
    }
    let strategy = get::string(spec, "strategy");
    if let Some(strategy) = strategy {
        // A strategy with a slash is somebody else's and only has to be qualified.
        if strategy.contains('/') {
            errors.spelt(Spelling::Json, |errors| text::qualified_name(strategy, &path.child("strategy"), errors));
        } else {
            text::one_of(strategy, &["OldestEmulationVersion"], &path.child("strategy"), errors);
        }
    }
    if !get::text(spec, "preferredHolder").is_empty() && strategy.unwrap_or("").is_empty() {
        errors.forbidden(&path.child("preferredHolder"), "may only be specified if `strategy` is defined");
    }
}
