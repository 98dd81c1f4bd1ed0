//! CustomResourceDefinitions as kube-apiserver keeps them in etcd: in v1beta1, which says once what all versions have in common
//! and is therefore smaller. That version is not served any more; only storage knows it.
//! Follows `apiextensions-apiserver/pkg/apis/apiextensions/{v1,v1beta1}/conversion.go` and the defaults of v1beta1.

use model::Value;
use model::json::{Map, json};

use super::{put, rename, take};

/// The version in which definitions lie in etcd.
pub const STORED: &str = "apiextensions.k8s.io/v1beta1";

/// What a version says, and what v1beta1 calls it where all versions say the same.
const SHARED: [(&str, &str); 4] = [
    ("subresources", "subresources"),
    ("schema", "validation"),
    ("additionalPrinterColumns", "additionalPrinterColumns"),
    ("selectableFields", "selectableFields"),
];

/// From v1 into v1beta1.
pub fn to_stored(definition: &mut Value) {
    let Some(spec) = definition.get_mut("spec") else { return };
    if let Some(conversion) = spec.get_mut("conversion") {
        let mut webhook = take(conversion, "webhook").unwrap_or_default();
        put(conversion, "webhookClientConfig", take(&mut webhook, "clientConfig"));
        put(conversion, "conversionReviewVersions", take(&mut webhook, "conversionReviewVersions"));
    }
    // Absent would mean true there.
    let preserves = take(spec, "preserveUnknownFields").unwrap_or(json!(false));
    put(spec, "preserveUnknownFields", Some(preserves));
    let mut versions = take(spec, "versions").unwrap_or_default();
    let list: &mut [Value] = versions.as_array_mut().map_or(&mut [], Vec::as_mut_slice);
    for version in list.iter_mut() {
        columns(version).for_each(|column| rename(column, "jsonPath", "JSONPath"));
    }
    if let Some(first) = list.first().cloned() {
        put(spec, "version", first.get("name").cloned());
        for (own, shared) in SHARED {
            let said = |version: &Value| version.get(own).filter(|value| !is_empty(value)).cloned();
            let common = said(&first);
            if common.is_some() && list.iter().all(|version| said(version) == common) {
                list.iter_mut().for_each(|version| drop(take(version, own)));
                put(spec, shared, common);
            }
        }
    }
    put(spec, "versions", Some(versions));
}

/// From v1beta1 into v1.
pub fn from_stored(definition: &mut Value) {
    let Some(spec) = definition.get_mut("spec") else { return };
    if let Some(conversion) = spec.get_mut("conversion") {
        let (client, reviews) = (take(conversion, "webhookClientConfig"), take(conversion, "conversionReviewVersions"));
        let mut webhook = Value::Object(Map::new());
        let asks = client.is_some() || reviews.is_some();
        put(&mut webhook, "clientConfig", client);
        put(&mut webhook, "conversionReviewVersions", reviews);
        put(conversion, "webhook", asks.then_some(webhook));
    } else {
        put(spec, "conversion", Some(json!({"strategy": "None"})));
    }
    if spec.get("preserveUnknownFields").is_none() {
        put(spec, "preserveUnknownFields", Some(json!(true)));
    }
    let only = take(spec, "version");
    let mut versions = take(spec, "versions").filter(|versions| !is_empty(versions));
    if let (None, Some(name)) = (&versions, only) {
        versions = Some(json!([{"name": name, "served": true, "storage": true}]));
    }
    let mut versions = versions.unwrap_or_else(|| json!([]));
    let list: &mut [Value] = versions.as_array_mut().map_or(&mut [], Vec::as_mut_slice);
    for (own, shared) in SHARED {
        if let Some(common) = take(spec, shared) {
            list.iter_mut().for_each(|version| put(version, own, Some(common.clone())));
        }
    }
    for version in list {
        columns(version).for_each(|column| rename(column, "JSONPath", "jsonPath"));
    }
    put(spec, "versions", Some(versions));
}

fn columns(version: &mut Value) -> impl Iterator<Item = &mut Value> {
    version.get_mut("additionalPrinterColumns").and_then(Value::as_array_mut).into_iter().flatten()
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_versions(second: &Value) -> Value {
        let version = |name: &str, schema: &Value| {
            json!({"name": name, "served": true, "storage": name == "v1", "schema": schema,
                "additionalPrinterColumns": [{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]})
        };
        let object = json!({"openAPIV3Schema": {"type": "object"}});
        json!({"spec": {"group": "a.example.com", "preserveUnknownFields": false,
            "conversion": {"strategy": "Webhook", "webhook": {"clientConfig": {"url": "https://a"}, "conversionReviewVersions": ["v1"]}},
            "versions": [version("v1", &object), version("v2", second)]}})
    }

    #[test]
    fn what_all_versions_say_is_said_once() {
        let before = two_versions(&json!({"openAPIV3Schema": {"type": "object"}}));
        let mut stored = before.clone();
        to_stored(&mut stored);
        let spec = &stored["spec"];
        assert_eq!((&spec["version"], &spec["preserveUnknownFields"]), (&json!("v1"), &json!(false)));
        assert_eq!(spec["validation"]["openAPIV3Schema"]["type"], "object");
        assert_eq!(spec["additionalPrinterColumns"][0]["JSONPath"], ".metadata.creationTimestamp");
        assert_eq!(spec["versions"][1], json!({"name": "v2", "served": true, "storage": false}));
        assert_eq!(spec["conversion"]["webhookClientConfig"]["url"], "https://a");
        from_stored(&mut stored);
        assert_eq!(stored, before);
    }

    #[test]
    fn what_differs_stays_with_its_version() {
        let before = two_versions(&json!({"openAPIV3Schema": {"type": "object", "description": "other"}}));
        let mut stored = before.clone();
        to_stored(&mut stored);
        assert!(stored["spec"].get("validation").is_none());
        assert_eq!(stored["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["type"], "object");
        from_stored(&mut stored);
        assert_eq!(stored, before);
    }

    #[test]
    fn definitions_of_old_clusters_are_read() {
        let mut old = json!({"spec": {"group": "a.example.com", "version": "v1", "validation": {"openAPIV3Schema": {}}}});
        from_stored(&mut old);
        assert_eq!(
            old["spec"],
            json!({"group": "a.example.com", "conversion": {"strategy": "None"}, "preserveUnknownFields": true,
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {}}}]})
        );
    }
}
