//! Numbers in fields, and fields that may not change.

use model::Value;
use model::field::{Errors, Path, Spelling};

use super::{equal, get, internal};

/// `IsNegativeErrorMsg`.
pub(crate) const NEGATIVE: &str = "must be greater than or equal to 0";
/// `isNotPositiveErrorMsg`.
pub(crate) const NOT_POSITIVE: &str = "must be greater than zero";
/// `FieldImmutableErrorMsg`.
pub(crate) const IMMUTABLE: &str = "field is immutable";

/// `ValidateNonnegativeField`.
pub(crate) fn nonnegative(value: i64, path: &Path, errors: &mut Errors) {
    if value < 0 {
        errors.invalid(path, value, NEGATIVE);
    }
}

/// `ValidateNonnegativeField` of each field below, absent ones being 0.
pub(crate) fn nonnegative_fields(value: &Value, fields: &[&str], path: &Path, errors: &mut Errors) {
    for field in fields {
        nonnegative(get::number(value, field), &path.child(field), errors);
    }
}

/// `ValidatePositiveField`.
pub(crate) fn positive(value: i64, path: &Path, errors: &mut Errors) {
    if value <= 0 {
        errors.invalid(path, value, NOT_POSITIVE);
    }
}

/// `ValidateImmutableField` of one field of a struct; of a text that is behind a pointer.
pub(crate) fn immutable(new: &Value, old: &Value, field: &str, path: &Path, errors: &mut Errors) {
    let (old, value) = (old.get(field), new.get(field));
    if !equal::semantic(field, old, value) {
        errors.invalid_named(&path.child(field), value.cloned().unwrap_or(Value::Null), IMMUTABLE);
    }
}

/// The same of a text that Go holds by value: an absent one is empty.
pub(crate) fn immutable_text(new: &Value, old: &Value, field: &str, path: &Path, errors: &mut Errors) {
    if get::text(new, field) != get::text(old, field) {
        errors.invalid(&path.child(field), get::text(new, field), IMMUTABLE);
    }
}

/// The same of one that is of a type of its own.
pub(crate) fn immutable_named(new: &Value, old: &Value, field: &str, path: &Path, errors: &mut Errors) {
    errors.spelt(Spelling::Json, |errors| immutable_text(new, old, field, path, errors));
}

/// The same of a struct that Go holds by value, shown as one of its internal types.
pub(crate) fn immutable_value(new: &Value, old: &Value, field: &str, of: internal::Type, path: &Path, errors: &mut Errors) {
    let (old, value) = (get::at(old, field), get::at(new, field));
    if !equal::semantic(field, Some(old), Some(value)) {
        let nothing = Value::Object(model::Map::new());
        errors.invalid(&path.child(field), internal::show(if value.is_null() { &nothing } else { value }, of), IMMUTABLE);
    }
}

/// The same of a pointer to one.
pub(crate) fn immutable_struct(new: &Value, old: &Value, field: &str, of: internal::Type, path: &Path, errors: &mut Errors) {
    let (old, value) = (old.get(field), new.get(field));
    if !equal::semantic(field, old, value) {
        let shown = value.map_or(Value::Null, |value| internal::show(value, of));
        errors.invalid(&path.child(field), shown, IMMUTABLE);
    }
}
