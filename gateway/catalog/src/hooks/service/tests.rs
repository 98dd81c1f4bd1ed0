//! Services from draft to deletion over a world in memory.

use model::Status;
use model::field::Errors;
use model::json::json;
use model::world::DeleteOptions;

use super::world::{Fake, gvr};
use super::*;

fn cluster(cidrs: Value) -> Fake {
    let fake = Fake::new(&[]);
    fake.seed("networking.k8s.io/v1/servicecidrs", json!({"metadata": {"name": "kubernetes"}, "spec": {"cidrs": cidrs}}));
    fake
}

fn service(spec: Value) -> Value {
    json!({"metadata": {"namespace": "a", "name": "web"}, "spec": spec})
}

fn web(mut spec: Value) -> Value {
    if spec.get("ports").is_none() {
        spec["ports"] = json!([{"port": 80}]);
    }
    service(spec)
}

fn check(new: &Value, old: Option<&Value>) -> Vec<String> {
    let mut errors = Errors::new();
    match old {
        None => validate::create(new, &mut errors),
        Some(old) => validate::update(new, old, &mut errors),
    }
    errors.0.iter().map(ToString::to_string).collect()
}

/// What the write path does with a Service, as far as its hooks go.
async fn write(world: &Fake, mut new: Value, old: Option<&Value>, put: Result<(), ()>) -> Result<Value, Status> {
    prepare::default(&mut new);
    match old {
        None => prepare::create(&mut new),
        Some(old) => prepare::update(&mut new, old),
    }
    let begun = begin(world, Change { new: &mut new, old, dry_run: false }).await?;
    assert_eq!(check(&new, old), [""; 0], "{new}");
    let finish = if put.is_ok() { begun.on_success } else { begun.on_failure };
    if let Some(finish) = finish {
        finish(world).await;
    }
    Ok(new)
}

async fn ports_in_use(world: &Fake) -> String {
    world.record(ports::RECORD).await.unwrap().map_or(String::new(), |(record, _)| record["data"].as_str().unwrap().to_owned())
}

#[test]
fn defaults_are_upstreams() {
    let mut object = service(json!({"ports": [{"port": 80}, {"port": 53, "protocol": "UDP", "targetPort": "dns"}]}));
    prepare::default(&mut object);
    assert_eq!(
        object["spec"],
        json!({
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}, {"port": 53, "protocol": "UDP", "targetPort": "dns"}],
            "sessionAffinity": "None", "type": "ClusterIP", "internalTrafficPolicy": "Cluster",
        })
    );
    let mut object = service(json!({"type": "LoadBalancer", "sessionAffinity": "ClientIP"}));
    prepare::default(&mut object);
    assert_eq!(object["spec"]["externalTrafficPolicy"], "Cluster");
    assert_eq!(object["spec"]["allocateLoadBalancerNodePorts"], true);
    assert_eq!(object["spec"]["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"], 10800);
}

#[tokio::test]
async fn a_service_gets_an_address_and_gives_it_back() {
    let world = cluster(json!(["10.0.0.0/24"]));
    let stored = write(&world, web(json!({})), None, Ok(())).await.unwrap();
    let ip = stored["spec"]["clusterIP"].as_str().unwrap().to_owned();
    assert_eq!(stored["spec"]["clusterIPs"], json!([ip]));
    assert_eq!((&stored["spec"]["ipFamilies"], &stored["spec"]["ipFamilyPolicy"]), (&json!(["IPv4"]), &json!("SingleStack")));
    let address = world.peek("networking.k8s.io/v1/ipaddresses", "", &ip).unwrap();
    assert_eq!(address["spec"]["parentRef"], json!({"group": "", "resource": "services", "namespace": "a", "name": "web"}));
    assert_eq!(address["metadata"]["labels"]["ipaddress.kubernetes.io/managed-by"], "ipallocator.k8s.io");
    after_delete(&world, &stored).await;
    assert_eq!(world.names("networking.k8s.io/v1/ipaddresses"), [""; 0]);
}

#[tokio::test]
async fn a_named_address_is_given_once() {
    let world = cluster(json!(["10.0.0.0/24"]));
    write(&world, web(json!({"clusterIP": "10.0.0.10"})), None, Ok(())).await.unwrap();
    let refused = write(&world, web(json!({"clusterIP": "10.0.0.10"})), None, Ok(())).await.unwrap_err();
    assert_eq!(
        refused.message,
        "Service \"web\" is invalid: spec.clusterIPs: Invalid value: [\"10.0.0.10\"]: failed to allocate IP 10.0.0.10: provided IP is already allocated"
    );
    let refused = write(&world, web(json!({"clusterIP": "192.168.0.1"})), None, Ok(())).await.unwrap_err();
    assert!(
        refused.message.ends_with("failed to allocate IP 192.168.0.1: the provided network does not match the current range"),
        "{refused}"
    );
    assert_eq!(world.names("networking.k8s.io/v1/ipaddresses"), ["/10.0.0.10"]);
}

#[tokio::test]
async fn a_full_range_says_so_and_a_failed_write_leaves_nothing() {
    let world = cluster(json!(["10.0.0.0/30"]));
    let failed = write(&world, web(json!({"type": "NodePort"})), None, Err(())).await.unwrap();
    assert_ne!(failed["spec"]["ports"][0]["nodePort"], Value::Null);
    assert_eq!(world.names("networking.k8s.io/v1/ipaddresses"), [""; 0]);
    assert_eq!(ports_in_use(&world).await, "");
    for _ in 0..2 {
        write(&world, web(json!({})), None, Ok(())).await.unwrap();
    }
    let refused = write(&world, web(json!({})), None, Ok(())).await.unwrap_err();
    assert!(refused.message.contains("failed to allocate a serviceIP for Service \"web\": range is full"), "{refused}");
}

#[tokio::test]
async fn headless_and_external_services_hold_nothing() {
    let world = cluster(json!(["10.0.0.0/24"]));
    let headless = write(&world, service(json!({"clusterIP": "None", "selector": {"a": "b"}})), None, Ok(())).await.unwrap();
    assert_eq!((&headless["spec"]["clusterIPs"], &headless["spec"]["ipFamilies"]), (&json!(["None"]), &json!(["IPv4"])));
    let selectorless = write(&world, service(json!({"clusterIP": "None"})), None, Ok(())).await.unwrap();
    assert_eq!(selectorless["spec"]["ipFamilyPolicy"], "RequireDualStack");
    assert_eq!(selectorless["spec"]["ipFamilies"], json!(["IPv4", "IPv6"]));
    let external =
        write(&world, service(json!({"type": "ExternalName", "externalName": "example.com."})), None, Ok(())).await.unwrap();
    assert_eq!(external["spec"].get("clusterIP"), None);
    assert_eq!(world.names("networking.k8s.io/v1/ipaddresses"), [""; 0]);
}

#[tokio::test]
async fn changing_the_type_gives_back_what_is_not_needed() {
    let world = cluster(json!(["10.0.0.0/24"]));
    let exposed = write(&world, web(json!({"type": "NodePort"})), None, Ok(())).await.unwrap();
    let mut back = exposed.clone();
    back["spec"]["type"] = json!("ClusterIP");
    let inner = write(&world, back, Some(&exposed), Ok(())).await.unwrap();
    assert_eq!(inner["spec"]["ports"][0].get("nodePort"), None);
    assert_eq!(inner["spec"]["clusterIP"], exposed["spec"]["clusterIP"]);
    assert_eq!(inner["spec"].get("externalTrafficPolicy"), None);
    assert_eq!(ports_in_use(&world).await, "");

    let external = service(json!({"type": "ExternalName", "externalName": "example.com", "internalTrafficPolicy": "Local"}));
    let outside = write(&world, external, Some(&inner), Ok(())).await.unwrap();
    assert_eq!((outside["spec"].get("clusterIPs"), outside["spec"].get("internalTrafficPolicy")), (None, None));
    assert_eq!(world.names("networking.k8s.io/v1/ipaddresses"), [""; 0]);
    let again = write(&world, web(json!({})), Some(&outside), Ok(())).await.unwrap();
    assert!(again["spec"]["clusterIP"].as_str().unwrap().starts_with("10.0.0."));
}

#[tokio::test]
async fn what_was_allocated_is_kept_by_a_manifest_without_it() {
    let world = cluster(json!(["10.0.0.0/24"]));
    let ports = json!([{"name": "a", "port": 80}, {"name": "b", "port": 81}]);
    let first = write(&world, service(json!({"type": "NodePort", "ports": ports})), None, Ok(())).await.unwrap();
    let second = write(&world, service(json!({"type": "NodePort", "ports": ports})), Some(&first), Ok(())).await.unwrap();
    assert_eq!(second["spec"], first["spec"]);
}

#[tokio::test]
async fn node_ports_are_shared_between_protocols_and_given_once() {
    let world = cluster(json!(["10.0.0.0/24"]));
    let ports = json!([{"name": "t", "port": 53}, {"name": "u", "port": 53, "protocol": "UDP", "nodePort": 30053}]);
    let dns = write(&world, service(json!({"type": "NodePort", "ports": ports})), None, Ok(())).await.unwrap();
    assert_eq!(dns["spec"]["ports"][0]["nodePort"], 30053);
    let refused = write(&world, web(json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30053}]})), None, Ok(()))
        .await
        .unwrap_err();
    assert_eq!(
        refused.message,
        "Service \"web\" is invalid: spec.ports[0].nodePort: Invalid value: 30053: provided port is already allocated"
    );
    assert_eq!(world.names("networking.k8s.io/v1/ipaddresses").len(), 1, "the address of the refused one was given back");
    let refused =
        write(&world, web(json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]})), None, Ok(())).await.unwrap_err();
    assert!(
        refused.message.ends_with("provided port is not in the valid range. The range of valid ports is 30000-32767"),
        "{refused}"
    );
    after_delete(&world, &dns).await;
    assert_eq!(ports_in_use(&world).await, "");
}

#[tokio::test]
async fn a_local_balancer_gets_a_health_check_port() {
    let world = cluster(json!(["10.0.0.0/24"]));
    let balancer =
        write(&world, web(json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"})), None, Ok(())).await.unwrap();
    assert!(balancer["spec"]["healthCheckNodePort"].as_i64().unwrap() >= 30000);
    let mut new = balancer.clone();
    new["spec"]["healthCheckNodePort"] = json!(30001);
    assert_eq!(check(&new, Some(&balancer)), ["spec.healthCheckNodePort: Forbidden: field is immutable"]);
}

#[tokio::test]
async fn two_families_where_the_cluster_has_two() {
    let single = cluster(json!(["10.0.0.0/24"]));
    let refused = write(&single, web(json!({"ipFamilyPolicy": "RequireDualStack"})), None, Ok(())).await.unwrap_err();
    assert!(refused.message.ends_with("this cluster is not configured for dual-stack services"), "{refused}");
    let refused = write(&single, web(json!({"ipFamilies": ["IPv6"]})), None, Ok(())).await.unwrap_err();
    assert!(
        refused.message.ends_with("spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster"),
        "{refused}"
    );

    let dual = cluster(json!(["10.0.0.0/24", "fd00::/112"]));
    let both = write(&dual, web(json!({"ipFamilyPolicy": "PreferDualStack"})), None, Ok(())).await.unwrap();
    assert_eq!(both["spec"]["ipFamilies"], json!(["IPv4", "IPv6"]));
    assert!(both["spec"]["clusterIPs"][1].as_str().unwrap().starts_with("fd00::"));
    let mut one = both.clone();
    one["spec"]["ipFamilyPolicy"] = json!("SingleStack");
    let one = write(&dual, one, Some(&both), Ok(())).await.unwrap();
    assert_eq!(one["spec"]["clusterIPs"], json!([both["spec"]["clusterIP"]]));
    assert_eq!(dual.names("networking.k8s.io/v1/ipaddresses").len(), 1);
}

#[tokio::test]
async fn a_dry_run_keeps_nothing() {
    let world = cluster(json!(["10.0.0.0/24"]));
    let mut new = web(json!({"type": "NodePort"}));
    prepare::default(&mut new);
    begin(&world, Change { new: &mut new, old: None, dry_run: true }).await.unwrap();
    assert_eq!(new["spec"]["clusterIP"], "10.0.0.0");
    assert_ne!(new["spec"]["ports"][0]["nodePort"], Value::Null);
    assert_eq!((world.names("networking.k8s.io/v1/ipaddresses").len(), ports_in_use(&world).await.as_str()), (0, ""));
}

#[tokio::test]
async fn an_address_that_went_to_another_is_left_alone() {
    let world = cluster(json!(["10.0.0.0/24"]));
    let stored = write(&world, web(json!({"clusterIP": "10.0.0.10"})), None, Ok(())).await.unwrap();
    world.delete(&gvr("networking.k8s.io/v1/ipaddresses"), "", "10.0.0.10", DeleteOptions::default()).await.unwrap();
    let mut other = web(json!({"clusterIP": "10.0.0.10"}));
    meta::set(&mut other, "name", "other");
    write(&world, other, None, Ok(())).await.unwrap();
    after_delete(&world, &stored).await;
    assert_eq!(world.names("networking.k8s.io/v1/ipaddresses"), ["/10.0.0.10"]);
}

#[test]
fn errors_read_as_upstream() {
    let faults = |spec: Value| {
        let mut object = service(spec);
        prepare::default(&mut object);
        prepare::create(&mut object);
        check(&object, None)
    };
    assert_eq!(faults(json!({})), ["spec.ports: Required value"]);
    assert_eq!(
        faults(json!({"ports": [{"port": 0}, {"name": "B", "port": 70000}]})),
        [
            "spec.ports[0].name: Required value",
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.ports[1].name: Invalid value: \"B\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
            "spec.ports[1].port: Invalid value: 70000: must be between 1 and 65535, inclusive",
            "spec.ports[1].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ]
    );
    assert_eq!(
        faults(json!({"type": "Magic", "ports": [{"port": 80}]})),
        [
            "spec.type: Unsupported value: \"Magic\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\""
        ]
    );
    assert_eq!(
        faults(json!({"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80}]})),
        [
            "spec.ports[1]: Duplicate value: {\"Name\":\"\",\"Protocol\":\"TCP\",\"AppProtocol\":null,\"Port\":80,\"TargetPort\":0,\"NodePort\":0}"
        ]
    );
    assert_eq!(
        faults(json!({"ports": [{"port": 80, "nodePort": 30000}]})),
        ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"]
    );
    assert_eq!(
        faults(json!({"clusterIP": "nonsense", "ports": [{"port": 80}]})),
        ["spec.clusterIPs[0]: Invalid value: \"nonsense\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    );
    assert_eq!(faults(json!({"type": "ExternalName"})), ["spec.externalName: Required value"]);
    assert_eq!(
        faults(json!({"type": "NodePort", "clusterIP": "None", "ports": [{"port": 80}]})),
        ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"]
    );
}

#[test]
fn addresses_stay() {
    let old = service(
        json!({"type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"], "sessionAffinity": "None", "internalTrafficPolicy": "Cluster", "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]}),
    );
    let mut new = old.clone();
    new["spec"]["clusterIP"] = json!("10.0.0.2");
    prepare::update(&mut new, &old);
    assert_eq!(check(&new, Some(&old)), ["spec.clusterIPs[0]: Invalid value: [\"10.0.0.2\"]: may not change once set"]);
}

#[test]
fn warnings_are_given() {
    let warned =
        warnings::warnings(&service(json!({"type": "ClusterIP", "externalIPs": ["1.2.3.4"], "externalName": "x"})), None);
    assert_eq!(
        warned,
        [
            "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
            "spec.externalName is ignored when spec.type is not \"ExternalName\""
        ]
    );
}
