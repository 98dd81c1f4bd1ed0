//! Bodies as kubectl's typed commands and client-go send them.

use crate::common::{Answer, Server, server};
use schema::proto;
use serde_json::{Value, json};

const MEDIA: &str = "application/vnd.kubernetes.protobuf";

/// Sends an object as protobuf, and accepts what typed clients accept.
async fn send(server: &Server, method: &str, path: &str, (api_version, kind): (&str, &str), object: Value) -> Answer {
    let types = &server.0.catalog.types;
    let ty = types.of_kind(api_version, kind).expect("a kind of the tables");
    raw(server, method, path, proto::encode(types, ty, api_version, kind, &object)).await
}

async fn raw(server: &Server, method: &str, path: &str, body: Vec<u8>) -> Answer {
    let accept = "application/vnd.kubernetes.protobuf,application/json";
    server.send(method, path, &[("content-type", MEDIA), ("accept", accept)], body).await
}

#[tokio::test]
async fn objects_are_created_and_replaced() {
    let server = server();
    let path = "/api/v1/namespaces/default/configmaps";
    let object =
        json!({"metadata": {"name": "a", "labels": {"z": "1", "b": "2"}}, "data": {"k": "v"}, "binaryData": {"x": "AAE="}});
    let made = send(&server, "POST", path, ("v1", "ConfigMap"), object.clone()).await.ok(201);
    let as_json = server.get(&format!("{path}/a")).await.ok(200).json();
    assert_eq!(as_json["data"], json!({"k": "v"}));
    assert_eq!(as_json["binaryData"], json!({"x": "AAE="}));
    assert_eq!(as_json["metadata"]["labels"], json!({"b": "2", "z": "1"}));
    assert_eq!(made.headers["content-type"], "application/json");

    let mut next = as_json.clone();
    next["data"] = json!({"k": "w"});
    send(&server, "PUT", &format!("{path}/a"), ("v1", "ConfigMap"), next).await.ok(200);
    assert_eq!(server.get(&format!("{path}/a")).await.json()["data"]["k"], "w");
}

#[tokio::test]
async fn a_deployment_is_the_same_by_either_way() {
    let server = server();
    let path = "/apis/apps/v1/namespaces/default/deployments";
    let object = |name: &str| {
        json!({"metadata": {"name": name}, "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "a"}}, "template": {
            "metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "c", "image": "i", "resources": {"limits": {"cpu": "500m"}},
                "livenessProbe": {"httpGet": {"port": 80}}}], "volumes": [{"name": "v", "emptyDir": {}}]}}}})
    };
    send(&server, "POST", path, ("apps/v1", "Deployment"), object("proto")).await.ok(201);
    server.post(path, object("json")).await.ok(201);
    let spec = |answer: Answer| answer.ok(200).json()["spec"].clone();
    assert_eq!(spec(server.get(&format!("{path}/proto")).await), spec(server.get(&format!("{path}/json")).await));
}

#[tokio::test]
async fn options_of_a_delete_are_read() {
    let server = server();
    let path = "/api/v1/namespaces/default/configmaps";
    server.post(path, json!({"metadata": {"name": "a"}})).await.ok(201);
    let options = |uid: &str| json!({"preconditions": {"uid": uid}, "propagationPolicy": "Background"});
    let one = format!("{path}/a");
    send(&server, "DELETE", &one, ("apps/v1", "DeleteOptions"), options("another")).await.ok(409);
    let uid = server.get(&one).await.json()["metadata"]["uid"].as_str().expect("a uid").to_owned();
    send(&server, "DELETE", &one, ("v1", "DeleteOptions"), options(&uid)).await.ok(200);
    server.get(&one).await.ok(404);
    let refused = send(&server, "DELETE", &one, ("v1", "ConfigMap"), json!({})).await.ok(400);
    assert!(refused.message().starts_with("no kind \"ConfigMap\" is registered for version \"v1\""), "{}", refused.message());
}

#[tokio::test]
async fn subresources_take_it_too() {
    let server = server();
    let pods = "/api/v1/namespaces/default/pods";
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    send(&server, "POST", pods, ("v1", "Pod"), pod).await.ok(201);
    let binding = json!({"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}});
    send(&server, "POST", &format!("{pods}/p/binding"), ("v1", "Binding"), binding).await.ok(201);
    assert_eq!(server.get(&format!("{pods}/p")).await.json()["spec"]["nodeName"], "n1");
    let eviction = json!({"metadata": {"name": "p"}, "deleteOptions": {"gracePeriodSeconds": 0}});
    send(&server, "POST", &format!("{pods}/p/eviction"), ("policy/v1", "Eviction"), eviction).await.ok(201);
    let review =
        json!({"spec": {"user": "u", "extra": {"k": ["a", "b"]}, "resourceAttributes": {"verb": "get", "resource": "pods"}}});
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let judged = send(&server, "POST", path, ("authorization.k8s.io/v1", "SubjectAccessReview"), review).await.ok(201).json();
    assert_eq!((&judged["status"]["allowed"], &judged["spec"]["extra"]), (&json!(false), &json!({"k": ["a", "b"]})));
}

#[tokio::test]
async fn what_is_no_such_message_is_refused() {
    let server = server();
    let path = "/api/v1/namespaces/default/configmaps";
    let refused = raw(&server, "POST", path, b"{}".to_vec()).await.ok(400).message();
    assert_eq!(
        refused,
        "the object provided is unrecognized (must be of type ConfigMap): provided data does not appear to be a protobuf message, expected prefix [107 56 115 0] ({})"
    );
    let refused = send(&server, "POST", path, ("v1", "Secret"), json!({"metadata": {"name": "a"}})).await.ok(400).message();
    assert!(refused.starts_with("Secret in version \"v1\" cannot be handled as a ConfigMap: "), "{refused}");
    // The object's message ends within its first field.
    let cut = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x02\x0a\x09".to_vec();
    let refused = raw(&server, "POST", path, cut).await.ok(400).message();
    assert_eq!(refused, "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: unexpected EOF");
}
