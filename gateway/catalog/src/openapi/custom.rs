//! What is published of a custom resource: its own schema with what every object has, and its paths.
//! Follows `apiextensions-apiserver/pkg/controller/openapi/builder`, which describes custom resources apart from built-in
//! ones and says less of them.

use model::json::{Map, Value, json};

use super::describe;
use super::operation::{Operation, Subject};
use super::path::{Operations, Paths, capitalized, names_of, suffix, with_article};
use super::schema::{DELETE_OPTIONS, META, PATCH, STATUS, reference};
use crate::custom::Custom;
use crate::resource::Resource;

const MEDIA: [&str; 2] = ["application/json", "application/yaml"];
const PATCHES: [&str; 3] = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];

/// Query parameters of a get.
const GET: &[(&str, &str)] = &[("resourceVersion", "string")];
/// Whose descriptions of `apiVersion`, `kind` and `metadata` are those of every kind.
const ANY: &str = "io.k8s.api.core.v1.ConfigMap";

/// The schema of an object.
pub(super) fn schema(resource: &Resource, custom: &Custom) -> Value {
    let published = custom.definition.version(&resource.gvr.version).map(|version| version.published());
    let mut schema = match published {
        Some(Value::Object(schema)) => Value::Object(schema),
        _ => json!({"type": "object"}),
    };
    unfold(&mut schema);
    add_metadata(&mut schema);
    embed(&mut schema);
    mark(&mut schema, resource, custom, &resource.gvk.kind);
    schema
}

/// The schema of a list.
pub(super) fn list(resource: &Resource, custom: &Custom, item: &str) -> Value {
    let (kind, list_kind, plural) = (&resource.gvk.kind, &resource.list_kind, &resource.gvr.resource);
    let about = format!(
        "List of {plural}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
    );
    let mut metadata = described(reference(&format!("{META}.ListMeta")), &format!("{ANY}List"), "metadata");
    sort(&mut metadata);
    let mut schema = json!({
        "description": format!("{list_kind} is a list of {kind}"),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": described(json!({"type": "string"}), ANY, "apiVersion"),
            "items": {"description": about, "type": "array", "items": reference(item)},
            "kind": described(json!({"type": "string"}), ANY, "kind"),
            "metadata": metadata,
        },
    });
    mark(&mut schema, resource, custom, list_kind);
    schema
}

fn mark(schema: &mut Value, resource: &Resource, custom: &Custom, kind: &str) {
    let gvk = json!([{"group": &*resource.gvk.group, "kind": kind, "version": &*resource.gvk.version}]);
    schema["x-kubernetes-group-version-kind"] = gvk;
    if !custom.selectable.is_empty() {
        let fields: Vec<Value> = custom.selectable.iter().map(|(name, _)| json!({"fieldPath": &**name})).collect();
        schema["x-kubernetes-selectable-fields"] = fields.into();
    }
}

fn described(mut schema: Value, of: &str, field: &str) -> Value {
    if let Some(text) = describe::of(of, field) {
        schema["description"] = text.into();
    }
    schema
}

fn sort(schema: &mut Value) {
    if let Some(map) = schema.as_object_mut() {
        map.sort_keys();
    }
}

/// `x-kubernetes-int-or-string` says with it what it stands for.
fn unfold(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    if map.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) && !map.contains_key("anyOf") {
        map.insert("anyOf", json!([{"type": "integer"}, {"type": "string"}]));
    }
    each_below(map, unfold);
}

fn each_below(map: &mut Map, visit: fn(&mut Value)) {
    if let Some(properties) = map.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(visit);
    }
    for field in ["items", "additionalProperties"] {
        if let Some(inner) = map.get_mut(field) {
            visit(inner);
        }
    }
}

/// What every object has.
fn add_metadata(schema: &mut Value) {
    for field in ["apiVersion", "kind"] {
        schema["properties"][field] = described(json!({"type": "string"}), ANY, field);
    }
    schema["properties"]["metadata"] = described(reference(&format!("{META}.ObjectMeta")), ANY, "metadata");
    sort(&mut schema["properties"]);
}

/// An object within an object has the same, and must say what it is.
fn embed(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    each_below(map, embed);
    if map.get("x-kubernetes-embedded-resource") != Some(&Value::Bool(true)) {
        return;
    }
    let mut required = map.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    required
        .extend(["kind", "apiVersion"].map(Value::from).into_iter().filter(|name| !required.contains(name)).collect::<Vec<_>>());
    map.insert("required", required.into());
    add_metadata(schema);
}

impl Paths<'_> {
    /// The paths of a custom resource.
    pub(super) fn custom(&mut self, resource: &Resource) {
        let (item, list) = (resource.schema_name(&self.catalog.types), resource.list_schema_name(&self.catalog.types));
        self.want(&[&item, &list, STATUS, PATCH, DELETE_OPTIONS]);
        let plural = &resource.gvr.resource;
        let mut collection = format!("{}/{plural}", self.base);
        if resource.namespaced {
            let subject = self.subject(resource, format!("{}ForAllNamespaces", resource.gvk.kind));
            self.insert(collection, vec![("get", listing(&subject, &list))], &[], true);
            collection = format!("{}/namespaces/{{namespace}}/{plural}", self.base);
        }
        let subject = self.subject(resource, suffix(resource, ""));
        let kind = &resource.gvk.kind;
        let create =
            Operation::new(&subject, "post", "create", format!("create {}", with_article(kind))).with(super::operation::WRITE);
        let clear = Operation::new(&subject, "deletecollection", "delete Collection", format!("delete collection of {kind}"));
        let operations = vec![
            ("get", listing(&subject, &list)),
            ("post", create.body_in(&item, true, &MEDIA).respond(&reference(&item), &[200, 201, 202], &MEDIA).done()),
            ("delete", clear.with(super::operation::LIST).respond(&reference(STATUS), &[200], &MEDIA).done()),
        ];
        let names: &[&str] = if resource.namespaced { &["namespace"] } else { &[] };
        self.insert(collection.clone(), operations, names, true);
        let object = format!("{collection}/{{name}}");
        let mut operations = reads_and_writes(&subject, &item);
        let delete = Operation::new(&subject, "delete", "delete", format!("delete {}", with_article(kind)));
        let delete = delete.with(super::operation::DELETE).body_in(DELETE_OPTIONS, false, &MEDIA);
        operations.push(("delete", delete.respond(&reference(STATUS), &[200, 202], &MEDIA).done()));
        self.insert(object.clone(), operations, names_of(resource), true);
        for sub in &resource.subresources {
            let mut subject = self.subject(resource, suffix(resource, &capitalized(&sub.name)));
            subject.subresource = sub.name.to_string();
            let body = sub.schema_name(resource, &self.catalog.types);
            self.want(&[&body]);
            self.insert(format!("{object}/{}", sub.name), reads_and_writes(&subject, &body), names_of(resource), true);
        }
    }
}

fn listing(subject: &Subject, list: &str) -> Value {
    let operation = Operation::new(subject, "list", "list", format!("list objects of kind {}", subject.kind));
    operation.with(super::operation::LIST).respond(&reference(list), &[200], &MEDIA).done()
}

fn reads_and_writes(subject: &Subject, body: &str) -> Operations {
    let of = if subject.subresource.is_empty() { String::new() } else { format!("{} of ", subject.subresource) };
    let (kind, schema) = (&subject.kind, reference(body));
    let get = Operation::new(subject, "get", "read", format!("read {of}the specified {kind}")).with(GET);
    let put = Operation::new(subject, "put", "replace", format!("replace {of}the specified {kind}"));
    let patch = Operation::new(subject, "patch", "patch", format!("partially update {of}the specified {kind}"));
    vec![
        ("get", get.respond(&schema, &[200], &MEDIA).done()),
        ("put", put.with(super::operation::WRITE).body_in(body, true, &MEDIA).respond(&schema, &[200, 201], &MEDIA).done()),
        ("patch", patch.with(super::operation::APPLY).body_in(PATCH, true, &PATCHES).respond(&schema, &[200], &MEDIA).done()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_objects_say_what_they_are() {
        let mut schema = json!({"type": "object", "properties": {"template": {"type": "object", "x-kubernetes-embedded-resource": true}, "port": {"x-kubernetes-int-or-string": true}}});
        unfold(&mut schema);
        embed(&mut schema);
        let template = &schema["properties"]["template"];
        assert_eq!(template["required"], json!(["kind", "apiVersion"]));
        assert_eq!(
            template["properties"]["metadata"]["$ref"],
            "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
        );
        assert_eq!(schema["properties"]["port"]["anyOf"], json!([{"type": "integer"}, {"type": "string"}]));
    }
}
