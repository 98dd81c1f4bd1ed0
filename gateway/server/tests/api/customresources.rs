//! Custom resources, served by the same path as built-in ones. The conditions that controllers would set are set by hand.

use http_body_util::BodyExt;
use model::Value;
use model::json::json;
use server::customs;

use crate::common::{Answer, Server, server};

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const CRONTABS: &str = "/apis/stable.example.com/v1/namespaces/default/crontabs";

/// A server that follows definitions.
fn following() -> Server {
    let server = server();
    tokio::spawn(customs::start(&server.0));
    server
}

fn version(name: &str, storage: bool) -> Value {
    json!({
        "name": name, "served": true, "storage": storage,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "cronSpec": {"type": "string"},
                "replicas": {"type": "integer", "default": 1},
            }},
            "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}}},
        }}},
        "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}},
        "additionalPrinterColumns": [
            {"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"},
            {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1},
        ],
        "selectableFields": [{"jsonPath": ".spec.cronSpec"}],
    })
}

fn definition(versions: &[Value]) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "crontabs.stable.example.com"},
        "spec": {
            "group": "stable.example.com", "scope": "Namespaced",
            "names": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "shortNames": ["ct"], "categories": ["all"]},
            "versions": versions,
        },
    })
}

async fn install(server: &Server, definition: Value) -> Value {
    let made = server.post(CRDS, definition).await.ok(201).json();
    establish(server, made).await
}

async fn establish(server: &Server, mut made: Value) -> Value {
    made["status"]["acceptedNames"] = made["spec"]["names"].clone();
    let condition =
        |kind: &str| json!({"type": kind, "status": "True", "reason": "Test", "message": "", "lastTransitionTime": null});
    made["status"]["conditions"] = json!([condition("NamesAccepted"), condition("Established")]);
    let path = format!("{CRDS}/crontabs.stable.example.com/status");
    server.put(&path, made).await.ok(200).json()
}

fn crontab(name: &str) -> Value {
    json!({"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": name}, "spec": {"cronSpec": "* * * * */5", "replicas": 1}})
}

async fn get_as(server: &Server, path: &str, accept: &str) -> Answer {
    server.send("GET", path, &[("accept", accept)], "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_there_before_names_are_accepted() {
    let server = following();
    server.get(CRONTABS).await.ok(404);
    let made = server.post(CRDS, definition(&[version("v1", true)])).await.ok(201).json();
    assert_eq!(made["spec"]["names"]["listKind"], "CronTabList");
    assert_eq!(made["status"]["storedVersions"], json!(["v1"]));
    server.get(CRONTABS).await.ok(404);
    establish(&server, made).await;
    assert_eq!(server.get(CRONTABS).await.ok(200).json()["items"], json!([]));
    server.get("/apis/stable.example.com/v1/crontabs").await.ok(200);
    server.get("/apis/stable.example.com/v2/crontabs").await.ok(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_written_with_sorted_keys_and_say_what_they_are() {
    let server = following();
    install(&server, definition(&[version("v1", true)])).await;
    let made = server.post(CRONTABS, crontab("a")).await.ok(201);
    let object = made.json();
    assert_eq!((&object["metadata"]["generation"], &object["metadata"]["namespace"]), (&json!(1), &json!("default")));
    assert!(
        made.text()
            .starts_with("{\"apiVersion\":\"stable.example.com/v1\",\"kind\":\"CronTab\",\"metadata\":{\"creationTimestamp\":"),
        "{}",
        made.text()
    );
    let list = server.get(CRONTABS).await.ok(200);
    assert!(list.text().starts_with("{\"apiVersion\":\"stable.example.com/v1\",\"items\":[{\"apiVersion\":"), "{}", list.text());
    assert!(
        list.text().contains("\"kind\":\"CronTabList\",\"metadata\":{\"continue\":\"\",\"resourceVersion\":"),
        "{}",
        list.text()
    );
    assert_eq!(list.json()["items"][0], object);
    let one = server.get(&format!("{CRONTABS}/a")).await.ok(200);
    assert_eq!(one.body, made.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_kinds_and_media_are_refused_as_upstream_does() {
    let server = following();
    install(&server, definition(&[version("v1", true)])).await;
    let mut other = crontab("a");
    other["kind"] = "Other".into();
    let refused = server.post(CRONTABS, other).await.ok(422);
    assert!(refused.message().contains("kind: Invalid value: \"Other\": must be CronTab"), "{}", refused.message());
    let mut old = crontab("a");
    old["apiVersion"] = "stable.example.com/v0".into();
    assert_eq!(
        server.post(CRONTABS, old).await.ok(400).message(),
        "the API version in the data (stable.example.com/v0) does not match the expected API version (stable.example.com/v1)"
    );
    server.post(CRONTABS, crontab("a")).await.ok(201);
    let path = format!("{CRONTABS}/a");
    let refused = server.patch(&path, "strategic-merge-patch+json", json!({})).await.ok(415);
    assert_eq!(
        refused.message(),
        "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    );
    // A refusal is a Status, which has a protobuf form.
    let refused = get_as(&server, &path, "application/vnd.kubernetes.protobuf").await.ok(406).text();
    let media =
        "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
    assert!(refused.contains(media), "{refused}");
    let fallen_back = get_as(&server, &path, "application/vnd.kubernetes.protobuf,application/json").await.ok(200);
    assert_eq!(fallen_back.headers["content-type"], "application/json");
    let partial = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let metadata = get_as(&server, &path, partial).await.ok(200);
    assert_eq!(metadata.headers["content-type"], "application/vnd.kubernetes.protobuf");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_have_the_columns_of_the_definition() {
    let server = following();
    install(&server, definition(&[version("v1", true)])).await;
    server.post(CRONTABS, crontab("a")).await.ok(201);
    let table = get_as(&server, CRONTABS, "application/json;as=Table;g=meta.k8s.io;v=v1").await.ok(200).json();
    let names: Vec<&str> =
        table["columnDefinitions"].as_array().expect("columns").iter().filter_map(|c| c["name"].as_str()).collect();
    assert_eq!(names, ["Name", "Spec", "Replicas"]);
    assert_eq!(table["rows"][0]["cells"], json!(["a", "* * * * */5", 1]));
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let partial = get_as(&server, CRONTABS, "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1").await.ok(200);
    assert_eq!(partial.json()["items"][0]["metadata"]["name"], "a");
    assert!(partial.text().contains("\"metadata\":{\"name\":\"a\",\"namespace\":\"default\","), "{}", partial.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_the_rest_are_written_apart() {
    let server = following();
    install(&server, definition(&[version("v1", true)])).await;
    let mut object = crontab("a");
    object["status"] = json!({"replicas": 7});
    let mut made = server.post(CRONTABS, object).await.ok(201).json();
    assert_eq!(made.get("status"), None, "a create sets no status");
    let path = format!("{CRONTABS}/a");
    made["status"] = json!({"replicas": 2, "selector": "a=b"});
    made["spec"]["cronSpec"] = "ignored".into();
    let mut written = server.put(&format!("{path}/status"), made).await.ok(200).json();
    assert_eq!((&written["spec"]["cronSpec"], &written["status"]["replicas"]), (&json!("* * * * */5"), &json!(2)));
    assert_eq!(written["metadata"]["generation"], 1);
    written["status"] = json!({"replicas": 9});
    written["spec"]["replicas"] = json!(3);
    let changed = server.put(&path, written).await.ok(200).json();
    assert_eq!((&changed["status"]["replicas"], &changed["metadata"]["generation"]), (&json!(2), &json!(2)));
    let scale = server.get(&format!("{path}/scale")).await.ok(200).json();
    assert_eq!(
        (&scale["kind"], &scale["spec"]["replicas"], &scale["status"]),
        (&json!("Scale"), &json!(3), &json!({"replicas": 2, "selector": "a=b"}))
    );
    let scaled =
        server.patch(&format!("{path}/scale"), "merge-patch+json", json!({"spec": {"replicas": 5}})).await.ok(200).json();
    assert_eq!(scaled["spec"]["replicas"], 5);
    let now = server.get(&path).await.ok(200).json();
    assert_eq!((&now["spec"]["replicas"], &now["metadata"]["generation"]), (&json!(5), &json!(3)));
    let unconditional = json!({"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": "a"}});
    let refused = server.put(&path, unconditional).await.ok(422);
    assert!(
        refused.message().contains("metadata.resourceVersion: Invalid value: 0: must be specified for an update"),
        "{}",
        refused.message()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_the_definition_select() {
    let server = following();
    install(&server, definition(&[version("v1", true)])).await;
    server.post(CRONTABS, crontab("a")).await.ok(201);
    let mut other = crontab("b");
    other["spec"]["cronSpec"] = "other".into();
    server.post(CRONTABS, other).await.ok(201);
    let found = server.get(&format!("{CRONTABS}?fieldSelector=spec.cronSpec%3Dother")).await.ok(200).json();
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(found["items"][0]["metadata"]["name"], "b");
    let refused = server.get(&format!("{CRONTABS}?fieldSelector=spec.replicas%3D1")).await.ok(400);
    assert_eq!(refused.message(), "field label not supported: spec.replicas");
    let deleted = server.delete(&format!("{CRONTABS}?fieldSelector=spec.cronSpec%3Dother")).await.ok(200).json();
    assert_eq!(deleted["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_and_openapi_know_it() {
    let server = following();
    let before = get_as(&server, "/apis", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList").await.ok(200);
    install(&server, definition(&[version("v1beta1", false), version("v1", true)])).await;
    customs::caught_up(&server.0).await;
    let after = get_as(&server, "/apis", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList").await.ok(200);
    assert_ne!(before.headers["etag"], after.headers["etag"]);
    let groups = after.json();
    let last = groups["items"].as_array().and_then(|items| items.last()).cloned().expect("groups");
    assert_eq!(last["metadata"]["name"], "stable.example.com");
    assert_eq!((&last["versions"][0]["version"], &last["versions"][1]["version"]), (&json!("v1"), &json!("v1beta1")));
    let resource = &last["versions"][0]["resources"][0];
    assert_eq!(resource["verbs"], json!(["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]));
    assert_eq!(resource["subresources"][1]["responseKind"], json!({"group": "autoscaling", "version": "v1", "kind": "Scale"}));
    let group = server.get("/apis/stable.example.com").await.ok(200).json();
    assert_eq!(group["preferredVersion"]["version"], "v1");
    let list = server.get("/apis/stable.example.com/v1").await.ok(200).json();
    let names: Vec<&str> = list["resources"].as_array().expect("resources").iter().filter_map(|r| r["name"].as_str()).collect();
    assert_eq!(names, ["crontabs", "crontabs/status", "crontabs/scale"]);
    assert_eq!(list["resources"][0]["storageVersionHash"].as_str().map(str::len), Some(12));
    let index = server.get("/openapi/v3").await.ok(200).json();
    let url = index["paths"]["apis/stable.example.com/v1"]["serverRelativeURL"].as_str().expect("a document").to_owned();
    let document = server.get(&url).await.ok(200).json();
    let schema = &document["components"]["schemas"]["com.example.stable.v1.CronTab"];
    assert_eq!(schema["properties"]["spec"]["properties"]["cronSpec"]["type"], "string");
    assert_eq!(
        schema["x-kubernetes-group-version-kind"],
        json!([{"group": "stable.example.com", "kind": "CronTab", "version": "v1"}])
    );
    assert!(document["components"]["schemas"].get("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta").is_some());
    let path = &document["paths"]["/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}"];
    assert_eq!(path["patch"]["operationId"], "patchStableExampleComV1NamespacedCronTab");
    assert!(document["paths"].get("/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}/scale").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_without_a_converter_differs_in_its_name() {
    let server = following();
    let mut definition = definition(&[version("v1beta1", false), version("v1", true)]);
    definition["spec"]["versions"][0]["deprecated"] = true.into();
    install(&server, definition).await;
    let old = "/apis/stable.example.com/v1beta1/namespaces/default/crontabs";
    let mut object = crontab("a");
    object["apiVersion"] = "stable.example.com/v1beta1".into();
    let made = server.post(old, object).await.ok(201);
    assert_eq!(made.json()["apiVersion"], "stable.example.com/v1beta1");
    assert_eq!(
        made.warnings(),
        ["299 - \"stable.example.com/v1beta1 CronTab is deprecated; use stable.example.com/v1 CronTab\""]
    );
    assert_eq!(server.get(&format!("{CRONTABS}/a")).await.ok(200).json()["apiVersion"], "stable.example.com/v1");
    assert_eq!(server.get(old).await.ok(200).json()["items"][0]["apiVersion"], "stable.example.com/v1beta1");
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_see_objects_and_end_with_the_definition() {
    let server = following();
    let made = install(&server, definition(&[version("v1", true)])).await;
    let list = server.get(CRONTABS).await.ok(200).json();
    let from = list["metadata"]["resourceVersion"].as_str().expect("a revision").to_owned();
    let mut watch = server.open("GET", &format!("{CRONTABS}?watch=true&resourceVersion={from}"), &[], "").await.into_body();
    server.post(CRONTABS, crontab("a")).await.ok(201);
    let frame = watch.frame().await.expect("a frame").expect("no error").into_data().expect("data");
    let event: Value = serde_json::from_slice(&frame).expect("JSON");
    assert_eq!(
        (&event["type"], &event["object"]["kind"], &event["object"]["metadata"]["name"]),
        (&json!("ADDED"), &json!("CronTab"), &json!("a"))
    );
    let mut changed = server.get(&format!("{CRDS}/crontabs.stable.example.com")).await.ok(200).json();
    changed["spec"]["versions"][0]["additionalPrinterColumns"] = json!([]);
    changed["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
    server.put(&format!("{CRDS}/crontabs.stable.example.com"), changed).await.ok(200);
    assert!(watch.frame().await.is_none(), "the definition changed, and what is shown with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_while_the_definition_goes() {
    let server = following();
    install(&server, definition(&[version("v1", true)])).await;
    server.post(CRONTABS, crontab("a")).await.ok(201);
    let going = server.delete(&format!("{CRDS}/crontabs.stable.example.com")).await.ok(200).json();
    assert_eq!(going["metadata"]["finalizers"], json!(["customresourcecleanup.apiextensions.k8s.io"]));
    let refused = server.post(CRONTABS, crontab("b")).await.ok(403);
    assert_eq!(
        refused.message(),
        "crontabs.stable.example.com \"b\" is forbidden: create not allowed while custom resource definition is terminating"
    );
    server.patch(&format!("{CRONTABS}/a"), "merge-patch+json", json!({"metadata": {"labels": {"x": "y"}}})).await.ok(200);
    server.delete(&format!("{CRONTABS}/a")).await.ok(200);
    let list = server.get("/apis/stable.example.com/v1").await.ok(200).json();
    assert_eq!(list["resources"][0]["verbs"], json!(["delete", "deletecollection", "get", "list", "watch"]));
}
