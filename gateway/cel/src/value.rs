//! Values while a program runs: borrowed from JSON where they come from there, made where an expression makes them.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::decl::Decl;

/// A value.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number with a sign
    Int(i64),
    /// A number without
    Uint(u64),
    /// A floating point number
    Double(f64),
    /// Text
    String(Arc<str>),
    /// JSON with its declaration
    Declared(&'a Json, &'a Decl),
    /// An optional value
    Optional(Option<Arc<Value<'a>>>),
}

impl<'a> Value<'a> {
    /// JSON as its declaration says. Nothing is converted before an expression looks at it.
    pub fn declared(json: &'a Json, decl: &'a Decl) -> Self {
        Self::Declared(json, decl)
    }

    /// `optional.of(value)` or `optional.none()`.
    pub fn optional(value: Option<Value<'a>>) -> Self {
        Self::Optional(value.map(Arc::new))
    }

    /// The text, where the value is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth, where the value is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }
}
