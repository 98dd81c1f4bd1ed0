//! What Go's `url.ParseRequestURI` accepts. Takes nothing apart for others.

/// `IsRequestURI`: an absolute URI or an absolute path.
pub(super) fn is_request_uri(value: &str) -> bool {
    if value.is_empty() || value.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return false;
    }
    if value == "*" {
        return true;
    }
    let Some((scheme, rest)) = split_scheme(value) else { return false };
    let rest = rest.split_once('?').map_or(rest, |(path, _)| path);
    if !rest.starts_with('/') {
        // Opaque: only after a scheme.
        return scheme.is_some();
    }
    let triple = rest.starts_with("///");
    match rest.strip_prefix("//") {
        Some(after) if scheme.is_some() || !triple => {
            // Without a scheme two slashes begin a path.
            if scheme.is_none() {
                return is_escaped_path(rest);
            }
            let (authority, path) = after.find('/').map_or((after, ""), |at| after.split_at(at));
            is_authority(authority) && is_escaped_path(path)
        }
        _ => is_escaped_path(rest),
    }
}

/// The scheme, if any, and the rest; nothing when the scheme is malformed.
fn split_scheme(value: &str) -> Option<(Option<&str>, &str)> {
    for (i, c) in value.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if i > 0 => {}
            ':' if i == 0 => return None,
            ':' => return Some((Some(&value[..i]), &value[i + 1..])),
            _ => return Some((None, value)),
        }
    }
    Some((None, value))
}

/// Whether every `%` is followed by two hexadecimal digits.
fn is_escaped_path(path: &str) -> bool {
    let bytes = path.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    bytes.iter().enumerate().all(|(i, &b)| b != b'%' || (hex(i + 1) && hex(i + 2)))
}

fn is_authority(authority: &str) -> bool {
    let host = match authority.rsplit_once('@') {
        Some((user, host)) if is_user_info(user) && is_escaped_path(user) => host,
        Some(_) => return false,
        None => authority,
    };
    is_host(host)
}

fn is_user_info(user: &str) -> bool {
    user.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b))
}

fn is_host(host: &str) -> bool {
    if let Some(bracketed) = host.strip_prefix('[') {
        let Some((inside, after)) = bracketed.rsplit_once(']') else { return false };
        let (address, zone) = inside.split_once("%25").map_or((inside, None), |(address, zone)| (address, Some(zone)));
        return is_port(after) && address.parse::<std::net::Ipv6Addr>().is_ok() && zone.is_none_or(is_escaped_path);
    }
    let name = match host.rfind(':') {
        Some(at) if !is_port(&host[at..]) => return false,
        Some(at) => &host[..at],
        None => host,
    };
    name.bytes().enumerate().all(|(i, b)| match b {
        // Only bytes beyond ASCII may be escaped in a host.
        b'%' => name.get(i + 1..i + 3).is_some_and(|hex| u8::from_str_radix(hex, 16).is_ok_and(|byte| byte >= 0x80)),
        b => b >= 0x80 || b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]<>\"".contains(&b),
    })
}

/// Nothing, or a colon and digits.
fn is_port(port: &str) -> bool {
    port.is_empty() || port.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}
