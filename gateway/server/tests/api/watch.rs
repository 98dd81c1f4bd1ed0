//! Watches: what they begin with, what they report, how they end.

use std::time::Duration;

use crate::common::{Server, Setup, server, server_with};
use http_body_util::BodyExt;
use model::json::{Value, json};
use server::body::Body;
use server::lifecycle::Stage;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
/// Long enough for any machine; a watch that works never waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

struct Frames {
    body: Body,
    ready: Vec<Value>,
}

impl Frames {
    async fn open(server: &Server, path: &str, headers: &[(&str, &str)]) -> Self {
        let response = server.open("GET", path, headers, "").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        Self { body: response.into_body(), ready: Vec::new() }
    }

    /// The next event: its type and object; nothing at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        while self.ready.is_empty() {
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("an event in time")?;
            let bytes = frame.expect("the stream goes on").into_data().expect("data");
            self.ready = bytes
                .split(|b| *b == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| serde_json::from_slice(line).unwrap())
                .collect();
        }
        let mut event = self.ready.remove(0);
        Some((event["type"].as_str().unwrap().to_owned(), event["object"].take()))
    }

    async fn expect(&mut self, kind: &str, name: &str) -> Value {
        let (found, object) = self.next().await.expect("an event");
        assert_eq!((found.as_str(), object["metadata"]["name"].as_str()), (kind, Some(name)), "{object}");
        object
    }
}

fn map(name: &str, label: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"x": label}}})
}

#[tokio::test]
async fn from_nowhere_it_begins_with_what_is_there() {
    let server = server();
    server.post(MAPS, map("a", "1")).await.ok(201);
    let mut frames = Frames::open(&server, &format!("{MAPS}?watch=1"), &[]).await;
    let object = frames.expect("ADDED", "a").await;
    assert_eq!((&object["kind"], &object["apiVersion"]), (&json!("ConfigMap"), &json!("v1")));
    server.post(MAPS, map("b", "1")).await.ok(201);
    frames.expect("ADDED", "b").await;
    server.patch(&format!("{MAPS}/b"), "merge-patch+json", json!({"data": {"k": "v"}})).await.ok(200);
    assert_eq!(frames.expect("MODIFIED", "b").await["data"], json!({"k": "v"}));
    let before = server.get(&format!("{MAPS}/b")).await.json();
    server.delete(&format!("{MAPS}/b")).await.ok(200);
    let last = frames.expect("DELETED", "b").await;
    assert_eq!(last["data"], before["data"]);
    assert_ne!(last["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"], "the event has the delete's revision");
}

#[tokio::test]
async fn from_a_revision_it_goes_on() {
    let server = server();
    server.post(MAPS, map("a", "1")).await.ok(201);
    let revision = server.get(MAPS).await.json()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    server.post(MAPS, map("b", "1")).await.ok(201);
    let mut frames = Frames::open(&server, &format!("{MAPS}?watch=true&resourceVersion={revision}"), &[]).await;
    frames.expect("ADDED", "b").await;
}

#[tokio::test]
async fn a_selector_sees_objects_come_and_go() {
    let server = server();
    let mut frames = Frames::open(&server, &format!("{MAPS}?watch=1&labelSelector=x%3D1"), &[]).await;
    server.post(MAPS, map("a", "2")).await.ok(201);
    server.patch(&format!("{MAPS}/a"), "merge-patch+json", json!({"metadata": {"labels": {"x": "1"}}})).await.ok(200);
    frames.expect("ADDED", "a").await;
    server.patch(&format!("{MAPS}/a"), "merge-patch+json", json!({"metadata": {"labels": {"x": "3"}}})).await.ok(200);
    let gone = frames.expect("DELETED", "a").await;
    assert_eq!(gone["metadata"]["labels"], json!({"x": "1"}), "the state that was last seen");
}

#[tokio::test]
async fn the_present_ends_with_a_bookmark() {
    let server = server();
    server.post(MAPS, map("a", "1")).await.ok(201);
    let path = format!("{MAPS}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan");
    let mut frames = Frames::open(&server, &path, &[]).await;
    frames.expect("ADDED", "a").await;
    let (kind, object) = frames.next().await.unwrap();
    assert_eq!(kind, "BOOKMARK");
    assert_eq!(object["metadata"]["annotations"], json!({"k8s.io/initial-events-end": "true"}));
    assert_eq!(object["metadata"]["resourceVersion"], server.get(MAPS).await.json()["metadata"]["resourceVersion"]);
    assert_eq!((&object["kind"], &object["apiVersion"]), (&json!("ConfigMap"), &json!("v1")));
}

#[tokio::test]
async fn it_begins_as_its_options_say() {
    let ways = [
        "",
        "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
        "&sendInitialEvents=false&resourceVersionMatch=NotOlderThan",
    ];
    for bookmarks in ["", "&allowWatchBookmarks=true"] {
        for way in ways {
            for from in ["nowhere", "0", "before", "now"] {
                begins(bookmarks, way, from).await;
            }
        }
    }
}

async fn begins(bookmarks: &str, way: &str, from: &str) {
    let server = server();
    let revision = async || server.get(MAPS).await.json()["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    let before = revision().await;
    for name in ["a", "b"] {
        server.post(MAPS, map(name, "1")).await.ok(201);
    }
    // The revisions are those of all namespaces.
    server.post("/api/v1/namespaces/other/configmaps", map("other", "1")).await.ok(201);
    let now = revision().await;
    let version = match from {
        "nowhere" => String::new(),
        "0" => "&resourceVersion=0".to_owned(),
        "before" => format!("&resourceVersion={before}"),
        _ => format!("&resourceVersion={now}"),
    };
    let path = format!("{MAPS}?watch=1{bookmarks}{way}{version}");
    let mut frames = Frames::open(&server, &path, &[]).await;
    // Who names no revision and does not say what he wants wants what is there.
    let wanted = way.contains("=true") || (way.is_empty() && ["nowhere", "0"].contains(&from));
    // What happened since a revision comes in any case.
    if wanted || from == "before" {
        frames.expect("ADDED", "a").await;
        frames.expect("ADDED", "b").await;
    }
    if wanted && !bookmarks.is_empty() {
        let (kind, object) = frames.next().await.unwrap();
        assert_eq!((kind.as_str(), object["metadata"]["resourceVersion"].as_str()), ("BOOKMARK", Some(now.as_str())), "{path}");
    }
    server.post(MAPS, map("c", "1")).await.ok(201);
    frames.expect("ADDED", "c").await;
}

#[tokio::test]
async fn it_ends_when_its_time_is_up_and_says_how_far_it_is() {
    let server = server();
    let revision = server.get(MAPS).await.json()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    server.post("/api/v1/namespaces/default/secrets", json!({"metadata": {"name": "s"}})).await.ok(201);
    let path = format!("{MAPS}?watch=1&resourceVersion={revision}&timeoutSeconds=3&allowWatchBookmarks=true");
    let mut frames = Frames::open(&server, &path, &[]).await;
    let (kind, object) = frames.next().await.unwrap();
    assert_eq!(kind, "BOOKMARK");
    assert!(object["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap() > revision.parse().unwrap());
    assert!(frames.next().await.is_none());
}

#[tokio::test]
async fn it_ends_when_the_server_drains() {
    let server = server();
    let mut frames = Frames::open(&server, &format!("{MAPS}?watch=1"), &[]).await;
    server.0.lifecycle.advance(Stage::Draining);
    assert!(frames.next().await.is_none());
}

#[tokio::test]
async fn a_revision_of_the_future_is_an_error_event() {
    let server = server();
    let path = format!("{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=1000000");
    let mut frames = Frames::open(&server, &path, &[]).await;
    let (kind, object) = frames.next().await.unwrap();
    assert_eq!((kind.as_str(), &object["kind"], &object["code"]), ("ERROR", &json!("Status"), &json!(504)));
    assert!(frames.next().await.is_none());
}

#[tokio::test]
async fn tables_have_their_columns_once() {
    let server = server();
    server.post(MAPS, map("a", "1")).await.ok(201);
    server.post(MAPS, map("b", "1")).await.ok(201);
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    let mut frames = Frames::open(&server, &format!("{MAPS}?watch=1"), &accept).await;
    let (_, first) = frames.next().await.unwrap();
    let (_, second) = frames.next().await.unwrap();
    assert!(first["columnDefinitions"].is_array() && second["columnDefinitions"].is_null());
    assert_eq!((&first["rows"][0]["cells"][0], &second["rows"][0]["cells"][0]), (&json!("a"), &json!("b")));
}

#[tokio::test]
async fn another_version_is_watched_in_its_own_words() {
    let server = server();
    let path = "/apis/events.k8s.io/v1/namespaces/default/events?watch=1";
    let mut frames = Frames::open(&server, path, &[]).await;
    let event = json!({"metadata": {"name": "e", "namespace": "default"}, "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "message": "m", "reason": "R", "type": "Normal"});
    server.post("/api/v1/namespaces/default/events", event).await.ok(201);
    let object = frames.expect("ADDED", "e").await;
    assert_eq!((&object["apiVersion"], &object["note"], object.get("message")), (&json!("events.k8s.io/v1"), &json!("m"), None));
}

#[tokio::test]
async fn refused_before_it_begins() {
    let server = server();
    let refused = server.get(&format!("{MAPS}?watch=1&sendInitialEvents=true")).await.ok(422);
    assert!(
        refused.message().contains("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        "{}",
        refused.message()
    );
    server.send("GET", &format!("{MAPS}?watch=1"), &[("accept", "application/yaml")], "").await.ok(406);
}

#[tokio::test]
async fn a_revision_that_is_forgotten_is_an_error_event() {
    let limits = store::Limits { log_events_max: 2, ..store::Limits::default() };
    let server = server_with(Setup { store: limits, ..Setup::default() });
    for name in ["a", "b", "c", "d", "e"] {
        server.post(MAPS, map(name, "1")).await.ok(201);
    }
    let mut frames = Frames::open(&server, &format!("{MAPS}?watch=1&resourceVersion=2"), &[]).await;
    let (kind, object) = frames.next().await.unwrap();
    assert_eq!((kind.as_str(), &object["reason"], &object["code"]), ("ERROR", &json!("Expired"), &json!(410)));
    assert!(object["message"].as_str().unwrap().starts_with("too old resource version: 2 ("), "{object}");
    assert!(frames.next().await.is_none());
}
