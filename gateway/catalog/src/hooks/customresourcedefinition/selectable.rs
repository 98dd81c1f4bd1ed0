//! The fields of a custom resource that field selectors may name.
//! Upstream: `ValidateCustomResourceSelectableFields`.

use std::collections::HashSet;

use model::Value;
use model::field::{Errors, Path};
use schema::Structural;
use schema::structural::{Type, field_path};

use super::old::Demands;
use super::spec::Spec;
use crate::hooks::rules::get;

/// Most selectable fields of a version.
const SELECTABLE_FIELDS_MAX: usize = 8;

pub(super) fn validate(
    fields: &[Value],
    schema: &Structural,
    demands: &Demands,
    version: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let mut seen = HashSet::new();
    for (i, field) in fields.iter().enumerate() {
        let (text, item) = (get::text(field, "jsonPath"), path.index(i));
        let here = item.child("jsonPath");
        if text.is_empty() {
            errors.required(&here, "");
            continue;
        }
        let found = match field_path::resolve(text, schema, field_path::Notation::Points) {
            Ok(found) => found,
            Err(words) => {
                errors.invalid(&here, text, format!("is an invalid path: {words}"));
                continue;
            }
        };
        if found.first.as_deref() == Some("metadata") {
            errors.invalid(&here, text, "must not point to fields in metadata");
        }
        if !matches!(found.schema.kind, Some(Type::String | Type::Boolean | Type::Integer)) {
            let detail = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
            errors.invalid(&here, text, detail);
        }
        if !seen.insert(found.path) {
            errors.duplicate(&here, text);
        }
    }
    if seen.len() > SELECTABLE_FIELDS_MAX && !demands.many_selectable.contains(version) {
        errors.too_many(path, seen.len(), SELECTABLE_FIELDS_MAX);
    }
}

/// The versions that had too many and keep just these.
pub(super) fn unchanged_many(new: &Value, old: &Value) -> HashSet<String> {
    let (new, old) = (Spec::of(new), Spec::of(old));
    let many = |fields: &[Value], before: &[Value]| before.len() > SELECTABLE_FIELDS_MAX && fields == before;
    let mut names: HashSet<String> = new
        .versions
        .iter()
        .filter(|v| old.versions.iter().any(|o| o.name() == v.name() && many(v.selectable, o.selectable)))
        .map(|v| v.name().to_owned())
        .collect();
    if many(new.selectable, old.selectable) {
        names.insert(String::new());
    }
    names
}
