//! The cells of what extends the API: API services, custom resource definitions.
//! Follows the table convertors in kube-aggregator's `registry/apiservice/etcd` and apiextensions' `tableconvertor`.

use jiff::Timestamp;
use model::Value;

use super::cell::{age, condition_true, flag, list, name, text};

pub(super) const ALL: super::Rows =
    &[("apiextensions.k8s.io", "CustomResourceDefinition", definition), ("apiregistration.k8s.io", "APIService", service)];

fn definition(object: &Value, _: Timestamp) -> Vec<Value> {
    let label = |version: &Value| {
        let stored = if flag(version, &["storage"], false) { "(storage)" } else { "" };
        format!("{}{stored}", text(version, &["name"]))
    };
    let mut versions: Vec<String> =
        list(object, &["spec", "versions"]).iter().filter(|v| flag(v, &["served"], false)).map(label).collect();
    versions.sort();
    let short: Vec<&str> = list(object, &["spec", "names", "shortNames"]).iter().filter_map(Value::as_str).collect();
    vec![
        name(object),
        text(object, &["spec", "scope"]).into(),
        versions.join(",").into(),
        text(object, &["metadata", "creationTimestamp"]).into(),
        text(object, &["spec", "group"]).into(),
        text(object, &["spec", "names", "kind"]).into(),
        short.join(",").into(),
        condition_true(object, "Established").into(),
    ]
}

fn service(object: &Value, now: Timestamp) -> Vec<Value> {
    let at = |field: &str| text(object, &["spec", "service", field]);
    let host = if at("name").is_empty() { "Local".to_owned() } else { format!("{}/{}", at("namespace"), at("name")) };
    vec![name(object), host.into(), available(object).into(), age(object, now)]
}

/// The status of the condition, with its reason where it is not True.
fn available(object: &Value) -> String {
    let conditions = list(object, &["status", "conditions"]);
    let Some(condition) = conditions.iter().find(|c| text(c, &["type"]) == "Available") else { return "Unknown".to_owned() };
    match (text(condition, &["status"]), text(condition, &["reason"])) {
        ("True", _) => "True".to_owned(),
        (status, "") => status.to_owned(),
        (status, reason) => format!("{status} ({reason})"),
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn a_definition_shows_served_versions_and_where_it_is_stored() {
        let object = json!({
            "metadata": {"name": "things.example.org", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"group": "example.org", "scope": "Cluster", "names": {"kind": "Thing", "shortNames": ["th", "ti"]},
                "versions": [{"name": "v2", "served": true, "storage": true}, {"name": "v1", "served": true}, {"name": "v0"}]},
            "status": {"conditions": [{"type": "Established", "status": "True"}]},
        });
        let row = definition(&object, Timestamp::UNIX_EPOCH);
        assert_eq!(
            row[1..],
            json!(["Cluster", "v1,v2(storage)", "2026-01-01T00:00:00Z", "example.org", "Thing", "th,ti", true])
                .as_array()
                .expect("array")[..]
        );
    }

    #[test]
    fn a_service_says_why_it_is_not_available() {
        let remote = json!({"spec": {"service": {"namespace": "a", "name": "b"}}, "status": {"conditions": [{"type": "Available", "status": "False", "reason": "Gone"}]}});
        let row = service(&remote, Timestamp::UNIX_EPOCH);
        assert_eq!((&row[1], &row[2]), (&json!("a/b"), &json!("False (Gone)")));
        let local = json!({"status": {"conditions": [{"type": "Available", "status": "True", "reason": "Local"}]}});
        let row = service(&local, Timestamp::UNIX_EPOCH);
        assert_eq!((&row[1], &row[2]), (&json!("Local"), &json!("True")));
    }
}
