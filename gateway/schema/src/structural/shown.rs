//! Values as Go prints them in errors: keys sorted, numbers as `%v`.
//! Decides nothing.

use serde_json::{Map, Number, Value};

/// A value as an error shows it: JSON with sorted keys, and floating point numbers without `.0`.
pub(super) fn shown(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut pairs: Vec<_> = fields.iter().collect();
            pairs.sort_unstable_by_key(|(name, _)| name.as_str());
            Value::Object(pairs.into_iter().map(|(name, value)| (name.clone(), shown(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(shown).collect()),
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

/// A floating point number as Go's `%v` prints it.
pub(super) fn go_float(number: f64) -> String {
    let plain = number.abs();
    if plain != 0.0 && !(1e-4..1e21).contains(&plain) {
        // Rust writes `1e21`, Go `1e+21`, with at least two digits of exponent.
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{number}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_shown_as_go_prints_them() {
        assert_eq!(shown(&json!({"b": 1.0, "a": [2.5, {"d": 1, "c": 2}]})).to_string(), r#"{"a":[2.5,{"c":2,"d":1}],"b":1}"#);
        for (number, text) in
            [(5.0, "5"), (0.1, "0.1"), (1e21, "1e+21"), (1.5e-7, "1.5e-07"), (-2.0, "-2"), (1e20, "100000000000000000000")]
        {
            assert_eq!(go_float(number), text);
        }
    }
}
