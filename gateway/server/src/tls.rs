//! TLS: certificates that can be replaced while serving, by name where several are given, and clients' certificates.
//! A client certificate is only tested for possession of its key here; who it names is decided with the request (`authn`),
//! because a bad one must not keep out a client that also brings a token.

mod client;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use authn::Roots;
use authn::roots::Bundle;
use rustls::client::ResolvesClientCert;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SignatureScheme, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::pki;

/// A certificate, key or setting cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A PEM file.
    #[error("read {path}: {source}")]
    Pem {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// A bundle of authorities.
    #[error("read {path}")]
    Roots {
        /// Which.
        path: PathBuf,
        /// Why.
        source: authn::roots::Error,
    },
    /// A file.
    #[error("read {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key that does not fit its certificate, or is of an unknown kind.
    #[error("use {path}")]
    Key {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The settings leave nothing to speak with.
    #[error("set up TLS")]
    Settings(#[from] rustls::Error),
}

/// A certificate file, its key file and, for `--tls-sni-cert-key`, the names it is for.
#[derive(Clone, Debug)]
pub struct Source {
    /// Certificate chain in PEM.
    pub certificate: PathBuf,
    /// Private key in PEM.
    pub key: PathBuf,
    /// Names such as `example.com` or `*.example.com`; the certificate's own when empty.
    pub names: Vec<String>,
}

/// The lowest version spoken (`--tls-min-version`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lowest {
    /// TLS 1.2.
    #[default]
    V12,
    /// TLS 1.3.
    V13,
}

/// The serving certificates in force.
#[derive(Debug)]
pub struct Certificates {
    sources: Vec<Source>,
    loaded: ArcSwap<Vec<Loaded>>,
}

#[derive(Debug)]
struct Loaded {
    names: Vec<String>,
    key: Arc<CertifiedKey>,
}

impl Certificates {
    /// Loads the certificates; the first is used where no name fits. Fails as [`Error`] says.
    pub fn load(sources: Vec<Source>) -> Result<Arc<Self>, Error> {
        let loaded = sources.iter().map(load).collect::<Result<_, _>>()?;
        Ok(Arc::new(Self { sources, loaded: ArcSwap::from_pointee(loaded) }))
    }

    /// Loads them again. When one cannot be used the old ones stay in force.
    pub fn reload(&self) -> Result<(), Error> {
        let loaded = self.sources.iter().map(load).collect::<Result<_, _>>()?;
        self.loaded.store(Arc::new(loaded));
        Ok(())
    }

    /// The files they come from.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.sources.iter().flat_map(|source| [source.certificate.clone(), source.key.clone()]).collect()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let loaded = self.loaded.load();
        let named = hello
            .server_name()
            .and_then(|name| loaded.iter().find(|entry| entry.names.iter().any(|own| name_matches(own, name))));
        named.or(loaded.first()).map(|entry| entry.key.clone())
    }
}

/// Shown to a server that asks who calls: the first, whatever authorities it names, as Go shows the one it has.
impl ResolvesClientCert for Certificates {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.loaded.load().first().map(|entry| entry.key.clone())
    }

    fn has_certs(&self) -> bool {
        !self.loaded.load().is_empty()
    }
}

fn name_matches(own: &str, name: &str) -> bool {
    match own.strip_prefix("*.") {
        Some(domain) => name.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
        None => own.eq_ignore_ascii_case(name),
    }
}

fn load(source: &Source) -> Result<Loaded, Error> {
    let pem = |path: &Path, source| Error::Pem { path: path.to_owned(), source };
    let chain = CertificateDer::pem_file_iter(&source.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| pem(&source.certificate, e))?;
    let key = PrivateKeyDer::from_pem_file(&source.key).map_err(|e| pem(&source.key, e))?;
    let names = match (source.names.is_empty(), chain.first().and_then(|der| X509Certificate::from_der(der).ok())) {
        (true, Some((_, leaf))) => pki::subject_names(&leaf),
        _ => source.names.clone(),
    };
    let key = pair(chain, key).map_err(|e| Error::Key { path: source.certificate.clone(), source: e })?;
    Ok(Loaded { names, key: Arc::new(key) })
}

/// A certificate and the key that must be its own. rustls, which could compare them, reads no certificates of version 1; these
/// are what `openssl x509 -req` makes where nobody asks for extensions, and Go takes them.
pub(crate) fn pair(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<CertifiedKey, rustls::Error> {
    let key = ring::default_provider().key_provider.load_private_key(key)?;
    let leaf = chain.first().and_then(|der| X509Certificate::from_der(der).ok());
    let (_, leaf) = leaf.ok_or(rustls::CertificateError::BadEncoding)?;
    match key.public_key() {
        Some(own) if own.as_ref() != leaf.public_key().raw => Err(rustls::InconsistentKeys::KeyMismatch.into()),
        _ => Ok(CertifiedKey::new(chain, key)),
    }
}

/// Reads a bundle of authorities.
pub fn read_roots(path: &Path) -> Result<Bundle, Error> {
    let pem = std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    Bundle::from_pem(&pem).map_err(|source| Error::Roots { path: path.to_owned(), source })
}

/// What a TLS server is made of.
pub struct Settings {
    /// Serving certificates.
    pub certificates: Arc<Certificates>,
    /// Authorities whose names are told to clients, so that they choose the right certificate.
    pub client_roots: Vec<Roots>,
    /// The lowest version spoken.
    pub lowest: Lowest,
    /// Names of TLS 1.2 cipher suites allowed; all safe ones when empty. Those of 1.3 are always allowed, as in Go.
    pub cipher_suites: Vec<String>,
    /// Protocols offered, best first.
    pub protocols: Vec<Vec<u8>>,
}

/// Puts a TLS server together. Fails when the settings leave no cipher suite.
pub fn server_config(settings: Settings) -> Result<Arc<ServerConfig>, Error> {
    let mut provider: CryptoProvider = ring::default_provider();
    if !settings.cipher_suites.is_empty() {
        let allowed = |suite: &rustls::SupportedCipherSuite| {
            let name = format!("{:?}", suite.suite());
            suite.tls13().is_some() || settings.cipher_suites.contains(&name)
        };
        provider.cipher_suites.retain(allowed);
    }
    let versions: &[&SupportedProtocolVersion] = match settings.lowest {
        Lowest::V12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        Lowest::V13 => &[&rustls::version::TLS13],
    };
    let verifier = client::Possession::new(&provider, settings.client_roots);
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(settings.certificates);
    config.alpn_protocols = settings.protocols;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::asn1_rs::Any;

    #[test]
    fn a_replaced_certificate_is_taken_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let pki = pki::Pki::new(folder.path());
        let now = jiff::Timestamp::now();
        pki.ensure_serving(&["one.example".to_owned()], now).unwrap();
        let source = Source { certificate: pki.path("apiserver.crt"), key: pki.path("apiserver.key"), names: Vec::new() };
        let certificates = Certificates::load(vec![source]).unwrap();
        let names = || certificates.loaded.load()[0].names.clone();
        assert_eq!(names(), ["one.example"]);
        pki.ensure_serving(&["two.example".to_owned()], now).unwrap();
        certificates.reload().unwrap();
        assert_eq!(names(), ["two.example"]);
        std::fs::write(pki.path("apiserver.crt"), "no certificate").unwrap();
        assert!(certificates.reload().is_err());
        assert_eq!(names(), ["two.example"], "the old one stays in force");
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let pki = pki::Pki::new(folder.path());
        let now = jiff::Timestamp::now();
        pki.ensure_serving(&[], now).unwrap();
        pki.ensure_admin(now).unwrap();
        let source = Source { certificate: pki.path("apiserver.crt"), key: pki.path("admin.key"), names: Vec::new() };
        assert!(matches!(Certificates::load(vec![source]), Err(Error::Key { .. })));
    }

    /// The elements of a sequence's content.
    fn elements(mut content: &[u8]) -> Vec<&[u8]> {
        let mut all = Vec::new();
        while !content.is_empty() {
            let rest = Any::from_der(content).unwrap().0;
            all.push(&content[..content.len() - rest.len()]);
            content = rest;
        }
        all
    }

    /// The content of a sequence.
    fn content(sequence: &[u8]) -> &[u8] {
        Any::from_der(sequence).unwrap().1.data
    }

    fn sequence(elements: &[&[u8]]) -> Vec<u8> {
        let content = elements.concat();
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[0x30, 0x82, high, low][..], &content].concat()
    }

    /// The same certificate without the marks of version 3: its number and its extensions. Its signature no longer holds.
    fn version_1(certificate: &[u8]) -> Vec<u8> {
        let parts = elements(content(certificate));
        let kept: Vec<&[u8]> = elements(content(parts[0])).into_iter().filter(|part| !matches!(part[0], 0xa0 | 0xa3)).collect();
        sequence(&[&sequence(&kept), parts[1], parts[2]])
    }

    #[test]
    fn a_certificate_of_version_1_goes_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let pki = pki::Pki::new(folder.path());
        let now = jiff::Timestamp::now();
        pki.ensure_serving(&[], now).unwrap();
        pki.ensure_admin(now).unwrap();
        let old = CertificateDer::from(version_1(&CertificateDer::from_pem_file(pki.path("apiserver.crt")).unwrap()));
        assert_eq!(X509Certificate::from_der(&old).unwrap().1.version().0, 0);
        let key = |name| PrivateKeyDer::from_pem_file(pki.path(name)).unwrap();
        assert!(pair(vec![old.clone()], key("apiserver.key")).is_ok());
        assert!(pair(vec![old], key("admin.key")).is_err());
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(name_matches("*.example.com", "api.Example.com"));
        assert!(!name_matches("*.example.com", "a.b.example.com"));
        assert!(!name_matches("*.example.com", "example.com"));
        assert!(name_matches("example.com", "EXAMPLE.com"));
    }
}
