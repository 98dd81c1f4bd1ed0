//! Strategic merge patch: maps merge, lists merge by the types' keys, directives replace, delete and order.
//! Follows `k8s.io/apimachinery/pkg/util/strategicpatch`; lists are in `list.rs`.

use model::Status;
use model::field::quote;
use model::json::{Key, Map, Value};

use super::{go_print, go_print_map, object, rejected};
use crate::types::{Kind, Omit, PatchStrategy, TypeId, Types};

mod list;
#[cfg(test)]
mod tests;

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList";
const ORDER: &str = "$setElementOrder";

/// A strategic merge patch, read.
#[derive(Clone, Debug, PartialEq)]
pub struct StrategicPatch {
    patch: Map,
    /// Duplicate fields of the patch itself, for strict decoding.
    pub duplicates: Vec<String>,
}

impl StrategicPatch {
    /// Reads a body. Fails with 400 when it is no JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, Status> {
        // Nothing at all changes nothing.
        let body = if body.trim_ascii() == b"null" { b"{}" } else { body };
        let (patch, duplicates) = object(body, "")?;
        Ok(Self { patch, duplicates })
    }

    /// Changes an object of a struct type, which is in normal form. Fails with 400, 422 or 500 as upstream does.
    pub fn apply(&self, types: &Types, ty: TypeId, target: &mut Value) -> Result<(), Status> {
        let original = match target.take() {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        *target = Value::Object(map(types, Shape::Struct(ty), original, self.patch.clone()).map_err(Fault::into_status)?);
        Ok(())
    }

    /// The patch as upstream prints it into the message of a result that cannot be decoded.
    pub fn describe(&self) -> String {
        go_print_map(&self.patch)
    }
}

/// Why a patch cannot be merged.
#[derive(Debug, PartialEq)]
enum Fault {
    /// The patch is malformed: 400.
    Malformed(&'static str),
    /// The patch does not fit: 422.
    Unfit(&'static str),
    /// What upstream answers with 500.
    Other(String),
}

impl Fault {
    fn into_status(self) -> Status {
        match self {
            Self::Malformed(why) => Status::bad_request(why),
            Self::Unfit(_) => rejected(),
            // Upstream gives these errors no reason and 500; clients see the text.
            Self::Other(why) => Status::new(500, "", why),
        }
    }
}

const BAD_LIST: Fault = Fault::Malformed("invalid patch format of primitive list");
const BAD_RETAIN_KEYS: Fault = Fault::Malformed("invalid patch format of retainKeys");
const BAD_ORDER: Fault = Fault::Malformed("invalid patch format of setElementOrder list");
const LISTS_OF_LISTS: Fault = Fault::Unfit("lists of lists are not supported");

fn no_merge_key(map: &Map, key: &str) -> Fault {
    Fault::Other(format!("map: {} does not contain declared merge key: {key}", go_print_map(map)))
}

fn wrong_type(expected: &str, actual: &Value) -> Fault {
    let actual = match actual {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    Fault::Other(format!("expected a {expected}, but received a {actual}"))
}

fn unknown_directive(directive: &Value, map: &Map) -> Fault {
    // Go prints as a string what may be none.
    let shown = match directive {
        Value::Null => "%!s(<nil>)".to_owned(),
        Value::Bool(is) => format!("%!s(bool={is})"),
        Value::Number(number) if number.is_f64() => format!("%!s(float64={})", go_print(directive)),
        Value::Number(number) => format!("%!s(int64={number})"),
        other => go_print(other),
    };
    Fault::Other(format!("unknown patch type: {shown} in map: {}", go_print_map(map)))
}

/// What is known of the place that a patch changes.
#[derive(Clone, Copy)]
enum Shape {
    /// A struct, whose fields say how they merge.
    Struct(TypeId),
    /// A struct with an encoding of its own, by its name: it has no fields by which to look.
    Opaque(&'static str),
    /// Something else, by Go's word for it; nothing below it can be looked up.
    Other(&'static str),
}

impl Shape {
    fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Struct(id) => Self::Struct(*id),
            Kind::Map(_) => Self::Other("map"),
            Kind::List(_) => Self::Other("slice"),
            Kind::Int32 => Self::Other("int32"),
            Kind::Int64 => Self::Other("int64"),
            Kind::Bool => Self::Other("bool"),
            Kind::String => Self::Other("string"),
            Kind::Float64 => Self::Other("float64"),
            Kind::Bytes => Self::Other("slice"),
            Kind::Quantity => Self::Opaque("Quantity"),
            Kind::Time => Self::Opaque("Time"),
            Kind::MicroTime => Self::Opaque("MicroTime"),
            Kind::Duration => Self::Opaque("Duration"),
            Kind::IntOrString => Self::Opaque("IntOrString"),
            Kind::RawExtension => Self::Opaque("RawExtension"),
            Kind::FieldsV1 => Self::Opaque("FieldsV1"),
            Kind::Json => Self::Opaque("JSON"),
        }
    }

    /// The shape of a field, or of its elements when it is a list, and how it merges.
    fn field(self, types: &Types, key: &str) -> Result<(Shape, Option<PatchStrategy>), Fault> {
        let id = match self {
            Self::Struct(id) => id,
            Self::Opaque(name) => {
                return Err(Fault::Other(format!("unable to find api field in struct {name} for the json field {}", quote(key))));
            }
            Self::Other(word) => {
                return Err(Fault::Other(format!("merging an object in json but data type is not struct, instead is: {word}")));
            }
        };
        let of = &types[id];
        let Some(field) = of.field(key) else {
            let name = of.short_name();
            return Err(Fault::Other(format!("unable to find api field in struct {name} for the json field {}", quote(key))));
        };
        let shape = match &field.kind {
            Kind::List(inner) => Self::of(inner),
            kind => Self::of(kind),
        };
        Ok((shape, field.patch))
    }

    /// Whether Go always holds a struct here, so that an absent field merges as an empty one.
    fn is_always_set(self, types: &Types, key: &str) -> bool {
        let Self::Struct(id) = self else { return false };
        types[id].field(key).is_some_and(|f| matches!(f.kind, Kind::Struct(_)) && !f.pointer && f.omit != Omit::Zero)
    }
}

/// Merges a patch into a map.
fn map(types: &Types, shape: Shape, mut original: Map, mut patch: Map) -> Result<Map, Fault> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => {
                patch.shift_remove(DIRECTIVE);
                Ok(patch)
            }
            Some("delete") => Ok(Map::new()),
            _ => Err(unknown_directive(directive, &patch)),
        };
    }
    retain_keys(&mut original, &mut patch)?;
    list::order_all(types, shape, &mut original, &mut patch)?;
    for (key, value) in patch {
        let deleted_from = match key.strip_prefix(DELETE_FROM_LIST) {
            Some(rest) => Some(rest.strip_prefix('/').ok_or(BAD_LIST)?),
            None => None,
        };
        match deleted_from {
            Some(list) => delete_from(types, shape, &mut original, list, value)?,
            None => member(types, shape, &mut original, key.into(), value)?,
        }
    }
    Ok(original)
}

/// Merges one field.
fn member(types: &Types, shape: Shape, original: &mut Map, key: String, patch: Value) -> Result<(), Fault> {
    if patch.is_null() {
        original.shift_remove(&key);
        return Ok(());
    }
    if !original.contains_key(&key) && patch.is_object() && shape.is_always_set(types, &key) {
        original.insert(key.clone(), Value::Object(Map::new()));
    }
    let merged = match (original.get_mut(&key).map(Value::take), patch) {
        (Some(Value::Object(from)), Value::Object(patch)) => {
            let (inner, strategy) = shape.field(types, &key)?;
            Some(Value::Object(if replaces(strategy) { patch } else { map(types, inner, from, patch)? }))
        }
        (Some(Value::Array(from)), Value::Array(patch)) => {
            let (inner, strategy) = shape.field(types, &key)?;
            Some(Value::Array(list::field(types, inner, strategy, from, patch)?))
        }
        (_, mut patch) => {
            discard_nulls(&mut patch);
            without_directives(patch)
        }
    };
    match merged {
        Some(value) => original.insert(key, value),
        None => original.shift_remove(&key),
    };
    Ok(())
}

/// Whether a map's field says that it is replaced; only `patchStrategy:"replace"` does, which none of the types carries
/// without another strategy beside it, so a strategy that neither merges nor retains keys is one.
fn replaces(strategy: Option<PatchStrategy>) -> bool {
    strategy.is_some_and(|s| !s.merge && !s.retain_keys)
}

/// `$deleteFromPrimitiveList/<key>`: takes scalars out of a list.
fn delete_from(types: &Types, shape: Shape, original: &mut Map, key: &str, patch: Value) -> Result<(), Fault> {
    if patch.is_null() {
        original.shift_remove(key);
        return Ok(());
    }
    let (Some(Value::Array(items)), Value::Array(gone)) = (original.get_mut(key), patch) else { return Ok(()) };
    let (inner, strategy) = shape.field(types, key)?;
    *items = list::without(types, inner, strategy, std::mem::take(items), gone)?;
    Ok(())
}

/// `$retainKeys`: of the original only the listed keys stay; the patch may name no others.
fn retain_keys(original: &mut Map, patch: &mut Map) -> Result<(), Fault> {
    let Some(listed) = patch.shift_remove(RETAIN_KEYS) else { return Ok(()) };
    let Value::Array(listed) = listed else { return Err(BAD_RETAIN_KEYS) };
    let is_listed = |key: &str| listed.iter().any(|k| k.as_str() == Some(key));
    let fits = |(key, value): (&Key, &Value)| {
        value.is_null() || key.starts_with(DELETE_FROM_LIST) || key.starts_with(ORDER) || is_listed(key)
    };
    if !patch.iter().all(fits) {
        return Err(BAD_RETAIN_KEYS);
    }
    original.retain(|key, _| is_listed(key));
    Ok(())
}

/// Nulls of a patch say "remove"; where there is nothing to remove they vanish.
fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(discard_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// What is left of a patch that meets nothing to merge with: maps with a directive vanish.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => None,
        Value::Object(map) => {
            Some(Value::Object(map.into_iter().filter_map(|(key, value)| Some((key, without_directives(value)?))).collect()))
        }
        Value::Array(items) => Some(Value::Array(items.into_iter().filter_map(without_directives).collect())),
        other => Some(other),
    }
}
