//! Walks over JSON that this server encoded, without building values: what nobody asks for is passed by the ends of its strings and
//! brackets, many bytes at a time. Not strict: what it passes may be no JSON (`json` reads bodies of clients). Every step is `None`
//! where the text ends too early.

use memchr::memchr2;

/// A place in a text.
pub(crate) struct Walk<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(json: &'a [u8]) -> Self {
        Self { json, at: 0 }
    }

    /// What the next value begins with.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            let next = *self.json.get(self.at)?;
            if !next.is_ascii_whitespace() {
                return Some(next);
            }
            self.at += 1;
        }
    }

    /// Goes into an object or a list, whose bracket is next.
    pub(crate) fn enter(&mut self) {
        self.at += 1;
    }

    /// Whether one more member or element follows; where none does, it has left the object or list.
    pub(crate) fn more(&mut self) -> Option<bool> {
        let mut next = self.peek()?;
        if next == b',' {
            self.at += 1;
            next = self.peek()?;
        }
        let ends = matches!(next, b'}' | b']');
        self.at += usize::from(ends);
        Some(!ends)
    }

    /// The name of a member as it is spelt, and goes to its value.
    pub(crate) fn name(&mut self) -> Option<&'a [u8]> {
        self.peek()?;
        let begin = self.at;
        self.string()?;
        let name = self.json.get(begin + 1..self.at - 1)?;
        self.peek()?;
        self.at += 1;
        Some(name)
    }

    /// Passes one value, and gives it as it is spelt.
    pub(crate) fn pass(&mut self) -> Option<&'a [u8]> {
        let first = self.peek()?;
        let begin = self.at;
        match first {
            b'"' => self.string()?,
            b'{' | b'[' => {
                self.enter();
                self.leave()?;
            }
            _ => {
                let ends = |b: &u8| matches!(b, b',' | b'}' | b']') || b.is_ascii_whitespace();
                let rest = &self.json[begin..];
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
            }
        }
        self.json.get(begin..self.at)
    }

    /// Passes what is left of the object or list that it is in.
    pub(crate) fn leave(&mut self) -> Option<()> {
        let mut depth = 1usize;
        while depth > 0 {
            match self.json.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        Some(())
    }

    /// Passes a string, whose quote is next.
    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            self.at += memchr2(b'"', b'\\', self.json.get(self.at..)?)?;
            if self.json[self.at] == b'"' {
                self.at += 1;
                return Some(());
            }
            self.at += 2;
        }
    }
}
