//! One step of a path into an object, its order, its spelling in `fieldsV1` and its spelling for people.
//! Follows `fieldpath/{element,serialize-pe}.go`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use codec::go_json;
use model::json::Value;

use super::value;

/// A name that is part of the type tables, or that came with an object.
pub(super) type Name = Cow<'static, str>;

/// One step of a path.
#[derive(Clone, Debug)]
pub enum Element {
    /// The member of a struct or map: `f:`.
    Field(Name),
    /// The item of a list with these key fields, which are sorted by name: `k:`.
    Key(Vec<(Name, Value)>),
    /// The item of a set that is this scalar: `v:`.
    Value(Box<Value>),
    /// An item by its place: `i:`.
    Index(i64),
}

impl Element {
    /// A field whose name came with an object.
    pub fn field(name: &str) -> Self {
        Self::Field(Cow::Owned(name.to_owned()))
    }

    /// The order of kinds of elements in a set.
    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }

    /// Reads a key of `fieldsV1`; nothing for a kind of element that a later version may know.
    ///
    /// # Errors
    /// Why the key is malformed.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, String> {
        let mut bytes = text.bytes();
        let (Some(kind), Some(separator)) = (bytes.next(), bytes.next()) else {
            return Err("key must be 2 characters long:".to_owned());
        };
        if separator != b':' {
            return Err(format!("missing colon: {text}"));
        }
        let rest = &text[2..];
        Ok(Some(match kind {
            b'f' => Self::field(rest),
            b'v' => Self::Value(Box::new(parse_json(rest)?)),
            b'k' => {
                let Value::Object(map) = parse_json(rest)? else { return Err(format!("expected an object: {rest}")) };
                let mut fields: Vec<(Name, Value)> =
                    map.into_iter().map(|(key, value)| (Cow::Owned(key.into()), value)).collect();
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                Self::Key(fields)
            }
            b'i' => Self::Index(rest.parse().map_err(|_| format!("strconv.Atoi: parsing {rest:?}: invalid syntax"))?),
            _ => return Ok(None),
        }))
    }

    /// Its spelling as a key of `fieldsV1`.
    pub(super) fn spelling(&self) -> String {
        let mut out = Vec::with_capacity(24);
        match self {
            Self::Field(name) => {
                out.extend_from_slice(b"f:");
                out.extend_from_slice(name.as_bytes());
            }
            Self::Key(fields) => {
                out.extend_from_slice(b"k:{");
                for (i, (name, value)) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    go_json::write_string(name, &mut out);
                    out.push(b':');
                    go_json::write_sorted(value, &mut out);
                }
                out.push(b'}');
            }
            Self::Value(value) => {
                out.extend_from_slice(b"v:");
                go_json::write_sorted(value, &mut out);
            }
            Self::Index(at) => {
                out.extend_from_slice(b"i:");
                go_json::write_int(*at, &mut out);
            }
        }
        // Names are text and JSON is.
        String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

fn parse_json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

impl Ord for Element {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(a), Self::Field(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Self::Key(a), Self::Key(b)) => {
                let fields = |((x, a), (y, b)): (&(Name, Value), &(Name, Value))| x.cmp(y).then_with(|| value::compare(a, b));
                let unequal = a.iter().zip(b).map(fields).find(|order| order.is_ne());
                unequal.unwrap_or_else(|| a.len().cmp(&b.len()))
            }
            (Self::Value(a), Self::Value(b)) => value::compare(a, b),
            (Self::Index(a), Self::Index(b)) => a.cmp(b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}

impl PartialOrd for Element {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Element {}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(fields) => {
                let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", value::text(value))).collect();
                write!(f, "[{}]", fields.join(","))
            }
            Self::Value(value) => write!(f, "[={}]", value::text(value)),
            Self::Index(at) => write!(f, "[{at}]"),
        }
    }
}
