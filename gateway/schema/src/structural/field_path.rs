//! Paths to fields of a schema, as rules and selectable fields write them: `.spec.replicas`, `.map['key']`.
//! Follows `ValidFieldPath` of `apiserver/schema/cel/validation.go`. Reads no values.

use super::{Additional, Structural};

/// Which accessors a path may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// Points and brackets.
    Any,
    /// Points alone.
    Points,
}

/// What a path leads to.
#[derive(Debug)]
pub struct Found<'a> {
    /// As errors spell it: `spec.map[key]`.
    pub path: String,
    /// Its first step.
    pub first: Option<String>,
    /// The schema at its end.
    pub schema: &'a Structural,
}

/// Follows a path; says what is wrong with it.
pub fn resolve<'a>(path: &str, schema: &'a Structural, notation: Notation) -> Result<Found<'a>, String> {
    let mut found = Found { path: String::new(), first: None, schema };
    let mut tokens = Tokens(path);
    while let Some(token) = tokens.next() {
        match token {
            "[" if notation == Notation::Points => return Err("array notation is not allowed".into()),
            "[" => {
                let quoted = tokens.next().ok_or("unexpected end of JSON path")?;
                let inner = quoted.strip_prefix('\'').and_then(|q| q.strip_suffix('\''));
                let inner = inner.ok_or_else(|| format!("expected single quoted string but got {quoted}"))?;
                let name = unescape(inner).map_err(|words| format!("invalid string literal: {words}"))?;
                found.step(&name)?;
                match tokens.next() {
                    Some("]") => {}
                    Some(other) => return Err(format!("expected ] but got {other}")),
                    None => return Err("unexpected end of JSON path".into()),
                }
            }
            "." => {
                let name = tokens.next().ok_or("unexpected end of JSON path")?;
                found.step(name)?;
            }
            other => return Err(format!("expected [ or . but got: {other}")),
        }
    }
    Ok(found)
}

impl Found<'_> {
    fn step(&mut self, name: &str) -> Result<(), String> {
        const NO_FIELD: &str = "does not refer to a valid field";
        let named = self.schema.properties().len() > 0;
        self.schema = match (named, &self.schema.additional) {
            (true, _) => self.schema.property(name).ok_or(NO_FIELD)?,
            (false, Additional::Of(values)) => values,
            (false, _) => return Err(NO_FIELD.into()),
        };
        match (named, self.first.is_none()) {
            (true, true) => self.path.push_str(name),
            (true, false) => self.path.extend([".", name]),
            (false, _) => self.path.extend(["[", name, "]"]),
        }
        self.first.get_or_insert_with(|| name.to_owned());
        Ok(())
    }
}

/// Points, brackets, and what stands between them; a quoted text is one token.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let first = self.0.chars().next()?;
        let end = match first {
            '.' | '[' | ']' => 1,
            '\'' => {
                let bytes = self.0.as_bytes();
                (1..bytes.len()).find(|&i| bytes[i] == b'\'' && bytes[i - 1] != b'\\').map_or(bytes.len(), |i| i + 1)
            }
            _ => self.0.find(['.', '[', ']']).unwrap_or(self.0.len()),
        };
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(token)
    }
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            None => out.push('\\'),
            Some('a') => out.push('\u{7}'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('v') => out.push('\u{b}'),
            Some(plain @ ('\'' | '\\')) => out.push(plain),
            Some(other) => return Err(format!("invalid escape char \\{other}")),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn paths_lead_to_fields() {
        let schema = Structural::parse(&json!({"type": "object", "properties": {
            "a": {"type": "object", "additionalProperties": {"type": "integer"}}, "b.c": {"type": "string"}}}))
        .expect("schema");
        let ok = |path| resolve(path, &schema, Notation::Any).expect("path").path;
        assert_eq!([ok(".a.x"), ok(".a['x\\'.y']"), ok("['b.c']")], ["a[x]", "a[x'.y]", "b.c"]);
        for (path, words) in [
            ("a", "expected [ or . but got: a"),
            (".", "unexpected end of JSON path"),
            (".z", "does not refer to a valid field"),
            ("[a]", "expected single quoted string but got a"),
            ("['a'", "unexpected end of JSON path"),
            (r"['\q']", r"invalid string literal: invalid escape char \q"),
        ] {
            assert_eq!(resolve(path, &schema, Notation::Any).expect_err(path), words);
        }
        assert_eq!(resolve(".a['x']", &schema, Notation::Points).expect_err("brackets"), "array notation is not allowed");
    }
}
