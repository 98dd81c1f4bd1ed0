//! EventRateLimit: no more Events than the configuration lets through: of all clients together, in each namespace, of each user,
//! of each source about each object. Follows `plugin/pkg/admission/eventratelimit`; Events of events.k8s.io are not limited there
//! either. What was counted is forgotten when the process ends.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use model::field::{Errors, Path};
use model::{GroupVersionResource, Status, Value};
use parking_lot::Mutex;

use crate::builtin::{is, text};
use crate::configuration::{self, Strictness};
use crate::{Notes, Operation, Plugin, Review};

const KINDS: [(&str, &str); 1] = [("eventratelimit.admission.k8s.io/v1alpha1", "Configuration")];
/// Buckets of one limit that are kept when the configuration does not say: those asked last, as upstream.
const BUCKETS_MAX: usize = 4096;

/// One limit of the configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limit {
    of: Of,
    qps: f64,
    burst: f64,
    buckets_max: usize,
}

/// What shares a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Server,
    Namespace,
    User,
    SourceAndObject,
}

const ALL: [(Of, &str); 4] =
    [(Of::Namespace, "Namespace"), (Of::Server, "Server"), (Of::SourceAndObject, "SourceAndObject"), (Of::User, "User")];

impl Of {
    fn as_str(self) -> &'static str {
        ALL.iter().find(|(of, _)| *of == self).map_or("", |(_, word)| word)
    }

    fn key(self, review: &Review<'_>, event: &Value) -> String {
        let part = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or("");
        match self {
            Self::Server => String::new(),
            Self::Namespace => review.namespace.to_owned(),
            Self::User => review.user.name.to_string(),
            Self::SourceAndObject => [
                "/source/component",
                "/source/host",
                "/involvedObject/kind",
                "/involvedObject/namespace",
                "/involvedObject/name",
                "/involvedObject/uid",
                "/involvedObject/apiVersion",
            ]
            .map(part)
            .concat(),
        }
    }
}

/// The limits of a configuration. Fails in upstream's words, without any too.
pub(super) fn read(text: Option<&str>) -> Result<Vec<Limit>, String> {
    let document = text.map(|text| configuration::document(text, &KINDS, Strictness::Lenient)).transpose()?;
    let limits = document.as_ref().map_or(&Value::Null, |document| document.get("limits").unwrap_or(&Value::Null));
    let mut errors = Errors::new();
    let path = Path::new("limits");
    let all = limits.as_array().map_or(&[][..], Vec::as_slice);
    if all.is_empty() {
        errors.invalid(&path, limits.clone(), "must not be empty");
    }
    let read = all.iter().enumerate().map(|(at, limit)| one(limit, &path.index(at), &mut errors)).collect();
    configuration::aggregated(&errors).map_or(Ok(read), Err)
}

fn one(limit: &Value, path: &Path, errors: &mut Errors) -> Limit {
    let number = |field: &str| limit.get(field).and_then(Value::as_i64).unwrap_or(0);
    let (kind, burst, qps, size) = (text(limit, "type"), number("burst"), number("qps"), number("cacheSize"));
    let of = ALL.iter().find(|(_, word)| *word == kind).map(|(of, _)| *of);
    if of.is_none() {
        errors.not_supported(&path.child("type"), kind, &ALL.map(|(_, word)| word));
    }
    for (field, value) in [("burst", burst), ("qps", qps)] {
        if value <= 0 {
            errors.invalid(&path.child(field), value, "must be positive");
        }
    }
    if of != Some(Of::Server) && size < 0 {
        errors.invalid(&path.child("cacheSize"), size, "must not be negative");
    }
    let buckets_max = usize::try_from(size).ok().filter(|size| *size > 0).unwrap_or(BUCKETS_MAX);
    Limit { of: of.unwrap_or(Of::Server), qps: qps as f64, burst: burst as f64, buckets_max }
}

pub(super) struct EventRateLimit {
    limits: Vec<(Limit, Mutex<Buckets>)>,
}

impl EventRateLimit {
    pub(super) fn new(limits: &[Limit]) -> Self {
        Self { limits: limits.iter().map(|limit| (*limit, Mutex::default())).collect() }
    }
}

/// Tokens of one limit, by who shares them.
#[derive(Default)]
struct Buckets {
    all: HashMap<Arc<str>, Bucket>,
    /// The same in the order in which they were asked.
    asked: BTreeMap<u64, Arc<str>>,
    next: u64,
}

struct Bucket {
    tokens: f64,
    at: Timestamp,
    asked: u64,
}

impl Buckets {
    /// Whether there is a token, which is then taken.
    fn take(&mut self, limit: &Limit, key: String, now: Timestamp) -> bool {
        let (asked, key) = (self.next, Arc::<str>::from(key));
        self.next += 1;
        if !self.all.contains_key(&key)
            && self.all.len() >= limit.buckets_max
            && let Some((_, oldest)) = self.asked.pop_first()
        {
            self.all.remove(&oldest);
        }
        let bucket = self.all.entry(key.clone()).or_insert_with(|| Bucket { tokens: limit.burst, at: now, asked });
        self.asked.remove(&bucket.asked);
        self.asked.insert(asked, key);
        bucket.asked = asked;
        // Requests do not come to be judged in the order in which they arrived.
        let passed_s = now.duration_since(bucket.at).as_secs_f64().max(0.0);
        bucket.at = bucket.at.max(now);
        bucket.tokens = (bucket.tokens + passed_s * limit.qps).min(limit.burst);
        let is_there = bucket.tokens >= 1.0;
        bucket.tokens -= if is_there { 1.0 } else { 0.0 };
        is_there
    }
}

#[async_trait::async_trait]
impl Plugin for EventRateLimit {
    fn name(&self) -> &'static str {
        "EventRateLimit"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, _subresource: &str) -> bool {
        matches!(operation, Operation::Create | Operation::Update) && is(resource, "", "events")
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let Some(event) = object.filter(|_| !review.dry_run) else { return Ok(()) };
        // Each limit is asked, whatever the others say.
        let mut reached = Vec::new();
        for (limit, buckets) in &self.limits {
            let key = limit.of.key(review, event);
            if !buckets.lock().take(limit, key.clone(), review.now) {
                reached.push(format!("limit reached on type {} for key {key}", limit.of.as_str()));
            }
        }
        match &reached[..] {
            [] => Ok(()),
            [one] => Err(Status::new(429, "TooManyRequests", format!("Too many requests: {one}"))),
            several => Err(Status::new(429, "TooManyRequests", format!("Too many requests: [{}]", several.join(", ")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: &str = "apiVersion: eventratelimit.admission.k8s.io/v1alpha1\nkind: Configuration\n";

    #[test]
    fn limits_are_read_and_judged() {
        let limits =
            read(Some(&format!("{VERSION}limits:\n- {{type: Namespace, qps: 50, burst: 100, cacheSize: 7}}\n"))).unwrap();
        assert_eq!(limits, [Limit { of: Of::Namespace, qps: 50.0, burst: 100.0, buckets_max: 7 }]);
        let wrong = format!("{VERSION}limits: [{{type: Odd, qps: 0, burst: -1, cacheSize: -2}}]\n");
        for (text, why) in [
            (None, "limits: Invalid value: null: must not be empty"),
            (Some("kind: Configuration"), "Object 'apiVersion' is missing in '{\"kind\":\"Configuration\"}'"),
            (
                Some(wrong.as_str()),
                "[limits[0].type: Unsupported value: \"Odd\": supported values: \"Namespace\", \"Server\", \"SourceAndObject\", \"User\", \
                 limits[0].burst: Invalid value: -1: must be positive, limits[0].qps: Invalid value: 0: must be positive, \
                 limits[0].cacheSize: Invalid value: -2: must not be negative]",
            ),
        ] {
            assert_eq!(read(text), Err(why.to_owned()));
        }
    }

    #[test]
    fn tokens_come_back_and_the_oldest_buckets_go() {
        let limit = Limit { of: Of::User, qps: 2.0, burst: 3.0, buckets_max: 2 };
        let mut buckets = Buckets::default();
        let mut take = |key: &str, at_ms: i64| buckets.take(&limit, key.to_owned(), Timestamp::from_millisecond(at_ms).unwrap());
        let at_once: Vec<bool> = (0..4).map(|_| take("a", 1000)).collect();
        assert_eq!(at_once, [true, true, true, false]);
        assert!(!take("a", 1400) && take("a", 1500) && !take("a", 1500));
        // An earlier arrival gets nothing for time that has passed already.
        assert!(!take("a", 1000));
        assert!(take("b", 1500));
        assert!(take("c", 1500), "a third has one");
        assert!(take("a", 1500), "the first was forgotten");
    }
}
