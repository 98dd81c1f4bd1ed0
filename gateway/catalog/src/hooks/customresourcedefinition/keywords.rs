//! Keywords that a schema may not have, here or at all. Upstream: `specStandardValidatorV3` and the rules of the root in
//! `validateCustomResourceDefinitionValidation`.

use model::Value;
use model::field::{Errors, Path};

use super::internal;
use super::old::TYPES;
use super::schema::Place;
use crate::hooks::rules::get;

/// Keywords that upstream knows and refuses wherever they are, in the order in which it says so.
const UNSUPPORTED: [&str; 6] = ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"];

pub(super) fn validate(schema: &Value, place: &Place<'_>, valid_types: bool, path: &Path<'_>, errors: &mut Errors) {
    let kind = get::text(schema, "type");
    if valid_types && !kind.is_empty() && !TYPES.contains(&kind) {
        errors.not_supported_plain(&path.child("type"), kind, &TYPES);
    }
    if let Some(reason) = &place.no_defaults
        && schema.get("default").is_some()
    {
        errors.forbidden(&path.child("default"), format!("must not be set {reason}"));
    }
    for keyword in UNSUPPORTED {
        // Of these two upstream asks whether they hold something, of dependencies whether they are there.
        let is_map = matches!(keyword, "patternProperties" | "definitions");
        let says = |value: &Value| if is_map { value.as_object().is_some_and(|map| !map.is_empty()) } else { !value.is_null() };
        if schema.get(keyword).is_some_and(says) {
            errors.forbidden(&path.child(keyword), format!("{keyword} is not supported"));
        }
    }
    if kind == "null" {
        errors.forbidden(&path.child("type"), "type cannot be set to null, use nullable as an alternative");
    }
    if !get::list(schema, "items").is_empty() {
        errors.forbidden(&path.child("items"), "items must be a schema object and not an array");
    }
    if place.within_meta && get::is(schema, "x-kubernetes-embedded-resource") {
        errors.forbidden(&path.child("x-kubernetes-embedded-resource"), "must not be used inside of resource meta");
    }
}

/// Keywords, before the type and after it, that the root may not have where status is apart: status is judged by its own
/// schema then, and these would be lost.
const NOT_AT_ROOT: [&[&str]; 2] = [
    &["id", "$schema", "$ref"],
    &[
        "nullable",
        "default",
        "enum",
        "maxProperties",
        "minProperties",
        "allOf",
        "oneOf",
        "anyOf",
        "not",
        "additionalProperties",
        "patternProperties",
        "dependencies",
        "additionalItems",
        "definitions",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
    ],
];

/// The keywords that the root may have, as upstream lists them.
const AT_ROOT: &str = "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations]";

/// The root of a schema whose status is apart.
pub(super) fn root_with_status(schema: &Value, path: &Path<'_>, errors: &mut Errors) {
    let [before, after] = NOT_AT_ROOT.map(|keywords| keywords.iter().any(|keyword| schema.get(keyword).is_some()));
    let kind = get::text(schema, "type");
    if !before && !kind.is_empty() && kind != "object" {
        let detail = r#"only "object" is allowed as the type at the root of the schema if the status subresource is enabled"#;
        return errors.invalid(&path.child("type"), kind, detail);
    }
    if before || after {
        let detail = format!("only {AT_ROOT} fields are allowed at the root of the schema if the status subresource is enabled");
        errors.invalid(path, internal::schema(schema), detail);
    }
}
