//! PodCertificateRequest. Upstream: `pkg/apis/certificates/validation`, `pkg/registry/certificates/podcertificaterequest`.

mod status;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Value;
use model::field::{Errors, Path, Spelling};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::rules::x509::{self, Key};
use super::rules::{get, internal, labels, number, signer, text};
use super::{Hooks, Selectable};

/// `MaxPKIXPublicKeySize`, `MaxProofOfPossessionSize` and `MaxStubPKCS10RequestSize`, in bytes.
const PROOF_BYTES_MAX: usize = 10 * 1024;
/// How long names of objects by their uid may be, in bytes.
const UID_BYTES_MAX: usize = 128;
/// `MinMaxExpirationSeconds`, `KubernetesMaxMaxExpirationSeconds` and `MaxMaxExpirationSeconds`.
const LIFETIME_S_MIN: i64 = 60 * 60;
const KUBERNETES_LIFETIME_S_MAX: i64 = 24 * 60 * 60;
const LIFETIME_S_MAX: i64 = 91 * 24 * 60 * 60;

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(|object, errors| validate(get::at(object, "spec"), errors)),
    validate_update: Some(|new, old, errors| {
        let (is, was) = (get::at(new, "spec"), get::at(old, "spec"));
        if is != was {
            errors.invalid(&Path::new("spec"), internal::show(is, internal::POD_CERTIFICATE_REQUEST_SPEC), number::IMMUTABLE);
        }
    }),
    permit_status: Some(status::permit),
    selects_no_namespace: true,
    selectable: &[
        Selectable { field: "spec.signerName", value: |object| of_spec(object, "signerName") },
        Selectable { field: "spec.podName", value: |object| of_spec(object, "podName") },
        Selectable { field: "spec.nodeName", value: |object| of_spec(object, "nodeName") },
    ],
    ..Hooks::NONE
};

fn of_spec(object: &Value, field: &str) -> String {
    get::text(get::at(object, "spec"), field).to_owned()
}

fn validate(spec: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    signer::name(get::text(spec, "signerName"), &path.child("signerName"), errors);
    let annotations = path.child("unverifiedUserAnnotations");
    let mut bytes = 0;
    for (key, value) in get::pairs(spec, "unverifiedUserAnnotations") {
        bytes += key.len() + value.len();
        text::domain_prefixed_key(&key.to_lowercase(), &annotations, errors);
    }
    if bytes > labels::ANNOTATIONS_BYTES_MAX {
        errors.too_long(&annotations, labels::ANNOTATIONS_BYTES_MAX);
    }
    for kind in ["pod", "serviceAccount", "node"] {
        let (named, uid) = (format!("{kind}Name"), format!("{kind}UID"));
        let (name, id) = (get::text(spec, &named), get::text(spec, &uid));
        // Of the three only the node's is of a type of its own.
        let spelling = if kind == "node" { Spelling::Json } else { Spelling::Go };
        errors.spelt(spelling, |errors| text::dns_subdomain(name, &path.child(&named), errors));
        if id.is_empty() {
            errors.invalid(&path.child(&uid), id, "must not be empty");
        }
        if id.len() > UID_BYTES_MAX {
            errors.too_long(&path.child(&uid), UID_BYTES_MAX);
        }
    }
    let Some(seconds) = get::int(spec, "maxExpirationSeconds") else {
        return errors.required(&path.child("maxExpirationSeconds"), "must be set");
    };
    let max = if signer::is_kubernetes(get::text(spec, "signerName")) { KUBERNETES_LIFETIME_S_MAX } else { LIFETIME_S_MAX };
    if !(LIFETIME_S_MIN..=max).contains(&seconds) {
        let why = format!("must be in the range [{LIFETIME_S_MIN}, {max}]");
        errors.invalid(&path.child("maxExpirationSeconds"), seconds, why);
    }
    validate_key(spec, &path, errors);
}

/// The bytes of a field, none when absent.
fn bytes(spec: &Value, field: &str) -> Vec<u8> {
    STANDARD.decode(get::text(spec, field)).unwrap_or_default()
}

/// A request that is signed, or a key and a signature over the pod's uid.
fn validate_key(spec: &Value, path: &Path, errors: &mut Errors) {
    let given = ["stubPKCS10Request", "pkixPublicKey", "proofOfPossession"].map(|field| !get::text(spec, field).is_empty());
    match given {
        [true, false, false] => validate_request(&bytes(spec, "stubPKCS10Request"), &path.child("stubPKCS10Request"), errors),
        [false, true, true] => validate_public_key(spec, path, errors),
        _ => {
            let why = "exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set";
            errors.push(model::field::Fault::Invalid, path, None, why);
        }
    }
}

/// Which keys may be certified; `None` when this one may.
fn unfit(key: Key, curves: &str) -> Option<(Option<String>, String)> {
    match key {
        Key::Ed25519 | Key::Ec("P-256" | "P-384" | "P-521") | Key::Rsa(3072 | 4096) => None,
        Key::Ec(curve) => Some((Some(format!("curve {curve}")), format!("elliptic public keys must use curve {curves}"))),
        Key::Rsa(bits) => Some((Some(format!("{bits}-bit modulus")), "RSA keys must have modulus size 3072 or 4096".to_owned())),
        Key::Other => Some((None, "unknown public key type; supported types are Ed25519, ECDSA, and RSA".to_owned())),
    }
}

fn validate_request(der: &[u8], path: &Path, errors: &mut Errors) {
    let mut wrong = |value: Option<String>, why: &str| {
        errors.push(model::field::Fault::Invalid, path, value.map(Value::from), why);
    };
    if der.len() > PROOF_BYTES_MAX {
        return errors.too_long(path, PROOF_BYTES_MAX);
    }
    let Ok(request) = x509::request(der) else { return wrong(None, "must be a valid PKCS#10 CSR") };
    if let Some((value, why)) = unfit(x509::key(&request.certification_request_info.subject_pki), "P256, P384, or P521") {
        return wrong(value, &why);
    }
    if x509::check_signature(&request).is_err() {
        wrong(None, "invalid signature");
    }
}

fn validate_public_key(spec: &Value, path: &Path, errors: &mut Errors) {
    let (key, proof) = (bytes(spec, "pkixPublicKey"), bytes(spec, "proofOfPossession"));
    let (key_path, proof_path) = (path.child("pkixPublicKey"), path.child("proofOfPossession"));
    for (bytes, path) in [(&key, &key_path), (&proof, &proof_path)] {
        if bytes.len() > PROOF_BYTES_MAX {
            return errors.too_long(path, PROOF_BYTES_MAX);
        }
    }
    let Some(public) = public_key(&key) else {
        return errors.invalid(&key_path, get::text(spec, "pkixPublicKey"), "must be a valid PKIX-serialized public key");
    };
    if let Some((value, why)) = unfit(x509::key(&public), "P256 or P384") {
        return errors.invalid(&key_path, value.unwrap_or_else(|| get::text(spec, "pkixPublicKey").to_owned()), why);
    }
    if !x509::proves_possession(&public, get::text(spec, "podUID").as_bytes(), &proof) {
        errors.push(model::field::Fault::Invalid, &proof_path, None, "could not verify proof-of-possession signature");
    }
}

fn public_key(der: &[u8]) -> Option<SubjectPublicKeyInfo<'_>> {
    SubjectPublicKeyInfo::from_der(der).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, key)| key)
}
