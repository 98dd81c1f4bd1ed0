//! What APIServices come to mean. Passes nothing on (`conformance/aggregation` does).

use model::json::json;

use super::*;

fn service(version: &str, service: Value, available: &str) -> Value {
    json!({
        "metadata": {"name": format!("{version}.g.example")},
        "spec": {"group": "g.example", "version": version, "service": service, "groupPriorityMinimum": 2000, "versionPriority": 10, "insecureSkipTLSVerify": true},
        "status": {"conditions": [{"type": "Available", "status": available}]},
    })
}

#[test]
fn a_server_keeps_its_connections_while_its_condition_changes() {
    let aggregation = Aggregation::new(None, Redirects::Refused);
    let reference = json!({"namespace": "a", "name": "s", "port": 443});
    let first = aggregation.read(&service("v1", reference.clone(), "False"), None);
    let side = |known: &Known| known.remote.as_ref().and_then(|(route, _)| route.side.clone().ok()).expect("a side");
    let before = side(&first);
    let second = aggregation.read(&service("v1", reference, "True"), Some(first));
    assert!(Arc::ptr_eq(&before, &side(&second)));
    assert!(second.remote.as_ref().is_some_and(|(route, _)| route.is_available));
    let third = aggregation.read(&service("v1", json!({"namespace": "a", "name": "t"}), "True"), Some(second));
    assert!(!Arc::ptr_eq(&before, &side(&third)));
}

#[test]
fn what_says_nothing_of_its_own_is_not_told() {
    let aggregation = Aggregation::new(None, Redirects::Refused);
    let local = |group_priority: i64| {
        let spec = json!({"group": "apps", "version": "v1", "groupPriorityMinimum": group_priority, "versionPriority": 15});
        aggregation.read(&json!({"metadata": {"name": "v1.apps"}, "spec": spec}), None)
    };
    assert!(!local(17800).says_something() && local(20000).says_something());
    let core = json!({"metadata": {"name": "v1."}, "spec": {"version": "v1", "service": {"name": "s"}}});
    assert!(aggregation.read(&core, None).remote.is_none(), "the core group stays at home");
}

#[test]
fn resources_are_known_in_the_version_that_clients_prefer() {
    let aggregation = Aggregation::new(None, Redirects::Refused);
    let reference = json!({"namespace": "a", "name": "s"});
    let mut known = BTreeMap::new();
    let mut tell = |version: &str, freshness: Freshness, resources: Value| {
        let mut made = aggregation.read(&service(version, reference.clone(), "True"), None);
        if let (Some((_, found)), Value::Array(resources)) = (&mut made.remote, resources) {
            (found.freshness, found.resources) = (freshness, Arc::new(resources));
        }
        known.insert(version.to_owned(), made);
    };
    let crates =
        json!({"resource": "crates", "responseKind": {"kind": "Crate"}, "scope": "Namespaced", "verbs": ["get", "list"]});
    tell("v1beta1", Freshness::Current, json!([crates, {"resource": "boxes", "scope": "Cluster"}]));
    tell("v1", Freshness::Current, json!([crates]));
    tell("v2", Freshness::Stale, json!([]));
    let told = extensions(&known);
    let named = told.resources.iter().map(|one| (&*one.resource.version, &*one.resource.resource, one.namespaced));
    assert_eq!(named.collect::<Vec<_>>(), [("v1", "crates", true), ("v1beta1", "boxes", false)]);
    assert_eq!((&*told.resources[0].kind, told.resources[0].verbs.len()), ("Crate", 2));
    assert_eq!(told.unknown, ["g.example/v2"]);
}
