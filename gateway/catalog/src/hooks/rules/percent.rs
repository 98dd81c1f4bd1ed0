//! Fields that are a number or a percentage. Upstream: `pkg/apis/apps/validation`.

use model::field::{Errors, Path};
use model::{Value, name};

use super::number;

/// `ValidatePositiveIntOrPercent`.
pub(crate) fn positive_int_or_percent(value: &Value, path: &Path, errors: &mut Errors) {
    match value.as_str() {
        Some(percent) => {
            for message in name::is_valid_percent(percent) {
                errors.invalid_named(path, percent, message);
            }
        }
        None => number::nonnegative(value.as_i64().unwrap_or(0), path, errors),
    }
}

/// The number before the sign, if it is a well-formed percentage.
pub(crate) fn percent(value: &Value) -> Option<i64> {
    let text = value.as_str()?;
    if !name::is_valid_percent(text).is_empty() {
        return None;
    }
    text.strip_suffix('%')?.parse().ok()
}

/// `IsNotMoreThan100Percent`.
pub(crate) fn not_more_than_100(value: &Value, path: &Path, errors: &mut Errors) {
    if percent(value).is_some_and(|percent| percent > 100) {
        errors.invalid(path, value.clone(), "must not be greater than 100%");
    }
}
