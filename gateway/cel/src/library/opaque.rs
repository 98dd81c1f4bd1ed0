//! Values of Kubernetes' own types: quantities, URLs, addresses, formats, versions.

use std::fmt;

use model::quantity::Quantity;

use super::authz::Authz;
use super::named_format::NamedFormat;
use super::net::{Address, Cidr};
use super::semver::Version;
use super::url::Url;
use crate::program::Error;

/// A value that only its library looks into.
#[derive(Clone, Debug)]
pub enum Opaque {
    /// `quantity('1Gi')`
    Quantity(Quantity),
    /// `url('https://example.com')`
    Url(Url),
    /// `ip('10.0.0.1')`
    Ip(Address),
    /// `cidr('10.0.0.0/8')`
    Cidr(Cidr),
    /// `format.dns1123Label()`
    Format(&'static NamedFormat),
    /// `semver('1.2.3')`
    Semver(Version),
    /// `authorizer`, what is asked of it, and its answer
    Authz(Authz),
}

impl Opaque {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Quantity(_) => "kubernetes.Quantity",
            Self::Url(_) => "kubernetes.URL",
            Self::Ip(_) => "net.IP",
            Self::Cidr(_) => "net.CIDR",
            Self::Format(_) => "kubernetes.NamedFormat",
            Self::Semver(_) => "kubernetes.Semver",
            Self::Authz(authz) => authz.type_name(),
        }
    }

    /// A size that costs are counted by.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Self::Ip(address) => Some(address.bytes()),
            Self::Cidr(cidr) => Some(u64::from(cidr.bits).div_ceil(8)),
            _ => None,
        }
    }

    pub(crate) fn equal(&self, other: &Opaque) -> Result<bool, Error> {
        Ok(match (self, other) {
            (Self::Quantity(a), Self::Quantity(b)) => a == b,
            (Self::Url(a), Self::Url(b)) => a.text == b.text,
            (Self::Ip(a), Self::Ip(b)) => a == b,
            (Self::Cidr(a), Self::Cidr(b)) => a == b,
            (Self::Format(a), Self::Format(b)) => a.title == b.title,
            (Self::Semver(a), Self::Semver(b)) => a.compare(b).is_eq(),
            _ => return Err(Error::no_overload()),
        })
    }
}

impl fmt::Display for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantity(quantity) => write!(f, "{quantity}"),
            Self::Url(url) => f.write_str(&url.text),
            Self::Ip(address) => write!(f, "{address}"),
            Self::Cidr(cidr) => write!(f, "{cidr}"),
            Self::Format(format) => f.write_str(format.title),
            Self::Semver(version) => write!(f, "{version}"),
            Self::Authz(authz) => f.write_str(authz.type_name()),
        }
    }
}
