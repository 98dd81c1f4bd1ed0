//! Writes of the server's own parts: whom they need to be allowed by, what admission sees, what the audit log keeps.

use std::sync::{Arc, Mutex};

use admission::{Notes, Operation, Plugin, Review};
use model::json::{Value as Json, json};
use model::world::DeleteOptions;
use model::{GroupVersionResource, Status, User, Value, World};
use server::world::LocalWorld;

use crate::common::{Server, Setup, audit_log, events, server_with};

const ACCOUNT: &str = "system:serviceaccount:kube-system:service-account-controller";
const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1";

/// Notes who asks.
struct Asker(Arc<Mutex<Vec<String>>>);

#[async_trait::async_trait]
impl Plugin for Asker {
    fn name(&self) -> &'static str {
        "Asker"
    }

    fn handles(&self, _: Operation, resource: &GroupVersionResource, _: &str) -> bool {
        &*resource.resource == "serviceaccounts"
    }

    async fn validate(&self, review: &Review<'_>, _: Option<&Value>, notes: &mut Notes) -> Result<(), Status> {
        self.0.lock().unwrap().push(review.user.name.clone());
        notes.annotate("asker/seen", review.user.groups.join(","));
        Ok(())
    }
}

/// A server, a part of it that acts as a service account, and where the audit log is.
fn part_of_a_server() -> (Server, LocalWorld, tempfile::TempDir, Arc<Mutex<Vec<String>>>) {
    let (folder, seen) = (tempfile::tempdir().unwrap(), Arc::default());
    let plugins: Vec<Box<dyn Plugin>> = vec![Box::new(Asker(Arc::clone(&seen)))];
    let server = server_with(Setup { plugins, audit: Some(audit_log(folder.path())), ..Setup::default() });
    let user = User::of_service_account("kube-system", "service-account-controller");
    let world = LocalWorld::new(&server.0, User::loopback()).acting_as(user, "kube-controller-manager", ACCOUNT);
    (server, world, folder, seen)
}

async fn allow(server: &Server, verbs: Json) {
    let rules = json!([{"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": verbs}]);
    server.post(&format!("{ROLES}/clusterroles"), json!({"metadata": {"name": "r"}, "rules": rules})).await.ok(201);
    let subject = json!({"kind": "ServiceAccount", "name": "service-account-controller", "namespace": "kube-system"});
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"});
    let binding = json!({"metadata": {"name": "b"}, "roleRef": role, "subjects": [subject]});
    server.post(&format!("{ROLES}/clusterrolebindings"), binding).await.ok(201);
}

fn accounts() -> GroupVersionResource {
    GroupVersionResource::new("", "v1", "serviceaccounts")
}

/// The stages of what an account asked for with a verb.
async fn recorded(server: &Server, folder: &tempfile::TempDir, user: &str, verb: &str) -> Vec<Json> {
    let all = events(server, folder.path()).await;
    all.into_iter().filter(|event| event["user"]["username"] == *user && event["verb"] == *verb).collect()
}

#[tokio::test]
async fn a_controller_is_authorized_and_recorded_as_its_account() {
    let (server, world, folder, seen) = part_of_a_server();
    let refused = world.create(&accounts(), "a", json!({"metadata": {"name": "default"}})).await.unwrap_err();
    assert_eq!(refused.code, 403);
    let message = format!(
        "serviceaccounts is forbidden: User \"{ACCOUNT}\" cannot create resource \"serviceaccounts\" in API group \"\" in the namespace \"a\""
    );
    assert_eq!(refused.message, message);
    let [received, refused] = &recorded(&server, &folder, ACCOUNT, "create").await[..] else { panic!("two stages") };
    assert_eq!((&received["stage"], &refused["stage"]), (&json!("RequestReceived"), &json!("ResponseComplete")));
    assert_eq!(refused["annotations"]["authorization.k8s.io/decision"], "forbid");
    assert_eq!((&refused["responseStatus"]["message"], &refused["responseStatus"]["code"]), (&json!(message), &json!(403)));
    assert_eq!(refused.get("requestObject"), None);

    allow(&server, json!(["create"])).await;
    world.create(&accounts(), "a", json!({"metadata": {"name": "default"}})).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [ACCOUNT]);
    let made = recorded(&server, &folder, ACCOUNT, "create").await.pop().unwrap();
    let groups = json!(["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"]);
    assert_eq!(made["user"], json!({"username": ACCOUNT, "groups": groups}));
    assert_eq!(made["requestURI"], "/api/v1/namespaces/a/serviceaccounts");
    assert_eq!(made["sourceIPs"], json!(["127.0.0.1"]));
    let agent = made["userAgent"].as_str().unwrap();
    assert!(agent.starts_with("kube-controller-manager/v1.37.2 (") && agent.ends_with(&format!("/{ACCOUNT}")), "{agent}");
    let reference = json!({"resource": "serviceaccounts", "namespace": "a", "name": "default", "apiVersion": "v1"});
    assert_eq!((&made["objectRef"], &made["responseStatus"]), (&reference, &json!({"metadata": {}, "code": 201})));
    assert_eq!(made["requestObject"]["metadata"]["name"], "default");
    assert_eq!(made["responseObject"]["metadata"]["managedFields"], Json::Null, "nothing was said that one could own");
    assert_eq!(made["annotations"]["authorization.k8s.io/decision"], "allow");
    assert_eq!(
        made["annotations"]["authorization.k8s.io/reason"],
        "RBAC: allowed by ClusterRoleBinding \"b\" of ClusterRole \"r\" to ServiceAccount \"service-account-controller/kube-system\""
    );
    assert_eq!(
        made["annotations"]["asker/seen"],
        groups.as_array().unwrap().iter().filter_map(Json::as_str).collect::<Vec<_>>().join(",")
    );
}

#[tokio::test]
async fn what_ends_a_namespace_is_recorded_as_a_clients() {
    let (server, world, folder, _) = part_of_a_server();
    let namespaces = GroupVersionResource::new("", "v1", "namespaces");
    let own = world.acting_as(User::loopback(), "kube-apiserver", "");
    own.create(&namespaces, "", json!({"metadata": {"name": "n"}})).await.unwrap();
    let map = json!({"metadata": {"name": "m"}, "data": {"k": "v"}});
    let made = own.create(&GroupVersionResource::new("", "v1", "configmaps"), "n", map).await.unwrap();
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "kube-apiserver");
    let uid = made["metadata"]["uid"].as_str().unwrap();
    let options = DeleteOptions { uid: Some(uid.to_owned()), ..DeleteOptions::default() };
    own.delete(&GroupVersionResource::new("", "v1", "configmaps"), "n", "m", options).await.unwrap();
    own.delete(&namespaces, "", "n", DeleteOptions::default()).await.unwrap();
    let mut ending = own.get(&namespaces, "", "n").await.unwrap();
    ending["spec"]["finalizers"] = json!([]);
    own.update(&namespaces, "finalize", ending).await.unwrap();

    let deleted = recorded(&server, &folder, "system:apiserver", "delete").await;
    let [_, map, _, namespace] = &deleted[..] else { panic!("{deleted:#?}") };
    assert_eq!(map["requestURI"], "/api/v1/namespaces/n/configmaps/m");
    assert_eq!(map["requestObject"]["preconditions"]["uid"], uid);
    let details = json!({"name": "m", "kind": "configmaps", "uid": uid});
    assert_eq!(map["responseStatus"], json!({"metadata": {}, "status": "Success", "details": details, "code": 200}));
    assert_eq!(map["responseObject"]["status"], "Success");
    assert_eq!(namespace["requestURI"], "/api/v1/namespaces/n");
    assert_eq!(namespace["objectRef"], json!({"resource": "namespaces", "namespace": "n", "name": "n", "apiVersion": "v1"}));
    assert_eq!(namespace["responseObject"]["status"]["phase"], "Terminating");
    let finalized = recorded(&server, &folder, "system:apiserver", "update").await.pop().unwrap();
    assert_eq!(finalized["requestURI"], "/api/v1/namespaces/n/finalize");
    assert_eq!((&finalized["objectRef"]["subresource"], &finalized["responseStatus"]["code"]), (&json!("finalize"), &json!(200)));
}

#[tokio::test]
async fn who_owns_under_another_name_says_so() {
    let (server, world, folder, _) = part_of_a_server();
    let own = world.acting_as(User::loopback(), "kube-apiserver", "").owning_as("a-part-of-it");
    let (maps, map) = (GroupVersionResource::new("", "v1", "configmaps"), json!({"metadata": {"name": "m"}, "data": {"k": "v"}}));
    let made = own.create(&maps, "n", map).await.unwrap();
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "a-part-of-it");
    let made = recorded(&server, &folder, "system:apiserver", "create").await.pop().unwrap();
    assert_eq!(made["requestURI"], "/api/v1/namespaces/n/configmaps?fieldManager=a-part-of-it");
}
