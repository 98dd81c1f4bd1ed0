//! Regular expressions in RE2's syntax: `matches`, `find`, `findAll`. Does not backtrack.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::{Code, some};
use crate::value::{Outcome, Text, Value};

/// A compiled expression takes at most this; upstream bounds repetition to 1000 instead.
const BYTES_MAX: usize = 8 << 20;

pub(super) fn code(function: &str) -> Option<Code> {
    // The evaluator compiles what is looked for, and looks for it.
    is_search(function).then_some(|_| None)
}

/// A compiled regular expression.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    states: u64,
}

/// Places of an expression that are looked at with as much effort as one value; a text may look at all of them for each byte.
const STATES: u64 = 32;
/// What making one place of an expression takes.
const STATE_MADE: u64 = 8;

impl Pattern {
    /// How large it is.
    pub(crate) fn states(&self) -> u64 {
        self.states
    }

    /// The effort of looking for it in a text, by what is asked.
    pub(crate) fn effort(&self, function: &str, args: &[Value<'_>]) -> u64 {
        let length = args.first().and_then(Value::as_str).map_or(0, str::len) as u64;
        let kept = match (function, args.get(2)) {
            ("findAll", Some(Value::Int(limit))) if *limit >= 0 => 2 * length.min(*limit as u64),
            ("findAll", _) => 2 * length,
            _ => 0,
        };
        1 + (length.saturating_mul(self.states) / STATES).saturating_add(kept)
    }
}

/// The effort of compiling a pattern.
pub(crate) fn compiling(pattern: &str) -> u64 {
    STATE_MADE.saturating_mul(states(pattern)).saturating_add(pattern.len() as u64)
}

/// How many places an expression has, with all repetitions written out; those of a faulty one do not matter.
fn states(pattern: &str) -> u64 {
    if is_too_wide(pattern) {
        return 1;
    }
    regex_syntax::parse(&re2(pattern)).map_or(1, |parsed| states_of(&parsed))
}

fn states_of(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(Class::Unicode(class)) if !class.is_ascii() => 4 + 2 * class.ranges().len() as u64,
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) => 1,
        HirKind::Repetition(repeated) => {
            let times = repeated.max.unwrap_or(repeated.min).max(repeated.min).max(1);
            states_of(&repeated.sub).saturating_add(1).saturating_mul(times.into())
        }
        HirKind::Capture(group) => states_of(&group.sub).saturating_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().map(states_of).fold(1, u64::saturating_add),
    }
}

/// Whether it has so many classes of Unicode that only reading it takes more memory than it may.
fn is_too_wide(pattern: &str) -> bool {
    pattern.matches("\\p").count() + pattern.matches("\\P").count() > CLASSES_MAX
}

/// The most repetitions that RE2 allows.
const REPEAT_MAX: u32 = 1000;

/// The most classes of Unicode in one pattern.
const CLASSES_MAX: usize = 500;

/// Compiles a pattern. Fails with the text of Go's `regexp/syntax` for the faults that are met most.
pub(crate) fn compile(pattern: &str) -> Result<Pattern, String> {
    let failed = |what: String| format!("error parsing regexp: {what}");
    if let Some(count) = repeated(pattern).find(|count| counts(count).any(|count| count > REPEAT_MAX)) {
        return Err(failed(format!("invalid repeat count: `{count}`")));
    }
    if is_too_wide(pattern) {
        return Err(failed("expression too large".into()));
    }
    match RegexBuilder::new(&re2(pattern)).size_limit(BYTES_MAX).build() {
        Ok(regex) => Ok(Pattern { regex, states: states(pattern) }),
        Err(error) => Err(failed(fault(pattern, &error.to_string()))),
    }
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

/// Whether a function looks for a regular expression.
pub(crate) fn is_search(function: &str) -> bool {
    matches!(function, "matches" | "find" | "findAll")
}

/// `matches`, `find` or `findAll`.
pub(crate) fn search<'a>(function: &str, pattern: &Pattern, args: &[Value<'a>]) -> Option<Outcome<'a>> {
    match function {
        "matches" => matches(&pattern.regex, args),
        "find" => find(&pattern.regex, args),
        _ => find_all(&pattern.regex, args),
    }
}

/// Whether the text has a match.
fn matches<'a>(pattern: &Regex, args: &[Value<'a>]) -> Option<Outcome<'a>> {
    match args.first()? {
        Value::String(text) => some(Value::Bool(pattern.is_match(text))),
        _ => None,
    }
}

/// The first match, or nothing.
fn find<'a>(pattern: &Regex, args: &[Value<'a>]) -> Option<Outcome<'a>> {
    match args.first()? {
        Value::String(text) => some(Value::text(pattern.find(text).map_or("", |found| found.as_str()))),
        _ => None,
    }
}

/// All matches, or the first so many.
fn find_all<'a>(pattern: &Regex, args: &[Value<'a>]) -> Option<Outcome<'a>> {
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
