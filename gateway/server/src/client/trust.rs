//! Who is trusted to be the other side, and what is told of one who is not. Opens no connection.

use std::io;
use std::sync::Arc;

use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::{CertificateError, ClientConfig, InvalidMessage, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::pinned::Pinned;
use super::unverified::Unverified;

/// Where systems keep the roots that everybody trusts.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Who is trusted to be the other side.
#[derive(Clone)]
pub struct Trust(pub(super) Arc<ClientConfig>);

/// What a side must prove, and what is shown to it.
#[derive(Default)]
pub struct Terms<'a> {
    /// Certificates in PEM; the system's where there are none.
    pub bundle: &'a [u8],
    /// Whether whatever it shows is taken.
    pub unverified: bool,
    /// The certificate by which it knows this server, if it asks.
    pub shown: Option<Arc<dyn ResolvesClientCert>>,
}

impl Trust {
    /// Certificates in PEM; the system's where there are none. Fails with the reason.
    pub fn new(bundle: &[u8]) -> Result<Self, String> {
        Self::of(Terms { bundle, ..Terms::default() })
    }

    /// What these terms mean. Fails with the reason.
    pub fn of(terms: Terms<'_>) -> Result<Self, String> {
        let (roots, trusted) = roots(terms.bundle)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = if terms.unverified {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
        } else {
            // Nobody at all may be trusted on a system without certificates.
            match WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build() {
                Ok(others) => builder.dangerous().with_custom_certificate_verifier(Arc::new(Pinned { trusted, others })),
                Err(_) => builder.with_root_certificates(RootCertStore::empty()),
            }
        };
        let config = match terms.shown {
            Some(shown) => builder.with_client_cert_resolver(shown),
            None => builder.with_no_client_auth(),
        };
        Ok(Self(Arc::new(config)))
    }

    /// The same, with the choice of HTTP/2 left to the other side.
    pub(super) fn offering_http2(&self) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.0);
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        Arc::new(config)
    }
}

/// What HTTP/2 is called in a handshake, and what is spoken otherwise.
pub(super) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Authorities, and the certificates that are trusted themselves.
fn roots(bundle: &[u8]) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), String> {
    let failed = |why: &dyn std::fmt::Display| format!("unable to load root certificates: {why}");
    let (mut roots, mut trusted) = (RootCertStore::empty(), Vec::new());
    if bundle.iter().all(u8::is_ascii_whitespace) {
        let system = CertificateDer::pem_file_iter(SYSTEM_ROOTS).map(|all| all.flatten().collect::<Vec<_>>()).unwrap_or_default();
        roots.add_parsable_certificates(system);
        return Ok((roots, trusted));
    }
    for certificate in CertificateDer::pem_slice_iter(bundle) {
        let certificate = certificate.map_err(|error| failed(&error))?;
        roots.add(certificate.clone()).map_err(|error| failed(&error))?;
        trusted.push(certificate);
    }
    if roots.is_empty() {
        return Err(failed(&"unable to parse bytes as PEM block"));
    }
    Ok((roots, trusted))
}

/// Why a handshake failed, as Go tells the causes that are met most.
pub(super) fn words(error: &io::Error, server_name: &str) -> String {
    use rustls::Error;
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => "EOF".to_owned(),
            _ => error.to_string(),
        };
    };
    match error {
        Error::InvalidCertificate(why) => format!("tls: failed to verify certificate: x509: {}", certificate(why, server_name)),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => "http: server gave HTTP response to HTTPS client".to_owned(),
        other => format!("tls: {other}"),
    }
}

fn certificate(why: &CertificateError, server_name: &str) -> String {
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => "certificate signed by unknown authority".to_owned(),
        CertificateError::NotValidForName => format!("certificate is not valid for any names, but wanted to match {server_name}"),
        CertificateError::NotValidForNameContext { presented, .. } => misnamed(presented, server_name),
        other => other.to_string(),
    }
}

/// Go tells the names of the kind that was asked for alone.
fn misnamed(presented: &[String], server_name: &str) -> String {
    let is_address = server_name.parse::<std::net::IpAddr>().is_ok();
    let kind = if is_address { "IpAddress(" } else { "DnsName(" };
    let of_kind = presented.iter().filter_map(|name| name.strip_prefix(kind));
    let names: Vec<&str> = of_kind.map(|name| name.trim_end_matches(')').trim_matches('"')).collect();
    match (&names[..], is_address) {
        ([], true) => format!("cannot validate certificate for {server_name} because it doesn't contain any IP SANs"),
        ([], false) => format!("certificate is not valid for any names, but wanted to match {server_name}"),
        (names, _) => format!("certificate is valid for {}, not {server_name}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_not_trusted_is_told_as_go_tells_it() {
        let told = |why: CertificateError| words(&io::Error::other(rustls::Error::InvalidCertificate(why)), "a.b.svc");
        assert_eq!(
            told(CertificateError::UnknownIssuer),
            "tls: failed to verify certificate: x509: certificate signed by unknown authority"
        );
        let expected = rustls_pki_types::ServerName::try_from("a.b.svc").expect("a name");
        let presented = vec!["DnsName(\"x.y\")".to_owned(), "IpAddress(127.0.0.1)".to_owned()];
        assert_eq!(
            told(CertificateError::NotValidForNameContext { expected, presented }),
            "tls: failed to verify certificate: x509: certificate is valid for x.y, not a.b.svc"
        );
    }
}
