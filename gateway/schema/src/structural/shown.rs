//! Values as Go prints them in errors: JSON with sorted keys.
//! Decides nothing.

use model::json::{Map, Number, Value};

/// A value as an error shows it: a number of its own as it is, all else as JSON.
pub(super) fn shown(value: &Value) -> Value {
    if value.is_number() { value.clone() } else { json(value) }
}

/// JSON with sorted keys, and floating point numbers without `.0`.
pub(super) fn json(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut pairs: Vec<_> = fields.iter().collect();
            pairs.sort_unstable_by_key(|(name, _)| name.as_str());
            Value::Object(pairs.into_iter().map(|(name, value)| (name.clone(), json(value))).collect::<Map>())
        }
        Value::Array(items) => Value::Array(items.iter().map(json).collect()),
        Value::Number(number) => Value::Number(whole(number)),
        other => other.clone(),
    }
}

/// A floating point number without a fraction is shown as a whole one.
fn whole(number: &Number) -> Number {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => Number::from(float as i64),
        _ => number.clone(),
    }
}

#[cfg(test)]
mod tests {
    use model::json::json as of;

    use super::*;

    #[test]
    fn values_are_shown_as_go_prints_them() {
        assert_eq!(shown(&of!({"b": 1.0, "a": [2.5, {"d": 1, "c": 2}]})).to_string(), r#"{"a":[2.5,{"c":2,"d":1}],"b":1}"#);
    }
}
