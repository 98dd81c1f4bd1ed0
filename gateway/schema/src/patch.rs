//! The three patches that change an object by a document: JSON (RFC 6902), merge (RFC 7386) and strategic merge.
//! Each is read once from the body and applied, again after a conflict, to the object in its wire form. Do not decode or
//! validate what comes out (`normal`).

use codec::go_json::general;
use codec::json::{self, Parsed, type_word};
use model::Status;
use model::json::{Key, Map, Value};
use model::status::Details;

mod json_patch;
mod merge;
mod strategic;

pub use json_patch::{JsonPatch, OPERATIONS_MAX};
pub use merge::MergePatch;
pub use strategic::StrategicPatch;

/// 422 as upstream answers a patch that does not fit the object: it keeps the reason to itself.
fn rejected() -> Status {
    Status::new(422, "Invalid", "the server rejected our request due to an error in our request").with_details(Details::default())
}

/// Reads a body as JSON. Upstream does not say what is wrong with one that is none.
fn document(body: &[u8]) -> Result<Parsed, Status> {
    json::parse(body).map_err(|_| Status::bad_request("invalid JSON patch"))
}

/// Reads a body that must be an object.
fn object(body: &[u8], prefix: &str) -> Result<(Map, Vec<String>), Status> {
    let Parsed { value, duplicates } = document(body)?;
    match value {
        Value::Object(map) => Ok((map, duplicates)),
        other => {
            let what = type_word(&other);
            Err(Status::bad_request(format!(
                "{prefix}json: cannot unmarshal {what} into Go value of type map[string]interface {{}}"
            )))
        }
    }
}

/// A value as Go's `%v` prints it: `map[a:1 b:[x y]]`. Upstream names a faulty patch that way.
pub fn go_print(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(is) => is.to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => general(float),
            _ => number.to_string(),
        },
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(go_print).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => go_print_map(map),
    }
}

fn go_print_map(map: &Map) -> String {
    let mut entries: Vec<(&Key, &Value)> = map.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    let entries: Vec<String> = entries.into_iter().map(|(key, value)| format!("{key}:{}", go_print(value))).collect();
    format!("map[{}]", entries.join(" "))
}
