//! Base64 as Go's `StdEncoding` reads it: line breaks ignored, padding required, the offset of what is wrong.
//! Decodes nothing: bytes that come as text stay text, made canonical.

use std::borrow::Cow;

/// Writes bytes.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let symbol = SYMBOLS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place > group.len() { '=' } else { char::from(symbol) });
        }
    }
    text
}

/// The text that Go would write for the same bytes. Fails with Go's words.
pub fn canonical(text: &str) -> Result<Cow<'_, str>, String> {
    let bytes = text.as_bytes();
    let mut symbols = 0;
    let mut last = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\r' | b'\n' => {}
            b'=' => return padded(text, at, symbols, last),
            b if value(b).is_none() => return Err(corrupt(at)),
            _ => {
                symbols += 1;
                last = at;
            }
        }
        at += 1;
    }
    match symbols % 4 {
        0 => Ok(without_breaks(text)),
        // Go counts back to the first symbol of the broken group; line breaks in it are not counted.
        rest => Err(corrupt(at - rest)),
    }
}

/// Checks the end of a text from its first `=` on, and clears the bits that belong to no byte.
fn padded(text: &str, at: usize, symbols: usize, last: usize) -> Result<Cow<'_, str>, String> {
    let bytes = text.as_bytes();
    let skip = |mut at: usize| {
        while matches!(bytes.get(at), Some(b'\r' | b'\n')) {
            at += 1;
        }
        at
    };
    let (mut end, mask) = match symbols % 4 {
        2 => match skip(at + 1) {
            second if second == bytes.len() => return Err(corrupt(bytes.len())),
            second if bytes[second] != b'=' => return Err(corrupt(second - 1)),
            second => (second + 1, 0b1111),
        },
        3 => (at + 1, 0b11),
        _ => return Err(corrupt(at)),
    };
    end = skip(end);
    if end < bytes.len() {
        return Err(corrupt(end));
    }
    let code = value(bytes[last]).unwrap_or(0);
    if code & mask == 0 {
        return Ok(without_breaks(text));
    }
    let mut fixed = text.to_owned();
    fixed.replace_range(last..=last, &char::from(SYMBOLS[usize::from(code & !mask)]).to_string());
    Ok(Cow::Owned(without_breaks(&fixed).into_owned()))
}

const SYMBOLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn value(b: u8) -> Option<u8> {
    match b {
        b'A'..=b'Z' => Some(b - b'A'),
        b'a'..=b'z' => Some(b - b'a' + 26),
        b'0'..=b'9' => Some(b - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

fn without_breaks(text: &str) -> Cow<'_, str> {
    if text.contains(['\r', '\n']) { Cow::Owned(text.replace(['\r', '\n'], "")) } else { Cow::Borrowed(text) }
}

fn corrupt(at: usize) -> String {
    format!("illegal base64 data at input byte {at}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_bytes() {
        for (bytes, text) in
            [(&b""[..], ""), (b"a", "YQ=="), (b"ab", "YWI="), (b"abc", "YWJj"), (b"\xff\xfe\xfd\xfc", "//79/A==")]
        {
            assert_eq!(encode(bytes), text);
        }
    }

    #[test]
    fn as_go_reads_it() {
        for (text, expected) in [
            ("", Ok("")),
            ("Ag==", Ok("Ag==")),
            ("Ah==", Ok("Ag==")),
            ("YWI=", Ok("YWI=")),
            ("YWJ=", Ok("YWI=")),
            ("YW\nJj\r\n", Ok("YWJj")),
            ("YWJjZA==", Ok("YWJjZA==")),
            ("abc", Err(0)),
            ("abcdab", Err(4)),
            ("ab=", Err(3)),
            ("ab=c", Err(2)),
            ("a===", Err(1)),
            ("ab==c", Err(4)),
            ("ab$d", Err(2)),
            ("-_-_", Err(0)),
        ] {
            let expected = expected.map(str::to_owned).map_err(corrupt);
            assert_eq!(canonical(text).map(Cow::into_owned), expected, "{text}");
        }
    }
}
