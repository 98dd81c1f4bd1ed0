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
