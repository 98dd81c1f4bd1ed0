//! One event as a JSON line, fields in the order of `audit.k8s.io/v1` Event. Holds no policy and no file.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use model::User;
use model::clock::rfc3339_micro;
use model::json::{Map, Value, json};

use crate::policy::{Level, Stage};

/// Longest user agent kept, as upstream cuts it.
const USER_AGENT_BYTES_MAX: usize = 1024;

/// What an event tells so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Event {
    pub(crate) level: Level,
    pub(crate) audit_id: String,
    pub(crate) request_uri: String,
    pub(crate) verb: String,
    pub(crate) user: Option<User>,
    pub(crate) impersonated: Option<(User, String)>,
    pub(crate) source_ips: Vec<String>,
    pub(crate) user_agent: String,
    pub(crate) object: Option<ObjectReference>,
    pub(crate) response_status: Option<Value>,
    pub(crate) request_object: Option<Value>,
    pub(crate) response_object: Option<Bytes>,
    pub(crate) received: Timestamp,
    pub(crate) annotations: BTreeMap<String, String>,
}

/// Which object an event is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct ObjectReference {
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) resource_version: String,
    pub(crate) subresource: String,
}

impl Event {
    /// The event as one line of JSON at this stage and time.
    pub(crate) fn line(&self, stage: Stage, at: Timestamp) -> Vec<u8> {
        let mut event = Map::new();
        let mut put = |field: &str, value: Value| event.insert(field.to_owned(), value);
        put("kind", "Event".into());
        put("apiVersion", "audit.k8s.io/v1".into());
        put("level", self.level.as_str().into());
        put("auditID", self.audit_id.as_str().into());
        put("stage", stage.as_str().into());
        put("requestURI", self.request_uri.as_str().into());
        put("verb", self.verb.as_str().into());
        put("user", self.user.as_ref().map_or_else(|| json!({}), user));
        if let Some((impersonated, constraint)) = &self.impersonated {
            put("impersonatedUser", user(impersonated));
            if !constraint.is_empty() {
                put("authenticationMetadata", json!({"impersonationConstraint": constraint}));
            }
        }
        if !self.source_ips.is_empty() {
            put("sourceIPs", self.source_ips.clone().into());
        }
        if !self.user_agent.is_empty() {
            put("userAgent", truncated(&self.user_agent).into());
        }
        if let Some(object) = &self.object {
            put("objectRef", object.to_value());
        }
        let ended = stage != Stage::RequestReceived;
        if let Some(status) = self.response_status.as_ref().filter(|_| ended) {
            put("responseStatus", status.clone());
        }
        if let Some(object) = self.request_object.as_ref().filter(|_| ended) {
            put("requestObject", object.clone());
        }
        if let Some(object) = self.response_object.as_ref().filter(|_| ended).and_then(|body| serde_json::from_slice(body).ok()) {
            put("responseObject", object);
        }
        put("requestReceivedTimestamp", rfc3339_micro(self.received).into());
        put("stageTimestamp", rfc3339_micro(at).into());
        if !self.annotations.is_empty() {
            put(
                "annotations",
                self.annotations.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect::<Map>().into(),
            );
        }
        let mut line = Value::Object(event).to_string().into_bytes();
        line.push(b'\n');
        line
    }
}

impl ObjectReference {
    fn to_value(&self) -> Value {
        let fields = [
            ("resource", &self.resource),
            ("namespace", &self.namespace),
            ("name", &self.name),
            ("uid", &self.uid),
            ("apiGroup", &self.group),
            ("apiVersion", &self.version),
            ("resourceVersion", &self.resource_version),
            ("subresource", &self.subresource),
        ];
        let said = fields.into_iter().filter(|(_, text)| !text.is_empty());
        Value::Object(said.map(|(field, text)| (field.to_owned(), text.as_str().into())).collect())
    }
}

fn user(user: &User) -> Value {
    let mut object = Map::new();
    for (field, text) in [("username", &user.name), ("uid", &user.uid)] {
        if !text.is_empty() {
            object.insert(field.to_owned(), text.as_str().into());
        }
    }
    if !user.groups.is_empty() {
        object.insert("groups", user.groups.clone().into());
    }
    if !user.extra.is_empty() {
        object.insert("extra", json!(user.extra));
    }
    Value::Object(object)
}

fn truncated(user_agent: &str) -> String {
    if user_agent.len() <= USER_AGENT_BYTES_MAX {
        return user_agent.to_owned();
    }
    let mut end = USER_AGENT_BYTES_MAX;
    while !user_agent.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...TRUNCATED", &user_agent[..end])
}
