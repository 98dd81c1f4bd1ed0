//! Client certificates in the handshake: the client must hold the key, nothing else is asked.
//! rustls' own verifier refuses version 1 certificates and leaves marked as authorities, which Go accepts, and ends the
//! handshake for them; so signatures are checked here, against the key as the certificate states it.

use authn::Roots;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Tests that the client holds the key of the certificate it shows.
#[derive(Debug)]
pub(super) struct Possession {
    algorithms: WebPkiSupportedAlgorithms,
    hints: Vec<DistinguishedName>,
}

impl Possession {
    /// Tells clients the names of these authorities as they are now; later ones are accepted without being told.
    pub(super) fn new(provider: &CryptoProvider, roots: Vec<Roots>) -> Self {
        let hints = roots.iter().flat_map(|roots| roots.current().subjects()).map(DistinguishedName::from).collect();
        Self { algorithms: provider.signature_verification_algorithms, hints }
    }

    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let info = certificate.public_key();
        let key: &[u8] = &info.subject_public_key.data;
        let identifier = algorithm_identifier(info.raw).ok_or(CertificateError::BadEncoding)?;
        let candidates =
            self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme).map_or(&[][..], |(_, found)| found);
        let good = candidates.iter().any(|algorithm| {
            algorithm.public_key_alg_id().as_ref() == identifier
                && algorithm.verify_signature(key, message, signed.signature()).is_ok()
        });
        if good { Ok(HandshakeSignatureValid::assertion()) } else { Err(CertificateError::BadSignature.into()) }
    }
}

impl ClientCertVerifier for Possession {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        use SignatureScheme::{RSA_PKCS1_SHA1, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512};
        // TLS 1.3 forbids these for handshake signatures; a client that uses one is broken or hostile.
        if matches!(signed.scheme, RSA_PKCS1_SHA1 | RSA_PKCS1_SHA256 | RSA_PKCS1_SHA384 | RSA_PKCS1_SHA512) {
            return Err(CertificateError::BadSignature.into());
        }
        self.verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The content of the `AlgorithmIdentifier` at the head of a `SubjectPublicKeyInfo`, by which keys are matched to algorithms.
fn algorithm_identifier(info: &[u8]) -> Option<&[u8]> {
    content(content(info)?)
}

fn content(der: &[u8]) -> Option<&[u8]> {
    let (&length, rest) = der.get(1..)?.split_first()?;
    if length < 0x80 {
        return rest.get(..usize::from(length));
    }
    let (long, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
    let length = long.iter().try_fold(0usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))?;
    rest.get(..length)
}
