//! What the validator says, in upstream's words, and how it becomes field errors.
//! Decides nothing about values.

use std::fmt::{self, Display};

use model::field::{Error, Errors, Fault, Path, Spelling, quote};
use model::json::Value;

use crate::structural::shown::{json, shown};

/// Where the walk is. A named property of the root has no dot before it, an entry of a map has.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    Root,
    Property(&'a At<'a>, &'a str),
    Entry(&'a At<'a>, &'a str),
    Index(&'a At<'a>, usize),
}

impl Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Property(Self::Root, name) => f.write_str(name),
            Self::Property(parent, name) | Self::Entry(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

impl At<'_> {
    pub(super) fn quoted(&self) -> String {
        quote(&self.to_string())
    }
}

/// One complaint.
#[derive(Debug)]
pub(super) struct Said {
    /// Where; empty for complaints about the whole.
    name: String,
    fault: Fault,
    value: Option<Value>,
    /// The whole sentence; equal sentences are said once.
    message: String,
    /// What the field error says, where it is not the sentence.
    detail: Option<String>,
}

impl Said {
    fn new(at: &At<'_>, fault: Fault, value: Option<Value>, words: &str) -> Self {
        let name = at.to_string();
        let message = format!("{name} in body {words}");
        Self { name, fault, value, message, detail: None }
    }

    pub(super) fn wrong_type(at: &At<'_>, expected: &str, found: &str) -> Self {
        Self::new(at, Fault::TypeInvalid, Some(found.into()), &format!("must be of type {expected}: {}", quote(found)))
    }

    pub(super) fn invalid(at: &At<'_>, value: Value, words: String) -> Self {
        Self::new(at, Fault::Invalid, Some(value), &words)
    }

    pub(super) fn required(at: &At<'_>) -> Self {
        Self { detail: Some(String::new()), ..Self::new(at, Fault::Required, None, "is required") }
    }

    pub(super) fn too_long(at: &At<'_>, max: i64) -> Self {
        let unit = if max == 1 { "byte" } else { "bytes" };
        let detail = if max < 0 { "value is too long".to_owned() } else { format!("may not be more than {max} {unit}") };
        Self { detail: Some(detail), ..Self::new(at, Fault::TooLong, None, &format!("should be at most {max} chars long")) }
    }

    pub(super) fn too_many(at: &At<'_>, actual: i64, max: i64, what: &str) -> Self {
        let unit = if max == 1 { "item" } else { "items" };
        let detail = if max < 0 { "has too many items".to_owned() } else { format!("must have at most {max} {unit}") };
        let said = Self::new(at, Fault::TooMany, Some(actual.into()), &format!("should have at most {max} {what}"));
        Self { detail: Some(detail), ..said }
    }

    pub(super) fn not_supported(at: &At<'_>, value: &Value, allowed: &[Value]) -> Self {
        let quoted = allowed.iter().map(|allowed| match allowed {
            Value::String(text) => quote(text),
            other => quote(&json(other).to_string()),
        });
        let detail = format!("supported values: {}", quoted.collect::<Vec<_>>().join(", "));
        let words = format!("should be one of {allowed:?}");
        Self { detail: Some(detail), ..Self::new(at, Fault::NotSupported, Some(value.clone()), &words) }
    }

    pub(super) fn not_allowed(at: &At<'_>, name: &str) -> Self {
        let message = format!("{at}.{name} in body is a forbidden property");
        Self { name: at.to_string(), fault: Fault::Invalid, value: Some(name.into()), message, detail: None }
    }

    pub(super) fn positive(at: &At<'_>, factor: Value, shown: &str) -> Self {
        let name = at.to_string();
        let message = format!("factor MultipleOf declared for {name} must be positive: {shown}");
        Self { name, fault: Fault::Invalid, value: Some(factor), message, detail: None }
    }

    /// A complaint that upstream does not place.
    pub(super) fn bare(message: String) -> Self {
        Self { name: String::new(), fault: Fault::Invalid, value: Some("".into()), message, detail: None }
    }

    fn into_error(self, root: &Path<'_>) -> Error {
        let name = self.name.strip_prefix('.').unwrap_or(&self.name);
        let field = if name.is_empty() { root.to_string() } else { root.child(name).to_string() };
        let detail = self.detail.unwrap_or(self.message);
        Error { fault: self.fault, field, value: self.value.map(|v| shown(&v)), detail, spelling: Spelling::Go }
    }
}

/// What was said of a value, and how many checks it passed, by which alternatives are compared.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    said: Vec<Said>,
    pub(super) matches: usize,
    /// Whether what is judged is a default.
    pub(super) of_default: bool,
}

impl Outcome {
    /// Nothing yet, of a default.
    pub(super) fn of_default() -> Self {
        Self { of_default: true, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.said.len()
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.said.truncate(len);
    }

    pub(super) fn count(&mut self, checks: usize) {
        self.matches += checks;
    }

    pub(super) fn say(&mut self, said: Said) {
        self.said.push(said);
    }

    pub(super) fn extend(&mut self, said: Option<Said>) {
        self.said.extend(said);
    }

    pub(super) fn merge(&mut self, other: Outcome) {
        self.said.extend(other.said);
        self.matches += other.matches;
    }

    /// The field errors below a path, equal sentences once.
    pub(crate) fn report(self, root: &Path<'_>, errors: &mut Errors) {
        let mut seen = std::collections::HashSet::new();
        for said in self.said {
            if seen.insert(said.message.clone()) {
                errors.0.push(said.into_error(root));
            }
        }
    }
}
