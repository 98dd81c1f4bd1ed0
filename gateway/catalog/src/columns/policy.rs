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
        text(object, &["status", "revision"]).into(),
        candidate(object).into(),
        text(object, &["status", "message"]).into(),
    ]
}

/// The module of a candidate, and how its verdicts differ so far; nothing without one.
fn candidate(object: &Value) -> String {
    let module = text(object, &["spec", "candidate", "module"]);
    let counted = |field: &str| int(object, &["status", "shadow", field]);
    match module {
        "" => String::new(),
        module => format!("{module} ({} of {} differ)", counted("differed"), counted("judged")),
    }
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
        match int(object, &["status", "sizeBytes"]) {
            0 => "".into(),
            bytes => format!("{} KB", (bytes + 1023) / 1024).into(),
        },
        text(object, &["status", "message"]).into(),
    ]
}

fn report(object: &Value, now: Timestamp) -> Vec<Value> {
    let counted = ["pass", "fail", "warn", "error", "skip"].map(|word| int(object, &["summary", word]).into());
    let scope = ["kind", "name"].map(|field| text(object, &["scope", field]).into());
    [name(object)].into_iter().chain(scope).chain(counted).chain([age(object, now)]).collect()
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn a_candidate_tells_how_it_differs() {
        let shadow = json!({"judged": 5, "differed": 2});
        let of = |spec: Value| candidate(&json!({"spec": spec, "status": {"shadow": shadow}}));
        assert_eq!(of(json!({"module": "a", "candidate": {"module": "b"}})), "b (2 of 5 differ)");
        assert_eq!(of(json!({"module": "a"})), "");
    }
}
