//! What is wrong with a field of an object, in upstream's words.
//! Follows `k8s.io/apimachinery/pkg/util/validation/field`. Decides nothing about any field.

use std::fmt;

use serde_json::Value;

/// Where a field is: `spec.containers[0].name`. Cheap to extend; built only as deep as the walk goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// A path that starts at a field.
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// A field below.
    pub fn child(&self, name: &str) -> Self {
        Self(if self.0.is_empty() { name.to_owned() } else { format!("{}.{name}", self.0) })
    }

    /// An element of a list.
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// An entry of a map.
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }

    /// The path in text; the root is `<nil>`, as upstream prints it.
    pub fn as_str(&self) -> &str {
        if self.0.is_empty() { "<nil>" } else { &self.0 }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The kinds of fault that upstream distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A referenced value does not exist.
    NotFound,
    /// A value must be given.
    Required,
    /// A value must be unique and is not.
    Duplicate,
    /// A value is malformed.
    Invalid,
    /// A value is not one of a known set.
    NotSupported,
    /// A value is well-formed but not permitted here.
    Forbidden,
    /// A value is too long.
    TooLong,
    /// A list has too many items.
    TooMany,
    /// A list has too few items.
    TooFew,
    /// The check itself failed.
    Internal,
    /// A value is of the wrong type.
    TypeInvalid,
    /// A value is too short.
    TooShort,
}

impl Fault {
    /// The `reason` of a cause in `Status.details`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::TooFew => "FieldValueTooFew",
            Self::Internal => "InternalError",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::TooShort => "FieldValueTooShort",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::TooFew => "Too few",
            Self::Internal => "Internal error",
            Self::TooShort => "Too short",
        }
    }
}

/// One fault of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// What is wrong.
    pub fault: Fault,
    /// Where.
    pub field: String,
    /// The offending value, where upstream shows it.
    pub value: Option<Value>,
    /// What would be right.
    pub detail: String,
}

impl Error {
    /// The message without the field, as causes carry it.
    pub fn body(&self) -> String {
        let words = self.fault.words();
        let mut body = match &self.value {
            Some(Value::String(text)) => format!("{words}: {}", quote(text)),
            Some(value) => format!("{words}: {value}"),
            None => words.to_owned(),
        };
        if !self.detail.is_empty() {
            body.push_str(": ");
            body.push_str(&self.detail);
        }
        body
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

/// A string as Go's `%q` prints it.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The faults found so far, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Errors(pub Vec<Error>);

impl Errors {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one fault.
    pub fn push(&mut self, fault: Fault, field: &Path, value: Option<Value>, detail: impl Into<String>) {
        self.0.push(Error { fault, field: field.to_string(), value, detail: detail.into() });
    }

    /// A value is malformed.
    pub fn invalid(&mut self, field: &Path, value: impl Into<Value>, detail: impl Into<String>) {
        self.push(Fault::Invalid, field, Some(value.into()), detail);
    }

    /// A value must be given.
    pub fn required(&mut self, field: &Path, detail: impl Into<String>) {
        self.push(Fault::Required, field, None, detail);
    }

    /// A value must be unique.
    pub fn duplicate(&mut self, field: &Path, value: impl Into<Value>) {
        self.push(Fault::Duplicate, field, Some(value.into()), "");
    }

    /// A value is not permitted here.
    pub fn forbidden(&mut self, field: &Path, detail: impl Into<String>) {
        self.push(Fault::Forbidden, field, None, detail);
    }

    /// A referenced value does not exist.
    pub fn not_found(&mut self, field: &Path, value: impl Into<Value>) {
        self.push(Fault::NotFound, field, Some(value.into()), "");
    }

    /// The check itself failed.
    pub fn internal(&mut self, field: &Path, detail: impl Into<String>) {
        self.push(Fault::Internal, field, None, detail);
    }

    /// A value is of the wrong type.
    pub fn type_invalid(&mut self, field: &Path, value: impl Into<Value>, detail: impl Into<String>) {
        self.push(Fault::TypeInvalid, field, Some(value.into()), detail);
    }

    /// A value is not one of `supported`, which are listed in the order given (upstream's `sets.List` sorts first).
    pub fn not_supported(&mut self, field: &Path, value: impl Into<Value>, supported: &[&str]) {
        let detail = if supported.is_empty() {
            String::new()
        } else {
            let quoted: Vec<String> = supported.iter().map(|s| quote(s)).collect();
            format!("supported values: {}", quoted.join(", "))
        };
        self.push(Fault::NotSupported, field, Some(value.into()), detail);
    }

    /// A value has more than `max` bytes.
    pub fn too_long(&mut self, field: &Path, max: usize) {
        let unit = if max == 1 { "byte" } else { "bytes" };
        self.push(Fault::TooLong, field, None, format!("may not be more than {max} {unit}"));
    }

    /// A value has more than `max` characters.
    pub fn too_long_characters(&mut self, field: &Path, max: usize) {
        let unit = if max == 1 { "character" } else { "characters" };
        self.push(Fault::TooLong, field, None, format!("may not be more than {max} {unit}"));
    }

    /// A list has more than `max` items.
    pub fn too_many(&mut self, field: &Path, actual: usize, max: usize) {
        let unit = if max == 1 { "item" } else { "items" };
        self.push(Fault::TooMany, field, Some(actual.into()), format!("must have at most {max} {unit}"));
    }

    /// A list has fewer than `min` items.
    pub fn too_few(&mut self, field: &Path, actual: usize, min: usize) {
        let unit = if min == 1 { "item" } else { "items" };
        self.push(Fault::TooFew, field, Some(actual.into()), format!("must have at least {min} {unit}"));
    }
}
