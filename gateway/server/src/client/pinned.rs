//! Trusts a certificate that is itself among the trusted ones, as Go does: no authority need have signed it. Everything else
//! is left to rustls' own verifier.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

/// A verifier that knows the trusted certificates themselves.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) trusted: Vec<CertificateDer<'static>>,
    pub(super) others: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.trusted.contains(certificate) {
            return self.others.verify_server_cert(certificate, intermediates, server_name, ocsp, now);
        }
        check_time(certificate, now)?;
        rustls::client::verify_server_name(&ParsedCertificate::try_from(certificate)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.others.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.others.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.others.supported_verify_schemes()
    }
}

fn check_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let seconds = i64::try_from(now.as_secs()).map_err(|_| CertificateError::Expired)?;
    let now = ASN1Time::from_timestamp(seconds).map_err(|_| CertificateError::Expired)?;
    if parsed.validity().not_before > now {
        return Err(CertificateError::NotValidYet.into());
    }
    if parsed.validity().not_after < now { Err(CertificateError::Expired.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use rustls::RootCertStore;

    use super::*;

    #[test]
    fn a_certificate_that_is_listed_itself_is_trusted_under_its_own_names() {
        let made = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).expect("a certificate");
        let (own, mut roots) = (made.cert.der().clone(), RootCertStore::empty());
        roots.add(own.clone()).expect("a certificate is readable");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let others = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().expect("there is a root");
        let now = UnixTime::now();
        let judge = |trusted: Vec<CertificateDer<'static>>, name: &str| {
            let pinned = Pinned { trusted, others: others.clone() };
            let name = ServerName::try_from(name.to_owned()).expect("a name");
            pinned.verify_server_cert(&own, &[], &name, &[], now).map(drop)
        };
        assert_eq!(judge(vec![own.clone()], "a.example"), Ok(()));
        assert!(matches!(judge(vec![own.clone()], "b.example"), Err(Error::InvalidCertificate(_))));
        let pinned = Pinned { trusted: vec![own.clone()], others: others.clone() };
        let name = ServerName::try_from("a.example").expect("a name");
        let expired = pinned.verify_server_cert(&own, &[], &name, &[], UnixTime::since_unix_epoch(std::time::Duration::ZERO));
        assert!(matches!(expired, Err(Error::InvalidCertificate(CertificateError::NotValidYet))), "{expired:?}");
    }
}
