//! The built-in plugins over a world in memory.

use std::sync::Arc;

use model::json::json;
use model::{GroupVersionKind, GroupVersionResource, RequestInfo, Status, User, Value, meta};

use super::world::{Fake, gvr};
use super::{FlagError, Setup, plugins};
use crate::admissionpolicy::{Kind, Policies};
use crate::cluster::testing;
use crate::webhook::{self, Caller, Endpoint, Webhooks};
use crate::{Chain, Notes, Operation, Review};

mod guards;
mod nodes;

fn world() -> Arc<Fake> {
    let fake = Fake::new(&[]);
    fake.seed("v1/namespaces", json!({"metadata": {"name": "shop"}, "status": {"phase": "Active"}}));
    fake.seed("v1/namespaces", json!({"metadata": {"name": "ending"}, "status": {"phase": "Terminating"}}));
    fake.seed(
        "v1/serviceaccounts",
        json!({"metadata": {"namespace": "shop", "name": "default"}, "imagePullSecrets": [{"name": "hub"}]}),
    );
    Arc::new(fake)
}

/// No webhook is configured, so nobody is called.
struct Nobody;

impl Caller for Nobody {
    fn endpoint(&self, _: &Value) -> Result<Arc<dyn Endpoint>, String> {
        Err("nobody is called".to_owned())
    }
}

fn setup(world: &Arc<Fake>) -> Setup {
    let cluster = testing::cluster(world.clone(), &[]);
    let webhooks = Webhooks::new([Arc::new(Nobody), Arc::new(Nobody)], cluster.clone());
    Setup {
        mutating_policies: Policies::new(Kind::Mutating, cluster.clone()),
        validating_policies: Policies::new(Kind::Validating, cluster.clone()),
        world: world.clone(),
        cluster,
        webhooks,
        settings: super::Settings::default(),
        image_policy: Arc::new(webhook::Nobody),
        not_ready_toleration_s: 300,
        unreachable_toleration_s: 60,
    }
}

struct Write<'a> {
    operation: Operation,
    resource: &'a str,
    namespace: &'a str,
    name: &'a str,
    subresource: &'a str,
    old: Option<&'a Value>,
}

const CREATE_POD: Write<'static> =
    Write { operation: Operation::Create, resource: "v1/pods", namespace: "shop", name: "web", subresource: "", old: None };

/// Mutates (unless it is a delete) and validates with every plugin that runs by default.
async fn admit(world: &Arc<Fake>, write: Write<'_>, object: &mut Value) -> Result<(), Status> {
    let chain = Chain::new(plugins(&[], &[], &setup(world)).unwrap());
    let (request, user, resource): (_, _, GroupVersionResource) = (RequestInfo::default(), User::default(), gvr(write.resource));
    let kind = GroupVersionKind::new("", "v1", "Any");
    let review = Review {
        request: &request,
        user: &user,
        operation: write.operation,
        resource: &resource,
        kind: &kind,
        subresource: write.subresource,
        namespace: write.namespace,
        name: write.name,
        old: write.old,
        options: &Value::Null,
        dry_run: false,
        uid: "",
        now: jiff::Timestamp::UNIX_EPOCH,
        deadline: None,
    };
    let mut notes = Notes::default();
    if write.operation == Operation::Delete {
        return chain.release(&review, &mut notes).await;
    }
    chain.mutate(&review, object, &mut notes).await?;
    chain.validate(&review, Some(object), &mut notes).await
}

fn pod() -> Value {
    json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {"containers": [{"name": "c"}]}})
}

#[tokio::test]
async fn a_pod_gets_what_the_cluster_adds() {
    let mut object = pod();
    admit(&world(), CREATE_POD, &mut object).await.unwrap();
    let spec = &object["spec"];
    let volume = spec["volumes"][0]["name"].as_str().unwrap();
    assert!(volume.starts_with("kube-api-access-") && volume.len() == 21, "{volume}");
    assert_eq!(
        spec["containers"][0]["volumeMounts"],
        json!([{"name": volume, "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}])
    );
    assert_eq!(
        spec["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"],
        json!({"expirationSeconds": 3607, "path": "token"})
    );
    assert_eq!((&spec["serviceAccountName"], &spec["serviceAccount"]), (&json!("default"), &json!("default")));
    assert_eq!(spec["imagePullSecrets"], json!([{"name": "hub"}]));
    assert_eq!((&spec["priority"], &spec["preemptionPolicy"]), (&json!(0), &json!("PreemptLowerPriority")));
    assert_eq!(spec["tolerations"][0]["tolerationSeconds"], 300);
    assert_eq!(spec["tolerations"][1]["key"], "node.kubernetes.io/unreachable");

    let once = object.clone();
    admit(&world(), CREATE_POD, &mut object).await.unwrap();
    assert_eq!(object, once, "plugins are idempotent");
}

#[tokio::test]
async fn storage_is_born_protected() {
    for (before, after) in [
        (json!({"name": "c"}), json!(["kubernetes.io/pvc-protection"])),
        (json!({"name": "c", "finalizers": ["a/b"]}), json!(["a/b", "kubernetes.io/pvc-protection"])),
        (json!({"name": "c", "finalizers": ["kubernetes.io/pvc-protection"]}), json!(["kubernetes.io/pvc-protection"])),
    ] {
        let mut claim = json!({"metadata": before, "spec": {"storageClassName": ""}});
        admit(&world(), Write { resource: "v1/persistentvolumeclaims", name: "c", ..CREATE_POD }, &mut claim).await.unwrap();
        assert_eq!(claim["metadata"]["finalizers"], after);
    }
}

#[tokio::test]
async fn tokens_are_not_mounted_where_declined_or_present() {
    let mut object = pod();
    object["spec"]["automountServiceAccountToken"] = json!(false);
    admit(&world(), CREATE_POD, &mut object).await.unwrap();
    assert_eq!(object["spec"].get("volumes"), None);

    let mut object = pod();
    object["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "own", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]);
    admit(&world(), CREATE_POD, &mut object).await.unwrap();
    assert_eq!(object["spec"].get("volumes"), None);
}

#[tokio::test]
async fn a_missing_service_account_is_named() {
    let mut object = json!({"metadata": {"name": "web"}, "spec": {"serviceAccountName": "builder", "containers": []}});
    let refused = admit(&world(), CREATE_POD, &mut object).await.unwrap_err();
    let why = "error looking up service account shop/builder: serviceaccount \"builder\" not found";
    assert_eq!((refused.code, refused.message), (403, format!("pods \"web\" is forbidden: {why}")));
}

#[tokio::test]
async fn the_default_account_of_a_new_namespace_is_awaited() {
    let world = world();
    let not_yet = || Status::new(404, "NotFound", "not yet");
    world.fail("get serviceaccounts shop/default", not_yet());
    world.fail("get serviceaccounts shop/default", not_yet());
    admit(&world, CREATE_POD, &mut pod()).await.unwrap();
}

#[tokio::test]
async fn an_account_may_insist_on_its_secrets() {
    let world = world();
    let annotations = json!({"kubernetes.io/enforce-mountable-secrets": "true"});
    world.seed(
        "v1/serviceaccounts",
        json!({"metadata": {"namespace": "shop", "name": "strict", "annotations": annotations}, "secrets": [{"name": "mine"}]}),
    );
    let mut object = pod();
    object["spec"]["serviceAccountName"] = json!("strict");
    object["spec"]["volumes"] = json!([{"name": "v", "secret": {"secretName": "other"}}]);
    let refused = admit(&world, CREATE_POD, &mut object).await.unwrap_err();
    assert_eq!(
        refused.message,
        "pods \"web\" is forbidden: volume with secret.secretName=\"other\" is not allowed because service account strict does not reference that secret"
    );
    object["spec"]["volumes"] = json!([{"name": "v", "secret": {"secretName": "mine"}}]);
    admit(&world, CREATE_POD, &mut object).await.unwrap();
}

#[tokio::test]
async fn mirror_pods_refer_to_nothing() {
    let mirror =
        |spec: Value| json!({"metadata": {"name": "web", "annotations": {"kubernetes.io/config.mirror": "x"}}, "spec": spec});
    let mut plain = mirror(json!({"containers": [{"name": "c"}]}));
    admit(&world(), CREATE_POD, &mut plain).await.unwrap();
    assert_eq!(plain["spec"].get("serviceAccountName"), None);
    for (spec, why) in [
        (json!({"serviceAccountName": "x"}), "a mirror pod may not reference service accounts"),
        (json!({"volumes": [{"secret": {"secretName": "s"}}]}), "a mirror pod may not reference secrets"),
        (
            json!({"volumes": [{"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]}),
            "a mirror pod may not use ServiceAccountToken volume projections",
        ),
    ] {
        let refused = admit(&world(), CREATE_POD, &mut mirror(spec)).await.unwrap_err();
        assert_eq!(refused.message, format!("pods \"web\" is forbidden: {why}"));
    }
}

#[tokio::test]
async fn nothing_is_made_where_no_namespace_is_or_one_ends() {
    let mut object = json!({"metadata": {"generateName": "cm-"}});
    let write = |namespace| Write { resource: "v1/configmaps", namespace, name: "", ..CREATE_POD };
    let refused = admit(&world(), write("gone"), &mut object).await.unwrap_err();
    assert_eq!((refused.code, refused.message.as_str()), (404, "namespaces \"gone\" not found"));
    let refused = admit(&world(), write("ending"), &mut object).await.unwrap_err();
    assert_eq!(
        refused.message,
        "configmaps \"cm-\" is forbidden: unable to create new content in namespace ending because it is being terminated"
    );
    let cause = &refused.details.unwrap().causes[0];
    assert_eq!((cause.reason.as_str(), cause.field.as_str()), ("NamespaceTerminating", "metadata.namespace"));
    let reviews = Write { resource: "authorization.k8s.io/v1/localsubjectaccessreviews", namespace: "gone", ..CREATE_POD };
    admit(&world(), reviews, &mut json!({})).await.unwrap();
}

#[tokio::test]
async fn immortal_namespaces_stay() {
    let delete = |name| Write {
        operation: Operation::Delete,
        resource: "v1/namespaces",
        namespace: name,
        name,
        subresource: "",
        old: None,
    };
    let refused = admit(&world(), delete("kube-system"), &mut Value::Null).await.unwrap_err();
    assert_eq!(refused.message, "namespaces \"kube-system\" is forbidden: this namespace may not be deleted");
    admit(&world(), delete("shop"), &mut Value::Null).await.unwrap();
}

fn class(name: &str, value: i64, default: bool) -> Value {
    json!({"metadata": {"name": name}, "value": value, "globalDefault": default, "preemptionPolicy": "Never"})
}

#[tokio::test]
async fn priority_comes_from_the_class() {
    let world = world();
    world.seed("scheduling.k8s.io/v1/priorityclasses", class("high", 1000, false));
    world.seed("scheduling.k8s.io/v1/priorityclasses", class("usual", 7, true));

    let mut object = pod();
    object["spec"]["priorityClassName"] = json!("high");
    admit(&world, CREATE_POD, &mut object).await.unwrap();
    assert_eq!((&object["spec"]["priority"], &object["spec"]["preemptionPolicy"]), (&json!(1000), &json!("Never")));

    let mut object = pod();
    admit(&world, CREATE_POD, &mut object).await.unwrap();
    assert_eq!((&object["spec"]["priority"], &object["spec"]["priorityClassName"]), (&json!(7), &json!("usual")));

    for (field, value, why) in [
        ("priorityClassName", json!("none"), "no PriorityClass with name none was found"),
        (
            "priority",
            json!(5),
            "the integer value of priority (5) must not be provided in pod spec; priority admission controller computed 7 from the given PriorityClass name",
        ),
    ] {
        let mut object = pod();
        object["spec"][field] = value;
        let refused = admit(&world, CREATE_POD, &mut object).await.unwrap_err();
        assert_eq!(refused.message, format!("pods \"web\" is forbidden: {why}"));
    }

    let old = object;
    let mut new = pod();
    admit(&world, Write { operation: Operation::Update, old: Some(&old), ..CREATE_POD }, &mut new).await.unwrap();
    assert_eq!(new["spec"]["priority"], 7);
}

#[tokio::test]
async fn only_one_class_is_the_default() {
    let world = world();
    world.seed("scheduling.k8s.io/v1/priorityclasses", class("usual", 7, true));
    let write = |name, old| Write { resource: "scheduling.k8s.io/v1/priorityclasses", namespace: "", name, old, ..CREATE_POD };
    let refused = admit(&world, write("other", None), &mut class("other", 1, true)).await.unwrap_err();
    assert_eq!(
        refused.message,
        "priorityclasses.scheduling.k8s.io \"other\" is forbidden: PriorityClass usual is already marked as default. Only one default can exist"
    );
    admit(&world, write("other", None), &mut class("other", 1, false)).await.unwrap();
    let old = class("usual", 7, true);
    let update = Write { operation: Operation::Update, ..write("usual", Some(&old)) };
    admit(&world, update, &mut class("usual", 7, true)).await.unwrap();
}

#[tokio::test]
async fn a_new_node_is_tainted_once() {
    let mut node = json!({"metadata": {"name": "n"}});
    let write = || Write { resource: "v1/nodes", namespace: "", name: "n", ..CREATE_POD };
    admit(&world(), write(), &mut node).await.unwrap();
    admit(&world(), write(), &mut node).await.unwrap();
    assert_eq!(node["spec"]["taints"], json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]));
}

#[test]
fn flags_choose_the_plugins() {
    let setup = setup(&world());
    let names = |enable: &[&str], disable: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        plugins(&owned(enable), &owned(disable), &setup).map(|all| all.iter().map(|p| p.name()).collect::<Vec<_>>())
    };
    let all = names(&[], &[]).unwrap();
    assert!(all.starts_with(&["NamespaceLifecycle"]));
    assert!(!names(&[], &["ServiceAccount"]).unwrap().contains(&"ServiceAccount"));
    assert_eq!(names(&["Priority"], &[]).unwrap(), all);
    assert_eq!(names(&["Nonsense"], &[]), Err(FlagError::Unknown("Nonsense".into())));
    assert!(names(&["ImagePolicyWebhook"], &[]).unwrap().contains(&"ImagePolicyWebhook"));
    assert_eq!(names(&["Priority"], &["Priority"]), Err(FlagError::Both("Priority".into())));
}

fn range(limit: Value) -> Value {
    json!({"metadata": {"namespace": "shop", "name": "limits"}, "spec": {"limits": [limit]}})
}

#[tokio::test]
async fn containers_get_the_defaults_of_their_namespace() {
    let world = world();
    world.seed(
        "v1/limitranges",
        range(json!({"type": "Container", "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "100m"}})),
    );
    let mut object = pod();
    object["spec"]["containers"][0]["resources"] = json!({"limits": {"memory": "2Gi"}});
    admit(&world, CREATE_POD, &mut object).await.unwrap();
    assert_eq!(
        object["spec"]["containers"][0]["resources"],
        json!({"limits": {"memory": "2Gi", "cpu": "1"}, "requests": {"cpu": "100m"}})
    );
    let annotation = "LimitRanger plugin set: cpu request for container c; cpu limit for container c";
    assert_eq!(object["metadata"]["annotations"]["kubernetes.io/limit-ranger"], annotation);
}

#[tokio::test]
async fn limits_are_enforced() {
    let container = |resources: Value| {
        let mut object = pod();
        object["spec"]["containers"][0]["resources"] = resources;
        object
    };
    let cases = [
        (
            json!({"type": "Container", "max": {"cpu": "1"}}),
            json!({"limits": {"cpu": "2"}}),
            "maximum cpu usage per Container is 1, but limit is 2",
        ),
        (
            json!({"type": "Container", "max": {"cpu": "1"}}),
            json!({}),
            "maximum cpu usage per Container is 1.  No limit is specified",
        ),
        (
            json!({"type": "Container", "min": {"memory": "1Gi"}}),
            json!({"requests": {"memory": "512Mi"}}),
            "minimum memory usage per Container is 1Gi, but request is 512Mi",
        ),
        (
            json!({"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}}),
            json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "300m"}}),
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
        ),
        (
            json!({"type": "Pod", "max": {"cpu": "1", "memory": "1Gi"}}),
            json!({"limits": {"cpu": "1500m", "memory": "2Gi"}}),
            "[maximum cpu usage per Pod is 1, but limit is 1500m, maximum memory usage per Pod is 1Gi, but limit is 2Gi]",
        ),
    ];
    for (limit, resources, why) in cases {
        let world = world();
        world.seed("v1/limitranges", range(limit));
        let refused = admit(&world, CREATE_POD, &mut container(resources)).await.unwrap_err();
        assert_eq!(refused.message, format!("pods \"web\" is forbidden: {why}"));
    }
}

#[tokio::test]
async fn claims_are_limited() {
    let world = world();
    world.seed("v1/limitranges", range(json!({"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}})));
    let write = || Write { resource: "v1/persistentvolumeclaims", name: "data", ..CREATE_POD };
    let claim = |size: &str| json!({"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": size}}}});
    let refused = admit(&world, write(), &mut claim("2Gi")).await.unwrap_err();
    assert!(refused.message.ends_with("maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi"), "{refused}");
    admit(&world, write(), &mut claim("1Gi")).await.unwrap();
}

#[tokio::test]
async fn the_newest_default_class_is_chosen() {
    let world = world();
    let class = |name: &str, made: &str, default: &str| json!({"metadata": {"name": name, "creationTimestamp": made, "annotations": {"storageclass.kubernetes.io/is-default-class": default}}});
    world.seed("storage.k8s.io/v1/storageclasses", class("old", "2030-01-01T00:00:00Z", "true"));
    world.seed("storage.k8s.io/v1/storageclasses", class("new", "2031-01-01T00:00:00Z", "true"));
    world.seed("storage.k8s.io/v1/storageclasses", class("other", "2032-01-01T00:00:00Z", "false"));
    let write = || Write { resource: "v1/persistentvolumeclaims", name: "data", ..CREATE_POD };
    let mut claim = json!({"metadata": {"name": "data"}, "spec": {}});
    admit(&world, write(), &mut claim).await.unwrap();
    assert_eq!(claim["spec"]["storageClassName"], "new");
    let mut claim = json!({"metadata": {"name": "data"}, "spec": {"storageClassName": ""}});
    admit(&world, write(), &mut claim).await.unwrap();
    assert_eq!(claim["spec"]["storageClassName"], "");
}

#[tokio::test]
async fn pods_take_overhead_and_place_from_their_runtime_class() {
    let world = world();
    let scheduling = json!({"nodeSelector": {"kind": "micro"}, "tolerations": [{"key": "micro", "operator": "Exists"}]});
    world.seed(
        "node.k8s.io/v1/runtimeclasses",
        json!({"metadata": {"name": "micro"}, "overhead": {"podFixed": {"cpu": "10m"}}, "scheduling": scheduling}),
    );
    let mut object = pod();
    object["spec"]["runtimeClassName"] = json!("micro");
    admit(&world, CREATE_POD, &mut object).await.unwrap();
    assert_eq!(
        (&object["spec"]["overhead"], &object["spec"]["nodeSelector"]),
        (&json!({"cpu": "10m"}), &json!({"kind": "micro"}))
    );
    assert!(object["spec"]["tolerations"].as_array().unwrap().iter().any(|t| t["key"] == "micro"));

    object["spec"]["runtimeClassName"] = json!("gone");
    let refused = admit(&world, CREATE_POD, &mut object).await.unwrap_err();
    assert_eq!(refused.message, "pods \"web\" is forbidden: pod rejected: RuntimeClass \"gone\" not found");
    let mut object = pod();
    object["spec"]["overhead"] = json!({"cpu": "1"});
    let refused = admit(&world, CREATE_POD, &mut object).await.unwrap_err();
    assert!(refused.message.ends_with("Pod Overhead set without corresponding RuntimeClass defined Overhead"), "{refused}");
}
