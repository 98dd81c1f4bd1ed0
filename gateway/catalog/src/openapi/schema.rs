//! Schemas of struct types in OpenAPI v3, as upstream publishes them. Knows no paths.

use std::collections::{BTreeSet, HashMap};

use model::json::{Map, Value, json};
use schema::{Field, Kind, Struct, TypeId, Types, types::ListType};

use super::custom::{self, Dialect};
use super::{describe, plain};
use crate::{Catalog, Version};

pub(super) const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
/// The schema of a failure, or of what is done.
pub(super) const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
/// The schema of a delete's options.
pub(super) const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
const EXTENSIONS: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1";

/// The schema of an event of a watch.
pub(super) const WATCH_EVENT: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent";
/// The schema of what a patch holds.
pub(super) const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";

/// A reference to a schema by name.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The named schemas and all that they refer to, by name. `version` is the one that they describe, if they describe one, and
/// how its custom resources are.
pub(super) fn components(catalog: &Catalog, version: Option<(&Version, Dialect)>, wanted: BTreeSet<String>) -> Map {
    let customs = version.map(|(version, dialect)| custom_schemas(catalog, version, dialect)).unwrap_or_default();
    let mut todo: Vec<String> = wanted.into_iter().collect();
    let mut found = std::collections::BTreeMap::new();
    while let Some(name) = todo.pop() {
        if found.contains_key(&name) {
            continue;
        }
        let schema = match (customs.get(&name), catalog.types.by_name(&name)) {
            (Some(schema), _) => schema.clone(),
            (None, Some(ty)) => of_struct(catalog, ty),
            (None, None) => plain::version_schema(&name).unwrap_or_else(|| leaf(&name)),
        };
        references(&schema, &mut todo);
        found.insert(name, schema);
    }
    found.into_iter().collect()
}

/// Those of a version's custom resources and of lists of them, by name.
fn custom_schemas(catalog: &Catalog, version: &Version, dialect: Dialect) -> HashMap<String, Value> {
    let mut all = HashMap::new();
    for resource in &version.resources {
        let Some(custom) = &resource.custom else { continue };
        let name = resource.schema_name(&catalog.types);
        all.insert(resource.list_schema_name(&catalog.types), custom::list(resource, custom, &name));
        all.insert(name, custom::schema(resource, custom, dialect));
    }
    all
}

/// What every group has: which kinds they are is said for the group described and the core, or lists would be long.
pub(super) fn narrow(schemas: &mut Map, group: &str, version: &str) {
    for name in [DELETE_OPTIONS, WATCH_EVENT] {
        let kinds = schemas.get_mut(name).and_then(|schema| schema.get_mut("x-kubernetes-group-version-kind"));
        let Some(kinds) = kinds.and_then(Value::as_array_mut) else { continue };
        kinds.retain(|kind| {
            let is = |group: &str, version: &str| kind["group"] == group && kind["version"] == version;
            is(group, version) || is("", "v1")
        });
    }
}

fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str().filter(|_| key == "$ref").and_then(|text| text.strip_prefix("#/components/schemas/")) {
                    Some(name) => found.push(name.to_owned()),
                    None => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn of_struct(catalog: &Catalog, ty: TypeId) -> Value {
    let of = &catalog.types[ty];
    let mut schema = Map::new();
    describe(&mut schema, of.name, "");
    schema.insert("type", "object".into());
    let required: Vec<&str> = of.fields.iter().filter(|f| f.required).map(|f| f.json).collect();
    if !required.is_empty() {
        schema.insert("required", required.into());
    }
    let mut fields: Vec<&Field> = of.fields.iter().collect();
    fields.sort_by_key(|field| field.json);
    let mut properties: Map =
        fields.into_iter().map(|field| (field.json.to_owned(), property(&catalog.types, of, field))).collect();
    if let Some(plural) = listed(catalog, of.name) {
        describe_list(&mut properties, plural);
    }
    if !properties.is_empty() {
        schema.insert("properties", properties.into());
    }
    let kinds = kinds_of(&catalog.types, ty);
    if !kinds.is_empty() {
        schema.insert("x-kubernetes-group-version-kind", kinds.into());
    }
    if of.map_atomic {
        schema.insert("x-kubernetes-map-type", "atomic".into());
    }
    if let Some(unions) = &of.unions {
        schema.insert("x-kubernetes-unions", unions.clone());
    }
    schema.into()
}

fn describe(schema: &mut Map, name: &str, field: &str) {
    if let Some(text) = describe::of(name, field) {
        schema.insert("description", text.into());
    }
}

/// What the objects of a list are called, if it is one.
fn listed<'a>(catalog: &'a Catalog, name: &str) -> Option<&'a str> {
    let versions = catalog.builtins().groups.iter().filter(|_| name.ends_with("List")).flat_map(|group| &group.versions);
    let mut resources = versions.flat_map(|version| &version.resources);
    Some(&resources.find(|resource| resource.list_schema_name(&catalog.types) == name)?.gvr.resource)
}

/// The crate from which descriptions come has none of lists; what they share with objects is said of those.
fn describe_list(properties: &mut Map, plural: &str) {
    let items = format!("List of {plural}");
    for (field, about) in [
        ("apiVersion", describe::of(custom::ANY, "apiVersion")),
        ("kind", describe::of(custom::ANY, "kind")),
        ("items", Some(&*items)),
    ] {
        if let (Some(Value::Object(property)), Some(about)) = (properties.get_mut(field), about) {
            let described = std::iter::once(("description".into(), about.into()));
            *property = described.chain(std::mem::take(property)).collect();
        }
    }
}

fn kinds_of(types: &Types, ty: TypeId) -> Vec<Value> {
    let mut kinds: Vec<(&str, &str, &str)> = types
        .kinds()
        .filter(|(api_version, _, id)| *id == ty && !api_version.starts_with("meta.k8s.io/"))
        .map(|(api_version, kind, _)| {
            let (group, version) = model::gvk::split_api_version(api_version);
            (group, version, kind)
        })
        .collect();
    kinds.sort_unstable();
    kinds.into_iter().map(|(group, version, kind)| json!({"group": group, "kind": kind, "version": version})).collect()
}

fn property(types: &Types, of: &Struct, field: &Field) -> Value {
    let mut schema = Map::new();
    describe(&mut schema, of.name, field.json);
    let default = field.published_default();
    match (of_kind(types, field, &field.kind), schema.is_empty() && default.is_none()) {
        (Value::Object(shape), true) => schema = shape,
        (Value::Object(shape), false) if shape.contains_key("$ref") => {
            schema.insert("allOf", json!([shape]));
        }
        (Value::Object(shape), false) => schema.extend(shape),
        _ => {}
    }
    if let Some(format) = field.format {
        match format {
            "" => drop(schema.shift_remove("format")),
            format => drop(schema.insert("format", format.into())),
        }
    }
    if let Some(default) = default {
        schema.insert("default", default);
    }
    annotate(&mut schema, field);
    schema.into()
}

fn annotate(schema: &mut Map, field: &Field) {
    let kind = match &field.list {
        Some(ListType::Atomic) => Some("atomic"),
        Some(ListType::Set) => Some("set"),
        Some(ListType::Map(keys)) => {
            schema.insert("x-kubernetes-list-map-keys", keys.clone().into());
            Some("map")
        }
        None => None,
    };
    if let Some(kind) = kind {
        schema.insert("x-kubernetes-list-type", kind.into());
    }
    if let Some(kind) = field.map_type {
        schema.insert("x-kubernetes-map-type", kind.into());
    }
    if let Some(patch) = field.patch {
        if let Some(key) = patch.key {
            schema.insert("x-kubernetes-patch-merge-key", key.into());
        }
        let strategy = match (patch.merge, patch.retain_keys) {
            (true, true) => "merge,retainKeys",
            (true, false) => "merge",
            (false, true) => "retainKeys",
            (false, false) => "replace",
        };
        schema.insert("x-kubernetes-patch-strategy", strategy.into());
    }
}

fn of_kind(types: &Types, field: &Field, kind: &Kind) -> Value {
    match kind {
        Kind::String => json!({"type": "string"}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Int32 => json!({"type": "integer", "format": "int32"}),
        Kind::Int64 => json!({"type": "integer", "format": "int64"}),
        Kind::Float64 => json!({"type": "number", "format": "double"}),
        Kind::Bytes => json!({"type": "string", "format": "byte"}),
        Kind::Struct(ty) => reference(types[*ty].name),
        Kind::List(inner) => json!({"type": "array", "items": of_kind(types, field, inner)}),
        Kind::Map(inner) => json!({"type": "object", "additionalProperties": of_kind(types, field, inner)}),
        Kind::Quantity => reference("io.k8s.apimachinery.pkg.api.resource.Quantity"),
        Kind::Time => reference(&format!("{META}.Time")),
        Kind::MicroTime => reference(&format!("{META}.MicroTime")),
        Kind::Duration => reference(&format!("{META}.Duration")),
        Kind::FieldsV1 => reference(&format!("{META}.FieldsV1")),
        Kind::IntOrString => reference("io.k8s.apimachinery.pkg.util.intstr.IntOrString"),
        Kind::RawExtension => reference("io.k8s.apimachinery.pkg.runtime.RawExtension"),
        Kind::Json => reference(&format!("{EXTENSIONS}.{}", json_name(&types.go_type(field)))),
    }
}

/// Which of apiextensions' free-form types a field is, from its Go type: `[]v1.JSON` is JSON.
fn json_name(go_type: &str) -> &str {
    match go_type {
        "v1.JSONSchemaDependencies" => "JSONSchemaPropsOrStringArray",
        _ => go_type.rsplit_once('.').map_or("JSON", |(_, name)| name),
    }
}

fn leaf(name: &str) -> Value {
    let mut schema = Map::new();
    describe(&mut schema, name, "");
    let shape = match name.rsplit_once('.').map_or(name, |(_, last)| last) {
        "Quantity" => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
        "Time" | "MicroTime" => json!({"type": "string", "format": "date-time"}),
        "Duration" => json!({"type": "string"}),
        "IntOrString" => json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}),
        "RawExtension" | "FieldsV1" | "Patch" => json!({"type": "object"}),
        // apiextensions' free-form types have no shape.
        _ => json!({}),
    };
    if let Value::Object(shape) = shape {
        schema.extend(shape);
    }
    schema.into()
}
