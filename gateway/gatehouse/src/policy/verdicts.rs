//! What a server said of a request, beside the request: of an audit log's annotations and refusals, or of the reports about
//! what is stored. `record` writes it, `replay` compares with it. Judges nothing.

use std::collections::BTreeMap;

use admission::policy::trial::Outcome;
use model::json::{Map, Value, json};
use model::meta;
use wasm::Failure;

/// What stands before a binding's name in the key of an audit annotation.
pub(super) const ANNOTATION_PREFIX: &str = "policy.gatehouse.dev/";
/// Where an audit record has what policies in CEL only note.
const NOTED: &str = "validation.policy.admission.k8s.io/validation_failure";
/// How a refusal by a policy in CEL begins, before the policy's name in quotes, and the kind of that policy.
const CEL: &[(&str, &str)] =
    &[("ValidatingAdmissionPolicy '", "validatingadmissionpolicy"), ("policy '", "mutatingadmissionpolicy")];
/// What stands between the names and why.
const DENIED: &str = "' denied request: ";

/// What an audit record has of a policy in CEL: a refusal, or what it only noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InCel {
    /// The policy's resource, as kubectl names one.
    pub(super) resource: &'static str,
    pub(super) policy: String,
    /// Empty where the policy itself could not be evaluated.
    pub(super) binding: String,
    /// Which validation it was; a refusal does not say.
    pub(super) index: Option<usize>,
    pub(super) message: String,
    /// Whether the request was refused for it.
    pub(super) is_refusal: bool,
}

/// Everything that an audit record says of policies in CEL. Of a refusal it has the first reason alone.
pub(super) fn in_cel(event: &Value) -> Vec<InCel> {
    let noted = event["annotations"][NOTED].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let of = |one: &Value| {
        let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
        let index = one["expressionIndex"].as_u64().and_then(|index| usize::try_from(index).ok());
        let (policy, binding, message) = (text("policy"), text("binding"), text("message"));
        InCel { resource: CEL[0].1, policy, binding, index, message, is_refusal: false }
    };
    let mut found: Vec<InCel> = noted.as_ref().and_then(Value::as_array).into_iter().flatten().map(of).collect();
    found.retain(|one| !one.policy.is_empty());
    if let Some(mut refusal) = refusal(event["responseStatus"]["message"].as_str().unwrap_or_default()) {
        // A binding that denies and notes says the same twice, once with the place of the expression.
        let same =
            |one: &InCel| (&one.policy, &one.binding, &one.message) == (&refusal.policy, &refusal.binding, &refusal.message);
        if let Some(at) = found.iter().position(same) {
            refusal.index = found.remove(at).index;
        }
        found.push(refusal);
    }
    found
}

/// `pods "web" is forbidden: ValidatingAdmissionPolicy 'a' with binding 'b' denied request: why`.
fn refusal(message: &str) -> Option<InCel> {
    CEL.iter().find_map(|(before, resource)| {
        let (_, rest) = message.split_once(before)?;
        let (names, why) = rest.split_once(DENIED)?;
        let (policy, binding) = names.split_once("' with binding '").unwrap_or((names, ""));
        let is_name = |name: &str| !name.contains([' ', '\'', ':']);
        (is_name(policy) && is_name(binding)).then(|| InCel {
            resource,
            policy: policy.to_owned(),
            binding: binding.to_owned(),
            index: None,
            message: why.to_owned(),
            is_refusal: true,
        })
    })
}

/// A verdict, as far as two can be compared: what it is, and for a refusal which rules are broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// `allowed`, `refused`, `changed`, `failed` or `excepted`.
    pub(super) word: String,
    /// In order, each once. A refusal by a policy in CEL names none.
    pub(super) rules: Vec<String>,
}

impl Verdict {
    fn of(word: &str, rules: impl Iterator<Item = String>) -> Self {
        let mut rules: Vec<String> = rules.filter(|rule| !rule.is_empty()).collect();
        rules.sort();
        rules.dedup();
        Self { word: word.to_owned(), rules }
    }

    /// What the evaluator said.
    pub(super) fn judged(outcome: &Result<Outcome, Failure>) -> Self {
        match outcome {
            Err(_) => Self::of("failed", std::iter::empty()),
            Ok(outcome) if outcome.changed.is_some() => Self::of("changed", std::iter::empty()),
            Ok(outcome) if outcome.violations.is_empty() => Self::of("allowed", std::iter::empty()),
            Ok(outcome) => Self::of("refused", outcome.violations.iter().map(|violation| violation.rule.clone())),
        }
    }

    /// Whether it is another than this one. An exception hides what is wrong; a refusal that names no rule is any.
    pub(super) fn differs(&self, server: &Self) -> bool {
        if server.word == "excepted" {
            return false;
        }
        self.word != server.word || (!server.rules.is_empty() && !self.rules.is_empty() && self.rules != server.rules)
    }

    /// The word, and the rules.
    pub(super) fn told(&self) -> String {
        if self.rules.is_empty() { self.word.clone() } else { format!("{} by {}", self.word, self.rules.join(", ")) }
    }
}

/// What a server said of a policy in what `record` wrote: nothing, where it wrote none of it. A server tells what it has
/// against a request, and nothing of the policies that let it pass; where it refused the request, somebody else may have been
/// faster.
pub(super) fn of(server: &Value, policy: &str) -> Option<Verdict> {
    let all = server.get("policies")?;
    if server["absent"].as_array().into_iter().flatten().any(|absent| *absent == *policy) {
        return None;
    }
    let Some(told) = all.get(policy) else {
        let went_through = server["code"].as_u64().is_none_or(|code| code < 300);
        return went_through.then(|| Verdict::of("allowed", std::iter::empty()));
    };
    let rules = told["rules"].as_array().into_iter().flatten().filter_map(|rule| Some(rule.as_str()?.to_owned()));
    Some(Verdict::of(told["verdict"].as_str().unwrap_or("failed"), rules))
}

/// Which object of a request is written down.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// As it was sent.
    Sent,
    /// As it was stored, after whatever policies changed.
    Stored,
}

/// The verdicts of a request in an audit log, by policy; also when there are none. What a mutator changed is changed in the
/// object that was stored: of that one it has nothing more to say.
pub(super) fn audited(event: &Value, seen: Seen) -> Value {
    let mut told = Map::new();
    let annotations = event["annotations"].as_object().into_iter().flatten();
    for (key, value) in annotations {
        let parsed = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let (Some(name), Some(what)) = (key.strip_prefix(ANNOTATION_PREFIX), parsed) else { continue };
        // A binding that only warns has a verdict too, which is not what the server did.
        let word = match what["verdict"].as_str() {
            Some("violated") => "refused",
            Some("would change") => "changed",
            Some("changed") if seen == Seen::Stored => continue,
            Some(word) => word,
            None => continue,
        };
        told.insert(name.replace('_', "/"), json!({"verdict": word, "rules": what["rules"], "revision": what["revision"]}));
    }
    for InCel { policy, message, .. } in in_cel(event) {
        told.insert(policy, json!({"verdict": "refused", "message": message}));
    }
    json!({"code": event["responseStatus"]["code"], "policies": told})
}

/// The verdicts of what is stored, by object (its uid), in reports of `openreports.io`.
pub(super) fn reported(reports: &[Value]) -> BTreeMap<String, Value> {
    let of = |report: &Value| Some((report["scope"]["uid"].as_str()?.to_owned(), results(report)));
    reports.iter().filter_map(of).collect()
}

fn results(report: &Value) -> Value {
    let mut told = Map::new();
    for result in report["results"].as_array().into_iter().flatten() {
        let word = match result["result"].as_str() {
            Some("pass") => "allowed",
            Some("fail" | "warn") => "refused",
            Some("skip") => "excepted",
            _ => "failed",
        };
        let Some(policy) = result["policy"].as_str() else { continue };
        let mut rules = told.get(policy).map(|known: &Value| known["rules"].clone()).unwrap_or_else(|| json!([]));
        if let (Some(rules), Some(rule)) = (rules.as_array_mut(), result["rule"].as_str()) {
            rules.push(rule.into());
        }
        told.insert(policy.to_owned(), json!({"verdict": word, "rules": rules, "revision": result["properties"]["revision"]}));
    }
    json!({ "policies": told })
}

/// The verdicts of one object among those that were reported.
pub(super) fn found(reported: &BTreeMap<String, Value>, object: &Value) -> Value {
    reported.get(meta::uid(object)).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_record_tells_of_policies_in_cel() {
        let said = "pods \"web\" is forbidden: ValidatingAdmissionPolicy 'tags' with binding 'all' denied request: no latest";
        let noted = r#"[{"message":"no latest","policy":"tags","binding":"all","expressionIndex":1,"validationActions":["Deny","Audit"]},
            {"message":"no team","policy":"labels","binding":"some","expressionIndex":0,"validationActions":["Audit"]}]"#;
        let of =
            |message: &str, noted: &str| in_cel(&json!({"annotations": {NOTED: noted}, "responseStatus": {"message": message}}));
        let told = of(said, noted);
        assert_eq!((told.len(), told[0].policy.as_str(), told[0].is_refusal), (2, "labels", false));
        let InCel { policy, binding, index, message, is_refusal, .. } = &told[1];
        assert_eq!(
            (policy.as_str(), binding.as_str(), *index, message.as_str(), *is_refusal),
            ("tags", "all", Some(1), "no latest", true)
        );
        let told = of("x: ValidatingAdmissionPolicy 'tags' denied request: failed to configure policy: no kind", "");
        assert_eq!((told[0].binding.as_str(), told[0].index), ("", None));
        let told =
            of("x is forbidden: policy 'sidecar' with binding 'b' denied request: expression 'a' resulted in error: c", "");
        assert_eq!(told[0].resource, "mutatingadmissionpolicy");
        assert!(of("x: policy \"team\": no label", "").is_empty());
    }

    #[test]
    fn an_audit_log_tells_what_a_server_said() {
        let labels = r#"{"verdict":"refused","rules":["label-required"],"revision":"0a"}"#;
        let told = audited(
            &json!({
                "annotations": {"policy.gatehouse.dev/shop_labels": labels, "other/key": "x"},
                "responseStatus": {"code": 422, "message": "pods \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"},
            }),
            Seen::Sent,
        );
        assert_eq!(of(&told, "shop/labels").unwrap().told(), "refused by label-required");
        assert_eq!(of(&told, "p").unwrap().told(), "refused");
        assert_eq!(of(&told, "silent"), None, "it may not have been asked");
        let passed = audited(&json!({"responseStatus": {"code": 201}}), Seen::Stored);
        assert_eq!(of(&passed, "silent").unwrap().told(), "allowed");
        assert_eq!(of(&Value::Null, "p"), None, "nothing was written down");
    }

    #[test]
    fn reports_tell_what_a_server_found() {
        let result = |policy: &str, result: &str, rule: &str| json!({"policy": policy, "result": result, "rule": rule});
        let report = json!({"scope": {"uid": "u"}, "results": [
            result("a", "fail", "y"), result("a", "fail", "x"), result("b", "pass", ""), result("c", "skip", "")]});
        let all = reported(&[report]);
        let told = found(&all, &json!({"metadata": {"uid": "u"}}));
        let words = ["a", "b", "c"].map(|policy| of(&told, policy).unwrap().told());
        assert_eq!(words, ["refused by x, y", "allowed", "excepted"]);
        assert_eq!(found(&all, &json!({"metadata": {"uid": "v"}})), Value::Null);
    }

    #[test]
    fn verdicts_differ_by_word_and_rules() {
        let verdict = |word: &str, rules: &[&str]| Verdict::of(word, rules.iter().map(|rule| (*rule).to_owned()));
        assert!(verdict("refused", &["a"]).differs(&verdict("allowed", &[])));
        assert!(verdict("refused", &["a"]).differs(&verdict("refused", &["b"])));
        assert!(!verdict("refused", &["a", "b"]).differs(&verdict("refused", &["b", "a"])));
        assert!(!verdict("refused", &["a"]).differs(&verdict("refused", &[])), "no rule is named");
        assert!(!verdict("refused", &["a"]).differs(&verdict("excepted", &[])));
    }
}
