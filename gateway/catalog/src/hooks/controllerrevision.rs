//! ControllerRevisions: their data never changes. Follows `ValidateControllerRevisionCreate` and its update.

use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::rules::get;
use super::rules::number::{IMMUTABLE, nonnegative};

/// The hooks of ControllerRevisions.
pub(super) const HOOKS: Hooks = Hooks { validate: Some(validate), validate_update: Some(validate_update), ..Hooks::NONE };

fn validate(revision: &Value, errors: &mut Errors) {
    nonnegative(get::number(revision, "revision"), &Path::new("revision"), errors);
    match revision.get("data") {
        None | Some(Value::Null) => errors.required(&Path::new("data"), "data is mandatory"),
        Some(Value::Object(_)) => {}
        Some(_) => errors.required(&Path::new("data"), "data must be a valid JSON object"),
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    nonnegative(get::number(new, "revision"), &Path::new("revision"), errors);
    if new.get("data") != old.get("data") {
        errors.invalid(&Path::new("data"), get::raw(new, "data"), IMMUTABLE);
    }
}
