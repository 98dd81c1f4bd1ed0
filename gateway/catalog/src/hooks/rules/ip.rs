//! IP addresses in fields, as Go's lenient parser reads them.

use std::net::IpAddr;

use model::Value;
use model::field::{Errors, Path, quote};

use super::get;

/// `IsValidIPForLegacyField` with `StrictIPCIDRValidation` on (the default of 1.37); addresses in `kept` pass as they are.
pub(crate) fn legacy(value: &str, kept: &[&str], path: &Path, errors: &mut Errors) {
    if kept.contains(&value) {
        return;
    }
    let Some(address) = parse_sloppy(value) else {
        return errors.invalid(path, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    };
    if value.parse::<IpAddr>().is_err() {
        errors.invalid(path, value, "must not have leading 0s");
    }
    if is_mapped(&address) {
        errors.invalid(path, value, "must not be an IPv4-mapped IPv6 address");
    }
}

/// `IsValidInterfaceAddress`: an address with the length of its prefix, as one canonically writes it.
pub(crate) fn interface(value: &str, path: &Path, errors: &mut Errors) {
    let parsed = value.split_once('/').and_then(|(address, bits)| {
        let digits = !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit());
        let (address, bits) = (parse_sloppy(address)?, digits.then(|| bits.parse::<u8>().ok()).flatten()?);
        (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, bits))
    });
    let Some((address, bits)) = parsed else {
        return errors.invalid(path, value, "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)");
    };
    // A mapped address is shown as the one it maps, with its own length.
    let bits = if is_mapped(&address) && bits > 32 { bits.saturating_sub(96) } else { bits };
    let canonical = format!("{}/{bits}", canonical(&address));
    if value != canonical {
        errors.invalid(path, value, format!("must be in canonical form ({})", quote(&canonical)));
    }
}

/// `IsValidIP`: strict, and in canonical form.
pub(crate) fn strict(value: &str, path: &Path, errors: &mut Errors) {
    let before = errors.0.len();
    legacy(value, &[], path, errors);
    let Some(address) = parse_sloppy(value).filter(|_| errors.0.len() == before) else { return };
    let canonical = address.to_string();
    if value != canonical {
        errors.invalid(path, value, format!("must be in canonical form ({})", quote(&canonical)));
    }
}

/// `ValidateEndpointIP`: addresses that traffic cannot be sent to.
pub(crate) fn endpoint(one: &str, path: &Path, errors: &mut Errors) {
    let Some(address) = parse_sloppy(one) else { return errors.invalid(path, one, "must be a valid IP address") };
    let (link_local, link_local_multicast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.segments()[0] & 0xff0f == 0xff02),
    };
    if address.is_unspecified() {
        errors.invalid(path, one, format!("may not be unspecified ({one})"));
    }
    if address.is_loopback() {
        errors.invalid(path, one, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
    if link_local {
        errors.invalid(path, one, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    }
    if link_local_multicast {
        errors.invalid(path, one, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
    }
}

/// `GetWarningsForIP`: what a valid address should look like instead.
pub(crate) fn warnings(value: &str, path: &Path) -> Option<String> {
    let address = parse_sloppy(value)?;
    if value.parse::<IpAddr>().is_err() || is_mapped(&address) {
        return Some(format!("{path}: non-standard IP address {} is invalid: use {}", quote(value), quote(&canonical(&address))));
    }
    (address.is_ipv6() && address.to_string() != value).then(|| {
        format!("{path}: IPv6 address {} should be in RFC 5952 canonical format ({})", quote(value), quote(&address.to_string()))
    })
}

fn is_mapped(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

fn canonical(address: &IpAddr) -> String {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or_else(|| v6.to_string(), |v4| v4.to_string()),
        IpAddr::V4(v4) => v4.to_string(),
    }
}

/// `ParseIPSloppy`: like the strict parser, and leading zeros of IPv4 parts are decimal.
pub(crate) fn parse_sloppy(value: &str) -> Option<IpAddr> {
    if let Ok(address) = value.parse() {
        return Some(address);
    }
    let (head, tail) = match value.rfind(':') {
        Some(colon) => value.split_at(colon + 1),
        None => ("", value),
    };
    let parts: Vec<&str> = tail.split('.').collect();
    if parts.len() != 4 || parts.iter().any(|part| part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let stripped: Vec<&str> =
        parts.iter().map(|part| part.trim_start_matches('0')).map(|part| if part.is_empty() { "0" } else { part }).collect();
    format!("{head}{}", stripped.join(".")).parse().ok()
}

/// `WarningsOnUpdate` of a status with a load balancer.
pub(crate) fn load_balancer_warnings(object: &Value) -> Vec<String> {
    let balancer = get::at(get::at(object, "status"), "loadBalancer");
    let path = Path::new("status.loadBalancer.ingress");
    let entries = get::list(balancer, "ingress").iter().enumerate();
    let given = entries.map(|(i, entry)| (i, get::text(entry, "ip"))).filter(|(_, ip)| !ip.is_empty());
    given.flat_map(|(i, ip)| warnings(ip, &path.index(i))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(value: &str) -> Vec<String> {
        let mut errors = Errors::new();
        legacy(value, &["bad"], &Path::new("ip"), &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn addresses() {
        assert!(found("10.9.8.7").is_empty() && found("2001:db8::ffff").is_empty() && found("bad").is_empty());
        assert_eq!(
            found("300.1.1.1"),
            ["ip: Invalid value: \"300.1.1.1\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
        );
        assert_eq!(found("010.1.1.1"), ["ip: Invalid value: \"010.1.1.1\": must not have leading 0s"]);
        assert_eq!(found("::ffff:1.2.3.4"), ["ip: Invalid value: \"::ffff:1.2.3.4\": must not be an IPv4-mapped IPv6 address"]);
        assert_eq!(
            warnings("010.1.1.1", &Path::new("ip")).as_deref(),
            Some("ip: non-standard IP address \"010.1.1.1\" is invalid: use \"10.1.1.1\"")
        );
        assert_eq!(
            warnings("2001:DB8::1", &Path::new("ip")).as_deref(),
            Some("ip: IPv6 address \"2001:DB8::1\" should be in RFC 5952 canonical format (\"2001:db8::1\")")
        );
        assert_eq!(warnings("10.0.0.1", &Path::new("ip")), None);
    }
}
