//! Bodies as kubectl's typed commands and client-go send them, and answers as they ask for them.

use crate::common::{Answer, Server, server};
use model::json::{Value, json};
use schema::proto;

const MEDIA: &str = "application/vnd.kubernetes.protobuf";

/// Sends an object as protobuf.
async fn send(server: &Server, method: &str, path: &str, (api_version, kind): (&str, &str), object: Value) -> Answer {
    let types = server.0.served.types();
    let ty = types.of_kind(api_version, kind).expect("a kind of the tables");
    raw(server, method, path, proto::encode(types, ty, api_version, kind, &object)).await
}

async fn raw(server: &Server, method: &str, path: &str, body: Vec<u8>) -> Answer {
    server.send(method, path, &[("content-type", MEDIA)], body).await
}

/// The object of an answer in protobuf.
fn opened(server: &Server, body: &[u8]) -> (String, Value) {
    let envelope = proto::open(body).expect("an envelope");
    let types = server.0.served.types();
    let ty = types.of_kind(&envelope.api_version, &envelope.kind).expect("a kind of the tables");
    (envelope.kind.clone(), proto::decode(types, ty, envelope.raw).expect("a message of the kind"))
}

async fn get(server: &Server, path: &str, code: u16) -> (String, Value) {
    get_as(server, path, "application/vnd.kubernetes.protobuf,application/json", code).await
}

async fn get_as(server: &Server, path: &str, accept: &str, code: u16) -> (String, Value) {
    let answer = server.send("GET", path, &[("accept", accept)], "").await.ok(code);
    assert_eq!(answer.headers["content-type"], MEDIA);
    opened(server, &answer.body)
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
    assert_eq!(made.headers["content-type"], "application/json", "where nothing else is asked for");

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

#[tokio::test]
async fn answers_are_protobuf_where_asked_for() {
    let server = server();
    let path = "/api/v1/namespaces/default/configmaps";
    for name in ["a", "b", "c"] {
        server.post(path, json!({"metadata": {"name": name}, "data": {"k": name}})).await.ok(201);
    }
    let mut expected = server.get(&format!("{path}/a")).await.json();
    for field in ["kind", "apiVersion"] {
        expected.as_object_mut().expect("an object").remove(field);
    }
    assert_eq!(get(&server, &format!("{path}/a"), 200).await, ("ConfigMap".to_owned(), expected.clone()));
    let (kind, list) = get(&server, &format!("{path}?limit=2"), 200).await;
    assert_eq!((kind.as_str(), &list["items"][0], list["items"].as_array().map(Vec::len)), ("ConfigMapList", &expected, Some(2)));
    assert_eq!(list["metadata"]["remainingItemCount"], 1);
    assert!(list["metadata"]["continue"].is_string());
    let (kind, status) = get(&server, &format!("{path}/missing"), 404).await;
    assert_eq!((kind.as_str(), &status["reason"], &status["code"]), ("Status", &json!("NotFound"), &json!(404)));
    for (path, want) in [
        ("/apis/apps/v1/deployments", "DeploymentList"),
        ("/apis", "APIGroupList"),
        ("/apis/apps", "APIGroup"),
        ("/apis/apps/v1", "APIResourceList"),
    ] {
        let (kind, _) = get(&server, path, 200).await;
        assert_eq!(kind, want, "{path}");
    }
}

#[tokio::test]
async fn aggregated_discovery_says_the_same_in_both_forms() {
    let server = server();
    let form = |media: &str| format!("application/{media};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    for path in ["/api", "/apis"] {
        let json = server.send("GET", path, &[("accept", &form("json"))], "").await.ok(200);
        let protobuf = server.send("GET", path, &[("accept", &form("vnd.kubernetes.protobuf"))], "").await.ok(200);
        assert_eq!(protobuf.headers["content-type"], form("vnd.kubernetes.protobuf").as_str());
        // Readers tell the forms apart by what they accept; upstream's tag is that of the content.
        assert_eq!(protobuf.headers["etag"], json.headers["etag"]);
        let (kind, read) = opened(&server, &protobuf.body);
        assert_eq!(kind, "APIGroupDiscoveryList");
        assert_eq!(read["items"], json.json()["items"], "{path}");
    }
}

#[tokio::test]
async fn what_has_no_protobuf_is_answered_in_the_next_best_way() {
    let server = server();
    let pods = "/api/v1/namespaces/default/pods";
    for (path, accept) in [
        (pods, "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json"),
        (
            "/apis",
            "application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json",
        ),
        ("/version", "application/vnd.kubernetes.protobuf,application/json"),
    ] {
        let answer = server.send("GET", path, &[("accept", accept)], "").await.ok(200);
        assert_eq!(answer.headers["content-type"], "application/json", "{path}");
        answer.json();
    }
    let refused =
        server.send("GET", pods, &[("accept", "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io")], "").await;
    assert_eq!(refused.code, 406);
}

#[tokio::test]
async fn partial_metadata_is_protobuf_too() {
    let server = server();
    let path = "/api/v1/namespaces/default/configmaps";
    server.post(path, json!({"metadata": {"name": "a", "labels": {"b": "c"}}, "data": {"k": "v"}})).await.ok(201);
    let accept = |kind: &str| format!("application/vnd.kubernetes.protobuf;as={kind};g=meta.k8s.io;v=v1,application/json");
    let (kind, one) = get_as(&server, &format!("{path}/a"), &accept("PartialObjectMetadata"), 200).await;
    assert_eq!((kind.as_str(), &one["metadata"]["labels"], one.get("data")), ("PartialObjectMetadata", &json!({"b": "c"}), None));
    let (kind, list) = get_as(&server, path, &accept("PartialObjectMetadataList"), 200).await;
    assert_eq!((kind.as_str(), &list["items"][0]), ("PartialObjectMetadataList", &one));
    get_as(&server, path, "application/vnd.kubernetes.protobuf", 200).await;
    let cut_out = get_as(&server, path, &accept("PartialObjectMetadataList"), 200).await.1;
    assert_eq!(cut_out, list, "of objects that are kept as protobuf");
    let mut seen = watched(&server, &accept("PartialObjectMetadata")).await;
    seen.truncate(2);
    let partial = || "PartialObjectMetadata".to_owned();
    assert_eq!(seen, [("ADDED".to_owned(), partial(), json!("a")), ("BOOKMARK".to_owned(), partial(), Value::Null)]);
}

#[tokio::test]
async fn a_watch_is_framed_by_lengths() {
    let server = server();
    server.post("/api/v1/namespaces/default/configmaps", json!({"metadata": {"name": "a"}})).await.ok(201);
    let seen = watched(&server, "application/vnd.kubernetes.protobuf;stream=watch,application/json").await;
    let map = || "ConfigMap".to_owned();
    assert_eq!(seen[..2], [("ADDED".to_owned(), map(), json!("a")), ("BOOKMARK".to_owned(), map(), Value::Null)]);
}

/// Type, kind and name of each event about the ConfigMaps that are there.
async fn watched(server: &Server, accept: &str) -> Vec<(String, String, Value)> {
    let path = "/api/v1/namespaces/default/configmaps";
    let watch = format!(
        "{path}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1"
    );
    let answer = server.send("GET", &watch, &[("accept", accept)], "").await.ok(200);
    assert_eq!(answer.headers["content-type"], "application/vnd.kubernetes.protobuf;stream=watch");
    let mut rest = &answer.body[..];
    let mut seen = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (frame, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        rest = after;
        // Field 1 is the type; field 2 is a message whose field 1 holds the envelope.
        let (kind, object) = frame[2..].split_at(usize::from(frame[1]));
        let at = object.windows(4).position(|window| window == proto::PREFIX).expect("an envelope");
        let (of, object) = opened(server, &object[at..]);
        seen.push((String::from_utf8_lossy(kind).into_owned(), of, object["metadata"]["name"].clone()));
    }
    seen
}
