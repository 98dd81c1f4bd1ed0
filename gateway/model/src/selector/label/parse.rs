//! Reads the text form of a label selector into requirements.

use super::{Operator, Requirement};
use crate::content;
use crate::field::quote;

const BINARY_OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";

#[derive(Clone, Debug, PartialEq)]
enum Token {
    End,
    Close,
    Comma,
    Not,
    DoubleEquals,
    Equals,
    Greater,
    Identifier,
    In,
    Less,
    NotEquals,
    NotIn,
    Open,
    Error,
}

struct Item<'a> {
    token: Token,
    literal: &'a str,
}

struct Parser<'a> {
    items: Vec<Item<'a>>,
    position: usize,
}

/// Whether `in` and `notin` are words of their own or plain values.
#[derive(Clone, Copy)]
enum Context {
    Operator,
    Values,
}

pub(super) fn requirements(text: &str) -> Result<Vec<Requirement>, String> {
    let mut parser = Parser { items: scan(text), position: 0 };
    let mut requirements = Vec::new();
    loop {
        let (token, literal) = parser.peek(Context::Values);
        match token {
            Token::End => return Ok(requirements),
            Token::Identifier | Token::Not => {
                requirements.push(parser.requirement().map_err(|e| format!("unable to parse requirement: {e}"))?);
            }
            _ => return Err(format!("found '{literal}', expected: !, identifier, or 'end of string'")),
        }
        match parser.next(Context::Values) {
            (Token::End, _) => return Ok(requirements),
            (Token::Comma, _) => match parser.peek(Context::Values) {
                (Token::Identifier | Token::Not, _) => {}
                (_, literal) => return Err(format!("found '{literal}', expected: identifier after ','")),
            },
            (_, literal) => return Err(format!("found '{literal}', expected: ',' or 'end of string'")),
        }
    }
}

fn scan(text: &str) -> Vec<Item<'_>> {
    let special = |c: char| matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<');
    let space = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let (mut items, mut rest) = (Vec::new(), text);
    loop {
        rest = rest.trim_start_matches(space);
        let Some(first) = rest.chars().next() else {
            items.push(Item { token: Token::End, literal: "" });
            return items;
        };
        let (token, length) = if special(first) {
            symbol(rest)
        } else {
            let length = rest.find(|c| special(c) || space(c)).unwrap_or(rest.len());
            let token = match &rest[..length] {
                "in" => Token::In,
                "notin" => Token::NotIn,
                _ => Token::Identifier,
            };
            (token, length)
        };
        items.push(Item { token, literal: &rest[..length] });
        rest = &rest[length..];
    }
}

/// The longest symbol at the start of a text.
fn symbol(text: &str) -> (Token, usize) {
    const SYMBOLS: [(&str, Token); 9] = [
        ("==", Token::DoubleEquals),
        ("!=", Token::NotEquals),
        (")", Token::Close),
        (",", Token::Comma),
        ("!", Token::Not),
        ("=", Token::Equals),
        (">", Token::Greater),
        ("<", Token::Less),
        ("(", Token::Open),
    ];
    let found = SYMBOLS.iter().find(|(symbol, _)| text.starts_with(symbol));
    found.map_or((Token::Error, 1), |(symbol, token)| (token.clone(), symbol.len()))
}

impl<'a> Parser<'a> {
    fn peek(&self, context: Context) -> (Token, &'a str) {
        // The last item is always the end, and nothing reads past it twice.
        let item = &self.items[self.position.min(self.items.len() - 1)];
        match (&item.token, context) {
            (Token::In | Token::NotIn, Context::Values) => (Token::Identifier, item.literal),
            (token, _) => (token.clone(), item.literal),
        }
    }

    fn next(&mut self, context: Context) -> (Token, &'a str) {
        let item = self.peek(context);
        self.position += 1;
        item
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let (mut token, mut key) = self.next(Context::Values);
        let negated = token == Token::Not;
        if negated {
            (token, key) = self.next(Context::Values);
        }
        if token != Token::Identifier {
            return Err(format!("found '{key}', expected: identifier"));
        }
        let faults = content::label_key(key);
        if !faults.is_empty() {
            return Err(format!("<nil>: Invalid value: {}: {}", quote(key), faults.join("; ")));
        }
        if negated {
            return Requirement::new(key, Operator::DoesNotExist, Vec::new());
        }
        if matches!(self.peek(Context::Values).0, Token::End | Token::Comma) {
            return Requirement::new(key, Operator::Exists, Vec::new());
        }
        let operator = self.operator()?;
        let mut values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => vec![self.exact_value()?],
        };
        values.sort_unstable();
        values.dedup();
        Requirement::new(key, operator, values)
    }

    fn operator(&mut self) -> Result<Operator, String> {
        Ok(match self.next(Context::Operator) {
            (Token::In, _) => Operator::In,
            (Token::NotIn, _) => Operator::NotIn,
            (Token::Equals, _) => Operator::Equals,
            (Token::DoubleEquals, _) => Operator::DoubleEquals,
            (Token::NotEquals, _) => Operator::NotEquals,
            (Token::Greater, _) => Operator::GreaterThan,
            (Token::Less, _) => Operator::LessThan,
            (_, literal) => return Err(format!("found '{literal}', expected: {BINARY_OPERATORS}")),
        })
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        let (token, literal) = self.next(Context::Values);
        if token != Token::Open {
            return Err(format!("found '{literal}' expected: '('"));
        }
        match self.peek(Context::Values) {
            (Token::Close, _) => {
                self.position += 1;
                Ok(vec![String::new()])
            }
            (Token::Identifier | Token::Comma, first) => {
                let values = self.identifiers()?;
                match self.next(Context::Values) {
                    (Token::Close, _) => Ok(values),
                    _ => Err(format!("found '{first}', expected: ')'")),
                }
            }
            (_, literal) => Err(format!("found '{literal}', expected: ',', ')' or identifier")),
        }
    }

    fn identifiers(&mut self) -> Result<Vec<String>, String> {
        let mut values = Vec::new();
        loop {
            match self.next(Context::Values) {
                (Token::Identifier, literal) => {
                    values.push(literal.to_owned());
                    match self.peek(Context::Values) {
                        (Token::Comma, _) => {}
                        (Token::Close, _) => return Ok(values),
                        (_, literal) => return Err(format!("found '{literal}', expected: ',' or ')'")),
                    }
                }
                (Token::Comma, _) => {
                    if values.is_empty() {
                        values.push(String::new());
                    }
                    match self.peek(Context::Values) {
                        (Token::Close, _) => {
                            values.push(String::new());
                            return Ok(values);
                        }
                        (Token::Comma, _) => values.push(String::new()),
                        _ => {}
                    }
                }
                (_, literal) => return Err(format!("found '{literal}', expected: ',', or identifier")),
            }
        }
    }

    fn exact_value(&mut self) -> Result<String, String> {
        match self.peek(Context::Values) {
            (Token::End | Token::Comma, _) => Ok(String::new()),
            (Token::Identifier, literal) => {
                self.position += 1;
                Ok(literal.to_owned())
            }
            (_, literal) => Err(format!("found '{literal}', expected: identifier")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Selector;

    fn printed(text: &str) -> String {
        Selector::parse(text).map_or_else(|e| format!("error: {e}"), |s| s.to_string())
    }

    #[test]
    fn reads_what_upstream_reads() {
        let cases = [
            ("", ""),
            ("a", "a"),
            ("!a", "!a"),
            ("b=2,a=1", "a=1,b=2"),
            ("a==1", "a==1"),
            ("a != 1", "a!=1"),
            ("a in (z,y)", "a in (y,z)"),
            ("a notin ()", "a notin ()"),
            ("a in (,x)", "a in (,x)"),
            ("in in (in,notin)", "in in (in,notin)"),
            ("a>1,b<2", "a>1,b<2"),
            ("a=,b", "a=,b"),
        ];
        for (text, want) in cases {
            assert_eq!(printed(text), want, "{text}");
        }
    }

    #[test]
    fn refuses_with_upstreams_words() {
        let cases = [
            ("a=b,", "error: found '', expected: identifier after ','"),
            (",a", "error: found ',', expected: !, identifier, or 'end of string'"),
            ("a b", "error: unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
            ("a in x", "error: unable to parse requirement: found 'x' expected: '('"),
            ("a=b c", "error: found 'c', expected: ',' or 'end of string'"),
            (
                "a>x",
                "error: unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
            ),
        ];
        for (text, want) in cases {
            assert_eq!(printed(text), want, "{text}");
        }
        assert!(
            printed("a/b/c=d")
                .starts_with("error: unable to parse requirement: <nil>: Invalid value: \"a/b/c\": a valid label key")
        );
    }

    #[test]
    fn matches_as_upstream_does() {
        let labels = |key: &str| if key == "n" { Some("5") } else { None };
        for (text, want) in
            [("n>4", true), ("n<4", false), ("x!=1", true), ("x notin (a)", true), ("x in (a)", false), ("!x,n", true)]
        {
            assert_eq!(Selector::parse(text).unwrap().matches(labels), want, "{text}");
        }
    }
}
