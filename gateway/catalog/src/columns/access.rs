//! The cells of access control and of what extends the API: RBAC, certificates, admission, flow control.

use jiff::Timestamp;
use model::Value;

use super::cell::{
    NONE, UNSET, age, at, count, duration, first_three, int, labels, list, name, scalar, selector_text, text, text_or,
};

pub(super) const ALL: super::Rows = &[
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy", mutating_policy),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding", policy_binding),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", webhooks),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy", validating_policy),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", policy_binding),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", webhooks),
    ("certificates.k8s.io", "CertificateSigningRequest", signing_request),
    ("certificates.k8s.io", "ClusterTrustBundle", trust_bundle),
    ("certificates.k8s.io", "PodCertificateRequest", pod_certificate_request),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema", flow_schema),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", priority_level),
    ("internal.apiserver.k8s.io", "StorageVersion", storage_version),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", role_binding),
    ("rbac.authorization.k8s.io", "RoleBinding", role_binding),
];

fn webhooks(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), count(object, &["webhooks"]).into(), age(object, now)]
}

fn validating_policy(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), count(object, &["spec", "validations"]).into(), param_kind(object), age(object, now)]
}

fn mutating_policy(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), count(object, &["spec", "mutations"]).into(), param_kind(object), age(object, now)]
}

fn param_kind(object: &Value) -> Value {
    let kind = at(object, &["spec", "paramKind"]);
    if kind.is_object() { format!("{}/{}", text(kind, &["apiVersion"]), text(kind, &["kind"])).into() } else { UNSET.into() }
}

fn policy_binding(object: &Value, now: Timestamp) -> Vec<Value> {
    let reference = at(object, &["spec", "paramRef"]);
    let shown = match (text(reference, &["namespace"]), text(reference, &["name"])) {
        ("", "") if at(reference, &["selector"]).is_object() => selector_text(at(reference, &["selector"])),
        (_, "") => UNSET.to_owned(),
        // The parameter's scope is not known here, so one without a namespace may lie in any.
        ("", name) => format!("*/{name}"),
        (namespace, name) => format!("{namespace}/{name}"),
    };
    vec![name(object), text(object, &["spec", "policyName"]).into(), shown.into(), age(object, now)]
}

fn signing_request(object: &Value, now: Timestamp) -> Vec<Value> {
    let requested = at(object, &["spec", "expirationSeconds"]).as_i64().map_or(NONE.to_owned(), duration);
    vec![
        name(object),
        age(object, now),
        text_or(object, &["spec", "signerName"], NONE).into(),
        text(object, &["spec", "username"]).into(),
        requested.into(),
        signing_status(object).into(),
    ]
}

fn signing_status(object: &Value) -> String {
    let has = |kind: &str| list(object, &["status", "conditions"]).iter().any(|c| text(c, &["type"]) == kind);
    let mut status = match () {
        () if has("Denied") => "Denied",
        () if has("Approved") => "Approved",
        () => "Pending",
    }
    .to_owned();
    if has("Failed") {
        status.push_str(",Failed");
    }
    if !text(object, &["status", "certificate"]).is_empty() {
        status.push_str(",Issued");
    }
    status
}

fn trust_bundle(object: &Value, _now: Timestamp) -> Vec<Value> {
    vec![name(object), text_or(object, &["spec", "signerName"], NONE).into()]
}

fn pod_certificate_request(object: &Value, _now: Timestamp) -> Vec<Value> {
    let decided = list(object, &["status", "conditions"])
        .iter()
        .map(|c| text(c, &["type"]))
        .rfind(|kind| matches!(*kind, "Issued" | "Denied" | "Failed"));
    let mut cells = vec![name(object)];
    for field in ["podName", "serviceAccountName", "nodeName", "signerName"] {
        cells.push(text(object, &["spec", field]).into());
    }
    cells.push(decided.unwrap_or("Pending").into());
    cells.push(labels(at(object, &["spec", "unverifiedUserAnnotations"])).into());
    cells
}

fn flow_schema(object: &Value, now: Timestamp) -> Vec<Value> {
    let dangling = list(object, &["status", "conditions"]).iter().find(|c| text(c, &["type"]) == "Dangling");
    vec![
        name(object),
        text(object, &["spec", "priorityLevelConfiguration", "name"]).into(),
        int(object, &["spec", "matchingPrecedence"]).into(),
        text_or(object, &["spec", "distinguisherMethod", "type"], NONE).into(),
        age(object, now),
        dangling.map_or("?", |c| text(c, &["status"])).into(),
    ]
}

fn priority_level(object: &Value, now: Timestamp) -> Vec<Value> {
    let limited = at(object, &["spec", "limited"]);
    let queuing = at(limited, &["limitResponse", "queuing"]);
    let cell = |holder: &Value, field: &str| match holder {
        Value::Object(_) => Value::from(int(holder, &[field])),
        _ => NONE.into(),
    };
    vec![
        name(object),
        text(object, &["spec", "type"]).into(),
        cell(limited, "nominalConcurrencyShares"),
        cell(queuing, "queues"),
        cell(queuing, "handSize"),
        cell(queuing, "queueLengthLimit"),
        age(object, now),
    ]
}

fn storage_version(object: &Value, now: Timestamp) -> Vec<Value> {
    let versions: Vec<String> = list(object, &["status", "storageVersions"])
        .iter()
        .map(|v| format!("{}={}", text(v, &["apiServerID"]), text(v, &["encodingVersion"])))
        .collect();
    let common = scalar(at(object, &["status", "commonEncodingVersion"])).unwrap_or_else(|| UNSET.to_owned());
    vec![name(object), common.into(), first_three(&versions).into(), age(object, now)]
}

fn role_binding(object: &Value, now: Timestamp) -> Vec<Value> {
    let subjects = |kind: &str| {
        let of_kind = list(object, &["subjects"]).iter().filter(|s| text(s, &["kind"]) == kind);
        let shown = of_kind.map(|s| match kind {
            "ServiceAccount" => format!("{}/{}", text(s, &["namespace"]), text(s, &["name"])),
            _ => text(s, &["name"]).to_owned(),
        });
        Value::from(shown.collect::<Vec<_>>().join(", "))
    };
    vec![
        name(object),
        format!("{}/{}", text(object, &["roleRef", "kind"]), text(object, &["roleRef", "name"])).into(),
        age(object, now),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}
