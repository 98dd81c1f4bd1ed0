//! Which messages an OpenAPI v3 document is made of: `openapi_v3/OpenAPIv3.proto` as far as Kubernetes publishes it.

use model::json::Value;

use super::Kind::{Any, Anys, Bool, Double, Extensions, Int, Many, ManyOf, Members, One, OneOf, Text, Texts};
use super::{Choice, Chosen, Message, field};

/// A whole document.
pub(in crate::openapi) static DOCUMENT: Message = Message(&[
    field("openapi", 1, Text),
    field("info", 2, One(&INFO)),
    field("paths", 4, One(&PATHS)),
    field("components", 5, One(&COMPONENTS)),
    field("security", 6, Many(&SECURITY)),
    field("externalDocs", 8, One(&EXTERNAL_DOCS)),
    field("", 9, Extensions),
]);

static INFO: Message =
    Message(&[field("title", 1, Text), field("description", 2, Text), field("version", 6, Text), field("", 7, Extensions)]);

static EXTERNAL_DOCS: Message = Message(&[field("description", 1, Text), field("url", 2, Text), field("", 3, Extensions)]);

static PATHS: Message = Message(&[field("", 1, Members(&One(&PATH))), field("", 2, Extensions)]);

static PATH: Message = Message(&[
    field("$ref", 1, Text),
    field("summary", 2, Text),
    field("description", 3, Text),
    field("get", 4, One(&OPERATION)),
    field("put", 5, One(&OPERATION)),
    field("post", 6, One(&OPERATION)),
    field("delete", 7, One(&OPERATION)),
    field("options", 8, One(&OPERATION)),
    field("head", 9, One(&OPERATION)),
    field("patch", 10, One(&OPERATION)),
    field("trace", 11, One(&OPERATION)),
    field("parameters", 13, ManyOf(parameter)),
    field("", 14, Extensions),
]);

static OPERATION: Message = Message(&[
    field("tags", 1, Texts),
    field("summary", 2, Text),
    field("description", 3, Text),
    field("externalDocs", 4, One(&EXTERNAL_DOCS)),
    field("operationId", 5, Text),
    field("parameters", 6, ManyOf(parameter)),
    field("requestBody", 7, OneOf(body)),
    field("responses", 8, One(&RESPONSES)),
    field("deprecated", 10, Bool),
    field("security", 11, Many(&SECURITY)),
    field("", 13, Extensions),
]);

/// Everything that may be a reference is a message of two: itself, or that.
fn or_reference(value: &Value, message: &'static Message) -> Choice {
    match value.get("$ref") {
        Some(_) => Choice::message(&[2], &REFERENCE),
        None => Choice::message(&[1], message),
    }
}

fn parameter(value: &Value) -> Choice {
    or_reference(value, &PARAMETER)
}

fn body(value: &Value) -> Choice {
    or_reference(value, &BODY)
}

fn response(value: &Value) -> Choice {
    or_reference(value, &RESPONSE)
}

fn schema(value: &Value) -> Choice {
    or_reference(value, &SCHEMA)
}

fn security_scheme(value: &Value) -> Choice {
    or_reference(value, &SECURITY_SCHEME)
}

static REFERENCE: Message = Message(&[field("$ref", 1, Text), field("summary", 2, Text), field("description", 3, Text)]);

static PARAMETER: Message = Message(&[
    field("name", 1, Text),
    field("in", 2, Text),
    field("description", 3, Text),
    field("required", 4, Bool),
    field("deprecated", 5, Bool),
    field("allowEmptyValue", 6, Bool),
    field("style", 7, Text),
    field("explode", 8, Bool),
    field("allowReserved", 9, Bool),
    field("schema", 10, OneOf(schema)),
    field("example", 11, Any),
    field("content", 13, One(&MEDIA_TYPES)),
    field("", 14, Extensions),
]);

static BODY: Message = Message(&[
    field("description", 1, Text),
    field("content", 2, One(&MEDIA_TYPES)),
    field("required", 3, Bool),
    field("", 4, Extensions),
]);

static MEDIA_TYPES: Message = Message(&[field("", 1, Members(&One(&MEDIA_TYPE)))]);

static MEDIA_TYPE: Message = Message(&[field("schema", 1, OneOf(schema)), field("example", 2, Any), field("", 5, Extensions)]);

static RESPONSES: Message =
    Message(&[field("default", 1, OneOf(response)), field("", 2, Members(&OneOf(response))), field("", 3, Extensions)]);

static RESPONSE: Message =
    Message(&[field("description", 1, Text), field("content", 3, One(&MEDIA_TYPES)), field("", 5, Extensions)]);

static COMPONENTS: Message = Message(&[
    field("schemas", 1, One(&NAMED_SCHEMAS)),
    field("responses", 2, One(&NAMED_RESPONSES)),
    field("parameters", 3, One(&NAMED_PARAMETERS)),
    field("securitySchemes", 7, One(&SECURITY_SCHEMES)),
    field("", 10, Extensions),
]);

static NAMED_SCHEMAS: Message = Message(&[field("", 1, Members(&OneOf(schema)))]);
static NAMED_RESPONSES: Message = Message(&[field("", 1, Members(&OneOf(response)))]);
static NAMED_PARAMETERS: Message = Message(&[field("", 1, Members(&OneOf(parameter)))]);
static SECURITY_SCHEMES: Message = Message(&[field("", 1, Members(&OneOf(security_scheme)))]);

static SCHEMA: Message = Message(&[
    field("nullable", 1, Bool),
    field("readOnly", 3, Bool),
    field("writeOnly", 4, Bool),
    field("externalDocs", 6, One(&EXTERNAL_DOCS)),
    field("example", 7, Any),
    field("deprecated", 8, Bool),
    field("title", 9, Text),
    field("multipleOf", 10, Double),
    field("maximum", 11, Double),
    field("exclusiveMaximum", 12, Bool),
    field("minimum", 13, Double),
    field("exclusiveMinimum", 14, Bool),
    field("maxLength", 15, Int),
    field("minLength", 16, Int),
    field("pattern", 17, Text),
    field("maxItems", 18, Int),
    field("minItems", 19, Int),
    field("uniqueItems", 20, Bool),
    field("maxProperties", 21, Int),
    field("minProperties", 22, Int),
    field("required", 23, Texts),
    field("enum", 24, Anys),
    field("type", 25, Text),
    field("allOf", 26, ManyOf(schema)),
    field("oneOf", 27, ManyOf(schema)),
    field("anyOf", 28, ManyOf(schema)),
    field("not", 29, One(&SCHEMA)),
    field("items", 30, OneOf(items)),
    field("properties", 31, One(&NAMED_SCHEMAS)),
    field("additionalProperties", 32, OneOf(additional)),
    field("default", 33, OneOf(default)),
    field("description", 34, Text),
    field("format", 35, Text),
    field("", 36, Extensions),
]);

fn items(value: &Value) -> Choice {
    match value.get("$ref") {
        Some(_) => Choice::message(&[1, 2], &REFERENCE),
        None => Choice::message(&[1, 1], &SCHEMA),
    }
}

fn additional(value: &Value) -> Choice {
    if value.is_boolean() { Choice::scalar(Chosen::Bool(2)) } else { items(value) }
}

/// Objects and lists are defaults that the message cannot hold.
fn default(value: &Value) -> Choice {
    Choice::scalar(match value {
        Value::Number(_) => Chosen::Double(1),
        Value::Bool(_) => Chosen::Bool(2),
        Value::String(_) => Chosen::Text(3),
        _ => Chosen::Nothing,
    })
}

static SECURITY: Message = Message(&[field("", 1, Members(&OneOf(|_| Choice::scalar(Chosen::Texts(1)))))]);

static SECURITY_SCHEME: Message = Message(&[
    field("type", 1, Text),
    field("description", 2, Text),
    field("name", 3, Text),
    field("in", 4, Text),
    field("scheme", 5, Text),
    field("bearerFormat", 6, Text),
    field("", 9, Extensions),
]);
