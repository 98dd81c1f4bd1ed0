//! What is stored is judged, and judged again when it or a binding changes.

use store::{Interest, Kind};

use super::*;
use crate::policy::report::{CLUSTER_REPORTS, REPORTS};

const PODS: &str = "v1/pods";

fn report(policies: &Arc<Policies>, name: &str) -> Option<Value> {
    policies.reports().shown("default", name)
}

fn words(policies: &Arc<Policies>, name: &str) -> Vec<String> {
    let results = report(policies, name).map(|report| report["results"].as_array().cloned().unwrap_or_default());
    let tell = |result: &Value| format!("{}: {}", result["policy"].as_str().unwrap(), result["result"].as_str().unwrap());
    results.unwrap_or_default().iter().map(tell).collect()
}

#[tokio::test]
async fn what_is_stored_is_judged_and_judged_again_when_something_changes() {
    let world = fake();
    world.seed(PODS, pod());
    world.seed(MODULES, module("labels", &refusing()));
    world.seed(MODULES, module("fine", &Guest::default()));
    world.seed(BINDINGS, binding("deny", "labels", json!({})));
    world.seed(BINDINGS, binding("warn", "labels", json!({"action": "Warn"})));
    let policies = loaded(&world).await;
    let following = tokio::spawn(policies.clone().follow());
    until(|| words(&policies, "pods-web") == ["deny: fail", "warn: warn"]).await;
    let told = report(&policies, "pods-web").unwrap();
    assert_eq!(told["summary"], json!({"pass": 0, "fail": 1, "warn": 1, "error": 0, "skip": 0}));
    assert_eq!((&told["scope"]["kind"], &told["scope"]["name"]), (&json!("Pod"), &json!("web")));
    assert_eq!(told["results"][0]["properties"]["field"], "metadata.labels[team]");
    assert!(policies.reports().store().resource(CLUSTER_REPORTS).snapshot().is_empty());

    let (pods, bindings) = (world::gvr(PODS), world::gvr(BINDINGS));
    let mut other = pod();
    other["metadata"]["name"] = "other".into();
    world.create(&pods, "default", other).await.unwrap();
    until(|| policies.reports().store().resource(REPORTS).snapshot().len() == 2).await;
    world.create(&bindings, "", binding("fine", "fine", json!({}))).await.unwrap();
    until(|| words(&policies, "pods-other") == ["deny: fail", "fine: pass", "warn: warn"]).await;
    world.delete(&bindings, "", "deny", Default::default()).await.unwrap();
    until(|| words(&policies, "pods-web") == ["fine: pass", "warn: warn"]).await;
    world.delete(&pods, "default", "web", Default::default()).await.unwrap();
    until(|| report(&policies, "pods-web").is_none()).await;
    following.abort();
}

#[tokio::test]
async fn what_changes_all_the_time_is_judged_for_who_names_it() {
    let world = fake();
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "started", "namespace": "default", "uid": "e"}});
    world.seed("v1/events", event);
    world.seed(PODS, pod());
    world.seed(MODULES, module("labels", &refusing()));
    let about = |name: &str, resources: Value| {
        let mut binding = binding(name, "labels", json!({}));
        binding["spec"]["matchConstraints"]["resourceRules"][0]["resources"] = resources;
        binding
    };
    world.seed(BINDINGS, about("everything", json!(["*"])));
    world.seed(BINDINGS, about("named", json!(["events", "pods"])));
    let policies = loaded(&world).await;
    let following = tokio::spawn(policies.clone().follow());
    until(|| words(&policies, "events-started") == ["named: fail"]).await;
    until(|| words(&policies, "pods-web") == ["everything: fail", "named: fail"]).await;
    following.abort();
}

#[tokio::test]
async fn what_needs_a_user_or_is_excepted_does_not_pass() {
    let world = fake();
    world.seed(PODS, pod());
    // Asks what the requester may do, and is content with anything.
    let import = r#"(import "gatehouse:policy/authorizer@1.0.0" "check" (func $check (param i32 i32)))"#;
    let asking = Guest { import, body: "(call $check (i32.const 4096) (i32.const 3200)) (i32.const 2048)", ..Guest::default() };
    world.seed(MODULES, module("asking", &asking));
    world.seed(MODULES, module("declared", &Guest { needs_user: true, ..Guest::default() }));
    world.seed(MODULES, module("labels", &refusing()));
    world.seed(BINDINGS, binding("asking", "asking", json!({"grants": ["authorizer"]})));
    world.seed(BINDINGS, binding("declared", "declared", json!({})));
    world.seed(BINDINGS, binding("team", "labels", json!({})));
    world.seed(
        EXCEPTIONS,
        json!({"metadata": {"name": "legacy"}, "spec": {"bindings": ["team"], "reason": "r",
        "expires": "2030-01-01T00:00:00Z", "scope": {"names": ["web"]}}}),
    );
    let policies = loaded(&world).await;
    let following = tokio::spawn(policies.clone().follow());
    until(|| words(&policies, "pods-web") == ["asking: skip", "declared: skip", "team: skip"]).await;
    let told = report(&policies, "pods-web").unwrap();
    let messages: Vec<&str> =
        told["results"].as_array().unwrap().iter().map(|result| result["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["needs a user", "needs a user", "excepted by legacy"]);
    following.abort();
}

#[tokio::test]
async fn an_exception_from_some_rules_holds_of_what_is_stored() {
    let world = fake();
    world.seed(PODS, pod());
    world.seed(MODULES, module("two", &Guest { violations: &[("first", "a", "x"), ("second", "b", "y")], ..Guest::default() }));
    for (name, rules) in [("all", json!(["first", "second"])), ("one", json!(["first"]))] {
        world.seed(BINDINGS, binding(name, "two", json!({})));
        let spec = json!({"bindings": [name], "rules": rules, "reason": "r", "expires": "2030-01-01T00:00:00Z",
            "scope": {"names": ["web"]}});
        world.seed(EXCEPTIONS, json!({"metadata": {"name": name}, "spec": spec}));
    }
    let policies = loaded(&world).await;
    let following = tokio::spawn(policies.clone().follow());
    until(|| words(&policies, "pods-web") == ["all: skip", "one: fail"]).await;
    let told = report(&policies, "pods-web").unwrap();
    assert_eq!((&told["results"][0]["message"], &told["results"][1]["rule"]), (&json!("excepted by all"), &json!("second")));
    following.abort();
}

#[tokio::test]
async fn where_a_candidate_is_in_force_it_judges_what_is_stored() {
    let world = fake();
    world.seed(PODS, pod());
    world.seed("v1/namespaces", json!({"metadata": {"name": "default", "labels": {"stage": "yes"}}}));
    world.seed(MODULES, module("fine", &Guest::default()));
    world.seed(MODULES, module("labels", &refusing()));
    let candidate = json!({"module": "labels", "namespaceSelector": {"matchLabels": {"stage": "yes"}}});
    world.seed(BINDINGS, binding("team", "fine", json!({"candidate": candidate})));
    let policies = loaded(&world).await;
    let following = tokio::spawn(policies.clone().follow());
    until(|| words(&policies, "pods-web") == ["team: fail"]).await;
    let told = report(&policies, "pods-web").unwrap();
    let set = policies.set();
    let candidate = set.validators[0].candidate.as_ref().unwrap();
    assert_eq!(told["results"][0]["properties"]["revision"], candidate.entry.revision());
    world.update(&world::gvr("v1/namespaces"), "", json!({"metadata": {"name": "default"}})).await.unwrap();
    until(|| words(&policies, "pods-web") == ["team: pass"]).await;
    following.abort();
}

#[tokio::test]
async fn what_a_verdict_depends_on_is_looked_at_again() {
    let world = fake();
    let namespace = |guarded: &str| json!({"metadata": {"name": "default", "labels": {"guarded": guarded}}});
    let wanted = |limit: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "wanted", "namespace": "default"}, "data": {"limit": limit}});
    world.seed("v1/namespaces", namespace("no"));
    world.seed("v1/configmaps", wanted("1"));
    world.seed(PODS, pod());
    world.seed(MODULES, module("labels", &refusing()));
    let mut guarded = binding("guarded", "labels", json!({}));
    guarded["spec"]["matchConstraints"]["namespaceSelector"] = json!({"matchLabels": {"guarded": "yes"}});
    world.seed(BINDINGS, guarded);
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "wanted", "parameterNotFoundAction": "Allow"});
    let conditions = json!([{"name": "large", "expression": "params.data.limit == '9'"}]);
    world.seed(BINDINGS, binding("limited", "labels", json!({"paramRef": reference, "matchConditions": conditions})));
    let policies = loaded(&world).await;
    let following = tokio::spawn(policies.clone().follow());
    // The one that is about every Pod tells when all have judged.
    world.create(&world::gvr(BINDINGS), "", binding("all", "labels", json!({}))).await.unwrap();
    until(|| words(&policies, "pods-web") == ["all: fail"]).await;

    world.update(&world::gvr("v1/namespaces"), "", namespace("yes")).await.unwrap();
    until(|| words(&policies, "pods-web") == ["all: fail", "guarded: fail"]).await;
    world.update(&world::gvr("v1/configmaps"), "", wanted("9")).await.unwrap();
    until(|| words(&policies, "pods-web") == ["all: fail", "guarded: fail", "limited: fail"]).await;
    world.update(&world::gvr("v1/namespaces"), "", namespace("no")).await.unwrap();
    until(|| words(&policies, "pods-web") == ["all: fail", "limited: fail"]).await;

    let exception = json!({"metadata": {"name": "legacy"}, "spec": {"bindings": ["all"], "reason": "r",
        "expires": "2030-01-01T00:00:00Z", "scope": {"names": ["web"]}}});
    world.create(&world::gvr(EXCEPTIONS), "", exception).await.unwrap();
    until(|| words(&policies, "pods-web") == ["all: skip", "limited: fail"]).await;
    world.delete(&world::gvr(EXCEPTIONS), "", "legacy", Default::default()).await.unwrap();
    until(|| words(&policies, "pods-web") == ["all: fail", "limited: fail"]).await;
    following.abort();
}

#[test]
fn reports_lie_where_the_catalog_says() {
    let catalog = catalog::Catalog::builtin().unwrap();
    for (plural, prefix) in [("reports", REPORTS), ("clusterreports", CLUSTER_REPORTS)] {
        let computed = catalog.resource("openreports.io", "v1alpha1", plural).and_then(|resource| resource.computed.clone());
        assert_eq!(computed.as_deref(), Some(prefix));
    }
}

#[tokio::test]
async fn who_watches_reports_sees_what_changes_and_nothing_else() {
    let world = fake();
    world.seed(PODS, pod());
    world.seed(MODULES, module("labels", &refusing()));
    world.seed(MODULES, module("fine", &Guest::default()));
    world.seed(BINDINGS, binding("team", "labels", json!({})));
    let policies = loaded(&world).await;
    let reports = policies.reports().store().resource(REPORTS);
    let mut watcher = reports.watch(reports.revision(), Interest::all()).unwrap();
    let following = tokio::spawn(policies.clone().follow());
    let mut seen = Vec::new();
    let mut next = async || {
        for event in watcher.next_batch().await.unwrap() {
            seen.push((event.kind, event.entry.key.name().to_owned()));
        }
        std::mem::take(&mut seen)
    };
    assert_eq!(next().await, [(Kind::Added, "pods-web".to_owned())]);
    // Judged again with the same outcome: nobody hears of it.
    let mut same = pod();
    same["metadata"]["annotations"] = json!({"a": "b"});
    world.update(&world::gvr(PODS), "", same).await.unwrap();
    world.create(&world::gvr(BINDINGS), "", binding("fine", "fine", json!({}))).await.unwrap();
    assert_eq!(next().await, [(Kind::Modified, "pods-web".to_owned())]);
    assert_eq!(words(&policies, "pods-web"), ["fine: pass", "team: fail"]);
    world.delete(&world::gvr(PODS), "default", "web", Default::default()).await.unwrap();
    assert_eq!(next().await, [(Kind::Deleted, "pods-web".to_owned())]);
    following.abort();
}

/// Reads the ConfigMap "wanted", and finds fault where there is none.
const READS: &str = r#"(import "gatehouse:policy/cluster@1.0.0" "get"
      (func $get (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (data (i32.const 600) "v1configmapsdefaultwanted")"#;
const WANTS: &str = "(call $get (i32.const 0) (i32.const 0) (i32.const 600) (i32.const 2) (i32.const 602) (i32.const 10)
      (i32.const 612) (i32.const 7) (i32.const 619) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 3200))
    (if (result i32) (i32.load8_u (i32.const 3204)) (then (i32.const 3000)) (else (i32.const 2048)))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_policy_reads_is_looked_at_again() {
    let world = fake();
    world.seed(PODS, pod());
    world.seed(MODULES, module("wanted", &Guest { import: READS, body: WANTS, ..refusing() }));
    let reading = json!({"grants": ["cluster"], "clusterReads": [{"apiGroups": [""], "resources": ["configmaps"]}]});
    world.seed(BINDINGS, binding("wanted", "wanted", reading));
    let policies = loaded(&world).await;
    let following = tokio::spawn(policies.clone().follow());
    until(|| words(&policies, "pods-web") == ["wanted: fail"]).await;
    let wanted = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "wanted", "namespace": "default"}});
    world.create(&world::gvr("v1/configmaps"), "default", wanted).await.unwrap();
    until(|| words(&policies, "pods-web") == ["wanted: pass"]).await;
    world.delete(&world::gvr("v1/configmaps"), "default", "wanted", Default::default()).await.unwrap();
    until(|| words(&policies, "pods-web") == ["wanted: fail"]).await;
    following.abort();
}
