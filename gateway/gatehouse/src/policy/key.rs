//! Keys that sign policies: ECDSA over P-256, which cosign and openssl know too, and Ed25519, as PEM. Does not verify
//! (`admission::policy::signature`).

use std::fs;
use std::io::Write;
use std::path::Path;

use codec::go_base64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;

/// The algorithm's identifier in DER and the length of the key that follows (RFC 5480, RFC 8410).
const P256_PREFIX: &[u8] =
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
const ED25519_PREFIX: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
/// Characters of one line of PEM.
const PEM_LINE: usize = 64;

/// A private key.
pub(super) enum Key {
    /// ECDSA over P-256 with SHA-256.
    P256(EcdsaKeyPair),
    /// Ed25519.
    Ed25519(Ed25519KeyPair),
}

/// Which kind of key.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// ECDSA over P-256.
    P256,
    /// Ed25519.
    Ed25519,
}

impl Kind {
    /// The word of an option.
    pub(super) fn parse(word: &str) -> Result<Self, String> {
        match word {
            "ecdsa" => Ok(Self::P256),
            "ed25519" => Ok(Self::Ed25519),
            other => Err(format!("--type: {other:?} is none of ecdsa, ed25519")),
        }
    }
}

impl Key {
    /// Makes a key; gives it with its PEM.
    pub(super) fn make(kind: Kind) -> Result<(Self, String), String> {
        let (random, failed) = (SystemRandom::new(), |_| "no key could be made".to_owned());
        let document = match kind {
            Kind::P256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).map_err(failed)?,
            Kind::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random).map_err(failed)?,
        };
        Ok((Self::of(document.as_ref())?, pem("PRIVATE KEY", document.as_ref())))
    }

    /// Reads a key's file.
    pub(super) fn read(file: &str) -> Result<Self, String> {
        let text = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(&text).map_err(|_| {
            format!("{file}: this is no private key in PEM (PKCS #8); gatehouse policy keygen makes one, and openssl pkcs8 -topk8 -nocrypt turns others into one")
        })?;
        Self::of(der.secret_pkcs8_der()).map_err(|why| format!("{file}: {why}"))
    }

    fn of(der: &[u8]) -> Result<Self, String> {
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self::Ed25519(pair));
        }
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &SystemRandom::new());
        pair.map(Self::P256).map_err(|why| format!("the key is neither ECDSA over P-256 nor Ed25519 ({why})"))
    }

    /// The public key in PEM.
    pub(super) fn public(&self) -> String {
        let der = match self {
            Self::P256(pair) => [P256_PREFIX, pair.public_key().as_ref()].concat(),
            Self::Ed25519(pair) => [ED25519_PREFIX, pair.public_key().as_ref()].concat(),
        };
        pem("PUBLIC KEY", &der)
    }

    /// A signature over some bytes, in base64.
    pub(super) fn sign(&self, bytes: &[u8]) -> Result<String, String> {
        let signature = match self {
            Self::P256(pair) => pair
                .sign(&SystemRandom::new(), bytes)
                .map_err(|_| "the signature could not be made".to_owned())?
                .as_ref()
                .to_vec(),
            Self::Ed25519(pair) => pair.sign(bytes).as_ref().to_vec(),
        };
        Ok(go_base64::encode(&signature))
    }
}

/// Writes a file that nobody else may read, and that was not there before: a key that is lost cannot be made again.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), String> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = go_base64::encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(PEM_LINE).map(|at| &text[at..text.len().min(at + PEM_LINE)]).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use admission::policy::signature;

    use super::*;

    #[test]
    fn what_is_signed_verifies_and_a_key_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        for (n, kind) in [Kind::P256, Kind::Ed25519].into_iter().enumerate() {
            let (key, text) = Key::make(kind).unwrap();
            let path = folder.path().join(n.to_string());
            write_private(&path, &text).unwrap();
            assert!(write_private(&path, &text).unwrap_err().contains("exists"), "a key is not written over");
            let read = Key::read(&path.display().to_string()).unwrap();
            assert_eq!(read.public(), key.public());
            let signed = read.sign(b"component").unwrap();
            assert_eq!(signature::verify(&key.public(), &signed, b"component"), Ok(true));
            assert_eq!(signature::verify(&key.public(), &signed, b"another"), Ok(false));
        }
    }
}
