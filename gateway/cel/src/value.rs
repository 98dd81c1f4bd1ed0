//! Values while a program runs: borrowed from JSON where they come from there, made where an expression makes them.
//! Follows `k8s.io/apiserver/pkg/cel/common` for declared data and cel-go's `common/types` for the rest.

pub(crate) mod convert;
pub(crate) mod equal;
pub(crate) mod list;
pub(crate) mod map;
mod members;

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use model::json::Value as Json;

pub(crate) use self::list::List;
pub(crate) use self::map::{Made, Map};
pub(crate) use self::members::Members;
use crate::composition;
use crate::decl::Decl;
use crate::library::opaque::Opaque;
pub(crate) use crate::library::patch::Message;
use crate::library::time;
use crate::program::Error;

/// A value, or why there is none.
pub(crate) type Outcome<'a> = Result<Value<'a>, Error>;

/// A value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number with a sign
    Int(i64),
    /// A number without
    Uint(u64),
    /// A floating point number
    Double(f64),
    /// Text
    String(Text<'a>),
    /// Bytes
    Bytes(Arc<[u8]>),
    /// A moment
    Timestamp(Timestamp),
    /// A span of time in nanoseconds
    Duration(i64),
    /// A list
    List(List<'a>),
    /// A map or an object
    Map(Map<'a>),
    /// An optional value
    Optional(Option<Arc<Value<'a>>>),
    /// A type, by its name
    Type(Text<'a>),
    /// A value of one of Kubernetes' libraries
    Opaque(Arc<Opaque>),
    /// An object or a patch that an expression makes
    Message(Arc<Message<'a>>),
    /// The composed variables, which are evaluated when they are asked for
    Variables,
    /// A preserved value without a type, which can only be compared
    Preserved(&'a Json),
    /// Data that does not fit its declaration; looking at it is an error
    Invalid(Arc<str>),
}

/// Text that is borrowed where it can be.
#[derive(Clone, Debug)]
pub enum Text<'a> {
    /// From the data.
    Borrowed(&'a str),
    /// Made by an expression.
    Shared(Arc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self::Shared(text.into())
    }
}

/// A moment: seconds since 1970 and nanoseconds after them.
/// Moments compare by when they are; in which zone they were written only shows where they are printed.
#[derive(Clone, Copy, Debug)]
pub struct Timestamp {
    /// Whole seconds.
    pub seconds: i64,
    /// Nanoseconds, less than a second.
    pub nanos: u32,
    /// Seconds east of UTC, as it was written.
    pub offset_s: i32,
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Timestamp {}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.seconds, self.nanos).cmp(&(other.seconds, other.nanos))
    }
}

impl<'a> Value<'a> {
    /// JSON as its declaration says. What lists and objects hold is not looked at before an expression does.
    pub fn declared(json: &'a Json, decl: &'a Decl) -> Self {
        match convert::declared(json, decl) {
            Ok(value) => value,
            Err(error) => Self::Invalid(error.to_string().into()),
        }
    }

    /// `optional.of(value)` or `optional.none()`.
    pub fn optional(value: Option<Value<'a>>) -> Self {
        Self::Optional(value.map(Arc::new))
    }

    /// The text, where the value is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth, where the value is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The value as a literal with its type, for logs and tests: `"text"`, `2u`, `[1, 2]`, `{"a": 1}`, `net.IP 10.0.0.1`.
    pub fn to_literal(&self) -> String {
        let all = |items: Vec<String>| items.join(", ");
        match self {
            Self::String(text) => crate::library::quote(text),
            Self::Bytes(bytes) => bytes.iter().fold("b".to_owned(), |out, byte| out + &format!("{byte:02x}")),
            Self::Uint(number) => format!("{number}u"),
            Self::Double(_) => format!("double {self}"),
            Self::Timestamp(_) => format!("{} {self}", self.type_name()),
            Self::Duration(nanos) => format!("{} {}", self.type_name(), time::format_seconds(*nanos)),
            Self::Optional(Some(inner)) => format!("optional({})", inner.to_literal()),
            Self::List(list) => {
                let shown = |item: Outcome<'_>| item.map_or_else(|error| error.to_string(), |item| item.to_literal());
                format!("[{}]", all(list.iter().map(shown).collect()))
            }
            Self::Map(map) => {
                let value = |key: &Value<'_>| map.find_any(key).map_or_else(String::new, |value| value.to_literal());
                let mut entries: Vec<String> =
                    map.keys().iter().map(|key| format!("{}: {}", key.to_literal(), value(key))).collect();
                entries.sort();
                format!("{{{}}}", all(entries))
            }
            Self::Type(name) => format!("type {}", &**name),
            Self::Opaque(_) => format!("{} {self}", self.type_name()),
            other => other.to_string(),
        }
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::String(Text::from(text.into()))
    }

    pub(crate) fn list(items: Vec<Value<'a>>) -> Self {
        Self::List(List::Made(Arc::new(items)))
    }

    /// The value, unless it is data that does not fit.
    pub(crate) fn checked(self) -> Outcome<'a> {
        match self {
            Self::Invalid(message) => Err(Error::Failed(message.to_string())),
            value => Ok(value),
        }
    }

    /// The name of its type while it runs.
    pub(crate) fn type_name(&self) -> &str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Optional(_) => "optional_type",
            Self::Type(_) => "type",
            Self::Opaque(opaque) => opaque.type_name(),
            Self::Message(message) => &message.name,
            Self::Variables => composition::VARIABLES_TYPE,
            Self::Preserved(_) => "unknown",
            Self::Invalid(_) => "error",
        }
    }

    /// What `size` says, where the value has one.
    pub(crate) fn size(&self) -> Option<u64> {
        Some(match self {
            Self::String(text) => text.chars().count() as u64,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::List(list) => list.len() as u64,
            Self::Map(map) => map.len() as u64,
            Self::Opaque(opaque) => return opaque.size(),
            _ => return None,
        })
    }
}

/// As Go's `%v` shows values in messages.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Uint(number) => write!(f, "{number}"),
            Self::Double(number) => f.write_str(&crate::library::number::go_float(*number)),
            Self::String(text) | Self::Type(text) => f.write_str(text),
            Self::Bytes(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
            Self::Timestamp(moment) => f.write_str(&time::format_timestamp(*moment)),
            Self::Duration(nanos) => f.write_str(&model::time::format_duration(*nanos)),
            Self::List(list) => {
                f.write_str("[")?;
                for (i, item) in list.iter().enumerate() {
                    match item {
                        Ok(item) => write!(f, "{}{item}", if i == 0 { "" } else { ", " })?,
                        Err(error) => write!(f, "{error}")?,
                    }
                }
                f.write_str("]")
            }
            Self::Map(_) => f.write_str("{...}"),
            Self::Optional(None) => f.write_str("optional.none()"),
            Self::Optional(Some(inner)) => write!(f, "optional({inner})"),
            Self::Opaque(opaque) => write!(f, "{opaque}"),
            Self::Message(message) => write!(f, "{}{{...}}", message.name),
            Self::Variables => f.write_str("{...}"),
            Self::Preserved(json) => write!(f, "{json}"),
            Self::Invalid(message) => f.write_str(message),
        }
    }
}
