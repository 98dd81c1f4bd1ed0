//! What Go's parser of URLs refuses, in its words. Follows `net/url.Parse` as far as a client can tell; takes nothing but the scheme apart.

use model::field::quote;

/// Why a URL cannot be read: `parse "…": …`.
pub fn fault(url: &str) -> Option<String> {
    let (before, fragment) = url.split_once('#').unwrap_or((url, ""));
    let told = |text: &str, why: String| format!("parse {}: {why}", quote(text));
    whole(before).map(|why| told(before, why)).or_else(|| escapes(fragment, Part::Other).map(|why| told(url, why)))
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Host,
    Other,
}

fn whole(url: &str) -> Option<String> {
    if url.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return Some("net/url: invalid control character in URL".to_owned());
    }
    let (scheme, rest) = match scheme(url) {
        Ok(parts) => parts,
        Err(why) => return Some(why.to_owned()),
    };
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    if !rest.starts_with('/') {
        let first = rest.split('/').next().unwrap_or(rest);
        let confusing = scheme.is_empty() && first.contains(':');
        return match (scheme.is_empty(), confusing) {
            (true, true) => Some("first path segment in URL cannot contain colon".to_owned()),
            (true, false) => escapes(rest, Part::Other),
            (false, _) => None,
        };
    }
    match rest.strip_prefix("//").filter(|_| !scheme.is_empty() || !rest.starts_with("///")) {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            authority(&rest[..end]).or_else(|| escapes(&rest[end..], Part::Other))
        }
        None => escapes(rest, Part::Other),
    }
}

/// The scheme, empty when there is none, and what follows; fails with Go's words.
pub fn scheme(url: &str) -> Result<(&str, &str), &'static str> {
    for (i, b) in url.bytes().enumerate() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i == 0 => return Err("missing protocol scheme"),
            b':' => return Ok((&url[..i], &url[i + 1..])),
            _ => break,
        }
    }
    Ok(("", url))
}

fn authority(text: &str) -> Option<String> {
    let (user, host) = text.rsplit_once('@').map_or((None, text), |(user, host)| (Some(user), host));
    host_fault(host).or_else(|| {
        let user = user?;
        let valid = |b: u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b);
        if user.bytes().all(valid) { escapes(user, Part::Other) } else { Some("net/url: invalid userinfo".to_owned()) }
    })
}

fn host_fault(host: &str) -> Option<String> {
    let port = if let Some(open) = host.rfind('[') {
        let Some(close) = host[open..].rfind(']') else { return Some("missing ']' in host".to_owned()) };
        &host[open + close + 1..]
    } else {
        host.rfind(':').map_or("", |at| &host[at..])
    };
    let is_port = |port: &str| port.is_empty() || port.strip_prefix(':').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    if !is_port(port) {
        return Some(format!("invalid port {} after host", quote(port)));
    }
    escapes(host, Part::Host)
}

/// Percent signs that escape nothing, and what no host may hold.
fn escapes(text: &str, part: Part) -> Option<String> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let step = if bytes[at] == b'%' {
            let code = &bytes[at..bytes.len().min(at + 3)];
            let digits = &code[1..];
            let is_code = digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit);
            // A host may hold escaped letters beyond ASCII and an escaped percent sign.
            let is_ascii = part == Part::Host && digits.first().is_some_and(|b| b"01234567".contains(b)) && code != b"%25";
            if !is_code || is_ascii {
                return Some(format!("invalid URL escape {}", quote(&String::from_utf8_lossy(code))));
            }
            3
        } else {
            let in_host = |b: u8| b.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&b);
            if part == Part::Host && bytes[at].is_ascii() && !in_host(bytes[at]) {
                return Some(format!("invalid character {} in host name", quote(&text[at..=at])));
            }
            1
        };
        at += step;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_gos_words() {
        for (url, why) in [
            ("https://x.example.com/%zz", Some(r#"parse "https://x.example.com/%zz": invalid URL escape "%zz""#)),
            ("https://x.example.com/a%2", Some(r#"parse "https://x.example.com/a%2": invalid URL escape "%2""#)),
            ("https://x y/", Some(r#"parse "https://x y/": invalid character " " in host name"#)),
            ("https://x:y/", Some(r#"parse "https://x:y/": invalid port ":y" after host"#)),
            ("https://[::1/", Some(r#"parse "https://[::1/": missing ']' in host"#)),
            ("https://a b@x/", Some(r#"parse "https://a b@x/": net/url: invalid userinfo"#)),
            ("https://%41/", Some(r#"parse "https://%41/": invalid URL escape "%41""#)),
            (":x", Some(r#"parse ":x": missing protocol scheme"#)),
            ("1:x", Some(r#"parse "1:x": first path segment in URL cannot contain colon"#)),
            ("https://x/#%", Some(r##"parse "https://x/#%": invalid URL escape "%""##)),
            ("https://[::1]:443/é%41?%zz", None),
            ("x.example.com/y", None),
            ("https:x", None),
        ] {
            assert_eq!(fault(url).as_deref(), why, "{url}");
        }
    }
}
