//! Projected volumes: each source, and that no two write the same file. Follows `validateProjectionSources`.

use std::collections::HashSet;

use model::Value;
use model::field::{Errors, Path};
use model::name::Prefix;

use super::super::rules::labels::{self, Values};
use super::super::rules::path::local_non_reserved;
use super::super::rules::{get, internal, signer, text};
use super::{Scope, files};

/// Shortest and longest life of a projected token, in seconds.
const TOKEN_EXPIRATION_S_MIN: i64 = 600;
const TOKEN_EXPIRATION_S_MAX: i64 = 1 << 32;
/// Shortest life of a pod's certificate, in seconds.
const CERTIFICATE_EXPIRATION_S_MIN: i64 = 3600;
/// Longest life of a pod's certificate in seconds: 91 days, one day where the project itself signs.
const CERTIFICATE_EXPIRATION_S_MAX: i64 = 91 * 24 * 3600;
const KUBERNETES_CERTIFICATE_EXPIRATION_S_MAX: i64 = 24 * 3600;
const KEY_TYPES: &[&str] = &["RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"];

/// What the sources of one volume share.
struct Walk<'a, 'p> {
    scope: &'a Scope<'a>,
    /// The volume's own path, at which collisions are reported.
    volume: &'p Path<'p>,
    paths: HashSet<&'a str>,
}

impl<'a> Walk<'a, '_> {
    /// Claims a file; reports `shown` when another source has it.
    fn claim(&mut self, file: &'a str, shown: &str, errors: &mut Errors) {
        if !self.paths.insert(file) {
            errors.invalid(self.volume, shown, "conflicting duplicate paths");
        }
    }
}

/// `validateProjectedVolumeSource`.
pub(super) fn validate(source: &Value, scope: &Scope<'_>, path: &Path, errors: &mut Errors) {
    files::mode(source, "defaultMode", path, errors);
    let mut walk = Walk { scope, volume: path, paths: HashSet::new() };
    let list = path.child("sources");
    for (i, source) in get::list(source, "sources").iter().enumerate() {
        let path = list.index(i);
        let mut count = 0;
        for (field, check) in CHECKS {
            if let Some(inner) = get::object(source, field) {
                count += 1;
                check(&mut walk, inner, &path.child(field), errors);
            }
        }
        if count > 1 {
            errors.forbidden(&path, "may not specify more than 1 volume type per source");
        }
    }
}

type Check = for<'a> fn(&mut Walk<'a, '_>, &'a Value, &Path, &mut Errors);

const CHECKS: &[(&str, Check)] = &[
    ("secret", keys),
    ("configMap", keys),
    ("downwardAPI", downward_api),
    ("serviceAccountToken", service_account_token),
    ("clusterTrustBundle", cluster_trust_bundle),
    ("podCertificate", pod_certificate),
];

fn keys<'a>(walk: &mut Walk<'a, '_>, source: &'a Value, path: &Path, errors: &mut Errors) {
    let name = get::text(source, "name");
    text::required(name, &path.child("name"), errors);
    let items = path.child("items");
    for (i, item) in get::list(source, "items").iter().enumerate() {
        files::key_to_path(item, &items.index(i), errors);
        let file = get::text(item, "path");
        if !file.is_empty() {
            walk.claim(file, name, errors);
        }
    }
}

fn downward_api<'a>(walk: &mut Walk<'a, '_>, source: &'a Value, path: &Path, errors: &mut Errors) {
    for item in get::list(source, "items") {
        files::downward_api_file(item, path, errors);
        let file = get::text(item, "path");
        if !file.is_empty() {
            walk.claim(file, file, errors);
        }
    }
}

fn service_account_token<'a>(walk: &mut Walk<'a, '_>, source: &'a Value, path: &Path, errors: &mut Errors) {
    let expiration = path.child("expirationSeconds");
    match get::int(source, "expirationSeconds") {
        None => errors.required(&expiration, ""),
        Some(seconds) if seconds < TOKEN_EXPIRATION_S_MIN => {
            errors.invalid(&expiration, seconds, "may not specify a duration less than 10 minutes");
        }
        Some(seconds) if seconds > TOKEN_EXPIRATION_S_MAX => {
            errors.invalid(&expiration, seconds, "may not specify a duration larger than 2^32 seconds");
        }
        Some(_) => {}
    }
    // Upstream names the volume's `path` here, not the source's.
    let file = get::text(source, "path");
    if file.is_empty() {
        errors.required(&walk.volume.child("path"), "");
    } else if !walk.scope.options.non_local_token_path {
        local_non_reserved(file, &walk.volume.child("path"), errors);
    }
}

fn cluster_trust_bundle<'a>(walk: &mut Walk<'a, '_>, source: &'a Value, path: &Path, errors: &mut Errors) {
    match (get::string(source, "name"), get::string(source, "signerName")) {
        (Some(_), Some(_)) => {
            errors.invalid(path, internal::show(source, internal::TRUST_BUNDLE), "only one of name and signerName may be used");
        }
        (Some(name), None) => trust_bundle_by_name(source, name, path, errors),
        (None, Some(name)) => {
            if name.is_empty() {
                errors.required(&path.child("signerName"), "must be a valid signer name");
            }
            signer::name(name, &path.child("signerName"), errors);
            labels::selector(source, "labelSelector", Values::Strict, path, errors);
        }
        (None, None) => errors.required(path, "either name or signerName must be specified"),
    }
    let file = get::text(source, "path");
    text::required(file, &path.child("path"), errors);
    local_non_reserved(file, &path.child("path"), errors);
    walk.claim(file, file, errors);
}

fn trust_bundle_by_name(source: &Value, name: &str, path: &Path, errors: &mut Errors) {
    if name.is_empty() {
        errors.required(&path.child("name"), "must be a valid object name");
    }
    for message in signer::trust_bundle_name(name, &signer::of_trust_bundle(name), Prefix::No) {
        errors.invalid(&path.child("name"), name, format!("not a valid clustertrustbundlename: {message}"));
    }
    if let Some(selector) = get::object(source, "labelSelector") {
        errors.invalid(&path.child("labelSelector"), selector.clone(), "labelSelector must be unset if name is specified");
    }
}

fn pod_certificate<'a>(walk: &mut Walk<'a, '_>, source: &'a Value, path: &Path, errors: &mut Errors) {
    let signer_name = get::text(source, "signerName");
    signer::name(signer_name, &path.child("signerName"), errors);
    user_annotations(source, path, errors);
    text::plain_one_of(get::text(source, "keyType"), KEY_TYPES, &path.child("keyType"), errors);
    if let Some(seconds) = get::int(source, "maxExpirationSeconds") {
        let max = if signer::is_kubernetes(signer_name) {
            KUBERNETES_CERTIFICATE_EXPIRATION_S_MAX
        } else {
            CERTIFICATE_EXPIRATION_S_MAX
        };
        let path = path.child("maxExpirationSeconds");
        if seconds < CERTIFICATE_EXPIRATION_S_MIN {
            errors.invalid(&path, seconds, "if provided, maxExpirationSeconds must be >= 3600");
        }
        if seconds > max {
            errors.invalid(&path, seconds, format!("if provided, maxExpirationSeconds must be <= {max}"));
        }
    }
    let mut files = 0;
    for field in ["credentialBundlePath", "keyPath", "certificateChainPath"] {
        let file = get::text(source, field);
        if !file.is_empty() {
            files += 1;
            local_non_reserved(file, &path.child(field), errors);
            walk.claim(file, file, errors);
        }
    }
    if files == 0 {
        errors.required(path, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath");
    }
}

fn user_annotations(source: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("userAnnotations");
    let mut bytes = 0;
    for (key, value) in get::pairs(source, "userAnnotations") {
        bytes += key.len() + value.len();
        text::domain_prefixed_key(&key.to_lowercase(), &path, errors);
    }
    if bytes > labels::ANNOTATIONS_BYTES_MAX {
        errors.too_long(&path, labels::ANNOTATIONS_BYTES_MAX);
    }
}
