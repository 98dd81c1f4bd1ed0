//! The plugin over a world in memory, and the checks over upstream's pods, told of as upstream's own evaluator tells of them.

use std::collections::BTreeMap;

use model::json::json;
use model::{GroupVersionKind, RequestInfo, User};

use super::namespace::JUDGING_MAX;
use super::*;
use crate::builtin::world::{Fake, gvr};
use crate::upstream;

/// Every pod of upstream's, by both standards, in the version for which it was made: the same words.
#[test]
fn upstreams_pods_are_told_of_in_upstreams_words() {
    let mut pods = BTreeMap::new();
    let mut judged = 0;
    let mut wrong = Vec::new();
    for line in upstream::run(&["run", "./podsecurity"]).lines() {
        let [file, level, version, reasons, details] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let pod = pods.entry(file.to_owned()).or_insert_with(|| read(file));
        let faults = checks::faults(Standard::of(level, version), &Pod::of(pod));
        judged += 1;
        let (ours, theirs) = ((checks::reasons(&faults), checks::details(&faults)), (reasons.to_owned(), details.to_owned()));
        if ours != theirs {
            wrong.push(format!("{file} by {level}:{version}\n  ours {ours:?}\n  upstream {theirs:?}"));
        }
        let passes = file.contains("/pass/");
        if file.contains(&format!("/testdata/{level}/")) && passes != faults.is_empty() {
            wrong.push(format!("{file} by {level}:{version}: {}", checks::details(&faults)));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(10)].join("\n"));
    assert_eq!((pods.len(), judged), (4537, 2 * 4537));
}

/// A pod of upstream's, with what the API fills in before anybody judges: a volume of no kind is an emptyDir.
fn read(file: &str) -> Value {
    let text = std::fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut pod = codec::yaml::parse(&text).unwrap().value;
    for volume in pod["spec"].get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        if volume.as_object().is_some_and(|volume| volume.len() == 1) {
            volume["emptyDir"] = json!({});
        }
    }
    pod
}

struct Ask<'a> {
    operation: Operation,
    resource: &'a str,
    subresource: &'a str,
    old: Option<&'a Value>,
}

const CREATE: Ask<'static> = Ask { operation: Operation::Create, resource: "v1/pods", subresource: "", old: None };

/// What a write in the namespace `shop` is refused, and what is told besides: warnings, then annotations.
async fn ask(world: &Arc<Fake>, ask: Ask<'_>, object: &Value) -> (Option<Status>, Vec<String>) {
    let plugin = PodSecurity::new(world.clone(), Configuration::default());
    let resource = gvr(ask.resource);
    let review = Review {
        request: &RequestInfo::default(),
        user: &User::new("alice", &[]),
        operation: ask.operation,
        resource: &resource,
        kind: &GroupVersionKind::new(&resource.group, &resource.version, "Namespace"),
        subresource: ask.subresource,
        namespace: "shop",
        name: meta::name(object),
        old: ask.old,
        options: &Value::Null,
        dry_run: false,
        uid: "",
        now: jiff::Timestamp::UNIX_EPOCH,
        deadline: None,
    };
    let mut notes = Notes::default();
    let mut refused = None;
    if plugin.handles(ask.operation, &resource, ask.subresource) {
        refused = plugin.validate(&review, Some(object), &mut notes).await.err();
    }
    let warnings = notes.warnings.into_iter().map(|warning| format!("Warning: {warning}"));
    let annotations = notes.annotations.into_iter().map(|(key, value)| format!("{}={value}", key.trim_start_matches(PREFIX)));
    (refused, warnings.chain(annotations).collect())
}

fn world(labels: &[(&str, &str)]) -> Arc<Fake> {
    let world = Fake::new(&[]);
    world.seed("v1/namespaces", namespace(labels));
    Arc::new(world)
}

fn namespace(labels: &[(&str, &str)]) -> Value {
    let labels = labels.iter().map(|(mode, value)| (format!("{PREFIX}{mode}"), Value::from(*value)));
    json!({"metadata": {"name": "shop", "labels": model::Map::from_iter(labels)}})
}

fn pod(name: &str, host_network: bool) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"hostNetwork": host_network, "containers": [{"name": "c", "image": "i"}]}})
}

const DETAILS: &str = "host namespaces (hostNetwork=true)";

#[tokio::test]
async fn a_pod_that_breaks_what_is_enforced_is_refused() {
    let world = world(&[("enforce", "baseline"), ("audit", "baseline"), ("audit-version", "v1.20")]);
    let (refused, told) = ask(&world, CREATE, &pod("web", true)).await;
    let refused = refused.unwrap();
    assert_eq!(refused.message, format!("pods \"web\" is forbidden: violates PodSecurity \"baseline:latest\": {DETAILS}"));
    assert_eq!((refused.code, &*refused.reason), (403, "Forbidden"));
    let audited = format!("audit-violations=would violate PodSecurity \"baseline:v1.20\": {DETAILS}");
    assert_eq!(told, ["enforce-policy=baseline:latest".to_owned(), audited], "and is not warned besides");
    assert_eq!(ask(&world, CREATE, &pod("web", false)).await, (None, vec!["enforce-policy=baseline:latest".to_owned()]));
}

#[tokio::test]
async fn what_is_only_audited_or_warned_of_gets_in() {
    let world = world(&[("warn", "baseline"), ("audit", "bad")]);
    let (refused, told) = ask(&world, CREATE, &pod("web", true)).await;
    assert_eq!(refused, None);
    let why = "metadata.labels[pod-security.kubernetes.io/audit]: Invalid value: \"bad\": must be one of privileged, baseline, restricted";
    let expected = [
        format!("Warning: would violate PodSecurity \"baseline:latest\": {DETAILS}"),
        format!("error=Failed to parse policy: {why}"),
        "enforce-policy=privileged:latest".to_owned(),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_makes_pods_is_told_and_never_refused() {
    let world = world(&[("enforce", "baseline")]);
    let pod = pod("web", true);
    let warning = format!("Warning: would violate PodSecurity \"baseline:latest\": {DETAILS}");
    for (resource, object) in [
        ("apps/v1/deployments", json!({"spec": {"template": pod}})),
        ("batch/v1/cronjobs", json!({"spec": {"jobTemplate": {"spec": {"template": pod}}}})),
        ("v1/podtemplates", json!({"template": pod})),
    ] {
        let (refused, told) = ask(&world, Ask { resource, ..CREATE }, &object).await;
        assert_eq!((refused, told), (None, vec![warning.clone()]), "{resource}");
    }
    let none = ask(&world, Ask { resource: "v1/replicationcontrollers", ..CREATE }, &json!({"spec": {"template": null}})).await;
    assert_eq!(none, (None, vec![]));
    let scale = Ask { resource: "apps/v1/deployments", subresource: "scale", ..CREATE };
    assert_eq!(ask(&world, scale, &json!({"spec": {}})).await, (None, vec![]));
}

#[tokio::test]
async fn updates_that_change_nothing_that_is_judged_pass() {
    let world = world(&[("enforce", "baseline")]);
    let old = pod("web", true);
    let update = |subresource| Ask { operation: Operation::Update, subresource, old: Some(&old), ..CREATE };
    let mut new = old.clone();
    new["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(ask(&world, update(""), &new).await, (None, vec![]));
    let mut other_image = new.clone();
    other_image["spec"]["containers"][0]["image"] = "j".into();
    assert!(ask(&world, update(""), &other_image).await.0.is_some());
    new["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": "d"}]);
    assert!(ask(&world, update("ephemeralcontainers"), &new).await.0.is_some());
    assert_eq!(ask(&world, update("status"), &new).await, (None, vec![]));
}

#[tokio::test]
async fn stricter_labels_tell_of_the_pods_that_break_them() {
    let world = world(&[]);
    for (name, owner) in [("b", Some("set")), ("a", Some("set")), ("lone", None)] {
        let mut object = pod(name, true);
        if let Some(uid) = owner {
            object["metadata"]["ownerReferences"] = json!([{"uid": uid, "controller": true}]);
        } else {
            object["spec"]["hostPID"] = true.into();
            object["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
        }
        world.seed("v1/pods", object);
    }
    world.seed("v1/pods", pod("good", false));
    let (old, same) = (namespace(&[]), namespace(&[("warn", "baseline")]));
    let update = || Ask { operation: Operation::Update, resource: "v1/namespaces", old: Some(&old), ..CREATE };
    assert_eq!(ask(&world, update(), &same).await, (None, vec![]));
    let (refused, told) = ask(&world, update(), &namespace(&[("enforce", "baseline"), ("enforce-version", "v1.25")])).await;
    assert_eq!(refused, None);
    assert_eq!(
        told,
        [
            "Warning: existing pods in namespace \"shop\" violate the new PodSecurity enforce level \"baseline:v1.25\"",
            "Warning: a (and 1 other pod): host namespaces",
            "Warning: lone: host namespaces, privileged",
        ]
    );
}

#[tokio::test]
async fn namespaces_need_labels_that_can_be_understood() {
    let world = world(&[]);
    let bad = namespace(&[("enforce", "odd")]);
    let create = Ask { resource: "v1/namespaces", ..CREATE };
    let refused = ask(&world, create, &bad).await.0.unwrap();
    let why = "metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"odd\": must be one of privileged, baseline, restricted";
    assert_eq!((refused.code, refused.message), (422, format!("Namespace \"shop\" is invalid: {why}")));
    let update = |old| Ask { operation: Operation::Update, resource: "v1/namespaces", old, ..CREATE };
    assert_eq!(ask(&world, update(Some(&bad)), &bad).await.0, None, "what an older server let in may stay");
    assert!(ask(&world, update(Some(&namespace(&[]))), &bad).await.0.is_some());
}

#[test]
fn no_more_pods_are_judged_than_the_limit() {
    let pods: Vec<Value> = (0..3001).map(|n| pod(&format!("p{n:04}"), n == 2999)).collect();
    let told = super::namespace::warnings("shop", Standard::of("baseline", "latest"), Ok(pods), JUDGING_MAX);
    // A slow machine judges fewer.
    assert!(told[0].starts_with("new PodSecurity enforce level only checked against the first "), "{told:?}");
    assert!(told[0].ends_with(" of 3001 existing pods"), "{told:?}");
    let failed = super::namespace::warnings("shop", Standard::of("baseline", "latest"), Err(Status::internal("x")), JUDGING_MAX);
    assert_eq!(failed, ["failed to list pods while checking new PodSecurity enforce level"]);
}
