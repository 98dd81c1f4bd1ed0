//! Field selectors: `metadata.name=a,status.phase!=Running`.
//! Follows `k8s.io/apimachinery/pkg/fields/selector.go`.

use std::fmt;

/// One term: a field equals a value, or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The field, such as `spec.nodeName`.
    pub field: String,
    /// Whether the field must equal the value.
    pub equal: bool,
    /// The value, unescaped.
    pub value: String,
}

/// All terms must hold; no term matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// The terms, sorted by their text.
    pub requirements: Vec<Requirement>,
}

impl Selector {
    /// Reads a selector. Fails with upstream's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut terms = split_terms(text);
        terms.sort_unstable();
        let mut requirements = Vec::new();
        for term in terms.into_iter().filter(|term| !term.is_empty()) {
            let Some((field, equal, value)) = split_term(term) else {
                return Err(format!("invalid selector: '{text}'; can't understand '{term}'"));
            };
            requirements.push(Requirement { field: field.to_owned(), equal, value: unescape(value)? });
        }
        // Upstream reads a term of two empty sides as "everything".
        requirements.retain(|term| !(term.field.is_empty() && term.value.is_empty()));
        Ok(Self { requirements })
    }

    /// What a selector asks for, as authorizers hear of it: nothing where it cannot be read.
    pub fn heard(text: &str) -> Vec<Requirement> {
        Self::parse(text).map_or_else(|_| Vec::new(), |selector| selector.requirements)
    }

    /// Whether everything matches.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether an object matches; `value_of` answers empty for a field that the object lacks.
    pub fn matches<'a>(&self, value_of: impl Fn(&str) -> &'a str) -> bool {
        self.requirements.iter().all(|term| (value_of(&term.field) == term.value) == term.equal)
    }

    /// The only value a field may have, where the selector says one.
    pub fn exact(&self, field: &str) -> Option<&str> {
        self.requirements.iter().find(|term| term.field == field && term.equal).map(|term| term.value.as_str())
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, term) in self.requirements.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let operator = if term.equal { "=" } else { "!=" };
            write!(f, "{comma}{}{operator}{}", term.field, escape(&term.value))?;
        }
        Ok(())
    }
}

fn split_terms(text: &str) -> Vec<&str> {
    let (mut terms, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    const OPERATORS: [(&str, bool); 3] = [("!=", false), ("==", true), ("=", true)];
    term.char_indices().find_map(|(at, _)| {
        OPERATORS.iter().find_map(|(operator, equal)| Some((&term[..at], *equal, term[at..].strip_prefix(operator)?)))
    })
}

fn unescape(value: &str) -> Result<String, String> {
    let (mut out, mut escaped) = (String::with_capacity(value.len()), false);
    for c in value.chars() {
        match c {
            '\\' | ',' | '=' if escaped => {
                out.push(c);
                escaped = false;
            }
            _ if escaped => return Err(format!("invalid field selector: invalid escape sequence: \\{c}")),
            '\\' => escaped = true,
            // Upstream prints the character's number here.
            ',' | '=' => return Err(format!("invalid field selector: unescaped character in value: {}", c as u32)),
            _ => out.push(c),
        }
    }
    if escaped { Err("invalid field selector: invalid escape sequence: \\".to_owned()) } else { Ok(out) }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints() {
        let selector = Selector::parse("metadata.name==a,status.phase!=Running,").unwrap();
        assert_eq!(selector.to_string(), "metadata.name=a,status.phase!=Running");
        assert_eq!(selector.exact("metadata.name"), Some("a"));
        assert_eq!(selector.exact("status.phase"), None);
        assert!(Selector::parse("").unwrap().is_empty());
        assert_eq!(Selector::parse(r"a=b\,c\=d").unwrap().requirements[0].value, "b,c=d");
        assert_eq!((Selector::heard("a=b").len(), Selector::heard("a").len()), (1, 0));
    }

    #[test]
    fn matches_values() {
        let selector = Selector::parse("a=1,b!=2").unwrap();
        assert!(selector.matches(|field| if field == "a" { "1" } else { "" }));
        assert!(!selector.matches(|field| if field == "a" { "1" } else { "2" }));
    }

    #[test]
    fn refuses_with_upstreams_words() {
        assert_eq!(Selector::parse("abc").unwrap_err(), "invalid selector: 'abc'; can't understand 'abc'");
        assert_eq!(Selector::parse(r"a=\b").unwrap_err(), r"invalid field selector: invalid escape sequence: \b");
        assert_eq!(Selector::parse("a=b=c").unwrap_err(), "invalid field selector: unescaped character in value: 61");
    }
}
