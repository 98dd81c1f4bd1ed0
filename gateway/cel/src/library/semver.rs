//! `semver('1.2.3')`: semantic versions, and the comparisons that quantities share their names with.
//! Follows `github.com/blang/semver` in its errors.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::opaque::Opaque;
use super::{Code, fail, quote, some};
use crate::value::{Outcome, Value};

/// A version.
#[derive(Clone, Debug)]
pub struct Version {
    numbers: [u64; 3],
    pre: Vec<Part>,
    build: Vec<Box<str>>,
}

/// A part of what comes after the hyphen: numbers are less than words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Word(Box<str>),
}

impl Version {
    /// The order of precedence; what comes after `+` does not count.
    pub(crate) fn compare(&self, other: &Version) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => self.pre.cmp(&other.pre),
        })
    }

    /// How many parts come after the numbers.
    pub(crate) fn parts(&self) -> u64 {
        (self.pre.len() + self.build.len()) as u64
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("Version string empty".into());
        }
        let parts: Vec<&str> = text.splitn(3, '.').collect();
        let [major, minor, patch] = parts[..] else { return Err("No Major.Minor.Patch elements found".into()) };
        let (patch, build): (&str, Vec<Box<str>>) = match patch.split_once('+') {
            Some((patch, build)) => (patch, build.split('.').map(Into::into).collect()),
            None => (patch, Vec::new()),
        };
        let (patch, pre) = match patch.split_once('-') {
            Some((patch, pre)) => (patch, pre.split('.').map(Part::parse).collect::<Result<_, _>>()?),
            None => (patch, Vec::new()),
        };
        let numbers = [number(major, "Major")?, number(minor, "Minor")?, number(patch, "Patch")?];
        if let Some(word) = build.iter().find(|word| !is_word(word)) {
            return Err(match word.is_empty() {
                true => "Build meta data is empty".into(),
                false => format!("Invalid character(s) found in build meta data {}", quote(word)),
            });
        }
        Ok(Self { numbers, pre, build })
    }

    /// Also `v1.2` and `1.02.3`.
    fn parse_tolerant(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts: Vec<String> = text.splitn(3, '.').map(without_zeros).collect();
        if parts.len() < 3 {
            if parts.last().is_some_and(|last| last.contains(['+', '-'])) {
                return Err("short version cannot contain PreRelease/Build meta data".into());
            }
            parts.resize(3, "0".into());
        }
        Self::parse(&parts.join("."))
    }
}

fn without_zeros(part: &str) -> String {
    if part.len() <= 1 {
        return part.to_owned();
    }
    let trimmed = part.trim_start_matches('0');
    if trimmed.starts_with(|c: char| c.is_ascii_digit()) { trimmed.to_owned() } else { format!("0{trimmed}") }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn number(text: &str, name: &str) -> Result<u64, String> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("Invalid character(s) found in {} number {}", name.to_lowercase(), quote(text)));
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(format!("{name} number must not contain leading zeroes {}", quote(text)));
    }
    text.parse().map_err(|_| format!("strconv.ParseUint: parsing {}: value out of range", quote(text)))
}

impl Part {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("Prerelease is empty".into());
        }
        if text.bytes().all(|b| b.is_ascii_digit()) {
            if text.len() > 1 && text.starts_with('0') {
                return Err(format!("Numeric PreRelease version must not contain leading zeroes {}", quote(text)));
            }
            return text.parse().map(Self::Number).map_err(|_| "strconv.ParseUint: value out of range".into());
        }
        match is_word(text) {
            true => Ok(Self::Word(text.into())),
            false => Err(format!("Invalid character(s) found in prerelease {}", quote(text))),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        for (i, part) in self.pre.iter().enumerate() {
            f.write_str(if i == 0 { "-" } else { "." })?;
            match part {
                Part::Number(number) => write!(f, "{number}")?,
                Part::Word(word) => f.write_str(word)?,
            }
        }
        if self.build.is_empty() { Ok(()) } else { write!(f, "+{}", self.build.join(".")) }
    }
}

pub(super) fn code(function: &str) -> Option<Code> {
    Some(match function {
        "semver" => |args| match parsed(args)? {
            Ok(version) => some(Value::Opaque(Arc::new(Opaque::Semver(version)))),
            Err(message) => fail(message),
        },
        "isSemver" => |args| parsed(args).map(|version| Ok(Value::Bool(version.is_ok()))),
        "major" => |args| part(args, 0),
        "minor" => |args| part(args, 1),
        "patch" => |args| part(args, 2),
        _ => return None,
    })
}

fn parsed(args: &[Value<'_>]) -> Option<Result<Version, String>> {
    match args {
        [Value::String(text)] | [Value::String(text), Value::Bool(false)] => Some(Version::parse(text)),
        [Value::String(text), Value::Bool(true)] => Some(Version::parse_tolerant(text)),
        _ => None,
    }
}

fn part<'a>(args: &[Value<'a>], at: usize) -> Option<Outcome<'a>> {
    match args {
        [Value::Opaque(opaque)] => match &**opaque {
            Opaque::Semver(version) => some(Value::Int(version.numbers[at] as i64)),
            _ => None,
        },
        _ => None,
    }
}

/// `isGreaterThan`, `isLessThan`, `compareTo` of quantities and versions.
pub(super) fn comparison(function: &str) -> Option<Code> {
    Some(match function {
        "isGreaterThan" => |args| Some(Ok(Value::Bool(order(args)?.is_gt()))),
        "isLessThan" => |args| Some(Ok(Value::Bool(order(args)?.is_lt()))),
        "compareTo" => |args| Some(Ok(Value::Int(order(args)? as i64))),
        _ => return None,
    })
}

fn order(args: &[Value<'_>]) -> Option<Ordering> {
    let [Value::Opaque(a), Value::Opaque(b)] = args else { return None };
    match (&**a, &**b) {
        (Opaque::Quantity(a), Opaque::Quantity(b)) => Some(a.cmp(b)),
        (Opaque::Semver(a), Opaque::Semver(b)) => Some(a.compare(b)),
        _ => None,
    }
}
