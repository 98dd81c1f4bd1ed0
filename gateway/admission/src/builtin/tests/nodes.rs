//! What a kubelet may write, and what it may not.

use super::*;
use crate::builtin::node_restriction::NodeRestriction;

const PODS: &str = "v1/pods";
const NODES: &str = "v1/nodes";

struct Ask<'a> {
    operation: Operation,
    resource: &'a str,
    subresource: &'a str,
    old: Option<Value>,
    allowed: &'static [&'static str],
}

const CREATE: Ask<'static> = Ask { operation: Operation::Create, resource: PODS, subresource: "", old: None, allowed: &[] };

fn cluster() -> Arc<Fake> {
    let fake = Fake::new(&[]);
    fake.seed(NODES, json!({"metadata": {"name": "n1", "uid": "u1"}}));
    for (name, node) in [("here", "n1"), ("there", "n2")] {
        let volumes = json!([{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"audience": "vault", "path": "t"}}]}},
            {"name": "c", "csi": {"driver": "d.example.com"}}]);
        fake.seed(
            PODS,
            json!({"metadata": {"namespace": "shop", "name": name, "uid": name}, "spec": {"nodeName": node, "volumes": volumes}}),
        );
    }
    fake.seed(
        "storage.k8s.io/v1/csidrivers",
        json!({"metadata": {"name": "d.example.com"}, "spec": {"tokenRequests": [{"audience": "store"}]}}),
    );
    Arc::new(fake)
}

impl Ask<'_> {
    /// What a user is refused, without the words before.
    async fn by(&self, user: &str, groups: &[&str], object: &Value) -> Option<String> {
        let world = cluster();
        let chain = Chain::new(vec![Box::new(NodeRestriction(testing::cluster(world, self.allowed)))]);
        let resource = gvr(self.resource);
        let review = Review {
            request: &RequestInfo::default(),
            user: &User::new(user, groups),
            operation: self.operation,
            resource: &resource,
            kind: &GroupVersionKind::new(&resource.group, &resource.version, "Any"),
            subresource: self.subresource,
            namespace: meta::namespace(object),
            name: meta::name(object),
            old: self.old.as_ref(),
            options: &Value::Null,
            dry_run: false,
            uid: "",
            now: jiff::Timestamp::UNIX_EPOCH,
            deadline: None,
        };
        let mut notes = Notes::default();
        let answer = match self.operation {
            Operation::Delete => chain.validate(&review, None, &mut notes).await,
            _ => chain.mutate(&review, &mut object.clone(), &mut notes).await,
        };
        answer
            .err()
            .map(|status| status.message.split_once(" is forbidden: ").map_or(status.message.clone(), |(_, why)| why.to_owned()))
    }

    /// What the node n1 is refused.
    async fn refused(&self, object: &Value) -> Option<String> {
        self.by("system:node:n1", &["system:nodes"], object).await
    }
}

fn told(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn mirror() -> Value {
    let owner = json!({"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u1", "controller": true});
    json!({"metadata": {"namespace": "shop", "name": "web", "annotations": {"kubernetes.io/config.mirror": "x"}, "ownerReferences": [owner]},
        "spec": {"nodeName": "n1", "containers": [{"name": "c"}], "volumes": [{"name": "v", "hostPath": {"path": "/"}}]}})
}

#[tokio::test]
async fn whoever_is_no_node_is_not_asked() {
    for (user, groups) in [("alice", &["system:nodes"][..]), ("system:node:n1", &[]), ("system:serviceaccount:a:b", &[])] {
        assert_eq!(CREATE.by(user, groups, &pod()).await, None, "{user}");
    }
    let nameless = CREATE.by("system:node:", &["system:nodes"], &pod()).await;
    assert_eq!(nameless, told("could not determine node from user \"system:node:\""));
}

#[tokio::test]
async fn a_node_makes_mirrors_of_its_own_and_no_other_pods() {
    assert_eq!(CREATE.refused(&mirror()).await, None);
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 9] = [
        (
            |p| p["metadata"]["annotations"] = Value::Null,
            "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"n1\" can only create mirror pods",
        ),
        (|p| p["spec"]["nodeName"] = "n2".into(), "node \"n1\" can only create pods with spec.nodeName set to itself"),
        (
            |p| p["metadata"]["ownerReferences"] = json!([]),
            "node \"n1\" can only create pods with an owner reference set to itself",
        ),
        (
            |p| p["metadata"]["ownerReferences"][0]["name"] = "n2".into(),
            "node \"n1\" can only create pods with an owner reference set to itself",
        ),
        (
            |p| p["metadata"]["ownerReferences"][0]["controller"] = Value::Null,
            "node \"n1\" can only create pods with a controller owner reference set to itself",
        ),
        (
            |p| p["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] = true.into(),
            "node \"n1\" must not set blockOwnerDeletion on an owner reference",
        ),
        (|p| p["metadata"]["ownerReferences"][0]["uid"] = "u2".into(), "node n1 UID mismatch: expected u2 got u1"),
        (
            |p| p["spec"]["volumes"][0] = json!({"name": "v", "secret": {"secretName": "s"}}),
            "node \"n1\" can not create pods that reference secrets",
        ),
        (
            |p| p["spec"]["volumes"][0] = json!({"name": "v", "persistentVolumeClaim": {"claimName": "c"}}),
            "node \"n1\" can not create pods that reference persistentvolumeclaims",
        ),
    ];
    for (change, why) in changes {
        let mut pod = mirror();
        change(&mut pod);
        assert_eq!(CREATE.refused(&pod).await, told(why));
    }
}

#[tokio::test]
async fn a_node_ends_and_tells_of_what_runs_there() {
    let named = |name: &str| json!({"metadata": {"namespace": "shop", "name": name}});
    for (operation, subresource, why) in [
        (Operation::Delete, "", "node \"n1\" can only delete pods with spec.nodeName set to itself"),
        (Operation::Create, "eviction", "node n1 can only evict pods with spec.nodeName set to itself"),
    ] {
        let ask = Ask { operation, subresource, ..CREATE };
        assert_eq!(ask.refused(&named("here")).await, None);
        assert_eq!(ask.refused(&named("there")).await, told(why));
        assert_eq!(ask.refused(&named("nowhere")).await, told("pod \"nowhere\" not found"));
    }
    let old = json!({"metadata": {"namespace": "shop", "name": "here", "labels": {"a": "b"}}, "spec": {"nodeName": "n1"}, "status": {}});
    let ask = |old: &Value| Ask { operation: Operation::Update, subresource: "status", old: Some(old.clone()), ..CREATE };
    let mut new = old.clone();
    new["status"]["phase"] = "Running".into();
    assert_eq!(ask(&old).refused(&new).await, None);
    new["metadata"]["labels"] = json!({"a": "c"});
    assert_eq!(ask(&old).refused(&new).await, told("node \"n1\" cannot update labels through pod status"));
    let exec = Ask { operation: Operation::Update, subresource: "ephemeralcontainers", ..CREATE };
    let why = "unexpected pod subresource \"ephemeralcontainers\", only 'status' and 'eviction' are allowed";
    assert_eq!(exec.refused(&old).await, told(why));
}

#[tokio::test]
async fn a_node_does_not_steer_pods_to_itself() {
    let node = |labels: Value| json!({"metadata": {"name": "n1", "labels": labels}, "spec": {}});
    let create = Ask { resource: NODES, ..CREATE };
    let own = json!({"kubernetes.io/hostname": "n1", "a.kubelet.kubernetes.io/x": "y", "example.com/x": "y", "x": "y"});
    assert_eq!(create.refused(&node(own)).await, None);
    let others =
        json!({"node-restriction.kubernetes.io/x": "y", "kubernetes.io/x": "y", "a.k8s.io/x": "y", "notkubernetes.io/x": "y"});
    let why =
        "node \"n1\" is not allowed to set the following labels: a.k8s.io/x, kubernetes.io/x, node-restriction.kubernetes.io/x";
    assert_eq!(create.refused(&node(others)).await, told(why));
    let other = json!({"metadata": {"name": "n2"}});
    assert_eq!(create.refused(&other).await, told("node \"n1\" is not allowed to modify node \"n2\""));

    let old = node(json!({"node-role.kubernetes.io/x": ""}));
    let update = || Ask { operation: Operation::Update, resource: NODES, old: Some(old.clone()), ..CREATE };
    assert_eq!(update().refused(&old).await, None);
    assert_eq!(update().refused(&node(json!({}))).await, told("is not allowed to modify labels: node-role.kubernetes.io/x"));
    let mut tainted = old.clone();
    tainted["spec"]["taints"] = json!([{"key": "a", "effect": "NoSchedule"}]);
    assert_eq!(update().refused(&tainted).await, told("node \"n1\" is not allowed to modify taints"));
}

#[tokio::test]
async fn a_node_has_one_of_each() {
    let lease = |namespace: &str, name: &str| json!({"metadata": {"namespace": namespace, "name": name}});
    let ask = |resource: &'static str| Ask { resource, ..CREATE };
    let leases = "coordination.k8s.io/v1/leases";
    assert_eq!(ask(leases).refused(&lease("kube-node-lease", "n1")).await, None);
    let why = "can only access node lease with the same name as the requesting node";
    assert_eq!(ask(leases).refused(&lease("kube-node-lease", "n2")).await, told(why));
    let why = "can only access leases in the \"kube-node-lease\" system namespace";
    assert_eq!(ask(leases).refused(&lease("shop", "n1")).await, told(why));
    let slice = |node: &str| json!({"metadata": {"name": "s"}, "spec": {"nodeName": node}});
    let slices = "resource.k8s.io/v1/resourceslices";
    assert_eq!(ask(slices).refused(&slice("n1")).await, None);
    let why = "can only create ResourceSlice with the same NodeName as the requesting node";
    assert_eq!(ask(slices).refused(&slice("n2")).await, told(why));
    let gone = Ask { operation: Operation::Delete, old: Some(slice("n2")), ..ask(slices) };
    assert_eq!(
        gone.refused(&slice("n2")).await,
        told("can only delete ResourceSlice with the same NodeName as the requesting node")
    );
    assert_eq!(ask("storage.k8s.io/v1/csinodes").refused(&json!({"metadata": {"name": "n1"}})).await, None);
}

#[tokio::test]
async fn a_node_gets_the_tokens_that_its_pods_ask_for() {
    let ask = |allowed| Ask { resource: "v1/serviceaccounts", subresource: "token", allowed, ..CREATE };
    let request = |pod: &str, audiences: Value| {
        let bound = json!({"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": pod});
        json!({"metadata": {"namespace": "shop", "name": "default"}, "spec": {"audiences": audiences, "boundObjectRef": bound}})
    };
    for audience in ["vault", "store"] {
        assert_eq!(ask(&[]).refused(&request("here", json!([audience]))).await, None, "{audience}");
    }
    let why = "system:node:n1 is not authorized to request tokens for audience \"other\"";
    assert_eq!(ask(&[]).refused(&request("here", json!(["other"]))).await, told(why));
    let allowed = &["system:node:n1 request-serviceaccounts-token-audience other/default"];
    assert_eq!(ask(allowed).refused(&request("here", json!(["other"]))).await, None);
    let why = "node requested token bound to a pod scheduled on a different node";
    assert_eq!(ask(&[]).refused(&request("there", json!(["vault"]))).await, told(why));
    let mut unbound = request("here", json!([]));
    unbound["spec"]["boundObjectRef"] = Value::Null;
    assert_eq!(ask(&[]).refused(&unbound).await, told("node requested token not bound to a pod"));
}

#[tokio::test]
async fn a_node_tells_sizes_of_claims_only() {
    let old = json!({"metadata": {"namespace": "shop", "name": "c", "resourceVersion": "1"}, "status": {"phase": "Bound"}});
    let ask = |subresource| Ask {
        operation: Operation::Update,
        resource: "v1/persistentvolumeclaims",
        subresource,
        old: Some(old.clone()),
        allowed: &[],
    };
    let mut new = old.clone();
    new["status"]["capacity"] = json!({"storage": "1Gi"});
    assert_eq!(ask("status").refused(&new).await, None);
    assert_eq!(ask("").refused(&new).await, told("may only update PVC status"));
    new["status"]["phase"] = "Lost".into();
    let why = "node \"n1\" is not allowed to update fields other than status.quantity and status.conditions";
    assert_eq!(ask("status").refused(&new).await, told(why));
}
