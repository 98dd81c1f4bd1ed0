//! JSON as Go's `encoding/json` writes it: HTML-safe strings, Go's numbers, sorted maps, two-space indentation.
//! Does not know which fields come first (`schema`).

use model::json::{Key, Map, Number, Value};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends a string in quotes, escaped as Go does with HTML escaping on.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    for (i, &b) in bytes.iter().enumerate() {
        if (0x20..0x7f).contains(&b) && !matches!(b, b'"' | b'\\' | b'<' | b'>' | b'&') {
            continue;
        }
        // U+2028 and U+2029 are E2 80 A8 and E2 80 A9.
        let separator = b == 0xe2 && matches!(bytes.get(i + 1..i + 3), Some([0x80, 0xa8 | 0xa9]));
        if b >= 0x7f && !separator {
            continue;
        }
        out.extend_from_slice(&bytes[start..i]);
        start = i + 1;
        match b {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', b]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0xe2 => {
                out.extend_from_slice(if bytes[i + 2] == 0xa8 { b"\\u2028" } else { b"\\u2029" });
                start = i + 3;
            }
            _ => out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]),
        }
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}

/// Appends an integer.
pub fn write_int(value: i64, out: &mut Vec<u8>) {
    // i64::MIN has 19 digits and a sign.
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a float: plain digits between 1e-6 and 1e21, else an exponent, without a fraction that is zero.
pub fn write_float(value: f64, out: &mut Vec<u8>) {
    let magnitude = value.abs();
    let text = if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{value:e}");
        // Go writes 1e+21 and 1e-7.
        match text.split_once('e') {
            Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e+{exponent}"),
            _ => text,
        }
    } else {
        format!("{value}")
    };
    out.extend_from_slice(text.as_bytes());
}

/// A float as Go's `%v` prints it: with an exponent of at least two digits below 1e-4 and from 1e6 on.
pub fn general(value: f64) -> String {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&power) {
        return format!("{value}");
    }
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// Appends a number.
pub fn write_number(number: &Number, out: &mut Vec<u8>) {
    match number.as_i64() {
        Some(int) => write_int(int, out),
        None => write_float(number.as_f64().unwrap_or(0.0), out),
    }
}

/// Appends any value, the keys of its maps in their own order.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    write_ordered(value, Order::Kept, out);
}

/// Appends any value, the keys of its maps sorted, as Go writes a `map[string]any`.
pub fn write_sorted(value: &Value, out: &mut Vec<u8>) {
    write_ordered(value, Order::Sorted, out);
}

/// Appends any value, the keys of its maps in their own order, and its numbers as a text spelt them at their paths.
pub fn write_spelt(value: &Value, spelling: &dyn Fn(&str) -> Option<String>, out: &mut Vec<u8>) {
    spelt_at(value, &mut String::new(), spelling, out);
}

fn spelt_at(value: &Value, path: &mut String, spelling: &dyn Fn(&str) -> Option<String>, out: &mut Vec<u8>) {
    let length = path.len();
    match value {
        Value::Number(number) => match spelling(path) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => write_number(number, out),
        },
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                path.push_str(&format!("[{i}]"));
                spelt_at(item, path, spelling, out);
                path.truncate(length);
            }
            out.push(b']');
        }
        Value::Object(map) => {
            out.push(b'{');
            for (i, (key, member)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_string(key, out);
                out.push(b':');
                if length > 0 {
                    path.push('.');
                }
                path.push_str(key);
                spelt_at(member, path, spelling, out);
                path.truncate(length);
            }
            out.push(b'}');
        }
        other => write(other, out),
    }
}

#[derive(Clone, Copy)]
enum Order {
    Kept,
    Sorted,
}

fn write_ordered(value: &Value, order: Order, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_ordered(item, order, out);
            }
            out.push(b']');
        }
        Value::Object(map) => match order {
            Order::Kept => write_entries(map.iter(), out, |value, out| write_ordered(value, order, out)),
            Order::Sorted => write_map(map, out, |value, out| write_ordered(value, order, out)),
        },
    }
}

/// Appends a map with sorted keys; `write_value` writes each value.
pub fn write_map(map: &Map, out: &mut Vec<u8>, write_value: impl FnMut(&Value, &mut Vec<u8>)) {
    if map.keys().is_sorted() {
        return write_entries(map.iter(), out, write_value);
    }
    let mut entries: Vec<(&Key, &Value)> = map.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    write_entries(entries.into_iter(), out, write_value);
}

fn write_entries<'a>(
    entries: impl Iterator<Item = (&'a Key, &'a Value)>,
    out: &mut Vec<u8>,
    mut write_value: impl FnMut(&Value, &mut Vec<u8>),
) {
    out.push(b'{');
    for (i, (key, value)) in entries.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_string(key, out);
        out.push(b':');
        write_value(value, out);
    }
    out.push(b'}');
}

/// Lays compact JSON out as Go's `MarshalIndent` does with two spaces. The input must be valid JSON.
pub fn indent(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() * 2);
    let mut depth = 0usize;
    let mut in_string = false;
    let mut escaped = false;
    let mut previous = b' ';
    for &b in json {
        if in_string {
            out.push(b);
            in_string = escaped || b != b'"';
            escaped = !escaped && b == b'\\';
            previous = b;
            continue;
        }
        match b {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if !matches!(previous, b'{' | b'[') {
                    new_line(depth, &mut out);
                }
            }
            _ if matches!(previous, b'{' | b'[') => new_line(depth, &mut out),
            _ => {}
        }
        out.push(b);
        match b {
            b'{' | b'[' => depth += 1,
            b',' => new_line(depth, &mut out),
            b':' => out.push(b' '),
            b'"' => in_string = true,
            _ => {}
        }
        previous = b;
    }
    out
}

fn new_line(depth: usize, out: &mut Vec<u8>) {
    out.push(b'\n');
    out.resize(out.len() + 2 * depth, b' ');
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn strings_are_html_safe() {
        let all = "<a href=\"x\">&\\\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}ä\u{2028}\u{2029}\u{20ac}";
        assert_eq!(
            text(|out| write_string(all, out)),
            r#""\u003ca href=\"x\"\u003e\u0026\\\n\r\t\b\f\u0000\u001f"#.to_owned() + "\u{7f}ä" + r"\u2028\u2029" + "\u{20ac}\""
        );
    }

    #[test]
    fn numbers_are_gos() {
        for (value, written) in [
            (0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (1.5e-7, "1.5e-7"),
            (0.1, "0.1"),
        ] {
            assert_eq!(text(|out| write_float(value, out)), written);
        }
        for (value, printed) in [
            (0.0, "0"),
            (100_000.0, "100000"),
            (1e6, "1e+06"),
            (12_345_678.5, "1.23456785e+07"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5, "1.5"),
        ] {
            assert_eq!(general(value), printed);
        }
        for int in [0, -1, i64::MIN, i64::MAX] {
            assert_eq!(text(|out| write_int(int, out)), int.to_string());
        }
    }

    #[test]
    fn maps_sort_and_indent() {
        let value = json!({"b": [1, {}], "a": {"d": "x:,{", "c": []}, "e": {"f": "\\\""}});
        assert_eq!(text(|out| write_sorted(&value, out)), r#"{"a":{"c":[],"d":"x:,{"},"b":[1,{}],"e":{"f":"\\\""}}"#);
        assert_eq!(text(|out| write(&value, out)), r#"{"b":[1,{}],"a":{"d":"x:,{","c":[]},"e":{"f":"\\\""}}"#);
        let pretty = indent(text(|out| write_sorted(&value, out)).as_bytes());
        assert_eq!(
            String::from_utf8(pretty).expect("UTF-8"),
            "{\n  \"a\": {\n    \"c\": [],\n    \"d\": \"x:,{\"\n  },\n  \"b\": [\n    1,\n    {}\n  ],\n  \"e\": {\n    \"f\": \"\\\\\\\"\"\n  }\n}"
        );
    }
}
