//! Formats of the network: hosts, addresses, ranges, hardware addresses.
//! IPv4 tolerates leading zeros, as Go did before 1.17.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest hostname.
const HOSTNAME_BYTES_MAX: usize = 255;
/// Longest part of a hostname.
const LABEL_BYTES_MAX: usize = 63;

/// `IsHostname`: upstream's pattern, which lets letters and symbols of any script pass, and the limits of lengths.
pub(super) fn is_hostname(value: &str) -> bool {
    value.len() <= HOSTNAME_BYTES_MAX
        && value.split('.').all(|label| label.len() <= LABEL_BYTES_MAX)
        && (is_plain_host(value) || is_domain(value))
}

fn is_symbol_or_letter(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || c.is_alphabetic()
        || (!c.is_ascii() && !c.is_numeric() && !c.is_whitespace() && !c.is_control())
        || "$+<=>^`|~".contains(c)
}

/// One label: a first character, at most one dash, and up to 62 more.
fn is_plain_host(value: &str) -> bool {
    let mut chars = value.chars();
    let Some(first) = chars.next() else { return false };
    let rest = chars.as_str();
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    is_symbol_or_letter(first) && rest.chars().all(is_symbol_or_letter) && rest.chars().count() < LABEL_BYTES_MAX
}

/// Labels and a last part of letters.
fn is_domain(value: &str) -> bool {
    let Some((labels, top)) = value.rsplit_once('.') else { return false };
    let label = |label: &str| {
        let count = label.chars().count();
        (1..=LABEL_BYTES_MAX).contains(&count)
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c == '-' || is_symbol_or_letter(c))
    };
    let letters = top.chars().count();
    labels.split('.').all(label) && (2..=LABEL_BYTES_MAX).contains(&letters) && top.chars().all(char::is_alphabetic)
}

/// An address whose IPv4 parts may have leading zeros.
fn sloppy(value: &str) -> Option<IpAddr> {
    if value.contains(':') {
        let (head, tail) = value.rsplit_once(':')?;
        if tail.contains('.') {
            let plain = format!("{head}:{}", sloppy_v4(tail)?);
            return plain.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
        }
        return value.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    sloppy_v4(value).map(IpAddr::V4)
}

fn sloppy_v4(value: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = value.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let significant = part.trim_start_matches('0');
        *octet = if significant.is_empty() { 0 } else { significant.parse().ok()? };
    }
    parts.next().is_none().then(|| octets.into())
}

/// `isIPv4`: an address with a dot in it.
pub(super) fn is_ipv4(value: &str) -> bool {
    value.contains('.') && sloppy(value).is_some()
}

/// `IsIPv6`: an address with a colon in it, without a zone.
pub(super) fn is_ipv6(value: &str) -> bool {
    value.contains(':') && value.parse::<Ipv6Addr>().is_ok()
}

/// `isCIDR`.
pub(super) fn is_cidr(value: &str) -> bool {
    let Some((address, bits)) = value.split_once('/') else { return false };
    let Some(address) = sloppy(address) else { return false };
    let max = if address.is_ipv4() { 32 } else { 128 };
    !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit()) && bits.parse::<u32>().is_ok_and(|bits| bits <= max)
}

/// `net.ParseMAC`: 6, 8 or 20 bytes, in pairs with colons or dashes or in fours with dots.
pub(super) fn is_mac(value: &str) -> bool {
    let groups = |separator: char, width: usize| {
        let parts: Vec<&str> = value.split(separator).collect();
        let whole = parts.iter().all(|part| part.len() == width && part.bytes().all(|b| b.is_ascii_hexdigit()));
        whole && matches!(parts.len() * width / 2, 6 | 8 | 20)
    };
    groups(':', 2) || groups('-', 2) || groups('.', 4)
}
