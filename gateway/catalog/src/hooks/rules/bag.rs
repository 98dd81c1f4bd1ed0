//! The data of ConfigMaps and Secrets: sizes, and the promise of `immutable`. Does not check keys.

use model::Value;
use model::field::{Errors, Path};

use super::get;

/// How many bytes a base64 value (in normal form: padded, no line breaks) stands for.
pub(crate) fn decoded_bytes(base64: &str) -> usize {
    let padding = base64.bytes().rev().take_while(|b| *b == b'=').count();
    (base64.len() / 4 * 3).saturating_sub(padding)
}

/// Once `immutable` is set, neither it nor these fields change.
pub(crate) fn immutable(new: &Value, old: &Value, fields: &[&str], errors: &mut Errors) {
    const WHY: &str = "field is immutable when `immutable` is set";
    if !get::is(old, "immutable") {
        return;
    }
    if !get::is(new, "immutable") {
        errors.forbidden(&Path::new("immutable"), WHY);
    }
    for field in fields {
        if !same_entries(new, old, field) {
            errors.forbidden(&Path::new(field), WHY);
        }
    }
}

/// Whether two maps have the same entries; an absent map is an empty one.
fn same_entries(new: &Value, old: &Value, field: &str) -> bool {
    let old = get::at(old, field);
    get::entries(new, field).count() == old.as_object().map_or(0, |map| map.len())
        && get::entries(new, field).all(|(key, value)| old.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::decoded_bytes;

    #[test]
    fn counts_what_base64_stands_for() {
        for (text, bytes) in [("", 0), ("YQ==", 1), ("YWI=", 2), ("YWJj", 3)] {
            assert_eq!(decoded_bytes(text), bytes, "{text}");
        }
    }
}
