//! Writes OpenAPI documents as the protobuf messages of `github.com/google/gnostic-models`: which of its messages stands where
//! is a table for each version of OpenAPI; this walks them. Follows what its `ParseDocument` reads out of JSON, keys in the
//! order of the document; what upstream never publishes (links, callbacks, OAuth) is in neither table.

mod v2;
mod v3;

pub(super) use v2::DOCUMENT as V2;
pub(super) use v3::DOCUMENT as V3;

use codec::yaml;
use model::json::{Map, Value};

/// A message: its fields by ascending number.
pub(super) struct Message(&'static [Field]);

/// A member of a JSON object and the field that holds it; keys that stand for many members are empty.
struct Field {
    key: &'static str,
    number: u32,
    kind: Kind,
}

/// How a value is held.
enum Kind {
    Text,
    /// Several texts; one stands for a list of it.
    Texts,
    Bool,
    Int,
    Double,
    /// Whatever it is, as YAML.
    Any,
    /// Several of those.
    Anys,
    One(&'static Message),
    Many(&'static Message),
    /// One of several messages, in as many as say which it is.
    OneOf(fn(&Value) -> Choice),
    /// Several of those.
    ManyOf(fn(&Value) -> Choice),
    /// Every member `x-…`, each named.
    Extensions,
    /// Every other member, each named.
    Members(&'static Kind),
}

/// The message that a value is, and the fields around it from the outermost on.
struct Choice {
    around: &'static [u32],
    of: Chosen,
}

enum Chosen {
    Message(&'static Message),
    /// A field of a choice is there even when it is zero.
    Bool(u32),
    Double(u32),
    Text(u32),
    /// A list, or one that stands for a list of it.
    Texts(u32),
    Nothing,
}

impl Choice {
    const fn message(around: &'static [u32], message: &'static Message) -> Self {
        Self { around, of: Chosen::Message(message) }
    }

    const fn scalar(of: Chosen) -> Self {
        Self { around: &[], of }
    }
}

const fn field(key: &'static str, number: u32, kind: Kind) -> Field {
    Field { key, number, kind }
}

/// The fields of a `Named…` message and of `Any`.
const NAME: u32 = 1;
const VALUE: u32 = 2;
const YAML: u32 = 2;

/// A document as a message.
pub(super) fn encode(message: &Message, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let empty = Map::new();
    let map = value.as_object().unwrap_or(&empty);
    for field in message.0 {
        match (&field.kind, map.get(field.key)) {
            (Kind::Extensions, _) => {
                for (key, value) in map.iter().filter(|(key, _)| key.starts_with("x-")) {
                    named(field.number, key, &any(value), &mut out);
                }
            }
            (Kind::Members(kind), _) => {
                for (key, value) in map.iter().filter(|(key, _)| message.is_member(key)) {
                    let mut held = Vec::new();
                    one(VALUE, kind, value, &mut held);
                    named_raw(field.number, key, &held, &mut out);
                }
            }
            (kind, Some(value)) => one(field.number, kind, value, &mut out),
            (_, None) => {}
        }
    }
    out
}

impl Message {
    /// Whether a key is none of the fields' own. Where extensions are told apart they are no members.
    fn is_member(&self, key: &str) -> bool {
        self.0.iter().all(|field| match field.kind {
            Kind::Extensions => !key.starts_with("x-"),
            Kind::Members(_) => true,
            _ => field.key != key,
        })
    }
}

fn one(number: u32, kind: &Kind, value: &Value, out: &mut Vec<u8>) {
    match kind {
        Kind::Text => text(number, value.as_str().unwrap_or(""), out),
        Kind::Texts => each(value, |item| bytes(number, item.as_str().unwrap_or("").as_bytes(), out)),
        Kind::Bool if value == &Value::Bool(true) => boolean(number, true, out),
        Kind::Bool => {}
        Kind::Int => match value.as_i64().unwrap_or(0) {
            0 => {}
            int => {
                varint(u64::from(number) << 3, out);
                varint(int.cast_unsigned(), out);
            }
        },
        Kind::Double => match value.as_f64().unwrap_or(0.0) {
            0.0 => {}
            float => double(number, float, out),
        },
        Kind::Any => bytes(number, &any(value), out),
        Kind::Anys => each(value, |item| bytes(number, &any(item), out)),
        Kind::One(message) => bytes(number, &encode(message, value), out),
        Kind::Many(message) => each(value, |item| bytes(number, &encode(message, item), out)),
        Kind::OneOf(choose) => bytes(number, &chosen(&choose(value), value), out),
        Kind::ManyOf(choose) => each(value, |item| bytes(number, &chosen(&choose(item), item), out)),
        // These stand for members, not for a value.
        Kind::Extensions | Kind::Members(_) => {}
    }
}

fn each(value: &Value, mut write: impl FnMut(&Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(write),
        single => write(single),
    }
}

fn chosen(choice: &Choice, value: &Value) -> Vec<u8> {
    let mut held = Vec::new();
    match choice.of {
        Chosen::Message(message) => held = encode(message, value),
        Chosen::Bool(number) => boolean(number, value.as_bool().unwrap_or(false), &mut held),
        Chosen::Double(number) => double(number, value.as_f64().unwrap_or(0.0), &mut held),
        Chosen::Text(number) => bytes(number, value.as_str().unwrap_or("").as_bytes(), &mut held),
        Chosen::Texts(number) => each(value, |item| bytes(number, item.as_str().unwrap_or("").as_bytes(), &mut held)),
        Chosen::Nothing => {}
    }
    for number in choice.around.iter().rev() {
        let mut outer = Vec::with_capacity(held.len() + 8);
        bytes(*number, &held, &mut outer);
        held = outer;
    }
    held
}

fn any(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    bytes(YAML, yaml::print_node(value).as_bytes(), &mut out);
    out
}

/// A member with its name; `value` is a message.
fn named(number: u32, name: &str, value: &[u8], out: &mut Vec<u8>) {
    let mut held = Vec::new();
    bytes(VALUE, value, &mut held);
    named_raw(number, name, &held, out);
}

/// The same where the field of the value is written already.
fn named_raw(number: u32, name: &str, value: &[u8], out: &mut Vec<u8>) {
    let mut held = Vec::with_capacity(name.len() + value.len() + 8);
    text(NAME, name, &mut held);
    held.extend_from_slice(value);
    bytes(number, &held, out);
}

/// Proto3 leaves zero values out.
fn text(number: u32, text: &str, out: &mut Vec<u8>) {
    if !text.is_empty() {
        bytes(number, text.as_bytes(), out);
    }
}

fn bytes(number: u32, value: &[u8], out: &mut Vec<u8>) {
    varint(u64::from(number) << 3 | 2, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

fn boolean(number: u32, value: bool, out: &mut Vec<u8>) {
    varint(u64::from(number) << 3, out);
    out.push(u8::from(value));
}

fn double(number: u32, value: f64, out: &mut Vec<u8>) {
    varint(u64::from(number) << 3 | 1, out);
    out.extend_from_slice(&value.to_le_bytes());
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
