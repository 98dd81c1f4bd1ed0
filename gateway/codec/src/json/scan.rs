//! Tokens of JSON with Go's error texts. Does not nest (`json`).

use std::borrow::Cow;

use super::{Error, invalid, unexpected_end};

pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let b = self.peek()?;
        self.at += 1;
        Some(b)
    }

    pub(super) fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    pub(super) fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// `true`, `false` or `null`, whose first letter is next.
    pub(super) fn literal(&mut self, word: &str) -> Result<(), Error> {
        self.at += 1;
        for expected in word.bytes().skip(1) {
            match self.next() {
                Some(b) if b == expected => {}
                Some(b) => return Err(invalid(b, &format!("in literal {word} (expecting {})", quote_byte(expected)))),
                None => return Err(unexpected_end()),
            }
        }
        Ok(())
    }

    /// The text of a number, whose first character is next.
    pub(super) fn number(&mut self) -> Result<&'a str, Error> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits("in numeric literal")?;
        }
        if self.take(b'.') {
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.advance();
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.advance();
            }
            self.digits("in exponent of numeric literal")?;
        }
        // Only ASCII was taken.
        Ok(std::str::from_utf8(&self.bytes[start..self.at]).unwrap_or("0"))
    }

    fn digits(&mut self, context: &str) -> Result<(), Error> {
        match self.peek() {
            Some(b'0'..=b'9') => {}
            Some(b) => return Err(invalid(b, context)),
            None => return Err(unexpected_end()),
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.advance();
        }
        Ok(())
    }

    /// A string, whose quote is next; broken UTF-8 and lone surrogates become U+FFFD. Most stand in the text as they are.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        self.advance();
        let mut text = Cow::Borrowed("");
        loop {
            push_lossy(self.plain(), &mut text);
            match self.next() {
                Some(b'"') => return Ok(text),
                Some(b'\\') => self.escape(text.to_mut())?,
                Some(b) => return Err(invalid(b, "in string literal")),
                None => return Err(unexpected_end()),
            }
        }
    }

    /// What stands before the next quote, escape or control character.
    fn plain(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        let ends = |b: &u8| *b < 0x20 || *b == b'"' || *b == b'\\';
        let plain = &rest[..rest.iter().position(ends).unwrap_or(rest.len())];
        self.at += plain.len();
        plain
    }

    fn escape(&mut self, text: &mut String) -> Result<(), Error> {
        text.push(match self.next() {
            Some(b @ (b'"' | b'\\' | b'/')) => char::from(b),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => self.unicode()?,
            Some(b) => return Err(invalid(b, "in string escape code")),
            None => return Err(unexpected_end()),
        });
        Ok(())
    }

    /// What follows `\u`, the second half of a surrogate pair too.
    fn unicode(&mut self) -> Result<char, Error> {
        let first = self.hex4()?;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        let before = self.at;
        if (0xd800..0xdc00).contains(&first) && self.take(b'\\') && self.take(b'u') {
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        self.at = before;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&mut self) -> Result<u32, Error> {
        let mut code = 0;
        for _ in 0..4 {
            let b = self.next().ok_or_else(unexpected_end)?;
            let digit = char::from(b).to_digit(16).ok_or_else(|| invalid(b, "in \\u hexadecimal character escape"))?;
            code = code * 16 + digit;
        }
        Ok(code)
    }
}

/// Go replaces every single byte that belongs to no character, Rust a whole broken sequence.
fn push_lossy<'a>(bytes: &'a [u8], text: &mut Cow<'a, str>) {
    if let (true, Ok(whole)) = (text.is_empty(), std::str::from_utf8(bytes)) {
        *text = Cow::Borrowed(whole);
        return;
    }
    let text = text.to_mut();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
}

/// A byte as Go's scanner quotes it; it takes bytes for Latin-1 characters.
pub(super) fn quote_byte(b: u8) -> String {
    match b {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        _ => {
            let quoted = model::field::quote(char::from(b).encode_utf8(&mut [0; 4]));
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}
