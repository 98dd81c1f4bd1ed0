//! What an extension server says it serves, in either of the two forms of discovery. Fetches nothing (`refresh`).
//! Only what discovery has words for is taken, in upstream's order of fields.
//! Follows `discoveryManager` in `k8s.io/kube-aggregator/pkg/apiserver/handler_discovery.go` and
//! `ConvertGroupVersionIntoToDiscovery` in `k8s.io/apiserver/pkg/endpoints`.

use model::Value;
use model::json::{Key, Map, json};

use super::text;

/// The aggregated form, which is asked for first.
pub(super) const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Whether a media type is the aggregated form's.
pub(super) fn is_aggregated(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let said: Vec<&str> = parts.collect();
    is_json && ["g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"].iter().all(|part| said.contains(part))
}

/// The resources of one version in an aggregated document; none where it does not have the version.
pub(super) fn of_aggregated(document: &Value, group: &str, version: &str) -> Vec<Value> {
    let groups = objects(document, "items").filter(|item| item.pointer("/metadata/name").and_then(Value::as_str) == Some(group));
    let mut versions = groups.flat_map(|item| objects(item, "versions")).filter(|of| text(of, "version") == version);
    versions.next().into_iter().flat_map(|of| objects(of, "resources")).map(resource).collect()
}

/// The same of an `APIResourceList`.
pub(super) fn of_list(document: &Value) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for row in objects(document, "resources") {
        let (name, sub) = text(row, "name").split_once('/').unwrap_or((text(row, "name"), ""));
        let kind = json!({"group": text(row, "group"), "version": text(row, "version"), "kind": text(row, "kind")});
        let scope = if row.get("namespaced").and_then(Value::as_bool) == Some(true) { "Namespaced" } else { "Cluster" };
        let known = all.iter().position(|one| text(one, "resource") == name);
        if sub.is_empty() {
            let mut made =
                json!({"resource": name, "responseKind": kind, "scope": scope, "singularResource": text(row, "singularName")});
            for field in ["verbs", "shortNames", "categories"] {
                made[field] = texts(row, field);
            }
            match known {
                Some(at) => {
                    made["subresources"] = all[at].get("subresources").cloned().unwrap_or_default();
                    all[at] = made;
                }
                None => all.push(made),
            }
            continue;
        }
        let at = known.unwrap_or_else(|| {
            // Upstream tells of a part whose whole is not served.
            all.push(json!({"resource": name, "responseKind": {}, "scope": scope}));
            all.len() - 1
        });
        let part = json!({"subresource": sub, "responseKind": kind, "verbs": texts(row, "verbs")});
        match all[at].get_mut("subresources").and_then(Value::as_array_mut) {
            Some(parts) => parts.push(part),
            None => all[at]["subresources"] = json!([part]),
        }
    }
    all.iter().map(resource).collect()
}

fn resource(from: &Value) -> Value {
    let mut out = Map::new();
    let mut set = |field: &'static str, value: Value| {
        if !is_empty(&value) {
            out.insert(field, value);
        }
    };
    set("resource", text(from, "resource").into());
    set("responseKind", kind(from));
    set("scope", text(from, "scope").into());
    set("singularResource", text(from, "singularResource").into());
    set("verbs", texts(from, "verbs"));
    set("shortNames", texts(from, "shortNames"));
    set("categories", texts(from, "categories"));
    set("subresources", objects(from, "subresources").map(subresource).collect::<Vec<_>>().into());
    // Clients look for the scope and the verbs, whatever they are.
    for (field, empty) in [("scope", Value::from("")), ("singularResource", "".into()), ("verbs", json!([]))] {
        out.entry(field).or_insert(empty);
    }
    in_order(out)
}

fn subresource(from: &Value) -> Value {
    let mut out = json!({"subresource": text(from, "subresource"), "responseKind": kind(from)});
    let accepted: Vec<Value> = objects(from, "acceptedTypes").map(group_version_kind).collect();
    if !accepted.is_empty() {
        out["acceptedTypes"] = accepted.into();
    }
    out["verbs"] = texts(from, "verbs");
    out
}

/// Never missing: clients of 1.26 break at one that is.
fn kind(from: &Value) -> Value {
    group_version_kind(from.get("responseKind").unwrap_or(&Value::Null))
}

fn group_version_kind(from: &Value) -> Value {
    json!({"group": text(from, "group"), "version": text(from, "version"), "kind": text(from, "kind")})
}

/// In the order of upstream's struct.
fn in_order(mut fields: Map) -> Value {
    const ORDER: [&str; 8] =
        ["resource", "responseKind", "scope", "singularResource", "verbs", "shortNames", "categories", "subresources"];
    ORDER.iter().filter_map(|field| Some((Key::from(*field), fields.remove(field)?))).collect::<Map>().into()
}

fn objects<'a>(from: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    from.get(field).and_then(Value::as_array).into_iter().flatten().filter(|one| one.is_object())
}

fn texts(from: &Value, field: &str) -> Value {
    let all = from.get(field).and_then(Value::as_array).into_iter().flatten();
    all.filter(|one| one.is_string()).cloned().collect::<Vec<_>>().into()
}

fn is_empty(value: &Value) -> bool {
    value.as_str() == Some("") || value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let list = json!({"resources": [
            {"name": "things/status", "singularName": "", "namespaced": true, "kind": "Thing", "verbs": ["get"]},
            {"name": "things", "singularName": "thing", "namespaced": true, "kind": "Thing", "verbs": ["get", "list"], "shortNames": ["th"]},
        ]});
        let want = json!({
            "resource": "things",
            "responseKind": {"group": "", "version": "", "kind": "Thing"},
            "scope": "Namespaced",
            "singularResource": "thing",
            "verbs": ["get", "list"],
            "shortNames": ["th"],
            "subresources": [{"subresource": "status", "responseKind": {"group": "", "version": "", "kind": "Thing"}, "verbs": ["get"]}],
        });
        let told = of_list(&list);
        assert_eq!(told, std::slice::from_ref(&want));
        assert_eq!(told[0].to_string(), want.to_string(), "in upstream's order");
        let aggregated = json!({"items": [{"metadata": {"name": "g"}, "versions": [{"version": "v1", "resources": [want], "freshness": "Current"}]}]});
        assert_eq!(of_aggregated(&aggregated, "g", "v1"), told);
        assert!(of_aggregated(&aggregated, "g", "v2").is_empty() && of_aggregated(&aggregated, "h", "v1").is_empty());
    }

    #[test]
    fn only_what_discovery_has_words_for_is_taken() {
        let odd = json!({"items": [{"metadata": {"name": "g"}, "versions": [
            {"version": "v1", "resources": [{"resource": "things", "verbs": ["get", 1], "script": "x"}, "none"]},
        ]}]});
        let want = json!({"resource": "things", "responseKind": {"group": "", "version": "", "kind": ""}, "scope": "", "singularResource": "", "verbs": ["get"]});
        assert_eq!(of_aggregated(&odd, "g", "v1"), [want]);
    }

    #[test]
    fn a_media_type_is_read_part_by_part() {
        assert!(
            is_aggregated(AGGREGATED) && is_aggregated("application/json; as=APIGroupDiscoveryList; v=v2; g=apidiscovery.k8s.io")
        );
        assert!(
            !is_aggregated("application/json")
                && !is_aggregated("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList")
        );
    }
}
