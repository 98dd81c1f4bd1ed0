//! The plugin over a world in memory.

use model::json::json;
use model::{GroupVersionKind, RequestInfo, User};

use super::*;
use crate::builtin::world::{Fake, gvr};

const QUOTAS: &str = "v1/resourcequotas";

fn quota(name: &str, spec: Value, hard: Value, used: Value) -> Value {
    json!({"metadata": {"namespace": "shop", "name": name}, "spec": spec, "status": {"hard": hard, "used": used}})
}

fn world(quotas: &[Value]) -> Arc<Fake> {
    let world = Fake::new(&[]);
    quotas.iter().for_each(|quota| world.seed(QUOTAS, quota.clone()));
    Arc::new(world)
}

#[derive(Clone, Copy)]
struct Write<'a> {
    operation: Operation,
    resource: &'a str,
    subresource: &'a str,
    old: Option<&'a Value>,
    dry_run: bool,
}

const CREATE: Write<'static> =
    Write { operation: Operation::Create, resource: "v1/pods", subresource: "", old: None, dry_run: false };

async fn ask(plugin: &ResourceQuota, write: Write<'_>, object: &Value) -> Option<String> {
    let resource = gvr(write.resource);
    let review = Review {
        request: &RequestInfo::default(),
        user: &User::new("alice", &[]),
        operation: write.operation,
        resource: &resource,
        kind: &GroupVersionKind::new(&resource.group, &resource.version, "Any"),
        subresource: write.subresource,
        namespace: "shop",
        name: meta::name(object),
        old: write.old,
        options: &Value::Null,
        dry_run: write.dry_run,
        uid: "",
        now: jiff::Timestamp::UNIX_EPOCH,
        deadline: None,
    };
    if !plugin.handles(write.operation, &resource, write.subresource) {
        return None;
    }
    plugin.validate(&review, Some(object), &mut Notes::default()).await.err().map(|status| {
        assert_eq!(status.code, 403, "{status}");
        status.message
    })
}

fn used(world: &Fake, name: &str) -> Value {
    world.peek(QUOTAS, "shop", name).unwrap()["status"]["used"].clone()
}

fn pod(name: &str, cpu: &str) -> Value {
    json!({"metadata": {"name": name, "resourceVersion": "5"}, "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]}})
}

#[tokio::test]
async fn what_gets_in_is_charged_and_what_does_not_fit_is_refused() {
    let world = world(&[
        quota("a", json!({}), json!({"requests.cpu": "1", "pods": "10"}), json!({"requests.cpu": "600m", "pods": "2"})),
        quota("b", json!({}), json!({"count/pods": "4", "secrets": "1"}), json!({"count/pods": "2", "secrets": "0"})),
    ]);
    let plugin = ResourceQuota::new(world.clone(), Vec::new());
    assert_eq!(ask(&plugin, Write { dry_run: true, ..CREATE }, &pod("p", "400m")).await, None);
    assert!(world.take_log().is_empty(), "a dry run is asked and not charged");
    assert_eq!(ask(&plugin, CREATE, &pod("p", "300m")).await, None);
    assert_eq!(used(&world, "a"), json!({"pods": "3", "requests.cpu": "900m"}));
    assert_eq!(used(&world, "b"), json!({"count/pods": "3", "secrets": "0"}));
    assert_eq!(
        ask(&plugin, CREATE, &pod("q", "200m")).await.unwrap(),
        "pods \"q\" is forbidden: exceeded quota: a, requested: requests.cpu=200m, used: requests.cpu=900m, limited: requests.cpu=1"
    );
    assert_eq!(used(&world, "b")["count/pods"], "3", "nobody is charged for what another refuses");
    let secret = Write { resource: "v1/secrets", ..CREATE };
    assert_eq!(ask(&plugin, secret, &json!({"metadata": {"name": "s"}})).await, None);
    let refused = ask(&plugin, secret, &json!({"metadata": {"name": "t"}})).await.unwrap();
    assert_eq!(
        refused,
        "secrets \"t\" is forbidden: exceeded quota: b, requested: secrets=1, used: secrets=1, limited: secrets=1"
    );
}

#[tokio::test]
async fn what_a_quota_cannot_judge_is_refused() {
    let plugin = |hard, used| ResourceQuota::new(world(&[quota("a", json!({}), hard, used)]), Vec::new());
    let silent = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}});
    assert_eq!(
        ask(&plugin(json!({"limits.cpu": "1"}), json!({"limits.cpu": "0"})), CREATE, &silent).await.unwrap(),
        "pods \"p\" is forbidden: failed quota: a: must specify limits.cpu for: c"
    );
    assert_eq!(
        ask(&plugin(json!({"pods": "1", "count/pods": "1"}), json!({})), CREATE, &silent).await.unwrap(),
        "pods \"p\" is forbidden: status unknown for quota: a, resources: count/pods,pods"
    );
    assert_eq!(ask(&plugin(json!({"secrets": "0"}), json!({"secrets": "0"})), CREATE, &silent).await, None, "not counted");
    let negative =
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "-1"}}}]}});
    assert_eq!(
        ask(&plugin(json!({"cpu": "1"}), json!({"cpu": "0"})), CREATE, &negative).await.unwrap(),
        "pods \"p\" is forbidden: quota usage is negative for resource(s): cpu,requests.cpu"
    );
}

#[tokio::test]
async fn an_update_costs_what_it_adds() {
    let hard = json!({"requests.storage": "3Gi", "persistentvolumeclaims": "1"});
    let world = world(&[quota("a", json!({}), hard, json!({"requests.storage": "1Gi", "persistentvolumeclaims": "1"}))]);
    let plugin = ResourceQuota::new(world.clone(), Vec::new());
    let claim = |size: &str| json!({"metadata": {"name": "c", "resourceVersion": "7"}, "spec": {"resources": {"requests": {"storage": size}}}});
    let old = claim("1Gi");
    let update = Write { operation: Operation::Update, resource: "v1/persistentvolumeclaims", old: Some(&old), ..CREATE };
    assert_eq!(ask(&plugin, update, &claim("1Gi")).await, None);
    assert!(world.take_log().is_empty(), "nothing changes");
    assert_eq!(ask(&plugin, update, &claim("3Gi")).await, None);
    assert_eq!(used(&world, "a")["requests.storage"], "3Gi");
    let refused = ask(&plugin, update, &claim("2Gi")).await.unwrap();
    assert!(
        refused.ends_with("requested: requests.storage=1Gi, used: requests.storage=3Gi, limited: requests.storage=3Gi"),
        "{refused}"
    );
    let mut grown = claim("1Gi");
    grown["status"] = json!({"allocatedResources": {"storage": "5Gi"}});
    assert_eq!(ask(&plugin, Write { subresource: "status", ..update }, &grown).await, None, "what is so is counted");
    assert_eq!(used(&world, "a")["requests.storage"], "7Gi");
}

#[tokio::test]
async fn a_change_of_scope_costs_the_new_quota_all() {
    let ending = quota("ending", json!({"scopes": ["Terminating"]}), json!({"pods": "5"}), json!({"pods": "0"}));
    let lasting = quota("lasting", json!({"scopes": ["NotTerminating"]}), json!({"pods": "5"}), json!({"pods": "1"}));
    let world = world(&[ending, lasting]);
    let (plugin, old) = (ResourceQuota::new(world.clone(), Vec::new()), pod("p", "1"));
    let update = Write { operation: Operation::Update, old: Some(&old), ..CREATE };
    let mut new = old.clone();
    new["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(ask(&plugin, update, &new).await, None);
    assert_eq!(used(&world, "ending")["pods"], "0");
    new["spec"]["activeDeadlineSeconds"] = 5.into();
    assert_eq!(ask(&plugin, update, &new).await, None);
    assert_eq!((&used(&world, "ending")["pods"], &used(&world, "lasting")["pods"]), (&json!("1"), &json!("1")));
}

#[tokio::test]
async fn a_quota_that_somebody_else_wrote_is_charged_anew() {
    let world = world(&[quota("a", json!({}), json!({"pods": "3"}), json!({"pods": "0"}))]);
    let plugin = ResourceQuota::new(world.clone(), Vec::new());
    let conflict = || Status::modified(&model::GroupResource::new("", "resourcequotas"), "a");
    for _ in 0..3 {
        world.fail("update/status resourcequotas", conflict());
    }
    assert_eq!(ask(&plugin, CREATE, &pod("p", "1")).await, None, "the third retry succeeds");
    assert_eq!(used(&world, "a")["pods"], "1");
    for _ in 0..4 {
        world.fail("update/status resourcequotas", conflict());
    }
    let refused = plugin.ask("shop", an_ask(&pod("q", "1"))).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (409, "Conflict"));
}

fn an_ask(object: &Value) -> Ask {
    Ask {
        evaluator: Evaluator::Pods,
        object: object.clone(),
        old: None,
        now: jiff::Timestamp::UNIX_EPOCH,
        is_status: false,
        dry_run: false,
        resource: model::GroupResource::new("", "pods"),
        name: meta::name(object).to_owned(),
    }
}

#[tokio::test]
async fn many_at_once_share_the_room_and_few_writes() {
    let world = world(&[quota("a", json!({}), json!({"pods": "40"}), json!({"pods": "0"}))]);
    let plugin = ResourceQuota::new(world.clone(), Vec::new());
    let all: Vec<Value> = (0..100).map(|n| pod(&format!("p{n}"), "1")).collect();
    let answers = futures::future::join_all(all.iter().map(|pod| ask(&plugin, CREATE, pod))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_none()).count(), 40);
    assert!(answers.iter().flatten().all(|why| why.contains("used: pods=40, limited: pods=40")), "{answers:?}");
    assert_eq!(used(&world, "a")["pods"], "40");
    let writes = world.take_log().len();
    assert!(writes < 10, "{writes} writes");
    assert!(plugin.desks.lock().is_empty(), "nobody waits");
}

#[tokio::test]
async fn what_is_limited_needs_a_quota_that_covers_it() {
    let configured = r#"{"apiVersion":"apiserver.config.k8s.io/v1","kind":"ResourceQuotaConfiguration","limitedResources":[
        {"resource":"pods","matchContains":["cpu"]}]}"#;
    let limits = limits(configured).unwrap();
    let plugin = |quotas: &[Value]| ResourceQuota::new(world(quotas), limits.clone());
    let refused = |names: &str| format!("pods \"p\" is forbidden: insufficient quota to consume: {names}");
    assert_eq!(ask(&plugin(&[]), CREATE, &pod("p", "1")).await, Some(refused("cpu,requests.cpu")));
    let counts_pods = quota("a", json!({}), json!({"pods": "9"}), json!({"pods": "0"}));
    assert_eq!(ask(&plugin(&[counts_pods]), CREATE, &pod("p", "1")).await, Some(refused("cpu,requests.cpu")));
    let covers = quota("a", json!({}), json!({"cpu": "9", "requests.cpu": "9"}), json!({"cpu": "0", "requests.cpu": "0"}));
    assert_eq!(ask(&plugin(&[covers]), CREATE, &pod("p", "1")).await, None);
    let other = Write { resource: "v1/services", ..CREATE };
    assert_eq!(ask(&plugin(&[]), other, &json!({"metadata": {"name": "s"}})).await, None);
}
