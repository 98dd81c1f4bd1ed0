//! Address ranges in fields, as Go's lenient parser reads them. Single addresses are next door (`ip`).

use std::net::IpAddr;

use model::field::{Errors, Path, quote};

use super::ip;

/// A range of addresses: what it starts with and how many leading bits are fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cidr {
    address: IpAddr,
    bits: u8,
}

impl Cidr {
    /// `ParseCIDRSloppy`: leading zeros are decimal.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let (address, bits) = value.split_once('/')?;
        let address = ip::parse_sloppy(address)?;
        let digits = !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit());
        let bits: u8 = digits.then(|| bits.parse().ok()).flatten()?;
        (bits <= width(&address)).then_some(Self { address, bits })
    }

    /// Whether every address of `other` is in this range and some are not in `other`.
    pub(crate) fn strictly_contains(&self, other: &Self) -> bool {
        self.address.is_ipv4() == other.address.is_ipv4()
            && self.bits < other.bits
            && number(&self.address) >> self.free_bits() == number(&other.address) >> self.free_bits()
    }

    /// Whether its addresses are of the sixth version.
    pub(crate) fn is_v6(&self) -> bool {
        self.address.is_ipv6()
    }

    fn free_bits(&self) -> u32 {
        // A /0 of IPv6 frees all 128 bits, which a shift cannot do: one less leaves a bit that is compared as well, and
        // such a range holds every address, so the caller's comparison of lengths decides.
        u32::from(width(&self.address) - self.bits).min(127)
    }

    /// The range by its first address.
    fn network(&self) -> String {
        let free = u32::from(width(&self.address) - self.bits);
        let first = number(&self.address).checked_shr(free).unwrap_or(0).checked_shl(free).unwrap_or(0);
        let address = match self.address {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(first).unwrap_or(0).into()),
            IpAddr::V6(_) => IpAddr::V6(first.into()),
        };
        format!("{address}/{}", self.bits)
    }

    fn has_bits_beyond(&self) -> bool {
        let free = u32::from(width(&self.address) - self.bits);
        free > 0 && number(&self.address).trailing_zeros() < free && number(&self.address) != 0
    }
}

fn width(address: &IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: &IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(*v4)),
        IpAddr::V6(v6) => u128::from(*v6),
    }
}

/// `IsValidCIDRForLegacyField` with `StrictIPCIDRValidation` on (the default of 1.37); ranges in `kept` pass as they are.
pub(crate) fn legacy(value: &str, kept: &[&str], path: &Path, errors: &mut Errors) {
    if kept.contains(&value) {
        return;
    }
    let Some(cidr) = Cidr::parse(value) else {
        return errors.invalid(path, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
    };
    let (address, bits) = value.split_once('/').unwrap_or((value, ""));
    if address.parse::<IpAddr>().is_err() || bits.len() > 1 && bits.starts_with('0') {
        errors.invalid(path, value, "must not have leading 0s in IP or prefix length");
    } else if matches!(cidr.address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) {
        errors.invalid(path, value, "must not have an IPv4-mapped IPv6 address");
    } else if cidr.has_bits_beyond() {
        errors.invalid(path, value, "must not have bits set beyond the prefix length");
    }
}

/// `IsValidCIDR`: strict, and in canonical form.
pub(crate) fn strict(value: &str, path: &Path, errors: &mut Errors) {
    let before = errors.0.len();
    legacy(value, &[], path, errors);
    let Some(cidr) = Cidr::parse(value).filter(|_| errors.0.len() == before) else { return };
    let canonical = format!("{}/{}", cidr.address, cidr.bits);
    if value != canonical {
        errors.invalid(path, value, format!("must be in canonical form ({})", quote(&canonical)));
    }
}

/// `GetWarningsForCIDR`: what a valid range should look like instead.
pub(crate) fn warnings(value: &str, path: &Path) -> Vec<String> {
    let Some(cidr) = Cidr::parse(value) else { return Vec::new() };
    let (network, quoted) = (cidr.network(), quote(value));
    let mut warnings = Vec::new();
    if cidr.has_bits_beyond() {
        let single = format!("{}/{}", cidr.address, width(&cidr.address));
        let (network, single) = (quote(&network), quote(&single));
        warnings.push(format!("{path}: CIDR value {quoted} is ambiguous in this context (should be {network} or {single}?)"));
    }
    let (address, bits) = value.split_once('/').unwrap_or((value, ""));
    let standard = address.parse::<IpAddr>().is_ok() && !(bits.len() > 1 && bits.starts_with('0'));
    let mapped = matches!(cidr.address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    if !standard || mapped {
        warnings.push(format!("{path}: non-standard CIDR value {quoted} is invalid: use {}", quote(&network)));
    }
    let canonical = format!("{}/{}", cidr.address, cidr.bits);
    if warnings.is_empty() && cidr.address.is_ipv6() && canonical != value {
        let canonical = quote(&canonical);
        warnings.push(format!("{path}: IPv6 CIDR value {quoted} should be in RFC 5952 canonical format ({canonical})"));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(value: &str) -> Vec<String> {
        let mut errors = Errors::new();
        legacy(value, &[], &Path::new("c"), &mut errors);
        errors.0.into_iter().map(|e| e.detail).collect()
    }

    #[test]
    fn ranges() {
        assert!(found("10.9.8.0/24").is_empty() && found("2001:db8::/64").is_empty() && found("0.0.0.0/0").is_empty());
        assert_eq!(found("10.9.8.0"), ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]);
        assert_eq!(found("10.9.8.0/33").len(), 1);
        assert_eq!(found("010.9.8.0/24"), ["must not have leading 0s in IP or prefix length"]);
        assert_eq!(found("10.9.8.1/24"), ["must not have bits set beyond the prefix length"]);
    }

    #[test]
    fn containment_is_strict() {
        let of = |text| Cidr::parse(text).expect("a range");
        assert!(of("10.0.0.0/8").strictly_contains(&of("10.1.0.0/16")));
        assert!(!of("10.0.0.0/8").strictly_contains(&of("10.0.0.0/8")));
        assert!(!of("10.0.0.0/8").strictly_contains(&of("11.0.0.0/16")));
        assert!(of("::/1").strictly_contains(&of("2001:db8::/64")));
        assert!(of("0.0.0.0/0").strictly_contains(&of("200.0.0.0/8")));
    }
}
