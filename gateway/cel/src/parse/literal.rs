//! Values of literals. Faults carry cel-go's words.

use std::sync::Arc;

use crate::ast::Literal;

/// A whole number with its sign.
pub(super) fn int(text: &str, negative: bool) -> Result<Literal, &'static str> {
    let sign = if negative { "-" } else { "" };
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(&format!("{sign}{hex}"), 16),
        None => format!("{sign}{text}").parse(),
    };
    parsed.map(Literal::Int).map_err(|_| "invalid int literal")
}

pub(super) fn uint(text: &str) -> Result<Literal, &'static str> {
    let digits = &text[..text.len() - 1];
    let parsed = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    parsed.map(Literal::Uint).map_err(|_| "invalid uint literal")
}

pub(super) fn double(text: &str, negative: bool) -> Result<Literal, &'static str> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Literal::Double(if negative { -number } else { number })),
        _ => Err("invalid double literal"),
    }
}

pub(super) fn string(text: &str) -> Result<Literal, &'static str> {
    let bytes = unquote(text, false)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Literal::String(Arc::from(text))),
        Err(_) => Err("invalid unicode code point"),
    }
}

pub(super) fn bytes(text: &str) -> Result<Literal, &'static str> {
    Ok(Literal::Bytes(Arc::from(unquote(&text[1..], true)?)))
}

/// What stands between the quotes, with escapes replaced.
fn unquote(text: &str, bytes: bool) -> Result<Vec<u8>, &'static str> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let (raw, text) = match text.strip_prefix(['r', 'R']) {
        Some(rest) => (true, rest),
        None => (false, &*text),
    };
    let quotes = if text.len() >= 6 && (text.starts_with("'''") || text.starts_with("\"\"\"")) { 3 } else { 1 };
    let mut rest = &text[quotes..text.len() - quotes];
    if raw {
        return Ok(rest.as_bytes().to_vec());
    }
    let mut out = Vec::with_capacity(rest.len());
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let kind = rest.chars().next().ok_or("unable to unescape string")?;
        rest = &rest[kind.len_utf8()..];
        let (digits, radix) = match kind {
            'x' | 'X' => (2, 16),
            'u' if !bytes => (4, 16),
            'U' if !bytes => (8, 16),
            '0'..='3' => (2, 8),
            _ => {
                out.push(simple(kind).ok_or("unable to unescape string")?);
                continue;
            }
        };
        let number =
            rest.get(..digits).and_then(|digits| u32::from_str_radix(digits, radix).ok()).ok_or("unable to unescape string")?;
        rest = &rest[digits..];
        let value = if radix == 8 { (kind as u32 - '0' as u32) * 64 + number } else { number };
        if bytes {
            out.push(value as u8);
        } else {
            let c = char::from_u32(value).ok_or("invalid unicode code point")?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}

fn simple(kind: char) -> Option<u8> {
    Some(match kind {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' | '\'' | '"' | '`' | '?' => kind as u8,
        _ => return None,
    })
}
