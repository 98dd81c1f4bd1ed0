//! The parameters that operations take alike, each said once under a name that hangs on what it says.
//! Follows `k8s.io/kube-openapi/pkg/builder/parameters.go`. Knows no operation.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use codec::go_json;
use model::json::{Key, Map, Value, json};

/// The fields of a parameter as upstream's struct has them, for what hangs on the text of one.
const FIELDS: [&str; 7] = ["uniqueItems", "type", "description", "name", "in", "required", "schema"];
/// Older versions of kubectl look for these in the operations themselves.
const KEPT: [&str; 2] = ["fieldValidation", "dryRun"];
/// Where the schemas of bodies that any kind takes begin.
const GENERIC: &str = "#/definitions/io.k8s.apimachinery";

/// Takes shared parameters out of paths, which refer to them from there on.
pub(super) fn take(paths: &mut Map) -> Map {
    let mut found = BTreeMap::new();
    each(paths, |parameter| {
        if is_shared(parameter) {
            found.entry(text(parameter)).or_insert_with(|| parameter.clone());
        }
    });
    let mut shared: BTreeMap<String, Value> = BTreeMap::new();
    let mut names = BTreeMap::new();
    for (text, parameter) in found {
        let plain = parameter["name"].as_str().unwrap_or("param").to_owned();
        let hashed = format!("{plain}-{}", hash(&text));
        let others = (1..).map(|number: usize| format!("{plain}-{number}"));
        // There are more numbers than parameters.
        let Some(name) = std::iter::once(hashed).chain(others).find(|name| !shared.contains_key(name)) else { continue };
        names.insert(text, name.clone());
        shared.insert(name, parameter);
    }
    each(paths, |parameter| {
        if let Some(name) = names.get(&text(parameter)) {
            *parameter = json!({"$ref": format!("#/parameters/{name}")});
        }
    });
    shared.into_iter().map(|(name, parameter)| (Key::from(name.as_str()), parameter)).collect()
}

/// Visits every parameter of paths and of their operations.
fn each(paths: &mut Map, mut visit: impl FnMut(&mut Value)) {
    for item in paths.values_mut().filter_map(Value::as_object_mut) {
        for (key, value) in item.iter_mut() {
            let parameters = if key.as_str() == "parameters" { Some(value) } else { value.get_mut("parameters") };
            parameters.and_then(Value::as_array_mut).into_iter().flatten().for_each(&mut visit);
        }
    }
}

/// What says the name of a kind, or has its schema, is nobody else's.
fn is_shared(parameter: &Value) -> bool {
    let is = |field: &str, value: &str| parameter[field] == value;
    if is("in", "body") && is("name", "body") {
        return parameter["schema"]["$ref"].as_str().is_some_and(|target| target.starts_with(GENERIC));
    }
    let is_kept = is("in", "query") && KEPT.iter().any(|name| is("name", name));
    !(is_kept || is("name", "name"))
}

fn text(parameter: &Value) -> String {
    let fields: Map = FIELDS.iter().filter_map(|field| Some((*field, parameter.get(field)?.clone()))).collect();
    let mut out = Vec::new();
    go_json::write(&fields.into(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Eight characters of Go's `fnv.New64`.
fn hash(text: &str) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.bytes() {
        hash = hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte);
    }
    URL_SAFE.encode(&hash.to_be_bytes()[..6])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_take_is_said_once() {
        let namespace = json!({"name": "namespace", "in": "path", "description": "object name and auth scope, such as for teams and projects", "required": true, "type": "string", "uniqueItems": true});
        let dry_run = json!({"name": "dryRun", "in": "query", "type": "string", "uniqueItems": true});
        let body = |name: &str| json!({"name": "body", "in": "body", "schema": {"$ref": format!("#/definitions/{name}")}});
        let (options, kind) = (body("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"), body("com.example.v1.Thing"));
        let mut paths: Map = [(
            "/things",
            json!({"parameters": [namespace], "delete": {"parameters": [options, dry_run]}, "post": {"parameters": [kind]}}),
        )]
        .into_iter()
        .collect();
        let shared = take(&mut paths);
        let names: Vec<&str> = shared.keys().map(Key::as_str).collect();
        // As upstream publishes them.
        assert_eq!(names, ["body-2Y1dVQaQ", "namespace-vgWSWtn3"]);
        assert_eq!((&shared["body-2Y1dVQaQ"], &shared["namespace-vgWSWtn3"]), (&options, &namespace));
        let reference = |name: &str| json!({"$ref": format!("#/parameters/{name}")});
        let want = json!({
            "parameters": [reference("namespace-vgWSWtn3")],
            "delete": {"parameters": [reference("body-2Y1dVQaQ"), dry_run]},
            "post": {"parameters": [kind]},
        });
        assert_eq!(paths["/things"], want);
    }
}
