//! What objects count, in the cases of upstream's tests of the evaluators.

use model::json::json;

use super::*;

const NOW: &str = "2030-01-01T00:00:00Z";

fn evaluator(resource: &str) -> Evaluator {
    let (name, group) = resource.split_once('.').unwrap_or((resource, ""));
    Evaluator::of(&GroupResource::new(group, name)).unwrap()
}

/// `name=amount`, in order of names.
fn counted(resource: &str, object: &Value) -> String {
    let usage = evaluator(resource).usage(object, NOW.parse().unwrap());
    usage.iter().map(|(name, amount)| format!("{name}={amount}")).collect::<Vec<_>>().join(" ")
}

fn pod(requests: Value, limits: Value) -> Value {
    json!({"spec": {"containers": [{"name": "c", "resources": {"requests": requests, "limits": limits}}]}})
}

#[test]
fn pods_count_what_they_ask_for_under_every_name() {
    for (requests, limits, expected) in [
        (json!({}), json!({}), "count/pods=1 pods=1"),
        (json!({"cpu": "1m"}), json!({"cpu": "2m"}), "count/pods=1 cpu=1m limits.cpu=2m pods=1 requests.cpu=1m"),
        (
            json!({"ephemeral-storage": "1Gi", "memory": "1"}),
            json!({"memory": "2"}),
            "count/pods=1 ephemeral-storage=1Gi limits.memory=2 memory=1 pods=1 requests.ephemeral-storage=1Gi requests.memory=1",
        ),
        (
            json!({"hugepages-2Mi": "4Mi", "example.com/dongle": "3", "deviceclass.resource.kubernetes.io/gpu": "1"}),
            json!({"hugepages-2Mi": "4Mi", "example.com/dongle": "3"}),
            "count/pods=1 hugepages-2Mi=4Mi pods=1 requests.deviceclass.resource.kubernetes.io/gpu=1 requests.example.com/dongle=3 requests.hugepages-2Mi=4Mi",
        ),
    ] {
        assert_eq!(counted("pods", &pod(requests, limits)), expected);
    }
}

#[test]
fn what_is_on_top_of_containers_and_before_them_counts() {
    let mut pod = pod(json!({"cpu": "1"}), json!({"cpu": "2"}));
    pod["spec"]["initContainers"] = json!([
        {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}},
        {"name": "first", "resources": {"requests": {"cpu": "3"}, "limits": {"cpu": "5"}}},
    ]);
    pod["spec"]["overhead"] = json!({"cpu": "250m", "memory": "1Mi"});
    let expected = "count/pods=1 cpu=4250m limits.cpu=5250m memory=1Mi pods=1 requests.cpu=4250m requests.memory=1Mi";
    assert_eq!(counted("pods", &pod), expected, "no limit is raised that is not there");
    pod["spec"]["resources"] = json!({"requests": {"cpu": "10"}, "limits": {"cpu": "12"}});
    assert!(
        counted("pods", &pod).contains("limits.cpu=12250m memory=1Mi pods=1 requests.cpu=10250m"),
        "{}",
        counted("pods", &pod)
    );
}

#[test]
fn a_resize_counts_whichever_is_more_until_it_is_done() {
    let mut pod = pod(json!({"cpu": "1"}), json!({"cpu": "1"}));
    pod["status"] = json!({"containerStatuses": [{"name": "c", "allocatedResources": {"cpu": "2"}, "resources": {"requests": {"cpu": "3"}, "limits": {"cpu": "4"}}}]});
    assert_eq!(counted("pods", &pod), "count/pods=1 cpu=3 limits.cpu=4 pods=1 requests.cpu=3");
    pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "9".into();
    assert!(counted("pods", &pod).contains(" cpu=9 "));
    pod["status"]["conditions"] = json!([{"type": "PodResizePending", "status": "True", "reason": "Infeasible"}]);
    assert!(counted("pods", &pod).contains(" cpu=3 "), "what the node cannot give counts for nothing");
}

#[test]
fn pods_that_are_over_count_as_objects_only() {
    let asks = pod(json!({"cpu": "1"}), json!({}));
    for (metadata, phase, ended) in [
        (json!({}), "Running", false),
        (json!({}), "Succeeded", true),
        (json!({}), "Failed", true),
        (json!({"deletionTimestamp": "2029-12-31T23:59:29Z", "deletionGracePeriodSeconds": 30}), "Running", true),
        (json!({"deletionTimestamp": "2029-12-31T23:59:31Z", "deletionGracePeriodSeconds": 30}), "Running", false),
        (json!({"deletionTimestamp": "2029-12-31T00:00:00Z"}), "Running", false),
    ] {
        let mut pod = asks.clone();
        (pod["metadata"], pod["status"]) = (metadata.clone(), json!({"phase": phase}));
        assert_eq!(counted("pods", &pod) == "count/pods=1", ended, "{phase} {metadata}");
    }
}

#[test]
fn containers_must_name_what_is_counted_of_cpu_and_memory() {
    let mut two = pod(json!({"cpu": "1m"}), json!({"memory": "1"}));
    two["spec"]["initContainers"] = json!([{"name": "a", "resources": {"limits": {"cpu": "1"}}}]);
    let missing = |named: &[&str]| Evaluator::Pods.missing(named, &two);
    assert_eq!(missing(&["pods", "requests.ephemeral-storage", "count/pods"]), None);
    assert_eq!(
        missing(&["limits.cpu", "memory", "requests.cpu"]).unwrap(),
        "must specify limits.cpu for: c; memory for: a,c; requests.cpu for: a"
    );
    two["spec"]["resources"] = json!({"requests": {"memory": "1Gi"}});
    assert_eq!(Evaluator::Pods.missing(&["limits.cpu"], &two), None, "the pod says it as a whole");
}

#[test]
fn services_count_their_ports_and_balancers() {
    let service = |kind: &str, more: Value| {
        let mut spec = json!({"type": kind, "ports": [{"port": 1}, {"port": 2, "nodePort": 30000}]});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        counted("services", &json!({"spec": spec}))
    };
    let expected =
        |balancers, ports| format!("count/services=1 services=1 services.loadbalancers={balancers} services.nodeports={ports}");
    assert_eq!(service("ClusterIP", json!({})), expected(0, 0));
    assert_eq!(service("NodePort", json!({})), expected(0, 2));
    assert_eq!(service("LoadBalancer", json!({})), expected(1, 2));
    assert_eq!(service("LoadBalancer", json!({"allocateLoadBalancerNodePorts": false})), expected(1, 1));
}

#[test]
fn claims_count_their_storage_once_more_by_class() {
    let mut claim = json!({"metadata": {}, "spec": {"resources": {"requests": {"storage": "1500m"}}}});
    let plain = "count/persistentvolumeclaims=1 persistentvolumeclaims=1 requests.storage=2";
    assert_eq!(counted("persistentvolumeclaims", &claim), plain, "whole bytes");
    claim["spec"] = json!({"storageClassName": "gold", "resources": {"requests": {"storage": "1Gi"}}});
    claim["status"] = json!({"allocatedResources": {"storage": "2Gi"}});
    let classed = "count/persistentvolumeclaims=1 gold.storageclass.storage.k8s.io/persistentvolumeclaims=1 \
                   gold.storageclass.storage.k8s.io/requests.storage=2Gi persistentvolumeclaims=1 requests.storage=2Gi";
    assert_eq!(counted("persistentvolumeclaims", &claim), classed);
}

#[test]
fn resource_claims_count_devices_of_each_class() {
    let claim =
        |requests: Value| counted("resourceclaims.resource.k8s.io", &json!({"spec": {"devices": {"requests": requests}}}));
    let count = "count/resourceclaims.resource.k8s.io=1";
    assert_eq!(claim(json!([])), count);
    let exactly = |class: &str, mode: &str, count: i64| json!({"exactly": {"deviceClassName": class, "allocationMode": mode, "count": count}});
    assert_eq!(
        claim(json!([exactly("gpu", "ExactCount", 2), exactly("gpu", "ExactCount", 3), exactly("net", "All", 0)])),
        format!("{count} gpu.deviceclass.resource.k8s.io/devices=5 net.deviceclass.resource.k8s.io/devices=32")
    );
    let either = json!([{"firstAvailable": [
        {"deviceClassName": "big", "allocationMode": "ExactCount", "count": 1},
        {"deviceClassName": "small", "allocationMode": "ExactCount", "count": 2},
        {"deviceClassName": "small", "allocationMode": "ExactCount", "count": 4},
    ]}]);
    assert_eq!(
        claim(either),
        format!("big.deviceclass.resource.k8s.io/devices=1 {count} small.deviceclass.resource.k8s.io/devices=4")
    );
}

#[test]
fn anything_else_counts_by_number() {
    assert_eq!(counted("secrets", &json!({})), "count/secrets=1 secrets=1");
    assert_eq!(counted("deployments.apps", &json!({})), "count/deployments.apps=1");
    assert_eq!(counted("resourcequotas", &json!({})), "count/resourcequotas=1 resourcequotas=1");
    assert_eq!(Evaluator::of(&GroupResource::new("events.k8s.io", "events")), None);
    let hard = [
        "services",
        "pods",
        "count/deployments.apps",
        "requests.cpu",
        "requests.example.com/x",
        "gold.storageclass.storage.k8s.io/requests.storage",
    ];
    assert_eq!(evaluator("pods").named(hard), ["pods", "requests.cpu", "requests.example.com/x"]);
    assert_eq!(evaluator("deployments.apps").named(hard), ["count/deployments.apps"]);
    assert_eq!(evaluator("persistentvolumeclaims").named(hard), ["gold.storageclass.storage.k8s.io/requests.storage"]);
}

#[test]
fn scopes_choose_pods_and_claims() {
    let scopes = |spec: Value| Scope::all(&json!({"spec": spec}));
    let is_in = |spec: Value, pod: &Value| Evaluator::Pods.is_in(&scopes(spec), pod);
    let asks = pod(json!({"cpu": "1"}), json!({}));
    assert!(is_in(json!({}), &asks) && is_in(json!({"scopes": ["NotBestEffort", "NotTerminating"]}), &asks));
    assert!(!is_in(json!({"scopes": ["NotBestEffort", "Terminating"]}), &asks));
    assert!(is_in(json!({"scopes": ["BestEffort", "Terminating"]}), &json!({"spec": {"activeDeadlineSeconds": 5}})));
    assert!(!is_in(json!({"scopes": ["PriorityClass"]}), &asks));
    let select = |operator: &str, values: Value| json!({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": operator, "values": values}]}});
    let high = json!({"spec": {"priorityClassName": "high"}});
    for (operator, values, of_high, of_none) in [
        ("In", json!(["high", "low"]), true, false),
        ("In", json!(["low"]), false, false),
        ("NotIn", json!(["high"]), false, true),
        ("Exists", json!([]), true, false),
        ("DoesNotExist", json!([]), false, true),
    ] {
        let both = (is_in(select(operator, values.clone()), &high), is_in(select(operator, values), &asks));
        assert_eq!(both, (of_high, of_none), "{operator}");
    }
    let affinity = json!({"spec": {"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"podAffinityTerm": {"namespaceSelector": {}}}]}}}});
    assert!(is_in(json!({"scopes": ["CrossNamespacePodAffinity"]}), &affinity));
    assert!(!is_in(json!({"scopes": ["CrossNamespacePodAffinity"]}), &asks));
    let claim = json!({"spec": {"volumeAttributesClassName": "slow"}, "status": {"currentVolumeAttributesClassName": "fast"}});
    let class = |operator: &str| {
        scopes(
            json!({"scopeSelector": {"matchExpressions": [{"scopeName": "VolumeAttributesClass", "operator": operator, "values": ["fast"]}]}}),
        )
    };
    assert!(Evaluator::PersistentVolumeClaims.is_in(&class("In"), &claim));
    assert!(!Evaluator::PersistentVolumeClaims.is_in(&class("In"), &json!({"spec": {}})));
    assert!(!Evaluator::Services.is_in(&scopes(json!({"scopes": ["BestEffort"]})), &json!({})), "nothing else has scopes");
}
