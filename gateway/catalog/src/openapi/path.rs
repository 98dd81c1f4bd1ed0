//! The paths of a group version: collections, objects, subresources, each with its operations. The deprecated `/watch/`
//! paths are left out.

use std::collections::BTreeSet;

use model::gvk::join_api_version;
use model::json::{Map, Value, json};
use schema::Kind;

use super::operation::{APPLY, DELETE, LIST, Operation, Subject, WRITE, in_path, pretty, query};
use super::schema::{DELETE_OPTIONS, PATCH, STATUS, WATCH_EVENT, reference};
use crate::resource::{Resource, Subresource};
use crate::{Catalog, Group, Version};

const RESOURCE_LIST: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList";

/// Renders the paths and notes the schemas that they name.
pub(super) fn of(catalog: &Catalog, group: &Group, version: &Version, wanted: &mut BTreeSet<String>) -> Map {
    let prefix = if group.name.is_empty() { "/api" } else { "/apis" };
    let base = format!("{prefix}/{}", join_api_version(&group.name, &version.name));
    let mut paths = Paths { catalog, base, version: camel_version(&group.name, &version.name), wanted, all: Map::new() };
    // Of custom resources upstream publishes nothing but their own paths.
    if version.resources.iter().any(|resource| resource.custom.is_none()) {
        paths.resource_list();
    }
    for resource in &version.resources {
        if resource.custom.is_some() {
            paths.custom(resource);
            continue;
        }
        paths.collections(resource);
        paths.object(resource);
        for subresource in &resource.subresources {
            paths.subresource(resource, subresource);
        }
    }
    paths.all.sort_keys();
    paths.all
}

pub(super) struct Paths<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) base: String,
    /// `AppsV1` and `apps_v1`.
    version: (String, String),
    wanted: &'a mut BTreeSet<String>,
    all: Map,
}

/// HTTP method and operation.
pub(super) type Operations = Vec<(&'static str, Value)>;

impl Paths<'_> {
    /// The discovery document of the version itself.
    fn resource_list(&mut self) {
        self.want(&[RESOURCE_LIST]);
        let operation = Operation::bare(&self.version.1, format!("get{}APIResources", self.version.0), "get available resources");
        let item = json!({"get": operation.answers(&reference(RESOURCE_LIST), &[200], false).done()});
        self.all.insert(format!("{}/", self.base), item);
    }

    fn collections(&mut self, resource: &Resource) {
        let plural = &resource.gvr.resource;
        if resource.namespaced {
            if resource.serves("list") {
                let subject = self.subject(resource, format!("{}ForAllNamespaces", resource.gvk.kind));
                let list = self.list(resource, &subject);
                self.insert(format!("{}/{plural}", self.base), vec![("get", list)], &[], true);
            }
            let path = format!("{}/namespaces/{{namespace}}/{plural}", self.base);
            self.collection(path, resource, &["namespace"]);
        } else {
            self.collection(format!("{}/{plural}", self.base), resource, &[]);
        }
    }

    fn collection(&mut self, path: String, resource: &Resource, names: &[&str]) {
        let subject = self.subject(resource, suffix(resource, ""));
        let kind = &resource.gvk.kind;
        let name = self.schema(resource.schema_name(&self.catalog.types));
        let mut operations = Operations::new();
        if resource.serves("list") {
            operations.push(("get", self.list(resource, &subject)));
        }
        if resource.serves("create") {
            let create =
                Operation::new(&subject, "post", "create", format!("create {}", with_article(kind))).with(WRITE.parameters());
            operations.push(("post", create.body(&name, true).answers(&reference(&name), &[200, 201, 202], false).done()));
        }
        if resource.serves("deletecollection") {
            self.want(&[STATUS, DELETE_OPTIONS]);
            let watches = |parameter: &Value| ["watch", "allowWatchBookmarks"].iter().any(|name| parameter["name"] == *name);
            let mut parameters: Vec<Value> = LIST.parameters().filter(|one| !watches(one)).chain(DELETE.parameters()).collect();
            sort(&mut parameters);
            let delete =
                Operation::new(&subject, "deletecollection", "delete Collection", format!("delete collection of {kind}"));
            operations.push((
                "delete",
                delete.with(parameters).body(DELETE_OPTIONS, false).answers(&reference(STATUS), &[200], false).done(),
            ));
        }
        self.insert(path, operations, names, true);
    }

    fn list(&mut self, resource: &Resource, subject: &Subject) -> Value {
        let name = self.schema(resource.list_schema_name(&self.catalog.types));
        let watched = if resource.serves("watch") { " or watch" } else { "" };
        let description = format!("list{watched} objects of kind {}", resource.gvk.kind);
        let list = Operation::new(subject, "list", "list", description).with(LIST.parameters());
        if resource.serves("watch") {
            self.want(&[WATCH_EVENT]);
        }
        list.answers(&reference(&name), &[200], true).done()
    }

    fn object(&mut self, resource: &Resource) {
        let subject = self.subject(resource, suffix(resource, ""));
        let name = self.schema(resource.schema_name(&self.catalog.types));
        let mut operations = self.reads_and_writes(resource, &subject, &resource.verbs, &name);
        if resource.serves("delete") {
            self.want(&[STATUS, DELETE_OPTIONS]);
            // That of namespaces is wrapped, and upstream's description does not see through it.
            let returns_it = resource.strategy.returns_deleted && subject.kind != "Namespace";
            let answer = if returns_it { name } else { STATUS.to_owned() };
            let delete = Operation::new(&subject, "delete", "delete", format!("delete {}", with_article(&subject.kind)))
                .with(DELETE.parameters());
            operations
                .push(("delete", delete.body(DELETE_OPTIONS, false).answers(&reference(&answer), &[200, 202], false).done()));
        }
        let path = self.object_path(resource);
        self.insert(path, operations, names_of(resource), true);
    }

    fn object_path(&self, resource: &Resource) -> String {
        let scope = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
        format!("{}{scope}/{}/{{name}}", self.base, resource.gvr.resource)
    }

    fn reads_and_writes(
        &mut self,
        resource: &Resource,
        subject: &Subject,
        verbs: &[std::sync::Arc<str>],
        name: &str,
    ) -> Operations {
        let serves = |verb: &str| verbs.iter().any(|v| &**v == verb);
        let of = if subject.subresource.is_empty() { String::new() } else { format!("{} of ", subject.subresource) };
        let kind = &subject.kind;
        let schema = reference(name);
        let mut operations = Operations::new();
        if serves("get") {
            let get = Operation::new(subject, "get", "read", format!("read {of}the specified {kind}"));
            let get = if subject.subresource == "log" { get.answers_text() } else { get.answers(&schema, &[200], false) };
            operations.push(("get", get.done()));
        }
        if serves("update") {
            let put =
                Operation::new(subject, "put", "replace", format!("replace {of}the specified {kind}")).with(WRITE.parameters());
            operations.push(("put", put.body(name, true).answers(&schema, &[200, 201], false).done()));
        }
        if serves("patch") {
            self.want(&[PATCH]);
            let patch = Operation::new(subject, "patch", "patch", format!("partially update {of}the specified {kind}"))
                .with(APPLY.parameters());
            operations
                .push(("patch", patch.patch_body(resource.merges_strategically()).answers(&schema, &[200, 201], false).done()));
        }
        operations
    }

    fn subresource(&mut self, resource: &Resource, sub: &Subresource) {
        let path = format!("{}/{}", self.object_path(resource), sub.name);
        if !sub.connect.is_empty() {
            return self.connections(resource, sub, path);
        }
        let mut subject = self.subject(resource, suffix(resource, &capitalized(&sub.name)));
        subject.gvk = json!({"group": &*sub.gvk.group, "kind": &*sub.gvk.kind, "version": &*sub.gvk.version});
        subject.subresource = sub.name.to_string();
        let name = sub.schema_name(resource, &self.catalog.types);
        let mut operations = self.reads_and_writes(resource, &subject, &sub.verbs, &name);
        if &*sub.name != "log" {
            self.want(&[&name]);
        }
        if sub.verbs.iter().any(|v| &**v == "create") {
            let description = format!("create {} of {}", sub.name, with_article(&subject.kind));
            let create = Operation::new(&subject, "post", "create", description).with(WRITE.parameters());
            operations.push(("post", create.body(&name, true).answers(&reference(&name), &[200, 201, 202], false).done()));
        }
        let options = self.options(resource, sub);
        for (_, operation) in &mut operations {
            append(operation, options.clone());
        }
        self.insert(path, operations, names_of(resource), true);
    }

    fn connections(&mut self, resource: &Resource, sub: &Subresource, path: String) {
        let options = self.options(resource, sub);
        let ends: &[(&str, &str)] = if sub.takes_path { &[("", ""), ("/{path}", "WithPath")] } else { &[("", "")] };
        for (end, word) in ends {
            let mut subject = self.subject(resource, suffix(resource, &format!("{}{word}", capitalized(&sub.name))));
            subject.gvk = json!({"group": &*sub.gvk.group, "kind": &*sub.gvk.kind, "version": &*sub.gvk.version});
            let mut operations = Operations::new();
            for method in METHODS.iter().filter(|method| sub.connect.iter().any(|m| m.eq_ignore_ascii_case(method))) {
                let upper = method.to_uppercase();
                let description = format!("connect {upper} requests to {} of {}", sub.name, resource.gvk.kind);
                let verb = format!("connect {}", capitalized(method));
                let mut operation = Operation::new(&subject, "connect", &verb, description).answers_anything().done();
                append(&mut operation, options.clone());
                if !end.is_empty() {
                    append(&mut operation, vec![in_path("path", "path to the resource")]);
                }
                operations.push((method, operation));
            }
            self.insert(format!("{path}{end}"), operations, names_of(resource), false);
        }
    }

    /// Query parameters from the fields of an options kind; what is neither scalar nor a list of scalars has none.
    fn options(&self, resource: &Resource, sub: &Subresource) -> Vec<Value> {
        let Some(kind) = &sub.options else { return Vec::new() };
        let Some(ty) = self.catalog.types.of_kind(&resource.api_version(), kind) else { return Vec::new() };
        let fields = self.catalog.types[ty].fields.iter().filter(|f| !matches!(f.json, "kind" | "apiVersion"));
        fields
            .filter_map(|field| {
                let kind = match &field.kind {
                    Kind::Bool => "boolean",
                    Kind::Int32 | Kind::Int64 => "integer",
                    Kind::String => "string",
                    Kind::List(inner) if **inner == Kind::String => "string",
                    Kind::List(inner) if **inner == Kind::Int32 => "integer",
                    _ => return None,
                };
                Some(query(self.catalog.types[ty].name, field.json, kind))
            })
            .collect()
    }

    pub(super) fn subject(&self, resource: &Resource, suffix: String) -> Subject {
        let gvk = &resource.gvk;
        Subject {
            group_version: self.version.0.clone(),
            tag: self.version.1.clone(),
            gvk: json!({"group": &*gvk.group, "kind": &*gvk.kind, "version": &*gvk.version}),
            kind: gvk.kind.to_string(),
            suffix,
            subresource: String::new(),
        }
    }

    fn schema(&mut self, name: String) -> String {
        self.want(&[&name]);
        name
    }

    pub(super) fn want(&mut self, names: &[&str]) {
        self.wanted.extend(names.iter().map(|name| (*name).to_owned()));
    }

    /// Puts a path's operations in, with the parameters that all of them take lifted to the path, as upstream does.
    pub(super) fn insert(&mut self, path: String, mut operations: Operations, names: &[&str], is_pretty: bool) {
        let kind = operations.first().and_then(|(_, operation)| operation["x-kubernetes-group-version-kind"]["kind"].as_str());
        let about = format!("name of the {}", kind.unwrap_or(""));
        let mut own: Vec<Value> = names
            .iter()
            .map(|name| {
                in_path(
                    name,
                    if *name == "namespace" { "object name and auth scope, such as for teams and projects" } else { &about },
                )
            })
            .collect();
        own.extend(is_pretty.then(pretty));
        for (_, operation) in &mut operations {
            append(operation, own.clone());
        }
        let Some((_, first)) = operations.first() else { return };
        let common: Vec<Value> =
            parameters(first).into_iter().filter(|one| operations.iter().all(|(_, o)| parameters(o).contains(one))).collect();
        let mut item = Map::new();
        for (method, mut operation) in operations {
            let rest: Vec<Value> = parameters(&operation).into_iter().filter(|one| !common.contains(one)).collect();
            if let Some(map) = operation.as_object_mut() {
                map.shift_remove("parameters");
                if !rest.is_empty() {
                    map.insert("parameters", rest.into());
                }
            }
            item.insert(method.to_owned(), operation);
        }
        item.insert("parameters", common.into());
        self.all.insert(path, item.into());
    }
}

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

pub(super) fn names_of(resource: &Resource) -> &'static [&'static str] {
    if resource.namespaced { &["name", "namespace"] } else { &["name"] }
}

fn parameters(operation: &Value) -> Vec<Value> {
    operation.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn sort(parameters: &mut [Value]) {
    parameters.sort_by_key(|one| (one["name"].to_string(), one["in"].to_string()));
}

/// Adds parameters, sorted by name and place.
fn append(operation: &mut Value, more: Vec<Value>) {
    let mut all = parameters(operation);
    all.extend(more);
    sort(&mut all);
    if let Some(map) = operation.as_object_mut().filter(|_| !all.is_empty()) {
        map.insert("parameters", all.into());
    }
}

pub(super) fn suffix(resource: &Resource, end: &str) -> String {
    format!("{}{}{end}", if resource.namespaced { "Namespaced" } else { "" }, resource.gvk.kind)
}

pub(super) fn with_article(kind: &str) -> String {
    // Plurals have no article.
    if kind.ends_with('s') && !kind.ends_with("ss") {
        return kind.to_owned();
    }
    let article = if kind.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// `rbac.authorization.k8s.io`, `v1` becomes `RbacAuthorizationV1` and `rbacAuthorization_v1`.
fn camel_version(group: &str, version: &str) -> (String, String) {
    let (camel, lower) = camel_group(group);
    (format!("{camel}{}", capitalized(version)), format!("{lower}_{version}"))
}

/// `rbac.authorization.k8s.io` becomes `RbacAuthorization` and `rbacAuthorization`.
pub(super) fn camel_group(group: &str) -> (String, String) {
    let name = if group.is_empty() { "core" } else { group.strip_suffix(".k8s.io").unwrap_or(group) };
    let camel: String = name.split(|c: char| !c.is_ascii_alphanumeric()).map(capitalized).collect();
    let mut lower = camel.clone();
    lower[..1].make_ascii_lowercase();
    (camel, lower)
}

pub(super) fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
