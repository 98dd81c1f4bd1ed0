//! What is wrong with a field of an object, in upstream's words.
//! Follows `k8s.io/apimachinery/pkg/util/validation/field`. Decides nothing about any field.

use std::collections::HashSet;
use std::fmt;

use crate::json::Value;

/// Where a field is: `spec.containers[0].name`. A step that borrows the path it continues, so that a walk over an object
/// that has no faults allocates nothing; the text is made by [`std::fmt::Display`] when a fault is found.
///
/// A path borrows its parent, so bind every level that lives longer than a statement, or name several fields at once:
/// `spec.child("template.spec")`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Step<'a> {
    #[default]
    Root,
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> Path<'a> {
    /// A path that starts at a field.
    pub fn new(name: &'a str) -> Self {
        Self { parent: None, step: Step::Field(name) }
    }

    /// A field below, or several separated by dots.
    pub fn child<'b>(&'b self, name: &'b str) -> Path<'b> {
        self.step(Step::Field(name))
    }

    /// An element of a list.
    pub fn index(&self, index: usize) -> Path<'_> {
        self.step(Step::Index(index))
    }

    /// An entry of a map.
    pub fn key<'b>(&'b self, key: &'b str) -> Path<'b> {
        self.step(Step::Key(key))
    }

    fn step<'b>(&'b self, step: Step<'b>) -> Path<'b> {
        Path { parent: Some(self), step }
    }

    /// Whether nothing has been written yet, so that a field needs no dot before it.
    fn is_root(&self) -> bool {
        matches!(self.step, Step::Root)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.write(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            // Upstream takes a step without a name for a subscript, and has errors with such paths.
            Step::Field("") => f.write_str("[]"),
            Step::Field(name) if self.parent.is_none_or(Path::is_root) => f.write_str(name),
            Step::Field(name) => write!(f, ".{name}"),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{key}]"),
        }
    }
}

impl fmt::Display for Path<'_> {
    /// The root is `<nil>`, as upstream prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() { f.write_str("<nil>") } else { self.write(f) }
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
    /// How a text is spelt that is the value.
    pub spelling: Spelling,
}

/// How a text is spelt in a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// As Go quotes a string.
    #[default]
    Go,
    /// As JSON: that of a type of its own, or behind a pointer.
    Json,
}

impl Error {
    /// The message without the field, as causes carry it.
    pub fn body(&self) -> String {
        let words = self.fault.words();
        let mut body = match &self.value {
            Some(Value::String(text)) if self.spelling == Spelling::Go => format!("{words}: {}", quote(text)),
            Some(value @ Value::String(_)) => format!("{words}: {}", escape_html(&value.to_string())),
            Some(Value::Number(number)) if number.is_f64() => {
                format!("{words}: {}", go_float(number.as_f64().unwrap_or_default()))
            }
            Some(value @ (Value::Object(_) | Value::Array(_))) => format!("{words}: {}", escape_html(&value.to_string())),
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

/// Go's `unicode.IsPrint`, near enough: letters, marks, numbers, punctuation, symbols and the plain space. Characters that
/// no version of Unicode has assigned yet pass here.
pub fn is_printable(c: char) -> bool {
    let hidden = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' | '\u{f0000}'..);
    c == ' ' || !(hidden || c.is_control() || c.is_whitespace())
}

/// JSON as Go writes it: without what a browser would take for a tag.
fn escape_html(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// A floating point number as Go's `%v` prints it: from a million on, and below a ten-thousandth, with an exponent.
pub fn go_float(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-4..1e6).contains(&size) {
        return number.to_string();
    }
    // Rust writes `1e10`, Go `1e+10`, with at least two digits of exponent.
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
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
            c if !is_printable(c) && (c as u32) <= 0xffff => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if !is_printable(c) => out.push_str(&format!("\\U{:08x}", c as u32)),
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

    /// Says each fault once, where it was said first.
    pub fn unique(&mut self) {
        let mut seen = HashSet::new();
        self.0.retain(|error| seen.insert(error.to_string()));
    }

    /// Adds one fault.
    pub fn push(&mut self, fault: Fault, field: &Path, value: Option<Value>, detail: impl Into<String>) {
        self.0.push(Error { fault, field: field.to_string(), value, detail: detail.into(), spelling: Spelling::Go });
    }

    /// A value is malformed.
    pub fn invalid(&mut self, field: &Path, value: impl Into<Value>, detail: impl Into<String>) {
        self.push(Fault::Invalid, field, Some(value.into()), detail);
    }

    /// A text of a type of its own, or behind a pointer, has the wrong form.
    pub fn invalid_named(&mut self, field: &Path, value: impl Into<Value>, detail: impl Into<String>) {
        self.spelt(Spelling::Json, |errors| errors.invalid(field, value, detail));
    }

    /// What is told shows texts that are spelt like this.
    pub fn spelt(&mut self, spelling: Spelling, tell: impl FnOnce(&mut Self)) {
        let first = self.0.len();
        tell(self);
        self.0.iter_mut().skip(first).for_each(|error| error.spelling = spelling);
    }

    /// A value must be given.
    pub fn required(&mut self, field: &Path, detail: impl Into<String>) {
        self.push(Fault::Required, field, None, detail);
    }

    /// A value must be unique.
    pub fn duplicate(&mut self, field: &Path, value: impl Into<Value>) {
        self.push(Fault::Duplicate, field, Some(value.into()), "");
    }

    /// The same of a text of a type of its own, or behind a pointer.
    pub fn duplicate_named(&mut self, field: &Path, value: impl Into<Value>) {
        self.spelt(Spelling::Json, |errors| errors.duplicate(field, value));
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
        // What is chosen from a few texts is mostly of a type of its own.
        self.spelt(Spelling::Json, |errors| errors.push(Fault::NotSupported, field, Some(value.into()), detail));
    }

    /// The same of what upstream keeps as a plain string.
    pub fn not_supported_plain(&mut self, field: &Path, value: impl Into<Value>, supported: &[&str]) {
        self.spelt(Spelling::Go, |errors| errors.not_supported(field, value, supported));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_printed_is_escaped() {
        assert_eq!(
            quote("a\"\\\n\u{1}\u{7f}é\u{a0}\u{200b}\u{2028}\u{feff}😀\u{e0001}"),
            r#""a\"\\\n\x01\x7fé\u00a0\u200b\u2028\ufeff😀\U000e0001""#
        );
    }

    #[test]
    fn a_text_is_spelt_by_its_type() {
        let mut errors = Errors::new();
        let path = Path::new("a");
        errors.duplicate(&path, "<\u{1}");
        errors.duplicate_named(&path, "<\u{1}");
        errors.not_supported(&path, "<", &["b"]);
        errors.not_supported_plain(&path, "<", &["b"]);
        let told: Vec<String> = errors.0.iter().map(Error::body).collect();
        assert_eq!(
            told,
            [
                r#"Duplicate value: "<\x01""#,
                r#"Duplicate value: "\u003c\u0001""#,
                r#"Unsupported value: "\u003c": supported values: "b""#,
                r#"Unsupported value: "<": supported values: "b""#
            ]
        );
    }

    #[test]
    fn floating_point_prints_as_gos() {
        for (number, text) in
            [(5.0, "5"), (0.1, "0.1"), (1e5, "100000"), (1e6, "1e+06"), (1234567.5, "1.2345675e+06"), (1.5e-7, "1.5e-07")]
        {
            assert_eq!(go_float(number), text);
        }
    }

    #[test]
    fn a_path_prints_as_upstream_spells_it() {
        let root = Path::default();
        assert_eq!(root.to_string(), "<nil>");
        let spec = root.child("spec");
        let containers = spec.child("containers");
        let first = containers.index(0);
        assert_eq!(first.child("resources.limits").key("cpu").to_string(), "spec.containers[0].resources.limits[cpu]");
        assert_eq!(Path::new("metadata").child("labels").to_string(), "metadata.labels");
        assert_eq!(root.index(3).child("name").to_string(), "[3].name");
        assert_eq!(Path::new("").to_string(), "[]");
    }
}
