//! The discovery documents, rendered once for a catalog: `/apis`, `/apis/<group>`, `/apis/<group>/<version>`, `/api/v1`, and
//! the aggregated form of `/api` and `/apis` (apidiscovery.k8s.io/v2). Does not negotiate which of them is meant.
//! Fields stand in the order of upstream's Go structs.

use std::collections::HashMap;

use bytes::Bytes;
use model::gvk::join_api_version;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use crate::resource::{Resource, Subresource};
use crate::{Catalog, Group, Version};

/// A document that changes only with the catalog.
#[derive(Clone, Debug)]
pub struct Document {
    /// JSON, with the newline that Go's encoder ends with.
    pub body: Bytes,
    /// Quoted entity tag; upstream sends one for the aggregated documents only.
    pub etag: String,
}

/// All documents of a catalog.
#[derive(Debug)]
pub struct Discovery {
    /// `/apis`: an APIGroupList.
    pub groups: Document,
    /// `/api`, aggregated: an APIGroupDiscoveryList of the core group.
    pub aggregated_core: Document,
    /// `/apis`, aggregated: an APIGroupDiscoveryList of all others.
    pub aggregated_groups: Document,
    by_group: HashMap<String, Document>,
    by_version: HashMap<String, Document>,
}

impl Discovery {
    /// Renders everything.
    pub fn of(catalog: &Catalog) -> Self {
        let named = || catalog.groups().iter().filter(|group| !group.name.is_empty());
        let mut by_version = HashMap::new();
        for group in catalog.groups() {
            for version in &group.versions {
                by_version.insert(group.api_version(version), document(&resource_list(group, version)));
            }
        }
        Self {
            groups: document(
                &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": named().map(api_group).collect::<Vec<_>>()}),
            ),
            aggregated_core: document(&aggregated(catalog.groups().iter().filter(|group| group.name.is_empty()))),
            aggregated_groups: document(&aggregated(named())),
            by_group: named().map(|group| (group.name.to_string(), document(&single_group(group)))).collect(),
            by_version,
        }
    }

    /// `/apis/<group>`: an APIGroup.
    pub fn group(&self, name: &str) -> Option<&Document> {
        self.by_group.get(name)
    }

    /// `/api/v1` and `/apis/<group>/<version>`: an APIResourceList.
    pub fn version(&self, group: &str, version: &str) -> Option<&Document> {
        self.by_version.get(&join_api_version(group, version))
    }

    /// `/api`: an APIVersions, which tells the client the address to use.
    pub fn core_versions(&self, server_address: &str) -> Bytes {
        let addresses = json!([{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}]);
        document(&json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses})).body
    }
}

fn document(value: &Value) -> Document {
    let body = format!("{value}\n");
    let etag = format!("\"{:X}\"", Sha512::digest(body.as_bytes()));
    Document { body: body.into(), etag }
}

fn api_group(group: &Group) -> Value {
    let versions: Vec<Value> =
        group.versions.iter().map(|v| json!({"groupVersion": group.api_version(v), "version": &*v.name})).collect();
    let preferred = versions.first().cloned();
    json!({"name": &*group.name, "versions": versions, "preferredVersion": preferred})
}

fn single_group(group: &Group) -> Value {
    let mut whole = json!({"kind": "APIGroup", "apiVersion": "v1"});
    if let (Some(whole), Value::Object(fields)) = (whole.as_object_mut(), api_group(group)) {
        whole.extend(fields);
    }
    whole
}

fn resource_list(group: &Group, version: &Version) -> Value {
    let mut rows: Vec<Value> = Vec::new();
    for resource in &version.resources {
        rows.push(api_resource(resource));
        rows.extend(resource.subresources.iter().map(|sub| api_subresource(resource, sub)));
    }
    rows.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    let mut list = json!({"kind": "APIResourceList"});
    // Upstream leaves apiVersion out of the core group's list.
    set_if(&mut list, "apiVersion", if group.name.is_empty() { "" } else { "v1" }.into());
    set_if(&mut list, "groupVersion", group.api_version(version).into());
    if let Some(list) = list.as_object_mut() {
        list.insert("resources".to_owned(), rows.into());
    }
    list
}

fn api_resource(resource: &Resource) -> Value {
    let mut row = json!({
        "name": &*resource.gvr.resource,
        "singularName": &*resource.singular,
        "namespaced": resource.namespaced,
        "kind": &*resource.gvk.kind,
        "verbs": texts(&resource.verbs),
    });
    set_if(&mut row, "shortNames", texts(&resource.short_names));
    set_if(&mut row, "categories", texts(&resource.categories));
    set_if(&mut row, "storageVersionHash", (*resource.storage_version_hash).into());
    row
}

fn api_subresource(resource: &Resource, sub: &Subresource) -> Value {
    let (group, version) = foreign_version(sub);
    let mut row = json!({
        "name": format!("{}/{}", resource.gvr.resource, sub.name),
        "singularName": "",
        "namespaced": resource.namespaced,
    });
    set_if(&mut row, "group", group.into());
    set_if(&mut row, "version", version.into());
    set_if(&mut row, "kind", (*sub.gvk.kind).into());
    set_if(&mut row, "verbs", texts(&sub.verbs));
    row
}

/// Group and version of a subresource's kind, where discovery names them.
fn foreign_version(sub: &Subresource) -> (&str, &str) {
    if sub.foreign { (&sub.gvk.group, &sub.gvk.version) } else { ("", "") }
}

fn aggregated<'a>(groups: impl Iterator<Item = &'a Group>) -> Value {
    let items: Vec<Value> = groups
        .map(|group| {
            let metadata = if group.name.is_empty() { json!({}) } else { json!({"name": &*group.name}) };
            let versions: Vec<Value> = group
                .versions
                .iter()
                .map(|v| json!({"version": &*v.name, "resources": v.resources.iter().map(|r| aggregated_resource(r)).collect::<Vec<_>>(), "freshness": "Current"}))
                .collect();
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn aggregated_resource(resource: &Resource) -> Value {
    let mut row = json!({
        "resource": &*resource.gvr.resource,
        "responseKind": {"group": "", "version": "", "kind": &*resource.gvk.kind},
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": &*resource.singular,
        "verbs": texts(&resource.verbs),
    });
    set_if(&mut row, "shortNames", texts(&resource.short_names));
    set_if(&mut row, "categories", texts(&resource.categories));
    let subresources: Vec<Value> = resource
        .subresources
        .iter()
        .map(|sub| {
            let (group, version) = foreign_version(sub);
            json!({"subresource": &*sub.name, "responseKind": {"group": group, "version": version, "kind": &*sub.gvk.kind}, "verbs": texts(&sub.verbs)})
        })
        .collect();
    set_if(&mut row, "subresources", subresources.into());
    row
}

fn texts(words: &[std::sync::Arc<str>]) -> Value {
    words.iter().map(|word| Value::from(&**word)).collect::<Vec<_>>().into()
}

/// Go's omitempty.
fn set_if(row: &mut Value, field: &str, value: Value) {
    let empty = value.as_str() == Some("") || value.as_array().is_some_and(Vec::is_empty);
    if let Some(map) = row.as_object_mut().filter(|_| !empty) {
        map.insert(field.to_owned(), value);
    }
}
