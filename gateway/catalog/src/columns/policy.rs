//! The cells of policies: modules and bindings of `policy.gatehouse.dev`, and reports as the definitions of `openreports.io` have
//! them.

use jiff::Timestamp;
use model::Value;

use super::cell::{age, flag, int, list, name, text};

pub(super) const ALL: super::Rows = &[
    ("openreports.io", "ClusterReport", report),
    ("openreports.io", "Report", report),
    ("policy.gatehouse.dev", "ClusterPolicyBinding", binding),
    ("policy.gatehouse.dev", "PolicyBinding", binding),
    ("policy.gatehouse.dev", "PolicyException", exception),
    ("policy.gatehouse.dev", "PolicyModule", module),
];

fn binding(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        text(object, &["spec", "module"]).into(),
        text(object, &["spec", "action"]).into(),
        flag(object, &["status", "ready"], false).into(),
        age(object, now),
        text(object, &["status", "message"]).into(),
    ]
}

fn exception(object: &Value, now: Timestamp) -> Vec<Value> {
    let bindings: Vec<&str> = list(object, &["spec", "bindings"]).iter().filter_map(Value::as_str).collect();
    vec![
        name(object),
        bindings.join(",").into(),
        text(object, &["spec", "expires"]).into(),
        age(object, now),
        text(object, &["spec", "reason"]).into(),
    ]
}

fn module(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        text(object, &["status", "world"]).into(),
        flag(object, &["status", "ready"], false).into(),
        text(object, &["status", "revision"]).into(),
        age(object, now),
        text(object, &["status", "message"]).into(),
    ]
}

fn report(object: &Value, now: Timestamp) -> Vec<Value> {
    let counted = ["pass", "fail", "warn", "error", "skip"].map(|word| int(object, &["summary", word]).into());
    let scope = ["kind", "name"].map(|field| text(object, &["scope", field]).into());
    [name(object)].into_iter().chain(scope).chain(counted).chain([age(object, now)]).collect()
}
