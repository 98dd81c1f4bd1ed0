//! The query of a URL as upstream's parameter codec reads it. Knows no parameter by name.

/// Query parameters in order, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Splits and decodes; a pair that cannot be decoded is left out, as Go's `url.Query` does.
    pub fn parse(text: &str) -> Self {
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((decode(name, Plus::IsSpace)?, decode(value, Plus::IsSpace)?))
        };
        Self(text.split('&').filter(|part| !part.is_empty() && !part.contains(';')).filter_map(pair).collect())
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter, empty when absent.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or("")
    }

    /// Every value of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A flag, as upstream reads it: absent is `None`; everything but `false` and `0` is yes.
    pub fn flag(&self, name: &str) -> Option<bool> {
        Some(!matches!(self.get(name)?.to_ascii_lowercase().as_str(), "false" | "0"))
    }

    /// A whole number. Fails with Go's words for one that is none.
    pub fn number(&self, name: &str) -> Result<Option<i64>, String> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let fault = |why| format!("strconv.ParseInt: parsing {}: {why}", crate::field::quote(text));
        match text.parse::<i64>() {
            Ok(number) => Ok(Some(number)),
            Err(e) if matches!(e.kind(), std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow) => {
                Err(fault("value out of range"))
            }
            Err(_) => Err(fault("invalid syntax")),
        }
    }

    /// Every name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// What `+` means.
#[derive(Clone, Copy, PartialEq)]
enum Plus {
    IsSpace,
    IsPlus,
}

/// Decodes the percent signs of a path; nothing when one is malformed or the result is no UTF-8.
pub fn decode_path(path: &str) -> Option<String> {
    decode(path, Plus::IsPlus)
}

/// A value of a query: what is not plain is written as %XX.
pub fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b',');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn decode(text: &str, plus: Plus) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                // Two hex digits never exceed a byte.
                out.push((high * 16 + low) as u8);
            }
            b'+' if plus == Plus::IsSpace => out.push(b' '),
            byte => out.push(byte),
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_plain_is_escaped() {
        assert_eq!(encode("a b&c"), "a%20b%26c");
        assert_eq!(Query::parse(&format!("x={}", encode("ä=1?#+%"))).get("x"), Some("ä=1?#+%"));
    }

    #[test]
    fn reads_parameters() {
        let query = Query::parse("a=1&b=x+y%3D&a=2&watch&bad=%zz&n=99999999999999999999");
        assert_eq!(query.get("a"), Some("1"));
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.text("b"), "x y=");
        assert_eq!(query.flag("watch"), Some(true));
        assert_eq!(query.flag("other"), None);
        assert_eq!(query.get("bad"), None);
        assert_eq!(query.number("b").unwrap_err(), "strconv.ParseInt: parsing \"x y=\": invalid syntax");
        assert_eq!(query.number("n").unwrap_err(), "strconv.ParseInt: parsing \"99999999999999999999\": value out of range");
        assert_eq!(Query::parse("watch=0").flag("watch"), Some(false));
    }
}
