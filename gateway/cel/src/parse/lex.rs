//! The lexer: the longest token at each place, and what is none reported as cel-go's generated lexer does.

use crate::issue::Issues;

/// What a token is; the order is that in which expected tokens are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Is {
    Equals,
    NotEquals,
    In,
    Less,
    LessEquals,
    GreaterEquals,
    Greater,
    And,
    Or,
    OpenBracket,
    CloseBracket,
    OpenBrace,
    CloseBrace,
    OpenParen,
    CloseParen,
    Dot,
    Comma,
    Minus,
    Not,
    Question,
    Colon,
    Plus,
    Star,
    Slash,
    Percent,
    True,
    False,
    Null,
    Float,
    Int,
    Uint,
    String,
    Bytes,
    Ident,
    EscapedIdent,
    End,
}

impl Is {
    /// How it is called where it is expected.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Equals => "'=='",
            Self::NotEquals => "'!='",
            Self::In => "'in'",
            Self::Less => "'<'",
            Self::LessEquals => "'<='",
            Self::GreaterEquals => "'>='",
            Self::Greater => "'>'",
            Self::And => "'&&'",
            Self::Or => "'||'",
            Self::OpenBracket => "'['",
            Self::CloseBracket => "']'",
            Self::OpenBrace => "'{'",
            Self::CloseBrace => "'}'",
            Self::OpenParen => "'('",
            Self::CloseParen => "')'",
            Self::Dot => "'.'",
            Self::Comma => "','",
            Self::Minus => "'-'",
            Self::Not => "'!'",
            Self::Question => "'?'",
            Self::Colon => "':'",
            Self::Plus => "'+'",
            Self::Star => "'*'",
            Self::Slash => "'/'",
            Self::Percent => "'%'",
            Self::True => "'true'",
            Self::False => "'false'",
            Self::Null => "'null'",
            Self::Float => "NUM_FLOAT",
            Self::Int => "NUM_INT",
            Self::Uint => "NUM_UINT",
            Self::String => "STRING",
            Self::Bytes => "BYTES",
            Self::Ident => "IDENTIFIER",
            Self::EscapedIdent => "ESC_IDENTIFIER",
            Self::End => "<EOF>",
        }
    }
}

/// A token of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub(super) is: Is,
    pub(super) text: &'t str,
    /// Where it begins, in characters.
    pub(super) offset: usize,
}

const SYMBOLS: [(&str, Is); 25] = [
    ("==", Is::Equals),
    ("!=", Is::NotEquals),
    ("<=", Is::LessEquals),
    (">=", Is::GreaterEquals),
    ("&&", Is::And),
    ("||", Is::Or),
    ("<", Is::Less),
    (">", Is::Greater),
    ("[", Is::OpenBracket),
    ("]", Is::CloseBracket),
    ("{", Is::OpenBrace),
    ("}", Is::CloseBrace),
    ("(", Is::OpenParen),
    (")", Is::CloseParen),
    (".", Is::Dot),
    (",", Is::Comma),
    ("-", Is::Minus),
    ("!", Is::Not),
    ("?", Is::Question),
    (":", Is::Colon),
    ("+", Is::Plus),
    ("*", Is::Star),
    ("/", Is::Slash),
    ("%", Is::Percent),
    ("\u{0}", Is::End),
];

/// The tokens of a text, with one for its end.
pub(super) fn tokens<'t>(text: &'t str, issues: &mut Issues) -> Vec<Token<'t>> {
    let mut tokens = Vec::new();
    let (mut at, mut offset) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let length = match skipped(rest) {
            0 => match token(rest) {
                Ok((is, length)) => {
                    tokens.push(Token { is, text: &rest[..length], offset });
                    length
                }
                Err(length) => {
                    issues.push(Some(offset), format!("Syntax error: token recognition error at: '{}'", shown(&rest[..length])));
                    length
                }
            },
            blank => blank,
        };
        offset += rest[..length].chars().count();
        at += length;
    }
    tokens.push(Token { is: Is::End, text: "<EOF>", offset });
    tokens
}

/// Line breaks and tabs as the generated lexer shows them.
pub(super) fn shown(text: &str) -> String {
    text.replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

/// Bytes of blanks or of a comment.
fn skipped(rest: &str) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    rest.bytes().take_while(|b| matches!(b, b'\t' | b' ' | b'\r' | b'\n' | 0x0c)).count()
}

/// The longest token and its length in bytes, or how much is none.
fn token(rest: &str) -> Result<(Is, usize), usize> {
    let bytes = rest.as_bytes();
    let failed = match string(rest) {
        Some(Ok(found)) => return Ok(found),
        Some(Err(failed)) => Some(failed),
        None => None,
    };
    if let Some(number) = number(bytes) {
        return Ok(number);
    }
    if bytes[0].is_ascii_alphabetic() || bytes[0] == b'_' {
        let length = bytes.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        let is = match &rest[..length] {
            "in" => Is::In,
            "true" => Is::True,
            "false" => Is::False,
            "null" => Is::Null,
            _ => Is::Ident,
        };
        return Ok((is, length));
    }
    if bytes[0] == b'`' {
        return escaped(rest);
    }
    if let Some(&(symbol, is)) = SYMBOLS[..24].iter().find(|(symbol, _)| rest.starts_with(symbol)) {
        return Ok((is, symbol.len()));
    }
    Err(failed.unwrap_or_else(|| {
        // `=`, `&` and `|` begin a token, so that the character after them is what does not fit.
        let first = rest.chars().next().map_or(0, char::len_utf8);
        match bytes[0] {
            b'=' | b'&' | b'|' => first + rest[first..].chars().next().map_or(0, char::len_utf8),
            _ => first,
        }
    }))
}

fn escaped(rest: &str) -> Result<(Is, usize), usize> {
    let inner =
        rest[1..].bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'/' | b' ')).count();
    let end = 1 + inner;
    if inner > 0 && rest[end..].starts_with('`') {
        return Ok((Is::EscapedIdent, end + 1));
    }
    Err(end + rest[end..].chars().next().map_or(0, char::len_utf8))
}

fn number(bytes: &[u8]) -> Option<(Is, usize)> {
    let digits = |from: usize| bytes[from.min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
    let exponent = |from: usize| match bytes.get(from) {
        Some(b'e' | b'E') => {
            let sign = usize::from(matches!(bytes.get(from + 1), Some(b'+' | b'-')));
            match digits(from + 1 + sign) {
                0 => 0,
                count => 1 + sign + count,
            }
        }
        _ => 0,
    };
    let whole = digits(0);
    let fraction = match bytes.get(whole) {
        Some(b'.') => match digits(whole + 1) {
            0 => 0,
            count => count + 1,
        },
        _ => 0,
    };
    let power = if whole + fraction > 0 { exponent(whole + fraction) } else { 0 };
    if fraction + power > 0 {
        return Some((Is::Float, whole + fraction + power));
    }
    let hex = match bytes {
        [b'0', b'x', rest @ ..] => rest.iter().take_while(|b| b.is_ascii_hexdigit()).count(),
        _ => 0,
    };
    let length = if hex > 0 { 2 + hex } else { whole };
    match (length, bytes.get(length)) {
        (0, _) => None,
        (_, Some(b'u' | b'U')) => Some((Is::Uint, length + 1)),
        _ => Some((Is::Int, length)),
    }
}

/// A string or bytes literal: its length, or how far reading got.
fn string(rest: &str) -> Option<Result<(Is, usize), usize>> {
    let bytes = rest.as_bytes();
    let prefix = bytes.iter().take(3).position(|b| matches!(b, b'"' | b'\''))?;
    let (is, raw) = match &bytes[..prefix] {
        [] => (Is::String, false),
        [b'r' | b'R'] => (Is::String, true),
        [b'b' | b'B'] => (Is::Bytes, false),
        [b'b' | b'B', b'r' | b'R'] => (Is::Bytes, true),
        _ => return None,
    };
    let quote = bytes[prefix];
    let triple = bytes[prefix..].starts_with(&[quote; 3]);
    if triple && let Ok(length) = quoted(rest, prefix + 3, quote, raw, true) {
        return Some(Ok((is, length)));
    }
    // Unclosed triple quotes are an empty string and more.
    Some(quoted(rest, prefix + 1, quote, raw, false).map(|length| (is, length)))
}

/// Where the literal that began before `at` ends.
fn quoted(rest: &str, mut at: usize, quote: u8, raw: bool, triple: bool) -> Result<usize, usize> {
    let bytes = rest.as_bytes();
    let fails = |at: usize| Err(rest[at.min(rest.len())..].chars().next().map_or(rest.len(), |c| at + c.len_utf8()));
    while let Some(&b) = bytes.get(at) {
        if triple && bytes[at..].starts_with(&[quote; 3]) {
            return Ok(at + 3);
        }
        if !triple && b == quote {
            return Ok(at + 1);
        }
        if !triple && matches!(b, b'\n' | b'\r') {
            return fails(at);
        }
        if b == b'\\' && !raw {
            match escape(&bytes[at + 1..]) {
                Ok(length) => at += 1 + length,
                Err(length) => return fails(at + 1 + length),
            }
            continue;
        }
        at += rest[at..].chars().next().map_or(1, char::len_utf8);
    }
    Err(rest.len())
}

/// Bytes of the escape after its backslash, or how many of them fit.
fn escape(after: &[u8]) -> Result<usize, usize> {
    let (need, valid): (usize, fn(&u8) -> bool) = match after.first() {
        Some(b'a' | b'b' | b'f' | b'n' | b'r' | b't' | b'v' | b'"' | b'\'' | b'\\' | b'?' | b'`') => return Ok(1),
        Some(b'x' | b'X') => (2, u8::is_ascii_hexdigit),
        Some(b'u') => (4, u8::is_ascii_hexdigit),
        Some(b'U') => (8, u8::is_ascii_hexdigit),
        Some(b'0'..=b'3') => (2, |b| matches!(b, b'0'..=b'7')),
        _ => return Err(0),
    };
    match after[1..].iter().take(need).take_while(|b| valid(b)).count() {
        count if count == need => Ok(1 + need),
        count => Err(1 + count),
    }
}
