//! Reads JSON as Go does: the same syntax errors, integers apart from floats, broken UTF-8 replaced; and finds duplicate
//! fields as upstream's strict decoding reports them. Follows Go's `encoding/json` scanner and `sigs.k8s.io/json`.
//! Does not know which fields exist (`schema`).

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::OnceLock;

use model::json::{Map, Number, Value};

mod scan;
#[cfg(test)]
mod tests;

use scan::Scanner;

/// How deep values may nest. Go allows 10,000 and has growing stacks; here every walk over a value recurses on a thread's
/// fixed stack, and `serde_json`'s readers, which meet the same objects later (some inside an envelope), stop at 128.
/// Real objects stay far below: the schemas of large CRDs reach about 70.
pub const DEPTH_MAX: usize = 120;
/// As many strict-decoding errors as upstream collects.
pub const STRICT_ERRORS_MAX: usize = 100;

/// Why a text is no JSON; the display is Go's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// A value and what strict decoding holds against it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The value, document order kept; of duplicate fields the last one.
    pub value: Value,
    /// `duplicate field "spec.foo"`, in document order.
    pub duplicates: Vec<String>,
}

/// Reads one JSON value and nothing after it. Fails with Go's words.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Error> {
    match parse_past_numbers(bytes)? {
        (parsed, None) => Ok(parsed),
        (_, Some(beyond)) => Err(beyond),
    }
}

/// The same, and what is wrong with the first number that no float holds: where no type is known yet, Go reads past it. In its
/// place stands the largest float.
pub fn parse_past_numbers(bytes: &[u8]) -> Result<(Parsed, Option<Error>), Error> {
    let mut reader = Reader::new(bytes);
    let value = reader.whole()?;
    Ok((Parsed { value, duplicates: reader.duplicates }, reader.beyond))
}

/// Strict errors about a text, of duplicate and of unknown fields, in the order in which a reader meets their causes.
pub fn in_document_order<'a>(bytes: &[u8], faults: &[&'a str]) -> Vec<&'a str> {
    let mut reader = Reader { met: Some(Vec::new()), ..Reader::new(bytes) };
    // It was read before.
    drop(reader.whole());
    let met = reader.met.unwrap_or_default();
    let mut ordered = faults.to_vec();
    ordered.sort_by_key(|fault| met.iter().position(|met| met == fault).unwrap_or(usize::MAX));
    ordered
}

/// Joins what one field held before with what it holds when it comes again. Gets the way to the field, each step a name or
/// the position of an element.
pub type Join<'a> = &'a dyn Fn(&[String], Value, Value) -> Value;

/// Reads a text once more of which [`parse`] told that fields come again, and has each of them joined with what it held.
/// Fails with Go's words.
pub fn parse_joining(bytes: &[u8], join: Join<'_>) -> Result<Value, Error> {
    let mut reader = Reader { repeats: Some(Repeats { join, steps: Vec::new() }), ..Reader::new(bytes) };
    reader.whole()
}

/// Bytes that paths and spellings may take up. Each number has its whole path, so that a text of long names and many numbers would
/// take up many times its own size; beyond it numbers are told of as they are printed.
const SPELLINGS_BYTES_MAX: usize = 1 << 20;

/// The numbers of a text that it spells otherwise than they are printed: `1e2`, `1.50`, `-0`. It is looked through when somebody
/// first asks: hardly anybody does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spellings<'a> {
    text: Cow<'a, [u8]>,
    found: OnceLock<Spelt>,
}

impl<'a> Spellings<'a> {
    /// Of a text that was read before.
    pub fn of(text: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { text: text.into(), found: OnceLock::new() }
    }

    /// How the number at a path (`spec.containers[0].x`) is spelt, where that is not how it is printed.
    pub fn at(&self, path: &str) -> Option<String> {
        self.found.get_or_init(|| Spelt::of(&self.text)).at.get(path).cloned()
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
struct Spelt {
    at: HashMap<String, String>,
    bytes: usize,
}

impl Spelt {
    fn of(text: &[u8]) -> Self {
        let mut reader = Reader { spelt: Some(Self::default()), ..Reader::new(text) };
        drop(reader.whole());
        reader.spelt.unwrap_or_default()
    }

    fn note(&mut self, path: &str, text: &str) {
        let bytes = self.bytes + path.len() + text.len();
        if bytes <= SPELLINGS_BYTES_MAX && (text == "-0" || text.parse::<i64>().is_err()) {
            self.at.insert(path.to_owned(), text.to_owned());
            self.bytes = bytes;
        }
    }
}

/// `apiVersion` and `kind` of a body. Fails with upstream's words when they are no strings or the body is no object.
/// Upstream: `runtime/serializer/json/meta.go`.
pub fn interpret(value: &Value) -> Result<(&str, &str), String> {
    let fault = |what: &str| format!("couldn't get version/kind; json parse error: json: cannot unmarshal {what}");
    let map = match value {
        Value::Object(map) => map,
        Value::Null => return Ok(("", "")),
        other => {
            return Err(fault(&format!(
                "{} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}",
                type_word(other)
            )));
        }
    };
    let (mut api_version, mut kind) = ("", "");
    for (name, value) in map {
        let (field, said) = match folded(name) {
            Some(Said::ApiVersion) => ("apiVersion", &mut api_version),
            Some(Said::Kind) => ("kind", &mut kind),
            None => continue,
        };
        match value {
            Value::Null => {}
            Value::String(text) => *said = text.as_str(),
            other => return Err(fault(&format!("{} into Go struct field .{field} of type string", type_word(other)))),
        }
    }
    Ok((api_version, kind))
}

enum Said {
    ApiVersion,
    Kind,
}

/// Which of the two a name is to Go, whose library of JSON takes letters of either case for this, and signs that fold to them.
fn folded(name: &str) -> Option<Said> {
    let is = |field: &str| {
        let mut letters = name.chars().map(|c| match c {
            '\u{212a}' => 'k',
            '\u{17f}' => 's',
            c => c.to_ascii_lowercase(),
        });
        field.chars().all(|c| letters.next() == Some(c)) && letters.next().is_none()
    };
    // The longest spelling of a letter has three bytes.
    match name.len() {
        4..=6 if is("kind") => Some(Said::Kind),
        10..=11 if is("apiversion") => Some(Said::ApiVersion),
        _ => None,
    }
}

/// Go's word for the type of a JSON value.
pub fn type_word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Go's `json.Unmarshal` into a list of structs, and its words when that fails. What lies within a struct is not looked at.
///
/// # Errors
/// It is no JSON, no list, or holds what is no object.
pub fn structs(text: &str, of: &str) -> Result<Vec<Value>, String> {
    let fault =
        |value: &Value, list: &str| format!("json: cannot unmarshal {} into Go value of type {list}{of}", type_word(value));
    let list = match parse(text.as_bytes()).map_err(|why| why.to_string())?.value {
        Value::Array(list) => list,
        Value::Null => return Ok(Vec::new()),
        other => return Err(fault(&other, "[]")),
    };
    let element = |value: Value| match value {
        Value::Object(_) => Ok(value),
        Value::Null => Ok(Value::Object(Map::new())),
        other => Err(fault(&other, "")),
    };
    list.into_iter().map(element).collect()
}

fn invalid(b: u8, context: &str) -> Error {
    Error(format!("invalid character {} {context}", scan::quote_byte(b)))
}

fn unexpected_end() -> Error {
    Error("unexpected end of JSON input".to_owned())
}

struct Reader<'a> {
    scanner: Scanner<'a>,
    /// Where the reader is, as strict errors spell it: `spec.containers[0]`.
    path: String,
    duplicates: Vec<String>,
    /// What is wrong with the first number that no float holds.
    beyond: Option<Error>,
    depth: usize,
    /// Every fault that strict decoding may find, in the order of the text; only where somebody asks.
    met: Option<Vec<String>>,
    /// What becomes of fields that come again, where not the last one stays.
    repeats: Option<Repeats<'a>>,
    /// Numbers that are spelt oddly; only where somebody asks.
    spelt: Option<Spelt>,
}

struct Repeats<'a> {
    join: Join<'a>,
    /// Where the reader is.
    steps: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let scanner = Scanner::new(bytes);
        Self {
            scanner,
            path: String::new(),
            duplicates: Vec::new(),
            beyond: None,
            depth: 0,
            met: None,
            repeats: None,
            spelt: None,
        }
    }

    fn whole(&mut self) -> Result<Value, Error> {
        self.scanner.skip_space();
        let value = self.value()?;
        self.scanner.skip_space();
        match self.scanner.peek() {
            Some(b) => Err(invalid(b, "after top-level value")),
            None => Ok(value),
        }
    }

    fn value(&mut self) -> Result<Value, Error> {
        match self.scanner.peek() {
            None => Err(unexpected_end()),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Value::String(self.scanner.string()?.into_owned())),
            Some(b't') => self.scanner.literal("true").map(|()| Value::Bool(true)),
            Some(b'f') => self.scanner.literal("false").map(|()| Value::Bool(false)),
            Some(b'n') => self.scanner.literal("null").map(|()| Value::Null),
            Some(b'-' | b'0'..=b'9') => {
                let text = self.scanner.number()?;
                if let Some(spelt) = &mut self.spelt {
                    spelt.note(&self.path, text);
                }
                Ok(number(text).unwrap_or_else(|| {
                    let why = || Error(format!("json: cannot unmarshal number {text} into Go value of type float64"));
                    self.beyond.get_or_insert_with(why);
                    f64::MAX.into()
                }))
            }
            Some(b) => Err(invalid(b, "looking for beginning of value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Error>) -> Result<Value, Error> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Error("exceeded max depth".to_owned()));
        }
        self.scanner.advance();
        self.scanner.skip_space();
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn array(&mut self) -> Result<Value, Error> {
        let mut items = Vec::new();
        if self.scanner.take(b']') {
            return Ok(Value::Array(items));
        }
        let path = self.path.len();
        loop {
            // Writing to a string cannot fail.
            let _ = write!(self.path, "[{}]", items.len());
            self.step(|| items.len().to_string());
            items.push(self.value()?);
            self.step_back();
            self.path.truncate(path);
            self.scanner.skip_space();
            match self.scanner.next() {
                Some(b',') => self.scanner.skip_space(),
                Some(b']') => return Ok(Value::Array(items)),
                Some(b) => return Err(invalid(b, "after array element")),
                None => return Err(unexpected_end()),
            }
        }
    }

    fn object(&mut self) -> Result<Value, Error> {
        let mut map = Map::new();
        if self.scanner.take(b'}') {
            return Ok(Value::Object(map));
        }
        let path = self.path.len();
        loop {
            let key = self.key()?;
            if !self.path.is_empty() {
                self.path.push('.');
            }
            self.path.push_str(&key);
            if map.contains_key(&key) {
                self.tell_duplicate();
            } else if let Some(met) = &mut self.met {
                met.push(format!("unknown field {}", model::field::quote(&self.path)));
            }
            self.step(|| key.to_string());
            let value = self.value()?;
            let value = match (&self.repeats, map.get_mut(&key)) {
                (Some(repeats), Some(earlier)) => (repeats.join)(&repeats.steps, earlier.take(), value),
                _ => value,
            };
            map.insert(key, value);
            self.step_back();
            self.path.truncate(path);
            self.scanner.skip_space();
            match self.scanner.next() {
                Some(b',') => self.scanner.skip_space(),
                Some(b'}') => return Ok(Value::Object(map)),
                Some(b) => return Err(invalid(b, "after object key:value pair")),
                None => return Err(unexpected_end()),
            }
        }
    }

    /// Notes where the reader goes, where somebody asks.
    fn step(&mut self, name: impl FnOnce() -> String) {
        if let Some(repeats) = &mut self.repeats {
            repeats.steps.push(name());
        }
    }

    fn step_back(&mut self) {
        if let Some(repeats) = &mut self.repeats {
            repeats.steps.pop();
        }
    }

    /// Once for each path, as upstream.
    fn tell_duplicate(&mut self) {
        let message = format!("duplicate field {}", model::field::quote(&self.path));
        if let Some(met) = &mut self.met {
            met.push(message.clone());
        }
        if self.duplicates.len() < STRICT_ERRORS_MAX && !self.duplicates.contains(&message) {
            self.duplicates.push(message);
        }
    }

    /// A key and its colon.
    fn key(&mut self) -> Result<Cow<'a, str>, Error> {
        match self.scanner.peek() {
            Some(b'"') => {}
            Some(b) => return Err(invalid(b, "looking for beginning of object key string")),
            None => return Err(unexpected_end()),
        }
        let key = self.scanner.string()?;
        self.scanner.skip_space();
        match self.scanner.next() {
            Some(b':') => self.scanner.skip_space(),
            Some(b) => return Err(invalid(b, "after object key")),
            None => return Err(unexpected_end()),
        }
        Ok(key)
    }
}

/// An integer where the text is one and fits 64 bits, else a float; nothing for one that no float holds. Integers that
/// only fit unsigned are kept for the messages that name them, and written as the floats that Go makes of them.
fn number(text: &str) -> Option<Value> {
    if let Ok(int) = text.parse::<i64>() {
        return Some(int.into());
    }
    if let Ok(int) = text.parse::<u64>() {
        return Some(int.into());
    }
    text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number)
}
