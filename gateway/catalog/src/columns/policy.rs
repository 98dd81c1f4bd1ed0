//! The cells of policies: modules and bindings of `policy.gatehouse.dev`.

use jiff::Timestamp;
use model::Value;

use super::cell::{age, flag, int, name, text};

pub(super) const ALL: super::Rows =
    &[("policy.gatehouse.dev", "ClusterPolicyBinding", binding), ("policy.gatehouse.dev", "PolicyModule", module)];

fn binding(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), text(object, &["spec", "module"]).into(), text(object, &["spec", "action"]).into(), age(object, now)]
}

fn module(object: &Value, now: Timestamp) -> Vec<Value> {
    let status = |field: &'static str| ["status", field];
    vec![
        name(object),
        text(object, &status("world")).into(),
        flag(object, &status("ready"), false).into(),
        int(object, &status("sizeBytes")).into(),
        age(object, now),
    ]
}
