//! Keys that sign and verify tokens: ECDSA P-256 and P-384, RSA. The signatures are ring's; this file knows how keys are
//! wrapped in files and how they are named. Key ids are those of upstream, so that tokens survive a change of server.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair, UnparsedPublicKey};
use rustls_pki_types::pem::{PemObject, SectionKind};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};

use crate::der;

const EC_P256: &[u8] =
    &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const EC_P384: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// A key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is not PEM.
    #[error("read key: {0}")]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// No key in it.
    #[error("data does not contain a valid RSA or ECDSA key")]
    None,
    /// A key of another kind or curve.
    #[error("key is neither RSA nor ECDSA on P-256 or P-384")]
    Unsupported,
}

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// RSA PKCS #1 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// The name in a token's header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
        }
    }
}

/// A key that verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Name in tokens and in the published set: a digest of the key, as upstream derives it.
    pub id: String,
    /// How it verifies.
    pub algorithm: Algorithm,
    /// The point of an elliptic curve, or the `RSAPublicKey` structure.
    pub(crate) bytes: Vec<u8>,
}

impl PublicKey {
    /// Every key of a PEM text: public keys, certificates, and the public halves of private keys.
    pub fn all_from_pem(pem: &[u8]) -> Result<Vec<Self>, Error> {
        let mut keys = Vec::new();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
            match section? {
                (SectionKind::PublicKey, der) => keys.push(Self::from_info(&der)?),
                (SectionKind::Certificate, der) => {
                    let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| Error::None)?;
                    keys.push(Self::from_info(certificate.public_key().raw)?);
                }
                (kind, der) => keys.extend(PrivateKey::from_section(kind, &der)?.map(|key| key.public)),
            }
        }
        if keys.is_empty() { Err(Error::None) } else { Ok(keys) }
    }

    fn from_info(der: &[u8]) -> Result<Self, Error> {
        let (_, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| Error::None)?;
        let curve = info.algorithm.parameters.as_ref().and_then(|p| p.as_oid().ok()).map(|oid| oid.to_id_string());
        let algorithm = match (info.algorithm.algorithm.to_id_string().as_str(), curve.as_deref()) {
            ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => Algorithm::Es256,
            ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => Algorithm::Es384,
            ("1.2.840.113549.1.1.1", _) => Algorithm::Rs256,
            _ => return Err(Error::Unsupported),
        };
        Ok(Self::new(algorithm, info.subject_public_key.data.to_vec()))
    }

    fn new(algorithm: Algorithm, bytes: Vec<u8>) -> Self {
        let identifier = match algorithm {
            Algorithm::Es256 => EC_P256,
            Algorithm::Es384 => EC_P384,
            Algorithm::Rs256 => RSA,
        };
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(der::public_key_info(identifier, &bytes)));
        Self { id, algorithm, bytes }
    }

    /// Whether the signature is this key's over the message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn signature::VerificationAlgorithm = match self.algorithm {
            Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
            Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        };
        UnparsedPublicKey::new(algorithm, &self.bytes).verify(message, signature).is_ok()
    }
}

/// A key that signs. Its secret half never shows in debug output.
#[derive(Clone)]
pub struct PrivateKey {
    secret: Arc<Secret>,
    /// Its public half.
    pub public: PublicKey,
}

enum Secret {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// A signature could not be made: the machine gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("sign token")]
pub struct Unsigned;

impl PrivateKey {
    /// The first private key of a PEM text.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
            let (kind, der) = section?;
            if let Some(key) = Self::from_section(kind, &der)? {
                return Ok(key);
            }
        }
        Err(Error::None)
    }

    fn from_section(kind: SectionKind, der: &[u8]) -> Result<Option<Self>, Error> {
        let key = match kind {
            SectionKind::RsaPrivateKey => RsaKeyPair::from_der(der).ok().map(Self::rsa),
            SectionKind::PrivateKey => Self::from_pkcs8(der),
            SectionKind::EcPrivateKey => [EC_P256, EC_P384].iter().find_map(|curve| Self::from_pkcs8(&der::pkcs8(curve, der))),
            _ => return Ok(None),
        };
        key.map(Some).ok_or(Error::Unsupported)
    }

    fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let random = SystemRandom::new();
        let curves: [(&'static signature::EcdsaSigningAlgorithm, Algorithm); 2] = [
            (&signature::ECDSA_P256_SHA256_FIXED_SIGNING, Algorithm::Es256),
            (&signature::ECDSA_P384_SHA384_FIXED_SIGNING, Algorithm::Es384),
        ];
        for (curve, algorithm) in curves {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(curve, der, &random) {
                let public = PublicKey::new(algorithm, pair.public_key().as_ref().to_vec());
                return Some(Self { secret: Arc::new(Secret::Ec(pair)), public });
            }
        }
        RsaKeyPair::from_pkcs8(der).ok().map(Self::rsa)
    }

    fn rsa(pair: RsaKeyPair) -> Self {
        let public = PublicKey::new(Algorithm::Rs256, pair.public_key().as_ref().to_vec());
        Self { secret: Arc::new(Secret::Rsa(pair)), public }
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unsigned> {
        let random = SystemRandom::new();
        match &*self.secret {
            Secret::Ec(pair) => pair.sign(&random, message).map(|s| s.as_ref().to_vec()).map_err(|_| Unsigned),
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| Unsigned)?;
                Ok(signature)
            }
        }
    }
}
