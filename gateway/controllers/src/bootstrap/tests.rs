//! A fresh cluster, and one that was tampered with.

use super::*;
use crate::tests::{NOW, context};
use crate::world::{Fake, gvr};

pub(super) fn settings() -> Settings {
    Settings {
        reconciler: Reconciler::Alone,
        service_cidrs: vec!["10.0.0.0/24".into()],
        advertise_address: "192.0.2.1".parse().unwrap(),
        secure_port: 6443,
        node_ports: "30000-32767".into(),
    }
}

/// Waits for what the controllers do in their own time.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it did not come to pass that {what}");
}

#[tokio::test]
async fn a_fresh_cluster_has_everything_and_a_second_start_writes_nothing() {
    let world = Fake::new(&[]);
    run(&world, &world, &settings(), NOW.parse().unwrap()).await.unwrap();
    assert_eq!(world.names("v1/namespaces"), ["/default", "/kube-node-lease", "/kube-public", "/kube-system"]);
    let service = world.peek("v1/services", "default", "kubernetes").unwrap();
    assert_eq!((&service["spec"]["clusterIP"], &service["spec"]["ports"][0]["targetPort"]), (&"10.0.0.1".into(), &6443.into()));
    let slice = world.peek("discovery.k8s.io/v1/endpointslices", "default", "kubernetes").unwrap();
    assert_eq!(slice["endpoints"][0]["addresses"][0], "192.0.2.1");
    let range = world.peek("networking.k8s.io/v1/servicecidrs", "", "kubernetes").unwrap();
    assert_eq!(range["status"]["conditions"][0]["status"], "True");
    assert!(world.names("rbac.authorization.k8s.io/v1/clusterroles").contains(&"/cluster-admin".to_owned()));
    assert!(world.names("flowcontrol.apiserver.k8s.io/v1/flowschemas").contains(&"/catch-all".to_owned()));
    assert_eq!(world.names("scheduling.k8s.io/v1/priorityclasses"), ["/system-cluster-critical", "/system-node-critical"]);

    world.take_log();
    run(&world, &world, &settings(), NOW.parse().unwrap()).await.unwrap();
    assert_eq!(world.take_log(), [""; 0]);
}

#[tokio::test]
async fn what_is_deleted_or_bent_comes_back() {
    let (context, world) = context(Fake::new(&[]));
    run(&*world, &*world, &settings(), NOW.parse().unwrap()).await.unwrap();
    let mut runtime = Runtime::new(context);
    add(&mut runtime, settings(), world.clone());
    runtime.follow();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;

    let options = model::world::DeleteOptions::default;
    world.delete(&gvr("v1/services"), "default", "kubernetes", options()).await.unwrap();
    world.delete(&gvr("v1/namespaces"), "", "kube-node-lease", options()).await.unwrap();
    let mut slice = world.peek("discovery.k8s.io/v1/endpointslices", "default", "kubernetes").unwrap();
    slice["endpoints"] = model::json::json!([]);
    world.update(&gvr("discovery.k8s.io/v1/endpointslices"), "", slice).await.unwrap();
    until("they are back", || {
        let slice = world.peek("discovery.k8s.io/v1/endpointslices", "default", "kubernetes").unwrap();
        let restored = slice["endpoints"][0]["addresses"][0] == "192.0.2.1";
        restored && world.peek("v1/services", "default", "kubernetes").is_some() && world.names("v1/namespaces").len() == 4
    })
    .await;
}

#[tokio::test]
async fn a_config_map_that_cannot_be_read_keeps_no_server_from_starting() {
    let (context, world) = context(Fake::new(&[]));
    let name = "kube-apiserver-legacy-service-account-token-tracking";
    world.fail(&format!("create configmaps kube-system/{name}"), Status::internal("unable to transform key"));
    run(&*world, &*world, &settings(), NOW.parse().unwrap()).await.unwrap();
    assert!(world.peek("v1/configmaps", "kube-system", name).is_none());
    let mut runtime = Runtime::new(context);
    add(&mut runtime, settings(), world.clone());
    runtime.follow();
    until("it is made", || world.peek("v1/configmaps", "kube-system", name).is_some()).await;
}

#[tokio::test]
async fn a_flow_schema_is_told_whether_its_level_exists() {
    let (context, world) = context(Fake::new(&[]));
    run(&*world, &*world, &settings(), NOW.parse().unwrap()).await.unwrap();
    let mut runtime = Runtime::new(context);
    add(&mut runtime, settings(), world.clone());
    runtime.follow();
    let schemas = gvr("flowcontrol.apiserver.k8s.io/v1/flowschemas");
    let schema = model::json::json!({"metadata": {"name": "mine"}, "spec": {"priorityLevelConfiguration": {"name": "exempt"}}});
    world.create(&schemas, "", schema).await.unwrap();
    until("something is said of it", || {
        let schema = world.peek("flowcontrol.apiserver.k8s.io/v1/flowschemas", "", "mine").unwrap();
        schema["status"]["conditions"][0]["status"] == "False"
    })
    .await;
}

#[tokio::test]
async fn a_service_whose_address_is_still_taken_keeps_no_server_from_starting() {
    let (context, world) = context(Fake::new(&[]));
    world.fail("create services default/kubernetes", Status::new(422, "Invalid", "provided IP is already allocated"));
    run(&*world, &*world, &settings(), NOW.parse().unwrap()).await.unwrap();
    assert!(world.peek("v1/services", "default", "kubernetes").is_none());
    let mut runtime = Runtime::new(context);
    add(&mut runtime, settings(), world.clone());
    runtime.follow();
    until("it is made", || world.peek("v1/services", "default", "kubernetes").is_some()).await;
}
