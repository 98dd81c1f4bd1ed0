//! Property names as CEL identifiers: `__dot__`, `__dash__`, `__namespace__`.
//! Follows `k8s.io/apiserver/pkg/cel/escaping.go`.

use std::borrow::Cow;

/// Words that the grammar keeps; a property of that name is wrapped in `__`.
pub(crate) const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

const ESCAPES: [(&str, &str); 4] = [("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")];

/// The identifier that names a property, or nothing when no identifier can.
pub fn escape(name: &str) -> Option<Cow<'_, str>> {
    if name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
        return None;
    }
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__").into());
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'/')) {
        return None;
    }
    if !name.contains("__") && !name.contains(['.', '-', '/']) {
        return Some(name.into());
    }
    let mut out = String::with_capacity(name.len() + 16);
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        match ESCAPES.iter().find(|(plain, _)| rest.starts_with(plain)) {
            Some((plain, escaped)) => {
                out.push_str(escaped);
                rest = &rest[plain.len()..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    Some(out.into())
}

/// The property that an identifier names, or nothing when it holds an unknown escape.
pub fn unescape(name: &str) -> Option<Cow<'_, str>> {
    if !name.contains("__") {
        return Some(name.into());
    }
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(start) = rest.find("__") {
        let inner = &rest[start + 2..];
        // The sequence is `__`, at least one character that is no underscore, `__`.
        let Some(end) = inner.find('_').filter(|&end| end > 0 && inner[end..].starts_with("__")) else {
            let kept = start + inner.find('_').map_or(rest.len() - start, |end| if end == 0 { 1 } else { end + 2 });
            out.push_str(&rest[..kept]);
            rest = &rest[kept..];
            continue;
        };
        let word = &inner[..end];
        out.push_str(&rest[..start]);
        match ESCAPES.iter().find(|(_, escaped)| escaped[2..escaped.len() - 2] == *word) {
            Some((plain, _)) => out.push_str(plain),
            // A wrapped word is a whole name, never a part of one.
            None if RESERVED.contains(&word) && word.len() + 4 == name.len() => out.push_str(word),
            None => return None,
        }
        rest = &inner[end + 2..];
    }
    out.push_str(rest);
    Some(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_both_ways() {
        for (name, escaped) in [
            ("plain", "plain"),
            ("a_b", "a_b"),
            ("a__b", "a__underscores__b"),
            ("a.b", "a__dot__b"),
            ("a-b/c", "a__dash__b__slash__c"),
            ("namespace", "__namespace__"),
            ("if", "__if__"),
            ("___a", "__underscores___a"),
        ] {
            assert_eq!(escape(name).as_deref(), Some(escaped));
            assert_eq!(unescape(escaped).as_deref(), Some(name), "{escaped}");
        }
    }

    #[test]
    fn what_no_identifier_names() {
        for name in ["", "1a", "a b", "a$", "é"] {
            assert_eq!(escape(name), None, "{name}");
        }
        for name in ["__other__", "a__if__", "__dot__x__huh__"] {
            assert_eq!(unescape(name), None, "{name}");
        }
    }
}
