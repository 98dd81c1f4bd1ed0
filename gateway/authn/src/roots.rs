//! The certificate authorities that vouch for clients, replaceable while the server runs.
//! Does not watch files (`server::tls` does) and verifies nothing (`certificate`).

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is not PEM.
    #[error("read certificate authorities: {0}")]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// A block is not a certificate.
    #[error("certificate authority number {number} does not parse: {reason}")]
    Certificate {
        /// Position in the bundle, from 1.
        number: usize,
        /// What the parser said.
        reason: String,
    },
    /// Nothing in it.
    #[error("the bundle holds no certificate")]
    Empty,
}

/// One reading of a bundle; two readings are different even when their text is the same.
#[derive(Debug, Default)]
pub struct Bundle {
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}

impl Bundle {
    /// Reads every certificate of a PEM text, each of which must parse.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
        if certificates.is_empty() {
            return Err(Error::Empty);
        }
        for (index, der) in certificates.iter().enumerate() {
            X509Certificate::from_der(der).map_err(|e| Error::Certificate { number: index + 1, reason: e.to_string() })?;
        }
        Ok(Self { certificates })
    }

    /// The subjects in DER, which a TLS handshake names to the client.
    pub fn subjects(&self) -> Vec<Vec<u8>> {
        self.certificates
            .iter()
            .filter_map(|der| X509Certificate::from_der(der).ok().map(|(_, c)| c.subject().as_raw().to_vec()))
            .collect()
    }
}

/// The authorities in force. Cheap to clone; all clones see a replacement.
#[derive(Clone, Debug, Default)]
pub struct Roots(Arc<ArcSwap<Bundle>>);

impl Roots {
    /// Authorities that can be replaced later.
    pub fn new(bundle: Bundle) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(bundle)))
    }

    /// Puts another bundle in force, from the next request on.
    pub fn replace(&self, bundle: Bundle) {
        self.0.store(Arc::new(bundle));
    }

    /// What is in force now.
    pub fn current(&self) -> Arc<Bundle> {
        self.0.load_full()
    }
}
