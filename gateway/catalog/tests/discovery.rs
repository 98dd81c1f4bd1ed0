//! Compares the discovery documents with those that upstream publishes for a server that serves everything, cut down to
//! what is served by default.

#[path = "../../upstream.rs"]
mod upstream;

use std::sync::Arc;

use catalog::Catalog;
use catalog::discovery::Discovery;
use model::json::{Value, json};

/// The groups that upstream does not have.
const OURS: [&str; 2] = ["openreports.io", "policy.gatehouse.dev"];

fn parts() -> (Arc<Catalog>, Discovery) {
    let catalog = Arc::new(Catalog::builtin().expect("tables"));
    let discovery = Discovery::of(&catalog);
    (catalog, discovery)
}

fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("a document is JSON")
}

/// Keeps the resources that the catalog serves.
fn served(catalog: &Catalog, group: &str, version: &str, mut list: Value) -> Value {
    let resources = list["resources"].as_array_mut().expect("resources");
    resources.retain(|row| {
        let (plural, sub) = row["name"].as_str().and_then(|n| n.split_once('/').or(Some((n, "")))).expect("name");
        catalog.resource(group, version, plural).is_some_and(|r| sub.is_empty() || r.subresource(sub).is_some())
    });
    list
}

#[test]
fn every_resource_list_is_upstreams() {
    let (catalog, discovery) = parts();
    for group in catalog.groups().iter().filter(|g| !OURS.contains(&&*g.name)) {
        for version in &group.versions {
            let file = if group.name.is_empty() {
                format!("api__{}", version.name)
            } else {
                format!("apis__{}__{}", group.name, version.name)
            };
            let want = served(&catalog, &group.name, &version.name, upstream::read(&format!("api/discovery/{file}.json")));
            let got = discovery.version(&group.name, &version.name).expect("rendered");
            assert_eq!(parse(&got.body), want, "{file}");
        }
    }
}

#[test]
fn the_group_list_is_upstreams_in_its_order() {
    let (catalog, discovery) = parts();
    let keep = |list: &mut Vec<Value>, known: &dyn Fn(&str, &str) -> bool| {
        for group in list.iter_mut() {
            let name = group["name"].as_str().unwrap_or_default().to_owned();
            group["versions"]
                .as_array_mut()
                .expect("versions")
                .retain(|v| known(&name, v["version"].as_str().unwrap_or_default()));
        }
        list.retain(|group| group["versions"].as_array().is_some_and(|v| !v.is_empty()));
    };
    let mut want = upstream::read("api/discovery/apis.json");
    keep(want["groups"].as_array_mut().expect("groups"), &|g, v| catalog.group(g).is_some_and(|g| g.version(v).is_some()));
    let mut got = parse(&discovery.groups().body);
    keep(got["groups"].as_array_mut().expect("groups"), &|g, _| !OURS.contains(&g));
    assert_eq!(got, want);
    let apps = parse(&discovery.group("apps").expect("apps").body);
    assert_eq!(apps, upstream::read("api/discovery/apis__apps.json"));
}

#[test]
fn aggregated_discovery_is_upstreams() {
    let (catalog, discovery) = parts();
    let mut want = upstream::read("api/discovery/aggregated_v2.json");
    let groups = want["items"].as_array_mut().expect("items");
    for group in groups.iter_mut() {
        let name = group["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let versions = group["versions"].as_array_mut().expect("versions");
        versions.retain(|v| catalog.group(&name).is_some_and(|g| g.version(v["version"].as_str().unwrap_or_default()).is_some()));
        for version in versions {
            let number = version["version"].as_str().unwrap_or_default().to_owned();
            retain_served(&catalog, &name, &number, version);
        }
    }
    groups.retain(|group| group["versions"].as_array().is_some_and(|v| !v.is_empty()));
    let mut got = parse(&discovery.aggregated_groups().body);
    got["items"].as_array_mut().expect("items").retain(|g| !OURS.iter().any(|ours| g["metadata"]["name"] == *ours));
    assert_eq!(got, want);
}

fn retain_served(catalog: &Catalog, group: &str, version: &str, of: &mut Value) {
    let resources = of["resources"].as_array_mut().expect("resources");
    resources.retain_mut(|row| {
        let Some(resource) = catalog.resource(group, version, row["resource"].as_str().unwrap_or_default()) else { return false };
        if let Some(subs) = row.get_mut("subresources").and_then(Value::as_array_mut) {
            subs.retain(|sub| resource.subresource(sub["subresource"].as_str().unwrap_or_default()).is_some());
            if subs.is_empty() {
                row.as_object_mut().expect("object").remove("subresources");
            }
        }
        true
    });
}

#[test]
fn the_core_group_is_told_apart() {
    let (_, discovery) = parts();
    let core = parse(&discovery.aggregated_core().body);
    assert_eq!(core["items"][0]["metadata"], json!({}));
    assert_eq!(core["items"][0]["versions"][0]["version"], "v1");
    let want = upstream::read("api/discovery/api.json");
    assert_eq!(parse(&discovery.core_versions("10.10.10.10:8050")), want);
    assert_ne!(discovery.aggregated_core().etag, discovery.aggregated_groups().etag);
    assert!(discovery.aggregated_core().etag.starts_with('"') && discovery.aggregated_core().etag.len() == 130);
}
