//! A walk over a written schema and all schemas within, wherever a keyword may hold one. Follows `SchemaHas` of
//! `apis/apiextensions/validation`. Judges nothing.

use model::Value;

use crate::hooks::rules::get;

/// Calls `visit` for the schema and all within, from the top, until it says that it has seen enough.
pub(super) fn any(schema: &Value, visit: &mut dyn FnMut(&Value) -> bool) -> bool {
    let single = |field: &str| schema.get(field).filter(|inner| inner.is_object());
    let mut within: Vec<&Value> = single("items").into_iter().collect();
    for field in ["items", "allOf", "anyOf", "oneOf"] {
        within.extend(get::list(schema, field));
    }
    within.extend(single("not"));
    within.extend(get::entries(schema, "properties").map(|(_, inner)| inner));
    within.extend(single("additionalProperties"));
    within.extend(get::entries(schema, "patternProperties").map(|(_, inner)| inner));
    within.extend(single("additionalItems"));
    for field in ["definitions", "dependencies"] {
        within.extend(get::entries(schema, field).map(|(_, inner)| inner).filter(|inner| inner.is_object()));
    }
    visit(schema) || within.into_iter().any(|inner| any(inner, visit))
}

/// Whether the schema or any within is such.
pub(super) fn has(schema: &Value, such: impl Fn(&Value) -> bool) -> bool {
    any(schema, &mut |inner| such(inner))
}
