//! Turns OpenAPI v3 paths and schemas into the v2 document, which lacks defaults and alternatives.

use model::json::{Key, Map, Value, json};

/// The whole v2 document.
pub(super) fn render(paths: &Map, schemas: &Map) -> Value {
    let mut schemas: Vec<(&Key, Value)> = schemas.iter().map(|(name, schema)| (name, definition(name, schema))).collect();
    schemas.sort_by_key(|(name, _)| *name);
    let definitions: Map = schemas.into_iter().map(|(name, schema)| (name.clone(), schema)).collect();
    let paths: Map = paths.iter().map(|(name, item)| (name.clone(), path(item))).collect();
    json!({
        "swagger": "2.0",
        "info": super::info(),
        "paths": paths,
        "definitions": definitions,
        "securityDefinitions": {"BearerToken": {"description": "Bearer Token authentication", "type": "apiKey", "name": "authorization", "in": "header"}},
        "security": [{"BearerToken": []}],
    })
}

/// Types that are several in v3 are strings here.
fn definition(name: &str, schema: &Value) -> Value {
    let mut converted = convert(schema);
    if let (Some(map), Some(_)) = (converted.as_object_mut(), schema.get("oneOf")) {
        map.insert("type", "string".into());
        if !name.ends_with("IntOrString") {
            map.shift_remove("format");
        }
    }
    converted
}

/// What v2 has no word for goes, as `apiextensions-apiserver/pkg/controller/openapi/v2` has it go for custom resources.
fn convert(schema: &Value) -> Value {
    let Value::Object(map) = schema else { return schema.clone() };
    let mut out = Map::new();
    for (key, value) in map.iter().filter(|(key, _)| !is_left_out(map, key)) {
        match (key.as_str(), value) {
            ("allOf", Value::Array(all)) => {
                // A reference that has something beside it; alternatives of validation are none.
                if let Some(Value::Object(inner)) = all.first().filter(|first| first.get("$ref").is_some()).map(convert) {
                    out.extend(inner);
                }
            }
            ("$ref", Value::String(target)) => {
                out.insert(key.clone(), target.replace("#/components/schemas/", "#/definitions/").into());
            }
            ("properties", Value::Object(fields)) => {
                let fields: Map = fields.iter().map(|(name, field)| (name.clone(), convert(field))).collect();
                out.insert(key.clone(), fields.into());
            }
            ("required", Value::Array(names)) => {
                let names: Vec<Value> = names.iter().filter(|name| !is_nullable(map, name)).cloned().collect();
                if !names.is_empty() {
                    out.insert(key.clone(), names.into());
                }
            }
            ("items" | "additionalProperties", inner) => {
                out.insert(key.clone(), convert(inner));
            }
            _ => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    out.into()
}

/// Readers of v2 break at fields below something that may be null or anything, and at lists of unknown items.
fn is_left_out(map: &Map, key: &str) -> bool {
    let says = |word: &str| map.get(word) == Some(&Value::Bool(true));
    let is = |kind: &str| map.get("type").and_then(Value::as_str) == Some(kind);
    let anything = says("x-kubernetes-preserve-unknown-fields");
    match key {
        "default" | "oneOf" | "anyOf" | "not" | "nullable" => true,
        "items" | "properties" => says("nullable") || anything,
        "type" => says("nullable") || anything && (is("object") || is("array")) || is("array") && !map.contains_key("items"),
        _ => false,
    }
}

fn is_nullable(map: &Map, name: &Value) -> bool {
    let property = name.as_str().and_then(|name| map.get("properties")?.get(name));
    property.is_some_and(|property| property.get("nullable") == Some(&Value::Bool(true)))
}

fn path(item: &Value) -> Value {
    let Some(item) = item.as_object() else { return Value::Null };
    item.iter()
        .map(|(key, value)| if key == "parameters" { (key.clone(), parameters(value)) } else { (key.clone(), operation(value)) })
        .collect::<Map>()
        .into()
}

fn parameters(all: &Value) -> Value {
    let flat = |one: &Value| {
        let mut map = Map::new();
        for (key, value) in one.as_object().into_iter().flatten() {
            match value.as_object().filter(|_| key == "schema") {
                Some(schema) => map.extend(schema.clone()),
                None => drop(map.insert(key.clone(), value.clone())),
            }
        }
        Value::Object(map)
    };
    all.as_array().into_iter().flatten().map(flat).collect()
}

fn operation(operation: &Value) -> Value {
    let mut out = Map::new();
    let mut all = parameters(&operation["parameters"]);
    for (key, value) in operation.as_object().into_iter().flatten() {
        match key.as_str() {
            "parameters" => {}
            "requestBody" => {
                let content = value["content"].as_object();
                out.insert("consumes", content.into_iter().flatten().map(|(kind, _)| Value::from(kind.as_str())).collect());
                let schema = content.and_then(|c| c.values().next()).map(|c| convert(&c["schema"]));
                let mut body = json!({"name": "body", "in": "body", "schema": schema});
                if let (Some(body), Some(required)) = (body.as_object_mut(), value.get("required")) {
                    body.insert("required", required.clone());
                }
                if let Some(all) = all.as_array_mut() {
                    all.push(body);
                }
            }
            "responses" => drop(out.insert(key.clone(), responses(value, &mut Vec::new()))),
            _ => drop(out.insert(key.clone(), value.clone())),
        }
    }
    let mut kinds = Vec::new();
    responses(&operation["responses"], &mut kinds);
    out.insert("produces", kinds.into());
    out.insert("schemes", json!(["https"]));
    if all.as_array().is_some_and(|all| !all.is_empty()) {
        out.insert("parameters", all);
    }
    out.into()
}

/// Responses with the schema of their first media type; the media types go into `kinds`.
fn responses(all: &Value, kinds: &mut Vec<Key>) -> Value {
    let mut out = Map::new();
    for (status, response) in all.as_object().into_iter().flatten() {
        let mut flat = json!({"description": response["description"]});
        if let Some((_, first)) = response["content"].as_object().and_then(|content| content.iter().next())
            && let Some(flat) = flat.as_object_mut()
        {
            flat.insert("schema", convert(&first["schema"]));
        }
        for (kind, _) in response["content"].as_object().into_iter().flatten() {
            if !kinds.contains(kind) {
                kinds.push(kind.clone());
            }
        }
        out.insert(status.clone(), flat);
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_readers_of_v2_break_at_is_left_out() {
        let schema = json!({
            "type": "object",
            "required": ["a", "b"],
            "properties": {
                "a": {"type": "object", "nullable": true, "properties": {"x": {"type": "string"}}},
                "b": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"x": {"type": "string"}}},
                "c": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                "default": {"allOf": [{"$ref": "#/components/schemas/x"}], "default": {}},
                "e": {"type": "string", "allOf": [{"minLength": 1}], "not": {"enum": ["x"]}},
            },
        });
        let want = json!({
            "type": "object",
            "required": ["b"],
            "properties": {
                "a": {},
                "b": {"x-kubernetes-preserve-unknown-fields": true},
                "c": {"x-kubernetes-int-or-string": true},
                "default": {"$ref": "#/definitions/x"},
                "e": {"type": "string"},
            },
        });
        assert_eq!(definition("com.example.v1.Thing", &schema), want);
    }
}
