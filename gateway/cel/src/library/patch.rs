//! What mutating admission policies make: `Object{spec: Object.spec{replicas: 3}}` and `JSONPatch{op: 'add', …}`.
//! Follows `k8s.io/apiserver/pkg/cel/mutation` and `library/jsonpatch.go`. Applies no patch (`admission`).

use std::sync::Arc;

use base64::Engine;
use model::json::{Map as JsonMap, Value as Json};

use super::{Code, some, time};
use crate::program::Error;
use crate::types::{Fields, Object, Type};
use crate::value::{Outcome, Value, equal};

/// The type of an object of which only what is to change is given; a field's object is of type `Object.<field>`.
const OBJECT: &str = "Object";
/// The type of one step of a JSON patch.
pub(crate) const JSON_PATCH: &str = "JSONPatch";

/// An object or a step of a patch, as an expression made it.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    pub(crate) name: Arc<str>,
    fields: Vec<(Box<str>, Value<'a>)>,
}

/// Whether a function is there only where patches are made.
pub(crate) fn is_only_for_patches(function: &str) -> bool {
    function == "jsonpatch.escapeKey"
}

/// The type of that name, where it is one of those that patches are made of.
pub(crate) fn object(name: &str) -> Option<Object> {
    let fields = match name {
        JSON_PATCH => {
            let text = ["op", "path", "from"].map(|field| (field, Type::String));
            return match Type::record(JSON_PATCH, text.into_iter().chain([("value", Type::Dyn)])) {
                Type::Object(object) => Some(object),
                _ => None,
            };
        }
        OBJECT => Fields::Free,
        name if name.strip_prefix(OBJECT).is_some_and(|rest| rest.starts_with('.')) => Fields::Free,
        _ => return None,
    };
    Some(Object { name: name.into(), fields })
}

/// The type of an expression's value that changes an object.
pub(crate) fn object_type() -> Type {
    Type::object(OBJECT)
}

/// The type of an expression's value that is a JSON patch.
pub(crate) fn json_patch_type() -> Type {
    Type::list(Type::object(JSON_PATCH))
}

/// Makes a message. Those of declared types cannot be made, upstream neither.
pub(crate) fn message<'a>(name: &Arc<str>, fields: Vec<(&'a str, Value<'a>)>) -> Outcome<'a> {
    if object(name).is_none() {
        return Err(Error::Failed(format!("unknown type '{name}'")));
    }
    if &**name == JSON_PATCH {
        for (field, value) in fields.iter().filter(|(field, _)| *field != "value") {
            if value.as_str().is_none() {
                let of = value.type_name();
                return Err(Error::Failed(format!("unexpected type {of} for JSONPatchType '{field}' field")));
            }
        }
    }
    let fields = fields.into_iter().map(|(field, value)| (field.into(), value)).collect();
    Ok(Value::Message(Arc::new(Message { name: name.clone(), fields })))
}

impl<'a> Message<'a> {
    /// A field, where it was given.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.fields.iter().find(|(field, _)| **field == *name).map(|(_, value)| value.clone())
    }

    /// A field; texts of a patch that were not given are empty.
    pub(crate) fn field(&self, name: &str) -> Option<Value<'a>> {
        let given = self.get(name);
        let text = &*self.name == JSON_PATCH && matches!(name, "op" | "path" | "from");
        given.or_else(|| text.then(|| Value::text("")))
    }

    /// The values of all fields.
    pub(crate) fn values(&self) -> impl ExactSizeIterator<Item = &Value<'a>> {
        self.fields.iter().map(|(_, value)| value)
    }

    pub(crate) fn equal(&self, other: &Message<'a>) -> Result<bool, Error> {
        if self.name != other.name || self.fields.len() != other.fields.len() {
            return Ok(false);
        }
        for (field, value) in &self.fields {
            let Some((_, theirs)) = other.fields.iter().find(|(name, _)| name == field) else { return Ok(false) };
            if !equal::equal(value, theirs)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The objects inside whose type is not that of their place: `Object{spec: Object.other{}}`.
    pub fn misnamed(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let value = Value::Message(Arc::new(self.clone()));
        misnamed(&value, &self.name, &mut wrong);
        wrong
    }
}

fn misnamed(value: &Value<'_>, path: &str, wrong: &mut Vec<String>) {
    match value {
        Value::Message(message) => {
            if *message.name != *path {
                let (name, path) = (super::quote(&message.name), super::quote(path));
                wrong.push(format!(
                    "unexpected type name {name}, expected {path}, which matches field name path from root Object type"
                ));
            }
            for (field, value) in &message.fields {
                misnamed(value, &format!("{path}.{field}"), wrong);
            }
        }
        Value::List(list) => list.iter().flatten().for_each(|item| misnamed(&item, path, wrong)),
        Value::Map(map) => {
            map.keys().iter().filter_map(|key| map.find_any(key)).for_each(|value| misnamed(&value, path, wrong));
        }
        _ => {}
    }
}

impl Value<'_> {
    /// The value as JSON. Fails with what has no such form.
    pub fn to_json(&self) -> Result<Json, String> {
        Ok(match self {
            Value::Null => Json::Null,
            Value::Bool(truth) => Json::Bool(*truth),
            Value::Int(number) => (*number).into(),
            Value::Uint(number) => (*number).into(),
            Value::Double(number) => model::json::Number::from_f64(*number).map_or(Json::Null, Json::Number),
            Value::String(text) => Json::String((**text).to_owned()),
            Value::Bytes(bytes) => Json::String(base64::engine::general_purpose::STANDARD.encode(bytes)),
            Value::Timestamp(moment) => Json::String(time::format_timestamp(*moment)),
            Value::Duration(nanos) => Json::String(time::format_seconds(*nanos)),
            Value::Preserved(json) => (*json).clone(),
            Value::List(list) => {
                let items = list.iter().map(|item| item.map_err(|error| error.to_string())?.to_json());
                Json::Array(items.collect::<Result<_, String>>()?)
            }
            Value::Map(map) => {
                let mut object = JsonMap::new();
                for key in map.keys() {
                    let name = key.as_str().ok_or_else(|| format!("map key {key} is of type {}, not string", key.type_name()))?;
                    let value = map.find_any(&key).unwrap_or(Value::Null);
                    object.insert(name.to_owned(), value.to_json()?);
                }
                Json::Object(object)
            }
            Value::Message(message) => {
                let fields = message.fields.iter().map(|(field, value)| {
                    let value = value.to_json().map_err(|why| format!("fail to convert field {}: {why}", super::quote(field)))?;
                    Ok((field.to_string(), value))
                });
                Json::Object(fields.collect::<Result<_, String>>()?)
            }
            other => return Err(format!("{} cannot be converted to JSON", other.type_name())),
        })
    }

    /// The items, where the value is a list whose items can be had.
    pub fn items(&self) -> Option<Vec<Value<'_>>> {
        match self {
            Value::List(list) => list.items().ok(),
            _ => None,
        }
    }

    /// The object or step of a patch, where the value is one.
    pub fn as_message(&self) -> Option<&Message<'_>> {
        match self {
            Value::Message(message) => Some(message),
            _ => None,
        }
    }
}

pub(super) fn code(function: &str) -> Option<Code> {
    Some(match function {
        "jsonpatch.escapeKey" => |args| match args {
            [Value::String(key)] => some(Value::text(key.replace('~', "~0").replace('/', "~1"))),
            _ => None,
        },
        _ => return None,
    })
}
