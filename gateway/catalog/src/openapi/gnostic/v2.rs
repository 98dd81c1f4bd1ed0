//! Which messages an OpenAPI v2 document is made of: `openapi_v2/OpenAPIv2.proto` as far as Kubernetes publishes it.

use model::json::Value;

use super::Kind::{Any, Anys, Bool, Double, Extensions, Int, Many, ManyOf, Members, One, OneOf, Text, Texts};
use super::{Choice, Chosen, Message, field};

/// A whole document.
pub(in crate::openapi) static DOCUMENT: Message = Message(&[
    field("swagger", 1, Text),
    field("info", 2, One(&INFO)),
    field("host", 3, Text),
    field("basePath", 4, Text),
    field("schemes", 5, Texts),
    field("consumes", 6, Texts),
    field("produces", 7, Texts),
    field("paths", 8, One(&PATHS)),
    field("definitions", 9, One(&NAMED_SCHEMAS)),
    field("parameters", 10, One(&NAMED_PARAMETERS)),
    field("security", 12, Many(&SECURITY)),
    field("securityDefinitions", 13, One(&SECURITY_DEFINITIONS)),
    field("", 16, Extensions),
]);

static INFO: Message =
    Message(&[field("title", 1, Text), field("version", 2, Text), field("description", 3, Text), field("", 7, Extensions)]);

static PATHS: Message = Message(&[field("", 1, Extensions), field("", 2, Members(&One(&PATH)))]);

static PATH: Message = Message(&[
    field("$ref", 1, Text),
    field("get", 2, One(&OPERATION)),
    field("put", 3, One(&OPERATION)),
    field("post", 4, One(&OPERATION)),
    field("delete", 5, One(&OPERATION)),
    field("options", 6, One(&OPERATION)),
    field("head", 7, One(&OPERATION)),
    field("patch", 8, One(&OPERATION)),
    field("parameters", 9, ManyOf(parameter_or_reference)),
    field("", 10, Extensions),
]);

static OPERATION: Message = Message(&[
    field("tags", 1, Texts),
    field("summary", 2, Text),
    field("description", 3, Text),
    field("operationId", 5, Text),
    field("produces", 6, Texts),
    field("consumes", 7, Texts),
    field("parameters", 8, ManyOf(parameter_or_reference)),
    field("responses", 9, One(&RESPONSES)),
    field("schemes", 10, Texts),
    field("deprecated", 11, Bool),
    field("security", 12, Many(&SECURITY)),
    field("", 13, Extensions),
]);

fn parameter_or_reference(value: &Value) -> Choice {
    match (value.get("$ref").is_some(), place(value)) {
        (true, _) => Choice::message(&[2], &REFERENCE),
        (false, "body") => Choice::message(&[1, 1], &BODY),
        (false, "path") => Choice::message(&[1, 2, 4], &PATH_PARAMETER),
        (false, "header") => Choice::message(&[1, 2, 1], &PATH_PARAMETER),
        (false, _) => Choice::message(&[1, 2, 3], &QUERY),
    }
}

fn parameter(value: &Value) -> Choice {
    match place(value) {
        "body" => Choice::message(&[1], &BODY),
        "path" => Choice::message(&[2, 4], &PATH_PARAMETER),
        "header" => Choice::message(&[2, 1], &PATH_PARAMETER),
        _ => Choice::message(&[2, 3], &QUERY),
    }
}

fn place(value: &Value) -> &str {
    value.get("in").and_then(Value::as_str).unwrap_or("")
}

static NAMED_PARAMETERS: Message = Message(&[field("", 1, Members(&OneOf(parameter)))]);

static REFERENCE: Message = Message(&[field("$ref", 1, Text), field("description", 2, Text)]);

static BODY: Message = Message(&[
    field("description", 1, Text),
    field("name", 2, Text),
    field("in", 3, Text),
    field("required", 4, Bool),
    field("schema", 5, One(&SCHEMA)),
    field("", 6, Extensions),
]);

static QUERY: Message = Message(&[
    field("required", 1, Bool),
    field("in", 2, Text),
    field("description", 3, Text),
    field("name", 4, Text),
    field("allowEmptyValue", 5, Bool),
    field("type", 6, Text),
    field("format", 7, Text),
    field("collectionFormat", 9, Text),
    field("default", 10, Any),
    field("uniqueItems", 20, Bool),
    field("enum", 21, Anys),
    field("", 23, Extensions),
]);

/// In headers too.
static PATH_PARAMETER: Message = Message(&[
    field("required", 1, Bool),
    field("in", 2, Text),
    field("description", 3, Text),
    field("name", 4, Text),
    field("type", 5, Text),
    field("format", 6, Text),
    field("collectionFormat", 8, Text),
    field("default", 9, Any),
    field("uniqueItems", 19, Bool),
    field("enum", 20, Anys),
    field("", 22, Extensions),
]);

static RESPONSES: Message = Message(&[field("", 1, Members(&OneOf(response))), field("", 2, Extensions)]);

fn response(value: &Value) -> Choice {
    match value.get("$ref") {
        Some(_) => Choice::message(&[2], &REFERENCE),
        None => Choice::message(&[1], &RESPONSE),
    }
}

static RESPONSE: Message =
    Message(&[field("description", 1, Text), field("schema", 2, OneOf(schema_item)), field("", 5, Extensions)]);

fn schema_item(_: &Value) -> Choice {
    Choice::message(&[1], &SCHEMA)
}

static NAMED_SCHEMAS: Message = Message(&[field("", 1, Members(&One(&SCHEMA)))]);

static SCHEMA: Message = Message(&[
    field("$ref", 1, Text),
    field("format", 2, Text),
    field("title", 3, Text),
    field("description", 4, Text),
    field("default", 5, Any),
    field("multipleOf", 6, Double),
    field("maximum", 7, Double),
    field("exclusiveMaximum", 8, Bool),
    field("minimum", 9, Double),
    field("exclusiveMinimum", 10, Bool),
    field("maxLength", 11, Int),
    field("minLength", 12, Int),
    field("pattern", 13, Text),
    field("maxItems", 14, Int),
    field("minItems", 15, Int),
    field("uniqueItems", 16, Bool),
    field("maxProperties", 17, Int),
    field("minProperties", 18, Int),
    field("required", 19, Texts),
    field("enum", 20, Anys),
    field("additionalProperties", 21, OneOf(additional)),
    field("type", 22, OneOf(|_| Choice::scalar(Chosen::Texts(1)))),
    field("items", 23, OneOf(schema_item)),
    field("allOf", 24, Many(&SCHEMA)),
    field("properties", 25, One(&NAMED_SCHEMAS)),
    field("discriminator", 26, Text),
    field("readOnly", 27, Bool),
    field("externalDocs", 29, One(&EXTERNAL_DOCS)),
    field("example", 30, Any),
    field("", 31, Extensions),
]);

static EXTERNAL_DOCS: Message = Message(&[field("description", 1, Text), field("url", 2, Text), field("", 3, Extensions)]);

fn additional(value: &Value) -> Choice {
    if value.is_boolean() { Choice::scalar(Chosen::Bool(2)) } else { Choice::message(&[1], &SCHEMA) }
}

static SECURITY: Message = Message(&[field("", 1, Members(&OneOf(|_| Choice::scalar(Chosen::Texts(1)))))]);

static SECURITY_DEFINITIONS: Message = Message(&[field("", 1, Members(&OneOf(|_| Choice::message(&[2], &API_KEY))))]);

static API_KEY: Message = Message(&[
    field("type", 1, Text),
    field("name", 2, Text),
    field("in", 3, Text),
    field("description", 4, Text),
    field("", 5, Extensions),
]);
