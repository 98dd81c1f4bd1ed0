//! What a schema asks of a value beside its type, and the JSON of `openAPIV3Schema` read into it.
//! Compares nothing yet (`validate`).

use std::sync::Arc;

use model::json::Value;

use super::Structural;
use super::format::Format;
use super::pattern::Pattern;

/// A bound of a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub limit: f64,
    pub exclusive: bool,
}

/// Rules of strings.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub min_length: Option<i64>,
    pub max_length: Option<i64>,
    pub pattern: Option<Arc<Pattern>>,
}

/// Rules of numbers.
#[derive(Debug, Default)]
pub(super) struct Number {
    pub maximum: Option<Bound>,
    pub minimum: Option<Bound>,
    pub multiple_of: Option<f64>,
}

/// How many items or properties there may be.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub min_items: Option<i64>,
    pub max_items: Option<i64>,
    pub unique_items: bool,
    pub min_properties: Option<i64>,
    pub max_properties: Option<i64>,
}

/// Schemas that judge the same value.
#[derive(Debug, Default)]
pub(super) struct Combined {
    pub all_of: Box<[Structural]>,
    pub any_of: Box<[Structural]>,
    pub one_of: Box<[Structural]>,
    pub not: Option<Structural>,
}

/// What a schema asks of a value. Most schemas ask little, so each kind of rule is a box that is absent.
#[derive(Debug, Default)]
pub(super) struct Values {
    pub(super) format: Option<Box<Format>>,
    pub(super) text: Option<Box<Text>>,
    pub(super) number: Option<Box<Number>>,
    pub(super) count: Option<Box<Count>>,
    pub(super) enumerated: Box<[Value]>,
    pub(super) required: Box<[Arc<str>]>,
    pub(super) combined: Option<Box<Combined>>,
}

impl Values {
    /// Whether nothing is asked.
    pub(super) fn is_empty(&self) -> bool {
        self.format.is_none()
            && self.text.is_none()
            && self.number.is_none()
            && self.count.is_none()
            && self.enumerated.is_empty()
            && self.required.is_empty()
            && self.combined.is_none()
    }
}
