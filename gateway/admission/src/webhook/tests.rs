//! Both plugins over webhooks that answer by a script, and the reading of answers.

use crate::followed::Followed as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use model::json::json;
use model::{GroupVersionKind, GroupVersionResource, RequestInfo, Status, User, Value};

use super::answer::{self, Fault};
use super::configuration::Version;
use super::{Caller, Endpoint, Kind, Unanswered, Webhooks};
use crate::builtin::world::Fake;
use crate::cluster::testing;
use crate::{Chain, Notes, Operation, Review};

type Script = fn(&str, &Value) -> Result<Value, Unanswered>;

/// Webhooks that answer by a script, told apart by their path, and what they were asked.
#[derive(Clone)]
struct Scripted {
    script: Script,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

struct Side(String, Scripted);

impl Caller for Scripted {
    fn endpoint(&self, config: &Value) -> Result<Arc<dyn Endpoint>, String> {
        let path = config["service"]["path"].as_str().ok_or("no path")?;
        Ok(Arc::new(Side(path.to_owned(), self.clone())))
    }
}

#[async_trait::async_trait]
impl Endpoint for Side {
    async fn post(&self, body: Vec<u8>, _: Duration) -> Result<Vec<u8>, Unanswered> {
        let review: Value = serde_json::from_slice(&body).unwrap();
        self.1.asked.lock().unwrap().push((self.0.clone(), review.clone()));
        let mut response = (self.1.script)(&self.0, &review)?;
        if response.is_object() {
            response["uid"] = review["request"]["uid"].clone();
        }
        Ok(json!({"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}).to_string().into_bytes())
    }
}

struct Stage {
    chain: Chain,
    webhooks: Arc<Webhooks>,
    scripted: Scripted,
    deadline: Option<Instant>,
}

/// One webhook about creates, updates and deletes of config maps; `more` wins over its settings.
fn hook(name: &str, more: &Value) -> Value {
    let mut hook = json!({
        "name": name, "clientConfig": {"service": {"path": name}}, "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}],
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        hook[field] = value.clone();
    }
    hook
}

fn stage(kind: Kind, hooks: &[Value], script: Script) -> Stage {
    let scripted = Scripted { script, asked: Arc::default() };
    let cluster = testing::cluster(Arc::new(Fake::new(&[])), &[]);
    let webhooks = Webhooks::new([Arc::new(scripted.clone()), Arc::new(scripted.clone())], cluster);
    let configuration = json!({"metadata": {"name": "conf"}, "webhooks": hooks});
    match kind {
        Kind::Mutating => webhooks.mutating.put(&configuration),
        Kind::Validating => webhooks.validating.put(&configuration),
    }
    let chain = Chain::new(vec![webhooks.mutating_plugin(), webhooks.validating_plugin()]);
    Stage { chain, webhooks, scripted, deadline: None }
}

impl Stage {
    async fn admit(&self, operation: Operation, dry_run: bool, object: &mut Value) -> (Result<(), Status>, Notes) {
        self.admit_to("configmaps", "ConfigMap", operation, dry_run, object).await
    }

    async fn admit_to(
        &self,
        resource: &str,
        kind: &str,
        operation: Operation,
        dry_run: bool,
        object: &mut Value,
    ) -> (Result<(), Status>, Notes) {
        let group = if resource.contains("webhook") { "admissionregistration.k8s.io" } else { "" };
        let old = object.clone();
        let review = Review {
            request: &RequestInfo::default(),
            user: &User::new("alice", &["testers"]),
            operation,
            resource: &GroupVersionResource::new(group, "v1", resource),
            kind: &GroupVersionKind::new(group, "v1", kind),
            subresource: "",
            namespace: "shop",
            name: "a",
            old: (operation != Operation::Create).then_some(&old),
            options: &json!({"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}),
            dry_run,
            uid: "",
            now: jiff::Timestamp::UNIX_EPOCH,
            deadline: self.deadline,
        };
        let mut notes = Notes::default();
        if operation == Operation::Delete {
            return (self.chain.release(&review, &mut notes).await, notes);
        }
        let mut outcome = self.chain.mutate(&review, object, &mut notes).await;
        if outcome.is_ok() {
            outcome = self.chain.validate(&review, Some(object), &mut notes).await;
        }
        (outcome, notes)
    }

    fn asked(&self) -> Vec<String> {
        self.scripted.asked.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
    }
}

fn map() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}, "data": {"k": "v"}})
}

fn patch(operations: &Value) -> Value {
    json!({"allowed": true, "patchType": "JSONPatch", "patch": BASE64_STANDARD.encode(operations.to_string())})
}

#[tokio::test]
async fn a_review_says_everything_about_the_write() {
    let stage = stage(Kind::Validating, &[hook("a.b.c", &json!({}))], |_, _| {
        Ok(json!({"allowed": true, "warnings": ["mind"], "auditAnnotations": {"k": "v", "not/good": "x"}}))
    });
    let (outcome, notes) = stage.admit(Operation::Create, false, &mut map()).await;
    outcome.unwrap();
    assert_eq!(notes.warnings, ["mind"]);
    assert_eq!(notes.annotations, [("a.b.c/k".to_owned(), "v".to_owned())]);
    let mut asked = stage.scripted.asked.lock().unwrap()[0].1.clone();
    asked["request"]["uid"] = "U".into();
    let (kind, resource) = (
        json!({"group": "", "version": "v1", "kind": "ConfigMap"}),
        json!({"group": "", "version": "v1", "resource": "configmaps"}),
    );
    assert_eq!(
        asked.to_string(),
        format!(
            r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"U","kind":{kind},"resource":{resource},"requestKind":{kind},"requestResource":{resource},"name":"a","namespace":"shop","operation":"CREATE","userInfo":{{"username":"alice","groups":["testers"]}},"object":{{"kind":"ConfigMap","apiVersion":"v1","metadata":{{"name":"a","namespace":"shop"}},"data":{{"k":"v"}}}},"oldObject":null,"dryRun":false,"options":{{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}}}}}}"#
        )
    );
}

#[tokio::test]
async fn a_denial_is_told_with_the_webhooks_name() {
    for (status, code, message) in [
        (Value::Null, 400, "admission webhook \"a.b.c\" denied the request without explanation"),
        (json!({"reason": "Busy", "code": 200}), 400, "admission webhook \"a.b.c\" denied the request: Busy"),
        (json!({"message": "no", "code": 418}), 418, "admission webhook \"a.b.c\" denied the request: no"),
    ] {
        assert_eq!(
            answer_of(&json!({"allowed": false, "uid": "1", "status": status}), Kind::Validating),
            Ok(Err((code, message.to_owned())))
        );
    }
    let stage =
        stage(Kind::Mutating, &[hook("a.b.c", &json!({}))], |_, _| Ok(json!({"allowed": false, "status": {"message": "no"}})));
    let (outcome, notes) = stage.admit(Operation::Delete, false, &mut map()).await;
    assert_eq!(outcome.unwrap_err().message, "admission webhook \"a.b.c\" denied the request: no", "a delete is asked about too");
    let mutation = (
        "mutation.webhook.admission.k8s.io/round_0_index_0".to_owned(),
        r#"{"configuration":"conf","webhook":"a.b.c","mutated":false}"#.to_owned(),
    );
    assert_eq!(notes.annotations, [mutation]);
}

#[tokio::test]
async fn those_willing_are_called_again_after_a_change() {
    let hooks = [
        hook("a.b.c", &json!({"reinvocationPolicy": "IfNeeded"})),
        hook("b.b.c", &json!({})),
        hook("c.b.c", &json!({"rules": []})),
    ];
    let stage = stage(Kind::Mutating, &hooks, |path, review| {
        let known = &review["request"]["object"]["data"];
        Ok(match path {
            "b.b.c" => patch(&json!([{"op": "add", "path": "/data/b", "value": "1"}])),
            _ if known["b"].is_null() => json!({"allowed": true}),
            _ => patch(&json!([{"op": "add", "path": "/data/a", "value": "2"}])),
        })
    });
    let mut object = map();
    let (outcome, notes) = stage.admit(Operation::Create, false, &mut object).await;
    outcome.unwrap();
    assert_eq!(object["data"], json!({"k": "v", "b": "1", "a": "2"}));
    assert_eq!(stage.asked(), ["a.b.c", "b.b.c", "a.b.c"]);
    let keys: Vec<&str> = notes.annotations.iter().map(|(key, _)| key.rsplit_once('/').unwrap().1).collect();
    assert_eq!(keys, ["round_0_index_0", "round_0_index_1", "round_1_index_0"]);
    let patches: Vec<&(String, String)> = notes.request_annotations.iter().collect();
    assert_eq!(patches[0].0, "patch.webhook.admission.k8s.io/round_0_index_1");
    assert_eq!(
        patches[0].1,
        r#"{"configuration":"conf","webhook":"b.b.c","patch":[{"op":"add","path":"/data/b","value":"1"}],"patchType":"JSONPatch"}"#
    );
}

#[tokio::test]
async fn a_failure_is_the_policys() {
    let down: Script = |_, _| Err(Unanswered { code: 503, message: "Post \"https://x\": EOF".to_owned() });
    for kind in [Kind::Mutating, Kind::Validating] {
        let failing = stage(kind, &[hook("a.b.c", &json!({"failurePolicy": "Fail"}))], down);
        let refused = failing.admit(Operation::Create, false, &mut map()).await.0.unwrap_err();
        assert_eq!(
            (refused.code, refused.message.as_str()),
            (500, "Internal error occurred: failed calling webhook \"a.b.c\": failed to call webhook: Post \"https://x\": EOF")
        );
        let opening = stage(kind, &[hook("a.b.c", &json!({"failurePolicy": "Ignore"}))], down);
        let (outcome, notes) = opening.admit(Operation::Create, false, &mut map()).await;
        outcome.unwrap();
        assert!(notes.annotations.iter().any(|(key, value)| key.starts_with("failed-open.") && value == "a.b.c"), "{notes:?}");
        let mut counted = String::new();
        opening.webhooks.metrics().write(&mut counted);
        assert!(counted.contains("webhook_fail_open_count{name=\"a.b.c\"") && counted.contains("code=\"503\""), "{counted}");
    }
}

#[tokio::test]
async fn nothing_goes_on_behind_the_back_of_who_was_told_that_time_is_up() {
    let down: Script = |_, _| Err(Unanswered { code: 503, message: "context deadline exceeded".to_owned() });
    for (kind, asked) in [(Kind::Mutating, 1), (Kind::Validating, 0)] {
        let mut late = stage(kind, &[hook("a.b.c", &json!({"failurePolicy": "Ignore"})), hook("b.b.c", &json!({}))], down);
        late.deadline = Some(Instant::now());
        let refused = late.admit(Operation::Create, false, &mut map()).await.0.unwrap_err();
        assert_eq!((refused.code, refused.message.as_str()), (504, "Timeout: request did not complete within requested timeout"));
        assert_eq!(late.asked().len(), asked, "{kind:?}");
    }
}

#[tokio::test]
async fn a_patch_that_does_not_fit_is_an_error_of_the_server() {
    let refused = async |hook: Value, script: Script| {
        let stage = stage(Kind::Mutating, &[hook], script);
        stage.admit(Operation::Create, false, &mut map()).await.0.unwrap_err().message
    };
    let ignoring = hook("a.b.c", &json!({"failurePolicy": "Ignore"}));
    let told = refused(ignoring.clone(), |_, _| Ok(patch(&json!([{"op": "remove", "path": "/data/x"}])))).await;
    assert_eq!(
        told,
        "Internal error occurred: error in remove for path: '/data/x': Unable to remove nonexistent key: x: missing value"
    );
    let told = refused(ignoring, |_, _| Ok(patch(&json!([{"op": "replace", "path": "/data", "value": 3}])))).await;
    assert!(
        told.starts_with("Internal error occurred: json: cannot unmarshal number into Go struct field ConfigMap.data"),
        "{told}"
    );
}

#[tokio::test]
async fn a_dry_run_is_no_business_of_who_has_side_effects() {
    let allow: Script = |_, _| Ok(json!({"allowed": true}));
    let some = stage(Kind::Validating, &[hook("a.b.c", &json!({"sideEffects": "Some", "failurePolicy": "Ignore"}))], allow);
    let refused = some.admit(Operation::Create, true, &mut map()).await.0.unwrap_err();
    assert_eq!((refused.code, refused.message.as_str()), (400, "admission webhook \"a.b.c\" does not support dry run"));
    some.admit(Operation::Create, false, &mut map()).await.0.unwrap();
    let none = stage(Kind::Validating, &[hook("a.b.c", &json!({"sideEffects": "NoneOnDryRun"}))], allow);
    none.admit(Operation::Create, true, &mut map()).await.0.unwrap();
    assert_eq!(none.scripted.asked.lock().unwrap()[0].1["request"]["dryRun"], true);
}

#[tokio::test]
async fn nobody_is_locked_out_of_the_configuration() {
    let all = json!({"rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}]});
    let stage = stage(Kind::Validating, &[hook("a.b.c", &all)], |_, _| Ok(json!({"allowed": false})));
    let mut object = json!({"metadata": {"name": "a"}});
    let operation = Operation::Create;
    stage
        .admit_to("validatingwebhookconfigurations", "ValidatingWebhookConfiguration", operation, false, &mut object)
        .await
        .0
        .unwrap();
    assert_eq!(stage.asked(), [""; 0]);
    assert!(stage.admit(operation, false, &mut map()).await.0.is_err());
}

/// Conditions of one webhook about a config map in `shop` that alice makes.
async fn conditions(kind: Kind, policy: &str, expressions: &[&str]) -> (Result<(), String>, usize) {
    let named = expressions.iter().enumerate().map(|(i, text)| json!({"name": format!("c{i}"), "expression": text}));
    let more = json!({"failurePolicy": policy, "matchConditions": named.collect::<Vec<_>>()});
    let stage = stage(kind, &[hook("a.b.c", &more)], |_, _| Ok(json!({"allowed": true})));
    let (outcome, _) = stage.admit(Operation::Create, false, &mut map()).await;
    (outcome.map_err(|status| format!("{} {}", status.code, status.message)), stage.asked().len())
}

#[tokio::test]
async fn conditions_tell_whether_a_webhook_is_called() {
    let broken = "object.data.x == '1'";
    for kind in [Kind::Mutating, Kind::Validating] {
        for (policy, expressions, calls) in [
            ("Fail", &["request.userInfo.username == 'alice'", "object.data.k == 'v'", "oldObject == null"][..], 1),
            ("Fail", &["object.data.k == 'w'"], 0),
            ("Fail", &[broken, "false"], 0),
            ("Ignore", &[broken, "true"], 0),
            ("Fail", &["authorizer.group('').resource('configmaps').namespace('shop').check('create').allowed()"], 0),
            ("Fail", &["!authorizer.requestResource.check('create').allowed()"], 1),
        ] {
            assert_eq!(conditions(kind, policy, expressions).await, (Ok(()), calls), "{kind:?} {policy} {expressions:?}");
        }
        let (refused, calls) = conditions(kind, "Fail", &[broken, "true", broken]).await;
        let why = "403 configmaps \"a\" is forbidden: expression 'object.data.x == '1'' resulted in error: no such key: x";
        assert_eq!((refused.unwrap_err().as_str(), calls), (why, 0));
    }
}

/// A response read: a refusal's code and message, or the fault.
fn answer_of(response: &Value, kind: Kind) -> Result<Result<(), (u16, String)>, Fault> {
    let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}).to_string();
    let read = answer::read(body.as_bytes(), kind, Version::V1, "1")?;
    Ok(match read.into_verdict("a.b.c").1 {
        Ok(_) => Ok(()),
        Err(super::call::Failed::Rejected(status)) => Err((status.code, status.message)),
        Err(other) => panic!("{other:?}"),
    })
}

#[test]
fn an_answer_is_checked() {
    let invalid = |response: Value, kind: Kind| match answer_of(&response, kind) {
        Err(Fault::Invalid(why) | Fault::Unreadable(why)) => why,
        other => panic!("{other:?}"),
    };
    for (response, kind, why) in [
        (Value::Null, Kind::Mutating, "webhook response was absent"),
        (json!({"uid": "2"}), Kind::Mutating, "expected response.uid=\"1\", got \"2\""),
        (json!({"uid": "1", "patch": "W10="}), Kind::Mutating, "webhook returned response.patch but not response.patchType"),
        (
            json!({"uid": "1", "patchType": "JSONPatch"}),
            Kind::Mutating,
            "webhook returned response.patchType but not response.patch",
        ),
        (
            json!({"uid": "1", "patchType": "", "patch": "W10="}),
            Kind::Mutating,
            "webhook returned invalid response.patchType of \"\"",
        ),
        (json!({"uid": "1", "patch": "W10="}), Kind::Validating, "validating webhook may not return response.patch"),
        (json!({"uid": "1", "patchType": ""}), Kind::Validating, "validating webhook may not return response.patchType"),
        (
            json!({"uid": "1", "allowed": "yes"}),
            Kind::Validating,
            "json: cannot unmarshal string into Go struct field AdmissionResponse.response.allowed of type bool",
        ),
    ] {
        assert_eq!(invalid(response, kind), why);
    }
    let read = |body: &str| answer::read(body.as_bytes(), Kind::Mutating, Version::V1, "1").unwrap_err();
    let why = "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind=";
    assert_eq!(read(r#"{"response":{"uid":"1"}}"#), Fault::Invalid(why.to_owned()));
    let why = r#"no kind "Pod" is registered for version "v1" in scheme "pkg/runtime/scheme.go:111""#;
    assert_eq!(read(r#"{"apiVersion":"v1","kind":"Pod"}"#), Fault::Unreadable(why.to_owned()));
    let old = answer::read(br#"{"response":{"allowed":true,"patch":"W10="}}"#, Kind::Mutating, Version::V1Beta1, "1");
    assert_eq!(
        old.unwrap().into_verdict("a").1.unwrap(),
        Some((b"[]".to_vec(), "JSONPatch".to_owned())),
        "v1beta1 is not looked at so closely"
    );
}
