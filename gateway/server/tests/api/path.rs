//! Requests through the whole server: each verb, what it answers, and the words with which it refuses.

use std::time::Duration;

use crate::common::{Setup, audit_log, events, server, server_with};
use model::json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn create_get_list_delete() {
    let server = server();
    let made = server.post(MAPS, json!({"metadata": {"name": "a", "labels": {"x": "1"}}, "data": {"k": "v"}})).await.ok(201);
    let object = made.json();
    assert_eq!((object["kind"].as_str(), object["apiVersion"].as_str()), (Some("ConfigMap"), Some("v1")));
    assert!(object["metadata"]["uid"].is_string() && object["metadata"]["creationTimestamp"].is_string());
    let got = server.get(&format!("{MAPS}/a")).await.ok(200);
    assert_eq!(got.body, made.body);
    assert!(
        got.text()
            .starts_with("{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\",\"namespace\":\"default\""),
        "{}",
        got.text()
    );
    assert!(got.text().ends_with("}\n"));
    let list = server.get(MAPS).await.ok(200).json();
    assert_eq!(list["kind"], "ConfigMapList");
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0].get("kind"), None);
    assert_eq!(list["metadata"]["resourceVersion"], object["metadata"]["resourceVersion"]);
    let deleted = server.delete(&format!("{MAPS}/a")).await.ok(200).json();
    let uid = &object["metadata"]["uid"];
    assert_eq!(
        deleted,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": {"name": "a", "kind": "configmaps", "uid": uid}})
    );
    let gone = server.get(&format!("{MAPS}/a")).await.ok(404);
    assert_eq!(gone.message(), "configmaps \"a\" not found");
    assert_eq!(server.get(MAPS).await.json()["items"], json!([]));
}

#[tokio::test]
async fn create_refuses_with_upstreams_words() {
    let server = server();
    let message = async |object| {
        let answer = server.post(MAPS, object).await;
        (answer.code, answer.message())
    };
    assert_eq!(
        message(json!({"metadata": {"name": "a", "namespace": "other"}})).await,
        (400, "the namespace of the provided object does not match the namespace sent on the request".to_owned())
    );
    assert_eq!(
        message(json!({"metadata": {}})).await,
        (422, "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required".to_owned())
    );
    assert_eq!(
        message(json!({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}})).await,
        (400, "Secret in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion".to_owned())
    );
    assert_eq!(
        message(json!({"kind": "Foo", "apiVersion": "v1", "metadata": {"name": "a"}})).await,
        (400, "Foo in version \"v1\" cannot be handled as a ConfigMap: no kind \"Foo\" is registered for version \"v1\" in scheme \"pkg/api/legacyscheme/scheme.go:30\"".to_owned())
    );
    assert_eq!(
        message(json!({"metadata": {"name": "a", "resourceVersion": "1"}})).await,
        (500, "resourceVersion should not be set on objects to be created".to_owned())
    );
    let (code, text) = message(json!({"metadata": {"name": 5}})).await;
    assert_eq!(code, 400);
    assert!(
        text.starts_with(
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field"
        ),
        "{text}"
    );
    server.post(MAPS, json!({"metadata": {"name": "a"}})).await.ok(201);
    assert_eq!(message(json!({"metadata": {"name": "a"}})).await, (409, "configmaps \"a\" already exists".to_owned()));
    let broken = server.send("POST", MAPS, &[], "{nope").await.ok(400);
    assert_eq!(
        broken.message(),
        "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: invalid character 'n' looking for beginning of object key string ({nope)"
    );
    let media = server.send("POST", MAPS, &[("content-type", "application/cbor")], "x").await.ok(415);
    assert!(
        media
            .message()
            .starts_with("the body of the request was in an unknown format - accepted media types include: application/json")
    );
    let big = server.send("POST", MAPS, &[], vec![b' '; (3 << 20) + 1]).await.ok(413);
    assert_eq!(big.message(), "Request entity too large: limit is 3145728");
}

#[tokio::test]
async fn unknown_fields_are_warned_of_or_refused() {
    let server = server();
    let object = || json!({"metadata": {"name": "a"}, "foo": 1, "data": {}});
    let warned = server.post(&format!("{MAPS}?dryRun=All"), object()).await.ok(201);
    assert_eq!(warned.warnings(), ["299 - \"unknown field \\\"foo\\\"\""]);
    let strict = server.post(&format!("{MAPS}?fieldValidation=Strict"), object()).await.ok(400);
    assert_eq!(
        strict.message(),
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"foo\""
    );
    assert!(server.post(&format!("{MAPS}?fieldValidation=Ignore"), object()).await.ok(201).warnings().is_empty());
    assert_eq!(server.get(&format!("{MAPS}/a")).await.json().get("foo"), None);
}

#[tokio::test]
async fn names_are_generated_and_dry_runs_store_nothing() {
    let server = server();
    let made = server.post(MAPS, json!({"metadata": {"generateName": "web-"}})).await.ok(201).json();
    let name = made["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("web-") && name.len() == 9, "{name}");
    server.post(&format!("{MAPS}?dryRun=All"), json!({"metadata": {"name": "dry"}})).await.ok(201);
    server.get(&format!("{MAPS}/dry")).await.ok(404);
}

#[tokio::test]
async fn replace() {
    let server = server();
    let path = format!("{MAPS}/a");
    server.put(&path, json!({"metadata": {"name": "a"}})).await.ok(404);
    let made = server.post(MAPS, json!({"metadata": {"name": "a"}, "data": {"k": "1"}})).await.ok(201).json();
    let same = server.put(&path, made.clone()).await.ok(200).json();
    assert_eq!(same, made, "what changes nothing writes nothing");
    let unconditional = server.put(&path, json!({"metadata": {"name": "a"}, "data": {"k": "2"}})).await.ok(200).json();
    assert_ne!(unconditional["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    assert_eq!(unconditional["metadata"]["uid"], made["metadata"]["uid"]);
    let stale = server.put(&path, made.clone()).await.ok(409);
    assert_eq!(
        stale.message(),
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again"
    );
    let other = server.put(&path, json!({"metadata": {"name": "b"}})).await.ok(400);
    assert_eq!(other.message(), "the name of the object (b) does not match the name on the URL (a)");
    let nameless = server.put(&path, json!({"metadata": {}})).await.ok(400);
    assert_eq!(nameless.message(), "the name of the object (a based on URL) was undeterminable: name must be provided");
    let uid = server.put(&path, json!({"metadata": {"name": "a", "uid": "x"}})).await.ok(409);
    assert!(uid.message().contains("Precondition failed: UID in precondition: x, UID in object meta: "), "{}", uid.message());
}

#[tokio::test]
async fn a_lease_is_created_by_a_replace_and_needs_its_revision() {
    let server = server();
    let path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/a";
    let made = server.put(path, json!({"metadata": {"name": "a"}, "spec": {"holderIdentity": "x"}})).await.ok(201).json();
    let refused = server.put(path, json!({"metadata": {"name": "a"}, "spec": {"holderIdentity": "y"}})).await.ok(422);
    assert_eq!(
        refused.message(),
        "leases.coordination.k8s.io \"a\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    );
    server.put(path, made).await.ok(200);
}

#[tokio::test]
async fn patches_of_three_kinds() {
    let server = server();
    let path = format!("{MAPS}/a");
    let absent = server.patch(&path, "merge-patch+json", json!({})).await.ok(404);
    assert_eq!(absent.message(), "configmaps \"a\" not found");
    server.post(MAPS, json!({"metadata": {"name": "a"}, "data": {"k": "1", "gone": "x"}})).await.ok(201);
    let merged = server.patch(&path, "merge-patch+json", json!({"data": {"k": "2", "gone": null}})).await.ok(200).json();
    assert_eq!(merged["data"], json!({"k": "2"}));
    let json_patched =
        server.patch(&path, "json-patch+json", json!([{"op": "add", "path": "/data/j", "value": "3"}])).await.ok(200).json();
    assert_eq!(json_patched["data"], json!({"k": "2", "j": "3"}));
    let strategic =
        server.patch(&path, "strategic-merge-patch+json", json!({"metadata": {"labels": {"a": "b"}}})).await.ok(200).json();
    assert_eq!(strategic["metadata"]["labels"], json!({"a": "b"}));
    let stale = server.patch(&path, "merge-patch+json", json!({"metadata": {"resourceVersion": "1"}})).await.ok(409);
    assert!(stale.message().ends_with("please apply your changes to the latest version and try again"));
    let unknown = server.patch(&path, "foo", json!({})).await.ok(415);
    assert_eq!(unknown.message(), "415: Unsupported Media Type");
    let wrong = server.patch(&path, "merge-patch+json", json!({"data": 5})).await.ok(422);
    assert!(wrong.message().starts_with(" \"\" is invalid: patch: Invalid value: "), "{}", wrong.message());
    let broken = server.send("PATCH", &path, &[("content-type", "application/json-patch+json")], "{}").await.ok(400);
    assert!(broken.message().starts_with("error decoding patch: "), "{}", broken.message());
}

#[tokio::test]
async fn status_is_written_apart() {
    let server = server();
    let path = "/apis/apps/v1/namespaces/default/deployments";
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let made = server
        .post(path, json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}, "status": {"replicas": 7}}))
        .await
        .ok(201)
        .json();
    assert_eq!((&made["status"], &made["metadata"]["generation"]), (&json!({}), &json!(1)));
    assert_eq!(made["spec"]["replicas"], 1);
    let status = server
        .patch(&format!("{path}/d/status"), "merge-patch+json", json!({"spec": {"replicas": 9}, "status": {"replicas": 3}}))
        .await
        .ok(200)
        .json();
    assert_eq!((&status["spec"]["replicas"], &status["status"]["replicas"]), (&json!(1), &json!(3)));
    assert_eq!(status["metadata"]["generation"], 1);
    let main = server
        .patch(&format!("{path}/d"), "merge-patch+json", json!({"spec": {"replicas": 2}, "status": {"replicas": 9}}))
        .await
        .ok(200)
        .json();
    assert_eq!(
        (&main["spec"]["replicas"], &main["status"]["replicas"], &main["metadata"]["generation"]),
        (&json!(2), &json!(3), &json!(2))
    );
    let scale = server.get(&format!("{path}/d/scale")).await.ok(200).json();
    assert_eq!(
        (scale["kind"].as_str(), &scale["spec"], &scale["status"]),
        (Some("Scale"), &json!({"replicas": 2}), &json!({"replicas": 3, "selector": "a=b"}))
    );
    let scaled =
        server.patch(&format!("{path}/d/scale"), "merge-patch+json", json!({"spec": {"replicas": 5}})).await.ok(200).json();
    assert_eq!(scaled["spec"]["replicas"], 5);
    assert_eq!(server.get(&format!("{path}/d")).await.json()["metadata"]["generation"], 3);
}

#[tokio::test]
async fn finalizers_and_preconditions_of_deletes() {
    let server = server();
    let path = format!("{MAPS}/a");
    let made = server.post(MAPS, json!({"metadata": {"name": "a", "finalizers": ["x.io/y"]}})).await.ok(201).json();
    let wrong = json!({"preconditions": {"uid": "other"}});
    let refused = server.send("DELETE", &path, &[], wrong.to_string()).await.ok(409);
    assert!(
        refused.message().contains("the UID in the precondition (other) does not match the UID in record"),
        "{}",
        refused.message()
    );
    let waiting = server.delete(&path).await.ok(200).json();
    assert_eq!(waiting["metadata"]["deletionGracePeriodSeconds"], 0);
    assert!(waiting["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(waiting["metadata"]["uid"], made["metadata"]["uid"]);
    let added = server.patch(&path, "merge-patch+json", json!({"metadata": {"finalizers": ["x.io/y", "x.io/z"]}})).await.ok(422);
    assert!(added.message().contains("no new finalizers can be added if the object is being deleted"), "{}", added.message());
    server.patch(&path, "merge-patch+json", json!({"metadata": {"finalizers": null}})).await.ok(200);
    server.get(&path).await.ok(404);
    let policy = server.delete(&format!("{path}?propagationPolicy=Never")).await.ok(422);
    assert!(
        policy
            .message()
            .starts_with("DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Never\""),
        "{}",
        policy.message()
    );
}

/// Each of these takes minutes where items are compared each with each, and the threads that serve are two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_lists_hold_nobody_up() {
    let server = server();
    let owners: Vec<Value> = (0..40_000).map(|n| json!({"uid": format!("{n}")})).collect();
    let fields: model::Map = (0..40_000).rev().map(|n| (format!("f:{n:06}"), json!({}))).collect();
    let gates: Vec<Value> = (0..40_000).map(|n| json!({"name": format!("g{n}")})).collect();
    let finalizers: Vec<Value> = (0..40_000).map(|n| format!("x/{n}").into()).collect();
    let managed = json!([{"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
        "time": "2026-01-01T00:00:00Z", "fieldsV1": fields}]);
    server.post(MAPS, json!({"metadata": {"name": "a"}})).await.ok(201);
    let review = |metadata: Value| {
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let asked = json!({"metadata": metadata, "spec": {"nonResourceAttributes": {"verb": "get", "path": "/"}}});
        server.post(path, asked)
    };
    let pod = json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}], "schedulingGates": gates}});
    let map = format!("{MAPS}/a");
    let (owned, managed, gated, kept, alive) = tokio::join!(
        review(json!({"ownerReferences": owners})),
        review(json!({"managedFields": managed})),
        server.post("/api/v1/namespaces/default/pods", pod),
        server.patch(&map, "strategic-merge-patch+json", json!({"metadata": {"finalizers": finalizers}})),
        server.get("/livez"),
    );
    // Reviews have no metadata but owners of fields.
    assert_eq!([owned.code, managed.code, alive.code], [422, 201, 200]);
    assert_eq!([gated.code, kept.code], [201, 200]);
}

#[tokio::test]
async fn deletecollection_takes_what_is_selected() {
    let server = server();
    for (name, label) in [("a", "1"), ("b", "2"), ("c", "1")] {
        server.post(MAPS, json!({"metadata": {"name": name, "labels": {"x": label}}})).await.ok(201);
    }
    let deleted = server.delete(&format!("{MAPS}?labelSelector=x%3D1")).await.ok(200).json();
    assert_eq!((deleted["kind"].as_str(), deleted["items"].as_array().unwrap().len()), (Some("ConfigMapList"), 2));
    assert_eq!(server.get(MAPS).await.json()["items"][0]["metadata"]["name"], "b");
}

#[tokio::test]
async fn what_is_not_there_and_who_may_not() {
    let server = server();
    for path in [
        "/api/v1/nothings",
        "/apis/apps/v2/deployments",
        "/api/v1/namespaces/default/nodes/a",
        "/api/v1/namespaces/default/pods/a/nothing",
    ] {
        assert_eq!(server.get(path).await.ok(404).message(), "the server could not find the requested resource", "{path}");
    }
    for path in ["/nothing", "/apis/nothing.example.com/v1/things"] {
        assert_eq!(server.get(path).await.ok(404).text(), "404 page not found\n", "{path}");
    }
    server.post("/api/v1/configmaps", json!({"metadata": {"name": "a"}})).await.ok(405);
    let dots = server.get(&format!("{MAPS}/..")).await.ok(400);
    assert_eq!(dots.message(), "Name parameter invalid: \"..\": may not be '..'");
    server.get(&format!("{MAPS}/a%2Fb")).await.ok(404);
    let anonymous = server.send("GET", MAPS, &[("authorization", "")], "").await;
    assert_eq!(anonymous.code, 403, "{}", anonymous.text());
    let refused = server.send("GET", MAPS, &[("authorization", "Bearer weak")], "").await.ok(403);
    assert_eq!(
        refused.message(),
        "configmaps is forbidden: User \"nobody\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"default\""
    );
    let unknown = server.send("GET", MAPS, &[("authorization", "Bearer wrong")], "").await.ok(401);
    assert_eq!(unknown.message(), "Unauthorized");
}

#[tokio::test]
async fn other_versions_of_what_is_stored_once() {
    let server = server();
    let v1 = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";
    let spec = json!({"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}, "targetCPUUtilizationPercentage": 60});
    let made = server.post(v1, json!({"metadata": {"name": "h"}, "spec": spec})).await.ok(201).json();
    assert_eq!((&made["apiVersion"], &made["spec"]["targetCPUUtilizationPercentage"]), (&json!("autoscaling/v1"), &json!(60)));
    let v2 = server.get("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/h").await.ok(200).json();
    assert_eq!(v2["spec"]["metrics"][0]["resource"]["target"], json!({"type": "Utilization", "averageUtilization": 60}));
    let event = json!({"metadata": {"name": "e", "namespace": "default"}, "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "message": "m", "reason": "R", "type": "Normal"});
    server.post("/api/v1/namespaces/default/events", event).await.ok(201);
    let list =
        server.get("/apis/events.k8s.io/v1/namespaces/default/events?fieldSelector=regarding.name%3Dp").await.ok(200).json();
    assert_eq!(list["items"][0]["note"], "m");
    let bad = server.get("/api/v1/namespaces/default/events?fieldSelector=regarding.name%3Dp").await.ok(400);
    assert_eq!(bad.message(), "field label not supported: regarding.name");
}

#[tokio::test]
async fn yaml_goes_in_and_out() {
    let server = server();
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yml\ndata:\n  a: \"1\"\n";
    server.send("POST", MAPS, &[("content-type", "application/yaml")], text).await.ok(201);
    let got = server.send("GET", &format!("{MAPS}/yml"), &[("accept", "application/yaml")], "").await.ok(200);
    assert_eq!(got.headers["content-type"], "application/yaml");
    assert!(got.text().starts_with("apiVersion: v1\ndata:\n  a: \"1\"\nkind: ConfigMap\n"), "{}", got.text());
    let none = server.send("GET", MAPS, &[("accept", "text/html")], "").await.ok(406);
    assert!(
        none.message().starts_with("406: Not Acceptable\n\nAvailable representations: application/json, "),
        "{}",
        none.message()
    );
}

#[tokio::test]
async fn discovery_tells_what_is_served() {
    let server = server();
    let core = server.get("/api/v1").await.ok(200).json();
    assert!(core["resources"].as_array().unwrap().iter().any(|r| r["name"] == "pods/status"));
    assert_eq!(server.get("/apis/apps").await.ok(200).json()["preferredVersion"]["groupVersion"], "apps/v1");
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let whole = server.send("GET", "/apis", &[("accept", accept)], "").await.ok(200);
    assert_eq!(whole.json()["kind"], "APIGroupDiscoveryList");
    assert_eq!(whole.headers["content-type"], "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    let etag = whole.headers["etag"].to_str().unwrap().to_owned();
    server.send("GET", "/apis", &[("accept", accept), ("if-none-match", &etag)], "").await.ok(304);
    assert_eq!(server.get("/apis").await.json()["kind"], "APIGroupList");
    assert!(server.get("/").await.json()["paths"].as_array().unwrap().contains(&json!("/apis/apps/v1")));
}

#[tokio::test]
async fn reviews_are_answered() {
    let server = server();
    let review = json!({"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}});
    let allowed = server.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review).await.ok(201).json();
    assert_eq!(allowed["status"]["allowed"], true);
    let who = server.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json!({})).await.ok(201).json();
    assert_eq!(who["status"]["userInfo"]["username"], "admin");
}

#[tokio::test]
async fn a_path_that_is_no_text_is_refused() {
    let server = server();
    server.get("/api/v1/namespaces/%ff/pods").await.ok(400);
}

#[tokio::test]
async fn the_audit_log_tells_of_who_did_not_get_in() {
    let folder = tempfile::tempdir().unwrap();
    let server = server_with(Setup { audit: Some(audit_log(folder.path())), ..Setup::default() });
    let (wrong, nothing_known) = (("authorization", "Bearer wrong"), ("accept", "text/none"));
    let timeout = "invalid timeout specified in the request URL - time: invalid duration \"abc\"";
    for (query, headers, code, message) in [
        ("timeout=abc", vec![], 400, timeout),
        ("timeout=abc", vec![nothing_known], 400, timeout),
        ("limit=1", vec![wrong], 401, "Unauthorized"),
        ("limit=1", vec![wrong, nothing_known], 401, "Unauthorized"),
    ] {
        let answer = server.send("GET", &format!("/api/v1/namespaces?{query}"), &headers, "").await.ok(code);
        assert_eq!(answer.message(), message);
        assert!(answer.headers.contains_key("audit-id"));
    }
    let told: Vec<Value> = events(&server, folder.path()).await;
    assert!(told.iter().all(|event| event["stage"] == "ResponseStarted" && event["user"] == json!({})));
    let statuses: Vec<&Value> = told.iter().map(|event| &event["responseStatus"]).collect();
    let whole = |code: u16, reason: &str, message: &str| json!({"metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code});
    let attempted = "Authentication failed, attempted: bearer";
    assert_eq!(
        statuses,
        [
            &whole(400, "BadRequest", timeout),
            &json!({"metadata": {}, "message": timeout, "code": 400}),
            &whole(401, "Unauthorized", "Unauthorized"),
            &json!({"metadata": {}, "message": attempted, "code": 401}),
        ]
    );
    let objects: Vec<bool> = told.iter().map(|event| event.get("responseObject").is_some()).collect();
    assert_eq!(objects, [true, false, true, false], "what no encoder wrote is not recorded");
}

#[tokio::test]
async fn who_waits_too_long_is_told_past_the_encoders() {
    let server = server_with(Setup { revision_wait: Duration::from_secs(60), ..Setup::default() });
    let future = format!("{MAPS}?resourceVersion=1000000&timeout=1ms");
    let answer = server.send("GET", &future, &[("audit-id", "mine")], "").await.ok(504);
    assert_eq!(
        answer.text(),
        "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"Timeout: request did not complete within the allotted timeout\",\
         \"reason\":\"Timeout\",\"details\":{},\"code\":504}\n"
    );
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(
        (&answer.headers["audit-id"], &answer.headers["cache-control"]),
        (&"mine".parse().unwrap(), &"no-cache, private".parse().unwrap())
    );
}
