//! The tree that a JSON document is while it is written: what is parsed, defaulted, admitted, validated and encoded.
//!
//! It is `serde_json`'s `Value` in all that code sees, with another map inside: objects of Kubernetes are many small ones whose
//! keys are short, so entries lie in a row and short keys in the entry itself. A hash table for each object, and an allocation
//! for each key, were a quarter of what a write cost. Reading and printing are `serde_json`'s.

mod convert;
mod index;
mod map;
mod serial;

use std::fmt;

pub use serde_json::Number;

pub use self::index::Index;
pub use self::map::{Entry, IntoValues, Iter, IterMut, Key, Keys, Map, OccupiedEntry, VacantEntry, Values, ValuesMut};
pub use crate::json_literal as json;

/// `serde_json`, for [`json!`](crate::json_literal) alone.
#[doc(hidden)]
pub use ::serde_json as literal;

/// A JSON value written as JSON, as `serde_json::json!` has it.
#[macro_export]
#[doc(hidden)]
macro_rules! json_literal {
    ($($json:tt)+) => { $crate::json::Value::from($crate::json::literal::json!($($json)+)) };
}

/// A JSON value. Objects keep the order of their members.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer of 64 bits or a double.
    Number(Number),
    /// A text.
    String(String),
    /// A list.
    Array(Vec<Value>),
    /// An object.
    Object(Map),
}

impl Value {
    /// The member of an object or the element of a list, if there is one.
    pub fn get<I: Index>(&self, index: I) -> Option<&Value> {
        index.of(self)
    }

    /// The same, to be changed.
    pub fn get_mut<I: Index>(&mut self, index: I) -> Option<&mut Value> {
        index.of_mut(self)
    }

    /// What an object holds.
    pub fn as_object(&self) -> Option<&Map> {
        if let Value::Object(map) = self { Some(map) } else { None }
    }

    /// The same, to be changed.
    pub fn as_object_mut(&mut self) -> Option<&mut Map> {
        if let Value::Object(map) = self { Some(map) } else { None }
    }

    /// What a list holds.
    pub fn as_array(&self) -> Option<&Vec<Value>> {
        if let Value::Array(list) = self { Some(list) } else { None }
    }

    /// The same, to be changed.
    pub fn as_array_mut(&mut self) -> Option<&mut Vec<Value>> {
        if let Value::Array(list) = self { Some(list) } else { None }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = self { Some(text) } else { None }
    }

    /// A truth value.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(truth) = self { Some(*truth) } else { None }
    }

    /// A number, whichever kind it is of.
    pub fn as_number(&self) -> Option<&Number> {
        if let Value::Number(number) = self { Some(number) } else { None }
    }

    /// An integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number()?.as_i64()
    }

    /// An integer of no sign that fits.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number()?.as_u64()
    }

    /// A number as a double.
    pub fn as_f64(&self) -> Option<f64> {
        self.as_number()?.as_f64()
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Whether it is a truth value.
    pub fn is_boolean(&self) -> bool {
        matches!(self, Value::Bool(_))
    }

    /// Whether it is a number.
    pub fn is_number(&self) -> bool {
        matches!(self, Value::Number(_))
    }

    /// Whether it is an integer that fits an `i64`.
    pub fn is_i64(&self) -> bool {
        self.as_number().is_some_and(Number::is_i64)
    }

    /// Whether it is an integer that fits a `u64`.
    pub fn is_u64(&self) -> bool {
        self.as_number().is_some_and(Number::is_u64)
    }

    /// Whether it is a number that was not written as an integer.
    pub fn is_f64(&self) -> bool {
        self.as_number().is_some_and(Number::is_f64)
    }

    /// Whether it is a string.
    pub fn is_string(&self) -> bool {
        matches!(self, Value::String(_))
    }

    /// Whether it is a list.
    pub fn is_array(&self) -> bool {
        matches!(self, Value::Array(_))
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        matches!(self, Value::Object(_))
    }

    /// Leaves `null` in its place.
    pub fn take(&mut self) -> Value {
        std::mem::take(self)
    }

    /// Puts the members of this and all further objects in the order of their names.
    pub fn sort_all_objects(&mut self) {
        match self {
            Value::Object(map) => {
                map.sort_keys();
                map.values_mut().for_each(Value::sort_all_objects);
            }
            Value::Array(list) => list.iter_mut().for_each(Value::sort_all_objects),
            _ => {}
        }
    }

    /// What a JSON pointer (RFC 6901) leads to.
    pub fn pointer(&self, pointer: &str) -> Option<&Value> {
        let mut at = self;
        for step in steps(pointer)? {
            at = match at {
                Value::Object(map) => map.get(step.as_ref())?,
                Value::Array(list) => list.get(position(&step)?)?,
                _ => return None,
            };
        }
        Some(at)
    }

    /// The same, to be changed.
    pub fn pointer_mut(&mut self, pointer: &str) -> Option<&mut Value> {
        let mut at = self;
        for step in steps(pointer)? {
            at = match at {
                Value::Object(map) => map.get_mut(step.as_ref())?,
                Value::Array(list) => list.get_mut(position(&step)?)?,
                _ => return None,
            };
        }
        Some(at)
    }
}

/// The unescaped parts of a JSON pointer; none for one that does not begin with a slash and is not empty.
fn steps(pointer: &str) -> Option<impl Iterator<Item = std::borrow::Cow<'_, str>>> {
    let parts = if pointer.is_empty() { None } else { Some(pointer.strip_prefix('/')?.split('/')) };
    Some(parts.into_iter().flatten().map(|part| match part.contains('~') {
        true => part.replace("~1", "/").replace("~0", "~").into(),
        false => part.into(),
    }))
}

/// The position that a part of a pointer names; none with a sign or leading zeros.
fn position(step: &str) -> Option<usize> {
    let plain = step == "0" || !step.starts_with(['0', '+']);
    if plain { step.parse().ok() } else { None }
}

/// As JSON, on one line; on several with `{:#}`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if f.alternate() { serde_json::to_string_pretty(self) } else { serde_json::to_string(self) };
        f.write_str(&text.map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("Null"),
            Value::Bool(truth) => write!(f, "Bool({truth})"),
            Value::Number(number) => fmt::Debug::fmt(number, f),
            Value::String(text) => write!(f, "String({text:?})"),
            Value::Array(list) => {
                f.write_str("Array ")?;
                fmt::Debug::fmt(list, f)
            }
            Value::Object(map) => {
                f.write_str("Object ")?;
                fmt::Debug::fmt(map, f)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Value, json};

    #[test]
    fn a_value_is_small() {
        assert_eq!(size_of::<Value>(), 32);
    }

    #[test]
    fn pointers_lead_to_members_and_elements() {
        let value = json!({"a": [{"b/c": 1, "~": 2}], "": 3});
        assert_eq!(value.pointer("/a/0/b~1c"), Some(&json!(1)));
        assert_eq!(value.pointer("/a/0/~0"), Some(&json!(2)));
        assert_eq!(value.pointer("/"), Some(&json!(3)));
        assert_eq!(value.pointer(""), Some(&value));
        for missing in ["a", "/a/00", "/a/+0", "/a/1", "/b", "/a/0/b~1c/x"] {
            assert_eq!(value.pointer(missing), None, "{missing}");
        }
    }

    #[test]
    fn reads_and_prints_as_serde_json_does() {
        for text in [
            r#"{"b":1,"a":[null,true,-3,1.5,18446744073709551615,"\u0000é"],"":{}}"#,
            "[]",
            "\"x\"",
            "1e300",
            "{\"a\":1,\"a\":2}",
        ] {
            let theirs: serde_json::Value = serde_json::from_str(text).unwrap();
            let ours: Value = serde_json::from_str(text).unwrap();
            assert_eq!(ours.to_string(), theirs.to_string());
            assert_eq!(format!("{ours:#}"), format!("{theirs:#}"));
            assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
            assert_eq!(ours, Value::from(theirs));
        }
        assert!(serde_json::from_str::<Value>(&"[".repeat(200)).is_err());
    }

    #[test]
    fn indexing_makes_members_on_the_way() {
        let mut value = Value::Null;
        value["a"]["b"] = json!(1);
        assert_eq!(value, json!({"a": {"b": 1}}));
        assert_eq!(value["x"]["y"][3], Value::Null);
        assert_eq!(value["a"]["b"].take(), json!(1));
    }
}
