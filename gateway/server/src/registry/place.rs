//! Who may be spoken to: a host and a port by HTTPS, or by HTTP on this machine. Decides it before anything is connected to.

use std::net::IpAddr;

use admission::policy::registry::Failure;
use http::Uri;

use crate::client::Target;

/// The registry that people call docker.io has another host.
const DOCKER: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// Which hosts may be spoken to.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Every one: whoever runs the command said the name.
    Anywhere,
    /// These alone, each as a host, or as host:port. What is written in an object must not lead a server to other places
    /// of its network.
    Listed(Vec<String>),
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) target: Target,
    /// By HTTP, without TLS.
    pub(super) is_plain: bool,
}

impl Place {
    /// A registry by its name.
    pub(super) fn of_registry(registry: &str, is_plain: bool) -> Result<Self, Failure> {
        let host = if registry == DOCKER.0 { DOCKER.1 } else { registry };
        let scheme = if is_plain { "http" } else { "https" };
        let uri =
            format!("{scheme}://{host}/").parse().map_err(|error| Failure::last(format!("registry {registry:?}: {error}")))?;
        Self::of(&uri)
    }

    /// The place of an address.
    pub(super) fn of(uri: &Uri) -> Result<Self, Failure> {
        let no_place = || Failure::last(format!("{uri} is no address of a registry"));
        let (Some(authority), Some(scheme)) = (uri.authority(), uri.scheme_str()) else { return Err(no_place()) };
        if authority.as_str().contains('@') {
            return Err(no_place());
        }
        let is_plain = match scheme {
            "https" => false,
            "http" => true,
            _ => return Err(no_place()),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if is_plain && !is_here(&host) {
            return Err(Failure::last(format!("{host}: HTTP is only for a registry on this machine")));
        }
        let port = authority.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
        let target = Target { authority: authority.as_str().to_owned(), server_name: host.clone(), host, port };
        Ok(Self { target, is_plain })
    }

    /// Where one leads that was named beside this one.
    pub(super) fn joined(&self, location: &str) -> Result<(Self, String), Failure> {
        let wrong = |error: http::uri::InvalidUri| Failure::later(format!("the registry names the place {location:?}: {error}"));
        if location.starts_with('/') && !location.starts_with("//") {
            return Ok((self.clone(), location.to_owned()));
        }
        let uri: Uri = location.parse().map_err(wrong)?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let place = Self::of(&uri)?;
        if place.is_plain && !self.is_plain {
            return Err(Failure::last(format!("the registry leads to {location} by HTTP")));
        }
        Ok((place, path))
    }
}

impl Reach {
    /// Whether a place may be spoken to; says what to change where it may not.
    pub(super) fn check(&self, place: &Place) -> Result<(), Failure> {
        let Self::Listed(hosts) = self else { return Ok(()) };
        let (host, port) = (&place.target.host, place.target.port);
        let bare = |text: &str| text.trim_start_matches('[').replacen("]", "", 1).to_ascii_lowercase();
        let is_named = |listed: &String| {
            let listed = bare(if listed == DOCKER.0 { DOCKER.1 } else { listed });
            listed == *host || listed == format!("{host}:{port}")
        };
        match hosts.iter().any(is_named) {
            true => Ok(()),
            false => Err(Failure::last(format!("{host}:{port} is not among the registries that --policy-registries allows"))),
        }
    }
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(registry: &str) -> Place {
        Place::of_registry(registry, false).unwrap_or_else(|why| panic!("{why}"))
    }

    #[test]
    fn only_listed_hosts_are_reached() {
        let listed = Reach::Listed(vec!["registry.example".to_owned(), "[::1]:5000".to_owned(), "docker.io".to_owned()]);
        for reached in ["registry.example", "registry.example:8443", "REGISTRY.example", "[::1]:5000", "docker.io"] {
            assert_eq!(listed.check(&place(reached)), Ok(()), "{reached}");
        }
        for other in ["169.254.169.254", "registry.example.evil.example", "[::1]:5001", "localhost:5000"] {
            assert!(listed.check(&place(other)).is_err(), "{other}");
        }
        assert!(Reach::Listed(Vec::new()).check(&place("registry.example")).is_err());
        assert_eq!(Reach::Anywhere.check(&place("registry.example")), Ok(()));
    }

    #[test]
    fn http_stays_on_this_machine_and_nobody_is_led_down_to_it() {
        for here in ["localhost:5000", "127.0.0.1:5000", "[::1]:5000"] {
            assert!(Place::of_registry(here, true).is_ok(), "{here}");
        }
        assert!(Place::of_registry("10.0.0.1:5000", true).is_err());
        let from = place("registry.example");
        assert_eq!(from.joined("/v2/a?b=c"), Ok((from.clone(), "/v2/a?b=c".to_owned())));
        assert_eq!(from.joined("https://cdn.example/x"), Ok((place("cdn.example"), "/x".to_owned())));
        for wrong in ["http://localhost/x", "ftp://registry.example/", "https://user@registry.example/", "//cdn.example/x", "x"] {
            assert!(from.joined(wrong).is_err(), "{wrong}");
        }
    }
}
