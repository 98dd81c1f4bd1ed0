//! `'%s is %d'.format([...])`. Follows cel-go's `ext/formatting.go`, which version 2 of the strings library uses.

use super::{Code, convert, fail, quote, some, time};
use crate::value::{Map, Outcome, Value};

/// Digits after the point where none are asked for.
const PRECISION: usize = 6;
/// More digits than any double has; upstream sets no bound here.
const PRECISION_MAX: usize = 1000;

pub(super) fn code(function: &str) -> Option<Code> {
    (function == "format").then_some(format as Code)
}

fn format<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let [Value::String(pattern), Value::List(values)] = args else { return None };
    let values = match values.items() {
        Ok(values) => values,
        Err(error) => return Some(Err(error)),
    };
    match fill(pattern, values.len(), &mut |verb, precision, at| clause(verb, precision, &values[at])) {
        Ok(text) => some(Value::text(text)),
        Err(message) => fail(message),
    }
}

/// What a pattern asks for: a verb, its precision, and which value.
type Clause<'c> = dyn FnMut(char, Option<usize>, usize) -> Result<String, String> + 'c;

/// Fills a pattern that is given so many values.
pub(crate) fn fill(pattern: &str, count: usize, clause: &mut Clause<'_>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = pattern;
    let mut used = 0;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        if rest.is_empty() {
            return Err("unexpected end of string".into());
        }
        if used >= count {
            return Err(format!("index {used} out of range"));
        }
        let precision = precision(&mut rest)?;
        let Some(verb) = rest.chars().next() else {
            return Err("could not parse formatting clause: unexpected end of string".into());
        };
        rest = &rest[verb.len_utf8()..];
        if !"sdfebxXo".contains(verb) {
            return Err(format!("could not parse formatting clause: unrecognized formatting clause \"{verb}\""));
        }
        out.push_str(&clause(verb, precision, used).map_err(|message| format!("error during formatting: {message}"))?);
        used += 1;
    }
    out.push_str(rest);
    Ok(out)
}

/// That a verb cannot print a value of a type.
pub(crate) fn unfit(verb: char, kind: &str) -> String {
    let what = match verb {
        'd' => "decimal clause can only be used on integers",
        'f' => "fixed-point clause can only be used on doubles",
        'e' => "scientific clause can only be used on doubles",
        'b' => "only integers and bools can be formatted as binary",
        'x' | 'X' => "only integers, byte buffers, and strings can be formatted as hex",
        'o' => "octal clause can only be used on integers",
        _ => {
            "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps"
        }
    };
    format!("{what}, was given {kind}")
}

fn precision(rest: &mut &str) -> Result<Option<usize>, String> {
    let Some(after) = rest.strip_prefix('.') else { return Ok(None) };
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let number = after[..digits].parse::<usize>();
    *rest = &after[digits..];
    match number {
        Ok(number) if number <= PRECISION_MAX => Ok(Some(number)),
        _ => Err(format!(
            "error while converting precision to integer: strconv.Atoi: parsing {}: invalid syntax",
            quote(&after[..digits])
        )),
    }
}

fn clause(verb: char, precision: Option<usize>, value: &Value<'_>) -> Result<String, String> {
    let wrong = || unfit(verb, value.type_name());
    match verb {
        's' => shown(value).map_err(|_| wrong()),
        'd' => match value {
            Value::Int(number) => Ok(number.to_string()),
            Value::Uint(number) => Ok(number.to_string()),
            _ => Err(wrong()),
        },
        'f' => Ok(format!("{:.*}", precision.unwrap_or(PRECISION), double(value).ok_or_else(wrong)?)),
        'e' => Ok(scientific(double(value).ok_or_else(wrong)?, precision.unwrap_or(PRECISION))),
        'b' => match value {
            Value::Int(number) => Ok(signed(*number, |n| format!("{n:b}"))),
            Value::Uint(number) => Ok(format!("{number:b}")),
            Value::Bool(truth) => Ok(u8::from(*truth).to_string()),
            _ => Err(wrong()),
        },
        'x' | 'X' => {
            let hex = match value {
                Value::Int(number) => signed(*number, |n| format!("{n:x}")),
                Value::Uint(number) => format!("{number:x}"),
                Value::String(text) => hex(text.as_bytes()),
                Value::Bytes(bytes) => hex(bytes),
                _ => return Err(wrong()),
            };
            Ok(if verb == 'X' { hex.to_uppercase() } else { hex })
        }
        'o' => match value {
            Value::Int(number) => Ok(signed(*number, |n| format!("{n:o}"))),
            Value::Uint(number) => Ok(format!("{number:o}")),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

fn signed(number: i64, digits: fn(u64) -> String) -> String {
    format!("{}{}", if number < 0 { "-" } else { "" }, digits(number.unsigned_abs()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn double(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Double(number) => Some(*number),
        Value::String(text) => match &**text {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// As upstream's localized printer writes it: `1.052033×10⁰³`.
fn scientific(number: f64, precision: usize) -> String {
    if !number.is_finite() {
        return if number.is_nan() {
            "NaN".into()
        } else if number > 0.0 {
            "∞".into()
        } else {
            "-∞".into()
        };
    }
    let text = format!("{number:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digits: String = format!("{:02}", exponent.abs()).bytes().map(|b| RAISED[usize::from(b - b'0')]).collect();
    format!("{mantissa}×10{}{digits}", if exponent < 0 { "⁻" } else { "" })
}

/// `%s` of any value.
fn shown(value: &Value<'_>) -> Result<String, String> {
    match value {
        Value::Null => Ok("null".into()),
        Value::List(_) | Value::Map(_) => nested(value),
        Value::Type(name) => Ok(name.to_string()),
        Value::Opaque(_) => Err(String::new()),
        other => match convert::string(other) {
            Some(Ok(text)) => Ok(text),
            _ => Err(String::new()),
        },
    }
}

/// A value inside a list or map, as a literal.
fn nested(value: &Value<'_>) -> Result<String, String> {
    let none = || format!("no formatting function for {}", value.type_name());
    Ok(match value {
        Value::String(text) => quote(text),
        Value::Bytes(bytes) => format!("b{}", quote(&String::from_utf8_lossy(bytes))),
        Value::Double(number) if number.is_finite() => format!("{number:.PRECISION$}"),
        Value::Double(number) => quote(&crate::library::number::go_float(*number)),
        Value::Timestamp(moment) => format!("timestamp({})", quote(&time::format_timestamp(*moment))),
        Value::Duration(nanos) => format!("duration({})", quote(&time::format_seconds(*nanos))),
        Value::List(list) => {
            let items = list.items().map_err(|error| error.to_string())?;
            let items: Result<Vec<String>, String> = items.iter().map(nested).collect();
            format!("[{}]", items?.join(", "))
        }
        Value::Map(map) => entries(map)?,
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Type(_) => shown(value)?,
        _ => return Err(none()),
    })
}

fn entries(map: &Map<'_>) -> Result<String, String> {
    let mut pairs = Vec::new();
    for key in map.keys() {
        let Some(value) = map.find(&key).map_err(|error| error.to_string())? else { continue };
        pairs.push((nested(&key)?, nested(&value)?));
    }
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}:{value}")).collect();
    Ok(format!("{{{}}}", pairs.join(", ")))
}
