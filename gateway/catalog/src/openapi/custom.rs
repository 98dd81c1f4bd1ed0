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

/// What bodies and answers may be.
pub(super) const MEDIA: [&str; 2] = ["application/json", "application/yaml"];
const PATCHES: [&str; 3] = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];

/// Query parameters of a get.
const GET: super::operation::Options =
    super::operation::Options::new("io.k8s.apimachinery.pkg.apis.meta.v1.GetOptions", &[("resourceVersion", "string")]);
/// Whose descriptions of `apiVersion`, `kind` and `metadata` are those of every kind.
pub(super) const ANY: &str = "io.k8s.api.core.v1.ConfigMap";

/// For which version of OpenAPI a schema is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Without what it has no word for, and what its readers break at.
    V2,
    /// Everything.
    V3,
}

/// The schema of an object.
pub(super) fn schema(resource: &Resource, custom: &Custom, dialect: Dialect) -> Value {
    let published = custom.definition.version(&resource.gvr.version).map(|version| version.published());
    let published = match published {
        Some(Value::Object(schema)) => Value::Object(schema),
        _ => json!({"type": "object"}),
    };
    let mut schema = native(published, dialect);
    mark(&mut schema, resource, custom, &resource.gvk.kind);
    schema
}

/// With what every object has.
fn native(mut schema: Value, dialect: Dialect) -> Value {
    // Readers of v2 would take any property for the only ones.
    if dialect == Dialect::V2 && says(&schema, ANYTHING) {
        return json!({"type": "object"});
    }
    unfold(&mut schema);
    if dialect == Dialect::V2 {
        strip(&mut schema);
    }
    add_metadata(&mut schema);
    embed(&mut schema, dialect);
    schema
}

/// The schema of a list.
pub(super) fn list(resource: &Resource, custom: &Custom, item: &str) -> Value {
    let (kind, list_kind, plural) = (&resource.gvk.kind, &resource.list_kind, &resource.gvr.resource);
    let about = format!(
        "List of {plural}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
    );
    let mut schema = json!({
        "description": format!("{list_kind} is a list of {kind}"),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": described(json!({"type": "string"}), ANY, "apiVersion"),
            "items": {"description": about, "type": "array", "items": reference(item)},
            "kind": described(json!({"type": "string"}), ANY, "kind"),
            "metadata": referring(&format!("{META}.ListMeta"), STATUS),
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

/// Metadata, with what those of a kind that has such are for: beside a reference readers of v3 look at nothing.
fn referring(name: &str, of: &str) -> Value {
    described(json!({"allOf": [reference(name)]}), of, "metadata")
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

fn each_below(map: &mut Map, mut visit: impl FnMut(&mut Value)) {
    if let Some(properties) = map.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(&mut visit);
    }
    for field in ["items", "additionalProperties"] {
        if let Some(inner) = map.get_mut(field) {
            visit(inner);
        }
    }
}

const ANYTHING: &str = "x-kubernetes-preserve-unknown-fields";
const NULLABLE: &str = "nullable";

fn says(schema: &Value, word: &str) -> bool {
    schema.get(word) == Some(&Value::Bool(true))
}

/// Leaves out what OpenAPI v2 has no word for, and fields below something that may be null or anything, and the type of lists
/// of unknown items, at which its readers break. Follows `apiextensions-apiserver/pkg/controller/openapi/v2`.
fn strip(schema: &mut Value) {
    let (nullable, anything) = (says(schema, NULLABLE), says(schema, ANYTHING));
    let Some(map) = schema.as_object_mut() else { return };
    let left_out: &[(&[&str], bool)] = &[
        (&["allOf", "oneOf", "anyOf", "not", NULLABLE], true),
        (&["type"], nullable),
        (&["items", "properties"], nullable || anything),
    ];
    for word in left_out.iter().filter(|(_, applies)| *applies).flat_map(|(words, _)| *words) {
        map.shift_remove(*word);
    }
    let untyped = match map.get("type").and_then(Value::as_str) {
        Some("array") => !map.contains_key("items"),
        Some("object") => anything,
        _ => false,
    };
    if untyped {
        map.shift_remove("type");
    }
    let values_nullable = map.get("additionalProperties").is_some_and(|values| says(values, NULLABLE));
    if let Some(Value::Array(names)) = map.remove("required").filter(|_| !values_nullable) {
        let nullable =
            |name: &Value| name.as_str().and_then(|name| map.get("properties")?.get(name)).is_some_and(|p| says(p, NULLABLE));
        let names: Vec<Value> = names.into_iter().filter(|name| !nullable(name)).collect();
        if !names.is_empty() {
            map.insert("required", names.into());
        }
    }
    each_below(map, strip);
}

/// What every object has.
fn add_metadata(schema: &mut Value) {
    for field in ["apiVersion", "kind"] {
        schema["properties"][field] = described(json!({"type": "string"}), ANY, field);
    }
    schema["properties"]["metadata"] = referring(&format!("{META}.ObjectMeta"), ANY);
    sort(&mut schema["properties"]);
}

/// An object within an object has the same, and must say what it is.
fn embed(schema: &mut Value, dialect: Dialect) {
    let is_embedded = says(schema, "x-kubernetes-embedded-resource") && (dialect == Dialect::V3 || !says(schema, ANYTHING));
    let Some(map) = schema.as_object_mut() else { return };
    each_below(map, |inner| embed(inner, dialect));
    if !is_embedded {
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
        let create = Operation::new(&subject, "post", "create", format!("create {}", with_article(kind)))
            .with(super::operation::WRITE.parameters());
        let clear = Operation::new(&subject, "deletecollection", "delete Collection", format!("delete collection of {kind}"));
        let operations = vec![
            ("get", listing(&subject, &list)),
            ("post", create.body_in(&item, true, &MEDIA).respond(&reference(&item), &[200, 201, 202], &MEDIA).done()),
            ("delete", clear.with(super::operation::LIST.parameters()).respond(&reference(STATUS), &[200], &MEDIA).done()),
        ];
        let names: &[&str] = if resource.namespaced { &["namespace"] } else { &[] };
        self.insert(collection.clone(), operations, names, true);
        let object = format!("{collection}/{{name}}");
        let mut operations = reads_and_writes(&subject, &item);
        let delete = Operation::new(&subject, "delete", "delete", format!("delete {}", with_article(kind)));
        let delete = delete.with(super::operation::DELETE.parameters()).body_in(DELETE_OPTIONS, false, &MEDIA);
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
    operation.with(super::operation::LIST.parameters()).respond(&reference(list), &[200], &MEDIA).done()
}

fn reads_and_writes(subject: &Subject, body: &str) -> Operations {
    let of = if subject.subresource.is_empty() { String::new() } else { format!("{} of ", subject.subresource) };
    let (kind, schema) = (&subject.kind, reference(body));
    let get = Operation::new(subject, "get", "read", format!("read {of}the specified {kind}")).with(GET.parameters());
    let put = Operation::new(subject, "put", "replace", format!("replace {of}the specified {kind}"));
    let patch = Operation::new(subject, "patch", "patch", format!("partially update {of}the specified {kind}"));
    vec![
        ("get", get.respond(&schema, &[200], &MEDIA).done()),
        (
            "put",
            put.with(super::operation::WRITE.parameters())
                .body_in(body, true, &MEDIA)
                .respond(&schema, &[200, 201], &MEDIA)
                .done(),
        ),
        (
            "patch",
            patch
                .with(super::operation::APPLY.parameters())
                .body_in(PATCH, true, &PATCHES)
                .respond(&schema, &[200], &MEDIA)
                .done(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_objects_say_what_they_are() {
        let mut schema = json!({"type": "object", "properties": {"template": {"type": "object", "x-kubernetes-embedded-resource": true}, "port": {"x-kubernetes-int-or-string": true}}});
        unfold(&mut schema);
        embed(&mut schema, Dialect::V3);
        let template = &schema["properties"]["template"];
        assert_eq!(template["required"], json!(["kind", "apiVersion"]));
        let metadata = &template["properties"]["metadata"];
        assert_eq!(metadata["allOf"], json!([reference("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")]));
        assert!(metadata["description"].as_str().is_some_and(|text| text.starts_with("Standard object's metadata.")));
        assert_eq!(schema["properties"]["port"]["anyOf"], json!([{"type": "integer"}, {"type": "string"}]));
    }

    #[test]
    fn what_readers_of_v2_break_at_is_left_out() {
        let published = json!({
            "type": "object",
            "required": ["a", "b"],
            "properties": {
                "a": {"type": "object", "nullable": true, "properties": {"x": {"type": "string"}}},
                "b": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"x": {"type": "string"}}},
                "c": {"x-kubernetes-int-or-string": true},
                "d": {"type": "array", "x-kubernetes-preserve-unknown-fields": true, "items": {"type": "string"}},
                "e": {"type": "string", "maxLength": 3, "allOf": [{"minLength": 1}], "not": {"enum": ["x"]}},
                "f": {"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true},
                "g": {"type": "object", "required": ["x"], "additionalProperties": {"type": "string", "nullable": true}},
            },
        });
        let mut got = native(published, Dialect::V2);
        for name in ["apiVersion", "kind", "metadata"] {
            assert!(got["properties"].as_object_mut().and_then(|all| all.remove(name)).is_some(), "{name}");
        }
        let want = json!({
            "type": "object",
            "required": ["b"],
            "properties": {
                "a": {},
                "b": {"x-kubernetes-preserve-unknown-fields": true},
                "c": {"x-kubernetes-int-or-string": true},
                "d": {"x-kubernetes-preserve-unknown-fields": true},
                "e": {"type": "string", "maxLength": 3},
                "f": {"x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true},
                "g": {"type": "object", "additionalProperties": {}},
            },
        });
        assert_eq!(got, want);
        let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "description": "d"});
        assert_eq!(native(anything, Dialect::V2), json!({"type": "object"}));
    }
}
