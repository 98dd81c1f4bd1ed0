//! Which values are equal. Lists that are sets or maps compare without order; numbers compare across types.

use std::cmp::Ordering;
use std::collections::HashMap;

use model::json::Value as Json;

use super::{List, Map, Members, Value};
use crate::decl::{Kind, ListKind};
use crate::library::number;
use crate::program::Error;

/// `a == b`
pub(crate) fn equal<'a>(a: &Value<'a>, b: &Value<'a>) -> Result<bool, Error> {
    Ok(match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(_) | Value::Uint(_) | Value::Double(_), Value::Int(_) | Value::Uint(_) | Value::Double(_)) => {
            number::compare(a, b) == Some(Ordering::Equal)
        }
        (Value::String(a), Value::String(b)) => **a == **b,
        (Value::Type(a), Value::Type(b)) => **a == **b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::Timestamp(a), Value::Timestamp(b)) => a == b,
        (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::List(a), Value::List(b)) => return lists(a, b),
        (Value::Map(a), Value::Map(b)) => return maps(a, b),
        (Value::Optional(a), Value::Optional(b)) => match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => return equal(a, b),
            _ => false,
        },
        (Value::Opaque(a), Value::Opaque(b)) => return a.equal(b),
        (Value::Preserved(a), Value::Preserved(b)) => a == b,
        (Value::Message(a), Value::Message(b)) => return a.equal(b),
        // Declared data and library values refuse to be compared with what they are not.
        (Value::List(List::Json(..)) | Value::Map(Map::Json(..)) | Value::Opaque(_), _) => return Err(Error::no_overload()),
        _ => false,
    })
}

fn lists<'a>(a: &List<'a>, b: &List<'a>) -> Result<bool, Error> {
    if a.len() != b.len() {
        return Ok(false);
    }
    match a.kind() {
        ListKind::Atomic => {
            for (a, b) in a.iter().zip(b.iter()) {
                if !equal(&a?, &b?)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        ListKind::Set => {
            let (ours, theirs) = (a.items()?, b.items()?);
            Ok(covers(&ours, &theirs)? && covers(&theirs, &ours)?)
        }
        ListKind::Map(keys) => {
            let (ours, theirs) = (a.items()?, b.items()?);
            let own_places = Places::of(&ours, keys);
            for item in &theirs {
                match own_places.find(&ours, item).map(|at| &ours[at]) {
                    Some(own) if equal(own, item)? => {}
                    _ => return Ok(false),
                }
            }
            let their_places = Places::of(&theirs, keys);
            Ok(ours.iter().all(|own| their_places.find(&theirs, own).is_some()))
        }
    }
}

/// Where items of a list of type map are, by their keys; those without a key that can be told are compared one by one.
pub(crate) struct Places<'k> {
    keys: &'k [Box<str>],
    /// Nothing where an item is not of JSON.
    places: Option<HashMap<String, usize>>,
}

impl<'k> Places<'k> {
    pub(crate) fn of(items: &[Value<'_>], keys: &'k [Box<str>]) -> Self {
        let mut places = Self { keys, places: Some(HashMap::new()) };
        for (at, item) in items.iter().enumerate() {
            places.add(item, at);
        }
        places
    }

    /// Of several with the same keys, the first counts.
    pub(crate) fn add(&mut self, item: &Value<'_>, at: usize) {
        let Some(places) = &mut self.places else { return };
        match key_text(item, self.keys) {
            Some(key) => drop(places.entry(key).or_insert(at)),
            None => self.places = None,
        }
    }

    /// The first of the items, whose places these are, that has the keys of another.
    pub(crate) fn find(&self, items: &[Value<'_>], item: &Value<'_>) -> Option<usize> {
        match (&self.places, key_text(item, self.keys)) {
            (Some(places), Some(key)) => places.get(&key).copied(),
            _ => items.iter().position(|own| same_keys(own, item, self.keys)),
        }
    }
}

/// The keys of an object of JSON as one text.
fn key_text(item: &Value<'_>, keys: &[Box<str>]) -> Option<String> {
    let Value::Map(Map::Json(map, _)) = item else { return None };
    let mut text = String::new();
    for key in keys {
        match map.get(&*crate::escape::escape(key).unwrap_or((&**key).into())) {
            // Objects may be equal and written otherwise.
            Some(Json::Array(_) | Json::Object(_)) => return None,
            Some(json) => text.push_str(&json.to_string()),
            None => {}
        }
        text.push('\n');
    }
    Some(text)
}

/// Whether each of the second is one of the first.
fn covers<'a>(a: &[Value<'a>], b: &[Value<'a>]) -> Result<bool, Error> {
    let known = Members::of(a);
    if known.all_marked() && b.iter().all(Members::finds_at_once) {
        return Ok(b.iter().all(|item| known.holds(item)));
    }
    for item in b {
        let mut found = false;
        for known in a {
            found = found || equal(known, item)?;
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether two items of a list of type map have the same keys. Upstream looks for the keys by their escaped names.
fn same_keys(a: &Value<'_>, b: &Value<'_>, keys: &[Box<str>]) -> bool {
    let (Value::Map(a), Value::Map(b)) = (a, b) else { return false };
    keys.iter().all(|key| match (a, b) {
        (Map::Json(a, _), Map::Json(b, _)) => {
            let escaped = crate::escape::escape(key).unwrap_or((&**key).into());
            a.get(&*escaped) == b.get(&*escaped)
        }
        _ => match (a.find_text(key), b.find_text(key)) {
            (Ok(Some(a)), Ok(Some(b))) => equal(&a, &b).unwrap_or(false),
            (Ok(None), Ok(None)) => true,
            _ => false,
        },
    })
}

fn maps<'a>(a: &Map<'a>, b: &Map<'a>) -> Result<bool, Error> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for key in a.keys() {
        let (own, other) = (a.find(&key)?, b.find(&key)?);
        match (own, other) {
            (Some(own), Some(other)) => {
                if !equal(&own, &other)? {
                    return Ok(false);
                }
            }
            (None, None) => {}
            _ => return Ok(false),
        }
    }
    unknown_fields(a, b)
}

/// Fields that the schema does not know compare as data, where the other has them.
fn unknown_fields(a: &Map<'_>, b: &Map<'_>) -> Result<bool, Error> {
    let Map::Json(own, decl) = a else { return Ok(true) };
    let Kind::Object(fields) = decl.kind() else { return Ok(true) };
    for (key, json) in own.iter().filter(|(key, _)| !fields.contains_key(key.as_str())) {
        let Map::Json(other, _) = b else { return Err(Error::no_overload()) };
        if other.get(key).is_some_and(|other: &Json| other != json) {
            return Ok(false);
        }
    }
    Ok(true)
}
