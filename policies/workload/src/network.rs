//! Networks in CIDR notation, for policies about addresses. Does no names.

use std::net::IpAddr;

/// A network: `10.0.0.0/8`, or one address.
#[derive(Debug, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    length: u32,
    is_v4: bool,
}

impl Network {
    /// Reads a network. Nothing when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Some(most), |length| length.parse().ok().filter(|length| *length <= most))?;
        Some(Self { bits: bits(address), length: length + 128 - most, is_v4: address.is_ipv4() })
    }

    /// Whether an address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let differs = (self.bits ^ bits(address)).checked_shr(128 - self.length).unwrap_or(0);
        address.is_ipv4() == self.is_v4 && differs == 0
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn addresses_lie_in_networks() {
        let contains = |network: &str, address: &str| Network::parse(network).unwrap().contains(address.parse().unwrap());
        assert!(contains("10.0.0.0/8", "10.1.2.3") && !contains("10.0.0.0/8", "11.1.2.3"));
        assert!(contains("203.0.113.7", "203.0.113.7") && !contains("203.0.113.7", "203.0.113.8"));
        assert!(contains("0.0.0.0/0", "1.2.3.4") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("2001:db8::/32", "2001:db8::1") && !contains("2001:db8::/32", "2001:db9::1"));
        assert_eq!(Network::parse("10.0.0.0/33"), None);
        assert_eq!(Network::parse("example.com"), None);
    }
}
