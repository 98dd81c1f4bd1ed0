//! Certificates, requests for them, and keys: whether they can be read and whether a signature holds, told in the words of
//! Go's `crypto/x509`. Trusts nobody: chains are not built here.
//! ECDSA on P-521 cannot be verified by the library in use and counts as not verified.

use ring::signature::{self as ring_signature, UnparsedPublicKey, VerificationAlgorithm};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// What Go says of a certificate that it cannot read at all.
pub(crate) const MALFORMED: &str = "x509: malformed certificate";

/// A public key, as far as rules speak of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// With the size of its modulus in bits.
    Rsa(usize),
    /// On the curve of this name.
    Ec(&'static str),
    /// Ed25519.
    Ed25519,
    /// Anything else.
    Other,
}

/// What kind of key it is.
pub(crate) fn key(info: &SubjectPublicKeyInfo<'_>) -> Key {
    let curve = |info: &SubjectPublicKeyInfo<'_>| {
        let oid = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        match oid.map(|oid| oid.to_id_string()).as_deref() {
            Some("1.2.840.10045.3.1.7") => "P-256",
            Some("1.3.132.0.34") => "P-384",
            Some("1.3.132.0.35") => "P-521",
            Some("1.3.132.0.33") => "P-224",
            _ => "",
        }
    };
    match info.parsed() {
        // A leading zero byte keeps the number positive.
        Ok(PublicKey::RSA(rsa)) => Key::Rsa(rsa.modulus.iter().skip_while(|byte| **byte == 0).count() * 8),
        Ok(PublicKey::EC(_)) => Key::Ec(curve(info)),
        _ if info.algorithm.algorithm.to_id_string() == "1.3.101.112" => Key::Ed25519,
        _ => Key::Other,
    }
}

/// A certificate, with nothing after it.
pub(crate) fn certificate(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, certificate)| certificate)
}

/// `ParseCertificates`: how many certificates follow each other.
///
/// # Errors
/// One of them cannot be read.
pub(crate) fn count_certificates(mut der: &[u8]) -> Result<usize, &'static str> {
    let mut count = 0;
    while !der.is_empty() {
        let (rest, _) = X509Certificate::from_der(der).map_err(|_| MALFORMED)?;
        der = rest;
        count += 1;
    }
    Ok(count)
}

/// A request for a certificate (PKCS#10).
///
/// # Errors
/// It cannot be read.
pub(crate) fn request(der: &[u8]) -> Result<X509CertificationRequest<'_>, String> {
    match X509CertificationRequest::from_der(der) {
        Ok(([], request)) => Ok(request),
        _ => Err(request_fault(der)),
    }
}

/// What Go's reader of ASN.1 says first.
fn request_fault(der: &[u8]) -> String {
    const SEQUENCE: u8 = 0x30;
    let Some(Header { tag, length, at }) = header(der) else { return "asn1: syntax error: sequence truncated".to_owned() };
    if tag != SEQUENCE {
        return format!(
            "asn1: structure error: tags don't match (16 vs {{class:{} tag:{} length:{length} isCompound:{}}}) {{optional:false \
             explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 set:false \
             omitEmpty:false}} certificateRequest @{at}",
            tag >> 6,
            tag & 0x1f,
            tag & 0x20 != 0
        );
    }
    let what = match der.len() - at {
        given if given < length => "data truncated",
        given if given > length && length > 0 => "trailing data",
        _ => "sequence truncated",
    };
    format!("asn1: syntax error: {what}")
}

struct Header {
    tag: u8,
    length: usize,
    /// Where the content begins.
    at: usize,
}

/// The head of an element in DER; `None` when it is cut off or longer than any object here.
fn header(der: &[u8]) -> Option<Header> {
    let (tag, length) = (*der.first()?, *der.get(1)?);
    if length < 0x80 {
        return Some(Header { tag, length: usize::from(length), at: 2 });
    }
    let bytes = der.get(2..2 + usize::from(length & 0x7f))?;
    if bytes.is_empty() || bytes.len() > 4 {
        return None;
    }
    let length = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    Some(Header { tag, length, at: 2 + bytes.len() })
}

/// The element at the start: its tag, its content, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let Header { tag, length, at } = header(der)?;
    let end = at.checked_add(length)?;
    Some((tag, der.get(at..end)?, der.get(end..)?))
}

/// Whether the request is signed by the key that it names.
///
/// # Errors
/// It is not, in Go's words.
pub(crate) fn check_signature(request: &X509CertificationRequest<'_>) -> Result<(), &'static str> {
    let info = &request.certification_request_info;
    let algorithm = request.signature_algorithm.algorithm.to_id_string();
    let (message, signature) = (info.raw, request.signature_value.data.as_ref());
    verify(&info.subject_pki, &algorithm, message, signature)
}

/// Whether a signature by an algorithm (its object identifier) holds.
fn verify(key: &SubjectPublicKeyInfo<'_>, algorithm: &str, message: &[u8], signature: &[u8]) -> Result<(), &'static str> {
    let (kind, public) = (self::key(key), key.subject_public_key.data.as_ref());
    let any = |with: &[&'static dyn VerificationAlgorithm]| {
        with.iter().any(|algorithm| UnparsedPublicKey::new(*algorithm, public).verify(message, signature).is_ok())
    };
    let (holds, otherwise) = match (algorithm, kind) {
        ("1.2.840.113549.1.1.5", _) => (false, "x509: cannot verify signature: insecure algorithm SHA1-RSA"),
        ("1.2.840.10045.4.1", _) => (false, "x509: cannot verify signature: insecure algorithm ECDSA-SHA1"),
        ("1.2.840.113549.1.1.11", Key::Rsa(_)) => {
            (any(&[&ring_signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY]), RSA_FAILURE)
        }
        ("1.2.840.113549.1.1.12", Key::Rsa(_)) => (any(&[&ring_signature::RSA_PKCS1_2048_8192_SHA384]), RSA_FAILURE),
        ("1.2.840.113549.1.1.13", Key::Rsa(_)) => {
            (any(&[&ring_signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY]), RSA_FAILURE)
        }
        ("1.2.840.113549.1.1.10", Key::Rsa(_)) => (any(PSS), RSA_FAILURE),
        ("1.2.840.10045.4.3.2", Key::Ec("P-256")) => (any(&[&ring_signature::ECDSA_P256_SHA256_ASN1]), EC_FAILURE),
        ("1.2.840.10045.4.3.2", Key::Ec("P-384")) => (any(&[&ring_signature::ECDSA_P384_SHA256_ASN1]), EC_FAILURE),
        ("1.2.840.10045.4.3.3", Key::Ec("P-256")) => (any(&[&ring_signature::ECDSA_P256_SHA384_ASN1]), EC_FAILURE),
        ("1.2.840.10045.4.3.3", Key::Ec("P-384")) => (any(&[&ring_signature::ECDSA_P384_SHA384_ASN1]), EC_FAILURE),
        (_, Key::Ec(_)) => (false, EC_FAILURE),
        ("1.3.101.112", Key::Ed25519) => (any(&[&ring_signature::ED25519]), "x509: Ed25519 verification failure"),
        _ => (false, "x509: cannot verify signature: algorithm unimplemented"),
    };
    if holds { Ok(()) } else { Err(otherwise) }
}

const RSA_FAILURE: &str = "crypto/rsa: verification error";
const EC_FAILURE: &str = "x509: ECDSA verification failure";
const PSS: &[&dyn VerificationAlgorithm] = &[
    &ring_signature::RSA_PSS_2048_8192_SHA256,
    &ring_signature::RSA_PSS_2048_8192_SHA384,
    &ring_signature::RSA_PSS_2048_8192_SHA512,
];

/// Whether somebody who holds the key signed the message; SHA-256 where the key does not say.
pub(crate) fn proves_possession(key: &SubjectPublicKeyInfo<'_>, message: &[u8], proof: &[u8]) -> bool {
    let algorithm = match self::key(key) {
        Key::Rsa(_) => {
            let public = UnparsedPublicKey::new(&ring_signature::RSA_PSS_2048_8192_SHA256, &key.subject_public_key.data);
            return public.verify(message, proof).is_ok();
        }
        Key::Ec(_) => "1.2.840.10045.4.3.2",
        _ => "1.3.101.112",
    };
    verify(key, algorithm, message, proof).is_ok()
}

/// The key in a block of PEM whose label ends in `PRIVATE KEY`.
pub(crate) enum Private<'a> {
    /// The modulus.
    Rsa(&'a [u8]),
    /// The secret number.
    Ec(&'a [u8]),
    /// The seed.
    Ed25519(&'a [u8]),
}

/// Reads a private key: PKCS#1, PKCS#8 or SEC 1.
pub(crate) fn private(der: &[u8]) -> Option<Private<'_>> {
    const INTEGER: u8 = 0x02;
    const OCTETS: u8 = 0x04;
    let (_, content, _) = element(der).filter(|(tag, ..)| *tag == 0x30)?;
    let (_, _version, rest) = element(content)?;
    let (tag, second, rest) = element(rest)?;
    match tag {
        INTEGER => Some(Private::Rsa(second)),
        OCTETS => Some(Private::Ec(second)),
        _ => {
            let (_, oid, _) = element(second)?;
            let (_, inner, _) = element(rest).filter(|(tag, ..)| *tag == OCTETS)?;
            match oid {
                [0x2b, 0x65, 0x70] => element(inner).map(|(_, seed, _)| Private::Ed25519(seed)),
                _ => private(inner),
            }
        }
    }
}

/// Whether the private key belongs to the public one.
///
/// # Errors
/// It does not, in the words of Go's `crypto/tls`.
pub(crate) fn belongs(private: &Private<'_>, public: &SubjectPublicKeyInfo<'_>) -> Result<(), &'static str> {
    let bytes = public.subject_public_key.data.as_ref();
    let holds = match (self::key(public), private) {
        (Key::Rsa(_), Private::Rsa(modulus)) => {
            matches!(public.parsed(), Ok(PublicKey::RSA(rsa)) if trimmed(rsa.modulus) == trimmed(modulus))
        }
        (Key::Ec(curve), Private::Ec(secret)) => {
            let algorithm = if curve == "P-384" {
                &ring_signature::ECDSA_P384_SHA384_ASN1_SIGNING
            } else {
                &ring_signature::ECDSA_P256_SHA256_ASN1_SIGNING
            };
            let random = ring::rand::SystemRandom::new();
            ring_signature::EcdsaKeyPair::from_private_key_and_public_key(algorithm, secret, bytes, &random).is_ok()
        }
        (Key::Ed25519, Private::Ed25519(seed)) => ring_signature::Ed25519KeyPair::from_seed_and_public_key(seed, bytes).is_ok(),
        (Key::Other, _) => return Err("tls: unknown public key algorithm"),
        _ => return Err("tls: private key type does not match public key type"),
    };
    if holds { Ok(()) } else { Err("tls: private key does not match public key") }
}

fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_those_of_gos_reader() {
        let fault = |der: &[u8]| request(der).err().unwrap_or_default();
        assert_eq!(fault(b""), "asn1: syntax error: sequence truncated");
        assert_eq!(fault(&[0x30, 0]), "asn1: syntax error: sequence truncated");
        assert_eq!(fault(&[0x30, 9, 1]), "asn1: syntax error: data truncated");
        assert!(
            fault(b"hello")
                .starts_with("asn1: structure error: tags don't match (16 vs {class:1 tag:8 length:101 isCompound:true})")
        );
        assert_eq!(count_certificates(b"hello"), Err(MALFORMED));
        assert_eq!(count_certificates(b""), Ok(0));
    }

    #[test]
    fn lengths_that_lie_are_no_elements() {
        for der in [&[0x30][..], &[0x30, 0x85, 1, 1, 1, 1, 1], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x80]] {
            assert!(element(der).is_none(), "{der:?}");
        }
    }
}
