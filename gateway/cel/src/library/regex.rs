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

/// Compiles a pattern. What Rust's syntax has beyond RE2's is refused.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    let failed = |what: String| format!("error parsing regexp: {what}");
    if pattern.contains("(?x")
        || pattern.contains("&&")
        || pattern.contains("--") && pattern.contains("[") && pattern.contains("~~")
    {
        return Err(failed(format!("invalid or unsupported Perl syntax: `{pattern}`")));
    }
    let pattern = re2(pattern);
    RegexBuilder::new(&pattern)
        .size_limit(BYTES_MAX)
        .build()
        .map_err(|error| failed(error.to_string().lines().last().unwrap_or_default().to_owned()))
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
