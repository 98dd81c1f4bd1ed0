//! Admission on the way of a write: order, retries, refusals, panics; and what the audit log keeps of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use admission::{Notes, Operation, Plugin, Review};
use futures::FutureExt;
use model::json::{Value as Json, json};
use model::{GroupVersionResource, Status, User, Value, World, meta};
use server::world::{LocalWorld, Slot};

use crate::common::{Setup, audit_log, events, server_with};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A plugin made of two functions.
struct Probe {
    mutate: fn(&mut Value),
    seen: Arc<Mutex<Vec<String>>>,
    /// Changes the object once behind the back of the write under review.
    meddle: Option<(Slot, Mutex<bool>)>,
}

#[async_trait::async_trait]
impl Plugin for Probe {
    fn name(&self) -> &'static str {
        "Probe"
    }

    fn handles(&self, _: Operation, resource: &GroupVersionResource, _: &str) -> bool {
        &*resource.resource == "configmaps"
    }

    async fn mutate(&self, _: &Review<'_>, object: &mut Value, notes: &mut Notes) -> Result<(), Status> {
        let mut made = object.clone();
        (self.mutate)(&mut made);
        notes.replace(object, made);
        notes.warn("changed by Probe");
        Ok(())
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, notes: &mut Notes) -> Result<(), Status> {
        let data = object.map(|object| object["data"].to_string()).unwrap_or_default();
        self.seen.lock().unwrap().push(format!("{} {} {data}", review.operation.as_str(), review.name));
        notes.annotate("probe/seen", data);
        if review.operation == Operation::Delete {
            notes.warn("deleted under Probe");
        }
        if object.is_some_and(|object| object["data"]["refuse"] == "yes") {
            return Err(Status::forbidden(&model::GroupResource::new("", "configmaps"), review.name, "Probe says no"));
        }
        if let Some((slot, done)) = &self.meddle
            && review.operation == Operation::Update
            && !std::mem::replace(&mut *done.lock().unwrap(), true)
        {
            let world = LocalWorld::of_slot(slot.clone(), User::loopback());
            let maps = GroupVersionResource::new("", "v1", "configmaps");
            world.merge_patch(&maps, "", review.namespace, review.name, json!({"data": {"other": "1"}})).await?;
        }
        Ok(())
    }
}

fn probe(mutate: fn(&mut Value)) -> (Probe, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    (Probe { mutate, seen: seen.clone(), meddle: None }, seen)
}

#[tokio::test]
async fn validation_sees_what_is_stored() {
    let (plugin, seen) = probe(|object| object["data"]["by"] = "Probe".into());
    let server = server_with(Setup { plugins: vec![Box::new(plugin)], ..Setup::default() });
    let made = server.post(MAPS, json!({"metadata": {"generateName": "a-"}, "data": {"k": "v"}})).await.ok(201);
    assert_eq!(made.warnings(), ["299 - \"changed by Probe\""]);
    let object = made.json();
    assert_eq!(object["data"], json!({"by": "Probe", "k": "v"}));
    let name = meta::name(&object);
    assert_eq!(*seen.lock().unwrap(), [format!("CREATE {name} {{\"by\":\"Probe\",\"k\":\"v\"}}")], "the name is made by then");
    server.delete(&format!("{MAPS}/{name}")).await.ok(200);
    assert_eq!(seen.lock().unwrap()[1], format!("DELETE {name} "));
}

#[tokio::test]
async fn a_refusal_is_the_answer_and_stores_nothing() {
    let (plugin, _) = probe(|_| {});
    let server = server_with(Setup { plugins: vec![Box::new(plugin)], ..Setup::default() });
    let refused = server.post(MAPS, json!({"metadata": {"name": "a"}, "data": {"refuse": "yes"}})).await.ok(403);
    assert_eq!(refused.message(), "configmaps \"a\" is forbidden: Probe says no");
    server.get(&format!("{MAPS}/a")).await.ok(404);
}

#[tokio::test]
async fn validation_runs_again_when_somebody_was_faster() {
    let slot = Slot::default();
    let (mut plugin, seen) = probe(|_| {});
    plugin.meddle = Some((slot.clone(), Mutex::new(false)));
    let server = server_with(Setup { plugins: vec![Box::new(plugin)], ..Setup::default() });
    slot.fill(&server.0);
    server.post(MAPS, json!({"metadata": {"name": "a"}})).await.ok(201);
    let patched = server.patch(&format!("{MAPS}/a"), "merge-patch+json", json!({"data": {"mine": "1"}})).await.ok(200).json();
    assert_eq!(patched["data"], json!({"mine": "1", "other": "1"}), "neither write is lost");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.last().unwrap(), "UPDATE a {\"mine\":\"1\",\"other\":\"1\"}");
    assert_eq!(seen.len(), 4, "create, the write, the one in between, the write again: {seen:?}");
}

/// Takes the name that was generated for a write under review, once, and counts mutations.
struct Rival {
    slot: Slot,
    taken: Mutex<bool>,
    mutated: Arc<AtomicUsize>,
}

#[async_trait::async_trait]
impl Plugin for Rival {
    fn name(&self) -> &'static str {
        "Rival"
    }

    fn handles(&self, _: Operation, resource: &GroupVersionResource, _: &str) -> bool {
        &*resource.resource == "configmaps"
    }

    async fn mutate(&self, _: &Review<'_>, _: &mut Value, _: &mut Notes) -> Result<(), Status> {
        self.mutated.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn validate(&self, review: &Review<'_>, _: Option<&Value>, _: &mut Notes) -> Result<(), Status> {
        if !std::mem::replace(&mut *self.taken.lock().unwrap(), true) {
            let world = LocalWorld::of_slot(self.slot.clone(), User::loopback());
            let maps = GroupVersionResource::new("", "v1", "configmaps");
            world.create(&maps, review.namespace, json!({"metadata": {"name": review.name, "labels": {"rival": "1"}}})).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn another_name_is_tried_with_what_mutation_made() {
    let (slot, mutated) = (Slot::default(), Arc::new(AtomicUsize::new(0)));
    let rival = Rival { slot: slot.clone(), taken: Mutex::new(false), mutated: mutated.clone() };
    let server = server_with(Setup { plugins: vec![Box::new(rival)], ..Setup::default() });
    slot.fill(&server.0);
    let made = server.post(MAPS, json!({"metadata": {"generateName": "a-"}})).await.ok(201).json();
    assert!(made["metadata"]["labels"].is_null(), "{made}");
    assert_eq!(server.get(MAPS).await.ok(200).json()["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(mutated.load(Ordering::Relaxed), 2, "once for each of the two");
}

/// Deletes what is under review behind its back, once it is told to; and counts the deletes that begin and those that end, of
/// which it refuses one.
#[derive(Clone, Default)]
struct Remover {
    slot: Slot,
    armed: Arc<AtomicBool>,
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

#[async_trait::async_trait]
impl Plugin for Remover {
    fn name(&self) -> &'static str {
        "Remover"
    }

    fn handles(&self, _: Operation, resource: &GroupVersionResource, _: &str) -> bool {
        &*resource.resource == "configmaps"
    }

    async fn validate(&self, review: &Review<'_>, _: Option<&Value>, _: &mut Notes) -> Result<(), Status> {
        if review.operation == Operation::Delete {
            self.begun.fetch_add(1, Ordering::Relaxed);
            let is_guarded = review.old.is_some_and(|old| meta::name(old) == "guarded");
            if !is_guarded {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            self.ended.fetch_add(1, Ordering::Relaxed);
            let why = "it is guarded";
            let refused = || Status::forbidden(&review.resource.group_resource(), review.name, why);
            return if is_guarded { Err(refused()) } else { Ok(()) };
        }
        if review.operation == Operation::Update && self.armed.swap(false, Ordering::Relaxed) {
            let world = LocalWorld::of_slot(self.slot.clone(), User::loopback());
            let maps = GroupVersionResource::new("", "v1", "configmaps");
            world.delete(&maps, review.namespace, review.name, Default::default()).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn who_may_not_create_does_not_when_the_object_goes_meanwhile() {
    let remover = Remover::default();
    let server = server_with(Setup { plugins: vec![Box::new(remover.clone())], ..Setup::default() });
    remover.slot.fill(&server.0);
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]}]);
    const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    server.post(&format!("{RBAC}/roles"), json!({"metadata": {"name": "patcher"}, "rules": rules})).await.ok(201);
    let binding = json!({
        "metadata": {"name": "patcher"}, "subjects": [{"kind": "User", "name": "nobody", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "Role", "name": "patcher", "apiGroup": "rbac.authorization.k8s.io"}
    });
    server.post(&format!("{RBAC}/rolebindings"), binding).await.ok(201);
    server.post(MAPS, json!({"metadata": {"name": "a"}})).await.ok(201);
    remover.armed.store(true, Ordering::Relaxed);
    let apply = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}).to_string();
    let as_nobody = [("authorization", "Bearer weak"), ("content-type", "application/apply-patch+yaml")];
    let path = format!("{MAPS}/a?fieldManager=m");
    for when in ["it goes meanwhile", "it is gone"] {
        let refused = server.send("PATCH", &path, &as_nobody, apply.clone()).await.ok(403);
        let said = refused.message();
        assert!(said.contains("User \"nobody\" cannot create resource \"configmaps\""), "{when}: {said}");
    }
    server.get(&format!("{MAPS}/a")).await.ok(404);
}

#[tokio::test]
async fn deletes_of_many_that_began_come_to_their_end() {
    let remover = Remover::default();
    let server = server_with(Setup { plugins: vec![Box::new(remover.clone())], ..Setup::default() });
    for name in ["a", "b", "guarded", "z"] {
        server.post(MAPS, json!({"metadata": {"name": name}})).await.ok(201);
    }
    assert!(server.delete(MAPS).await.ok(403).message().ends_with("it is guarded"));
    let [begun, ended] = [&remover.begun, &remover.ended].map(|count| count.load(Ordering::Relaxed));
    assert_eq!((begun, ended), (4, 4));
    let left = server.get(MAPS).await.ok(200).json();
    assert_eq!(left["items"].as_array().map(Vec::len), Some(1), "{left}");
}

/// Refuses what has owners of fields as a store does that it is too large for, and every review.
struct Strict;

#[async_trait::async_trait]
impl Plugin for Strict {
    fn name(&self) -> &'static str {
        "Strict"
    }

    fn handles(&self, _: Operation, _: &GroupVersionResource, _: &str) -> bool {
        true
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _: &mut Notes) -> Result<(), Status> {
        if review.resource.resource.ends_with("reviews") {
            let operation = review.operation.as_str();
            return Err(Status::forbidden(&review.resource.group_resource(), "", format!("{operation} by {}", review.user.name)));
        }
        match object.is_some_and(|object| object["metadata"].get("managedFields").is_some()) {
            true => Err(Status::too_large(store::OBJECT_TOO_LARGE)),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn what_is_too_large_is_stored_without_owners_of_its_fields() {
    let server = server_with(Setup { plugins: vec![Box::new(Strict)], ..Setup::default() });
    let made = server.post(MAPS, json!({"metadata": {"name": "a"}, "data": {"k": "v"}})).await.ok(201).json();
    assert!(made["metadata"]["managedFields"].is_null(), "{made}");
    let path = format!("{MAPS}/a");
    let patched = server.patch(&path, "merge-patch+json", json!({"data": {"k": "w"}})).await.ok(200).json();
    assert_eq!((patched["data"]["k"].as_str(), patched["metadata"]["managedFields"].is_null()), (Some("w"), true));
    let apply = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    server.patch(&format!("{path}?fieldManager=m&force=true"), "apply-patch+yaml", apply).await.ok(413);
}

#[tokio::test]
async fn reviews_come_before_admission_once_they_are_sound() {
    let server = server_with(Setup { plugins: vec![Box::new(Strict)], ..Setup::default() });
    let access = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    server.post(access, json!({"spec": {}})).await.ok(422);
    let refused = server.post(access, json!({"spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}}})).await.ok(403);
    assert_eq!(refused.message(), "selfsubjectaccessreviews.authorization.k8s.io is forbidden: CREATE by admin");
    for (path, review) in [
        ("authentication.k8s.io/v1/selfsubjectreviews", json!({})),
        ("authentication.k8s.io/v1/tokenreviews", json!({"spec": {"token": "secret"}})),
        ("authorization.k8s.io/v1/selfsubjectrulesreviews", json!({"spec": {"namespace": "default"}})),
    ] {
        server.post(&format!("/apis/{path}"), review).await.ok(403);
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_and_hurts_nobody_else() {
    let (plugin, _) = probe(|object| assert!(object["data"]["panic"].is_null(), "asked to"));
    let server = server_with(Setup { plugins: vec![Box::new(plugin)], ..Setup::default() });
    let answer = server.post(MAPS, json!({"metadata": {"name": "a"}, "data": {"panic": "now"}})).await.ok(500);
    assert_eq!(answer.text(), "This request caused apiserver to panic. Look in the logs for details.\n");
    assert_eq!(
        (&answer.headers["content-type"], answer.headers.contains_key("audit-id")),
        (&"text/plain; charset=utf-8".parse().unwrap(), true)
    );
    server.post(MAPS, json!({"metadata": {"name": "b"}})).await.ok(201);
}

/// A server that records everything, and where.
struct Audited {
    server: crate::common::Server,
    folder: tempfile::TempDir,
}

impl Audited {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = audit_log(folder.path());
        let (plugin, _) = probe(|_| {});
        let server = server_with(Setup { plugins: vec![Box::new(plugin)], audit: Some(log), ..Setup::default() });
        Self { server, folder }
    }

    /// How requests of a verb ended, once one has.
    async fn ended(&self, verb: &str) -> Json {
        loop {
            let lines = events(&self.server, self.folder.path()).await;
            match lines.into_iter().find(|line| line["verb"] == *verb && line["stage"] == "ResponseComplete") {
                Some(line) => return line,
                None => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
            }
        }
    }
}

#[tokio::test]
async fn the_audit_log_keeps_what_was_said() {
    let audited = Audited::new();
    let made = audited.server.post(MAPS, json!({"metadata": {"name": "a"}, "data": {"k": "v"}})).await.ok(201);
    audited.server.get(&format!("{MAPS}/none")).await.ok(404);
    let create = audited.ended("create").await;
    assert_eq!(create["auditID"].as_str(), made.headers["audit-id"].to_str().ok());
    assert_eq!((&create["responseStatus"]["code"], &create["requestObject"]["data"]), (&json!(201), &json!({"k": "v"})));
    assert_eq!(create["responseObject"]["metadata"]["name"], "a");
    assert_eq!(create["annotations"]["probe/seen"], "{\"k\":\"v\"}");
    assert_eq!(create["annotations"]["authorization.k8s.io/decision"], "allow");
    let missed = audited.ended("get").await;
    assert_eq!((&missed["responseStatus"]["code"], &missed["responseStatus"]["reason"]), (&json!(404), &json!("NotFound")));
}

#[tokio::test]
async fn what_is_said_of_one_of_many_is_said() {
    let audited = Audited::new();
    for name in ["a", "b"] {
        audited.server.post(MAPS, json!({"metadata": {"name": name}})).await.ok(201);
    }
    let deleted = audited.server.delete(MAPS).await.ok(200);
    assert_eq!(deleted.warnings(), ["299 - \"deleted under Probe\""]);
    assert_eq!(audited.ended("deletecollection").await["annotations"]["probe/seen"], "");
}

#[tokio::test]
async fn the_audit_log_knows_the_end_of_what_nobody_waits_for() {
    let audited = Audited::new();
    let refused = json!({"metadata": {"name": "a"}, "data": {"refuse": "yes"}});
    assert!(audited.server.post(MAPS, refused).now_or_never().is_none(), "its client is gone before there is an answer");
    let create = audited.ended("create").await;
    assert_eq!((&create["responseStatus"]["code"], &create["responseStatus"]["reason"]), (&json!(403), &json!("Forbidden")));
    assert_eq!(create["annotations"]["probe/seen"], "{\"refuse\":\"yes\"}");

    audited.server.get(&format!("{MAPS}?resourceVersion=99999&timeout=1ms")).await.ok(504);
    assert_eq!(audited.ended("list").await["responseStatus"]["code"], 504);
}
