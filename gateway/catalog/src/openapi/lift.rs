//! Makes an OpenAPI v3 document of an extension server's v2 document, for servers that have no other. What v3 has no place for is
//! left out. Our own v3 documents are rendered from the types (`schema`, `path`).
//! Follows `k8s.io/kube-openapi/pkg/openapiconv`.

use model::json::{Map, Value, json};

const V2: &str = "#/definitions/";
const V3: &str = "#/components/schemas/";
/// What is done with a path.
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

/// The whole document.
pub(super) fn document(v2: &Value) -> Value {
    let mut out = json!({"openapi": "3.0.0", "info": v2.get("info").cloned().unwrap_or_default()});
    if let Some(paths) = each(v2, "paths", path) {
        out["paths"] = paths;
    }
    let mut components = Map::new();
    let produces = v2.get("produces");
    for (field, made) in [
        ("schemas", each(v2, "definitions", schema)),
        ("securitySchemes", each(v2, "securityDefinitions", security)),
        ("responses", each(v2, "responses", |one| response(one, produces))),
    ] {
        if let Some(made) = made {
            components.insert(field, made);
        }
    }
    out["components"] = components.into();
    if let Some(docs) = v2.get("externalDocs") {
        out["externalDocs"] = docs.clone();
    }
    out
}

/// A map's values made into others; what extends the map itself stays.
fn each(of: &Value, field: &str, make: impl Fn(&Value) -> Value) -> Option<Value> {
    let all = of.get(field)?.as_object()?;
    let made =
        all.iter().map(|(name, one)| (name.clone(), if name.as_str().starts_with("x-") { one.clone() } else { make(one) }));
    Some(Value::Object(made.collect()))
}

/// Fields that are the same in both; extensions always are.
fn kept(from: &Value, fields: &[&str]) -> Map {
    let members = from.as_object().into_iter().flatten();
    let stays = |name: &str| fields.contains(&name) || name.starts_with("x-");
    members.filter(|(name, _)| stays(name.as_str())).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn path(v2: &Value) -> Value {
    let mut out = kept(v2, &["$ref"]);
    for method in METHODS {
        if let Some(done) = v2.get(method) {
            out.insert(method, operation(done));
        }
    }
    let parameters = items(v2, "parameters").map(parameter);
    put_list(&mut out, "parameters", parameters.collect());
    out.into()
}

fn operation(v2: &Value) -> Value {
    let mut out = kept(v2, &["description", "externalDocs", "tags", "summary", "deprecated", "operationId"]);
    let is_body = |one: &&Value| one.get("name").and_then(Value::as_str) == Some("body") && one.get("schema").is_some();
    if let Some(body) = items(v2, "parameters").find(is_body) {
        let content = content(v2.get("consumes"), body.get("schema"));
        out.insert("requestBody", content.map_or_else(|| json!({}), |content| json!({ "content": content })));
    }
    put_list(&mut out, "parameters", items(v2, "parameters").filter(|one| !is_body(one)).map(parameter).collect());
    let produces = v2.get("produces");
    if let Some(responses) = each(v2, "responses", |one| response(one, produces)) {
        out.insert("responses", responses);
    }
    out.into()
}

fn response(v2: &Value, produces: Option<&Value>) -> Value {
    let mut out = kept(v2, &["description"]);
    refer(v2, &mut out, "#/responses/", "#/components/responses/");
    if let Some(content) = v2.get("schema").and_then(|schema| content(produces, Some(schema))) {
        out.insert("content", content);
    }
    out.into()
}

/// One schema under each media type.
fn content(types: Option<&Value>, of: Option<&Value>) -> Option<Value> {
    let types = types?.as_array()?.iter().filter_map(Value::as_str);
    let of = of.map(schema)?;
    Some(types.map(|media| (media, json!({ "schema": of }))).collect())
}

fn parameter(v2: &Value) -> Value {
    let mut out = kept(v2, &["name", "description", "in", "required", "allowEmptyValue"]);
    refer(v2, &mut out, "#/parameters/", "#/components/parameters/");
    let simple = || {
        let mut simple = kept(v2, &["format", "uniqueItems"]);
        simple.retain(|name, _| !name.as_str().starts_with("x-"));
        simple.insert("type", v2.get("type").cloned().unwrap_or_else(|| "".into()));
        simple.into()
    };
    out.insert("schema", v2.get("schema").map_or_else(simple, schema));
    out.into()
}

fn refer(v2: &Value, out: &mut Map, from: &str, to: &str) {
    if let Some(reference) = v2.get("$ref").and_then(Value::as_str) {
        out.insert("$ref", reference.replacen(from, to, 1).into());
    }
}

fn security(v2: &Value) -> Value {
    let mut out = kept(v2, &["type", "description", "name", "in"]);
    if let Some(flow) = v2.get("flow").and_then(Value::as_str).filter(|flow| !flow.is_empty()) {
        let mut flows = kept(v2, &["authorizationUrl", "tokenUrl", "scopes"]);
        flows.retain(|name, _| !name.as_str().starts_with("x-"));
        out.insert("flows", Value::from_iter([(flow, flows)]));
    }
    out.into()
}

/// References lead to another place, and stand alone: what is said besides them goes around.
fn schema(v2: &Value) -> Value {
    let Some(members) = v2.as_object() else { return v2.clone() };
    let mut out: Map = members.iter().map(|(name, value)| (name.clone(), part(name.as_str(), value))).collect();
    if out.len() > 1
        && let Some(reference) = out.shift_remove("$ref")
    {
        out.insert("allOf", json!([{ "$ref": reference }]));
    }
    out.into()
}

fn part(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("$ref", Value::String(reference)) => reference.replacen(V2, V3, 1).into(),
        ("properties", Value::Object(all)) => all.iter().map(|(name, one)| (name.clone(), schema(one))).collect(),
        ("items", Value::Array(all)) => all.iter().map(schema).collect(),
        ("items" | "additionalProperties" | "additionalItems", one) => schema(one),
        (_, other) => other.clone(),
    }
}

fn items<'a>(from: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    from.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn put_list(out: &mut Map, field: &'static str, list: Vec<Value>) {
    if !list.is_empty() {
        out.insert(field, Value::from(list));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upstream's own pairs of documents.
    #[test]
    fn documents_become_what_upstream_makes_of_them() {
        let folder = crate::upstream::module("k8s.io/kube-openapi").join("pkg/openapiconv/testdata_generated_from_k8s");
        let read = |name: &str| -> Value {
            let file = folder.join(name);
            let text = std::fs::read(&file).unwrap_or_else(|error| panic!("read {}: {error}", file.display()));
            serde_json::from_slice(&text).unwrap_or_else(|error| panic!("parse {}: {error}", file.display()))
        };
        for of in ["api.v1", "apiextensions.k8s.io.v1", "batch.v1"] {
            let (made, want) = (document(&read(&format!("v2_{of}.json"))), read(&format!("v3_{of}.json")));
            for field in ["openapi", "info", "paths", "components"] {
                differ(&format!("{of} {field}"), &made[field], &want[field]);
            }
            assert_eq!(made, want, "{of}");
        }
    }

    /// Tells where two documents differ, not all that they hold.
    fn differ(at: &str, made: &Value, want: &Value) {
        match (made, want) {
            (Value::Object(made), Value::Object(want)) => {
                for name in made.keys().chain(want.keys()) {
                    let of = |map: &Map| map.get(name).cloned().unwrap_or_default();
                    differ(&format!("{at} {name}"), &of(made), &of(want));
                }
            }
            _ => assert_eq!(made, want, "{at}"),
        }
    }

    #[test]
    fn what_upstreams_documents_lack_is_carried_too() {
        let v2 = json!({
            "swagger": "2.0", "info": {"title": "t"},
            "paths": {"/a": {"parameters": [{"$ref": "#/parameters/p"}], "post": {"parameters": [{"name": "body", "in": "body", "schema": {"$ref": "#/definitions/A"}}], "responses": {"default": {"$ref": "#/responses/r"}}}}},
            "definitions": {"A": {"properties": {"b": {"$ref": "#/definitions/A", "default": {}}}, "additionalProperties": {"$ref": "#/definitions/A"}, "items": [{"$ref": "#/definitions/A"}]}},
            "securityDefinitions": {"o": {"type": "oauth2", "flow": "implicit", "authorizationUrl": "u", "scopes": {"s": "d"}}},
        });
        let own = json!({"$ref": "#/components/schemas/A"});
        assert_eq!(
            document(&v2),
            json!({
                "openapi": "3.0.0", "info": {"title": "t"},
                "paths": {"/a": {"parameters": [{"$ref": "#/components/parameters/p", "schema": {"type": ""}}], "post": {"requestBody": {}, "responses": {"default": {"$ref": "#/components/responses/r"}}}}},
                "components": {
                    "schemas": {"A": {"properties": {"b": {"default": {}, "allOf": [own]}}, "additionalProperties": own, "items": [own]}},
                    "securitySchemes": {"o": {"type": "oauth2", "flows": {"implicit": {"authorizationUrl": "u", "scopes": {"s": "d"}}}}},
                },
            })
        );
    }
}
