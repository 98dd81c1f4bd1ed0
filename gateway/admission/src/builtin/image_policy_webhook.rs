//! ImagePolicyWebhook: somebody outside is asked which images containers may run, and what was answered holds for a while.
//! Follows `plugin/pkg/admission/imagepolicy`. Does not speak HTTP ([`Endpoint`]).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use codec::{json, yaml};
use jiff::{SignedDuration, Timestamp};
use model::json::{Map, json};
use model::time::format_duration;
use model::{GroupVersionResource, Status, Value, meta};
use parking_lot::Mutex;

use crate::builtin::{forbidden, is, items, text};
use crate::webhook::{Endpoint, Unanswered};
use crate::{Notes, Operation, Plugin, Review};

/// What stands before the keys of all annotations for the audit log.
const AUDIT: &str = "imagepolicywebhook.image-policy.k8s.io/";
/// Which annotations of a Pod are shown.
const SHOWN: &str = ".image-policy.k8s.io/";
/// How long an answer is waited for, as upstream's webhooks.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// How often one question is asked where the answer is that it may succeed later, and how the waits between grow. As upstream.
const ATTEMPTS: usize = 5;
const BACKOFF_GROWTH: f64 = 1.5;
/// Answers that are remembered at most. As upstream.
const ANSWERS_MAX: usize = 1024;

/// What the plugin is configured with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Configuration {
    kubeconfig: PathBuf,
    allow_ttl: Duration,
    deny_ttl: Duration,
    retry_backoff: Duration,
    default_allow: bool,
}

/// A time of the configuration, in whole units.
struct Time {
    unit_ns: i64,
    default_ns: i64,
    min_ns: i64,
    max_ns: i64,
}

const SECOND_NS: i64 = 1_000_000_000;
const BACKOFF: Time = Time { unit_ns: 1_000_000, default_ns: SECOND_NS / 2, min_ns: 1, max_ns: 300 * SECOND_NS };
const ALLOW: Time = Time { unit_ns: SECOND_NS, default_ns: 300 * SECOND_NS, min_ns: SECOND_NS, max_ns: 1800 * SECOND_NS };
const DENY: Time = Time { default_ns: 30 * SECOND_NS, ..ALLOW };

impl Time {
    /// 0 is the default, -1 none at all.
    fn of(&self, value: i64) -> Result<Duration, String> {
        let nanos = match value {
            -1 => 0,
            0 => self.default_ns,
            value => value.wrapping_mul(self.unit_ns),
        };
        if !matches!(value, -1 | 0) && !(self.min_ns..=self.max_ns).contains(&nanos) {
            let [min, max, got] = [self.min_ns, self.max_ns, nanos].map(format_duration);
            return Err(format!("valid value is between {min} and {max}, got {got}"));
        }
        Ok(Duration::from_nanos(nanos.unsigned_abs()))
    }
}

impl Configuration {
    /// Reads what stands below `imagePolicy`. Fails in upstream's words, without any configuration too.
    pub(super) fn read(text_of: Option<&str>) -> Result<Self, String> {
        let whole = text_of.ok_or("no config specified")?;
        let document = if whole.trim_start().starts_with('{') {
            json::parse(whole.as_bytes()).map_err(|error| error.to_string())?.value
        } else {
            yaml::parse(whole.as_bytes()).map_err(|error| error.to_string())?.value
        };
        let said = document.get("imagePolicy").unwrap_or(&Value::Null);
        let number = |field: &str| said.get(field).and_then(Value::as_i64).unwrap_or(0);
        let kubeconfig = text(said, "kubeConfigFile");
        if kubeconfig.is_empty() {
            return Err(
                "invalid configuration: no configuration has been provided, try setting KUBERNETES_MASTER environment variable"
                    .to_owned(),
            );
        }
        Ok(Self {
            retry_backoff: BACKOFF.of(number("retryBackoff"))?,
            allow_ttl: ALLOW.of(number("allowTTL"))?,
            deny_ttl: DENY.of(number("denyTTL"))?,
            kubeconfig: kubeconfig.into(),
            default_allow: said.get("defaultAllow").and_then(Value::as_bool).unwrap_or(false),
        })
    }

    /// Where it is said who is asked; nothing of a plugin that does not run.
    pub(super) fn kubeconfig(&self) -> Option<&Path> {
        Some(&*self.kubeconfig).filter(|path| !path.as_os_str().is_empty())
    }
}

pub(super) struct ImagePolicyWebhook {
    configuration: Configuration,
    /// Who is asked.
    side: Arc<dyn Endpoint>,
    answers: Answers,
}

impl ImagePolicyWebhook {
    pub(super) fn new(configuration: Configuration, side: Arc<dyn Endpoint>) -> Self {
        Self { configuration, side, answers: Answers::default() }
    }

    /// What is answered now, or was a moment ago.
    async fn answer(&self, review: &Review<'_>, spec: Value) -> Result<Answer, String> {
        let key = spec.to_string();
        if let Some(known) = self.answers.get(&key, review.now) {
            return Ok(known);
        }
        let answer = Answer::read(&self.ask(review, &spec).await?)?;
        let ttl = if answer.allowed { self.configuration.allow_ttl } else { self.configuration.deny_ttl };
        self.answers.put(key, answer.clone(), review.now, ttl);
        Ok(answer)
    }

    async fn ask(&self, review: &Review<'_>, spec: &Value) -> Result<Vec<u8>, String> {
        let question = json!({
            "kind": "ImageReview", "apiVersion": "imagepolicy.k8s.io/v1alpha1", "metadata": {}, "spec": spec, "status": {"allowed": false},
        });
        let mut body = question.to_string().into_bytes();
        body.push(b'\n');
        let mut wait = self.configuration.retry_backoff;
        let mut attempts = ATTEMPTS;
        loop {
            attempts -= 1;
            match self.side.post(body.clone(), review.left_of(ANSWER_MAX)).await {
                Ok(answer) => return Ok(answer),
                Err(why) if attempts == 0 || !may_succeed_later(&why) => return Err(why.message),
                Err(why) if review.left_of(wait) < wait => return Err(why.message),
                Err(_) => tokio::time::sleep(wait).await,
            }
            wait = wait.mul_f64(BACKOFF_GROWTH);
        }
    }
}

/// Whether asking again may help. Follows `DefaultShouldRetry`.
fn may_succeed_later(why: &Unanswered) -> bool {
    matches!(why.code, 429 | 500 | 504) || why.message.ends_with("connection reset by peer")
}

/// What is asked about a Pod: the images, and what it says of itself to who judges them.
fn question(review: &Review<'_>, pod: &Value) -> Value {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let lists: &[&str] = if review.subresource.is_empty() { &["containers", "initContainers"] } else { &["ephemeralContainers"] };
    let image = |container: &Value| match text(container, "image") {
        "" => json!({}),
        image => json!({ "image": image }),
    };
    let containers: Vec<Value> = lists.iter().flat_map(|list| items(spec, list)).map(image).collect();
    let annotations = pod.pointer("/metadata/annotations").and_then(Value::as_object).into_iter().flatten();
    let mut shown: Map =
        annotations.filter(|(key, _)| key.as_str().contains(SHOWN)).map(|(k, v)| (k.clone(), v.clone())).collect();
    shown.sort_keys();
    let mut asked = json!({});
    if !containers.is_empty() {
        asked["containers"] = containers.into();
    }
    if !shown.is_empty() {
        asked["annotations"] = shown.into();
    }
    if !review.namespace.is_empty() {
        asked["namespace"] = review.namespace.into();
    }
    asked
}

#[async_trait::async_trait]
impl Plugin for ImagePolicyWebhook {
    fn name(&self) -> &'static str {
        "ImagePolicyWebhook"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        matches!(operation, Operation::Create | Operation::Update)
            && is(resource, "", "pods")
            && matches!(subresource, "" | "ephemeralcontainers")
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, notes: &mut Notes) -> Result<(), Status> {
        let Some(pod) = object else { return Ok(()) };
        let answer = match self.answer(review, question(review, pod)).await {
            Ok(answer) => answer,
            Err(why) if self.configuration.default_allow => {
                tracing::warn!(namespace = review.namespace, pod = meta::name(pod), why, "nobody judged the images of a pod");
                notes.annotations.push((format!("{AUDIT}failed-open"), "true".to_owned()));
                return Ok(());
            }
            Err(why) => return Err(forbidden(review, object, why)),
        };
        notes.annotations.extend(answer.annotations.into_iter().map(|(key, value)| (format!("{AUDIT}{key}"), value)));
        match (answer.allowed, &*answer.reason) {
            (true, _) => Ok(()),
            (false, "") => Err(forbidden(review, object, "one or more images rejected by webhook backend")),
            (false, reason) => {
                Err(forbidden(review, object, format!("image policy webhook backend denied one or more images: {reason}")))
            }
        }
    }
}

/// The verdict on a Pod's images.
#[derive(Clone, Debug, Default, PartialEq)]
struct Answer {
    allowed: bool,
    reason: String,
    annotations: Vec<(String, String)>,
}

impl Answer {
    /// Reads an ImageReview. Fails in the words of upstream's decoder.
    fn read(body: &[u8]) -> Result<Self, String> {
        let review = json::parse(body).map_err(|error| format!("couldn't get version/kind; json parse error: {error}"))?.value;
        let (version, kind) = json::interpret(&review)?;
        if !matches!((version, kind), ("" | "imagepolicy.k8s.io/v1alpha1", "" | "ImageReview")) {
            return Err(format!("unable to decode {kind:?} of version {version:?} into *v1alpha1.ImageReview"));
        }
        let status = review.get("status").unwrap_or(&Value::Null);
        let annotations = status.get("auditAnnotations").and_then(Value::as_object).into_iter().flatten();
        Ok(Self {
            allowed: status.get("allowed").and_then(Value::as_bool).unwrap_or(false),
            reason: text(status, "reason").to_owned(),
            annotations: annotations.filter_map(|(key, value)| Some((key.to_string(), value.as_str()?.to_owned()))).collect(),
        })
    }
}

/// Answers by question, each until its time is over.
#[derive(Default)]
struct Answers(Mutex<HashMap<String, (Answer, Timestamp)>>);

impl Answers {
    fn get(&self, question: &str, now: Timestamp) -> Option<Answer> {
        self.0.lock().get(question).filter(|(_, until)| now < *until).map(|(answer, _)| answer.clone())
    }

    fn put(&self, question: String, answer: Answer, now: Timestamp, ttl: Duration) {
        let Some(until) = SignedDuration::try_from(ttl).ok().and_then(|ttl| now.checked_add(ttl).ok()) else { return };
        let mut all = self.0.lock();
        if all.len() >= ANSWERS_MAX {
            all.retain(|_, (_, until)| now < *until);
        }
        if all.len() >= ANSWERS_MAX {
            // The one whose time is over first: a question that comes often is answered anew soon anyway.
            let first = all.iter().min_by_key(|(_, (_, until))| *until).map(|(question, _)| question.clone());
            first.map(|question| all.remove(&question));
        }
        all.insert(question, (answer, until));
    }
}

#[cfg(test)]
mod tests;
