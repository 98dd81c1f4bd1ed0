//! What lists and maps of a schema must be for their types: sets of what can be compared, maps by keys that are there.
//! Upstream: the list rules of `ValidateCustomResourceDefinitionOpenAPISchema` and `validateMapListKeysMapSet`.

use model::field::{Errors, Path};
use model::{Value, repeats};

use super::internal;
use super::old::Demands;
use crate::hooks::rules::get;

pub(super) const LIST_TYPE: &str = "x-kubernetes-list-type";
const MAP_TYPE: &str = "x-kubernetes-map-type";
const MAP_KEYS: &str = "x-kubernetes-list-map-keys";

pub(super) fn validate(schema: &Value, demands: &Demands, path: &Path<'_>, errors: &mut Errors) {
    map_type(schema, path, errors);
    list_type(schema, demands, path, errors);
    let keys = get::list(schema, MAP_KEYS);
    let list_type = get::string(schema, LIST_TYPE);
    if !keys.is_empty() {
        let (field, detail) = (path.child(LIST_TYPE), "must be map if x-kubernetes-list-map-keys is non-empty");
        match list_type {
            None => errors.required(&field, detail),
            Some("map") => {}
            Some(other) => errors.invalid(&field, other, detail),
        }
    }
    if list_type == Some("map") {
        keyed(schema, keys, path, errors);
    }
    if demands.map_keys {
        map_keys(schema, path, errors);
    }
}

fn wrong_type(schema: &Value, kind: &str, keyword: &str, path: &Path<'_>, errors: &mut Errors) -> bool {
    let (actual, field) = (get::text(schema, "type"), path.child("type"));
    let detail = format!("must be {kind} if {keyword} is specified");
    match actual {
        actual if actual == kind => return false,
        "" => errors.required(&field, detail),
        actual => errors.invalid(&field, actual, detail),
    }
    true
}

fn map_type(schema: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(map_type) = get::string(schema, MAP_TYPE) else { return };
    wrong_type(schema, "object", MAP_TYPE, path, errors);
    if !matches!(map_type, "atomic" | "granular") {
        errors.not_supported_plain(&path.child(MAP_TYPE), map_type, &["atomic", "granular"]);
    }
}

fn list_type(schema: &Value, demands: &Demands, path: &Path<'_>, errors: &mut Errors) {
    let Some(list_type) = get::string(schema, LIST_TYPE) else { return };
    if !wrong_type(schema, "array", LIST_TYPE, path, errors) && demands.atomic_sets && is_set_of_granular(schema) {
        let item = get::at(schema, "items");
        let keyword = if get::text(item, "type") == "array" { LIST_TYPE } else { MAP_TYPE };
        // Upstream shows the list type in both cases.
        let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
        errors.invalid_named(&path.child("items").child(keyword), get::raw(item, LIST_TYPE), detail);
    }
    if !matches!(list_type, "atomic" | "set" | "map") {
        errors.not_supported_plain(&path.child(LIST_TYPE), list_type, &["atomic", "set", "map"]);
    }
}

/// A set whose items merge field by field, so that they cannot be told apart.
pub(super) fn is_set_of_granular(schema: &Value) -> bool {
    let item = get::at(schema, "items");
    get::text(schema, LIST_TYPE) == "set"
        && match get::text(item, "type") {
            // Lists are atomic unless they say otherwise, maps are not.
            "array" => get::string(item, LIST_TYPE).is_some_and(|list| list != "atomic"),
            "object" => get::text(item, MAP_TYPE) != "atomic",
            _ => false,
        }
}

fn keyed(schema: &Value, keys: &[Value], path: &Path<'_>, errors: &mut Errors) {
    let field = path.child(MAP_KEYS);
    if keys.is_empty() {
        errors.required(&field, "must not be empty if x-kubernetes-list-type is map");
    }
    let items = path.child("items");
    let item = match schema.get("items") {
        None | Some(Value::Null) => return errors.required(&items, "must have a schema if x-kubernetes-list-type is map"),
        Some(item @ Value::Object(_)) => item,
        Some(other) => {
            let detail = "must only have a single schema if x-kubernetes-list-type is map";
            return errors.invalid(&items, internal::schema_or_array(other), detail);
        }
    };
    let kind = get::text(item, "type");
    if kind != "object" {
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        return errors.invalid(&items.child("type"), kind, detail);
    }
    for (key, is_repeated) in keys.iter().zip(repeats(keys)) {
        let name = key.as_str().unwrap_or("");
        match get::at(item, "properties").get(name) {
            None => errors.invalid(&field, keys.to_vec(), "entries must all be names of item properties"),
            Some(property) if matches!(get::text(property, "type"), "array" | "object") => {
                let below = items.child("properties");
                // Upstream shows the type of the items, not of the property.
                let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                errors.invalid(&below.key(name).child("type"), kind, detail);
            }
            Some(_) => {}
        }
        if is_repeated {
            errors.invalid(&field, keys.to_vec(), "must not contain duplicate entries");
        }
    }
}

/// Keys must be there in every item, and no item may be null.
fn map_keys(schema: &Value, path: &Path<'_>, errors: &mut Errors) {
    let list_type = get::text(schema, LIST_TYPE);
    let Some(item) = get::object(schema, "items").filter(|_| matches!(list_type, "set" | "map")) else { return };
    let items = path.child("items");
    if get::is(item, "nullable") {
        errors.forbidden(&items.child("nullable"), format!("cannot be nullable when x-kubernetes-list-type is {list_type}"));
    }
    if list_type != "map" {
        return;
    }
    let below = items.child("properties");
    for key in get::strings(schema, MAP_KEYS) {
        let Some(property) = get::at(item, "properties").get(key) else { continue };
        let here = below.key(key);
        if !get::strings(item, "required").any(|required| required == key) && property.get("default").is_none() {
            let detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            errors.required(&here.child("default"), detail);
        }
        if get::is(property, "nullable") {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errors.forbidden(&here.child("nullable"), detail);
        }
    }
}

/// Whether a schema breaks what [`map_keys`] asks.
pub(super) fn breaks_map_keys(schema: &Value) -> bool {
    let mut found = Errors::new();
    map_keys(schema, &Path::default(), &mut found);
    !found.is_empty()
}
