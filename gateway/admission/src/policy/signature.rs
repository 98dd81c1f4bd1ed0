//! Signatures over a module's bytes, as `cosign sign-blob` and openssl make them, and over its artifact in a registry, as
//! `cosign sign` does: ECDSA over P-256 with SHA-256, and Ed25519. Makes none, and does not say whose keys are trusted
//! (`spec.signature.publicKeys` does).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::Value;
use model::json::json;
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::registry::{Pulled, Signature};

const EC_KEY: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const ED25519_KEY: &str = "1.3.101.112";

/// By whom a component has to be signed.
pub struct Demand<'a> {
    /// Whether anything is demanded. Where nobody is named, that is nobody who could have signed.
    pub is_made: bool,
    /// Public keys in PEM, of which one is enough.
    pub keys: Vec<&'a str>,
    /// Signatures that come with the demand, in base64.
    pub signatures: Vec<&'a str>,
    /// What people call the keys.
    pub keys_are: &'static str,
    /// What they call the signatures.
    pub signatures_are: &'static str,
}

impl<'a> Demand<'a> {
    /// What a PolicyModule demands.
    pub fn of(object: &'a Value) -> Self {
        let of = |field| {
            let list = object.pointer("/spec/signature").and_then(|demand| demand.get(field)).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str).collect()
        };
        let (keys_are, signatures_are) = ("spec.signature.publicKeys", "spec.signature.signatures");
        let is_made = object.pointer("/spec/signature").is_some_and(|demand| !demand.is_null());
        Self { is_made, keys: of("publicKeys"), signatures: of("signatures"), keys_are, signatures_are }
    }

    /// Checks a component. Fails in words for people.
    pub fn check(&self, bytes: &[u8]) -> Result<(), String> {
        if !self.is_made || self.is_signed(&self.signatures, bytes)? {
            return Ok(());
        }
        Err(format!("the component is not signed by any of {}; {ADVICE}", self.keys_are))
    }

    /// Checks an artifact from a registry: the component may be signed, or the artifact.
    pub fn check_artifact(&self, pulled: &Pulled) -> Result<(), String> {
        let digest = wasm::Runtime::digest(&pulled.manifest);
        let mut found = !self.is_made || self.is_signed(&self.signatures, &pulled.component)?;
        for Signature { payload, signature } in pulled.signatures.iter().filter(|signature| names(&signature.payload, &digest)) {
            found = found || self.is_signed(&[signature.as_str()], payload)?;
        }
        let count = match pulled.signatures.len() {
            0 => "no signature lies beside it".to_owned(),
            1 => "the one that lies beside it is not over it by these keys".to_owned(),
            count => format!("{count} lie beside it, none of them over it by these keys"),
        };
        let unsigned = || format!("the artifact {digest} is not signed by any of {}: {count}; {ADVICE}", self.keys_are);
        found.then_some(()).ok_or_else(unsigned)
    }

    fn is_signed(&self, signatures: &[&str], bytes: &[u8]) -> Result<bool, String> {
        for key in &self.keys {
            for signature in signatures {
                let verified = verify(key, signature, bytes).map_err(|unread| match unread {
                    Unread::Key(why) => format!("{}: {why}", self.keys_are),
                    Unread::Signature(why) => format!("{}: {why}", self.signatures_are),
                });
                if verified? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// What cannot be read, and why.
#[derive(Debug, PartialEq, Eq)]
pub enum Unread {
    /// The public key.
    Key(String),
    /// The signature.
    Signature(String),
}

/// What to do about a signature that is missing.
const ADVICE: &str = "gatehouse policy sign makes signatures, and gatehouse policy verify tells what it finds";
/// What cosign calls what it signs; nothing else by the same key must pass for it.
const PAYLOAD_TYPE: &str = "cosign container image signature";

/// What is signed of an artifact, as cosign writes it.
pub fn payload(reference: &str, digest: &str) -> Vec<u8> {
    let critical = json!({
        "identity": {"docker-reference": reference},
        "image": {"docker-manifest-digest": digest},
        "type": PAYLOAD_TYPE,
    });
    json!({"critical": critical, "optional": null}).to_string().into_bytes()
}

/// Whether what was signed is this artifact.
pub fn names(payload: &[u8], digest: &str) -> bool {
    let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
    text("/critical/image/docker-manifest-digest") == Some(digest) && text("/critical/type") == Some(PAYLOAD_TYPE)
}

/// Whether a signature in base64 over some bytes is by a public key in PEM. Fails when one of them cannot be read.
pub fn verify(key: &str, signature: &str, bytes: &[u8]) -> Result<bool, Unread> {
    let der = der(key).map_err(Unread::Key)?;
    let info = info(&der).map_err(Unread::Key)?;
    let signature = STANDARD.decode(signature.trim()).map_err(|error| Unread::Signature(error.to_string()))?;
    let public = UnparsedPublicKey::new(algorithm(&info).map_err(Unread::Key)?, &info.subject_public_key.data);
    Ok(public.verify(bytes, &signature).is_ok())
}

/// Fails, in words, with what nobody could verify a signature by.
pub(super) fn check_key(key: &str) -> Result<(), String> {
    info(&der(key)?).and_then(|info| algorithm(&info).map(drop))
}

fn der(key: &str) -> Result<SubjectPublicKeyInfoDer<'static>, String> {
    SubjectPublicKeyInfoDer::from_pem_slice(key.as_bytes()).map_err(|_| "this is no public key in PEM".to_owned())
}

fn info<'d>(der: &'d SubjectPublicKeyInfoDer<'_>) -> Result<SubjectPublicKeyInfo<'d>, String> {
    SubjectPublicKeyInfo::from_der(der).map(|(_, info)| info).map_err(|_| "the key cannot be read".to_owned())
}

fn algorithm(info: &SubjectPublicKeyInfo<'_>) -> Result<&'static dyn VerificationAlgorithm, String> {
    let curve = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    match (info.algorithm.algorithm.to_id_string().as_str(), curve.map(|curve| curve.to_id_string())) {
        (EC_KEY, Some(curve)) if curve == P256 => Ok(&ECDSA_P256_SHA256_ASN1),
        (ED25519_KEY, _) => Ok(&ED25519),
        (other, _) => Err(format!("keys of the kind {other} are not known; ECDSA over P-256 and Ed25519 are")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

    fn pem(prefix: &[u8], key: &[u8]) -> String {
        let der = [prefix, key].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    /// The algorithm's identifier and the length of the key that follows.
    const P256_PREFIX: &[u8] =
        b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
    const ED25519_PREFIX: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

    fn signed_by_p256(bytes: &[u8]) -> (String, String) {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).unwrap();
        let signature = STANDARD.encode(pair.sign(&random, bytes).unwrap());
        (pem(P256_PREFIX, pair.public_key().as_ref()), signature)
    }

    fn signed_by_ed25519(bytes: &[u8]) -> (String, String) {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        (pem(ED25519_PREFIX, pair.public_key().as_ref()), STANDARD.encode(pair.sign(bytes)))
    }

    #[test]
    fn one_signature_by_one_key_is_enough_and_none_is_not() {
        let (one, by_one) = signed_by_p256(b"component");
        let (two, by_two) = signed_by_ed25519(b"component");
        let (_, by_another) = signed_by_p256(b"component");
        let ask = |keys: &[&String], signatures: &[&String], bytes: &[u8]| {
            Demand::of(&json!({"spec": {"signature": {"publicKeys": keys, "signatures": signatures}}})).check(bytes)
        };
        assert_eq!(Demand::of(&json!({"spec": {}})).check(b"component"), Ok(()), "nothing is demanded");
        assert!(ask(&[], &[], b"component").is_err() && ask(&[], &[&by_one], b"component").is_err(), "nobody is named");
        for (keys, signatures) in
            [(vec![&one], vec![&by_one]), (vec![&two], vec![&by_two]), (vec![&one, &two], vec![&by_another, &by_two])]
        {
            assert_eq!(ask(&keys, &signatures, b"component"), Ok(()));
            assert!(ask(&keys, &signatures, b"another").unwrap_err().contains("is not signed by any"));
        }
        assert!(ask(&[&one], &[], b"component").is_err());
        assert!(ask(&[&one], &[&by_another], b"component").is_err());
        assert!(
            ask(&[&"no key".to_owned()], &[&by_one], b"component")
                .unwrap_err()
                .starts_with("spec.signature.publicKeys: this is no public key in PEM")
        );
        assert!(ask(&[&one], &[&"=".to_owned()], b"component").unwrap_err().starts_with("spec.signature.signatures: "));
    }

    #[test]
    fn an_artifact_is_signed_by_what_lies_beside_it_and_names_it() {
        let (key, over_component) = signed_by_p256(b"component");
        let digest = wasm::Runtime::digest(b"manifest");
        let ask = |key: &str, signatures: Vec<Signature>, inline: &[&str]| {
            let pulled = Pulled { manifest: b"manifest".to_vec(), component: b"component".to_vec(), signatures };
            Demand::of(&json!({"spec": {"signature": {"publicKeys": [key], "signatures": inline}}})).check_artifact(&pulled)
        };
        let over = |digest: &str| {
            let payload = payload("r.example/a", digest);
            let (key, signature) = signed_by_ed25519(&payload);
            (key, Signature { payload, signature })
        };
        let (one, signature) = over(&digest);
        assert_eq!(ask(&one, vec![signature.clone()], &[]), Ok(()));
        assert_eq!(ask(&key, vec![], &[&over_component]), Ok(()), "the component itself is signed");
        let (other, of_another) = over("sha256:00");
        assert!(ask(&other, vec![of_another], &[]).is_err(), "another artifact was signed");
        assert!(ask(&key, vec![signature], &[]).unwrap_err().contains("the one that lies beside it"), "by somebody else");
        assert!(ask(&one, vec![], &[]).unwrap_err().contains("no signature lies beside it"));
    }
}
