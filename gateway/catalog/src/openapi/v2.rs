//! Turns OpenAPI v3 paths and schemas into the v2 document, which lacks defaults and alternatives, and says what many
//! operations take once (`shared`).

mod shared;

use model::json::{Key, Map, Value, json};

use super::custom::MEDIA;

/// The whole v2 document.
pub(super) fn render(paths: &Map, schemas: &Map) -> Value {
    let mut schemas: Vec<(&Key, Value)> = schemas.iter().map(|(name, schema)| (name, definition(name, schema))).collect();
    schemas.sort_by_key(|(name, _)| *name);
    let definitions: Map = schemas.into_iter().map(|(name, schema)| (name.clone(), schema)).collect();
    let mut paths: Map = paths.iter().map(|(name, item)| (name.clone(), path(item))).collect();
    let parameters = shared::take(&mut paths);
    json!({
        "swagger": "2.0",
        "info": super::info(),
        "paths": paths,
        "definitions": definitions,
        "parameters": parameters,
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

/// Without defaults and alternatives; what else custom resources have here is made for this version (`custom`).
fn convert(schema: &Value) -> Value {
    let Value::Object(map) = schema else { return schema.clone() };
    let mut out = Map::new();
    for (key, value) in map {
        match (key.as_str(), value) {
            ("default" | "oneOf", _) => {}
            ("allOf", Value::Array(all)) => {
                // A reference that has something beside it.
                if let Some(Value::Object(inner)) = all.first().map(convert) {
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
    let mut all = match parameters(&operation["parameters"]) {
        Value::Array(all) => all,
        _ => Vec::new(),
    };
    for (key, value) in operation.as_object().into_iter().flatten() {
        match key.as_str() {
            "parameters" => {}
            "requestBody" => {
                let schema = value["content"].as_object().and_then(|c| c.values().next()).map(|c| convert(&c["schema"]));
                let mut body = json!({"name": "body", "in": "body", "schema": schema});
                if value.get("required").is_some() {
                    body["required"] = value["required"].clone();
                }
                all.push(body);
            }
            "responses" => drop(out.insert(key.clone(), responses(value, &mut Vec::new()))),
            _ => drop(out.insert(key.clone(), value.clone())),
        }
    }
    let mut kinds = Vec::new();
    responses(&operation["responses"], &mut kinds);
    let consumed = consumes(operation, &kinds);
    if !consumed.is_empty() {
        out.insert("consumes", consumed.into());
    }
    out.insert("produces", kinds.iter().map(|kind| Value::from(kind.as_str())).collect());
    out.insert("schemes", json!(["https"]));
    if !all.is_empty() {
        all.sort_by_key(|one| (one["name"].to_string(), one["in"].to_string()));
        out.insert("parameters", all.into());
    }
    out.into()
}

/// The media types of bodies, which upstream's routes name whether or not they take any.
fn consumes(operation: &Value, produced: &[Key]) -> Vec<Value> {
    let texts = |kinds: &[Key]| kinds.iter().map(|kind| Value::from(kind.as_str())).collect();
    if let Some(content) = operation["requestBody"]["content"].as_object() {
        return content.keys().map(|kind| Value::from(kind.as_str())).collect();
    }
    let is_custom = produced.iter().map(Key::as_str).eq(MEDIA);
    match operation.get("x-kubernetes-action") {
        Some(_) if is_custom => texts(produced),
        Some(_) => vec!["*/*".into()],
        // What describes the keys of tokens is served beside the routes of the API.
        None if ["WellKnown", "openid"].iter().any(|tag| operation["tags"][0] == *tag) => Vec::new(),
        None => texts(produced),
    }
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
                // A log is text before anything else.
                let first = if kind.as_str() == "text/plain" { 0 } else { kinds.len() };
                kinds.insert(first, kind.clone());
            }
        }
        out.insert(status.clone(), flat);
    }
    out.into()
}
