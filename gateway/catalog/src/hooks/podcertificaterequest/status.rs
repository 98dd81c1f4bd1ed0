//! What a signer says of a request: issued, denied or failed, once. Follows `ValidatePodCertificateRequestStatusUpdate`.
//! Who says it must be allowed to sign for the signer.

use model::Value;
use model::field::{Errors, Fault, Path, quote};
use x509_parser::prelude::{GeneralName, X509Certificate};

use super::{bytes, public_key};
use crate::hooks::Asker;
use crate::hooks::rules::pem::Blocks;
use crate::hooks::rules::{condition, get, text, x509};

/// `MaxCertificateChainSize`, in bytes.
const CHAIN_BYTES_MAX: usize = 100 * 1024;
/// Shortest lifetime of a certificate, in seconds.
const LIFETIME_S_MIN: i64 = 60 * 60;
/// How long after its begin and before its end a certificate is renewed at the least, in seconds.
const REFRESH_MARGIN_S: i64 = 10 * 60;
/// How far from now a certificate may begin, in seconds.
const SKEW_S_MAX: i64 = 5 * 60;
const DECISIONS: [&str; 3] = ["Issued", "Denied", "Failed"];

/// A status that is right is written by a signer alone. Whoever wrote a wrong one is told what is wrong.
pub(super) fn permit(new: &Value, old: Option<&Value>, asker: &dyn Asker, errors: &mut Errors) {
    let old = old.unwrap_or(&Value::Null);
    validate(new, old, asker.now(), errors);
    let signer = get::text(get::at(old, "spec"), "signerName");
    let same = get::at(new, "status") == get::at(old, "status");
    if errors.is_empty() && !same && !asker.may_act_for("sign", signer) {
        let (user, signer) = (quote(&asker.user().name), quote(signer));
        let why = format!("User {user} is not permitted to \"sign\" for signer {signer}");
        errors.forbidden(&Path::new("spec.signerName"), why);
    }
}

fn validate(new: &Value, old: &Value, now: i64, errors: &mut Errors) {
    let (status, was, path) = (get::at(new, "status"), get::at(old, "status"), Path::new("status"));
    decisions(status, &path, errors);
    condition::conditions(status, "conditions", &path, errors);
    if !errors.is_empty() {
        return;
    }
    let mut unless = |same: bool, why: &str| {
        if !same {
            errors.push(Fault::Invalid, &path, None, why);
        }
    };
    if DECISIONS.iter().any(|kind| is(was, kind)) {
        return unless(status == was, "immutable after PodCertificateRequest is issued, denied, or failed");
    }
    if is(status, "Denied") || is(status, "Failed") {
        let bare =
            ["certificateChain", "notBefore", "beginRefreshAt", "notAfter"].iter().all(|field| status.get(field).is_none());
        return unless(bare, "non-condition status fields must be empty when denying or failing the PodCertificateRequest");
    }
    if !is(status, "Issued") {
        let why = "status is immutable unless transitioning to \"Issued\", \"Denied\", or \"Failed\"";
        return unless(status == was, why);
    }
    issued(status, get::at(old, "spec"), now, &path, errors);
}

fn is(status: &Value, kind: &str) -> bool {
    let decided = |condition: &Value| get::text(condition, "type") == kind && get::text(condition, "status") == "True";
    get::list(status, "conditions").iter().any(decided)
}

fn decisions(status: &Value, path: &Path, errors: &mut Errors) {
    let mut decided = false;
    for (i, condition) in get::list(status, "conditions").iter().enumerate() {
        // Upstream spells the index as a field of its own.
        let index = format!("[{i}]");
        let path = path.child("conditions");
        let path = path.child(&index);
        let kind = get::text(condition, "type");
        if !DECISIONS.contains(&kind) {
            errors.not_supported_plain(&path.child("type"), kind, &DECISIONS);
            continue;
        }
        if decided {
            let why = "There may be at most one condition with type \"Issued\", \"Denied\", or \"Failed\"";
            errors.invalid(&path.child("type"), kind, why);
        }
        decided = true;
        text::one_of(get::text(condition, "status"), &["True"], &path.child("status"), errors);
    }
}

fn issued(status: &Value, spec: &Value, now: i64, path: &Path, errors: &mut Errors) {
    let (chain, at) = (get::text(status, "certificateChain"), path.child("certificateChain"));
    if chain.len() > CHAIN_BYTES_MAX {
        return errors.too_long(&at, CHAIN_BYTES_MAX);
    }
    let mut blocks = Blocks(chain);
    let Some(first) = blocks.next() else {
        return errors.invalid(&at, chain, "issued certificate chain must contain at least one certificate");
    };
    if first.label != "CERTIFICATE" {
        return errors.invalid(&at, chain, "issued certificate chain must consist entirely of CERTIFICATE PEM blocks");
    }
    let Some(leaf) = x509::certificate(&first.der) else {
        return errors.invalid(&at, chain, "leaf certificate does not parse as valid X.509");
    };
    subjects(&leaf, &at, errors);
    if !is_for(&leaf, spec) {
        return errors.invalid(&at, chain, "leaf certificate was not issued to the requested public key");
    }
    times(&leaf, status, spec, now, path, errors);
    if !errors.is_empty() {
        return;
    }
    for block in blocks {
        if block.label != "CERTIFICATE" {
            return errors.invalid(&at, chain, "issued certificate chain must consist entirely of CERTFICATE PEM blocks");
        }
        if x509::certificate(&block.der).is_none() {
            return errors.invalid(&at, chain, "intermediate certificate does not parse as valid X.509");
        }
    }
}

/// The names and addresses of whom a certificate is for.
fn subjects(leaf: &X509Certificate<'_>, path: &Path, errors: &mut Errors) {
    let Ok(Some(alternatives)) = leaf.subject_alternative_name() else { return };
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    for name in &alternatives.value.general_names {
        match name {
            GeneralName::DNSName(name) => names.push(*name),
            GeneralName::RFC822Name(address) => addresses.push(*address),
            _ => {}
        }
    }
    for name in names {
        if name.is_empty() {
            errors.invalid(path, name, "leaf certificate should not contain empty DNSName");
        }
        if name.contains("..") {
            errors.invalid(path, name, "leaf certificate's DNSName should not contain '..'");
        }
        if name.starts_with('.') || name.ends_with('.') {
            errors.invalid(path, name, "leaf certificate's DNSName should not start or end with '.'");
        }
    }
    for address in addresses.into_iter().filter(|address| !schema::structural::format::is_email(address)) {
        errors.invalid(path, address, "leaf certificate should not contain invalid EmailAddress");
    }
}

/// Whether the certificate is of the key that was asked for.
fn is_for(leaf: &X509Certificate<'_>, spec: &Value) -> bool {
    let (request, key) = (bytes(spec, "stubPKCS10Request"), bytes(spec, "pkixPublicKey"));
    let wanted = if request.is_empty() {
        public_key(&key).map(|key| key.raw.to_vec())
    } else {
        x509::request(&request).ok().map(|request| request.certification_request_info.subject_pki.raw.to_vec())
    };
    wanted.is_some_and(|wanted| wanted == leaf.public_key().raw)
}

/// The times of the status are those of the certificate.
fn times(leaf: &X509Certificate<'_>, status: &Value, spec: &Value, now: i64, path: &Path, errors: &mut Errors) {
    let second = |field: &str| {
        let time = get::string(status, field)?.parse::<jiff::Timestamp>().ok()?;
        Some(time.as_second())
    };
    let fields = [
        ("notBefore", "must be present and consistent with the issued certificate"),
        ("notAfter", "must be present and consistent with the issued certificate"),
        ("beginRefreshAt", "must be present and in the range [notbefore+10min, notafter-10min]"),
    ];
    for (field, why) in fields.iter().filter(|(field, _)| second(field).is_none()) {
        errors.required(&path.child(field), *why);
    }
    let (Some(begin), Some(end), Some(refresh)) = (second("notBefore"), second("notAfter"), second("beginRefreshAt")) else {
        return;
    };
    if !errors.is_empty() {
        return;
    }
    let valid = leaf.validity();
    let (first, last) = (valid.not_before.timestamp(), valid.not_after.timestamp());
    let lifetime = last - first;
    let max = get::number(spec, "maxExpirationSeconds");
    let fault = if begin != first {
        ("notBefore", "must be set to the NotBefore time encoded in the leaf certificate".to_owned())
    } else if (begin - now).abs() >= SKEW_S_MAX {
        ("notBefore", "must be set to within 5 minutes of kube-apiserver's current time".to_owned())
    } else if end != last {
        ("notAfter", "must be set to the NotAfter time encoded in the leaf certificate".to_owned())
    } else if lifetime < LIFETIME_S_MIN {
        ("certificateChain", "leaf certificate lifetime must be >= 1 hour".to_owned())
    } else if lifetime > max {
        ("certificateChain", format!("leaf certificate lifetime must be <= spec.maxExpirationSeconds ({max})"))
    } else if refresh < begin + REFRESH_MARGIN_S {
        ("beginRefreshAt", "must be at least 10 minutes after status.notBefore".to_owned())
    } else if refresh > end - REFRESH_MARGIN_S {
        ("beginRefreshAt", "must be at least 10 minutes before status.notAfter".to_owned())
    } else {
        return;
    };
    let shown = match fault.0 {
        // A duration, in nanoseconds.
        "certificateChain" => Value::from(lifetime.saturating_mul(1_000_000_000)),
        field => get::raw(status, field),
    };
    errors.invalid(&path.child(fault.0), shown, fault.1);
}
