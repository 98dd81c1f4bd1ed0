//! Numbers: comparison across types, checked arithmetic's errors, Go's way of printing floats.

use std::cmp::Ordering;

use crate::program::Error;
use crate::value::Value;

pub(crate) fn int_overflow() -> Error {
    Error::Failed("integer overflow".into())
}

pub(crate) fn uint_overflow() -> Error {
    Error::Failed("unsigned integer overflow".into())
}

/// How two numbers compare; nothing for what is not a number.
pub(crate) fn compare(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Uint(a), Value::Uint(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Uint(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::Uint(a), Value::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Double(a), Value::Int(b)) => whole_to_double(*a, i128::from(*b), -(2f64.powi(63)), 2f64.powi(63)),
        (Value::Double(a), Value::Uint(b)) => whole_to_double(*a, i128::from(*b), 0.0, 2f64.powi(64)),
        (Value::Int(_) | Value::Uint(_), Value::Double(_)) => compare(b, a).map(Ordering::reverse),
        _ => None,
    }
}

fn whole_to_double(a: f64, b: i128, least: f64, beyond: f64) -> Option<Ordering> {
    if a.is_nan() {
        return None;
    }
    Some(if a < least {
        Ordering::Less
    } else if a >= beyond {
        Ordering::Greater
    } else {
        // Both are in the range of the whole number, whose nearest double is what cel-go compares with.
        a.partial_cmp(&(b as f64)).unwrap_or(Ordering::Equal)
    })
}

/// A double that is a whole number within 64 bits.
pub(crate) fn double_to_int(number: f64) -> Result<i64, Error> {
    // The bounds themselves are refused: they are not exact.
    if number.is_nan() || number.is_infinite() || number <= i64::MIN as f64 || number >= i64::MAX as f64 {
        return Err(int_overflow());
    }
    Ok(number as i64)
}

pub(crate) fn double_to_uint(number: f64) -> Result<u64, Error> {
    if number.is_nan() || number < 0.0 || number >= 2f64.powi(64) {
        return Err(uint_overflow());
    }
    Ok(number as u64)
}

/// As Go's `%g`: the shortest digits, with an exponent from a million on and below 1e-4.
pub(crate) fn go_float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    format!("{number}")
}
