//! Rules of numbers: range, multiples, the width that a format asks for.
//! Whole numbers are compared as such, others as floating point, as upstream does.

use model::field::go_float;
use model::json::Number as Json;

use super::outcome::{At, Outcome, Said};
use crate::structural::values::{Bound, Number};
use crate::structural::{Structural, Type};

/// Relative difference below which a floating point number is taken for whole.
const EPSILON: f64 = 1e-9;
/// Largest whole number that floating point holds exactly.
const EXACT_MAX: f64 = 9_007_199_254_740_991.0;

/// `swag.IsFloat64AJSONInteger`.
pub(super) fn is_json_integer(value: f64) -> bool {
    if !value.is_finite() || !(-EXACT_MAX..=EXACT_MAX).contains(&value) {
        return false;
    }
    let whole = value.trunc();
    let difference = (value - whole).abs();
    if value == whole {
        true
    } else if value == 0.0 || whole == 0.0 || difference < f64::MIN_POSITIVE {
        difference < EPSILON * f64::MIN_POSITIVE
    } else {
        difference / (value.abs() + whole.abs()) < EPSILON
    }
}

pub(super) fn judge(schema: &Structural, value: &Json, at: &At<'_>, outcome: &mut Outcome) {
    let range = Range::of(schema);
    let text = match value.as_i64() {
        Some(whole) => Value::Whole(whole),
        None => Value::Float(value.as_f64().unwrap_or(f64::INFINITY)),
    };
    outcome.extend(range.judge("Checked", text, at));
    let Some(rules) = schema.values.as_ref().and_then(|values| values.number.as_deref()) else { return };
    judge_rules(rules, &range, text, value, at, outcome);
}

/// A number as Go holds it.
#[derive(Clone, Copy)]
enum Value {
    Whole(i64),
    Float(f64),
}

impl Value {
    fn float(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Float(float) => float,
        }
    }
}

/// What the type and format of a schema allow.
struct Range<'a> {
    kind: Option<Type>,
    format: &'a str,
}

impl<'a> Range<'a> {
    fn of(schema: &'a Structural) -> Self {
        let kind = schema.kind.filter(|kind| !schema.int_or_string && matches!(kind, Type::Integer | Type::Number));
        let format = schema.values.as_ref().and_then(|v| v.format.as_ref()).map_or("", |f| f.name.as_ref());
        Self { kind, format: if kind.is_some() { format } else { "" } }
    }

    /// `IsValueValidAgainstRange`; the complaint is not tied to a field.
    fn judge(&self, what: &str, value: Value, at: &At<'_>) -> Option<Said> {
        let fits = match (self.kind, value) {
            (Some(Type::Integer), Value::Whole(whole)) => self.format != "int32" || i32::try_from(whole).is_ok(),
            (Some(Type::Integer), Value::Float(float)) => {
                let (min, max) = if self.format == "int32" {
                    (f64::from(i32::MIN), f64::from(i32::MAX))
                } else {
                    (i64::MIN as f64, i64::MAX as f64)
                };
                // Upstream reads its own decimal print as a whole number.
                float.fract() == 0.0 && (min..=max).contains(&float) && float < 9_223_372_036_854_775_808.0
            }
            (Some(Type::Number), value) => self.format != "float" || (value.float() as f32).is_finite(),
            _ => true,
        };
        let kind = self.kind.map_or("", Type::name);
        (!fits).then(|| {
            let how =
                if self.format.is_empty() { " (default format)".to_owned() } else { format!(" with format {}", self.format) };
            Said::bare(format!("{what} value must be of type {kind}{how} in {at}"))
        })
    }
}

fn judge_rules(rules: &Number, range: &Range<'_>, value: Value, json: &Json, at: &At<'_>, outcome: &mut Outcome) {
    let mut complain = |what: &str, limit: f64, broken: &dyn Fn(bool) -> Option<Said>| {
        let beyond = range.judge(what, Value::Float(limit), at);
        let native = beyond.is_none();
        outcome.extend(beyond);
        outcome.extend(broken(native));
    };
    if let Some(factor) = rules.multiple_of {
        complain("MultipleOf", factor, &|native| multiple(factor, value, native, json, at));
    }
    if let Some(bound) = rules.minimum {
        complain("Minimum boundary", bound.limit, &|native| {
            exceeds(bound, value, native, |value, limit| value < limit, "greater", json, at)
        });
    }
    if let Some(bound) = rules.maximum {
        complain("Maximum boundary", bound.limit, &|native| {
            exceeds(bound, value, native, |value, limit| value > limit, "less", json, at)
        });
    }
}

fn exceeds(
    bound: Bound,
    value: Value,
    native: bool,
    beyond: impl Fn(f64, f64) -> bool,
    word: &str,
    json: &Json,
    at: &At<'_>,
) -> Option<Said> {
    let (broken, limit) = match value {
        Value::Whole(whole) if native => {
            let limit = bound.limit as i64;
            let side = match whole.cmp(&limit) {
                std::cmp::Ordering::Less => beyond(0.0, 1.0),
                std::cmp::Ordering::Equal => bound.exclusive,
                std::cmp::Ordering::Greater => beyond(1.0, 0.0),
            };
            (side, limit.to_string())
        }
        value => {
            let float = value.float();
            (beyond(float, bound.limit) || (bound.exclusive && float == bound.limit), go_float(bound.limit))
        }
    };
    let or_equal = if bound.exclusive { "" } else { " or equal to" };
    broken.then(|| Said::invalid(at, json.clone().into(), format!("should be {word} than{or_equal} {limit}")))
}

fn multiple(factor: f64, value: Value, native: bool, json: &Json, at: &At<'_>) -> Option<Said> {
    let whole = factor as i64;
    let (positive, is_multiple, shown, factor) = match value {
        Value::Whole(number) if native => (whole > 0, whole > 0 && number % whole == 0, whole.to_string(), whole.into()),
        value => {
            let quotient = if factor < 1.0 { 1.0 / factor * value.float() } else { value.float() / factor };
            (factor > 0.0, is_json_integer(quotient), go_float(factor), factor.into())
        }
    };
    if !positive {
        return Some(Said::positive(at, factor, &shown));
    }
    (!is_multiple).then(|| Said::invalid(at, json.clone().into(), format!("should be a multiple of {shown}")))
}
