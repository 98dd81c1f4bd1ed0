//! Owners of fields as clients see them: after creates, updates, patches, through subresources; and apply patches.
//! The shapes are those of kube-apiserver's answers to the same requests.

use model::Value;
use model::json::json;

use crate::common::{Answer, Server, server};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const WEB: &str = "/apis/apps/v1/namespaces/default/deployments/web";
const CONFIG: &str = "/api/v1/namespaces/default/configmaps/a";

fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "nginx", "image": "nginx"}]}}}})
}

fn config(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
}

async fn apply(server: &Server, path: &str, query: &str, object: Value) -> Answer {
    server.patch(&format!("{path}?{query}"), "apply-patch+yaml", object).await
}

/// Manager, operation, subresource and fields of every entry, in order.
fn owners(object: &Value) -> Vec<(String, String, String, Value)> {
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or("").to_owned();
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let told = |entry: &Value| {
        assert_eq!(entry["fieldsType"], "FieldsV1", "{entry}");
        (text(entry, "manager"), text(entry, "operation"), text(entry, "subresource"), entry["fieldsV1"].clone())
    };
    entries.iter().map(told).collect()
}

fn entry(manager: &str, operation: &str, fields: Value) -> (String, String, String, Value) {
    (manager.to_owned(), operation.to_owned(), String::new(), fields)
}

fn own_data(keys: &[&str]) -> Value {
    let mut data = json!({".": {}});
    for key in keys {
        data[format!("f:{key}")] = json!({});
    }
    json!({"f:data": data})
}

#[tokio::test]
async fn a_create_owns_what_it_says_and_what_is_defaulted() {
    let server = server();
    let headers = [("user-agent", "kubectl-create/v1.37.2 (linux/amd64)")];
    let created = server.send("POST", DEPLOYMENTS, &headers, deployment().to_string()).await.ok(201);
    let fields = json!({
        "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
        "f:spec": {
            "f:progressDeadlineSeconds": {}, "f:replicas": {}, "f:revisionHistoryLimit": {}, "f:selector": {},
            "f:strategy": {"f:rollingUpdate": {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}, "f:type": {}},
            "f:template": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {
                    "f:containers": {"k:{\"name\":\"nginx\"}": {".": {}, "f:image": {}, "f:imagePullPolicy": {}, "f:name": {},
                        "f:resources": {}, "f:terminationMessagePath": {}, "f:terminationMessagePolicy": {}}},
                    "f:dnsPolicy": {}, "f:restartPolicy": {}, "f:schedulerName": {}, "f:securityContext": {},
                    "f:terminationGracePeriodSeconds": {}
                }
            }
        }
    });
    assert_eq!(owners(&created.json()), [entry("kubectl-create", "Update", fields.clone())]);
    assert!(created.text().contains(&format!("\"fieldsV1\":{fields}")), "the order of fields is part of the answer");
    let entry = &created.json()["metadata"]["managedFields"][0];
    assert_eq!((&entry["apiVersion"], entry["time"].is_string()), (&json!("apps/v1"), true));
}

#[tokio::test]
async fn an_update_owns_what_it_changes_and_takes_it_from_others() {
    let server = server();
    let path = "/api/v1/namespaces/default/configmaps";
    server.post(&format!("{path}?fieldManager=one"), config(json!({"x": "1", "y": "1", "z": "1"}))).await.ok(201);
    let changed = server.put(&format!("{CONFIG}?fieldManager=two"), config(json!({"x": "2", "y": "1"}))).await.ok(200).json();
    assert_eq!(
        owners(&changed),
        [entry("one", "Update", own_data(&["y"])), entry("two", "Update", json!({"f:data": {"f:x": {}}}))]
    );
    // A write that changes nothing changes no owner, no time and no revision.
    let same = server.put(&format!("{CONFIG}?fieldManager=three"), config(json!({"x": "2", "y": "1"}))).await.ok(200).json();
    assert_eq!(same, changed);
    let patched =
        server.patch(&format!("{CONFIG}?fieldManager=two"), "merge-patch+json", json!({"data": {"w": "1"}})).await.ok(200);
    assert_eq!(owners(&patched.json())[1], entry("two", "Update", json!({"f:data": {"f:w": {}, "f:x": {}}})));
    let strategic = json!({"metadata": {"annotations": {"k": "v"}}});
    let patched = server.patch(&format!("{CONFIG}?fieldManager=four"), "strategic-merge-patch+json", strategic).await.ok(200);
    assert!(owners(&patched.json()).contains(&entry(
        "four",
        "Update",
        json!({"f:metadata": {"f:annotations": {".": {}, "f:k": {}}}})
    )));
}

#[tokio::test]
async fn subresources_have_owners_of_their_own() {
    let server = server();
    server.post(&format!("{DEPLOYMENTS}?fieldManager=one"), deployment()).await.ok(201);
    let status = json!({"metadata": {"labels": {"app": "other"}}, "spec": {"replicas": 9}, "status": {"replicas": 1}});
    let changed = server.patch(&format!("{WEB}/status?fieldManager=two"), "merge-patch+json", status).await.ok(200).json();
    let through = |part: &str, manager: &str, fields: Value| (manager.to_owned(), "Update".to_owned(), part.to_owned(), fields);
    assert_eq!(owners(&changed)[1], through("status", "two", json!({"f:status": {"f:replicas": {}}})));
    let scale = json!({"spec": {"replicas": 5}});
    let scaled = server.patch(&format!("{WEB}/scale?fieldManager=hpa"), "merge-patch+json", scale).await.ok(200).json();
    assert_eq!(scaled["metadata"].get("managedFields"), None, "a scale shows no owners");
    let found = server.get(WEB).await.ok(200).json();
    let by_scale = through("scale", "hpa", json!({"f:spec": {"f:replicas": {}}}));
    assert!(owners(&found).contains(&by_scale), "{:?}", owners(&found));
    let former = owners(&found).into_iter().find(|(manager, ..)| manager == "one").unwrap();
    assert_eq!(former.3["f:spec"].get("f:replicas"), None, "the number was taken");
}

#[tokio::test]
async fn a_client_may_empty_owners_but_not_forget_them() {
    let server = server();
    let path = "/api/v1/namespaces/default/configmaps";
    server.post(&format!("{path}?fieldManager=one"), config(json!({"x": "1"}))).await.ok(201);
    // A client that knows no managedFields does not remove them.
    let kept = server.put(&format!("{CONFIG}?fieldManager=two"), config(json!({"x": "1", "y": "1"}))).await.ok(200).json();
    assert_eq!(owners(&kept).len(), 2);
    for empty in [json!([]), json!([{}])] {
        let patch = json!({"metadata": {"managedFields": empty}});
        let emptied = server.patch(CONFIG, "merge-patch+json", patch).await.ok(200).json();
        assert_eq!(emptied["metadata"].get("managedFields"), None);
    }
    // Nobody is tracked until somebody applies; then the rest belongs to whoever was there before.
    let unowned = server.put(&format!("{CONFIG}?fieldManager=two"), config(json!({"x": "2", "y": "1"}))).await.ok(200).json();
    assert_eq!(unowned["metadata"].get("managedFields"), None);
    let applied = apply(&server, CONFIG, "fieldManager=three&force=true", config(json!({"x": "3"}))).await.ok(200).json();
    assert_eq!(
        owners(&applied),
        [entry("three", "Apply", json!({"f:data": {"f:x": {}}})), entry("before-first-apply", "Update", own_data(&["y"])),]
    );
    // What cannot be read is as if nothing had been sent.
    let garbage = json!({"metadata": {"managedFields": [{"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "V0"}]}, "data": {"n": "1"}});
    let kept = server.patch(&format!("{CONFIG}?fieldManager=four"), "merge-patch+json", garbage).await.ok(200).json();
    assert_eq!(owners(&kept).len(), 3);
}

#[tokio::test]
async fn an_apply_creates_merges_prunes_and_conflicts() {
    let server = server();
    let created = apply(&server, CONFIG, "fieldManager=one", config(json!({"x": "1", "y": "1"}))).await.ok(201).json();
    assert_eq!(owners(&created), [entry("one", "Apply", json!({"f:data": {"f:x": {}, "f:y": {}}}))]);
    let same = apply(&server, CONFIG, "fieldManager=one", config(json!({"x": "1", "y": "1"}))).await.ok(200).json();
    assert_eq!(same, created, "what is applied again is no write");
    let refused = apply(&server, CONFIG, "fieldManager=two", config(json!({"x": "2", "z": "2"}))).await.ok(409).json();
    assert_eq!(refused["message"], "Apply failed with 1 conflict: conflict with \"one\": .data.x");
    assert_eq!(
        refused["details"]["causes"],
        json!([{"reason": "FieldManagerConflict", "message": "conflict with \"one\"", "field": ".data.x"}])
    );
    assert_eq!((&refused["reason"], &refused["code"]), (&json!("Conflict"), &json!(409)));
    let forced = apply(&server, CONFIG, "fieldManager=two&force=true", config(json!({"x": "2", "z": "2"}))).await.ok(200).json();
    assert_eq!(forced["data"], json!({"x": "2", "y": "1", "z": "2"}));
    assert_eq!(
        owners(&forced),
        [entry("one", "Apply", json!({"f:data": {"f:y": {}}})), entry("two", "Apply", json!({"f:data": {"f:x": {}, "f:z": {}}})),]
    );
    // What an applier no longer names goes, unless somebody else owns it.
    let pruned = apply(&server, CONFIG, "fieldManager=two", config(json!({"x": "2"}))).await.ok(200).json();
    assert_eq!(pruned["data"], json!({"x": "2", "y": "1"}));
    let shared = apply(&server, CONFIG, "fieldManager=one", config(json!({"x": "2", "y": "1"}))).await.ok(200).json();
    assert_eq!(owners(&shared)[0].3, json!({"f:data": {"f:x": {}, "f:y": {}}}));
    let left = apply(&server, CONFIG, "fieldManager=two", config(json!({}))).await.ok(200).json();
    assert_eq!(left["data"], json!({"x": "2", "y": "1"}), "the other applier still names it");
    server.put(&format!("{CONFIG}?fieldManager=u"), config(json!({"x": "9", "y": "9"}))).await.ok(200);
    let refused = apply(&server, CONFIG, "fieldManager=one", config(json!({"x": "2", "y": "1"}))).await.ok(409);
    assert_eq!(refused.message(), "Apply failed with 2 conflicts: conflicts with \"u\" using v1:\n- .data.x\n- .data.y");
}

#[tokio::test]
async fn lists_are_merged_by_their_keys() {
    let server = server();
    apply(&server, WEB, "fieldManager=one", deployment()).await.ok(201);
    let mut sidecar = deployment();
    sidecar["metadata"] = json!({"name": "web"});
    sidecar["spec"] = json!({"template": {"spec": {"containers": [{"name": "sidecar", "image": "s",
        "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}]}]}}});
    let merged = apply(&server, WEB, "fieldManager=two", sidecar.clone()).await.ok(200).json();
    let names = |object: &Value| -> Vec<String> {
        let containers = object["spec"]["template"]["spec"]["containers"].as_array().cloned().unwrap_or_default();
        containers.iter().map(|container| container["name"].as_str().unwrap_or("").to_owned()).collect()
    };
    assert_eq!(names(&merged), ["nginx", "sidecar"]);
    let ports = json!({
        "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}},
        "k:{\"containerPort\":80,\"protocol\":\"UDP\"}": {".": {}, "f:containerPort": {}, "f:protocol": {}}
    });
    let fields = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"sidecar\"}": {
        ".": {}, "f:image": {}, "f:name": {}, "f:ports": ports}}}}}});
    assert_eq!(owners(&merged)[1], entry("two", "Apply", fields));
    sidecar["spec"] = json!({});
    let pruned = apply(&server, WEB, "fieldManager=two", sidecar.clone()).await.ok(200).json();
    assert_eq!(names(&pruned), ["nginx"]);
    sidecar["spec"] = json!({"template": {"spec": {"containers": [{"name": "a", "image": "s"}, {"name": "a", "image": "s"}]}}});
    let twice = apply(&server, WEB, "fieldManager=two", sidecar).await.ok(500);
    assert_eq!(
        twice.message(),
        "failed to create typed patch object (/web; apps/v1, Kind=Deployment): .spec.template.spec.containers: duplicate entries for key [name=\"a\"]"
    );
}

#[tokio::test]
async fn what_cannot_be_applied_is_refused_in_upstream_s_words() {
    let server = server();
    let unnamed = apply(&server, CONFIG, "", config(json!({}))).await.ok(422);
    assert_eq!(
        unnamed.message(),
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"
    );
    let cases = [
        (
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "managedFields": []}}),
            400,
            "metadata.managedFields must be nil",
        ),
        (json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}), 400, "invalid object type: /v1, Kind=Secret"),
        (json!({"kind": "ConfigMap", "metadata": {"name": "a"}}), 400, "invalid object type: /, Kind=ConfigMap"),
        (
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "dat": {}}),
            500,
            "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .dat: field not declared in schema",
        ),
        (
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "immutable": "yes"}),
            500,
            "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .immutable: expected boolean, got &{yes}",
        ),
        (
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}),
            400,
            "the name of the object (b) does not match the name on the URL (a)",
        ),
        (
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "uid": "u"}}),
            409,
            "Operation cannot be fulfilled on configmaps \"a\": uid mismatch: the provided object specified uid u, and no existing object was found",
        ),
    ];
    for (object, code, message) in cases {
        let refused = apply(&server, CONFIG, "fieldManager=one", object).await.ok(code);
        assert_eq!(refused.message(), message);
    }
    let twice = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nkind: ConfigMap\n";
    let headers = [("content-type", "application/apply-patch+yaml")];
    let strict = format!("{CONFIG}?fieldManager=one&fieldValidation=Strict");
    let refused = server.send("PATCH", &strict, &headers, twice).await.ok(400);
    assert_eq!(
        refused.message(),
        "error strict decoding patch: error converting YAML to JSON: yaml: unmarshal errors:\n  line 4: key \"kind\" already set in map"
    );
    let status = apply(&server, &format!("{WEB}/status"), "fieldManager=one", deployment()).await.ok(404);
    assert_eq!(status.message(), "deployments.apps \"web\" not found");
}

#[tokio::test]
async fn a_revision_and_dry_runs_count() {
    let server = server();
    let dry = apply(&server, CONFIG, "fieldManager=one&dryRun=All", config(json!({"x": "1"}))).await.ok(201).json();
    assert_eq!(owners(&dry).len(), 1);
    server.get(CONFIG).await.ok(404);
    let created = apply(&server, CONFIG, "fieldManager=one", config(json!({"x": "1"}))).await.ok(201).json();
    let mut stale = config(json!({"x": "2"}));
    stale["metadata"]["resourceVersion"] = "1".into();
    let refused = apply(&server, CONFIG, "fieldManager=one", stale.clone()).await.ok(409);
    assert!(refused.message().ends_with("please apply your changes to the latest version and try again"));
    stale["metadata"]["resourceVersion"] = created["metadata"]["resourceVersion"].clone();
    apply(&server, CONFIG, "fieldManager=one", stale).await.ok(200);
}

#[tokio::test]
async fn kubectl_takes_over_from_itself() {
    let server = server();
    const LAST: &str = "kubectl.kubernetes.io/last-applied-configuration";
    let mut object = config(json!({"x": "1", "y": "1"}));
    object["metadata"]["annotations"] = json!({LAST: object.to_string()});
    let path = "/api/v1/namespaces/default/configmaps?fieldManager=kubectl-client-side-apply";
    server.post(path, object).await.ok(201);
    // Somebody else is refused, kubectl continues what it did itself.
    apply(&server, CONFIG, "fieldManager=other", config(json!({"x": "2"}))).await.ok(409);
    let taken = apply(&server, CONFIG, "fieldManager=kubectl", config(json!({"x": "2"}))).await.ok(200).json();
    assert_eq!(taken["data"], json!({"x": "2", "y": "1"}));
    let last = taken["metadata"]["annotations"][LAST].as_str().unwrap();
    assert_eq!(last, "{\"apiVersion\":\"v1\",\"data\":{\"x\":\"2\"},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"}}\n");
    assert_eq!(owners(&taken)[0].0, "kubectl");
}

#[tokio::test]
async fn parts_are_applied_too() {
    let server = server();
    apply(&server, WEB, "fieldManager=one", deployment()).await.ok(201);
    let status = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "status": {"replicas": 2}});
    let applied = apply(&server, &format!("{WEB}/status"), "fieldManager=controller", status).await.ok(200).json();
    let by = owners(&applied).into_iter().find(|(manager, ..)| manager == "controller").unwrap();
    assert_eq!((by.1, by.2, by.3), ("Apply".to_owned(), "status".to_owned(), json!({"f:status": {"f:replicas": {}}})));
    let scale = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 4}});
    // Nobody owns the number yet, so it counts as somebody's from before.
    let path = format!("{WEB}/scale");
    let refused = apply(&server, &path, "fieldManager=scaler", scale.clone()).await.ok(409);
    assert_eq!(
        refused.message(),
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" with subresource \"scale\" using autoscaling/v1: .spec.replicas"
    );
    let scaled = apply(&server, &path, "fieldManager=scaler&force=true", scale).await.ok(200).json();
    assert_eq!(scaled["spec"]["replicas"], 4);
    let found = server.get(WEB).await.ok(200).json();
    let by = owners(&found).into_iter().find(|(manager, ..)| manager == "scaler").unwrap();
    assert_eq!((by.1, by.2, by.3), ("Apply".to_owned(), "scale".to_owned(), json!({"f:spec": {"f:replicas": {}}})));
}
