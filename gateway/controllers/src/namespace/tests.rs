//! Namespaces in every stage of their end.

use model::world::Extensions;

use super::*;
use crate::tests::{NOW, context};
use crate::world::{Fake, THEN};

fn world() -> Fake {
    Fake::new(&[
        ("v1/configmaps", "ConfigMap", true),
        ("v1/pods", "Pod", true),
        ("apps/v1/deployments", "Deployment", true),
        ("v1/nodes", "Node", false),
    ])
}

fn namespace(deleted_at: &str) -> Value {
    json!({"metadata": {"name": "a", "deletionTimestamp": deleted_at}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Terminating"}})
}

fn condition<'a>(namespace: &'a Value, kind: &str) -> &'a Value {
    namespace["status"]["conditions"].as_array().unwrap().iter().find(|c| c["type"] == kind).unwrap()
}

#[test]
fn a_namespace_is_left_alone_until_it_is_deleted() {
    let now: Timestamp = NOW.parse().unwrap();
    assert_eq!(decide(&json!({"metadata": {"name": "a"}, "spec": {"finalizers": ["kubernetes"]}}), now, GRACE_MS), Action::Leave);
    assert_eq!(decide(&json!({"metadata": {"name": "a", "deletionTimestamp": THEN}, "spec": {}}), now, GRACE_MS), Action::Leave);
    assert_eq!(decide(&namespace(NOW), now, GRACE_MS), Action::Grace(Duration::from_secs(1)));
    assert_eq!(decide(&namespace(NOW), now, GRACE_SHARED_MS), Action::Grace(Duration::from_secs(5)));
    assert_eq!(decide(&namespace(THEN), now, GRACE_MS), Action::Empty);
}

#[test]
fn waiting_grows_with_age() {
    let left = Left { estimate_s: 40, ..Left::default() };
    assert_eq!((wait(&left, 0), wait(&left, 60)), (Duration::from_secs(1), Duration::from_secs(21)));
}

#[tokio::test]
async fn an_ending_namespace_is_emptied_and_goes() {
    let (context, world) = context(world());
    world.seed("v1/namespaces", namespace(THEN));
    for (path, space) in [("v1/configmaps", "a"), ("v1/configmaps", "b"), ("apps/v1/deployments", "a"), ("v1/pods", "a")] {
        world.seed(path, json!({"metadata": {"namespace": space, "name": "x"}}));
    }
    assert_eq!(reconcile(&context, "a").await.unwrap(), Next::Wait);
    assert_eq!(world.names("v1/configmaps"), ["b/x"]);
    assert_eq!(world.names("v1/pods"), [""; 0]);
    assert_eq!(world.peek("v1/namespaces", "", "a"), None);
}

#[tokio::test]
async fn pods_go_before_all_else() {
    let (context, world) = context(world());
    world.seed("v1/namespaces", namespace(THEN));
    world.seed("v1/pods", json!({"metadata": {"namespace": "a", "name": "p", "finalizers": ["example.com/hold"]}}));
    world.seed("v1/configmaps", json!({"metadata": {"namespace": "a", "name": "c"}}));
    assert!(matches!(reconcile(&context, "a").await.unwrap(), Next::After(_)));
    assert_eq!(world.names("v1/configmaps"), ["a/c"]);
    let ending = world.peek("v1/namespaces", "", "a").unwrap();
    assert_eq!(
        condition(&ending, "NamespaceContentRemaining")["message"],
        "Some resources are remaining: pods. has 1 resource instances"
    );
    assert_eq!(
        condition(&ending, "NamespaceFinalizersRemaining")["message"],
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    );
    assert_eq!(condition(&ending, "NamespaceDeletionContentFailure")["status"], "False");
}

#[tokio::test]
async fn a_namespaces_policies_go_before_what_they_may_refuse() {
    let (context, world) = context(Fake::new(&[
        ("v1/pods", "Pod", true),
        ("v1/configmaps", "ConfigMap", true),
        ("policy.gatehouse.dev/v1alpha1/policybindings", "PolicyBinding", true),
    ]));
    const BINDINGS: &str = "policy.gatehouse.dev/v1alpha1/policybindings";
    world.seed("v1/namespaces", namespace(THEN));
    world.seed("v1/pods", json!({"metadata": {"namespace": "a", "name": "p"}}));
    world.seed("v1/configmaps", json!({"metadata": {"namespace": "a", "name": "c"}}));
    world.seed(BINDINGS, json!({"metadata": {"namespace": "a", "name": "b"}}));
    world.fail("delete pods", model::Status::new(403, "Forbidden", "a policy says no"));
    assert!(reconcile(&context, "a").await.is_err());
    assert_eq!(world.names(BINDINGS), [""; 0], "though pods are left");
    assert_eq!((world.names("v1/pods").len(), world.names("v1/configmaps").len()), (1, 1));

    // One that is held itself holds up nothing but the namespace.
    world.seed(BINDINGS, json!({"metadata": {"namespace": "a", "name": "b", "finalizers": ["example.com/hold"]}}));
    assert!(matches!(reconcile(&context, "a").await.unwrap(), Next::After(_)));
    assert_eq!((world.names("v1/pods").len(), world.names("v1/configmaps").len()), (0, 0));
}

#[tokio::test]
async fn what_cannot_be_deleted_is_said() {
    let (context, world) = context(world());
    world.seed("v1/namespaces", namespace(THEN));
    world.seed("v1/configmaps", json!({"metadata": {"namespace": "a", "name": "c"}}));
    world.fail("delete configmaps", model::Status::new(403, "Forbidden", "a policy says no"));
    assert!(reconcile(&context, "a").await.is_err());
    let ending = world.peek("v1/namespaces", "", "a").unwrap();
    let failure = condition(&ending, "NamespaceDeletionContentFailure");
    assert_eq!((&failure["status"], &failure["reason"]), (&json!("True"), &json!("ContentDeletionFailed")));
    assert_eq!(failure["message"], "Failed to delete all resource types, 1 remaining: a policy says no");

    assert_eq!(reconcile(&context, "a").await.unwrap(), Next::Wait);
    assert_eq!(world.peek("v1/namespaces", "", "a"), None);
}

#[tokio::test]
async fn what_extension_servers_serve_goes_too_and_is_waited_for() {
    let (context, world) = context(world());
    world.seed("v1/namespaces", namespace(THEN));
    world.seed("g.example/v1/crates", json!({"metadata": {"namespace": "a", "name": "x"}}));
    let crates = Fake::new(&[("g.example/v1/crates", "Crate", true)]).resources();
    let unknown = vec!["h.example/v1".to_owned(), "h.example/v2".to_owned()];
    world.extend(Extensions { resources: crates.clone(), unknown });
    assert!(reconcile(&context, "a").await.is_err(), "nobody knows what else is in it");
    assert_eq!(world.names("g.example/v1/crates"), [""; 0]);
    let ending = world.peek("v1/namespaces", "", "a").unwrap();
    let failure = condition(&ending, "NamespaceDeletionDiscoveryFailure");
    assert_eq!((&failure["status"], &failure["reason"]), (&json!("True"), &json!("DiscoveryFailed")));
    assert_eq!(
        failure["message"],
        "Discovery failed for some groups, 2 failing: unable to retrieve the complete list of server APIs: h.example/v1: stale GroupVersion discovery: h.example/v1, h.example/v2: stale GroupVersion discovery: h.example/v2"
    );

    world.extend(Extensions { resources: crates, ..Extensions::default() });
    assert_eq!(reconcile(&context, "a").await.unwrap(), Next::Wait);
    assert_eq!(world.peek("v1/namespaces", "", "a"), None);
}

#[test]
fn conditions_settle() {
    let now: Timestamp = NOW.parse().unwrap();
    let mut ending = namespace(THEN);
    ending["status"]["conditions"] = conditions::decide(&ending, &Left::default(), now).unwrap();
    assert_eq!(conditions::decide(&ending, &Left::default(), now), None);
    assert_eq!(condition(&ending, "NamespaceDeletionDiscoveryFailure")["reason"], "ResourcesDiscovered");
}
