//! Deletes, one rule each.

use model::json::json;

use super::*;

const PLAIN: Manner = Manner { garbage: Garbage::Background, grace: None, deleting: None, closing: None };
const GRACEFUL: Manner = Manner {
    garbage: Garbage::Background,
    grace: Some(|_, requested| Some(requested.unwrap_or(30))),
    deleting: None,
    closing: None,
};

fn now() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

fn goes(object: &model::json::Value, options: &DeleteOptions, manner: Manner) -> bool {
    matches!(decide(object, options, manner, now()), Removal::Now(_))
}

fn options(policy: Option<&str>, grace: Option<i64>) -> DeleteOptions {
    DeleteOptions { propagation_policy: policy.map(str::to_owned), grace_period_seconds: grace, ..DeleteOptions::default() }
}

#[test]
fn a_plain_object_goes_at_once() {
    assert!(goes(&json!({"metadata": {"name": "a"}}), &options(None, None), PLAIN));
}

#[test]
fn what_goes_is_told_as_it_was_where_there_is_no_grace() {
    let object = json!({"metadata": {"name": "a", "finalizers": ["orphan"]}});
    assert_eq!(decide(&object, &options(Some("Background"), None), PLAIN, now()), Removal::Now(object.clone()));
    let dry = DeleteOptions { dry_run: true, ..options(Some("Background"), None) };
    assert_eq!(decide(&object, &dry, PLAIN, now()), Removal::Untold);
    let Removal::Now(told) = decide(&object, &options(Some("Background"), Some(0)), GRACEFUL, now()) else { panic!("it stays") };
    assert_eq!(told["metadata"].get("finalizers"), None);
}

#[test]
fn finalizers_that_stay_the_same_stay_in_their_order() {
    let object = json!({"metadata": {"name": "a", "finalizers": ["foregroundDeletion", "x/y"]}});
    for options in [options(None, None), options(Some("Foreground"), None)] {
        let Removal::Mark(next) = decide(&object, &options, PLAIN, now()) else { panic!("it goes") };
        assert_eq!(next["metadata"]["finalizers"], object["metadata"]["finalizers"]);
    }
    let manner = Manner { deleting: Some(|_| ()), ..PLAIN };
    let namespace = json!({"metadata": {"name": "a"}, "spec": {"finalizers": ["kubernetes"]}});
    let older = DeleteOptions { orphan_dependents: Some(false), ..DeleteOptions::default() };
    let Removal::Mark(next) = decide(&namespace, &older, manner, now()) else { panic!("it goes") };
    assert_eq!(next["metadata"]["finalizers"], json!(["foregroundDeletion"]));
}

#[test]
fn finalizers_keep_it() {
    let object = json!({"metadata": {"name": "a", "finalizers": ["x/y"], "generation": 3}});
    let marked = json!({"metadata": {"name": "a", "finalizers": ["x/y"], "generation": 4,
        "deletionTimestamp": "2030-01-01T00:00:00Z", "deletionGracePeriodSeconds": 0}});
    assert_eq!(decide(&object, &options(None, None), PLAIN, now()), Removal::Mark(marked.clone()));
    // Once more changes nothing.
    assert_eq!(decide(&marked, &options(None, None), PLAIN, now()), Removal::Mark(marked));
}

#[test]
fn the_policy_becomes_a_finalizer() {
    let object = json!({"metadata": {"name": "a"}});
    for (policy, finalizer) in [("Orphan", "orphan"), ("Foreground", "foregroundDeletion")] {
        let Removal::Mark(next) = decide(&object, &options(Some(policy), None), PLAIN, now()) else { panic!("{policy}") };
        assert_eq!(meta::finalizers(&next), [finalizer]);
    }
    assert!(goes(&object, &options(Some("Background"), None), PLAIN));
    let orphaning = Manner { garbage: Garbage::Orphan, grace: None, deleting: None, closing: None };
    let Removal::Mark(next) = decide(&object, &options(None, None), orphaning, now()) else { panic!() };
    assert_eq!(meta::finalizers(&next), ["orphan"]);
    let event = Manner { garbage: Garbage::Unsupported, grace: None, deleting: None, closing: None };
    assert!(goes(&object, &options(Some("Orphan"), None), event));
}

#[test]
fn grace_is_counted_and_shortened() {
    let object = json!({"metadata": {"name": "a", "generation": 1}});
    let Removal::Mark(first) = decide(&object, &options(None, None), GRACEFUL, now()) else { panic!() };
    assert_eq!(meta::deletion_timestamp(&first), Some("2030-01-01T00:00:30Z"));
    assert_eq!(meta::generation(&first), 2);
    assert_eq!(decide(&first, &options(None, None), GRACEFUL, now()), Removal::Pending);
    assert_eq!(decide(&first, &options(None, Some(60)), GRACEFUL, now()), Removal::Pending);
    let Removal::Mark(second) = decide(&first, &options(None, Some(5)), GRACEFUL, now()) else { panic!() };
    assert_eq!(meta::deletion_timestamp(&second), Some("2030-01-01T00:00:05Z"));
    assert_eq!(meta::generation(&second), 2);
    assert!(goes(&second, &options(None, Some(0)), GRACEFUL));
    let Removal::Now(last) = decide(&object, &options(None, Some(0)), GRACEFUL, now()) else { panic!() };
    assert_eq!(last["metadata"]["deletionGracePeriodSeconds"], 0, "who is shown it sees that it was deleted");
}

#[test]
fn a_grace_of_any_length_ends() {
    let object = json!({"metadata": {"name": "a"}});
    let due = |seconds: i64| {
        let Removal::Mark(first) = decide(&object, &options(None, Some(seconds)), GRACEFUL, now()) else { panic!("{seconds}") };
        let Removal::Mark(second) = decide(&first, &options(None, Some(5)), GRACEFUL, now()) else { panic!("{seconds}") };
        [first, second].map(|object| meta::deletion_timestamp(&object).unwrap_or_default().to_owned())
    };
    // Go counts in nanoseconds, which wrap; the stored time has none of them.
    assert_eq!(due(9_000_000_000), ["2315-03-15T16:00:00Z", "2030-01-01T00:00:05Z"]);
    assert_eq!(due(300_000_000_000), ["2183-10-04T12:07:00Z", "2030-01-01T00:00:04Z"]);
    assert_eq!(due(i64::MAX), ["2029-12-31T23:59:59Z", "2030-01-01T00:00:05Z"]);
}

#[test]
fn preconditions() {
    let object = json!({"metadata": {"name": "a", "uid": "1", "resourceVersion": "5"}});
    let kind = Told::OfRecord(GroupResource::new("", "Pod"));
    let with_uid = |uid: &str| DeleteOptions { uid: Some(uid.to_owned()), ..DeleteOptions::default() };
    assert!(check(&object, &with_uid("1"), &kind).is_ok());
    assert_eq!(
        check(&object, &with_uid("2"), &kind).unwrap_err().message,
        "Operation cannot be fulfilled on Pod \"a\": the UID in the precondition (2) does not match the UID in record (1). The object might have been deleted and then recreated"
    );
    let stale = DeleteOptions { resource_version: Some("4".to_owned()), ..DeleteOptions::default() };
    assert_eq!(check(&object, &stale, &kind).unwrap_err().code, 409);
    assert_eq!(
        check(&object, &with_uid("2"), &Told::OfMeta(GroupResource::new("", "namespaces"))).unwrap_err().message,
        "Operation cannot be fulfilled on namespaces \"a\": Precondition failed: UID in precondition: 2, UID in object meta: 1"
    );
    assert_eq!(
        check(&object, &stale, &Told::OfMetaLower(GroupResource::new("", "things"))).unwrap_err().message,
        "Operation cannot be fulfilled on things \"a\": precondition failed: ResourceVersion in precondition: 4, ResourceVersion in object meta: 5"
    );
}

#[test]
fn contents_go_first() {
    let manner = Manner { deleting: Some(|object| object["status"]["phase"] = "Terminating".into()), ..PLAIN };
    let object = json!({"metadata": {"name": "a"}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}});
    let marked = json!({"metadata": {"name": "a", "deletionTimestamp": "2030-01-01T00:00:00Z"},
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Terminating"}});
    assert_eq!(decide(&object, &options(None, None), manner, now()), Removal::Mark(marked.clone()));
    assert_eq!(decide(&marked, &options(None, None), manner, now()), Removal::Pending);
    assert!(goes(&json!({"metadata": {"name": "a"}, "spec": {}}), &options(None, None), manner));
}
