//! Regular expressions in RE2's syntax: `matches`, `find`, `findAll`. Does not backtrack.

use regex::{Regex, RegexBuilder};

use super::{Code, fail, some};
use crate::value::{Outcome, Text, Value};

/// A compiled expression takes at most this; upstream bounds repetition to 1000 instead.
const BYTES_MAX: usize = 8 << 20;

pub(super) fn code(function: &str) -> Option<Code> {
    Some(match function {
        "matches" => |args| with_pattern(args, |args, pattern| matches(pattern, args)),
        "find" => |args| with_pattern(args, |args, pattern| find(pattern, args)),
        "findAll" => |args| with_pattern(args, |args, pattern| find_all(pattern, args)),
        _ => return None,
    })
}

/// The most repetitions that RE2 allows.
const REPEAT_MAX: u32 = 1000;

/// Compiles a pattern. Fails with the text of Go's `regexp/syntax` for the faults that are met most.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    let failed = |what: String| format!("error parsing regexp: {what}");
    if let Some(count) = repeated(pattern).find(|count| counts(count).any(|count| count > REPEAT_MAX)) {
        return Err(failed(format!("invalid repeat count: `{count}`")));
    }
    RegexBuilder::new(&re2(pattern)).size_limit(BYTES_MAX).build().map_err(|error| failed(fault(pattern, &error.to_string())))
}

/// What stands in braces and is made of digits and commas.
fn repeated(pattern: &str) -> impl Iterator<Item = &str> {
    let braces = pattern.match_indices('{').filter_map(|(at, _)| pattern[at..].find('}').map(|end| &pattern[at..=at + end]));
    braces.filter(|brace| brace[1..brace.len() - 1].bytes().all(|b| b.is_ascii_digit() || b == b','))
}

fn counts(brace: &str) -> impl Iterator<Item = u32> {
    brace[1..brace.len() - 1].split(',').filter(|digits| !digits.is_empty()).map(|digits| digits.parse().unwrap_or(u32::MAX))
}

/// Go's words for what the library found.
fn fault(pattern: &str, found: &str) -> String {
    const FAULTS: [(&str, &str); 8] = [
        ("unclosed group", "missing closing )"),
        ("unopened group", "unexpected )"),
        ("unclosed character class", "missing closing ]"),
        ("repetition operator missing expression", "missing argument to repetition operator"),
        ("invalid repetition count range", "invalid repeat count"),
        ("incomplete escape sequence", "trailing backslash at end of expression"),
        ("unrecognized escape sequence", "invalid escape sequence"),
        ("invalid character class range", "invalid character class range"),
    ];
    match FAULTS.iter().find(|(known, _)| found.contains(known)) {
        Some((_, go)) if go.ends_with(']') => format!("{go}: `{}`", &pattern[pattern.rfind('[').unwrap_or(0)..]),
        Some((_, go)) if go.ends_with("expression") => format!("{go}: ``"),
        Some((_, go)) => format!("{go}: `{pattern}`"),
        None => format!("invalid or unsupported Perl syntax: `{pattern}`"),
    }
}

/// Rust's `\d`, `\w`, `\s` and `\b` know Unicode, RE2's only ASCII; `\z` and `$` are the same there.
fn re2(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    let mut class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('d') => out.push_str(if class { "0-9" } else { "[0-9]" }),
                Some('w') => out.push_str(if class { "0-9A-Za-z_" } else { "[0-9A-Za-z_]" }),
                Some('s') => out.push_str(if class { "\\t\\n\\f\\r " } else { "[\\t\\n\\f\\r ]" }),
                Some('D') if !class => out.push_str("[^0-9]"),
                Some('W') if !class => out.push_str("[^0-9A-Za-z_]"),
                Some('S') if !class => out.push_str("[^\\t\\n\\f\\r ]"),
                Some('b') if !class => out.push_str("(?-u:\\b)"),
                Some('Q') => {
                    let rest = chars.as_str();
                    let (quoted, after) = rest.split_once("\\E").unwrap_or((rest, ""));
                    out.push_str(&regex::escape(quoted));
                    chars = after.chars();
                }
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            '[' if class && !chars.as_str().starts_with(':') => out.push_str("\\["),
            '[' if !class => {
                class = true;
                out.push('[');
                let rest = chars.as_str();
                // A bracket right after the opening is one of the class.
                let negated = rest.starts_with('^');
                if negated {
                    out.push('^');
                    chars.next();
                }
                if chars.as_str().starts_with(']') {
                    out.push_str("\\]");
                    chars.next();
                }
            }
            '[' => {
                // `[:alpha:]`
                let rest = chars.as_str();
                let end = rest.find(":]").map_or(0, |end| end + 2);
                out.push('[');
                out.push_str(&rest[..end]);
                chars = rest[end..].chars();
            }
            // Two of these in a class are operators to Rust.
            '&' | '~' if class => out.extend(['\\', c]),
            '-' if class && chars.as_str().starts_with('-') => out.push_str("\\-"),
            ']' => {
                class = false;
                out.push(']');
            }
            c => out.push(c),
        }
    }
    out
}

fn with_pattern<'a>(args: &[Value<'a>], run: fn(&[Value<'a>], &Regex) -> Option<Outcome<'a>>) -> Option<Outcome<'a>> {
    let Some(Value::String(pattern)) = args.get(1) else { return None };
    match compile(pattern) {
        Ok(pattern) => run(args, &pattern),
        Err(message) => fail(message),
    }
}

/// Whether the text has a match.
pub(crate) fn matches<'a>(pattern: &Regex, args: &[Value<'a>]) -> Option<Outcome<'a>> {
    match args.first()? {
        Value::String(text) => some(Value::Bool(pattern.is_match(text))),
        _ => None,
    }
}

/// The first match, or nothing.
pub(crate) fn find<'a>(pattern: &Regex, args: &[Value<'a>]) -> Option<Outcome<'a>> {
    match args.first()? {
        Value::String(text) => some(Value::text(pattern.find(text).map_or("", |found| found.as_str()))),
        _ => None,
    }
}

/// All matches, or the first so many.
pub(crate) fn find_all<'a>(pattern: &Regex, args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let limit = match args.get(2) {
        Some(Value::Int(count)) => usize::try_from(*count).unwrap_or(usize::MAX),
        Some(_) => return None,
        None => usize::MAX,
    };
    match args.first()? {
        Value::String(text) => {
            let found = pattern.find_iter(text).take(limit);
            some(Value::list(found.map(|found| Value::String(Text::from(found.as_str().to_owned()))).collect()))
        }
        _ => None,
    }
}
