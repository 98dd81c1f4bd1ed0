//! SubjectAccessReview, LocalSubjectAccessReview, SelfSubjectAccessReview: may this user do that?
//! Follows `pkg/registry/authorization` and `pkg/apis/authorization/validation`. Decides nothing itself (`authz`).

use std::collections::BTreeMap;

use model::field::{Errors, Path};
use model::json::json;
use model::{Attributes, Decision, GroupKind, Status, User, Value};

use super::{Question, selector};
use crate::gate::Gate;

/// Answers about anybody, anywhere.
pub(super) const ANY: Question = Question {
    check: |review| check(review, Asked::Any),
    reply: |gate, _, review| answer(gate, subject(&review["spec"]), review),
};

/// Answers about anybody in the namespace of the request.
pub(super) const LOCAL: Question = Question {
    check: |review| check(review, Asked::Local),
    reply: |gate, _, review| answer(gate, subject(&review["spec"]), review),
};

/// Answers about whoever asks.
pub(super) const OWN: Question =
    Question { check: |review| check(review, Asked::Own), reply: |gate, call, review| answer(gate, call.user.clone(), review) };

/// Which of the three is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Any,
    Local,
    Own,
}

fn check(review: &Value, asked: Asked) -> Result<(), Status> {
    let errors = faults(review, asked);
    // Upstream's internal object does not know its kind.
    let kind = || GroupKind { group: super::AUTHORIZATION.into(), kind: "".into() };
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid(&kind(), "", &errors)) }
}

fn answer(gate: &Gate, user: User, mut review: Value) -> Result<Value, Status> {
    let decision = gate.authz.decide(&question(&review["spec"], user));
    review["status"] = status(&decision);
    let unheard = object(&review["spec"], "resourceAttributes").map(selector::unheard).unwrap_or_default();
    if !unheard.is_empty() {
        review["status"]["evaluationError"] = unheard.into();
    }
    Ok(review)
}

pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

pub(super) fn object<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    value.get(field).filter(|inner| inner.is_object())
}

/// Whom the question is about.
fn subject(spec: &Value) -> User {
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect()).unwrap_or_default()
    };
    let extra = object(spec, "extra").and_then(Value::as_object).into_iter().flatten();
    // Keys of extra are compared without case.
    let extra: BTreeMap<String, Vec<String>> = extra.map(|(key, values)| (key.to_lowercase(), strings(values))).collect();
    User { name: text(spec, "user").to_owned(), uid: text(spec, "uid").to_owned(), groups: strings(&spec["groups"]), extra }
}

fn question(spec: &Value, user: User) -> Attributes {
    let Some(resource) = object(spec, "resourceAttributes") else {
        let path = &spec["nonResourceAttributes"];
        return Attributes {
            user,
            verb: text(path, "verb").to_owned(),
            path: text(path, "path").to_owned(),
            ..Attributes::default()
        };
    };
    let version = match text(resource, "version") {
        "" => "*",
        version => version,
    };
    Attributes {
        user,
        verb: text(resource, "verb").to_owned(),
        group: text(resource, "group").to_owned(),
        version: version.to_owned(),
        resource: text(resource, "resource").to_owned(),
        subresource: text(resource, "subresource").to_owned(),
        namespace: text(resource, "namespace").to_owned(),
        name: text(resource, "name").to_owned(),
        resource_request: true,
        path: String::new(),
        fields: selector::fields(resource),
    }
}

fn status(decision: &Decision) -> Value {
    let mut status = json!({"allowed": decision.is_allowed()});
    if matches!(decision, Decision::Deny(_)) {
        status["denied"] = json!(true);
    }
    if !decision.reason().is_empty() {
        status["reason"] = decision.reason().into();
    }
    status
}

fn faults(review: &Value, asked: Asked) -> Errors {
    let mut errors = Errors::new();
    let (spec, path) = (&review["spec"], Path::new("spec"));
    let (resource, other) = (object(spec, "resourceAttributes"), object(spec, "nonResourceAttributes"));
    // Upstream shows the path attributes, as its internal struct prints, whichever of the two is too much or missing.
    let shown = other.map_or(Value::Null, |other| json!({"Path": text(other, "path"), "Verb": text(other, "verb")}));
    if resource.is_some() == other.is_some() {
        errors.invalid(&path, shown.clone(), "exactly one of nonResourceAttributes or resourceAttributes must be specified");
    }
    let nobody = text(spec, "user").is_empty() && spec.get("groups").and_then(Value::as_array).is_none_or(Vec::is_empty);
    if asked != Asked::Own && nobody {
        errors.invalid(&path.child("user"), "", "at least one of user or group must be specified");
    }
    if let Some(resource) = resource {
        selector::faults(resource, &mut errors);
    }
    metadata_faults(review, asked, &mut errors);
    if asked == Asked::Local {
        let namespace = model::meta::namespace(review);
        if let Some(resource) = resource.filter(|resource| text(resource, "namespace") != namespace) {
            let path = Path::new("spec.resourceAttributes.namespace");
            errors.invalid(&path, text(resource, "namespace"), "must match metadata.namespace");
        }
        if other.is_some() {
            errors.invalid(&Path::new("spec.nonResourceAttributes"), shown, "disallowed on this kind of request");
        }
    }
    errors
}

fn metadata_faults(review: &Value, asked: Asked, errors: &mut Errors) {
    let Some(metadata) = model::meta::metadata(review) else { return };
    let allowed: &[&str] = if asked == Asked::Local { &["managedFields", "namespace"] } else { &["managedFields"] };
    let empty = |value: &Value| value.is_null() || value == "" || value.as_object().is_some_and(model::Map::is_empty);
    if metadata.iter().any(|(field, value)| !allowed.contains(&field.as_str()) && !empty(value)) {
        let message = if asked == Asked::Local { "must be empty except for namespace" } else { "must be empty" };
        errors.invalid(&Path::new("metadata"), schema::object_meta::shown(&Value::Object(metadata.clone())), message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(review: Value, asked: Asked) -> Vec<String> {
        faults(&review, asked).0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn questions_are_read_off_the_spec() {
        let spec = json!({"user": "jane", "groups": ["devs"], "extra": {"Scope": ["a"]}, "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "a", "name": "p"}});
        let asked = question(&spec, subject(&spec));
        assert_eq!((asked.user.name.as_str(), asked.version.as_str(), asked.resource_request), ("jane", "*", true));
        assert_eq!(asked.user.extra["scope"], ["a"]);
        let path = question(&json!({"nonResourceAttributes": {"verb": "get", "path": "/healthz"}}), User::default());
        assert_eq!((path.path.as_str(), path.resource_request), ("/healthz", false));
    }

    #[test]
    fn answers_say_only_what_there_is_to_say() {
        assert_eq!(status(&Decision::Allow("because".into())), json!({"allowed": true, "reason": "because"}));
        assert_eq!(status(&Decision::NoOpinion(String::new())), json!({"allowed": false}));
        assert_eq!(status(&Decision::Deny("no".into())), json!({"allowed": false, "denied": true, "reason": "no"}));
    }

    #[test]
    fn faults_read_as_upstream() {
        let resource = json!({"verb": "get", "resource": "pods"});
        assert_eq!(told(json!({"metadata": {}, "spec": {"resourceAttributes": resource}}), Asked::Own), [""; 0]);
        assert_eq!(
            told(json!({"spec": {}}), Asked::Any),
            [
                "spec: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified",
                "spec.user: Invalid value: \"\": at least one of user or group must be specified",
            ]
        );
        assert_eq!(
            told(
                json!({"spec": {"resourceAttributes": resource, "nonResourceAttributes": {"path": "/x", "verb": "get"}}}),
                Asked::Own
            ),
            [
                "spec: Invalid value: {\"Path\":\"/x\",\"Verb\":\"get\"}: exactly one of nonResourceAttributes or resourceAttributes must be specified"
            ]
        );
        assert_eq!(
            told(json!({"metadata": {"name": "x"}, "spec": {"resourceAttributes": resource}}), Asked::Own),
            ["metadata: Invalid value: {\"name\":\"x\"}: must be empty"]
        );
        assert_eq!(
            told(json!({"metadata": {"namespace": "a"}, "spec": {"user": "u", "resourceAttributes": resource}}), Asked::Local),
            ["spec.resourceAttributes.namespace: Invalid value: \"\": must match metadata.namespace"]
        );
    }
}
