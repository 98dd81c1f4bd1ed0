//! Reads a path into its steps.

use model::Value;
use model::field::is_printable;

use super::{Node, Slice};

/// What ends a name.
const ENDS: &[char] = &['.', ',', '[', ']', '$', '@', '{', '}', ' ', '\t', '\r', '\n'];

/// The steps of a path.
pub(super) fn path(text: &str) -> Result<Vec<Node>, String> {
    let mut reader = Reader { rest: text, nodes: Vec::new() };
    while !reader.rest.is_empty() {
        reader.step()?;
    }
    Ok(reader.nodes)
}

struct Reader<'a> {
    rest: &'a str,
    nodes: Vec<Node>,
}

impl<'a> Reader<'a> {
    fn step(&mut self) -> Result<(), String> {
        if let Some(rest) = self.rest.strip_prefix("[?(") {
            self.rest = rest;
            return self.filter();
        }
        if let Some(rest) = self.rest.strip_prefix("..") {
            if self.nodes.last() == Some(&Node::Recursive) {
                return Err("invalid multiple recursive descent".to_owned());
            }
            self.rest = rest;
            self.nodes.push(Node::Recursive);
            return if rest.starts_with(is_word) { self.field() } else { Ok(()) };
        }
        let Some(first) = self.rest.chars().next() else { return Ok(()) };
        match first {
            ' ' | '@' | '$' => self.skip(1),
            '[' => return self.array(),
            '"' | '\'' => return self.quoted(first),
            '.' => {
                self.skip(1);
                return self.field();
            }
            '+' | '-' | '0'..='9' => return self.number(),
            c if is_word(c) => return self.identifier(),
            '\r' | '\n' => return Err("unclosed action".to_owned()),
            c if !is_printable(c) => return Err(format!("unrecognized character in action: U+{:04X}", c as u32)),
            c => return Err(format!("unrecognized character in action: U+{:04X} '{c}'", c as u32)),
        }
        Ok(())
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    /// A name; a backslash takes its end's meaning away.
    fn field(&mut self) -> Result<(), String> {
        let (mut name, mut chars, mut end) = (String::new(), self.rest.char_indices(), self.rest.len());
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some((_, escaped)) => name.push(escaped),
                    None => return Err("unexpected end of path after an escape".to_owned()),
                },
                c if ENDS.contains(&c) => {
                    end = at;
                    break;
                }
                c => name.push(c),
            }
        }
        self.skip(end);
        self.nodes.push(if name == "*" { Node::Wildcard } else { Node::Field(name) });
        Ok(())
    }

    fn identifier(&mut self) -> Result<(), String> {
        let end = self.rest.find(ENDS).unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        self.skip(end);
        self.nodes.push(match word {
            "true" | "false" => Node::Literal((word == "true").into()),
            _ => Node::Identifier(word.to_owned()),
        });
        Ok(())
    }

    fn number(&mut self) -> Result<(), String> {
        let sign = usize::from(self.rest.starts_with(['+', '-']));
        let end = self.rest[sign..].find(|c: char| c != '.' && !c.is_ascii_digit()).map_or(self.rest.len(), |at| at + sign);
        let text = &self.rest[..end];
        self.skip(end);
        let whole = text.trim_start_matches('+').parse::<i64>().map(Value::from);
        let number = whole.or_else(|_| text.parse::<f64>().map(Value::from));
        self.nodes.push(Node::Literal(number.map_err(|_| format!("cannot parse number {text}"))?));
        Ok(())
    }

    fn quoted(&mut self, quote: char) -> Result<(), String> {
        let (mut text, mut chars) = (String::new(), self.rest[1..].char_indices());
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => text.extend(chars.next().map(|(_, escaped)| unescape(escaped))),
                c if c == quote => {
                    self.skip(1 + at + 1);
                    self.nodes.push(Node::Literal(text.into()));
                    return Ok(());
                }
                c => text.push(c),
            }
        }
        Err("unterminated quoted string".to_owned())
    }

    fn array(&mut self) -> Result<(), String> {
        let end = self.rest.find([']', '\n']).filter(|end| self.rest[*end..].starts_with(']')).ok_or("unterminated array")?;
        let inside = &self.rest[1..end];
        self.skip(end + 1);
        if inside.contains(',') {
            let each = inside.split(',').map(|part| path(&format!("[{}]", part.trim_matches(' '))));
            self.nodes.push(Node::Union(each.collect::<Result<_, _>>()?));
        } else if let Some(key) = inside.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            self.nodes.extend(path(&format!(".{key}"))?);
        } else {
            self.nodes.push(Node::Slice(slice(if inside == "*" { ":" } else { inside })?));
        }
        Ok(())
    }

    fn filter(&mut self) -> Result<(), String> {
        let end = filter_end(self.rest)?;
        let text = &self.rest[..end];
        self.rest = self.rest[end + 1..].strip_prefix(']').ok_or("unclosed array expect ]")?;
        let operator = |c: char| "!<>=".contains(c);
        let node = match text.find(operator).filter(|at| *at > 0) {
            Some(at) => {
                let right = text[at..].find(|c| !operator(c)).map_or(text.len(), |end| at + end);
                Node::Filter(path(&text[..at])?, text[at..right].to_owned(), path(&text[right..])?)
            }
            None => Node::Filter(path(text)?, "exists".to_owned(), Vec::new()),
        };
        self.nodes.push(node);
        Ok(())
    }
}

/// Where the parenthesis closes that is outside of quotes.
fn filter_end(text: &str) -> Result<usize, String> {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open && !escaped => quote = None,
            (')', None) => return Ok(at),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    Err("unterminated filter".to_owned())
}

fn slice(text: &str) -> Result<Slice, String> {
    let invalid = || format!("invalid array index {text}");
    let number = |part: &str| match part {
        "" => Ok(None),
        part => part.parse::<i64>().map(Some).map_err(|_| invalid()),
    };
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        [""] => Err(invalid()),
        [index] => {
            let first = number(index)?;
            Ok(Slice { first, last: first.map(|first| first.wrapping_add(1)), step: None, single: true })
        }
        [first, last] => Ok(Slice { first: number(first)?, last: number(last)?, ..Slice::default() }),
        [first, last, step] => Ok(Slice { first: number(first)?, last: number(last)?, step: number(step)?, single: false }),
        _ => Err(invalid()),
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn unescape(c: char) -> char {
    match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        other => other,
    }
}
