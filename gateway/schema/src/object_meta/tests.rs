//! Cases for metadata and selectors.

use model::json::json;
use model::name::name_is_dns_subdomain;

use super::*;

fn told(check: impl FnOnce(&mut Errors)) -> Vec<String> {
    let mut errors = Errors::new();
    check(&mut errors);
    errors.0.iter().map(ToString::to_string).collect()
}

fn created(metadata: Value, scope: Scope) -> Vec<String> {
    told(|errors| validate(&json!({"metadata": metadata}), scope, &name_is_dns_subdomain, errors))
}

fn updated(new: Value, old: Value) -> Vec<String> {
    told(|errors| validate_update(&json!({"metadata": new}), &json!({"metadata": old}), errors))
}

#[test]
fn names_and_namespaces() {
    assert_eq!(created(json!({"name": "a", "namespace": "b"}), Scope::Namespaced), Vec::<String>::new());
    assert_eq!(
        created(json!({}), Scope::Namespaced),
        ["metadata.name: Required value: name or generateName is required", "metadata.namespace: Required value"]
    );
    assert_eq!(
        created(json!({"name": "a", "namespace": "b"}), Scope::Cluster),
        ["metadata.namespace: Forbidden: not allowed on this type"]
    );
    let wrong = created(json!({"name": "A", "generateName": "AB-", "namespace": "a.b", "generation": -1}), Scope::Namespaced);
    assert!(wrong[0].starts_with("metadata.generateName: Invalid value: \"AB-\": a lowercase RFC 1123 subdomain"));
    assert!(wrong[1].starts_with("metadata.name: Invalid value: \"A\": a lowercase RFC 1123 subdomain"));
    assert_eq!(wrong[2], "metadata.namespace: Invalid value: \"a.b\": must not contain dots");
    assert_eq!(wrong[3], "metadata.generation: Invalid value: -1: must be greater than or equal to 0");
}

#[test]
fn a_deletion_at_the_zero_time_is_one() {
    let (old, new) = (
        json!({"name": "a", "resourceVersion": "1"}),
        json!({"name": "a", "resourceVersion": "1", "deletionTimestamp": "0001-01-01T00:00:00Z"}),
    );
    assert_eq!(updated(new.clone(), old), ["metadata.deletionTimestamp: Invalid value: null: field is immutable"]);
    assert_eq!(updated(new.clone(), new), Vec::<String>::new());
}

#[test]
fn labels_annotations_owners_finalizers() {
    let wrong = created(
        json!({"name": "a", "labels": {"a/b/c": "x y"}, "annotations": {"UPPER.example.com/Key": "any thing", "a b": ""},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Event", "name": "e", "uid": "1", "controller": true}, {"apiVersion": "a/b/c", "controller": true}],
            "finalizers": ["orphan", "foregroundDeletion", "a b"],
            "managedFields": [{"operation": "Sing", "fieldsType": "V0", "manager": "a\nb"}]}),
        Scope::Cluster,
    );
    let starts = [
        "metadata.labels: Invalid value: \"a/b/c\": a valid label key must consist",
        "metadata.labels: Invalid value: \"x y\": a valid label must be",
        "metadata.annotations: Invalid value: \"a b\": name part must consist",
        "metadata.ownerReferences[0]: Invalid value: {\"apiVersion\":\"v1\",\"kind\":\"Event\",\"name\":\"e\",\"uid\":\"1\",\"controller\":true}: /v1, Kind=Event is disallowed from being an owner",
        "metadata.ownerReferences[1].apiVersion: Invalid value: \"a/b/c\": must be <group>/<version> or <version>",
        "metadata.ownerReferences[1].kind: Required value: must not be empty",
        "metadata.ownerReferences[1].name: Required value: must not be empty",
        "metadata.ownerReferences[1].uid: Required value: must not be empty",
        "metadata.ownerReferences: Invalid value: [{",
        "metadata.finalizers: Invalid value: \"a b\": name part must consist",
        "metadata.finalizers: Invalid value: [\"orphan\",\"foregroundDeletion\",\"a b\"]: finalizer orphan and foregroundDeletion cannot be both set",
        "metadata.managedFields[0].operation: Unsupported value: \"Sing\": supported values: \"Apply\", \"Update\"",
        "metadata.managedFields[0].fieldsType: Invalid value: \"V0\": must be `FieldsV1`",
        "metadata.managedFields[0].manager: Invalid value: \"a\\nb\": invalid character U+000A (at position 1)",
    ];
    assert_eq!(wrong.len(), starts.len(), "{wrong:#?}");
    for (message, start) in wrong.iter().zip(starts) {
        assert!(message.starts_with(start), "{message}");
    }
    let huge = created(json!({"name": "a", "annotations": {"a": "x".repeat(ANNOTATIONS_BYTES_MAX)}}), Scope::Cluster);
    assert_eq!(huge, ["metadata.annotations: Too long: may not be more than 262144 bytes"]);
}

#[test]
fn events_own_nothing() {
    for api_version in ["v1", "/v1"] {
        let owner = json!({"apiVersion": api_version, "kind": "Event", "name": "e", "uid": "1"});
        let wrong = created(json!({"name": "a", "ownerReferences": [owner]}), Scope::Cluster);
        assert!(wrong.len() == 1 && wrong[0].ends_with(": /v1, Kind=Event is disallowed from being an owner"), "{wrong:?}");
    }
}

#[test]
fn updates_keep_identity() {
    let old = json!({"name": "a", "uid": "1", "generation": 2, "resourceVersion": "5", "finalizers": ["x.io/y"], "deletionTimestamp": "2020-01-01T00:00:00Z"});
    assert_eq!(updated(old.clone(), old.clone()), Vec::<String>::new());
    assert_eq!(
        updated(json!({"name": "b", "uid": "2", "generation": 1, "finalizers": ["x.io/z", "x.io/y"]}), old),
        [
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"x.io/z\"}",
            "metadata.resourceVersion: Invalid value: \"\": must be specified for an update",
            "metadata.generation: Invalid value: 1: must not be decremented",
            "metadata.name: Invalid value: \"b\": field is immutable",
            "metadata.uid: Invalid value: \"2\": field is immutable",
            "metadata.deletionTimestamp: Invalid value: null: field is immutable",
        ]
    );
}

#[test]
fn selectors() {
    let check = |selector: Value| {
        told(|errors| validate_label_selector(Some(&selector), Values::Strict, &Path::new("spec").child("selector"), errors))
    };
    assert_eq!(
        check(json!({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]})),
        Vec::<String>::new()
    );
    let wrong = check(
        json!({"matchExpressions": [{"key": "a", "operator": "In"}, {"key": "a", "operator": "Exists", "values": ["x"]}, {"key": "", "operator": "Like", "values": ["x y"]}]}),
    );
    assert_eq!(
        wrong[0],
        "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"
    );
    assert_eq!(
        wrong[1],
        "spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
    );
    assert_eq!(wrong[2], "spec.selector.matchExpressions[2].operator: Invalid value: \"Like\": not a valid selector operator");
    assert!(wrong[3].starts_with("spec.selector.matchExpressions[2].key: Invalid value: \"\": name part must be non-empty"));
    assert!(wrong[5].starts_with("spec.selector.matchExpressions[2].values[0]: Invalid value: \"x y\""));
}
