//! `url('https://example.com/a?b=c')`. Follows `library/urls.go` and Go's `net/url` as far as `ParseRequestURI` accepts.

use std::collections::HashMap;
use std::sync::Arc;

use super::opaque::Opaque;
use super::{Code, fail, quote, some};
use crate::value::{Made, Map, Outcome, Value};

/// An absolute URL or an absolute path.
#[derive(Clone, Debug)]
pub struct Url {
    /// As it is printed.
    pub(crate) text: String,
    scheme: String,
    host: String,
    path: String,
    query: String,
}

impl Url {
    /// Reads a URL; fails with the text of Go's `url.Error`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let failed = |message: &str| Err(format!("parse {}: {message}", quote(text)));
        if text.bytes().any(|b| b < 0x20 || b == 0x7f) {
            return failed("net/url: invalid control character in URL");
        }
        if text.is_empty() {
            return failed("empty url");
        }
        let (scheme, rest) = match scheme(text) {
            Ok(found) => found,
            Err(message) => return failed(message),
        };
        let (rest, _fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !rest.starts_with('/') {
            if scheme.is_empty() {
                return failed("invalid URI for request");
            }
            // What comes after the scheme has no parts.
            let none = String::new;
            return Ok(Self {
                text: text.to_owned(),
                scheme: scheme.to_lowercase(),
                host: none(),
                path: none(),
                query: query.into(),
            });
        }
        let (host, path) = match rest.strip_prefix("//").filter(|_| !scheme.is_empty()) {
            Some(authority) => match authority.find('/') {
                Some(at) => (&authority[..at], &authority[at..]),
                None => (authority, ""),
            },
            None => ("", rest),
        };
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        if let Some(message) = host_fault(host).or_else(|| escape_fault(path)) {
            return failed(&message);
        }
        let text = text.to_owned();
        Ok(Self { text, scheme: scheme.to_lowercase(), host: host.into(), path: escaped(path), query: query.into() })
    }

    /// The host without its port and brackets.
    fn hostname(&self) -> &str {
        match self.host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((inner, _)) => inner,
            None => self.host.rsplit_once(':').map_or(&self.host, |(host, _)| host),
        }
    }

    fn port(&self) -> &str {
        let rest = self.host.rsplit_once(']').map_or(&*self.host, |(_, rest)| rest);
        rest.rsplit_once(':').map_or("", |(_, port)| port)
    }
}

/// The scheme and what comes after its colon.
fn scheme(text: &str) -> Result<(&str, &str), &'static str> {
    for (i, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if i > 0 => {}
            ':' if i == 0 => return Err("missing protocol scheme"),
            ':' => return Ok((&text[..i], &text[i + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn host_fault(host: &str) -> Option<String> {
    if let Some(rest) = host.strip_prefix('[') {
        let Some((_, after)) = rest.split_once(']') else { return Some("missing ']' in host".into()) };
        return (!after.is_empty() && !is_port(after)).then(|| format!("invalid port {} after host", quote(after)));
    }
    if let Some(at) = host.rfind(':')
        && !is_port(&host[at..])
    {
        return Some(format!("invalid port {} after host", quote(&host[at..])));
    }
    let wrong = host.chars().find(|c| matches!(c, ' ' | '<' | '>' | '"' | '\\' | '^' | '`' | '{' | '|' | '}'))?;
    Some(format!("invalid character {} in host name", quote(&wrong.to_string())))
}

/// A colon and digits, or the colon alone.
fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

fn escape_fault(path: &str) -> Option<String> {
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let escape: String = rest[at..].chars().take(3).collect();
        if escape.len() != 3 || !escape[1..].bytes().all(|b| b.is_ascii_hexdigit()) {
            return Some(format!("invalid URL escape {}", quote(&escape)));
        }
        rest = &rest[at + 3..];
    }
    None
}

/// A path with what must be escaped escaped.
fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if c.is_ascii_alphanumeric() || "-_.~$&+,/:;=@!'()*%[]".contains(c) {
            out.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}

pub(super) fn code(function: &str) -> Option<Code> {
    Some(match function {
        "url" => |args| match args {
            [Value::String(text)] => match Url::parse(text) {
                Ok(url) => some(Value::Opaque(Arc::new(Opaque::Url(url)))),
                Err(message) => fail(format!("URL parse error during conversion from string: {message}")),
            },
            _ => None,
        },
        "isURL" => |args| match args {
            [Value::String(text)] => some(Value::Bool(Url::parse(text).is_ok())),
            _ => None,
        },
        "getScheme" => |args| part(args, |url| &url.scheme),
        "getHost" => |args| part(args, |url| &url.host),
        "getHostname" => |args| part(args, Url::hostname),
        "getPort" => |args| part(args, Url::port),
        "getEscapedPath" => |args| part(args, |url| &url.path),
        "getQuery" => query,
        _ => return None,
    })
}

fn of<'v>(args: &'v [Value<'_>]) -> Option<&'v Url> {
    match args {
        [Value::Opaque(opaque)] => match &**opaque {
            Opaque::Url(url) => Some(url),
            _ => None,
        },
        _ => None,
    }
}

fn part<'a>(args: &[Value<'a>], of_url: fn(&Url) -> &str) -> Option<Outcome<'a>> {
    some(Value::text(of_url(of(args)?)))
}

/// The query's values by their names; pairs that cannot be read are left out.
fn query<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let mut names: Vec<(String, Vec<Value<'a>>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for pair in of(args)?.query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (unescaped(name), unescaped(value)) else { continue };
        match places.get(&name) {
            Some(&at) => names[at].1.push(Value::text(value)),
            None => {
                places.insert(name.clone(), names.len());
                names.push((name, vec![Value::text(value)]));
            }
        }
    }
    let mut made = Made::default();
    for (name, values) in names {
        if let Err(error) = made.set(Value::text(name), Value::list(values)) {
            return Some(Err(error));
        }
    }
    some(Value::Map(Map::Made(made.into())))
}

fn unescaped(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            byte => out.push(byte),
        }
    }
    String::from_utf8(out).ok()
}
