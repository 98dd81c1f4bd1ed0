//! PEM blocks in text, found as Go's `encoding/pem` finds them: what is malformed is passed over, text around blocks too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// One block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    /// What it says it holds: `CERTIFICATE`.
    pub(crate) label: &'a str,
    /// Whether lines like `Proc-Type: 4,ENCRYPTED` stand before the data.
    pub(crate) has_headers: bool,
    /// The decoded data.
    pub(crate) der: Vec<u8>,
}

/// Finds the blocks of a text one after the other.
pub(crate) struct Blocks<'a>(pub(crate) &'a str);

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Block<'a>> {
        loop {
            let at = if self.0.starts_with(BEGIN) { 0 } else { self.0.find("\n-----BEGIN ")? + 1 };
            let (first, after) = line(&self.0[at + BEGIN.len()..]);
            self.0 = after;
            let Some(label) = first.strip_suffix(DASHES) else { continue };
            let (has_headers, body) = headers(after);
            let Some((data, rest)) = until_end(body, label, has_headers) else { continue };
            let bare: String = data.chars().filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n')).collect();
            let Ok(der) = STANDARD.decode(bare) else { continue };
            self.0 = rest;
            return Some(Block { label, has_headers, der });
        }
    }
}

/// A line without its white space at the end, and what follows it.
fn line(text: &str) -> (&str, &str) {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    (line.trim_end_matches([' ', '\t', '\r']), rest)
}

/// Passes over lines with a colon.
fn headers(text: &str) -> (bool, &str) {
    let mut body = text;
    loop {
        let (first, rest) = line(body);
        if body.is_empty() || !first.contains(':') {
            return (body.len() < text.len(), body);
        }
        body = rest;
    }
}

/// The data before the closing line of this label, and what follows that line.
fn until_end<'a>(body: &'a str, label: &str, has_headers: bool) -> Option<(&'a str, &'a str)> {
    let at = if !has_headers && body.starts_with(END) { 0 } else { body.find("\n-----END ")? + 1 };
    let rest = body[at + END.len()..].strip_prefix(label)?.strip_prefix(DASHES)?;
    let (trailing, rest) = line(rest);
    trailing.is_empty().then_some((&body[..at], rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_among_text() {
        let text = "hello\n-----BEGIN A-----\nYWI=\n-----END A-----\nbetween\n-----BEGIN B-----\nK: v\n\nYw==\n-----END B-----";
        let found: Vec<Block> = Blocks(text).collect();
        assert_eq!(
            found,
            [
                Block { label: "A", has_headers: false, der: b"ab".to_vec() },
                Block { label: "B", has_headers: true, der: b"c".to_vec() }
            ]
        );
    }

    #[test]
    fn what_is_malformed_is_passed_over() {
        for text in
            ["", "-----BEGIN A-----", "-----BEGIN A-----\nYWI=\n-----END B-----\n", "-----BEGIN A-----\n*\n-----END A-----\n"]
        {
            assert_eq!(Blocks(text).count(), 0, "{text}");
        }
        assert_eq!(Blocks("-----BEGIN A-----\n-----END A-----\n").count(), 1);
    }
}
