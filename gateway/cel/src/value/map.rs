//! Maps and objects: of JSON with a declaration, or made by an expression.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Text, Value, convert};
use crate::decl::{Decl, Kind};
use crate::escape::{escape, unescape};
use crate::program::Error;

/// A map.
#[derive(Clone, Debug)]
pub enum Map<'a> {
    /// JSON, with the declaration of the map or object.
    Json(&'a model::Map, &'a Decl),
    /// Made by an expression.
    Made(Arc<Made<'a>>),
}

/// Entries in the order they were made, found by key.
#[derive(Clone, Debug, Default)]
pub struct Made<'a> {
    entries: Vec<(Value<'a>, Value<'a>)>,
    places: HashMap<Key, usize>,
}

/// A key; numbers that are equal are one key whatever their type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Bool(bool),
    Number(i128),
    String(Box<str>),
}

impl Key {
    fn of(value: &Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Int(number) => Self::Number((*number).into()),
            Value::Uint(number) => Self::Number((*number).into()),
            Value::Double(number) if number.fract() == 0.0 && number.abs() < 2f64.powi(64) => Self::Number(*number as i128),
            Value::String(text) => Self::String((&**text).into()),
            _ => return None,
        })
    }
}

impl<'a> Made<'a> {
    /// Sets an entry; says whether the key was new. Keys of other types than bool, number and string are refused.
    pub(crate) fn set(&mut self, key: Value<'a>, value: Value<'a>) -> Result<bool, Error> {
        let Some(place) = Key::of(&key) else {
            return Err(Error::Failed(format!("unsupported key type: {}", key.type_name())));
        };
        match self.places.get(&place) {
            Some(&at) => {
                self.entries[at].1 = value;
                Ok(false)
            }
            None => {
                self.places.insert(place, self.entries.len());
                self.entries.push((key, value));
                Ok(true)
            }
        }
    }

    /// Whether there is such a key.
    pub(crate) fn has(&self, key: &Value<'_>) -> bool {
        Key::of(key).is_some_and(|place| self.places.contains_key(&place))
    }

    /// All entries, in the order they were made.
    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = (&Value<'a>, &Value<'a>)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    pub(crate) fn remove(&mut self, key: &Value<'a>) {
        if let Some(at) = Key::of(key).and_then(|place| self.places.remove(&place)) {
            self.entries.remove(at);
            for place in self.places.values_mut().filter(|place| **place > at) {
                *place -= 1;
            }
        }
    }

    /// Adds an entry that must not be there.
    pub(crate) fn insert(&mut self, key: Value<'a>, value: Value<'a>) -> Result<(), Error> {
        if Key::of(&key).is_some_and(|place| self.places.contains_key(&place)) {
            return Err(Error::Failed(format!("insert failed: key {key} already exists")));
        }
        self.set(key, value).map(|_| ())
    }
}

impl<'a> Map<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Json(map, _) => map.len(),
            Self::Made(made) => made.entries.len(),
        }
    }

    /// The value of a key, or nothing where there is none.
    pub(crate) fn find(&self, key: &Value<'a>) -> Result<Option<Value<'a>>, Error> {
        match self {
            Self::Json(..) => match key {
                Value::String(text) => self.find_text(text),
                _ => Err(Error::no_overload()),
            },
            Self::Made(made) => {
                let at = Key::of(key).and_then(|place| made.places.get(&place));
                Ok(at.map(|&at| made.entries[at].1.clone()))
            }
        }
    }

    /// The same for a key that is text, which needs no value.
    pub(crate) fn find_text(&self, name: &str) -> Result<Option<Value<'a>>, Error> {
        let (map, decl) = match self {
            Self::Json(map, decl) => (*map, *decl),
            Self::Made(made) => {
                let at = made.places.get(&Key::String(name.into()));
                return Ok(at.map(|&at| made.entries[at].1.clone()));
            }
        };
        match decl.kind() {
            Kind::Object(fields) => {
                let Some(property) = unescape(name) else { return Ok(None) };
                match (map.get(&*property), fields.get(&*property)) {
                    // A property that is null counts as absent.
                    (Some(json), Some(field)) if !json.is_null() => convert::declared(json, &field.decl).map(Some),
                    _ => Ok(None),
                }
            }
            _ => match map.get(name) {
                Some(json) => convert::declared(json, values_of(decl)).map(Some),
                None => Ok(None),
            },
        }
    }

    /// The value of a key, where it can be had.
    pub(crate) fn find_any(&self, key: &Value<'_>) -> Option<Value<'a>> {
        match (self, key) {
            (_, Value::String(name)) => self.find_text(name).ok().flatten(),
            (Self::Made(made), key) => made.places.get(&Key::of(key)?).map(|&at| made.entries[at].1.clone()),
            _ => None,
        }
    }

    /// The keys that expressions see.
    pub(crate) fn keys(&self) -> Vec<Value<'a>> {
        match self {
            Self::Json(map, decl) => match decl.kind() {
                Kind::Object(fields) => {
                    let known = map.keys().filter(|key| fields.contains_key(key.as_str()));
                    known.map(|key| Value::text(escape(key).unwrap_or(key.as_str().into()))).collect()
                }
                _ => map.keys().map(|key| Value::String(Text::Borrowed(key))).collect(),
            },
            Self::Made(made) => made.entries.iter().map(|(key, _)| key.clone()).collect(),
        }
    }
}

/// The declaration of a map's values; data without a declaration has none further down either.
pub(crate) fn values_of(decl: &Decl) -> &Decl {
    match decl.kind() {
        Kind::Map(values) => values,
        _ => decl,
    }
}
