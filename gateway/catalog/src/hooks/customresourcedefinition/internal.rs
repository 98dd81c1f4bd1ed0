//! Parts of a definition as errors show them: the JSON of upstream's internal types, with Go's names and every zero value.
//! Only for what an error shows as its bad value.

use model::json::json;
use model::{Map, Value};

use super::spec::{Spec, Version};
use crate::hooks::rules::get;

/// `apiextensions.ValidationRule`.
pub(super) fn rule(rule: &Value) -> Value {
    json!({
        "Rule": get::text(rule, "rule"),
        "Message": get::text(rule, "message"),
        "MessageExpression": get::text(rule, "messageExpression"),
        "Reason": get::raw(rule, "reason"),
        "FieldPath": get::text(rule, "fieldPath"),
        "OptionalOldSelf": get::raw(rule, "optionalOldSelf"),
    })
}

/// `[]apiextensions.CustomResourceDefinitionVersion`.
pub(super) fn versions(spec: &Spec<'_>) -> Value {
    if spec.written.get("versions").is_some_and(Value::is_array) {
        spec.versions.iter().map(version).collect()
    } else {
        Value::Null
    }
}

fn version(version: &Version<'_>) -> Value {
    let written = version.written;
    json!({
        "Name": version.name(),
        "Served": get::is(written, "served"),
        "Storage": get::is(written, "storage"),
        "Deprecated": get::is(written, "deprecated"),
        "DeprecationWarning": get::raw(written, "deprecationWarning"),
        "Schema": version.schema.map(|validation| json!({
            "OpenAPIV3Schema": super::spec::open_api(validation).map_or(Value::Null, schema),
        })),
        "Subresources": version.subresources.map(subresources),
        "AdditionalPrinterColumns": list(version.columns, column),
        "SelectableFields": list(version.selectable, |field| json!({"JSONPath": get::text(field, "jsonPath")})),
    })
}

fn list(items: &[Value], show: impl Fn(&Value) -> Value) -> Value {
    if items.is_empty() { Value::Null } else { items.iter().map(show).collect() }
}

fn subresources(all: &Value) -> Value {
    let scale = get::object(all, "scale").map(|scale| {
        json!({
            "SpecReplicasPath": get::text(scale, "specReplicasPath"),
            "StatusReplicasPath": get::text(scale, "statusReplicasPath"),
            "LabelSelectorPath": get::raw(scale, "labelSelectorPath"),
        })
    });
    json!({"Status": get::object(all, "status").map(|_| json!({})), "Scale": scale})
}

fn column(column: &Value) -> Value {
    json!({
        "Name": get::text(column, "name"),
        "Type": get::text(column, "type"),
        "Format": get::text(column, "format"),
        "Description": get::text(column, "description"),
        "Priority": get::number(column, "priority"),
        "JSONPath": get::text(column, "jsonPath"),
    })
}

/// How a keyword of `apiextensions.JSONSchemaProps` is held.
#[derive(Clone, Copy)]
enum Held {
    Text,
    Flag,
    Pointer,
    Schema,
    Schemas,
    Named,
    OrArray,
    OrBool,
    Rules,
    Docs,
}

/// Go's name, the keyword, how it is held; in Go's order.
const KEYWORDS: [(&str, &str, Held); 44] = [
    ("ID", "id", Held::Text),
    ("Schema", "$schema", Held::Text),
    ("Ref", "$ref", Held::Pointer),
    ("Description", "description", Held::Text),
    ("Type", "type", Held::Text),
    ("Nullable", "nullable", Held::Flag),
    ("Format", "format", Held::Text),
    ("Title", "title", Held::Text),
    ("Default", "default", Held::Pointer),
    ("Maximum", "maximum", Held::Pointer),
    ("ExclusiveMaximum", "exclusiveMaximum", Held::Flag),
    ("Minimum", "minimum", Held::Pointer),
    ("ExclusiveMinimum", "exclusiveMinimum", Held::Flag),
    ("MaxLength", "maxLength", Held::Pointer),
    ("MinLength", "minLength", Held::Pointer),
    ("Pattern", "pattern", Held::Text),
    ("MaxItems", "maxItems", Held::Pointer),
    ("MinItems", "minItems", Held::Pointer),
    ("UniqueItems", "uniqueItems", Held::Flag),
    ("MultipleOf", "multipleOf", Held::Pointer),
    ("Enum", "enum", Held::Pointer),
    ("MaxProperties", "maxProperties", Held::Pointer),
    ("MinProperties", "minProperties", Held::Pointer),
    ("Required", "required", Held::Pointer),
    ("Items", "items", Held::OrArray),
    ("AllOf", "allOf", Held::Schemas),
    ("OneOf", "oneOf", Held::Schemas),
    ("AnyOf", "anyOf", Held::Schemas),
    ("Not", "not", Held::Schema),
    ("Properties", "properties", Held::Named),
    ("AdditionalProperties", "additionalProperties", Held::OrBool),
    ("PatternProperties", "patternProperties", Held::Named),
    ("Dependencies", "dependencies", Held::Pointer),
    ("AdditionalItems", "additionalItems", Held::OrBool),
    ("Definitions", "definitions", Held::Named),
    ("ExternalDocs", "externalDocs", Held::Docs),
    ("Example", "example", Held::Pointer),
    ("XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields", Held::Pointer),
    ("XEmbeddedResource", "x-kubernetes-embedded-resource", Held::Flag),
    ("XIntOrString", "x-kubernetes-int-or-string", Held::Flag),
    ("XListMapKeys", "x-kubernetes-list-map-keys", Held::Pointer),
    ("XListType", "x-kubernetes-list-type", Held::Pointer),
    ("XMapType", "x-kubernetes-map-type", Held::Pointer),
    ("XValidations", "x-kubernetes-validations", Held::Rules),
];

/// `apiextensions.JSONSchemaProps`.
pub(super) fn schema(written: &Value) -> Value {
    let shown = KEYWORDS.iter().map(|(name, keyword, held)| ((*name).to_owned(), keyword_shown(written, keyword, *held)));
    Value::Object(shown.collect::<Map>())
}

/// `apiextensions.JSONSchemaPropsOrArray`.
pub(super) fn schema_or_array(items: &Value) -> Value {
    match items {
        Value::Array(schemas) => json!({"Schema": null, "JSONSchemas": schemas.iter().map(schema).collect::<Vec<_>>()}),
        Value::Object(_) => json!({"Schema": schema(items), "JSONSchemas": null}),
        _ => Value::Null,
    }
}

fn keyword_shown(written: &Value, keyword: &str, held: Held) -> Value {
    let value = written.get(keyword);
    match (held, value) {
        (Held::Text, value) => value.cloned().unwrap_or_else(|| "".into()),
        (Held::Flag, value) => value.cloned().unwrap_or(Value::Bool(false)),
        (Held::OrBool, Some(Value::Bool(allows))) => json!({"Allows": allows, "Schema": null}),
        (Held::OrBool, Some(inner)) => json!({"Allows": true, "Schema": schema(inner)}),
        (Held::OrArray, Some(inner)) => schema_or_array(inner),
        (Held::Schema, Some(inner)) => schema(inner),
        (Held::Schemas, Some(_)) => get::list(written, keyword).iter().map(schema).collect(),
        (Held::Rules, Some(_)) => get::list(written, keyword).iter().map(rule).collect(),
        (Held::Named, Some(_)) => {
            let mut named: Vec<_> =
                get::entries(written, keyword).map(|(name, inner)| (name.to_owned(), schema(inner))).collect();
            named.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(named.into_iter().collect::<Map>())
        }
        (Held::Docs, Some(docs)) => json!({"Description": get::text(docs, "description"), "URL": get::text(docs, "url")}),
        (_, value) => value.cloned().unwrap_or(Value::Null),
    }
}
