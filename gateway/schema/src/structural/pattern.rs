//! Regular expressions as Go reads them (RE2's syntax), run by the `regex` crate: what both spell alike but read differently
//! is rewritten first.

mod fault;

use regex::{Regex, RegexBuilder};

pub use fault::fault;

/// Most memory that the cached automaton of one pattern takes; without it each could grow to two megabytes.
const CACHE_BYTES_MAX: usize = 64 * 1024;

/// A pattern, compiled once.
#[derive(Debug)]
pub(super) struct Pattern {
    pub text: Box<str>,
    /// None when the pattern is none: definitions with such patterns are refused, so only old ones have them.
    regex: Option<Regex>,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.into(), regex: if fault(text).is_none() { compile(text).ok() } else { None } }
    }

    /// Whether a part of the value matches; if not, the pattern as messages show it.
    pub(super) fn judge(&self, value: &str) -> Result<(), String> {
        match &self.regex {
            Some(regex) if regex.is_match(value) => Ok(()),
            Some(_) => Err(self.text.to_string()),
            None => Err(format!("{}, but pattern is invalid: {}", self.text, fault(&self.text).unwrap_or_default())),
        }
    }
}

/// The pattern as Go would compile it.
fn compile(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&rewrite(text)).dfa_size_limit(CACHE_BYTES_MAX).build()
}

/// Rewrites what Go reads otherwise: `\d`, `\s`, `\w` and `\b` mean ASCII, `\Q…\E` quotes, and within a class `[`, `&&`, `--`
/// and `~~` are plain characters.
fn rewrite(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut class = Class::Outside;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match (c, class) {
            ('\\', _) => taken += escape(&rest[1..], class, &mut out),
            ('[', Class::Outside) => {
                class = Class::Within;
                out.push('[');
                let opening = &rest[1..];
                let negated = usize::from(opening.starts_with('^'));
                out.push_str(&opening[..negated]);
                taken += negated;
                // The first `]` is a member.
                if opening[negated..].starts_with(']') {
                    out.push_str(r"\]");
                    taken += 1;
                }
            }
            ('[', Class::Within) => match named(rest) {
                Some(name) => {
                    out.push_str(name);
                    taken = name.len();
                }
                None => out.push_str(r"\["),
            },
            // A brace that begins no repetition is a plain character.
            ('{', Class::Outside) if !fault::is_repetition(rest) => out.push_str(r"\{"),
            (']', Class::Within) => {
                class = Class::Outside;
                out.push(']');
            }
            ('&' | '~', Class::Within) => out.extend(['\\', c]),
            ('-', Class::Within) if rest.starts_with("--") => {
                // A range that ends in a dash, unless the dash begins the class.
                if !out.ends_with(['[', '^']) {
                    out.push('-');
                    taken += 1;
                }
                out.push_str(r"\-");
            }
            _ => out.push(c),
        }
        rest = &rest[taken..];
    }
    out
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Outside,
    Within,
}

/// `[:alpha:]` at the start of a text.
fn named(text: &str) -> Option<&str> {
    let end = text.strip_prefix("[:")?.find(":]")?;
    Some(&text[..end + 4])
}

/// Rewrites what follows a backslash; how many bytes of it were read.
fn escape(after: &str, class: Class, out: &mut String) -> usize {
    let Some(c) = after.chars().next() else {
        out.push('\\');
        return 0;
    };
    let ascii = match c {
        'd' => Some("0-9"),
        's' => Some(r"\t\n\x0c\r "),
        'w' => Some("0-9A-Za-z_"),
        'D' => Some("^0-9"),
        'S' => Some(r"^\t\n\x0c\r "),
        'W' => Some("^0-9A-Za-z_"),
        _ => None,
    };
    match (ascii, c) {
        (Some(set), _) => out.extend(["[", set, "]"]),
        (None, 'b' | 'B') if class == Class::Outside => out.extend(["(?-u:\\", &after[..1], ")"]),
        (None, 'Q') if class == Class::Outside => {
            let quoted = &after[1..];
            let (literal, read) = match quoted.find(r"\E") {
                Some(end) => (&quoted[..end], end + 2),
                None => (quoted, quoted.len()),
            };
            out.push_str(&regex::escape(literal));
            return 1 + read;
        }
        // Octal, which `regex` refuses.
        (None, '0'..='7') => {
            let digits = after.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
            if let Ok(code) = u32::from_str_radix(&after[..digits], 8) {
                out.push_str(&format!("\\x{{{code:x}}}"));
            }
            return digits;
        }
        // Names and codes in braces stay as they are.
        (None, 'p' | 'P' | 'x') if after[1..].starts_with('{') => {
            let end = after.find('}').map_or(after.len(), |end| end + 1);
            out.push('\\');
            out.push_str(&after[..end]);
            return end;
        }
        // `\<` and the like are plain in Go.
        (None, c) if c.is_ascii_punctuation() => out.push_str(&format!("\\x{{{:x}}}", c as u32)),
        (None, c) => {
            out.push('\\');
            out.push(c);
        }
    }
    c.len_utf8()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        for (pattern, value, matches) in [
            (r"^\d+$", "12", true),
            (r"^\d+$", "١٢", false),
            (r"^\w$", "é", false),
            (r"^[\d_]+$", "1_2", true),
            (r"^[\D]$", "é", true),
            (r"^[a[b]+$", "a[b", true),
            (r"^[]a]+$", "]a", true),
            (r"^[^]]$", "]", false),
            (r"^[&&~~]+$", "&~", true),
            (r"^[[:alpha:]-]+$", "a-b", true),
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\Qa.b\E$", "axb", false),
            (r"(?i)^ABC$", "abc", true),
            (r"^\p{L}+$", "é", true),
            (r"a\b", "a b", true),
            (r"^[+--]$", ",", true),
            (r"^[a-zA-Z0-9/\-.]+$", "a/b-c", true),
            ("^a$", "a\n", false),
        ] {
            assert_eq!(Pattern::new(pattern).judge(value).is_ok(), matches, "{pattern} on {value:?}");
        }
    }
}
