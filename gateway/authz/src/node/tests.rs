//! What nodes may do, over objects in a store in memory.

use bytes::Bytes;
use model::json::json;
use model::selector::field::Selector;
use model::{Attributes, Decision, User, Value, meta};
use store::{Draft, Expect, Header, Key, Op, Store};

use super::Nodes;
use super::edges::{Edges, Of, vertex};
use super::references::edges;
use crate::rule::PolicyRule;

fn key(plural: &str, object: &Value) -> Key {
    let place = match meta::namespace(object) {
        "" => meta::name(object).to_owned(),
        namespace => format!("{namespace}/{}", meta::name(object)),
    };
    Key::new(&format!("/registry/{plural}/"), &place)
}

async fn put(store: &Store, plural: &str, object: Value) {
    let mut object = object;
    let key = key(plural, &object);
    object["metadata"]["resourceVersion"] = json!("");
    let body = object.to_string();
    let revision_at = body.find("\"resourceVersion\":\"").unwrap() + "\"resourceVersion\":\"".len();
    let draft = Draft { header: Header::default(), body: Bytes::from(body), revision_at, ttl_s: None };
    store.commit(vec![Op::Put { key, expect: Expect::Any, draft }]).await.unwrap();
}

fn nodes(store: &Store) -> Nodes {
    let rule = json!({"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["services"]});
    Nodes::new(store, vec![PolicyRule::parse(&rule)])
}

/// A question of node `n` in the namespace `a`: `verb group/resource/subresource name selector`, `-` for what is empty.
fn asks(question: &str) -> Attributes {
    let words: Vec<&str> = question.split(' ').map(|word| if word == "-" { "" } else { word }).collect();
    let [verb, what, name, selector] = words[..] else { panic!("four words: {question}") };
    let parts: Vec<&str> = what.split('/').collect();
    let [group, resource, subresource] = parts[..] else { panic!("three parts: {question}") };
    let alone = ["nodes", "persistentvolumes", "csinodes", "volumeattachments", "resourceslices"].contains(&resource);
    Attributes {
        user: User::new("system:node:n", &["system:nodes"]),
        verb: verb.to_owned(),
        group: group.to_owned(),
        version: "v1".to_owned(),
        resource: resource.to_owned(),
        subresource: subresource.to_owned(),
        namespace: if alone { String::new() } else { "a".to_owned() },
        name: name.to_owned(),
        resource_request: true,
        path: String::new(),
        fields: Selector::parse(selector).unwrap().requirements,
    }
}

fn told(decision: &Decision) -> &str {
    if decision.is_allowed() { "yes" } else { decision.reason() }
}

#[test]
fn each_kind_of_question_has_its_answer() {
    let store = Store::memory().unwrap();
    let nodes = nodes(&store);
    let unrelated = "no relationship found between node 'n' and this object";
    let selected = "can only list/watch pods with spec.nodeName field selector";
    for (question, answer) in [
        ("list /services/ - -", "yes"),
        ("delete /services/ s -", ""),
        ("create /nodes/ - -", "yes"),
        ("patch /nodes/status n -", "yes"),
        ("get /nodes/ n -", "yes"),
        ("watch /nodes/ n metadata.name=n", "yes"),
        ("list /nodes/ - -", "node 'n' cannot read all nodes, only its own Node object"),
        ("get /nodes/ m -", "node 'n' cannot read 'm', only its own Node object"),
        ("delete /nodes/ n -", ""),
        ("list /pods/ - spec.nodeName=n", "yes"),
        ("list /pods/ - spec.nodeName=m", selected),
        ("watch /pods/ - spec.nodeName!=n", selected),
        ("list /pods/ p metadata.name=p", unrelated),
        ("get /pods/ p -", unrelated),
        ("get /pods/log p -", ""),
        ("delete /pods/ p -", "yes"),
        ("patch /pods/status p -", "yes"),
        ("create /pods/eviction p -", "yes"),
        ("get /secrets/ s -", unrelated),
        ("list /secrets/ - -", "No Object name found"),
        ("get /secrets/x s -", "cannot read subresource"),
        ("create /configmaps/ - -", "can only read resources of this type"),
        ("update /persistentvolumeclaims/ c -", "can only get individual resources of this type"),
        ("get /persistentvolumeclaims/status c -", "can only get/update/patch this type"),
        ("patch /persistentvolumeclaims/status c -", unrelated),
        ("get /persistentvolumes/status v -", "cannot get subresource"),
        ("list /serviceaccounts/ - -", "can only create tokens for individual service accounts"),
        ("create /serviceaccounts/ s -", "can only create token subresource of serviceaccount"),
        ("create /serviceaccounts/token s -", unrelated),
        ("create coordination.k8s.io/leases/ - -", "can only access leases in the \"kube-node-lease\" system namespace"),
        ("list coordination.k8s.io/leases/ - -", "can only get, create, update, patch, or delete a node lease"),
        ("create storage.k8s.io/csinodes/ - -", "yes"),
        ("get storage.k8s.io/csinodes/ m -", "can only access CSINode with the same name as the requesting node"),
        ("list storage.k8s.io/csinodes/ - -", "can only get, create, update, patch, or delete a CSINode"),
        ("get storage.k8s.io/csinodes/status n -", "CSINode status access requires CSIVolumeHealth feature"),
        ("deletecollection resource.k8s.io/resourceslices/ - spec.nodeName=n", "yes"),
        (
            "list resource.k8s.io/resourceslices/ - -",
            "can only list/watch/deletecollection resourceslices with nodeName field selector",
        ),
        ("delete resource.k8s.io/resourceslices/ s -", unrelated),
        ("list certificates.k8s.io/podcertificaterequests/ - spec.nodeName=n", "yes"),
        ("update certificates.k8s.io/podcertificaterequests/ r -", "nodes may not update podcertificaterequests"),
    ] {
        assert_eq!(told(&nodes.decide(&asks(question))), answer, "{question}");
    }
    let lease = Attributes { namespace: "kube-node-lease".to_owned(), ..asks("update coordination.k8s.io/leases/ n -") };
    assert_eq!(told(&nodes.decide(&lease)), "yes");
    let everywhere = Attributes { namespace: String::new(), ..asks("list /secrets/ - -") };
    assert_eq!(told(&nodes.decide(&everywhere)), "can only read namespaced object of this type");
    let nameless = Attributes { user: User::new("system:node:", &["system:nodes"]), ..everywhere.clone() };
    assert_eq!(told(&nodes.decide(&nameless)), "unknown node for user \"system:node:\"");
    let other = Attributes { user: User::new("jane", &[]), ..asks("create /nodes/ - -") };
    assert_eq!(told(&nodes.decide(&other)), "");
}

/// A Pod that needs one of each.
fn pod(node: &str) -> Value {
    json!({
        "metadata": {"namespace": "a", "name": "p"},
        "spec": {
            "nodeName": node,
            "serviceAccountName": "account",
            "imagePullSecrets": [{"name": "pull"}],
            "initContainers": [{"envFrom": [{"configMapRef": {"name": "init"}}]}],
            "containers": [{"env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "env", "key": "k"}}},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "shared", "key": "k"}}}
            ]}],
            "volumes": [
                {"name": "s", "secret": {"secretName": "mounted"}},
                {"name": "p", "projected": {"sources": [{"secret": {"name": "projected"}}, {"configMap": {"name": "root"}}]}},
                {"name": "c", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "publish"}}},
                {"name": "v", "persistentVolumeClaim": {"claimName": "claim"}},
                {"name": "e", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}
            ],
            "resourceClaims": [{"name": "x", "resourceClaimName": "gpu"}, {"name": "y", "resourceClaimTemplateName": "t"}]
        },
        "status": {"resourceClaimStatuses": [{"name": "y", "resourceClaimName": "made"}]}
    })
}

/// What a Pod of another node needs too.
fn neighbour() -> Value {
    json!({
        "metadata": {"namespace": "a", "name": "q"},
        "spec": {"nodeName": "m", "volumes": [{"configMap": {"name": "shared"}}, {"secret": {"secretName": "other"}}]}
    })
}

#[tokio::test]
async fn a_node_reads_what_its_pods_need_as_long_as_they_are_there() {
    let store = Store::memory().unwrap();
    let nodes = nodes(&store);
    let needs = [
        "get /pods/ p -",
        "get /serviceaccounts/ account -",
        "create /serviceaccounts/token account -",
        "get /secrets/ pull -",
        "get /secrets/ env -",
        "get /secrets/ mounted -",
        "get /secrets/ projected -",
        "get /secrets/ publish -",
        "watch /configmaps/ init -",
        "get /configmaps/ shared -",
        "get /configmaps/ root -",
        "get /persistentvolumeclaims/ claim -",
        "get /persistentvolumeclaims/ p-e -",
        "get /persistentvolumes/ volume -",
        "get /secrets/ chap -",
        "get resource.k8s.io/resourceclaims/ gpu -",
        "get resource.k8s.io/resourceclaims/ made -",
    ];
    let volume = json!({
        "metadata": {"name": "volume"},
        "spec": {"claimRef": {"namespace": "a", "name": "claim"}, "iscsi": {"secretRef": {"name": "chap"}}}
    });
    put(&store, "persistentvolumes", volume).await;
    put(&store, "pods", neighbour()).await;
    put(&store, "pods", pod("")).await;
    let allowed = || needs.iter().filter(|question| nodes.decide(&asks(question)).is_allowed()).count();
    assert_eq!(allowed(), 0, "nothing is bound to the node");

    put(&store, "pods", pod("n")).await;
    for question in needs {
        assert_eq!(told(&nodes.decide(&asks(question))), "yes", "{question}");
    }
    assert!(!nodes.decide(&asks("get /secrets/ other -")).is_allowed(), "it is another node's");

    store.commit(vec![Op::Delete { key: Key::new("/registry/pods/", "a/p"), expect: Expect::Any }]).await.unwrap();
    assert_eq!(allowed(), 0, "the pod is gone");
}

#[tokio::test]
async fn what_names_a_node_is_that_nodes() {
    let store = Store::memory().unwrap();
    let nodes = nodes(&store);
    for (plural, question) in [
        ("volumeattachments", "get storage.k8s.io/volumeattachments/ x -"),
        ("resourceslices", "patch resource.k8s.io/resourceslices/ x -"),
    ] {
        assert!(!nodes.decide(&asks(question)).is_allowed(), "{question}");
        put(&store, plural, json!({"metadata": {"name": "x"}, "spec": {"nodeName": "n"}})).await;
        assert!(nodes.decide(&asks(question)).is_allowed(), "{question}");
    }
    let request = json!({"metadata": {"namespace": "a", "name": "x"}, "spec": {"nodeName": "n"}});
    put(&store, "podcertificaterequests", request).await;
    assert!(nodes.decide(&asks("get certificates.k8s.io/podcertificaterequests/ x -")).is_allowed());
}

#[test]
fn a_mirror_gives_nothing_but_itself() {
    let mut mirror = pod("n");
    mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "hash"});
    assert_eq!(edges(Of::Pod, &mirror), [(vertex(Of::Pod, "a", "p"), vertex(Of::Node, "", "n"))]);
}

#[test]
fn secrets_of_volumes_lie_where_they_say_or_beside_the_claim() {
    let of = |source: Value| {
        let mut spec = source;
        spec["claimRef"] = json!({"namespace": "a", "name": "c"});
        let said = edges(Of::Volume, &json!({"metadata": {"name": "v"}, "spec": spec}));
        said[1..].iter().map(|(from, _)| format!("{}/{}", from.1, from.2)).collect::<Vec<_>>().join(" ")
    };
    let secret = json!({"name": "s", "namespace": "b"});
    assert_eq!(of(json!({"azureFile": {"secretName": "s"}})), "a/s");
    assert_eq!(of(json!({"azureFile": {"secretName": "s", "secretNamespace": "b"}})), "b/s");
    assert_eq!(of(json!({"rbd": {"secretRef": {"name": "s"}}})), "a/s");
    assert_eq!(of(json!({"rbd": {"secretRef": secret}})), "b/s");
    assert_eq!(of(json!({"cinder": {"secretRef": {"name": "s"}}})), "/s");
    let csi = json!({"controllerPublishSecretRef": {"name": "no", "namespace": "b"}, "nodeStageSecretRef": secret, "nodePublishSecretRef": {"name": "p", "namespace": "b"}});
    assert_eq!(of(json!({"csi": csi})), "b/p b/s");
    assert!(edges(Of::Volume, &json!({"metadata": {"name": "v"}, "spec": {"rbd": {"secretRef": {"name": "s"}}}})).is_empty());
}

#[test]
fn nothing_is_kept_of_what_is_gone() {
    let mut known = Edges::default();
    let owners = ["p", "q"].map(|name| vertex(Of::Pod, "a", name));
    let [shared, node] = [vertex(Of::ConfigMap, "a", "shared"), vertex(Of::Node, "", "n")];
    for owner in &owners {
        known.say(owner.clone(), vec![(owner.clone(), node.clone()), (shared.clone(), node.clone())]);
    }
    assert_eq!(known.len(), 3);
    known.say(owners[0].clone(), Vec::new());
    assert!(known.leads(&shared, &node), "the other still says so");
    known.say(owners[1].clone(), Vec::new());
    assert_eq!(known.len(), 0);
}
