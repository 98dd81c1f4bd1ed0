//! CertificateSigningRequest. Upstream: `pkg/registry/certificates/certificates/strategy.go`, `pkg/apis/certificates/validation`.
//! Whether the subject is fit for its signer is the signer's to judge.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::field::{Errors, Path};
use model::json::{Map, json};
use model::{User, Value};

use super::pod::diff;
use super::rules::pem::Blocks;
use super::rules::{get, internal, signer, x509};
use super::{Hooks, Selectable};

const LEGACY_SIGNER: &str = "kubernetes.io/legacy-unknown";
/// Shortest lifetime that may be asked for.
const LIFETIME_S_MIN: i64 = 600;
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

pub(super) const HOOKS: Hooks = Hooks {
    author: Some(author),
    prepare_create: Some(|object| get::set(object, "status", json!({}))),
    stamp: Some(stamp),
    validate: Some(|object, errors| validate(object, Kept::default(), errors)),
    validate_update: Some(|new, old, errors| validate_change(new, old, Writer::Author, errors)),
    prepare_status: Some(prepare_status),
    validate_status: Some(|new, old, errors| validate_change(new, old, Writer::Signer, errors)),
    selects_no_namespace: true,
    selectable: &[Selectable {
        field: "spec.signerName",
        value: |object| get::text(get::at(object, "spec"), "signerName").to_owned(),
    }],
    ..Hooks::NONE
};

/// Nobody asks for a certificate in another's name.
fn author(object: &mut Value, user: &User) {
    let Some(spec) = get::object_mut(object, "spec") else { return };
    for field in ["username", "uid", "groups", "extra"] {
        spec.shift_remove(field);
    }
    let mut say = |field: &str, value: Value| drop(spec.insert(field.to_owned(), value));
    say("username", user.name.as_str().into());
    if !user.uid.is_empty() {
        say("uid", user.uid.as_str().into());
    }
    if !user.groups.is_empty() {
        say("groups", json!(user.groups));
    }
    if !user.extra.is_empty() {
        say("extra", user.extra.iter().map(|(key, values)| (key.clone(), json!(values))).collect::<Map>().into());
    }
}

/// Says when each condition was written, and since when it has been as it is, unless the client did.
fn stamp(new: &mut Value, old: Option<&Value>, now: &str) {
    let before = old.map_or(&[][..], |old| get::list(get::at(old, "status"), "conditions"));
    let Some(status) = new.get_mut("status") else { return };
    for condition in get::list_mut(status, "conditions") {
        get::default(condition, "lastUpdateTime", now);
        if get::string(condition, "lastTransitionTime").is_some() {
            continue;
        }
        let same = |was: &&Value| ["type", "status"].iter().all(|field| get::text(was, field) == get::text(condition, field));
        let since = before.iter().filter(same).find_map(|was| get::string(was, "lastTransitionTime"));
        get::set(condition, "lastTransitionTime", since.unwrap_or(now));
    }
}

/// What the stored object already does wrong and may go on doing.
#[derive(Clone, Copy, Default)]
struct Kept {
    both_decisions: bool,
    legacy_signer: bool,
    repeated_conditions: bool,
    unnamed_conditions: bool,
    any_certificate: bool,
    repeated_usages: bool,
    unknown_usages: bool,
}

impl Kept {
    /// `getValidationOptions`.
    fn of(new: &Value, old: &Value) -> Self {
        let usages: Vec<&str> = get::strings(get::at(old, "spec"), "usages").collect();
        let conditions = get::list(get::at(old, "status"), "conditions");
        let kinds: Vec<&str> = conditions.iter().map(|condition| get::text(condition, "type")).collect();
        Self {
            both_decisions: kinds.contains(&"Approved") && kinds.contains(&"Denied"),
            legacy_signer: get::text(get::at(old, "spec"), "signerName") == LEGACY_SIGNER,
            repeated_conditions: repeats(&kinds),
            unnamed_conditions: kinds.contains(&""),
            any_certificate: certificate(new) == certificate(old) || certificate_fault(certificate(old)).is_some(),
            repeated_usages: repeats(&usages),
            unknown_usages: usages.iter().any(|usage| !USAGES.contains(usage)),
        }
    }
}

fn repeats(values: &[&str]) -> bool {
    (1..values.len()).any(|at| values[..at].contains(&values[at]))
}

fn certificate(object: &Value) -> &str {
    get::text(get::at(object, "status"), "certificate")
}

fn validate(object: &Value, kept: Kept, errors: &mut Errors) {
    let (spec, path) = (get::at(object, "spec"), Path::new("spec"));
    let request = get::text(spec, "request");
    if let Some(fault) = request_fault(request) {
        // Bytes that are not there are none.
        errors.invalid(&path.child("request"), get::raw(spec, "request"), fault);
    }
    validate_usages(spec, kept, &path.child("usages"), errors);
    let name = get::text(spec, "signerName");
    if name == LEGACY_SIGNER && !kept.legacy_signer {
        errors.invalid(&path.child("signerName"), name, "the legacy signerName is not allowed via this API version");
    } else {
        signer::name(name, &path.child("signerName"), errors);
    }
    if let Some(seconds) = get::int(spec, "expirationSeconds").filter(|seconds| *seconds < LIFETIME_S_MIN) {
        errors.invalid(
            &path.child("expirationSeconds"),
            seconds,
            "may not specify a duration less than 600 seconds (10 minutes)",
        );
    }
    conditions(object, kept, errors);
    if let Some(fault) = certificate_fault(certificate(object)).filter(|_| !kept.any_certificate) {
        errors.invalid(&Path::new("status.certificate"), "<certificate data>", fault);
    }
}

/// The organizations of the subject that a request asks for, which are groups to who trusts the certificate.
///
/// # Errors
/// It cannot be read; that was told when it was validated.
pub fn organizations(object: &Value) -> Result<Vec<String>, String> {
    let block = request_block(object)?;
    let request = x509::request(&block)?;
    let named = request.certification_request_info.subject.iter_organization();
    Ok(named.filter_map(|organization| organization.as_str().ok()).map(str::to_owned).collect())
}

/// The common name of the subject that a request asks for: who its bearer is.
///
/// # Errors
/// As of [`organizations`].
pub fn common_name(object: &Value) -> Result<String, String> {
    let block = request_block(object)?;
    let request = x509::request(&block)?;
    // Of several Go takes the last.
    let named = request.certification_request_info.subject.iter_common_name().last();
    Ok(named.and_then(|name| name.as_str().ok()).unwrap_or("").to_owned())
}

/// The request itself.
fn request_block(object: &Value) -> Result<Vec<u8>, String> {
    let request = get::text(get::at(object, "spec"), "request");
    let pem = STANDARD.decode(request).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let block = Blocks(&pem).next().filter(|block| block.label == "CERTIFICATE REQUEST");
    Ok(block.ok_or("PEM block type must be CERTIFICATE REQUEST")?.der)
}

/// `validateCSR`: a request in PEM that the key it names has signed.
fn request_fault(base64: &str) -> Option<String> {
    let pem = STANDARD.decode(base64).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let Some(block) = Blocks(&pem).next().filter(|block| block.label == "CERTIFICATE REQUEST") else {
        return Some("PEM block type must be CERTIFICATE REQUEST".to_owned());
    };
    match x509::request(&block.der) {
        Err(fault) => Some(fault),
        Ok(request) => x509::check_signature(&request).err().map(str::to_owned),
    }
}

/// `validateCertificate`: nothing, or certificates in PEM and nothing else.
fn certificate_fault(base64: &str) -> Option<String> {
    if base64.is_empty() {
        return None;
    }
    let pem = STANDARD.decode(base64).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let mut found = false;
    for block in Blocks(&pem) {
        if block.label != "CERTIFICATE" {
            return Some(format!("only CERTIFICATE PEM blocks are allowed, found {:?}", block.label));
        }
        if block.has_headers {
            return Some("no PEM block headers are permitted".to_owned());
        }
        found = true;
        match x509::count_certificates(&block.der) {
            Err(fault) => return Some(fault.to_owned()),
            Ok(0) => return Some("found CERTIFICATE PEM block containing 0 certificates".to_owned()),
            Ok(_) => {}
        }
    }
    (!found).then(|| "must contain at least one CERTIFICATE PEM block".to_owned())
}

fn validate_usages(spec: &Value, kept: Kept, list: &Path, errors: &mut Errors) {
    let usages: Vec<&str> = get::strings(spec, "usages").collect();
    if usages.is_empty() {
        errors.required(list, "");
    }
    for (at, usage) in usages.iter().enumerate().filter(|_| !kept.unknown_usages) {
        if !USAGES.contains(usage) {
            errors.not_supported(&list.index(at), *usage, &USAGES);
        }
    }
    for (at, usage) in usages.iter().enumerate().filter(|_| !kept.repeated_usages) {
        if usages[..at].contains(usage) {
            errors.duplicate_named(&list.index(at), *usage);
        }
    }
}

/// Who writes, each of whom may change something else.
#[derive(Clone, Copy, PartialEq)]
enum Writer {
    Author,
    Signer,
    Approver,
}

/// What the approver may change: conditions. The certificate stays what it was.
pub fn prepare_approval(new: &mut Value, old: &Value) {
    get::copy(new, old, "spec");
    let conditions = new.get_mut("status").and_then(|status| status.get_mut("conditions")).map(Value::take);
    get::copy(new, old, "status");
    let Some(status) = get::object_mut(new, "status") else { return };
    match conditions {
        Some(conditions) => drop(status.insert("conditions", conditions)),
        None => drop(status.shift_remove("conditions")),
    }
}

/// `ValidateCertificateSigningRequestApprovalUpdate`, without `metadata`.
pub fn validate_approval(new: &Value, old: &Value, errors: &mut Errors) {
    validate_change(new, old, Writer::Approver, errors);
}

/// The signer's update leaves the decision as it stands; only adding or removing one is told as a fault.
fn prepare_status(new: &mut Value, old: &Value) {
    for kind in ["Approved", "Denied"] {
        let decided: Vec<Value> = of_kind(old, kind).cloned().collect();
        let Some(list) = new.get_mut("status").and_then(|status| status.get_mut("conditions")).and_then(Value::as_array_mut)
        else {
            return;
        };
        let mut same: Vec<&mut Value> = list.iter_mut().filter(|condition| get::text(condition, "type") == kind).collect();
        if same.len() == decided.len() {
            same.iter_mut().zip(decided).for_each(|(now, before)| **now = before);
        }
    }
}

fn of_kind<'a>(object: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    get::list(get::at(object, "status"), "conditions").iter().filter(move |condition| get::text(condition, "type") == kind)
}

fn validate_change(new: &Value, old: &Value, writer: Writer, errors: &mut Errors) {
    validate(new, Kept::of(new, old), errors);
    let path = Path::new("status");
    for kind in ["Approved", "Denied", "Failed"] {
        if of_kind(new, kind).count() < of_kind(old, kind).count() {
            errors.forbidden(&path.child("conditions"), format!("updates may not remove a condition of type {kind:?}"));
        }
    }
    for kind in ["Approved", "Denied"].iter().filter(|_| writer != Writer::Approver) {
        let (is, was): (Vec<&Value>, Vec<&Value>) = (of_kind(new, kind).collect(), of_kind(old, kind).collect());
        if is.len() > was.len() {
            errors.forbidden(&path.child("conditions"), format!("updates may not add a condition of type {kind:?}"));
        } else if is.len() == was.len() && is != was {
            let shown = |list: &[&Value]| -> Value {
                list.iter().map(|condition| internal::show(condition, internal::CERTIFICATE_CONDITION)).collect()
            };
            let diff = diff::unified(&shown(&was), &shown(&is));
            let why = format!("updates may not modify a condition of type {kind:?}\n{diff}");
            errors.forbidden(&path.child("conditions"), why);
        }
    }
    if certificate(new) != certificate(old) {
        let path = path.child("certificate");
        if writer != Writer::Signer {
            errors.forbidden(&path, "updates may not set certificate content");
        } else if !certificate(old).is_empty() {
            errors.forbidden(&path, "updates may not modify existing certificate content");
        }
    }
}

fn conditions(object: &Value, kept: Kept, errors: &mut Errors) {
    let list = Path::new("status.conditions");
    let (mut approved, mut denied) = (false, false);
    let conditions = get::list(get::at(object, "status"), "conditions");
    for (at, condition) in conditions.iter().enumerate() {
        let path = list.index(at);
        let kind = get::text(condition, "type");
        if kind.is_empty() && !kept.unnamed_conditions {
            errors.required(&path.child("type"), "");
        }
        let decides = matches!(kind, "Approved" | "Denied" | "Failed");
        match get::text(condition, "status") {
            "" => errors.required(&path.child("status"), ""),
            "True" => {}
            other if decides => errors.not_supported(&path.child("status"), other, &["True"]),
            "False" | "Unknown" => {}
            other => errors.not_supported(&path.child("status"), other, &["False", "True", "Unknown"]),
        }
        approved |= kind == "Approved";
        denied |= kind == "Denied";
        if approved && denied && matches!(kind, "Approved" | "Denied") && !kept.both_decisions {
            errors.invalid(&list, kind, "Approved and Denied conditions are mutually exclusive");
        }
        if !kept.repeated_conditions && conditions[..at].iter().any(|earlier| get::text(earlier, "type") == kind) {
            errors.duplicate_named(&path.child("type"), kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_author_is_who_asks() {
        let mut object = json!({"spec": {"username": "somebody", "groups": ["system:masters"]}});
        author(&mut object, &User::new("me", &["a"]));
        assert_eq!(object, json!({"spec": {"username": "me", "groups": ["a"]}}));
    }

    #[test]
    fn only_the_approver_decides_and_nobody_takes_it_back() {
        let spec = json!({"request": "x", "signerName": "example.com/a", "usages": ["client auth"]});
        let open = json!({"spec": spec, "status": {}});
        let decided = json!({"spec": spec, "status": {"conditions": [{"type": "Approved", "status": "True"}]}});
        let faults = |new: &Value, old: &Value, writer| {
            let mut errors = Errors::new();
            validate_change(new, old, writer, &mut errors);
            let about_status = errors.0.iter().filter(|error| error.field.starts_with("status"));
            about_status.map(|error| error.detail.clone()).collect::<Vec<_>>()
        };
        assert!(faults(&decided, &open, Writer::Approver).is_empty());
        assert_eq!(faults(&decided, &open, Writer::Signer), ["updates may not add a condition of type \"Approved\""]);
        assert_eq!(faults(&open, &decided, Writer::Approver), ["updates may not remove a condition of type \"Approved\""]);
        let mut meddled = decided.clone();
        meddled["status"]["conditions"][0]["reason"] = "mine".into();
        prepare_status(&mut meddled, &decided);
        assert_eq!(meddled, decided);
        let mut signed = decided.clone();
        signed["status"]["certificate"] = "Yw==".into();
        prepare_approval(&mut signed, &open);
        assert_eq!(signed, decided);
    }
}
