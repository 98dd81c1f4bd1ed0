//! Conditions of a status. Follows `metav1/validation.ValidateConditions`.

use model::Value;
use model::content::pattern;
use model::field::{Errors, Path};

use super::{get, text};

const STATUSES: &[&str] = &["False", "True", "Unknown"];
const REASON_BYTES_MAX: usize = 1024;
const MESSAGE_BYTES_MAX: usize = 32 * 1024;

/// `ValidateConditions` of the list in `field`.
pub(crate) fn conditions(holder: &Value, field: &str, path: &Path, errors: &mut Errors) {
    let path = path.child(field);
    let list = get::list(holder, field);
    for (i, (condition, is_repeated)) in list.iter().zip(get::repeated(list, "type")).enumerate() {
        let (kind, path) = (get::text(condition, "type"), path.index(i));
        if is_repeated {
            errors.duplicate(&path, kind);
        }
        one(condition, &path, errors);
    }
}

fn one(condition: &Value, path: &Path, errors: &mut Errors) {
    let kind = get::text(condition, "type");
    if kind.is_empty() {
        errors.required(&path.child("type"), "is required");
    } else {
        text::qualified_name(kind, &path.child("type"), errors);
    }
    text::required_one_of(get::text(condition, "status"), STATUSES, &path.child("status"), errors);
    let generation = get::number(condition, "observedGeneration");
    if generation < 0 {
        errors.invalid(&path.child("observedGeneration"), generation, "must be greater than or equal to zero");
    }
    text::required(get::text(condition, "lastTransitionTime"), &path.child("lastTransitionTime"), errors);
    reason(get::text(condition, "reason"), &path.child("reason"), errors);
    if get::text(condition, "message").len() > MESSAGE_BYTES_MAX {
        errors.too_long(&path.child("message"), MESSAGE_BYTES_MAX);
    }
}

fn reason(value: &str, path: &Path, errors: &mut Errors) {
    if value.is_empty() {
        return errors.required(path, "");
    }
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"_,:".contains(&b);
    let fits = value.starts_with(|c: char| c.is_ascii_alphabetic())
        && value.bytes().all(inner)
        && value.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if !fits {
        let why = pattern(
            "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'",
            "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?",
            &["my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB"],
        );
        errors.invalid(path, value, why);
    }
    if value.len() > REASON_BYTES_MAX {
        errors.too_long(path, REASON_BYTES_MAX);
    }
}
