//! Pods whose images somebody judges.

use model::{GroupVersionKind, RequestInfo, User};

use super::*;
use crate::builtin::world::gvr;

/// Answers in turn, and remembers what was asked.
#[derive(Default)]
struct Scripted {
    answers: Mutex<Vec<Result<String, Unanswered>>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl Endpoint for Scripted {
    async fn post(&self, body: Vec<u8>, _limit: Duration) -> Result<Vec<u8>, Unanswered> {
        self.asked.lock().push(String::from_utf8(body).expect("JSON is UTF-8"));
        self.answers.lock().remove(0).map(String::into_bytes)
    }
}

struct Stage {
    side: Arc<Scripted>,
    plugin: ImagePolicyWebhook,
}

fn stage(configuration: &str, answers: Vec<Result<String, Unanswered>>) -> Stage {
    let text = format!("imagePolicy:\n  kubeConfigFile: /a\n  retryBackoff: -1\n{configuration}");
    let side = Arc::new(Scripted { answers: Mutex::new(answers), ..Scripted::default() });
    let configuration = Configuration::read(Some(&text)).expect("a configuration");
    Stage { plugin: ImagePolicyWebhook::new(configuration, side.clone()), side }
}

impl Stage {
    async fn judge(&self, subresource: &str, second: i64, pod: &Value) -> (Result<(), String>, Vec<(String, String)>) {
        let (request, user, resource) = (RequestInfo::default(), User::default(), gvr("v1/pods"));
        let review = Review {
            request: &request,
            user: &user,
            operation: Operation::Create,
            resource: &resource,
            kind: &GroupVersionKind::new("", "v1", "Pod"),
            subresource,
            namespace: "shop",
            name: "web",
            old: None,
            options: &Value::Null,
            dry_run: false,
            uid: "",
            now: Timestamp::from_second(second).expect("a time"),
            deadline: None,
        };
        let mut notes = Notes::default();
        let outcome = self.plugin.validate(&review, Some(pod), &mut notes).await.map_err(|status| status.message);
        (outcome, notes.annotations)
    }
}

fn says(status: Value) -> Result<String, Unanswered> {
    Ok(json!({"apiVersion": "imagepolicy.k8s.io/v1alpha1", "kind": "ImageReview", "status": status}).to_string())
}

fn fails(code: u16) -> Result<String, Unanswered> {
    Err(Unanswered { code, message: format!("failed with {code}") })
}

fn pod() -> Value {
    json!({
        "metadata": {"name": "web", "annotations": {"z.image-policy.k8s.io/b": "1", "other": "2", "a.image-policy.k8s.io/c": "3"}},
        "spec": {"containers": [{"name": "c", "image": "one"}], "initContainers": [{"name": "i", "image": "two"}], "ephemeralContainers": [{"name": "e", "image": "three"}]},
    })
}

#[tokio::test]
async fn all_images_are_asked_about_once() {
    let stage =
        stage("", vec![says(json!({"allowed": true, "auditAnnotations": {"seen": "yes"}})), says(json!({"allowed": true}))]);
    for second in [0, 299] {
        let (outcome, annotations) = stage.judge("", second, &pod()).await;
        assert_eq!(outcome, Ok(()));
        assert_eq!(annotations, [("imagepolicywebhook.image-policy.k8s.io/seen".to_owned(), "yes".to_owned())]);
    }
    assert_eq!(
        *stage.side.asked.lock(),
        [concat!(
            r#"{"kind":"ImageReview","apiVersion":"imagepolicy.k8s.io/v1alpha1","metadata":{},"spec":{"containers":[{"image":"one"},{"image":"two"}],"#,
            r#""annotations":{"a.image-policy.k8s.io/c":"3","z.image-policy.k8s.io/b":"1"},"namespace":"shop"},"status":{"allowed":false}}"#,
            "\n"
        )]
    );
    assert_eq!(stage.judge("", 300, &pod()).await.0, Ok(()), "what was answered is over");
    assert_eq!(stage.side.asked.lock().len(), 2);
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason() {
    let stage = stage("", vec![says(json!({"allowed": false, "reason": "too old"})), says(json!({"allowed": false}))]);
    let refused = |why: &str| Err(format!("pods \"web\" is forbidden: {why}"));
    assert_eq!(stage.judge("", 0, &pod()).await.0, refused("image policy webhook backend denied one or more images: too old"));
    assert_eq!(stage.judge("ephemeralcontainers", 0, &pod()).await.0, refused("one or more images rejected by webhook backend"));
    assert!(stage.side.asked.lock()[1].contains(r#""containers":[{"image":"three"}]"#));
}

#[tokio::test]
async fn what_may_succeed_later_is_asked_again() {
    let stage = stage("", vec![fails(500), fails(429), says(json!({"allowed": true})), fails(503)]);
    assert_eq!(stage.judge("", 0, &pod()).await.0, Ok(()));
    assert_eq!(stage.judge("", 1000, &pod()).await.0, Err("pods \"web\" is forbidden: failed with 503".to_owned()));
    assert_eq!(stage.side.asked.lock().len(), 4);
}

#[tokio::test]
async fn where_nobody_answers_the_default_holds() {
    let stage = stage("  defaultAllow: true\n", vec![fails(503), Ok("{".to_owned())]);
    for _ in 0..2 {
        let (outcome, annotations) = stage.judge("", 0, &pod()).await;
        assert_eq!(outcome, Ok(()));
        assert_eq!(annotations, [("imagepolicywebhook.image-policy.k8s.io/failed-open".to_owned(), "true".to_owned())]);
    }
}

#[test]
fn times_have_their_bounds() {
    let read = |text: &str| Configuration::read(Some(&format!("imagePolicy: {{kubeConfigFile: /a, {text}}}")));
    let of = |allow, deny, retry| Configuration {
        kubeconfig: "/a".into(),
        allow_ttl: Duration::from_secs(allow),
        deny_ttl: Duration::from_secs(deny),
        retry_backoff: Duration::from_millis(retry),
        default_allow: false,
    };
    assert_eq!(read(""), Ok(of(300, 30, 500)));
    assert_eq!(read("allowTTL: -1, denyTTL: 1, retryBackoff: 20"), Ok(of(0, 1, 20)));
    assert_eq!(read("allowTTL: 1801"), Err("valid value is between 1s and 30m0s, got 30m1s".to_owned()));
    assert_eq!(read("retryBackoff: 300001"), Err("valid value is between 1ns and 5m0s, got 5m0.001s".to_owned()));
    assert_eq!(read("denyTTL: -2"), Err("valid value is between 1s and 30m0s, got -2s".to_owned()));
    assert_eq!(Configuration::read(None), Err("no config specified".to_owned()));
    assert!(Configuration::read(Some("{}")).is_err());
}

#[test]
fn answers_are_few() {
    let answers = Answers::default();
    let at = |second| Timestamp::from_second(second).expect("a time");
    for question in 0..ANSWERS_MAX + 10 {
        answers.put(question.to_string(), Answer::default(), at(0), Duration::from_secs(100 + question as u64));
    }
    assert_eq!(answers.0.lock().len(), ANSWERS_MAX);
    assert!(answers.get("9", at(1)).is_none() && answers.get("10", at(1)).is_some());
    answers.put("late".to_owned(), Answer::default(), at(5000), Duration::from_secs(1));
    assert_eq!(answers.0.lock().len(), 1, "those whose time is over go first");
}
