//! What quotas are told, and when.

use model::json::json;
use model::world::DeleteOptions;

use super::*;
use crate::tests::context;
use crate::world::{Fake, gvr};

const RESOURCES: [(&str, &str, bool); 3] =
    [("v1/pods", "Pod", true), ("v1/secrets", "Secret", true), ("v1/resourcequotas", "ResourceQuota", true)];

fn quota(hard: Value) -> Value {
    json!({"metadata": {"namespace": "a", "name": "q"}, "spec": {"hard": hard}})
}

fn pod(name: &str, phase: &str) -> Value {
    let spec = json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "500m"}}}]});
    json!({"metadata": {"namespace": "a", "name": name, "uid": name}, "spec": spec, "status": {"phase": phase}})
}

fn world() -> Fake {
    let world = Fake::new(&RESOURCES);
    world.seed("v1/pods", pod("p", "Running"));
    world.seed("v1/pods", pod("r", "Running"));
    world.seed("v1/pods", pod("done", "Succeeded"));
    world
}

#[tokio::test]
async fn what_is_there_is_counted() {
    let (context, world) = context(world());
    let hard = json!({"pods": "5", "count/pods": "9", "requests.cpu": "4", "secrets": "1", "example.com/odd": "1"});
    world.seed("v1/resourcequotas", quota(hard.clone()));
    reconcile(&context, "a/q").await.unwrap();
    let status = world.peek("v1/resourcequotas", "a", "q").unwrap()["status"].clone();
    let used = json!({"count/pods": "3", "pods": "2", "requests.cpu": "1", "secrets": "0"});
    assert_eq!((&status["hard"], &status["used"]), (&hard, &used), "what nobody can count is not told");
    world.take_log();
    reconcile(&context, "a/q").await.unwrap();
    assert!(world.take_log().is_empty(), "nothing changed");
    world.delete(&gvr("v1/pods"), "a", "r", DeleteOptions::default()).await.unwrap();
    reconcile(&context, "a/q").await.unwrap();
    assert_eq!(world.peek("v1/resourcequotas", "a", "q").unwrap()["status"]["used"]["requests.cpu"], "500m");
    reconcile(&context, "a/gone").await.unwrap();
}

#[tokio::test]
async fn scopes_leave_out() {
    let (context, world) = context(world());
    let mut scoped = quota(json!({"pods": "5"}));
    scoped["spec"]["scopes"] = json!(["BestEffort"]);
    world.seed("v1/resourcequotas", scoped);
    reconcile(&context, "a/q").await.unwrap();
    assert_eq!(world.peek("v1/resourcequotas", "a", "q").unwrap()["status"]["used"], json!({"pods": "0"}));
}

#[test]
fn what_is_no_longer_limited_is_no_longer_told() {
    let mut known = quota(json!({"pods": "1000m", "other": "1"}));
    known["status"] = json!({"hard": {"pods": "1", "other": "1"}, "used": {"pods": "1", "other": "7", "gone": "3"}});
    let usage = Amounts::from([("pods".to_owned(), model::quantity::Quantity::parse("1").unwrap())]);
    let told = decide(&known, &usage).unwrap();
    assert_eq!(told["status"]["used"], json!({"other": "7", "pods": "1"}), "what cannot be counted now stays");
    assert_eq!(decide(&told, &usage), None, "1 and 1000m are the same");
}

fn heard(ledger: &Ledger, resource: &str, what: What, object: &Value) -> usize {
    let resource = gvr(resource);
    let change = Change { resource: &resource, what, object };
    match &*resource.resource {
        "resourcequotas" => ledger.hear_quota(&change),
        "pods" => {
            ledger.hear_change(&change);
            ledger.hear_end(&change);
        }
        _ => ledger.hear_end(&change),
    }
    usize::try_from(ledger.queue.counters.adds.swap(0, std::sync::atomic::Ordering::Relaxed)).unwrap()
}

#[tokio::test]
async fn a_quota_is_counted_when_it_may_have_changed() {
    let ledger = Ledger::default();
    let mut quota = quota(json!({"pods": "1"}));
    assert_eq!(heard(&ledger, "v1/resourcequotas", What::Added, &quota), 1);
    assert_eq!(ledger.queue.next().await.unwrap(), "a/q");
    ledger.queue.done(&"a/q".to_owned());
    quota["status"] = json!({"hard": {"pods": "1"}, "used": {"pods": "0"}});
    assert_eq!(heard(&ledger, "v1/resourcequotas", What::Modified, &quota), 0, "a charge is no reason");
    assert_eq!(heard(&ledger, "v1/pods", What::Added, &pod("p", "Pending")), 0, "admission has charged it");
    assert_eq!(heard(&ledger, "v1/pods", What::Modified, &pod("p", "Running")), 0);
    assert_eq!(heard(&ledger, "v1/secrets", What::Deleted, &pod("s", "")), 0, "nobody counts them");
    for (what, phase) in [(What::Modified, "Failed"), (What::Deleted, "Failed")] {
        assert_eq!(heard(&ledger, "v1/pods", what, &pod("p", phase)), 1);
        assert_eq!(ledger.queue.next().await.unwrap(), "a/q");
        ledger.queue.done(&"a/q".to_owned());
    }
    quota["spec"]["hard"]["pods"] = "2".into();
    assert_eq!(heard(&ledger, "v1/resourcequotas", What::Modified, &quota), 1);
    assert_eq!(heard(&ledger, "v1/resourcequotas", What::Deleted, &quota), 0);
    assert_eq!(heard(&ledger, "v1/pods", What::Deleted, &pod("q", "Running")), 0, "no quota is left");
    assert!(ledger.lock().last.is_empty());
    assert!(!is_uncounted(
        &json!({"spec": {"hard": {"pods": "1"}}, "status": {"hard": {"pods": "1000m"}, "used": {"pods": "0"}}})
    ));
}
