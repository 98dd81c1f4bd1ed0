//! Objects of extension servers as the server's own parts see them (`world`): asked for over the wire, in the name of whom the
//! part acts as. Keeps nothing, and makes no object.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use model::json::json;
use model::query;
use model::world::{DeleteOptions, Event, Propagation};
use model::{GroupVersionResource, Revision, Status, User, Value, meta};

use super::Route;
use super::ask::{self, Ask, Sent};
use crate::client::{Endpoint, Passing};
use crate::gate::Gate;

/// How long one answer may take; upstream's clients wait as long for all but watches.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// As much as a webhook's answer may have: a page of a list.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Objects of a page; client-go asks for as many.
const PAGE: usize = 500;
/// How long a watch is followed before it begins anew, in seconds.
const WATCH_S: u64 = 300;
/// How long nothing may come of one: somewhat longer, since its server ends it.
const SILENCE_MAX: Duration = Duration::from_secs(WATCH_S + 30);
/// The largest event that is read: no object of etcd's reaches it.
const EVENT_BYTES_MAX: usize = 16 << 20;

const JSON: &str = "application/json";

/// A resource of an extension server, and who asks.
pub(crate) struct Objects<'a> {
    gate: &'a Gate,
    route: Arc<Route>,
    resource: &'a GroupVersionResource,
    user: &'a User,
}

impl<'a> Objects<'a> {
    /// The resource, if an extension server serves its version.
    pub(crate) fn of(gate: &'a Gate, resource: &'a GroupVersionResource, user: &'a User) -> Option<Self> {
        let route = gate.aggregation.route_of(&resource.group, &resource.version)?;
        Some(Self { gate, route, resource, user })
    }

    pub(crate) async fn get(&self, namespace: &str, name: &str) -> Result<Value, Status> {
        self.exchange(&self.path(namespace, name), None).await
    }

    pub(crate) async fn list(&self, namespace: &str, labels: &str) -> Result<(Vec<Value>, Revision), Status> {
        let path = self.path(namespace, "");
        let selector = if labels.is_empty() { String::new() } else { format!("&labelSelector={}", query::encode(labels)) };
        let (mut objects, mut next) = (Vec::new(), String::new());
        loop {
            let page = if next.is_empty() { String::new() } else { format!("&continue={}", query::encode(&next)) };
            let mut list = self.exchange(&format!("{path}?limit={PAGE}{selector}{page}"), None).await?;
            objects.extend(items(&mut list));
            next = text(&list, "/metadata/continue").to_owned();
            if next.is_empty() {
                // Revisions of others may be no numbers; a watch from 0 begins with what is there.
                return Ok((objects, meta::resource_version(&list).parse().unwrap_or(0)));
            }
        }
    }

    pub(crate) async fn watch(&self, namespace: &str, from: Revision) -> Result<BoxStream<'static, Event>, Status> {
        let path = format!("{}?watch=true&resourceVersion={from}&timeoutSeconds={WATCH_S}", self.path(namespace, ""));
        let asked = self.ask(&path);
        let begun = ask::begin(self.gate, self.side()?, &asked, None).await;
        let answer = begun.map_err(|why| unreached(&why))?;
        match answer.status() {
            StatusCode::OK => Ok(events(answer.into_body())),
            code => Err(Status::new(code.as_u16(), "", format!("the watch was answered with {code}"))),
        }
    }

    pub(crate) async fn merge_patch(&self, subresource: &str, place: (&str, &str), patch: &Value) -> Result<Value, Status> {
        let joint = if subresource.is_empty() { "" } else { "/" };
        let path = format!("{}{joint}{subresource}", self.path(place.0, place.1));
        let body = Bytes::from(patch.to_string());
        self.exchange(&path, Some(Sent { method: Method::PATCH, media: "application/merge-patch+json", body })).await
    }

    pub(crate) async fn delete(&self, namespace: &str, name: &str, options: &DeleteOptions) -> Result<(), Status> {
        let body = Bytes::from(deletion(options).to_string());
        self.exchange(&self.path(namespace, name), Some(Sent { method: Method::DELETE, media: JSON, body })).await.map(drop)
    }

    fn path(&self, namespace: &str, name: &str) -> String {
        let GroupVersionResource { group, version, resource } = self.resource;
        let within = if namespace.is_empty() { String::new() } else { format!("/namespaces/{}", query::encode(namespace)) };
        let named = if name.is_empty() { String::new() } else { format!("/{}", query::encode(name)) };
        format!("/apis/{group}/{version}{within}/{resource}{named}")
    }

    fn side(&self) -> Result<&Arc<Endpoint>, Status> {
        match &self.route.side {
            Ok(side) if self.route.is_available => Ok(side),
            Ok(_) => Err(unreached("service unavailable")),
            Err(why) => Err(unreached(why)),
        }
    }

    fn ask<'p>(&self, path: &'p str) -> Ask<'p> {
        let user = self.user.clone();
        Ask { path, user, accept: JSON, etag: "", within: ANSWER_MAX, bytes_max: ANSWER_BYTES_MAX }
    }

    async fn exchange(&self, path: &str, sent: Option<Sent>) -> Result<Value, Status> {
        let answer = ask::exchange(self.gate, self.side()?, &self.ask(path), sent).await;
        judge(answer.map_err(|why| unreached(&why))?)
    }
}

fn unreached(why: &str) -> Status {
    Status::unavailable(format!("error trying to reach service: {why}"))
}

/// What an answer holds, or why it failed, in the server's own words where it has them.
fn judge(answer: Response<Bytes>) -> Result<Value, Status> {
    let code = answer.status();
    let said: Option<Value> = serde_json::from_slice(answer.body()).ok();
    match said {
        Some(value) if code.is_success() => Ok(value),
        Some(status) if text(&status, "/kind") == "Status" => Err(Status { code: code.as_u16(), ..Status::from_object(&status) }),
        _ => Err(Status::new(code.as_u16(), "", format!("the server answered with {code}"))),
    }
}

/// The objects of a list, each with what only the list says.
fn items(list: &mut Value) -> Vec<Value> {
    let api_version = text(list, "/apiVersion").to_owned();
    let kind = text(list, "/kind").trim_end_matches("List").to_owned();
    let mut items = match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        for (field, said) in [("apiVersion", &api_version), ("kind", &kind)] {
            item.entry(field).or_insert_with(|| said.as_str().into());
        }
    }
    items
}

/// Options as they are sent.
fn deletion(options: &DeleteOptions) -> Value {
    let mut sent = json!({"kind": "DeleteOptions", "apiVersion": "v1"});
    for (field, value) in [("uid", &options.uid), ("resourceVersion", &options.resource_version)] {
        if let Some(value) = value {
            sent["preconditions"][field] = value.as_str().into();
        }
    }
    if let Some(seconds) = options.grace_period_seconds {
        sent["gracePeriodSeconds"] = seconds.into();
    }
    let policy = match options.propagation {
        Propagation::Default => return sent,
        Propagation::Orphan => "Orphan",
        Propagation::Background => "Background",
        Propagation::Foreground => "Foreground",
    };
    sent["propagationPolicy"] = policy.into();
    sent
}

/// The events of an answer, until it ends, tells of an error, or is silent for too long.
fn events(body: Passing) -> BoxStream<'static, Event> {
    let lines = Lines { body, rest: Vec::new(), looked: 0 };
    stream::unfold(lines, |mut lines| async move {
        loop {
            let mut line: Value = serde_json::from_slice(&lines.next().await?).ok()?;
            let object = line.get_mut("object").map(Value::take).unwrap_or_default();
            let event = match text(&line, "/type") {
                "ADDED" => Event::Added(object),
                "MODIFIED" => Event::Modified(object),
                "DELETED" => Event::Deleted(object),
                "BOOKMARK" => continue,
                _ => return None,
            };
            return Some((event, lines));
        }
    })
    .boxed()
}

struct Lines {
    body: Passing,
    rest: Vec<u8>,
    /// How much of the rest holds no end of a line.
    looked: usize,
}

impl Lines {
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.rest[self.looked..].iter().position(|byte| *byte == b'\n') {
                let line = self.rest.drain(..=self.looked + end).collect();
                self.looked = 0;
                return Some(line);
            }
            self.looked = self.rest.len();
            if self.looked > EVENT_BYTES_MAX {
                return None;
            }
            let frame = tokio::time::timeout(SILENCE_MAX, self.body.frame()).await.ok()??.ok()?;
            if let Ok(data) = frame.into_data() {
                self.rest.extend_from_slice(&data);
            }
        }
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_say_what_they_are() {
        let mut list =
            json!({"kind": "CrateList", "apiVersion": "g/v1", "items": [{"metadata": {"name": "a"}}, {"kind": "Box"}]});
        assert_eq!(
            items(&mut list),
            [
                json!({"apiVersion": "g/v1", "kind": "Crate", "metadata": {"name": "a"}}),
                json!({"apiVersion": "g/v1", "kind": "Box"}),
            ]
        );
        assert!(items(&mut json!({"kind": "Status"})).is_empty());
    }

    #[test]
    fn a_failure_is_told_as_the_server_tells_it() {
        let answer = |code: u16, body: &str| {
            let mut answer = Response::new(Bytes::from(body.to_owned()));
            *answer.status_mut() = StatusCode::from_u16(code).expect("a code");
            judge(answer)
        };
        assert_eq!(answer(200, r#"{"a":1}"#).ok(), Some(json!({"a": 1})));
        let gone = answer(404, r#"{"kind":"Status","apiVersion":"v1","reason":"NotFound","message":"crates \"a\" not found"}"#);
        assert_eq!(gone.err().map(|status| (status.code, status.message)), Some((404, "crates \"a\" not found".to_owned())));
        assert_eq!(answer(502, "<html>").err().map(|status| status.code), Some(502));
    }

    #[test]
    fn what_must_hold_for_a_delete_is_sent() {
        assert_eq!(deletion(&DeleteOptions::default()), json!({"kind": "DeleteOptions", "apiVersion": "v1"}));
        let options = DeleteOptions {
            uid: Some("u".to_owned()),
            grace_period_seconds: Some(0),
            propagation: Propagation::Foreground,
            ..DeleteOptions::default()
        };
        let sent = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "u"}, "gracePeriodSeconds": 0, "propagationPolicy": "Foreground"});
        assert_eq!(deletion(&options), sent);
    }
}
