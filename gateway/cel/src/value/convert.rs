//! JSON to values, as a declaration says. Messages are those of upstream's `UnstructuredToVal`.

use base64::Engine;
use model::json::Value as Json;

use super::{List, Map, Outcome, Text, Value};
use crate::decl::{Decl, Kind};
use crate::library::time;
use crate::program::Error;

fn invalid<'a>(message: String) -> Outcome<'a> {
    Err(Error::Failed(message))
}

/// A value of declared data.
pub(crate) fn declared<'a>(json: &'a Json, decl: &'a Decl) -> Outcome<'a> {
    if json.is_null() {
        return match decl.kind() {
            Kind::Dyn => Ok(Value::Null),
            _ if decl.is_nullable() => Ok(Value::Null),
            _ => invalid("invalid data, got null for schema with nullable=false".into()),
        };
    }
    match (decl.kind(), json) {
        (Kind::Dyn, json) => Ok(plain(json, decl)),
        (Kind::IntOrString, Json::String(text)) => Ok(Value::String(Text::Borrowed(text))),
        (Kind::IntOrString, json) => match json.as_i64() {
            Some(number) => Ok(Value::Int(number)),
            None => invalid("invalid data, expected XIntOrString value to be either a string or integer".into()),
        },
        (Kind::Map(_) | Kind::Object(_), Json::Object(map)) => Ok(Value::Map(Map::Json(map, decl))),
        (Kind::Map(_) | Kind::Object(_), _) => {
            invalid("invalid data, expected a map for the provided schema with type=object".into())
        }
        (Kind::List(..), Json::Array(items)) => Ok(Value::List(List::Json(items, decl))),
        (Kind::List(..), _) => invalid("invalid data, expected an array for the provided schema with type=array".into()),
        (Kind::Bool, Json::Bool(truth)) => Ok(Value::Bool(*truth)),
        (Kind::Bool, json) => invalid(format!("invalid data, expected bool, got {}", go_type(json))),
        (Kind::Int, json) => match json.as_i64() {
            Some(number) => Ok(Value::Int(number)),
            None => invalid(format!("invalid data, expected int, got {}", go_type(json))),
        },
        (Kind::Double, Json::Number(number)) => Ok(Value::Double(number.as_f64().unwrap_or(f64::NAN))),
        (Kind::Double, json) => invalid(format!("invalid data, expected float, got {}", go_type(json))),
        (Kind::Unknown, json) => Ok(Value::Preserved(json)),
        (kind, Json::String(text)) => formatted(kind, text),
        (_, json) => invalid(format!("invalid data, expected string, got {}", go_type(json))),
    }
}

fn formatted<'a>(kind: &Kind, text: &'a str) -> Outcome<'a> {
    match kind {
        Kind::Duration => match time::parse_loose_duration(text) {
            Ok(nanos) => Ok(Value::Duration(nanos)),
            Err(message) => invalid(format!("Invalid duration {text}: {message}")),
        },
        Kind::Date => match time::parse_date(text) {
            Ok(moment) => Ok(Value::Timestamp(moment)),
            Err(message) => invalid(format!("Invalid date formatted string {text}: {message}")),
        },
        Kind::DateTime => match time::parse_date_time(text) {
            Ok(moment) => Ok(Value::Timestamp(moment)),
            Err(message) => invalid(format!("Invalid date-time formatted string {text}: {message}")),
        },
        Kind::Bytes => match base64::engine::general_purpose::STANDARD.decode(text) {
            Ok(bytes) => Ok(Value::Bytes(bytes.into())),
            Err(_) => invalid(format!("Invalid byte formatted string {text}: illegal base64 data")),
        },
        _ => Ok(Value::String(Text::Borrowed(text))),
    }
}

/// A value of data that nothing is declared of; `decl` is [`Decl::any`], for what it holds.
pub(crate) fn plain<'a>(json: &'a Json, decl: &'a Decl) -> Value<'a> {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::Int(number),
            (None, number) => Value::Double(number.unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(Text::Borrowed(text)),
        Json::Array(items) => Value::List(List::Json(items, decl)),
        Json::Object(map) => Value::Map(Map::Json(map, decl)),
    }
}

/// Go's name of the type that unstructured data has.
fn go_type(json: &Json) -> &'static str {
    match json {
        Json::Null => "<nil>",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_i64() => "int64",
        Json::Number(_) => "float64",
        Json::String(_) => "string",
        Json::Array(_) => "[]interface {}",
        Json::Object(_) => "map[string]interface {}",
    }
}
