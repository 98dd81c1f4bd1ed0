//! Subresources that do more than show a part: bindings, evictions, connections; and the world inside.

use crate::common::{Server, server};
use base64::Engine as _;
use model::json::{Value, json};
use model::world::DeleteOptions;
use model::{GroupVersionResource, User, World};
use server::world::LocalWorld;

const PODS: &str = "/api/v1/namespaces/default/pods";

async fn with_pod(labels: Value) -> Server {
    let server = server();
    let spec = json!({"containers": [{"name": "c", "image": "i"}]});
    server.post(PODS, json!({"metadata": {"name": "p", "labels": labels}, "spec": spec})).await.ok(201);
    server
}

async fn running(server: &Server) {
    let status = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    server.patch(&format!("{PODS}/p/status"), "strategic-merge-patch+json", status).await.ok(200);
}

#[tokio::test]
async fn a_pod_is_bound_once() {
    let server = with_pod(json!({})).await;
    let binding = json!({"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}});
    let done = server.post(&format!("{PODS}/p/binding"), binding.clone()).await.ok(201).json();
    assert_eq!(done["status"], "Success");
    let pod = server.get(&format!("{PODS}/p")).await.json();
    assert_eq!(pod["spec"]["nodeName"], "n1");
    assert_eq!(pod["status"]["conditions"][0]["type"], "PodScheduled");
    let again = server.post(&format!("{PODS}/p/binding"), binding).await.ok(409);
    assert_eq!(again.message(), "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"n1\"");
    let on_node = server.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1").await.ok(200).json();
    assert_eq!(on_node["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn grace_of_a_pod_on_a_node() {
    let server = with_pod(json!({})).await;
    server.post(&format!("{PODS}/p/binding"), json!({"metadata": {"name": "p"}, "target": {"name": "n1"}})).await.ok(201);
    let marked = server.delete(&format!("{PODS}/p")).await.ok(200).json();
    assert_eq!((marked["kind"].as_str(), &marked["metadata"]["deletionGracePeriodSeconds"]), (Some("Pod"), &json!(30)));
    server.get(&format!("{PODS}/p")).await.ok(200);
    let gone = server.delete(&format!("{PODS}/p?gracePeriodSeconds=0")).await.ok(200).json();
    assert_eq!(gone["kind"], "Pod");
    server.get(&format!("{PODS}/p")).await.ok(404);
}

#[tokio::test]
async fn an_eviction_honours_the_budget() {
    let server = with_pod(json!({"app": "a"})).await;
    running(&server).await;
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    server
        .post(budgets, json!({"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "a"}}}}))
        .await
        .ok(201);
    let status = json!({"status": {"observedGeneration": 1, "currentHealthy": 1, "desiredHealthy": 1, "disruptionsAllowed": 0, "expectedPods": 1}});
    server.patch(&format!("{budgets}/b/status"), "merge-patch+json", status).await.ok(200);
    let eviction = json!({"metadata": {"name": "p"}});
    let refused = server.post(&format!("{PODS}/p/eviction"), eviction.clone()).await.ok(429);
    assert_eq!(refused.message(), "Cannot evict pod as it would violate the pod's disruption budget.");
    assert_eq!(
        refused.json()["details"]["causes"][0]["message"],
        "The disruption budget b needs 1 healthy pods and has 1 currently"
    );
    server.patch(&format!("{budgets}/b/status"), "merge-patch+json", json!({"status": {"disruptionsAllowed": 1}})).await.ok(200);
    assert_eq!(server.post(&format!("{PODS}/p/eviction"), eviction).await.ok(201).json()["status"], "Success");
    server.get(&format!("{PODS}/p")).await.ok(404);
    let budget = server.get(&format!("{budgets}/b")).await.json();
    assert!(budget["status"]["disruptedPods"]["p"].is_string(), "{budget}");
}

#[tokio::test]
async fn what_needs_a_kubelet_says_why_not() {
    let server = with_pod(json!({})).await;
    assert_eq!(server.get(&format!("{PODS}/p/log")).await.ok(204).text(), "");
    let wrong = server.get(&format!("{PODS}/p/log?container=x")).await.ok(400);
    assert_eq!(wrong.message(), "container x is not valid for pod p");
    let exec = server.post(&format!("{PODS}/p/exec?command=ls"), Value::Null).await.ok(400);
    assert_eq!(exec.message(), "pod p does not have a host assigned");
    assert_eq!(server.get(&format!("{PODS}/none/log")).await.ok(404).message(), "pods \"none\" not found");
}

#[tokio::test]
async fn an_ephemeral_container_is_added_and_stays() {
    let server = with_pod(json!({})).await;
    let path = format!("{PODS}/p/ephemeralcontainers");
    let debug = json!({"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox"}]}});
    let pod = server.patch(&path, "strategic-merge-patch+json", debug.clone()).await.ok(200).json();
    assert_eq!(pod["spec"]["ephemeralContainers"][0]["name"], "debug");
    assert_eq!(pod["spec"]["ephemeralContainers"][0]["imagePullPolicy"], "Always");
    assert_eq!(pod["metadata"]["generation"], 2);
    let gone = server.patch(&path, "merge-patch+json", json!({"spec": {"ephemeralContainers": null}})).await.ok(422);
    let said =
        "Pod \"p\" is invalid: spec.ephemeralContainers: Forbidden: existing ephemeral containers \"debug\" may not be removed\n";
    assert_eq!(gone.message(), said);
    let refused = server
        .post(
            PODS,
            json!({"metadata": {"name": "q"}, "spec": {"containers": [{"name": "c", "image": "i"}],
        "ephemeralContainers": debug["spec"]["ephemeralContainers"]}}),
        )
        .await
        .ok(422);
    assert!(refused.message().contains("cannot be set on create"), "{}", refused.message());
}

#[tokio::test]
async fn a_pod_is_resized() {
    let server = server();
    let container = json!({"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}});
    server.post(PODS, json!({"metadata": {"name": "p"}, "spec": {"containers": [container]}})).await.ok(201);
    let wanted = |requests: Value| json!({"spec": {"containers": [{"name": "c", "resources": {"requests": requests}}]}});
    let path = format!("{PODS}/p/resize");
    let pod = server.patch(&path, "strategic-merge-patch+json", wanted(json!({"cpu": "2"}))).await.ok(200).json();
    assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"]["cpu"], "2");
    assert_eq!(pod["metadata"]["generation"], 2);
    let refused = server.patch(&path, "strategic-merge-patch+json", wanted(json!({"cpu": null}))).await.ok(422);
    assert!(refused.message().contains("Pod QOS Class may not change as a result of resizing"), "{}", refused.message());
}

#[tokio::test]
async fn a_status_is_warned_of() {
    let server = with_pod(json!({})).await;
    let status = json!({"status": {"podIP": "2001:DB8::1", "podIPs": [{"ip": "2001:DB8::1"}]}});
    let answer = server.patch(&format!("{PODS}/p/status"), "merge-patch+json", status).await.ok(200);
    let said =
        "status.podIPs[0].ip: IPv6 address \\\"2001:DB8::1\\\" should be in RFC 5952 canonical format (\\\"2001:db8::1\\\")";
    assert_eq!(answer.warnings(), [format!("299 - \"{said}\"")]);
}

#[tokio::test]
async fn a_namespace_waits_for_its_contents() {
    let server = server();
    server.post("/api/v1/namespaces", json!({"metadata": {"name": "n"}})).await.ok(201);
    let marked = server.delete("/api/v1/namespaces/n").await.ok(200).json();
    assert_eq!((marked["kind"].as_str(), &marked["status"]["phase"]), (Some("Namespace"), &json!("Terminating")));
    assert_eq!(marked["metadata"].get("deletionGracePeriodSeconds"), None);
    let mut finalized = marked.clone();
    finalized["spec"]["finalizers"] = json!([]);
    server.put("/api/v1/namespaces/n/finalize", finalized).await.ok(200);
    server.get("/api/v1/namespaces/n").await.ok(404);
}

#[tokio::test]
async fn the_world_inside_is_the_same() {
    let server = server();
    let world = LocalWorld::new(&server.0, User::loopback());
    let maps = GroupVersionResource::new("", "v1", "configmaps");
    let made = world.create(&maps, "default", json!({"metadata": {"name": "a"}, "data": {"k": "v"}})).await.unwrap();
    assert_eq!((&made["kind"], &made["metadata"]["namespace"]), (&json!("ConfigMap"), &json!("default")));
    let patched = world.merge_patch(&maps, "", "default", "a", json!({"data": {"k": "w"}})).await.unwrap();
    assert_eq!(patched["data"]["k"], "w");
    let (all, _) = world.list(&maps, "default", "").await.unwrap();
    assert_eq!(all, [patched]);
    world.delete(&maps, "default", "a", DeleteOptions::default()).await.unwrap();
    assert_eq!(world.get(&maps, "default", "a").await.unwrap_err().code, 404);
    let revision = world.put_record("/registry/ranges/servicenodeports", 0, json!({"data": "x"})).await.unwrap();
    let (record, found) = world.record("/registry/ranges/servicenodeports").await.unwrap().unwrap();
    assert_eq!((record["data"].as_str(), found), (Some("x"), revision));
    assert_eq!(world.put_record("/registry/ranges/servicenodeports", 0, json!({})).await.unwrap_err().code, 409);
    assert!(world.resources().iter().any(|facts| facts.kind == "Pod" && facts.namespaced));
}

#[tokio::test]
async fn a_certificate_request_says_who_asks() {
    let server = server();
    let path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    let unsigned = json!({"request": "eA==", "signerName": "example.com/s", "usages": ["client auth"]});
    let refused = server.post(path, json!({"metadata": {"name": "c"}, "spec": unsigned})).await.ok(422);
    assert!(refused.message().contains("PEM block type must be CERTIFICATE REQUEST"), "{}", refused.message());
    let request = base64::engine::general_purpose::STANDARD.encode(request);
    let spec = json!({"request": request, "signerName": "example.com/s", "usages": ["client auth"], "username": "somebody"});
    let made = server.post(path, json!({"metadata": {"name": "c"}, "spec": spec})).await.ok(201).json();
    assert_eq!((&made["spec"]["username"], made["status"].get("conditions")), (&json!("admin"), None));
    let approved =
        json!({"status": {"conditions": [{"type": "Approved", "status": "True", "reason": "r"}]}, "spec": {"username": "x"}});
    let approved = server.patch(&format!("{path}/c/approval"), "merge-patch+json", approved).await.ok(200).json();
    assert_eq!(
        (&approved["status"]["conditions"][0]["type"], &approved["spec"]["username"]),
        (&json!("Approved"), &json!("admin"))
    );
    let times = ["lastUpdateTime", "lastTransitionTime"].map(|time| approved["status"]["conditions"][0][time].is_string());
    assert_eq!(times, [true, true]);
    let back =
        server.patch(&format!("{path}/c/approval"), "merge-patch+json", json!({"status": {"conditions": null}})).await.ok(422);
    assert!(back.message().contains("updates may not remove a condition of type \"Approved\""), "{}", back.message());
}

#[tokio::test]
async fn a_namespace_is_read_and_changed_by_its_own_name() {
    let server = server();
    server.post("/api/v1/namespaces", json!({"metadata": {"name": "n"}})).await.ok(201);
    assert_eq!(server.get("/api/v1/namespaces/n").await.ok(200).json()["status"]["phase"], "Active");
    let labelled = server
        .patch("/api/v1/namespaces/n", "merge-patch+json", json!({"metadata": {"labels": {"a": "b"}}}))
        .await
        .ok(200)
        .json();
    assert_eq!(labelled["metadata"]["labels"], json!({"kubernetes.io/metadata.name": "n", "a": "b"}));
    let mut whole = labelled.clone();
    whole["metadata"]["labels"]["a"] = "c".into();
    server.put("/api/v1/namespaces/n", whole).await.ok(200);
}
