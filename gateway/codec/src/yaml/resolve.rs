//! What a plain scalar means in YAML 1.1 as `yaml/v2` reads it. Follows its `resolve.go`.

/// The value of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    /// What only fits 64 unsigned bits.
    Unsigned(u64),
    Float(f64),
    Text(String),
}

/// What a scalar means; fails when it does not fit its tag.
pub(super) fn scalar(text: &str, plain: bool, tag: Option<&str>) -> Result<Scalar, String> {
    let found = match tag {
        None if plain => return Ok(resolve(text)),
        None | Some("!!str" | "!!timestamp") => return Ok(Scalar::Text(text.to_owned())),
        Some("!!binary") => return Err("!!binary is not supported: write the base64 text without the tag".to_owned()),
        Some(tag) if !matches!(tag, "!!bool" | "!!int" | "!!float" | "!!null") => return Ok(Scalar::Text(text.to_owned())),
        Some(_) => resolve(text),
    };
    let word = match &found {
        Scalar::Null => "!!null",
        Scalar::Bool(_) => "!!bool",
        Scalar::Int(_) | Scalar::Unsigned(_) => "!!int",
        Scalar::Float(_) => "!!float",
        Scalar::Text(_) => "!!str",
    };
    match (tag, found) {
        (Some("!!float"), Scalar::Int(int)) => Ok(Scalar::Float(int as f64)),
        (Some(tag), found) if tag == word => Ok(found),
        (tag, _) => Err(format!("cannot decode {word} `{text}` as a {}", tag.unwrap_or(""))),
    }
}

/// What a plain scalar without a tag means.
pub(super) fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes()[0] {
        b'.' if is_float(text) => float(text),
        b'0'..=b'9' | b'+' | b'-' => number(&text.replace('_', "")).unwrap_or_else(|| Scalar::Text(text.to_owned())),
        _ => Scalar::Text(text.to_owned()),
    }
}

fn number(plain: &str) -> Option<Scalar> {
    let (negative, digits) = match plain.as_bytes().first()? {
        b'-' => (true, &plain[1..]),
        b'+' => (false, &plain[1..]),
        _ => (false, plain),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let all_digits = digits.bytes().all(|b| char::from(b).is_digit(radix));
    if let (true, Ok(magnitude)) = (all_digits, i128::from_str_radix(digits, radix)) {
        let value = if negative { -magnitude } else { magnitude };
        if let Ok(int) = i64::try_from(value) {
            return Some(Scalar::Int(int));
        }
        // Go's parser of unsigned numbers takes no sign.
        if let (Ok(int), false) = (u64::try_from(value), plain.starts_with('+')) {
            return Some(Scalar::Unsigned(int));
        }
    }
    is_float(plain).then(|| float(plain))
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = digits(rest);
    let rest = &rest[whole..];
    let rest = match rest.strip_prefix('.') {
        Some(after) if whole > 0 || digits(after) > 0 => &after[digits(after)..],
        Some(_) => return false,
        None if whole == 0 => return false,
        None => rest,
    };
    match rest.strip_prefix(['e', 'E']) {
        None => rest.is_empty(),
        Some(exponent) => {
            let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }
    }
}

/// Beyond the range of floats Go's parser fails and the text stays text.
fn float(text: &str) -> Scalar {
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => Scalar::Float(float),
        _ => Scalar::Text(text.to_owned()),
    }
}

/// Whether a text would be read as something else if it were written plain; base-60 floats only by older readers.
pub(super) fn needs_quotes(text: &str) -> bool {
    !matches!(resolve(text), Scalar::Text(_)) || is_timestamp(text) || is_base_60(text)
}

/// Dates that YAML 1.1 resolves; upstream reads them as text and quotes them when it writes.
fn is_timestamp(text: &str) -> bool {
    let year = text.bytes().take_while(u8::is_ascii_digit).count();
    if year != 4 || text.as_bytes().get(4) != Some(&b'-') {
        return false;
    }
    let (date, clock) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at..])),
        None => (text, None),
    };
    let numbers: Vec<&str> = date.split('-').collect();
    let is_number = |part: &&str, low: u8, high: u8| {
        (1..=2).contains(&part.len()) && part.parse::<u8>().is_ok_and(|n| (low..=high).contains(&n))
    };
    let [year, month, day] = numbers.as_slice() else { return false };
    let date_fits = is_number(month, 1, 12) && is_number(day, 1, 31) && {
        let padded = format!("{year}-{:0>2}-{:0>2}T00:00:00Z", month, day);
        model::time::parse(&padded, model::time::Precision::Seconds).is_ok()
    };
    date_fits && clock.is_none_or(is_clock)
}

/// `T15:4:5.9Z` or ` 15:4:5.9`, with numbers of one or two digits.
fn is_clock(text: &str) -> bool {
    let (zoned, text) = (!text.starts_with(' '), &text[1..]);
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(text.len());
    let (clock, zone) = text.split_at(end);
    let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(clock, fraction)| (clock, Some(fraction)));
    let parts: Vec<&str> = clock.split(':').collect();
    let fits = |part: &str, limit: u8| (1..=2).contains(&part.len()) && part.parse::<u8>().is_ok_and(|n| n < limit);
    let clock_fits = matches!(parts.as_slice(), [h, m, s] if fits(h, 24) && fits(m, 60) && fits(s, 60));
    let fraction_fits = fraction.is_none_or(|f| !f.is_empty() && f.bytes().all(|b| b.is_ascii_digit()));
    let zone_fits = match zone.as_bytes() {
        [] => !zoned,
        [b'Z'] => zoned,
        [b'+' | b'-', h1, h2, b':', m1, m2] => zoned && [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()),
        _ => false,
    };
    clock_fits && fraction_fits && zone_fits
}

/// `^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$`
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or("");
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let sixties: Vec<&str> = parts.collect();
    first.starts_with(|c: char| c.is_ascii_digit())
        && is_digits(first)
        && is_digits(fraction)
        && !sixties.is_empty()
        && sixties.iter().all(|part| {
            let bytes = part.as_bytes();
            matches!(bytes, [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'])
        })
}
