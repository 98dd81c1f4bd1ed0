//! CertificateSigningRequest. Upstream: `pkg/registry/certificates/certificates/strategy.go`, `pkg/apis/certificates/validation`.
//! The request itself is not parsed: whoever signs it checks its form and signature.

use model::field::{Errors, Path};
use model::{User, Value};
use serde_json::{Map, json};

use super::rules::{get, signer};
use super::{Hooks, Selectable};

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
    validate: Some(validate),
    validate_update: Some(|new, old, errors| validate_change(new, old, Writer::Author, errors)),
    prepare_status: Some(prepare_status),
    validate_status: Some(|new, old, errors| validate_change(new, old, Writer::Signer, errors)),
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
        say("extra", user.extra.iter().map(|(key, values)| (key.clone(), json!(values))).collect::<Map<_, _>>().into());
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (get::at(object, "spec"), Path::new("spec"));
    if get::text(spec, "request").is_empty() {
        errors.invalid(&path.child("request"), "", "PEM block type must be CERTIFICATE REQUEST");
    }
    let usages: Vec<&str> = get::strings(spec, "usages").collect();
    let list = path.child("usages");
    if usages.is_empty() {
        errors.required(&list, "");
    }
    for (at, usage) in usages.iter().enumerate() {
        if !USAGES.contains(usage) {
            errors.not_supported(&list.index(at), *usage, &USAGES);
        }
    }
    for (at, usage) in usages.iter().enumerate() {
        if usages[..at].contains(usage) {
            errors.duplicate(&list.index(at), *usage);
        }
    }
    let name = get::text(spec, "signerName");
    if name == "kubernetes.io/legacy-unknown" {
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
    conditions(object, errors);
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
        Some(conditions) => drop(status.insert("conditions".to_owned(), conditions)),
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
    validate(new, errors);
    let path = Path::new("status");
    for kind in ["Approved", "Denied", "Failed"] {
        if of_kind(new, kind).count() < of_kind(old, kind).count() {
            errors.forbidden(&path.child("conditions"), format!("updates may not remove a condition of type {kind:?}"));
        }
    }
    for kind in ["Approved", "Denied"].iter().filter(|_| writer != Writer::Approver) {
        if of_kind(new, kind).count() > of_kind(old, kind).count() {
            errors.forbidden(&path.child("conditions"), format!("updates may not add a condition of type {kind:?}"));
        }
    }
    let certificate = |object| get::raw(get::at(object, "status"), "certificate");
    if certificate(new) != certificate(old) {
        let path = path.child("certificate");
        if writer != Writer::Signer {
            errors.forbidden(&path, "updates may not set certificate content");
        } else if !certificate(old).is_null() {
            errors.forbidden(&path, "updates may not modify existing certificate content");
        }
    }
}

fn conditions(object: &Value, errors: &mut Errors) {
    let status = Path::new("status");
    let list = status.child("conditions");
    let (mut approved, mut denied) = (false, false);
    for (at, condition) in get::list(get::at(object, "status"), "conditions").iter().enumerate() {
        let path = list.index(at);
        let kind = get::text(condition, "type");
        if kind.is_empty() {
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
        if approved && denied && matches!(kind, "Approved" | "Denied") {
            errors.invalid(&list, kind, "Approved and Denied conditions are mutually exclusive");
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
            errors.0.iter().map(|error| error.detail.clone()).collect::<Vec<_>>()
        };
        assert!(faults(&decided, &open, Writer::Approver).is_empty());
        assert_eq!(faults(&decided, &open, Writer::Signer), ["updates may not add a condition of type \"Approved\""]);
        assert_eq!(faults(&open, &decided, Writer::Approver), ["updates may not remove a condition of type \"Approved\""]);
        let mut signed = decided.clone();
        signed["status"]["certificate"] = "Yw==".into();
        assert!(faults(&signed, &decided, Writer::Signer).is_empty());
        assert_eq!(faults(&signed, &decided, Writer::Approver), ["updates may not set certificate content"]);
        assert_eq!(faults(&decided, &signed, Writer::Signer), ["updates may not modify existing certificate content"]);
        let mut meddled = decided.clone();
        meddled["status"]["conditions"][0]["reason"] = "mine".into();
        prepare_status(&mut meddled, &decided);
        assert_eq!(meddled, decided);
        prepare_approval(&mut signed, &open);
        assert_eq!(signed, decided);
    }

    #[test]
    fn what_is_asked_for() {
        let mut errors = Errors::new();
        validate(
            &json!({"spec": {"request": "x", "signerName": "example.com/a", "usages": ["client auth", "fly", "fly"], "expirationSeconds": 5},
            "status": {"conditions": [{"type": "Approved", "status": "False"}, {"type": "Denied", "status": "True"}]}}),
            &mut errors,
        );
        let fields: Vec<&str> = errors.0.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "spec.usages[1]",
                "spec.usages[2]",
                "spec.usages[2]",
                "spec.expirationSeconds",
                "status.conditions[0].status",
                "status.conditions"
            ]
        );
    }
}
