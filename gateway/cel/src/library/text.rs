//! Text: the standard library's functions and cel-go's `ext/strings` at version 2.

use super::{Code, fail, some};
use crate::program::Error;
use crate::value::{Outcome, Value};

pub(super) fn code(function: &str) -> Option<Code> {
    Some(match function {
        "contains" => |args| two(args, |a, b| Value::Bool(a.contains(b))),
        "startsWith" => |args| two(args, |a, b| Value::Bool(a.starts_with(b))),
        "endsWith" => |args| two(args, |a, b| Value::Bool(a.ends_with(b))),
        "lowerAscii" => |args| one(args, str::to_ascii_lowercase),
        "upperAscii" => |args| one(args, str::to_ascii_uppercase),
        "trim" => |args| one(args, |text| text.trim().to_owned()),
        "charAt" => char_at,
        "indexOf" => index_of,
        "lastIndexOf" => last_index_of,
        "replace" => replace,
        "split" => split,
        "substring" => substring,
        "join" => join,
        "strings.quote" => |args| one(args, quote),
        _ => return None,
    })
}

fn one<'a>(args: &[Value<'a>], of: fn(&str) -> String) -> Option<Outcome<'a>> {
    match args {
        [Value::String(text)] => some(Value::text(of(text))),
        _ => None,
    }
}

fn two<'a>(args: &[Value<'a>], of: fn(&str, &str) -> Value<'static>) -> Option<Outcome<'a>> {
    match args {
        [Value::String(a), Value::String(b)] => some(of(a, b)),
        _ => None,
    }
}

fn out_of_range<'a>(index: i64) -> Option<Outcome<'a>> {
    fail(format!("index out of range: {index}"))
}

fn char_at<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let [Value::String(text), Value::Int(at)] = args else { return None };
    match usize::try_from(*at).ok().and_then(|index| text.chars().nth(index)) {
        Some(found) => some(Value::text(found)),
        None if *at == text.chars().count() as i64 => some(Value::text("")),
        None => out_of_range(*at),
    }
}

fn index_of<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let (text, part, from) = match args {
        [Value::List(_), _] => return super::lists::index_of(args),
        [Value::String(text), Value::String(part)] => (text, part, 0),
        [Value::String(text), Value::String(part), Value::Int(from)] => (text, part, *from),
        _ => return None,
    };
    let Ok(offset) = usize::try_from(from) else { return out_of_range(from) };
    let length = text.chars().count();
    if part.is_empty() {
        return some(Value::Int(offset.min(length) as i64));
    }
    let Some((start, _)) = text.char_indices().nth(offset) else { return some(Value::Int(-1)) };
    let found = text[start..].find(&**part).map(|at| offset + text[start..start + at].chars().count());
    some(Value::Int(found.map_or(-1, |at| at as i64)))
}

fn last_index_of<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let (text, part, from) = match args {
        [Value::List(_), _] => return super::lists::last_index_of(args),
        [Value::String(text), Value::String(part)] => (text, part, None),
        [Value::String(text), Value::String(part), Value::Int(from)] => (text, part, Some(*from)),
        _ => return None,
    };
    let length = text.chars().count();
    let Ok(offset) = usize::try_from(from.unwrap_or(length as i64)) else { return out_of_range(from.unwrap_or(-1)) };
    if part.is_empty() {
        return some(Value::Int(offset.min(length) as i64));
    }
    if from.is_some() && offset >= length {
        return some(Value::Int(-1));
    }
    // The match begins at the offset or before.
    let end = text.char_indices().nth(offset + part.chars().count()).map_or(text.len(), |(at, _)| at);
    let found = text[..end].rfind(&**part).map(|at| text[..at].chars().count());
    some(Value::Int(found.map_or(-1, |at| at as i64)))
}

fn replace<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let (text, old, new, count) = match args {
        [Value::String(text), Value::String(old), Value::String(new)] => (text, old, new, -1),
        [Value::String(text), Value::String(old), Value::String(new), Value::Int(count)] => (text, old, new, *count),
        _ => return None,
    };
    some(Value::text(match usize::try_from(count) {
        Ok(count) => text.replacen(&**old, new, count),
        Err(_) => text.replace(&**old, new),
    }))
}

fn split<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let (text, separator, count) = match args {
        [Value::String(text), Value::String(separator)] => (text, separator, -1),
        [Value::String(text), Value::String(separator), Value::Int(count)] => (text, separator, *count),
        _ => return None,
    };
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    let parts: Vec<Value<'a>> = match (limit, separator.is_empty()) {
        (0, _) => Vec::new(),
        (limit, true) => characters(text, limit).into_iter().map(Value::text).collect(),
        (limit, false) => text.splitn(limit, &**separator).map(Value::text).collect(),
    };
    some(Value::list(parts))
}

/// Each character alone, the last part with what is left.
fn characters(text: &str, limit: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if parts.len() + 1 == limit {
            parts.push(rest.to_owned());
            break;
        }
        parts.push(first.to_string());
        rest = &rest[first.len_utf8()..];
    }
    parts
}

fn substring<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let (text, start, end) = match args {
        [Value::String(text), Value::Int(start)] => (text, *start, None),
        [Value::String(text), Value::Int(start), Value::Int(end)] => (text, *start, Some(*end)),
        _ => return None,
    };
    let length = text.chars().count() as i64;
    if let Some(end) = end.filter(|end| start > *end) {
        return fail(format!("invalid substring range. start: {start}, end: {end}"));
    }
    if !(0..=length).contains(&start) {
        return out_of_range(start);
    }
    let end = end.unwrap_or(length);
    if !(0..=length).contains(&end) {
        return out_of_range(end);
    }
    some(Value::text(text.chars().skip(start as usize).take((end - start) as usize).collect::<String>()))
}

fn join<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let (list, separator) = match args {
        [Value::List(list)] => (list, ""),
        [Value::List(list), Value::String(separator)] => (list, &**separator),
        _ => return None,
    };
    let mut joined = String::new();
    for (i, item) in list.iter().enumerate() {
        if i > 0 {
            joined.push_str(separator);
        }
        match item {
            Ok(Value::String(text)) => joined.push_str(&text),
            Ok(_) => return Some(Err(Error::no_overload())),
            Err(error) => return Some(Err(error)),
        }
    }
    some(Value::text(joined))
}

fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
