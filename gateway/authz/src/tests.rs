//! RBAC end to end over a source in memory: decisions, reasons, refusals, escalation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use model::json::json;
use model::{Attributes, Decision, GroupResource, Status, User, Value};

use crate::{Chain, Change, Draft, Incomplete, Kind, Mode, Rbac, Source, forbidden};

#[derive(Clone, Default)]
struct Objects(Arc<(AtomicU64, Mutex<Vec<Change>>)>);

impl Objects {
    fn put(&self, kind: Kind, object: Value) {
        self.0.1.lock().unwrap().push(Change::Put(kind, object));
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }

    fn remove(&self, kind: Kind, namespace: &str, name: &str) {
        self.0.1.lock().unwrap().push(Change::Remove(kind, namespace.into(), name.into()));
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }

    fn role(&self, kind: Kind, namespace: &str, name: &str, rules: Value) {
        self.put(kind, json!({"metadata": {"namespace": namespace, "name": name}, "rules": rules}));
    }

    fn bind(&self, kind: Kind, namespace: &str, name: &str, role_kind: &str, role: &str, subjects: Value) {
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role});
        self.put(kind, json!({"metadata": {"namespace": namespace, "name": name}, "roleRef": role, "subjects": subjects}));
    }

    fn chain(&self, modes: &[Mode]) -> Chain {
        Chain::new(modes, Arc::new(Rbac::new(self.clone())))
    }
}

impl Source for Objects {
    fn version(&self) -> u64 {
        self.0.0.load(Ordering::SeqCst)
    }

    fn drain(&self) -> Vec<Change> {
        std::mem::take(&mut self.0.1.lock().unwrap())
    }
}

fn pods(user: &User, verb: &str, namespace: &str) -> Attributes {
    Attributes {
        user: user.clone(),
        verb: verb.into(),
        version: "v1".into(),
        resource: "pods".into(),
        namespace: namespace.into(),
        resource_request: true,
        ..Attributes::default()
    }
}

fn reader() -> Value {
    json!([{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}])
}

fn user_subject(name: &str) -> Value {
    json!([{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name}])
}

#[test]
fn a_binding_counts_at_once_and_until_it_is_gone() {
    let (objects, jane) = (Objects::default(), User::new("jane", &[]));
    let chain = objects.chain(&[Mode::Rbac]);
    assert_eq!(chain.decide(&pods(&jane, "list", "a")), Decision::NoOpinion(String::new()));

    objects.role(Kind::Role, "a", "reader", reader());
    objects.bind(Kind::RoleBinding, "a", "jane-reads", "Role", "reader", user_subject("jane"));
    assert_eq!(
        chain.decide(&pods(&jane, "list", "a")),
        Decision::Allow("RBAC: allowed by RoleBinding \"jane-reads/a\" of Role \"reader\" to User \"jane\"".into())
    );
    assert!(!chain.decide(&pods(&jane, "list", "b")).is_allowed());
    assert!(!chain.decide(&pods(&jane, "list", "")).is_allowed());
    assert!(!chain.decide(&pods(&jane, "delete", "a")).is_allowed());

    objects.bind(Kind::RoleBinding, "a", "jane-reads", "Role", "reader", user_subject("joe"));
    assert!(!chain.decide(&pods(&jane, "list", "a")).is_allowed(), "a subject taken out of a binding");
    assert!(chain.decide(&pods(&User::new("joe", &[]), "list", "a")).is_allowed());

    objects.remove(Kind::RoleBinding, "a", "jane-reads");
    assert!(!chain.decide(&pods(&User::new("joe", &[]), "list", "a")).is_allowed());
}

#[test]
fn cluster_bindings_reach_every_namespace() {
    let objects = Objects::default();
    objects.role(Kind::ClusterRole, "", "reader", reader());
    let subjects = json!([{"kind": "Group", "name": "devs"}, {"kind": "ServiceAccount", "name": "bot", "namespace": "ci"}]);
    objects.bind(Kind::ClusterRoleBinding, "", "read", "ClusterRole", "reader", subjects);
    let chain = objects.chain(&[Mode::Rbac]);

    let dev = User::new("jane", &["devs"]);
    assert_eq!(
        chain.decide(&pods(&dev, "list", "")).reason(),
        "RBAC: allowed by ClusterRoleBinding \"read\" of ClusterRole \"reader\" to Group \"devs\""
    );
    let bot = User::new("system:serviceaccount:ci:bot", &[]);
    assert_eq!(
        chain.decide(&pods(&bot, "get", "x")).reason(),
        "RBAC: allowed by ClusterRoleBinding \"read\" of ClusterRole \"reader\" to ServiceAccount \"bot/ci\""
    );
    assert!(!chain.decide(&pods(&User::new("devs", &[]), "get", "x")).is_allowed(), "a user named as a group");
}

#[test]
fn a_service_account_without_namespace_is_the_bindings_own() {
    let objects = Objects::default();
    objects.role(Kind::ClusterRole, "", "reader", reader());
    objects.bind(Kind::RoleBinding, "a", "b", "ClusterRole", "reader", json!([{"kind": "ServiceAccount", "name": "bot"}]));
    objects.bind(Kind::ClusterRoleBinding, "", "c", "ClusterRole", "reader", json!([{"kind": "ServiceAccount", "name": "bot"}]));
    let chain = objects.chain(&[Mode::Rbac]);
    assert!(chain.decide(&pods(&User::new("system:serviceaccount:a:bot", &[]), "get", "a")).is_allowed());
    assert!(!chain.decide(&pods(&User::new("system:serviceaccount:b:bot", &[]), "get", "a")).is_allowed());
    assert!(!chain.decide(&pods(&User::new("system:serviceaccount::bot", &[]), "get", "")).is_allowed());
}

#[test]
fn a_missing_role_is_named_in_the_refusal() {
    let objects = Objects::default();
    objects.bind(Kind::ClusterRoleBinding, "", "b", "ClusterRole", "gone", user_subject("jane"));
    let asked = pods(&User::new("jane", &[]), "list", "y");
    let decision = objects.chain(&[Mode::Rbac]).decide(&asked);
    let status = forbidden(&asked, decision.reason());
    assert_eq!(
        status.message,
        "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"y\": \
         rbac: RBAC: clusterrole.rbac.authorization.k8s.io \"gone\" not found"
    );
    assert_eq!(status.code, 403);
}

#[test]
fn refusals_read_as_upstream() {
    let message = |asked: Attributes| forbidden(&asked, "").message;
    let jane = User::new("jane", &[]);
    assert_eq!(
        message(pods(&jane, "list", "")),
        "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" at the cluster scope"
    );
    let scale = Attributes {
        group: "apps".into(),
        resource: "deployments".into(),
        subresource: "scale".into(),
        name: "web".into(),
        ..pods(&jane, "get", "shop")
    };
    assert_eq!(
        message(scale),
        "deployments.apps \"web\" is forbidden: User \"jane\" cannot get resource \"deployments/scale\" in API group \"apps\" in the namespace \"shop\""
    );
    let path = Attributes { user: User::new("<b>", &[]), verb: "get".into(), path: "/metrics".into(), ..Attributes::default() };
    assert_eq!(message(path), "forbidden: User \"&lt;b&gt;\" cannot get path \"/metrics\"");
}

#[test]
fn masters_and_modes() {
    let (objects, jane) = (Objects::default(), User::new("jane", &[]));
    let asked = pods(&jane, "list", "");
    let root = pods(&User::new("admin", &["system:masters"]), "list", "");
    assert!(objects.chain(&[Mode::AlwaysDeny]).decide(&root).is_allowed());
    assert_eq!(
        objects.chain(&[Mode::AlwaysDeny]).decide(&asked),
        Decision::NoOpinion("alwaysdeny: Everything is forbidden.".into())
    );
    assert!(objects.chain(&[Mode::Node, Mode::Rbac, Mode::AlwaysAllow]).decide(&asked).is_allowed());
    assert_eq!("RBAC".parse(), Ok(Mode::Rbac));
    assert!("Webhook".parse::<Mode>().is_err());
    // What the node authorizer allows it cannot list: nobody but nodes misses that.
    let kubelet = User::new("system:node:n1", &["system:nodes"]);
    for (user, errors) in [(&jane, 0), (&kubelet, 1)] {
        let (rules, incomplete) = objects.chain(&[Mode::AlwaysAllow, Mode::Node]).rules_for(user, "");
        assert_eq!((rules.rules.len(), rules.errors.len(), incomplete), (2, errors, Incomplete(errors > 0)), "{user:?}");
    }
}

fn write(chain: &Chain, user: &User, kind: Kind, new: &Value, old: Option<&Value>) -> Result<(), Status> {
    let resource = GroupResource::new("rbac.authorization.k8s.io", kind.resource());
    let namespace = model::meta::namespace(new);
    chain.permit(&Draft { user, resource: &resource, namespace, name: "", new, old })
}

#[test]
fn nobody_grants_what_they_do_not_hold() {
    let (objects, jane) = (Objects::default(), User::new("jane", &["devs", "system:authenticated"]));
    objects.role(Kind::ClusterRole, "", "reader", reader());
    objects.bind(Kind::RoleBinding, "a", "jane", "ClusterRole", "reader", user_subject("jane"));
    let chain = objects.chain(&[Mode::Rbac]);

    let held = json!({"metadata": {"namespace": "a", "name": "r"}, "rules": reader()});
    assert_eq!(write(&chain, &jane, Kind::Role, &held, None), Ok(()));
    let more = json!({"metadata": {"namespace": "a", "name": "r"}, "rules": [{"verbs": ["get", "create", "delete"], "apiGroups": [""], "resources": ["pods"]}]});
    let refused = write(&chain, &jane, Kind::Role, &more, None).unwrap_err();
    assert_eq!(
        refused.message,
        "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"jane\" (groups=[\"devs\" \"system:authenticated\"]) is attempting to grant \
         RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"create\" \"delete\"]}"
    );
    assert_eq!(write(&chain, &User::loopback(), Kind::Role, &more, None), Ok(()));

    let released = json!({"metadata": {"namespace": "a", "name": "r", "finalizers": ["x"]}, "rules": more["rules"]});
    assert_eq!(write(&chain, &jane, Kind::Role, &more, Some(&released)), Ok(()), "only the garbage collector's fields differ");
    let (bare, kept) = (
        json!({"metadata": {"name": "r", "labels": {}}, "aggregationRule": {"clusterRoleSelectors": [{}]}}),
        json!({"metadata": {"name": "r", "finalizers": ["x"]}, "rules": null, "aggregationRule": {"clusterRoleSelectors": [{}]}}),
    );
    assert_eq!(write(&chain, &jane, Kind::ClusterRole, &bare, Some(&kept)), Ok(()), "what is empty is as good as absent");
}

#[test]
fn binding_needs_the_roles_rules_or_the_verb() {
    let (objects, jane) = (Objects::default(), User::new("jane", &[]));
    objects.role(Kind::ClusterRole, "", "admin", json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]));
    let chain = objects.chain(&[Mode::Rbac]);
    let binding = |role: &str| json!({"metadata": {"name": "b"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}});
    let refused = write(&chain, &jane, Kind::ClusterRoleBinding, &binding("admin"), None).unwrap_err();
    assert!(
        refused.message.ends_with("not currently held:\n{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}"),
        "{}",
        refused.message
    );
    let missing = write(&chain, &jane, Kind::ClusterRoleBinding, &binding("gone"), None).unwrap_err();
    assert_eq!(
        (missing.code, missing.message.as_str()),
        (404, "clusterrolebindings.rbac.authorization.k8s.io \"gone\" not found")
    );
    // A Role outside of namespaces is no cluster role of that name.
    let role =
        json!({"metadata": {"name": "b"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "admin"}});
    let nowhere = write(&chain, &jane, Kind::ClusterRoleBinding, &role, None).unwrap_err();
    assert_eq!((nowhere.code, nowhere.message.as_str()), (400, "Namespace parameter required."));

    let bind = json!([{"verbs": ["bind"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "resourceNames": ["admin"]}]);
    objects.role(Kind::ClusterRole, "", "binder", bind);
    objects.bind(Kind::ClusterRoleBinding, "", "j", "ClusterRole", "binder", user_subject("jane"));
    assert_eq!(write(&chain, &jane, Kind::ClusterRoleBinding, &binding("admin"), None), Ok(()));
}

#[test]
fn escalate_lets_write_any_role_and_aggregation_wants_everything() {
    let (objects, jane) = (Objects::default(), User::new("jane", &[]));
    let chain = objects.chain(&[Mode::Rbac]);
    let aggregated = json!({"metadata": {"name": "sum"}, "rules": [], "aggregationRule": {"clusterRoleSelectors": [{}]}});
    let refused = write(&chain, &jane, Kind::ClusterRole, &aggregated, None).unwrap_err();
    assert_eq!(
        refused.message,
        "clusterroles.rbac.authorization.k8s.io \"sum\" is forbidden: must have cluster-admin privileges to use the aggregationRule"
    );
    let escalate = json!([{"verbs": ["escalate"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"]}]);
    objects.role(Kind::ClusterRole, "", "escalator", escalate);
    objects.bind(Kind::ClusterRoleBinding, "", "j", "ClusterRole", "escalator", user_subject("jane"));
    assert_eq!(write(&chain, &jane, Kind::ClusterRole, &aggregated, None), Ok(()));
}
