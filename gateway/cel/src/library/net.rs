//! `ip('10.0.0.1')` and `cidr('10.0.0.0/8')`. Follows `library/ip.go`, `library/cidr.go` and the texts of Go's `net/netip`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::opaque::Opaque;
use super::{Code, fail, quote, some};
use crate::value::{Outcome, Value};

/// An address without a zone that is not an IPv4 one mapped into IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(IpAddr);

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    address: Address,
    pub(crate) bits: u8,
}

impl Address {
    pub(crate) fn bytes(self) -> u64 {
        if self.0.is_ipv4() { 4 } else { 16 }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let address = parse_address(text)
            .map_err(|error| format!("IP Address {} parse error during conversion from string: {error}", quote(text)))?;
        if text.contains('%') {
            return Err(format!("IP address {} with zone value is not allowed", quote(text)));
        }
        if matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) {
            return Err(format!("IPv4-mapped IPv6 address {} is not allowed", quote(text)));
        }
        Ok(Self(address))
    }

    fn number(self) -> u128 {
        match self.0 {
            IpAddr::V4(v4) => u128::from(u32::from(v4)) << 96,
            IpAddr::V6(v6) => v6.into(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// Go's `netip.ParseAddr`.
fn parse_address(text: &str) -> Result<IpAddr, String> {
    let failed = |message: &str| Err(format!("ParseAddr({}): {message}", quote(text)));
    match text.chars().find(|c| matches!(c, '.' | ':' | '%')) {
        Some('.') => match parse_v4(text) {
            Ok(address) => Ok(IpAddr::V4(address)),
            Err(message) => failed(&message),
        },
        Some(':') => {
            let (plain, zone) = text.split_once('%').map_or((text, None), |(plain, zone)| (plain, Some(zone)));
            if zone == Some("") {
                return failed("zone must be a non-empty string");
            }
            match plain.parse::<Ipv6Addr>() {
                Ok(address) => Ok(IpAddr::V6(address)),
                Err(_) => failed(&v6_fault(plain)),
            }
        }
        Some(_) => failed("missing IPv6 address"),
        None => failed("unable to parse IP"),
    }
}

fn parse_v4(text: &str) -> Result<Ipv4Addr, String> {
    let mut fields = [0u8; 4];
    let (mut at, mut value, mut digits) = (0, 0u32, 0);
    for (i, c) in text.char_indices() {
        match c {
            '0'..='9' => {
                if digits == 1 && value == 0 {
                    return Err("IPv4 field has octet with leading zero".into());
                }
                value = value * 10 + (c as u32 - '0' as u32);
                digits += 1;
                if value > 255 {
                    return Err("IPv4 field has value >255".into());
                }
            }
            '.' => {
                if i == 0 || i == text.len() - 1 || text.as_bytes()[i - 1] == b'.' {
                    return Err(format!("IPv4 field must have at least one digit (at {})", quote(&text[i..])));
                }
                if at == 3 {
                    return Err("IPv4 address too long".into());
                }
                fields[at] = value as u8;
                (at, value, digits) = (at + 1, 0, 0);
            }
            _ => return Err(format!("unexpected character (at {})", quote(&text[i..]))),
        }
    }
    if at < 3 {
        return Err("IPv4 address too short".into());
    }
    fields[3] = value as u8;
    Ok(fields.into())
}

/// The faults of IPv6 addresses that are met most.
fn v6_fault(text: &str) -> String {
    if text.matches("::").count() > 1 {
        return match text.rfind("::") {
            Some(at) => format!("multiple :: in address (at {})", quote(&text[at + 1..])),
            None => "multiple :: in address".into(),
        };
    }
    if let Some(at) = text.find(|c: char| !c.is_ascii_hexdigit() && c != ':' && c != '.') {
        let start = text[..at].rfind(':').map_or(0, |colon| colon + 1);
        let message = if start == at {
            "each colon-separated field must have at least one digit"
        } else {
            "unexpected character, want colon"
        };
        return format!("{message} (at {})", quote(&text[at..]));
    }
    if !text.contains("::") && text.matches(':').count() < 7 {
        return "address string too short".into();
    }
    "unable to parse IP".into()
}

impl Cidr {
    fn parse(text: &str) -> Result<Self, String> {
        let failed = |message: String| {
            Err(format!(
                "network address parse error during conversion from string: netip.ParsePrefix({}): {message}",
                quote(text)
            ))
        };
        let Some((address, bits)) = text.rsplit_once('/') else { return failed("no '/'".into()) };
        let address = match parse_address(address) {
            Ok(address) => address,
            Err(message) => return failed(message),
        };
        if text.contains('%') {
            return failed("IPv6 zones cannot be present in a prefix".into());
        }
        let digits = !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit()) && !(bits.len() > 1 && bits.starts_with('0'));
        let Some(bits) = bits.parse::<u8>().ok().filter(|_| digits) else {
            return failed(format!("bad bits after slash: {}", quote(bits)));
        };
        if bits > if address.is_ipv4() { 32 } else { 128 } {
            return failed("prefix length out of range".into());
        }
        if matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) {
            return Err(format!("IPv4-mapped IPv6 address {} is not allowed", quote(text)));
        }
        Ok(Self { address: Address(address), bits })
    }

    /// What is the same in all addresses of the network.
    fn common(self, address: Address) -> u128 {
        if self.bits == 0 { 0 } else { address.number() >> (128 - u32::from(self.bits)) }
    }

    fn contains(self, address: Address) -> bool {
        self.address.bytes() == address.bytes() && self.common(self.address) == self.common(address)
    }

    fn masked(self) -> Self {
        let number = if self.bits == 0 { 0 } else { self.common(self.address) << (128 - u32::from(self.bits)) };
        let address = match self.address.0 {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from((number >> 96) as u32)),
            IpAddr::V6(_) => IpAddr::V6(number.into()),
        };
        Self { address: Address(address), bits: self.bits }
    }
}

fn ip_value<'a>(address: Address) -> Value<'a> {
    Value::Opaque(Arc::new(Opaque::Ip(address)))
}

fn cidr_value<'a>(cidr: Cidr) -> Value<'a> {
    Value::Opaque(Arc::new(Opaque::Cidr(cidr)))
}

fn as_ip(value: &Value<'_>) -> Option<Address> {
    match value {
        Value::Opaque(opaque) => match **opaque {
            Opaque::Ip(address) => Some(address),
            _ => None,
        },
        _ => None,
    }
}

fn as_cidr(value: &Value<'_>) -> Option<Cidr> {
    match value {
        Value::Opaque(opaque) => match **opaque {
            Opaque::Cidr(cidr) => Some(cidr),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn code(function: &str) -> Option<Code> {
    Some(match function {
        "ip" => |args| match args {
            [Value::String(text)] => made(Address::parse(text).map(ip_value)),
            [value] => some(ip_value(as_cidr(value)?.address)),
            _ => None,
        },
        "cidr" => |args| match args {
            [Value::String(text)] => made(Cidr::parse(text).map(cidr_value).map_err(twice)),
            _ => None,
        },
        "isIP" => |args| match args {
            [Value::String(text)] => some(Value::Bool(Address::parse(text).is_ok())),
            _ => None,
        },
        "isCIDR" => |args| match args {
            [Value::String(text)] => some(Value::Bool(Cidr::parse(text).is_ok())),
            _ => None,
        },
        "ip.isCanonical" => |args| match args {
            [Value::String(text)] => made(Address::parse(text).map(|address| Value::Bool(address.to_string() == **text))),
            _ => None,
        },
        "family" => |args| of_ip(args, |ip| Value::Int(if ip.is_ipv4() { 4 } else { 6 })),
        "isUnspecified" => |args| of_ip(args, |ip| Value::Bool(ip.is_unspecified())),
        "isLoopback" => |args| of_ip(args, |ip| Value::Bool(ip.is_loopback())),
        "isLinkLocalMulticast" => |args| of_ip(args, |ip| Value::Bool(link_local_multicast(ip))),
        "isLinkLocalUnicast" => |args| of_ip(args, |ip| Value::Bool(link_local_unicast(ip))),
        "isGlobalUnicast" => |args| of_ip(args, |ip| Value::Bool(global_unicast(ip))),
        "prefixLength" => |args| Some(Ok(Value::Int(as_cidr(args.first()?)?.bits.into()))),
        "masked" => |args| Some(Ok(cidr_value(as_cidr(args.first()?)?.masked()))),
        "containsIP" => contains_ip,
        "containsCIDR" => contains_cidr,
        _ => return None,
    })
}

fn made<'a>(value: Result<Value<'a>, String>) -> Option<Outcome<'a>> {
    match value {
        Ok(value) => some(value),
        Err(message) => fail(message),
    }
}

/// Upstream says it twice.
fn twice(message: String) -> String {
    format!("network address parse error during conversion from string: {message}")
}

fn of_ip<'a>(args: &[Value<'a>], of: fn(IpAddr) -> Value<'a>) -> Option<Outcome<'a>> {
    Some(Ok(of(as_ip(args.first()?)?.0)))
}

fn link_local_multicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
        IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
    }
}

fn link_local_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.segments()[0] & 0xffc0 == 0xfe80,
    }
}

fn global_unicast(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !(broadcast || ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || link_local_unicast(ip))
}

fn contains_ip<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let cidr = as_cidr(args.first()?)?;
    match args.get(1)? {
        // A text that is no address is upstream's error of the wrong type.
        Value::String(text) => {
            made(Address::parse(text).map(|ip| Value::Bool(cidr.contains(ip))).map_err(|_| "no such overload".into()))
        }
        value => some(Value::Bool(cidr.contains(as_ip(value)?))),
    }
}

fn contains_cidr<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let cidr = as_cidr(args.first()?)?;
    let other = match args.get(1)? {
        Value::String(text) => match Cidr::parse(text) {
            Ok(other) => other,
            Err(message) => return fail(twice(message)),
        },
        value => as_cidr(value)?,
    };
    some(Value::Bool(cidr.bits <= other.bits && cidr.contains(other.address)))
}
