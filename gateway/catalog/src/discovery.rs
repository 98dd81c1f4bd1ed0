//! The discovery documents, rendered once and lazily: `/apis`, `/apis/<group>`, `/apis/<group>/<version>`, `/api/v1`, and
//! the aggregated form of `/api` and `/apis` (apidiscovery.k8s.io/v2). Does not negotiate which of them is meant.
//! Fields stand in the order of upstream's Go structs.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use model::json::{Value, json};

use crate::document::Document;
use crate::resource::{Resource, Subresource};
use crate::{Catalog, Group, Version};

/// All documents of a catalog, each rendered when it is first asked for; what a group or version renders is kept with it and
/// shared by all catalogs that have it unchanged.
pub struct Discovery {
    catalog: Arc<Catalog>,
    groups: OnceLock<Document>,
    aggregated_core: OnceLock<Document>,
    aggregated_groups: OnceLock<Document>,
}

/// What is rendered of one group.
#[derive(Default)]
pub(crate) struct GroupDocuments {
    single: OnceLock<Document>,
    /// Its item in the aggregated list.
    aggregated: OnceLock<String>,
}

impl Discovery {
    /// Renders nothing yet.
    pub fn of(catalog: &Arc<Catalog>) -> Self {
        let (groups, aggregated_core, aggregated_groups) = Default::default();
        Self { catalog: catalog.clone(), groups, aggregated_core, aggregated_groups }
    }

    fn named(&self) -> impl Iterator<Item = &Group> {
        self.catalog.groups().iter().map(|group| &**group).filter(|group| !group.name.is_empty())
    }

    /// `/apis`: an APIGroupList.
    pub fn groups(&self) -> &Document {
        self.groups.get_or_init(|| {
            let groups: Vec<Value> = self.named().map(api_group).collect();
            document(&json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        })
    }

    /// `/api`, aggregated: an APIGroupDiscoveryList of the core group.
    pub fn aggregated_core(&self) -> &Document {
        self.aggregated_core.get_or_init(|| aggregated(self.catalog.group("").map(|group| &**group).into_iter()))
    }

    /// `/apis`, aggregated: an APIGroupDiscoveryList of all others.
    pub fn aggregated_groups(&self) -> &Document {
        self.aggregated_groups.get_or_init(|| aggregated(self.named()))
    }

    /// `/apis/<group>`: an APIGroup.
    pub fn group(&self, name: &str) -> Option<&Document> {
        let group = self.catalog.group(name).filter(|group| !group.name.is_empty())?;
        Some(group.discovery.single.get_or_init(|| document(&single_group(group))))
    }

    /// `/api/v1` and `/apis/<group>/<version>`: an APIResourceList.
    pub fn version(&self, group: &str, version: &str) -> Option<&Document> {
        let group = self.catalog.group(group)?;
        let version = group.version(version)?;
        Some(version.discovery.get_or_init(|| document(&resource_list(group, version))))
    }

    /// `/api`: an APIVersions, which tells the client the address to use.
    pub fn core_versions(&self, server_address: &str) -> Bytes {
        let addresses = json!([{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}]);
        document(&json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses})).body
    }
}

fn document(value: &Value) -> Document {
    Document::hashed(format!("{value}\n"))
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
    // Upstream lists custom resources as their definitions come, each with its status before its scale.
    if version.resources.iter().all(|resource| resource.custom.is_none()) {
        rows.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    }
    let mut list = json!({"kind": "APIResourceList"});
    // Upstream leaves apiVersion out of the core group's list.
    set_if(&mut list, "apiVersion", if group.name.is_empty() { "" } else { "v1" }.into());
    set_if(&mut list, "groupVersion", group.api_version(version).into());
    if let Some(list) = list.as_object_mut() {
        list.insert("resources", rows.into());
    }
    list
}

fn api_resource(resource: &Resource) -> Value {
    let mut row = json!({
        "name": &*resource.gvr.resource,
        "singularName": &*resource.singular,
        "namespaced": resource.namespaced,
        "kind": &*resource.gvk.kind,
        "verbs": texts(&resource.told_verbs()),
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

fn aggregated<'a>(groups: impl Iterator<Item = &'a Group>) -> Document {
    let items: Vec<&str> = groups.map(|group| &**group.discovery.aggregated.get_or_init(|| aggregated_group(group))).collect();
    let head = r#"{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{},"items":["#;
    Document::hashed(format!("{head}{}]}}\n", items.join(",")))
}

fn aggregated_group(group: &Group) -> String {
    let metadata = if group.name.is_empty() { json!({}) } else { json!({"name": &*group.name}) };
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|v| json!({"version": &*v.name, "resources": v.resources.iter().map(|r| aggregated_resource(r)).collect::<Vec<_>>(), "freshness": "Current"}))
        .collect();
    json!({"metadata": metadata, "versions": versions}).to_string()
}

fn aggregated_resource(resource: &Resource) -> Value {
    let mut row = json!({
        "resource": &*resource.gvr.resource,
        "responseKind": {"group": "", "version": "", "kind": &*resource.gvk.kind},
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": &*resource.singular,
        "verbs": texts(&resource.told_verbs()),
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
