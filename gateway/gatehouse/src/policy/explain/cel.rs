//! What `explain` tells of a policy in CEL. Upstream's record has the policy, the binding, the message, and the place of the
//! expression where a binding notes it (`Audit` among its actions); the expression itself is the one of now.

use model::json::Value;

use crate::policy::arguments::Arguments;
use crate::policy::corpus;
use crate::policy::verdicts::InCel;

/// The policy as the cluster has it; null when it has none of that name.
pub(super) fn now(arguments: &Arguments, one: &InCel) -> Value {
    let words = ["get", one.resource, &one.policy, "--output=json", "--show-managed-fields", "--ignore-not-found"];
    corpus::kubectl_if_served(arguments, &words)
}

/// One finding beside the policy of now, of a request made `at` a time.
pub(super) fn told(one: &InCel, policy: &Value, at: Option<&str>) -> String {
    let InCel { resource, policy: name, binding, index, message, is_refusal } = one;
    let verdict = if *is_refusal { "refused" } else { "noted a violation" };
    let by = if binding.is_empty() { String::new() } else { format!(", binding {binding:?}") };
    let mut lines = vec![format!("policy {name:?} in CEL ({resource}) {verdict}{by}"), format!("  {message}")];
    if policy.is_null() {
        lines.push("  the policy is gone".to_owned());
        return lines.join("\n");
    }
    let all = policy["spec"]["validations"].as_array().map_or(&[][..], Vec::as_slice);
    match index.or_else(|| place(all, message)) {
        Some(at) => match all.get(at).and_then(|one| one["expression"].as_str()) {
            Some(expression) => lines.push(format!("  spec.validations[{at}]: {}", expression.trim())),
            None => lines.push(format!("  spec.validations[{at}], which the policy has no more")),
        },
        None if all.is_empty() => {}
        None => lines.push(format!(
            "  which of its {} expressions it was the record does not say; a binding with Audit among its validationActions notes it",
            all.len()
        )),
    }
    if let Some(written) = written(policy).filter(|written| at.is_some_and(|at| seconds(at) < seconds(written))) {
        lines.push(format!("  the policy was written after the request, at {written}: its expressions may have been others"));
    }
    lines.join("\n")
}

/// The validation that a message is of, where one alone can have said it: with these words, or with this expression in them.
fn place(all: &[Value], message: &str) -> Option<usize> {
    let text = |one: &Value, field: &str| one[field].as_str().unwrap_or_default().trim().to_owned();
    let computes = |one: &Value| !text(one, "messageExpression").is_empty();
    let says = |one: &Value| {
        let (written, expression) = (text(one, "message"), text(one, "expression"));
        (!written.is_empty() && written == message)
            || message == format!("failed expression: {expression}")
            || message.starts_with(&format!("expression '{expression}' resulted in error: "))
    };
    let certain: Vec<usize> = (0..all.len()).filter(|n| says(&all[*n])).collect();
    let possible: Vec<usize> = (0..all.len()).filter(|n| computes(&all[*n])).collect();
    match (certain.as_slice(), possible.as_slice()) {
        ([one], _) | ([], [one]) => Some(*one),
        _ => None,
    }
}

/// When somebody last wrote the policy itself, not its status.
fn written(policy: &Value) -> Option<&str> {
    let owners = policy["metadata"]["managedFields"].as_array().into_iter().flatten();
    let times = owners.filter(|owner| owner["subresource"].is_null()).filter_map(|owner| owner["time"].as_str());
    times.chain(policy["metadata"]["creationTimestamp"].as_str()).max()
}

/// A time to the second, as the owners of fields have it.
fn seconds(at: &str) -> &str {
    at.get(..19).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    fn finding(index: Option<usize>, message: &str) -> InCel {
        let (resource, policy, binding) = ("validatingadmissionpolicy", "tags".to_owned(), "all".to_owned());
        InCel { resource, policy, binding, index, message: message.to_owned(), is_refusal: true }
    }

    #[test]
    fn the_expression_is_found_as_far_as_the_record_allows() {
        let policy = json!({
            "metadata": {"creationTimestamp": "2026-01-01T00:00:05Z"},
            "spec": {"validations": [
                {"expression": "has(object.a)", "message": "a is needed"},
                {"expression": "has(object.b)"},
                {"expression": "has(object.c)", "messageExpression": "'c of ' + object.metadata.name"},
            ]},
        });
        let of = |index, message: &str, at: &str| told(&finding(index, message), &policy, Some(at));
        let later = "2026-01-01T00:00:06.123456Z";
        for (index, message, expected) in [
            (Some(1), "whatever", "spec.validations[1]: has(object.b)"),
            (None, "a is needed", "spec.validations[0]: has(object.a)"),
            (None, "failed expression: has(object.b)", "spec.validations[1]: has(object.b)"),
            (None, "expression 'has(object.a)' resulted in error: no such key: a", "spec.validations[0]: has(object.a)"),
            (None, "c of web", "spec.validations[2]: has(object.c)"),
            (Some(7), "gone", "spec.validations[7], which the policy has no more"),
        ] {
            let head = "policy \"tags\" in CEL (validatingadmissionpolicy) refused, binding \"all\"";
            assert_eq!(of(index, message, later), format!("{head}\n  {message}\n  {expected}"));
        }
        assert!(of(None, "a is needed", "2026-01-01T00:00:04.9Z").contains("written after the request, at 2026-01-01T00:00:05Z"));
        assert!(!of(None, "a is needed", "2026-01-01T00:00:05.9Z").contains("written after"));
        assert!(told(&finding(None, "x"), &Value::Null, None).ends_with("the policy is gone"));
        let two = json!({"spec": {"validations": [{"messageExpression": "'a'"}, {"messageExpression": "'b'"}]}});
        assert!(told(&finding(None, "x"), &two, None).contains("which of its 2 expressions it was the record does not say"));
    }
}
