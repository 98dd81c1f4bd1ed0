//! The record of one request, open from its arrival to the end of its answer.
//! A record that nobody closes (the client went away, the code failed) writes itself when it is dropped: no event is lost.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use model::json::json;
use model::{RequestInfo, Status, User, Value, meta};

use crate::event::{Event, ObjectReference};
use crate::log::Shared;
use crate::policy::{Level, Stage, Verdict};

/// Bodies of these are credentials or carry them; they, and what changed in them, are never recorded, whatever the policy says.
const CREDENTIALS: &[(&str, &str, &str)] =
    &[("", "secrets", "*"), ("", "serviceaccounts", "token"), ("authentication.k8s.io", "tokenreviews", "*")];

/// What is known of a request when its record opens.
#[derive(Clone, Debug)]
pub struct Arrival<'a> {
    /// What it asks for.
    pub request: &'a RequestInfo,
    /// Who sends it; absent when nobody was authenticated.
    pub user: Option<&'a User>,
    /// Path and query as they came.
    pub request_uri: &'a str,
    /// `Audit-ID` as the client gave it, empty to have one made.
    pub audit_id: &'a str,
    /// `User-Agent`.
    pub user_agent: &'a str,
    /// The client and the proxies before it, the nearest last; see [`source_ips`].
    pub source_ips: Vec<String>,
    /// When it came.
    pub received: Timestamp,
}

/// An open record. Costs nothing where the policy records nothing.
pub struct Record(Option<Box<Open>>);

struct Open {
    shared: Arc<Shared>,
    verdict: Verdict,
    event: Event,
    credentials: bool,
    started: bool,
    /// What is written when the answer is out.
    last: Stage,
}

impl Record {
    /// A record of nothing.
    pub fn none() -> Self {
        Self(None)
    }

    pub(crate) fn open(shared: &Arc<Shared>, verdict: Verdict, arrival: &Arrival<'_>) -> Self {
        if verdict.level == Level::None {
            return Self(None);
        }
        let request = arrival.request;
        let object = request.resource_request.then(|| ObjectReference {
            resource: request.resource.clone(),
            namespace: request.namespace.clone(),
            name: request.name.clone(),
            group: request.group.clone(),
            version: request.version.clone(),
            subresource: request.subresource.clone(),
            ..ObjectReference::default()
        });
        let event = Event {
            level: verdict.level,
            audit_id: audit_id(arrival.audit_id),
            request_uri: arrival.request_uri.to_owned(),
            verb: request.verb.as_str().to_owned(),
            user: arrival.user.cloned(),
            source_ips: arrival.source_ips.clone(),
            user_agent: arrival.user_agent.to_owned(),
            object,
            received: arrival.received,
            ..Event::default()
        };
        // Of whom nobody knows there is one event, and its stage is that of an answer that begins.
        let last = if arrival.user.is_some() { Stage::ResponseComplete } else { Stage::ResponseStarted };
        let open =
            Open { shared: shared.clone(), verdict, event, credentials: carries_credentials(request), started: false, last };
        if arrival.user.is_some() {
            open.write(Stage::RequestReceived, arrival.received);
        }
        Self(Some(Box::new(open)))
    }

    /// The id of the request, which the answer's `Audit-ID` header tells; none where nothing is recorded.
    pub fn id(&self) -> Option<&str> {
        self.0.as_ref().map(|open| open.event.audit_id.as_str())
    }

    /// Whether the request's body is wanted.
    pub fn wants_request_object(&self) -> bool {
        self.0.as_ref().is_some_and(|open| open.event.level >= Level::Request && !open.credentials)
    }

    /// Whether the answer's body is wanted.
    pub fn wants_response_object(&self) -> bool {
        self.0.as_ref().is_some_and(|open| open.event.level >= Level::RequestResponse && !open.credentials)
    }

    /// Adds a fact; the first value of a key stays, as upstream has it.
    pub fn annotate(&mut self, key: &str, value: impl Into<String>) {
        if let Some(open) = &mut self.0 {
            open.event.annotations.entry(key.to_owned()).or_insert_with(|| value.into());
        }
    }

    /// Adds a fact about the request's body, where records hold that. Upstream: `AddAnnotationWithLevel`.
    pub fn annotate_request(&mut self, key: &str, value: impl Into<String>) {
        if self.wants_request_object() {
            self.annotate(key, value);
        }
    }

    /// The request is served as another user; `constraint` is the verb that allowed it, often empty.
    pub fn impersonate(&mut self, user: &User, constraint: &str) {
        if let Some(open) = &mut self.0 {
            open.event.impersonated = Some((user.clone(), constraint.to_owned()));
        }
    }

    /// The object of the request, once it is decoded. Its name and uid complete the reference at every level.
    pub fn request_object(&mut self, object: &Value) {
        let wanted = self.wants_request_object();
        let Some(open) = &mut self.0 else { return };
        if let Some(reference) = &mut open.event.object {
            let complete = |field: &mut String, text: &str| {
                if field.is_empty() {
                    *field = text.to_owned();
                }
            };
            complete(&mut reference.namespace, meta::namespace(object));
            complete(&mut reference.name, meta::name(object));
            complete(&mut reference.uid, meta::uid(object));
            complete(&mut reference.resource_version, meta::resource_version(object));
        }
        if wanted {
            open.event.request_object = Some(open.without_managed_fields(object.clone()));
        }
    }

    /// The patch of the request, as it came. A patch that is no JSON is recorded as text.
    pub fn request_patch(&mut self, patch: &[u8]) {
        if !self.wants_request_object() {
            return;
        }
        if let Some(open) = &mut self.0 {
            let object = serde_json::from_slice(patch).unwrap_or_else(|_| String::from_utf8_lossy(patch).into_owned().into());
            open.event.request_object = Some(object);
        }
    }

    /// The object of the answer, in JSON.
    pub fn response_object(&mut self, body: Bytes) {
        if !self.wants_response_object() {
            return;
        }
        let Some(open) = &mut self.0 else { return };
        open.event.response_object = match open.verdict.omit_managed_fields {
            true => serde_json::from_slice(&body).ok().map(|object| Bytes::from(open.without_managed_fields(object).to_string())),
            false => Some(body),
        };
    }

    /// Why the request failed before it came to anything, should the answer's Status not be told by [`Record::failed`].
    pub fn failed_early(&mut self, message: &str) {
        if let Some(open) = &mut self.0 {
            open.event.response_status = Some(json!({"metadata": {}, "message": message}));
        }
    }

    /// The request failed like this.
    pub fn failed(&mut self, status: &Status) {
        if self.0.is_some() {
            self.status(status.to_object());
        }
    }

    /// The answer is this `Status`, which at every level is told instead of a mere code.
    pub fn status(&mut self, mut status: Value) {
        if let Some(open) = &mut self.0 {
            if let Some(fields) = status.as_object_mut() {
                fields.shift_remove("kind");
                fields.shift_remove("apiVersion");
            }
            open.event.response_status = Some(status);
        }
    }

    /// A long-running answer began.
    pub fn started(&mut self, code: u16, now: Timestamp) {
        if let Some(open) = &mut self.0 {
            open.set_code(code);
            open.started = true;
            open.write(Stage::ResponseStarted, now);
        }
    }

    /// The answer is out. Waits when the disk is behind, so that no event is dropped.
    pub async fn close(mut self, code: u16, now: Timestamp) {
        if let Some(mut open) = self.0.take() {
            open.set_code(code);
            let shared = open.shared.clone();
            open.write(open.last, now);
            shared.wait_for_room().await;
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(mut open) = self.0.take() else { return };
        let now = open.shared.now();
        if std::thread::panicking() {
            open.event.response_status = Some(json!({
                "metadata": {}, "status": "Failure", "message": "APIServer panic'd", "reason": "InternalError", "code": 500,
            }));
            return open.write(Stage::Panic, now);
        }
        if open.event.response_status.is_none() {
            open.event.response_status =
                Some(json!({"metadata": {}, "status": "Success", "message": "Connection closed early", "code": 200}));
            if open.started {
                open.write(Stage::ResponseStarted, now);
            }
        }
        open.write(open.last, now);
    }
}

impl Open {
    fn set_code(&mut self, code: u16) {
        match &mut self.event.response_status {
            Some(status) => status["code"] = code.into(),
            none => *none = Some(json!({"metadata": {}, "code": code})),
        }
    }

    fn write(&self, stage: Stage, at: Timestamp) {
        if !self.verdict.omit_stages.contains(&stage) {
            self.shared.write(self.event.line(stage, at));
        }
    }

    fn without_managed_fields(&self, mut object: Value) -> Value {
        if self.verdict.omit_managed_fields {
            meta::remove(&mut object, "managedFields");
            for item in object.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
                meta::remove(item, "managedFields");
            }
        }
        object
    }
}

fn carries_credentials(request: &RequestInfo) -> bool {
    request.resource_request
        && CREDENTIALS.iter().any(|(group, resource, subresource)| {
            *group == request.group
                && *resource == request.resource
                && (*subresource == "*" || *subresource == request.subresource)
        })
}

/// The request's id: the client's own, as it is, or a fresh one.
pub fn audit_id(given: &str) -> String {
    if given.is_empty() { uuid::Uuid::new_v4().to_string() } else { given.to_owned() }
}

/// The client's addresses: `X-Forwarded-For` in order, then `X-Real-Ip`, then the peer, each once in a row, as upstream tells them.
pub fn source_ips(forwarded_for: Option<&str>, real_ip: Option<&str>, peer: std::net::IpAddr) -> Vec<String> {
    let mut ips: Vec<std::net::IpAddr> =
        forwarded_for.unwrap_or("").split(',').filter_map(|text| text.trim().parse().ok()).collect();
    if let Some(real) = real_ip.and_then(|text| text.trim().parse().ok())
        && !ips.contains(&real)
    {
        ips.push(real);
    }
    if ips.last() != Some(&peer) {
        ips.push(peer);
    }
    ips.iter().map(ToString::to_string).collect()
}
