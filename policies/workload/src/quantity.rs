//! Amounts of resources, compared. Exact to a thousandth of a unit, which is what CPUs are counted in.

/// An amount in thousandths: `100m` is 100, `1Ki` is 1,024,000. Nothing for what is no quantity.
pub fn thousandths(text: &str) -> Option<i128> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut value: i128 = format!("{whole}{fraction}").parse().ok()?;
    let mut places = i32::try_from(fraction.len()).ok()?;
    value = value.checked_mul(1_000)?;
    match binary(suffix) {
        Some(shift) => value = value.checked_mul(1 << shift)?,
        None => places -= decimal(suffix)?,
    }
    match places {
        0.. => Some(value / 10_i128.checked_pow(places.unsigned_abs())?),
        _ => value.checked_mul(10_i128.checked_pow(places.unsigned_abs())?),
    }
}

/// Powers of two by suffix.
fn binary(suffix: &str) -> Option<u32> {
    let place = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].iter().position(|known| *known == suffix)?;
    Some(10 * (place as u32 + 1))
}

/// Powers of ten by suffix or exponent.
fn decimal(suffix: &str) -> Option<i32> {
    match suffix {
        "n" => Some(-9),
        "u" => Some(-6),
        "m" => Some(-3),
        "" => Some(0),
        "k" => Some(3),
        "M" => Some(6),
        "G" => Some(9),
        "T" => Some(12),
        "P" => Some(15),
        "E" => Some(18),
        _ => suffix.strip_prefix(['e', 'E'])?.parse().ok().filter(|power: &i32| power.unsigned_abs() <= 18),
    }
}

#[cfg(test)]
mod tests {
    use super::thousandths;

    #[test]
    fn quantities_compare() {
        for (text, expected) in [
            ("1", Some(1_000)),
            ("100m", Some(100)),
            ("0.5", Some(500)),
            ("1.5Gi", Some(1_610_612_736_000)),
            ("1Ki", Some(1_024_000)),
            ("2k", Some(2_000_000)),
            ("1e3", Some(1_000_000)),
            ("5E", Some(5_000_000_000_000_000_000_000)),
            ("", None),
            ("1X", None),
            ("lots", None),
        ] {
            assert_eq!(thousandths(text), expected, "{text}");
        }
    }
}
