//! Conversions between types: `int`, `string`, `duration`, `type`.

use super::{Code, fail, number, some, time};
use crate::program::Error;
use crate::value::{Outcome, Text, Timestamp, Value};

/// Functions that cel-go evaluates while it plans, where their argument is a constant.
pub(crate) fn is_conversion(function: &str) -> bool {
    matches!(function, "bool" | "bytes" | "double" | "duration" | "dyn" | "int" | "string" | "timestamp" | "type" | "uint")
}

pub(super) fn code(function: &str) -> Option<Code> {
    Some(match function {
        "dyn" => |args| args.first().cloned().map(Ok),
        "type" => |args| match args {
            [value] => some(Value::Type(Text::from(value.type_name().to_owned()))),
            _ => None,
        },
        "bool" => |args| match args {
            [Value::Bool(truth)] => some(Value::Bool(*truth)),
            [Value::String(text)] => match &**text {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => some(Value::Bool(true)),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => some(Value::Bool(false)),
                _ => impossible("string", "bool"),
            },
            _ => None,
        },
        "bytes" => |args| match args {
            [Value::Bytes(bytes)] => some(Value::Bytes(bytes.clone())),
            [Value::String(text)] => some(Value::Bytes(text.as_bytes().into())),
            _ => None,
        },
        "double" => double,
        "int" => int,
        "uint" => uint,
        "string" => |args| string(args.first()?).map(|text| text.map(Value::text)),
        "duration" => |args| match args {
            [Value::Duration(nanos)] => some(Value::Duration(*nanos)),
            [Value::String(text)] => match time::parse_duration(text) {
                Ok(nanos) => some(Value::Duration(nanos)),
                Err(_) => impossible("string", "google.protobuf.Duration"),
            },
            _ => None,
        },
        "timestamp" => |args| match args {
            [Value::Timestamp(moment)] => some(Value::Timestamp(*moment)),
            [Value::Int(seconds)] => match time::in_range(Timestamp { seconds: *seconds, nanos: 0, offset_s: 0 }) {
                Some(moment) => some(Value::Timestamp(moment)),
                None => Some(Err(time::timestamp_overflow())),
            },
            [Value::String(text)] => match time::parse_timestamp(text) {
                Ok(moment) => match time::in_range(moment) {
                    Some(moment) => some(Value::Timestamp(moment)),
                    None => Some(Err(time::timestamp_overflow())),
                },
                Err(_) => impossible("string", "google.protobuf.Timestamp"),
            },
            _ => None,
        },
        _ => return None,
    })
}

fn impossible<'a>(from: &str, to: &str) -> Option<Outcome<'a>> {
    fail(format!("type conversion error from '{from}' to '{to}'"))
}

fn double<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    match args {
        [Value::Double(number)] => some(Value::Double(*number)),
        [Value::Int(number)] => some(Value::Double(*number as f64)),
        [Value::Uint(number)] => some(Value::Double(*number as f64)),
        [Value::String(text)] => match parse_double(text) {
            Some(number) => some(Value::Double(number)),
            None => impossible("string", "double"),
        },
        _ => None,
    }
}

/// Go's `ParseFloat`, which knows `Inf` and `NaN` but refuses what is too large.
fn parse_double(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    let named = text.trim_start_matches(['+', '-']).starts_with(['i', 'I', 'n', 'N']);
    (named || number.is_finite()).then_some(number)
}

fn int<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    match args {
        [Value::Int(number)] => some(Value::Int(*number)),
        [Value::Uint(number)] => Some(i64::try_from(*number).map(Value::Int).map_err(|_| number::int_overflow())),
        [Value::Double(number)] => Some(number::double_to_int(*number).map(Value::Int)),
        [Value::Duration(nanos)] => some(Value::Int(*nanos)),
        [Value::Timestamp(moment)] => some(Value::Int(moment.seconds)),
        [Value::String(text)] => match text.parse() {
            Ok(number) => some(Value::Int(number)),
            Err(_) => impossible("string", "int"),
        },
        _ => None,
    }
}

fn uint<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    match args {
        [Value::Uint(number)] => some(Value::Uint(*number)),
        [Value::Int(number)] => Some(u64::try_from(*number).map(Value::Uint).map_err(|_| number::uint_overflow())),
        [Value::Double(number)] => Some(number::double_to_uint(*number).map(Value::Uint)),
        [Value::String(text)] => match text.parse() {
            Ok(number) if !text.starts_with('+') => some(Value::Uint(number)),
            _ => impossible("string", "uint"),
        },
        _ => None,
    }
}

/// A value as text.
pub(super) fn string(value: &Value<'_>) -> Option<Result<String, Error>> {
    Some(Ok(match value {
        Value::String(text) => text.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => number::go_float(*number),
        Value::Timestamp(moment) => time::format_timestamp(*moment),
        Value::Duration(nanos) => time::format_seconds(*nanos),
        Value::Bytes(bytes) => {
            let text = String::from_utf8(bytes.to_vec());
            return Some(text.map_err(|_| Error::Failed("invalid UTF-8 in bytes, cannot convert to string".into())));
        }
        Value::Opaque(opaque) if matches!(opaque.type_name(), "net.IP" | "net.CIDR") => opaque.to_string(),
        _ => return None,
    }))
}
