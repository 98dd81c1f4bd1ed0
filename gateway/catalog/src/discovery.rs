//! The discovery documents, rendered once and lazily: `/apis`, `/apis/<group>`, `/apis/<group>/<version>`, `/api/v1`, and
//! the aggregated form of `/api` and `/apis` (apidiscovery.k8s.io/v2). Does not negotiate which of them is meant.
//! Fields stand in the order of upstream's Go structs. Where an APIService says something of its own (`services`), what it
//! concerns is rendered with the catalog's documents; everything else is shared between catalogs.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use model::gvk::join_api_version;
use model::json::{Value, json};

use crate::document::Document;
use crate::resource::{Resource, Subresource};
use crate::services::{self, Freshness, Priority, Ranked, Service, Tie};
use crate::{Catalog, Group, Version};

/// All documents of a catalog, each rendered when it is first asked for; what a group or version renders is kept with it and
/// shared by all catalogs that have it unchanged.
pub struct Discovery {
    catalog: Arc<Catalog>,
    /// By group, then version.
    services: HashMap<Arc<str>, HashMap<Arc<str>, Service>>,
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
        Self::with(catalog, &[])
    }

    /// The same with what APIServices say.
    pub fn with(catalog: &Arc<Catalog>, said: &[Service]) -> Self {
        let mut services: HashMap<Arc<str>, HashMap<Arc<str>, Service>> = HashMap::new();
        for one in said {
            services.entry(one.group.clone()).or_default().insert(one.version.clone(), one.clone());
        }
        let (groups, aggregated_core, aggregated_groups) = Default::default();
        Self { catalog: catalog.clone(), services, groups, aggregated_core, aggregated_groups }
    }

    fn named(&self) -> impl Iterator<Item = &Group> {
        self.catalog.groups().iter().map(|group| &**group).filter(|group| !group.name.is_empty())
    }

    /// Every version of every named group in the order of preference, whoever serves it.
    fn in_order(&self, tie: Tie) -> Vec<(&str, Vec<&str>)> {
        let here = self.named().flat_map(|group| group.versions.iter().map(|version| (&*group.name, &*version.name)));
        let here = here.map(|(group, version)| self.ranked(group, version, tie));
        let services = self.services.values().flat_map(HashMap::values).filter(|one| !one.group.is_empty());
        let elsewhere = services
            .filter(|one| self.local(&one.group, &one.version).is_none() && (tie == Tie::Service || one.remote.is_some()));
        let elsewhere = elsewhere.map(|one| Ranked { group: &one.group, version: &one.version, priority: one.priority });
        services::in_order(here.chain(elsewhere).collect(), tie)
    }

    /// What is served here stands in the aggregated list where it always does; an APIService moves it in the plain one only.
    fn ranked<'a>(&'a self, group: &'a str, version: &'a str, tie: Tie) -> Ranked<'a> {
        let said = self.said(group, version).filter(|one| tie == Tie::Service || one.remote.is_some());
        let priority: Priority = said.map_or_else(|| services::usual(group, version), |one| one.priority);
        Ranked { group, version, priority }
    }

    fn said(&self, group: &str, version: &str) -> Option<&Service> {
        self.services.get(group)?.get(version)
    }

    fn local(&self, group: &str, version: &str) -> Option<&Version> {
        self.catalog.group(group)?.version(version).map(|version| &**version)
    }

    /// `/apis`: an APIGroupList.
    pub fn groups(&self) -> &Document {
        self.groups.get_or_init(|| {
            let groups: Vec<Value> =
                self.in_order(Tie::Service).iter().map(|(group, versions)| api_group(group, versions)).collect();
            document(&json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        })
    }

    /// `/api`, aggregated: an APIGroupDiscoveryList of the core group.
    pub fn aggregated_core(&self) -> &Document {
        self.aggregated_core.get_or_init(|| aggregated(self.catalog.group("").map(|group| shared(group)).as_slice()))
    }

    /// `/apis`, aggregated: an APIGroupDiscoveryList of all others.
    pub fn aggregated_groups(&self) -> &Document {
        self.aggregated_groups.get_or_init(|| {
            let groups = self.in_order(Tie::Group);
            let items: Vec<String> = groups.iter().map(|(group, versions)| self.aggregated_item(group, versions)).collect();
            aggregated(&items.iter().map(String::as_str).collect::<Vec<_>>())
        })
    }

    fn aggregated_item(&self, group: &str, versions: &[&str]) -> String {
        match self.catalog.group(group).filter(|_| !self.services.contains_key(group)) {
            Some(group) => shared(group).to_owned(),
            None => {
                let versions = versions.iter().map(|version| self.aggregated_version(group, version)).collect();
                aggregated_group(group, versions)
            }
        }
    }

    /// Where both serve a version, requests go to the extension server.
    fn aggregated_version(&self, group: &str, version: &str) -> Value {
        let remote = self.said(group, version).and_then(|one| one.remote.as_ref());
        match (remote, self.local(group, version)) {
            (Some(remote), _) => version_of(version, remote.resources.as_ref().clone(), remote.freshness),
            (None, Some(local)) => own_version(local),
            (None, None) => version_of(version, Vec::new(), Freshness::Stale),
        }
    }

    /// `/apis/<group>`: an APIGroup.
    pub fn group(&self, name: &str) -> Option<Document> {
        if name.is_empty() {
            return None;
        }
        match self.catalog.group(name).filter(|_| !self.services.contains_key(name)) {
            Some(group) => {
                let versions: Vec<&str> = group.versions.iter().map(|version| &*version.name).collect();
                Some(group.discovery.single.get_or_init(|| document(&single_group(name, &versions))).clone())
            }
            None => {
                let groups = self.in_order(Tie::Service);
                let (_, versions) = groups.iter().find(|(group, _)| *group == name)?;
                Some(document(&single_group(name, versions)))
            }
        }
    }

    /// The paths of versions that extension servers serve.
    pub fn paths_elsewhere(&self) -> impl Iterator<Item = String> {
        let remote = self.services.values().flat_map(HashMap::values).filter(|one| one.remote.is_some());
        remote.flat_map(|one| [format!("/apis/{}", one.group), format!("/apis/{}/{}", one.group, one.version)])
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

fn api_group(group: &str, versions: &[&str]) -> Value {
    let version = |name: &&str| json!({"groupVersion": join_api_version(group, name), "version": *name});
    let versions: Vec<Value> = versions.iter().map(version).collect();
    let preferred = versions.first().cloned();
    json!({"name": group, "versions": versions, "preferredVersion": preferred})
}

fn single_group(group: &str, versions: &[&str]) -> Value {
    let mut whole = json!({"kind": "APIGroup", "apiVersion": "v1"});
    if let (Some(whole), Value::Object(fields)) = (whole.as_object_mut(), api_group(group, versions)) {
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

fn aggregated(items: &[&str]) -> Document {
    let head = r#"{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{},"items":["#;
    Document::hashed(format!("{head}{}]}}\n", items.join(",")))
}

/// The item of a group that is served here alone, as every catalog that has it shows it.
fn shared(group: &Group) -> &str {
    group
        .discovery
        .aggregated
        .get_or_init(|| aggregated_group(&group.name, group.versions.iter().map(|version| own_version(version)).collect()))
}

fn aggregated_group(name: &str, versions: Vec<Value>) -> String {
    let metadata = if name.is_empty() { json!({}) } else { json!({ "name": name }) };
    json!({"metadata": metadata, "versions": versions}).to_string()
}

fn own_version(version: &Version) -> Value {
    let resources = version.resources.iter().map(|resource| aggregated_resource(resource)).collect();
    version_of(&version.name, resources, Freshness::Current)
}

fn version_of(name: &str, resources: Vec<Value>, freshness: Freshness) -> Value {
    let mut version = json!({ "version": name });
    set_if(&mut version, "resources", resources.into());
    set_if(&mut version, "freshness", freshness.as_str().into());
    version
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
