//! SelfSubjectRulesReview: all that whoever asks may do in a namespace, as `kubectl auth can-i --list` shows it.
//! Follows `pkg/registry/authorization/selfsubjectrulesreview`.

use authz::{Incomplete, PolicyRule, Rules};
use model::json::json;
use model::{Status, Value};

use super::Question;
use crate::call::Call;
use crate::gate::Gate;

/// Lists the rules of whoever asks.
pub(super) const OWN: Question = Question { check, reply: own };

fn check(review: &Value) -> Result<(), Status> {
    if namespace(review).is_empty() { Err(Status::bad_request("no namespace on request")) } else { Ok(()) }
}

fn namespace(review: &Value) -> &str {
    review.pointer("/spec/namespace").and_then(Value::as_str).unwrap_or("")
}

fn own(gate: &Gate, call: &Call, mut review: Value) -> Result<Value, Status> {
    let (rules, incomplete) = gate.authz.rules_for(&call.user, namespace(&review));
    // Upstream answers without repeating the question.
    review["metadata"] = json!({});
    review["spec"] = json!({});
    review["status"] = status(&rules, incomplete);
    Ok(review)
}

fn status(found: &Rules, Incomplete(incomplete): Incomplete) -> Value {
    let resources = found.rules.iter().filter(|rule| !rule.resources.is_empty());
    let paths = found.rules.iter().filter(|rule| !rule.non_resource_urls.is_empty());
    let mut status = json!({
        "resourceRules": resources.map(resource_rule).collect::<Vec<_>>(),
        "nonResourceRules": paths.map(|rule| json!({"verbs": rule.verbs, "nonResourceURLs": rule.non_resource_urls})).collect::<Vec<_>>(),
        "incomplete": incomplete,
    });
    if !found.errors.is_empty() {
        status["evaluationError"] = aggregate(&found.errors).into();
    }
    status
}

fn resource_rule(rule: &PolicyRule) -> Value {
    let mut shown = json!({"verbs": rule.verbs, "apiGroups": rule.api_groups, "resources": rule.resources});
    if !rule.resource_names.is_empty() {
        shown["resourceNames"] = json!(rule.resource_names);
    }
    shown
}

/// Several errors as one text, each said once.
fn aggregate(errors: &[String]) -> String {
    let mut once: Vec<&str> = Vec::new();
    for error in errors {
        if !once.contains(&error.as_str()) {
            once.push(error);
        }
    }
    if let [only] = once[..] { only.to_owned() } else { format!("[{}]", once.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_sorted_into_two_lists() {
        let rule = |value: Value| PolicyRule::parse(&value);
        let found = Rules {
            rules: vec![
                rule(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["p"]})),
                rule(json!({"verbs": ["get"], "nonResourceURLs": ["/healthz"]})),
            ],
            errors: vec!["a".into(), "a".into()],
        };
        assert_eq!(
            status(&found, Incomplete(false)),
            json!({
                "resourceRules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["p"]}],
                "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz"]}],
                "incomplete": false,
                "evaluationError": "a",
            })
        );
    }
}
