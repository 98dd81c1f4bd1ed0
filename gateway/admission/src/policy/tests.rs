//! The plugin with guests written by hand, on a fake world.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::json::json;
use model::{GroupVersionKind, GroupVersionResource, RequestInfo, Status, User, Value, World, meta};

use super::{Options, Policies};
use crate::{Chain, Notes, Operation, Review, cluster};

mod absent;
mod beside;
#[path = "../../../wasm/testing/component.rs"]
mod component;
mod conditions;
mod letting_go;
mod moment;
mod reach;
mod remembered;
mod scan;
mod scope;
mod seen;
mod source;

use crate::builtin::world::{self, Fake};
use component::Guest;

const MODULES: &str = "policy.gatehouse.dev/v1alpha1/policymodules";
const BINDINGS: &str = "policy.gatehouse.dev/v1alpha1/clusterpolicybindings";

const NAMESPACED: &str = "policy.gatehouse.dev/v1alpha1/policybindings";
const EXCEPTIONS: &str = "policy.gatehouse.dev/v1alpha1/policyexceptions";

fn fake() -> Arc<Fake> {
    Arc::new(Fake::new(&[
        ("v1/namespaces", "Namespace", false),
        ("v1/pods", "Pod", true),
        ("v1/configmaps", "ConfigMap", true),
        ("v1/events", "Event", true),
        (MODULES, "PolicyModule", false),
        (BINDINGS, "ClusterPolicyBinding", false),
        (NAMESPACED, "PolicyBinding", true),
        (EXCEPTIONS, "PolicyException", false),
    ]))
}

fn module(name: &str, guest: &Guest<'_>) -> Value {
    module_of(name, &guest.build())
}

fn module_of(name: &str, bytes: &[u8]) -> Value {
    json!({"apiVersion": "policy.gatehouse.dev/v1alpha1", "kind": "PolicyModule", "metadata": {"name": name, "generation": 1},
        "spec": {"source": {"inline": STANDARD.encode(bytes)}}})
}

fn binding(name: &str, module: &str, more: Value) -> Value {
    let mut object = json!({"apiVersion": "policy.gatehouse.dev/v1alpha1", "kind": "ClusterPolicyBinding",
        "metadata": {"name": name, "generation": 1},
        "spec": {"module": module, "matchConstraints": {"resourceRules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]}}});
    for (field, value) in more.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    object
}

fn refusing() -> Guest<'static> {
    Guest { violations: &[("label-required", "the label \"team\" is required", "metadata.labels[team]")], ..Guest::default() }
}

/// A clock that stands still.
struct Still;

impl model::Clock for Still {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
}

/// What anybody may do.
const ALLOWED: &[&str] = &["bob get pods/web", "carol get pods/web", "carol create pods/web"];

/// Policies that hold what was seeded.
async fn loaded(world: &Arc<Fake>) -> Arc<Policies> {
    let policies = Policies::start(Options { threads: 2, ..Options::default() }).unwrap();
    policies.attach(cluster::testing::cluster(world.clone(), ALLOWED), Arc::new(Still));
    policies.load().await;
    policies
}

async fn of(modules: Vec<Value>, bindings: Vec<Value>) -> (Arc<Fake>, Arc<Policies>) {
    let world = fake();
    modules.into_iter().for_each(|object| world.seed(MODULES, object));
    bindings.into_iter().for_each(|object| world.seed(BINDINGS, object));
    let policies = loaded(&world).await;
    (world, policies)
}

fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "nginx"}]}})
}

enum Step {
    Mutate,
    Validate,
}

async fn ask(policies: &Arc<Policies>, resource: &str, step: Step, object: &mut Value, notes: &mut Notes) -> Result<(), Status> {
    let resource = world::gvr(resource);
    let review = review(&resource, if resource.group.is_empty() { "default" } else { "" });
    within(policies, &review, step, object, notes).await
}

/// A create by alice.
fn review<'a>(resource: &'a GroupVersionResource, namespace: &'a str) -> Review<'a> {
    static ALICE: LazyLock<User> = LazyLock::new(|| User::new("alice", &["dev"]));
    static POD: LazyLock<GroupVersionKind> = LazyLock::new(|| GroupVersionKind::new("", "v1", "Pod"));
    static REQUEST: LazyLock<RequestInfo> = LazyLock::new(RequestInfo::default);
    Review {
        request: &REQUEST,
        user: &ALICE,
        operation: Operation::Create,
        resource,
        kind: &POD,
        subresource: "",
        namespace,
        name: "web",
        old: None,
        options: &Value::Null,
        dry_run: false,
        uid: "0b5f",
        now: jiff::Timestamp::UNIX_EPOCH,
        deadline: None,
    }
}

async fn within(
    policies: &Arc<Policies>,
    review: &Review<'_>,
    step: Step,
    object: &mut Value,
    notes: &mut Notes,
) -> Result<(), Status> {
    let chain = Chain::new(vec![policies.plugin()]);
    match step {
        Step::Mutate => chain.mutate(review, object, notes).await,
        Step::Validate => chain.validate(review, Some(object), notes).await,
    }
}

async fn judge(policies: &Arc<Policies>) -> (Result<(), Status>, Notes) {
    let mut notes = Notes::default();
    let answer = ask(policies, "v1/pods", Step::Validate, &mut pod(), &mut notes).await;
    (answer, notes)
}

fn annotation(notes: &Notes, name: &str) -> Value {
    let key = format!("policy.gatehouse.dev/{name}");
    let (_, value) = notes.annotations.iter().find(|(k, _)| *k == key).unwrap();
    serde_json::from_str(value).unwrap()
}

#[tokio::test]
async fn nothing_passes_while_policies_cannot_be_read() {
    let world = fake();
    world.fail("list policymodules", Status::internal("one of them cannot be read"));
    let policies = loaded(&world).await;
    for step in [Step::Mutate, Step::Validate] {
        let refused = ask(&policies, "v1/pods", step, &mut pod(), &mut Notes::default()).await.unwrap_err();
        assert_eq!(refused.code, 403);
        assert!(refused.message.contains("the policies in force cannot be read: "), "{}", refused.message);
    }
    // Who mends it is not refused.
    let mut gone = binding("b", "m", json!({}));
    ask(&policies, BINDINGS, Step::Mutate, &mut gone, &mut Notes::default()).await.unwrap();
    policies.load().await;
    ask(&policies, "v1/pods", Step::Validate, &mut pod(), &mut Notes::default()).await.unwrap();
}

#[tokio::test]
async fn a_refusal_says_which_policy_rule_and_field() {
    let (world, policies) = of(vec![module("labels", &refusing())], vec![binding("team", "labels", json!({}))]).await;
    let (answer, notes) = judge(&policies).await;
    let status = answer.unwrap_err();
    assert_eq!(
        status.message,
        r#"pods "web" is forbidden: policy "team": metadata.labels[team]: the label "team" is required (rule label-required)"#
    );
    assert_eq!(status.code, 403);
    let cause = &status.details.unwrap().causes[0];
    assert_eq!((cause.reason.as_str(), cause.field.as_str()), ("label-required", "metadata.labels[team]"));
    assert_eq!(cause.message, r#"policy "team": the label "team" is required"#);
    let noted = annotation(&notes, "team");
    assert_eq!(
        (&noted["verdict"], &noted["rules"], &noted["action"]),
        (&json!("refused"), &json!(["label-required"]), &json!("Deny"))
    );
    assert_eq!(noted["revision"].as_str().unwrap().len(), 12);
    assert!(noted["microseconds"].is_u64());
    let stored = world.peek(BINDINGS, "", "team").unwrap();
    assert_eq!((&stored["status"]["ready"], &stored["status"]["revision"]), (&json!(true), &noted["revision"]));
    assert_eq!(policies.metrics().snapshot()[0].1, "refused");
}

#[tokio::test]
async fn the_action_decides_what_a_violation_leads_to() {
    for (action, warned) in [("Warn", true), ("Audit", false)] {
        let binding = binding("team", "labels", json!({"action": action}));
        let (_, policies) = of(vec![module("labels", &refusing())], vec![binding]).await;
        let (answer, notes) = judge(&policies).await;
        answer.unwrap();
        assert_eq!(!notes.warnings.is_empty(), warned, "{action}");
        assert_eq!(annotation(&notes, "team")["verdict"], "violated");
    }
}

#[tokio::test]
async fn a_failure_is_the_failure_policy() {
    let looping = Guest { body: "(loop (br 0)) (unreachable)", ..Guest::default() };
    for (policy, code) in [("Fail", Some(500)), ("Ignore", None)] {
        let binding = binding("slow", "slow", json!({"failurePolicy": policy, "deadlineMilliseconds": 10}));
        let (_, policies) = of(vec![module("slow", &looping)], vec![binding]).await;
        let (answer, notes) = judge(&policies).await;
        assert_eq!(answer.as_ref().err().map(|status| status.code), code);
        if let Err(status) = answer {
            // A machine without a free processor ends it by wall time.
            let words = ["it ran for more than 10 ms", "it did not finish within 100 ms"];
            let words = words.map(|words| format!(r#"policy "slow" could not judge this request: {words}"#));
            assert!(words.iter().any(|words| status.message.contains(words)), "{status}");
        }
        assert!(annotation(&notes, "slow")["message"].as_str().unwrap().starts_with("it "));
        assert_eq!((&annotation(&notes, "slow")["reason"], policies.metrics().snapshot()[0].1), (&json!("timeout"), "timeout"));
    }
}

#[tokio::test]
async fn every_refusal_is_told_and_a_refusal_goes_before_a_failure() {
    let bindings = vec![binding("a", "labels", json!({})), binding("b", "trap", json!({})), binding("c", "labels", json!({}))];
    let trap = Guest { body: "unreachable", ..Guest::default() };
    let (_, policies) = of(vec![module("labels", &refusing()), module("trap", &trap)], bindings).await;
    let status = judge(&policies).await.0.unwrap_err();
    assert_eq!((status.code, status.details.unwrap().causes.len()), (403, 2));
}

#[tokio::test]
async fn questions_and_policy_kinds_are_never_judged() {
    let everything = json!({"matchConstraints": {"resourceRules": [
        {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*", "*/*"]}]}});
    let (_, policies) = of(vec![module("labels", &refusing())], vec![binding("all", "labels", everything)]).await;
    for resource in [
        "authorization.k8s.io/v1/selfsubjectaccessreviews",
        "authorization.k8s.io/v1/subjectaccessreviews",
        "authentication.k8s.io/v1/tokenreviews",
        BINDINGS,
        MODULES,
    ] {
        ask(&policies, resource, Step::Validate, &mut json!({}), &mut Notes::default()).await.unwrap();
    }
    assert!(ask(&policies, "apps/v1/deployments", Step::Validate, &mut json!({}), &mut Notes::default()).await.is_err());
}

#[tokio::test]
async fn the_namespace_of_a_request_is_asked_for_its_labels() {
    let selector = json!({"namespaceSelector": {"matchLabels": {"guarded": "yes"}}, "resourceRules": [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]});
    let object = binding("some", "labels", json!({"matchConstraints": selector}));
    let (world, policies) = of(vec![module("labels", &refusing())], vec![object]).await;
    assert!(judge(&policies).await.0.is_ok(), "the namespace does not exist");
    world.seed("v1/namespaces", json!({"metadata": {"name": "default", "labels": {"guarded": "no"}}}));
    assert!(judge(&policies).await.0.is_ok());
    world.seed("v1/namespaces", json!({"metadata": {"name": "default", "labels": {"guarded": "yes"}}}));
    assert!(judge(&policies).await.0.is_err());
}

#[tokio::test]
async fn a_guest_is_given_what_it_reads_and_no_more() {
    let guest = Guest { reads: &["metadata.labels", "spec.containers[*].image"], body: component::ECHO, ..Guest::default() };
    let (_, policies) = of(vec![module("echo", &guest)], vec![binding("echo", "echo", json!({}))]).await;
    let (answer, notes) = judge(&policies).await;
    answer.unwrap();
    let seen: Value = serde_json::from_str(notes.warnings[0].strip_prefix("policy \"echo\": ").unwrap()).unwrap();
    assert_eq!(
        seen,
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"image": "nginx"}]}})
    );
}

fn mutating<'a>(writes: &'a [&'a str], reads: &'a [&'a str], patch: &'a str) -> Guest<'a> {
    Guest { world: "mutator", writes, reads, patch: Some(patch), ..Guest::default() }
}

async fn changed(policies: &Arc<Policies>) -> (Result<Value, Status>, Notes) {
    let (mut object, mut notes) = (pod(), Notes::default());
    let answer = ask(policies, "v1/pods", Step::Mutate, &mut object, &mut notes).await;
    (answer.map(|()| object), notes)
}

#[tokio::test]
async fn a_mutator_changes_what_it_declares() {
    let guest = mutating(&["metadata.labels"], &[], r#"[{"op":"add","path":"/metadata/labels/by","value":"policy"}]"#);
    let (_, policies) = of(vec![module("label", &guest)], vec![binding("label", "label", json!({}))]).await;
    let (object, notes) = changed(&policies).await;
    assert_eq!(meta::label(&object.unwrap(), "by"), Some("policy"));
    assert_eq!(annotation(&notes, "label")["paths"], json!(["/metadata/labels/by"]));
    assert_eq!(policies.metrics().snapshot()[0].1, "changed");
}

#[tokio::test]
async fn a_mutator_sees_what_it_may_change() {
    let echo = "(i32.store (i32.const 3016) (i32.add (local.get 0) (i32.const 152)))
        (i32.store (i32.const 3020) (i32.const 1)) (i32.const 3000)";
    let watcher =
        Guest { world: "mutator", writes: &["metadata.labels"], reads: &["metadata.name"], body: echo, ..Guest::default() };
    let (_, policies) = of(vec![module("watcher", &watcher)], vec![binding("a", "watcher", json!({}))]).await;
    let seen = changed(&policies).await.1.warnings.remove(0);
    let seen: Value = serde_json::from_str(seen.split_once(": ").unwrap().1).unwrap();
    assert_eq!(seen["metadata"], json!({"name": "web", "labels": {"app": "web"}}));
    assert!(seen["spec"].is_null(), "{seen}");
}

#[tokio::test]
async fn a_patch_outside_of_what_is_declared_is_a_failure() {
    for (writes, patch, words) in [
        ("metadata.labels", r#"[{"op":"add","path":"/spec/hostNetwork","value":true}]"#, "it changes spec.hostNetwork, which"),
        (
            "metadata",
            r#"[{"op":"replace","path":"/metadata/name","value":"x"}]"#,
            "it changes /metadata/name, which no policy may",
        ),
        ("metadata", r#"[{"op":"remove","path":"/metadata/nothing"}]"#, "the patch does not apply"),
        ("metadata", "no patch", "the patch does not apply"),
    ] {
        let writes = [writes];
        let guest = mutating(&writes, &[], patch);
        let (_, policies) = of(vec![module("bad", &guest)], vec![binding("bad", "bad", json!({}))]).await;
        let status = changed(&policies).await.0.unwrap_err();
        assert!(status.code == 500 && status.message.contains(words), "{status}");
    }
}

#[tokio::test]
async fn an_earlier_mutator_is_asked_again_when_a_later_one_changed_what_it_reads() {
    // "a" says in a warning what it sees of the labels; "b", which comes later, adds one.
    let echo = "(i32.store (i32.const 3016) (i32.add (local.get 0) (i32.const 152)))
        (i32.store (i32.const 3020) (i32.const 1)) (i32.const 3000)";
    let watcher = Guest { world: "mutator", writes: &["spec"], reads: &["metadata.labels"], body: echo, ..Guest::default() };
    let label = mutating(&["metadata.labels"], &["spec"], r#"[{"op":"add","path":"/metadata/labels/by","value":"b"}]"#);
    let bindings = vec![binding("b", "label", json!({"order": 2})), binding("a", "watcher", json!({"order": 1}))];
    let (_, policies) = of(vec![module("watcher", &watcher), module("label", &label)], bindings).await;
    let (_, notes) = changed(&policies).await;
    let seen: Vec<bool> = notes.warnings.iter().map(|warning| warning.contains("\"by\":\"b\"")).collect();
    assert_eq!(seen, [false, true], "{:?}", notes.warnings);
}

#[tokio::test]
async fn settings_that_do_not_fit_are_refused_when_they_are_written() {
    let schema = r#"{"type":"object","required":["labels"],"properties":{"labels":{"type":"array","items":{"type":"string"}}}}"#;
    let guest = Guest { schema, ..refusing() };
    let (_, policies) = of(vec![module("labels", &guest)], vec![]).await;
    for (settings, faults) in [
        (json!({"labels": ["team"]}), None),
        (json!({"labels": [1]}), Some("spec.settings.labels[0]: Invalid value: 1: must be of type string")),
        (json!({}), Some("spec.settings.labels: Required value")),
    ] {
        let mut object = binding("team", "labels", json!({"settings": settings}));
        let answer = ask(&policies, BINDINGS, Step::Validate, &mut object, &mut Notes::default()).await;
        match faults {
            None => answer.unwrap(),
            Some(faults) => {
                let status = answer.unwrap_err();
                assert_eq!(status.code, 422);
                assert_eq!(status.message, format!("ClusterPolicyBinding.policy.gatehouse.dev \"team\" is invalid: {faults}"));
            }
        }
    }
    let mut unknown = binding("team", "nobody", json!({}));
    ask(&policies, BINDINGS, Step::Validate, &mut unknown, &mut Notes::default()).await.unwrap();
}

#[tokio::test]
async fn a_grant_that_is_missing_is_refused_when_it_is_written() {
    let guest = Guest {
        import: component::LOG,
        body: "(call $log (i32.const 0) (i32.const 512) (i32.const 4)) (i32.const 2048)",
        ..Guest::default()
    };
    let (_, policies) = of(vec![module("logging", &guest)], vec![]).await;
    let check = async |grants: Value| {
        let mut object = binding("team", "logging", json!({"grants": grants}));
        ask(&policies, BINDINGS, Step::Validate, &mut object, &mut Notes::default()).await
    };
    let status = check(json!([])).await.unwrap_err();
    assert!(
        status
            .message
            .contains("spec.grants: Forbidden: the module imports `gatehouse:policy/log@1.0.0`, which needs the grant `log`"),
        "{status}"
    );
    check(json!(["log"])).await.unwrap();
}

/// Waits until something holds; the fake world tells its changes asynchronously.
async fn until(what: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never came to hold");
}

#[tokio::test]
async fn what_is_written_comes_into_force_and_the_last_good_revision_stays() {
    let world = fake();
    let policies = loaded(&world).await;
    let following = tokio::spawn(policies.clone().follow());
    let (modules, bindings) = (world::gvr(MODULES), world::gvr(BINDINGS));
    world.create(&bindings, "", binding("team", "labels", json!({}))).await.unwrap();
    let message = |kind: &str, name: &str| {
        let object = world.peek(kind, "", name).unwrap_or_default();
        object.pointer("/status/message").and_then(Value::as_str).unwrap_or("").to_owned()
    };
    until(|| message(BINDINGS, "team") == "module \"labels\": it does not exist").await;
    assert!(judge(&policies).await.0.is_ok(), "a binding without a module is not in force");

    world.create(&modules, "", module("labels", &refusing())).await.unwrap();
    until(|| policies.set().len() == 1).await;
    assert!(judge(&policies).await.0.is_err());

    let mut broken = module_of("labels", b"\0asm broken");
    broken["metadata"]["generation"] = 2.into();
    broken["metadata"]["uid"] = world.peek(MODULES, "", "labels").unwrap()["metadata"]["uid"].clone();
    world.update(&modules, "", broken).await.unwrap();
    until(|| message(MODULES, "labels").contains("stays in force")).await;
    assert!(judge(&policies).await.0.is_err(), "the last good revision judges");
    let revisions = world.peek(MODULES, "", "labels").unwrap()["status"]["revisions"].clone();
    assert_eq!(revisions.as_array().map(Vec::len), Some(1), "{revisions}");

    world.delete(&bindings, "", "team", Default::default()).await.unwrap();
    until(|| policies.set().is_empty()).await;
    assert!(judge(&policies).await.0.is_ok());
    following.abort();
}

#[tokio::test]
async fn who_is_validated_meets_the_policies_that_mutated() {
    let both = vec![module("label", &mutating(&["metadata.labels"], &[], "[]")), module("labels", &refusing())];
    let (world, policies) = of(both, vec![binding("label", "label", json!({})), binding("team", "labels", json!({}))]).await;
    let following = tokio::spawn(policies.clone().follow());
    let (object, notes) = (&mut pod(), &mut Notes::default());
    ask(&policies, "v1/pods", Step::Mutate, object, notes).await.unwrap();
    world.delete(&world::gvr(BINDINGS), "", "team", Default::default()).await.unwrap();
    until(|| policies.set().len() == 1).await;
    assert!(ask(&policies, "v1/pods", Step::Validate, object, notes).await.is_err(), "as one");
    ask(&policies, "v1/pods", Step::Mutate, object, notes).await.unwrap();
    ask(&policies, "v1/pods", Step::Validate, object, notes).await.unwrap();
    following.abort();
}

#[tokio::test]
async fn what_was_in_force_before_a_start_and_cannot_be_loaded_fails_closed() {
    let mut was = binding("team", "labels", json!({}));
    was["status"] = json!({"ready": true});
    let (_, policies) = of(vec![module_of("labels", b"damaged")], vec![was]).await;
    let status = judge(&policies).await.0.unwrap_err();
    assert!(status.message.contains("does not begin as wasm does"), "{status}");
    let (_, policies) = of(vec![module_of("labels", b"damaged")], vec![binding("team", "labels", json!({}))]).await;
    assert!(judge(&policies).await.0.is_ok(), "what never was in force is not");
}

#[tokio::test]
async fn a_directory_of_policies_holds_and_cannot_be_changed() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
    let start = || Policies::start(Options { policy_dir: Some(directory.path().to_owned()), threads: 1, ..Options::default() });
    write("labels.wasm", &refusing().build());
    write("bindings.yaml", codec::yaml::print(&binding("team", "labels", json!({}))).as_bytes());
    let policies = start().unwrap();
    assert!(judge(&policies).await.0.is_err());
    let mut object = binding("team", "labels", json!({"action": "Audit"}));
    let status = ask(&policies, BINDINGS, Step::Validate, &mut object, &mut Notes::default()).await.unwrap_err();
    assert!(status.message.contains("is given by --policy-dir"), "{status}");
    write("more.yaml", codec::yaml::print(&binding("other", "nobody", json!({}))).as_bytes());
    let error = start().err().unwrap().to_string();
    assert!(error.contains("binding \"other\": there is no nobody.wasm beside it"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_or_sees_a_mixture_while_revisions_change() {
    // Every revision refuses twice with its own number: a mixture would show two numbers.
    let revision = |n: usize| {
        let (rule, message) = (format!("rule-{n}"), format!("message-{n}"));
        let violations = [(rule.as_str(), message.as_str(), "a"), (rule.as_str(), message.as_str(), "b")];
        module("labels", &Guest { violations: &violations, ..Guest::default() })
    };
    // No machine is so busy that a call ends by the clock.
    let bindings = ["one", "two"].map(|name| binding(name, "labels", json!({"deadlineMilliseconds": 5_000})));
    let (world, policies) = of(vec![revision(0)], bindings.to_vec()).await;
    let following = tokio::spawn(policies.clone().follow());
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asking = tokio::spawn({
        let (policies, stop) = (policies.clone(), stop.clone());
        async move {
            let mut seen = std::collections::BTreeSet::new();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let (answer, notes) = judge(&policies).await;
                let status = answer.unwrap_err();
                assert_eq!(status.code, 403, "{status}");
                let causes = status.details.unwrap().causes;
                assert_eq!(causes.len(), 4, "{:?}", notes.annotations);
                assert!(causes.iter().all(|cause| cause.reason == causes[0].reason), "{causes:?}");
                seen.insert(causes[0].reason.clone());
                tokio::task::yield_now().await;
            }
            seen.len()
        }
    });
    for n in 1..=1_000 {
        let mut next = revision(n);
        let current = world.peek(MODULES, "", "labels").unwrap();
        next["metadata"]["uid"] = current["metadata"]["uid"].clone();
        next["metadata"]["generation"] = (n + 1).into();
        let digest = wasm::Runtime::digest(&STANDARD.decode(next["spec"]["source"]["inline"].as_str().unwrap()).unwrap());
        world.update(&GroupVersionResource::new("policy.gatehouse.dev", "v1alpha1", "policymodules"), "", next).await.unwrap();
        until(|| policies.set().validators.iter().all(|entry| digest.contains(entry.revision()))).await;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(asking.await.unwrap() > 5);
    following.abort();
}
