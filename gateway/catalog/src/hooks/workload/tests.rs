//! Workloads: each rule as a change to a valid object and the errors it makes, word for word.

use model::json::json;

use super::super::pod::tests::{merge, texts, valid_spec};
use super::super::{
    Hooks, controllerrevision, daemonset, deployment, podtemplate, replicaset, replicationcontroller, statefulset,
};
use super::*;

fn valid(hooks: &Hooks, spec: Value) -> Value {
    let mut object = json!({
        "metadata": {"name": "name", "namespace": "ns"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": valid_spec()}},
    });
    merge(&mut object["spec"], &spec);
    if let Some(default) = hooks.default {
        default(&mut object);
    }
    object
}

fn deployment() -> Value {
    valid(&deployment::HOOKS, json!({"progressDeadlineSeconds": 600}))
}

fn stateful() -> Value {
    valid(&statefulset::HOOKS, json!({"podManagementPolicy": "OrderedReady"}))
}

fn daemon() -> Value {
    valid(&daemonset::HOOKS, json!({"replicas": null}))
}

fn created(hooks: &Hooks, mut object: Value, change: Value) -> Vec<String> {
    merge(&mut object, &change);
    let mut errors = Errors::new();
    (hooks.validate.expect("the kind has it"))(&object, &mut errors);
    texts(&errors)
}

fn updated(hooks: &Hooks, old: Value, change: Value) -> Vec<String> {
    let mut new = old.clone();
    merge(&mut new, &change);
    let mut errors = Errors::new();
    (hooks.validate_update.expect("the kind has it"))(&new, &old, &mut errors);
    texts(&errors)
}

fn status(hooks: &Hooks, old: Value, new: Value) -> Vec<String> {
    let mut errors = Errors::new();
    (hooks.validate_status.expect("the kind has it"))(&json!({"status": new}), &json!({"status": old}), &mut errors);
    texts(&errors)
}

#[test]
fn deployments() {
    let hooks = &deployment::HOOKS;
    let none = Vec::<String>::new();
    assert_eq!(
        deployment()["spec"]["strategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}})
    );
    let spec = |change: Value| created(hooks, deployment(), json!({"spec": change}));
    assert_eq!(spec(json!({})), none);
    assert_eq!(spec(json!({"replicas": -1})), ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]);
    assert_eq!(
        spec(json!({"selector": null})),
        [
            "spec.selector: Required value",
            "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`"
        ]
    );
    assert_eq!(
        spec(json!({"selector": {"matchLabels": null}})),
        ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"]
    );
    assert_eq!(
        spec(json!({"selector": {"matchLabels": {"a": "c"}}})),
        ["spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`"]
    );
    let malformed = spec(json!({"selector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}));
    assert_eq!(
        malformed,
        [
            "spec.selector.matchExpressions[0].operator: Invalid value: \"Near\": not a valid selector operator",
            "spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\"},\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Near\"}]}: invalid label selector",
        ]
    );
    assert_eq!(
        spec(json!({"template": {"spec": {"restartPolicy": "Never", "activeDeadlineSeconds": 5}}})),
        [
            "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"",
            "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported",
        ]
    );
    assert_eq!(
        spec(json!({"strategy": {"type": "Recreate"}})),
        ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"]
    );
    assert_eq!(
        spec(json!({"strategy": {"type": "Other"}})),
        [
            "spec.strategy: Unsupported value: {\"Type\":\"Other\",\"RollingUpdate\":{\"MaxUnavailable\":\"25%\",\"MaxSurge\":\"25%\"}}: supported values: \"Recreate\", \"RollingUpdate\""
        ]
    );
    assert_eq!(
        spec(json!({"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": "0%"}}})),
        ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"]
    );
    assert_eq!(
        spec(json!({"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}})),
        ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%"]
    );
    assert_eq!(
        spec(json!({"strategy": {"rollingUpdate": {"maxSurge": "five"}}})),
        [
            "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"five\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
        ]
    );
    assert_eq!(
        spec(json!({"minReadySeconds": 600})),
        ["spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"]
    );
    assert_eq!(
        updated(
            hooks,
            deployment(),
            json!({"spec": {"selector": {"matchLabels": {"a": "x"}}, "template": {"metadata": {"labels": {"a": "x"}}}}})
        ),
        ["spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"x\"}}: field is immutable"]
    );
    assert_eq!(
        status(hooks, json!({"collisionCount": 3}), json!({"replicas": 1, "readyReplicas": 2, "availableReplicas": 3})),
        [
            "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
            "status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas",
            "status.availableReplicas: Invalid value: 3: cannot be greater than readyReplicas",
            "status.collisionCount: Invalid value: 0: cannot be decremented",
        ]
    );
}

#[test]
fn stateful_sets() {
    let hooks = &statefulset::HOOKS;
    assert_eq!(
        stateful()["spec"]["updateStrategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}})
    );
    let spec = |change: Value| created(hooks, stateful(), json!({"spec": change}));
    assert_eq!(
        spec(json!({"podManagementPolicy": "Some"})),
        ["spec.podManagementPolicy: Invalid value: \"Some\": must be 'OrderedReady' or 'Parallel'"]
    );
    assert_eq!(
        spec(json!({"updateStrategy": {"type": "OnDelete"}})),
        [
            "spec.updateStrategy.rollingUpdate: Invalid value: {\"Partition\":0,\"MaxUnavailable\":1}: only allowed for updateStrategy 'RollingUpdate'"
        ]
    );
    assert_eq!(
        spec(json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}})),
        ["spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0"]
    );
    assert_eq!(spec(json!({"serviceName": "a.b"})), ["spec.serviceName: Invalid value: \"a.b\": must not contain dots"]);
    assert_eq!(
        spec(json!({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Keep", "whenScaled": "Retain"}})),
        [
            "spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: \"Keep\": supported values: \"Retain\", \"Delete\""
        ]
    );
    let claim = json!([{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]);
    let mounted = {
        let mut container = valid_spec()["containers"][0].clone();
        container["volumeMounts"] = json!([{"name": "data", "mountPath": "/d"}]);
        json!({"spec": {"volumeClaimTemplates": claim, "template": {"spec": {"containers": [container]}}}})
    };
    assert_eq!(created(hooks, stateful(), mounted.clone()), Vec::<String>::new());
    let mut with_claims = stateful();
    merge(&mut with_claims, &mounted);
    assert_eq!(
        updated(hooks, with_claims.clone(), json!({"spec": {"serviceName": "x", "podManagementPolicy": "Parallel"}})),
        [
            "spec.serviceName: Invalid value: \"x\": field is immutable",
            "spec.podManagementPolicy: Invalid value: \"Parallel\": field is immutable",
        ]
    );
    assert!(
        updated(hooks, with_claims, json!({"spec": {"volumeClaimTemplates": []}}))
            .iter()
            .any(|error| error == "spec.volumeClaimTemplates: Invalid value: []: field is immutable")
    );
    let bad = json!({"spec": {"template": {"spec": {"dnsPolicy": "Odd"}}}});
    let mut stored = stateful();
    merge(&mut stored, &bad);
    assert_eq!(updated(hooks, stored, json!({"spec": {"replicas": 3}})), Vec::<String>::new());
}

#[test]
fn daemon_sets() {
    let hooks = &daemonset::HOOKS;
    let spec = |change: Value| created(hooks, daemon(), json!({"spec": change}));
    assert_eq!(spec(json!({})), Vec::<String>::new());
    assert_eq!(
        spec(json!({"updateStrategy": {"rollingUpdate": {"maxSurge": 1}}})),
        ["spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"]
    );
    assert_eq!(
        spec(json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}})),
        ["spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"]
    );
    assert_eq!(
        spec(json!({"selector": {"matchLabels": null}})),
        ["spec.selector: Invalid value: {}: empty selector is invalid for daemonset"]
    );
    let mut object = daemon();
    (hooks.prepare_create.expect("the kind has it"))(&mut object);
    let generation = |object: &Value| object["metadata"]["annotations"]["deprecated.daemonset.template.generation"].clone();
    assert_eq!(generation(&object), json!("1"));
    let mut new = object.clone();
    new["spec"]["template"]["metadata"]["labels"]["x"] = json!("y");
    (hooks.prepare_update.expect("the kind has it"))(&mut new, &object);
    assert_eq!(generation(&new), json!("2"));
}

#[test]
fn the_others() {
    let rc = || {
        let mut object = valid(&replicationcontroller::HOOKS, json!({"selector": null}));
        (replicationcontroller::HOOKS.default.expect("the kind has it"))(&mut object);
        object
    };
    assert_eq!((rc()["spec"]["selector"].clone(), rc()["metadata"]["labels"].clone()), (json!({"a": "b"}), json!({"a": "b"})));
    let hooks = &replicationcontroller::HOOKS;
    assert_eq!(created(hooks, rc(), json!({})), Vec::<String>::new());
    assert_eq!(
        created(hooks, rc(), json!({"spec": {"selector": {"a": "c"}, "replicas": -1}})),
        [
            "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`",
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ]
    );
    assert_eq!(created(hooks, rc(), json!({"spec": {"template": null}})), ["spec.template: Required value"]);
    let hooks = &replicaset::HOOKS;
    assert_eq!(
        created(hooks, valid(hooks, json!({})), json!({"spec": {"template": {"spec": {"ephemeralContainers": [{}]}}}}))
            .last()
            .map(String::as_str),
        Some("spec.template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template")
    );
    assert!(hooks.selectable.is_empty(), "apps/v1 lets nothing else be selected");
    let hooks = &replicationcontroller::HOOKS;
    assert_eq!(
        (hooks.selectable[0].field, (hooks.selectable[0].value)(&json!({"status": {"replicas": 3}}))),
        ("status.replicas", "3".to_owned())
    );
    let template = json!({"template": {"metadata": {"labels": {"a b": "c"}}, "spec": valid_spec()}});
    assert!(
        created(&podtemplate::HOOKS, template, json!({}))[0]
            .starts_with("template.labels: Invalid value: \"a b\": name part must consist of")
    );
    let revision = json!({"revision": 1, "data": {}});
    let hooks = &controllerrevision::HOOKS;
    assert_eq!(
        created(hooks, revision.clone(), json!({"revision": -1, "data": null})),
        ["revision: Invalid value: -1: must be greater than or equal to 0", "data: Required value: data is mandatory"]
    );
    assert_eq!(updated(hooks, revision, json!({"data": {"a": 1}})), ["data: Invalid value: {\"a\":1}: field is immutable"]);
}

#[test]
fn warnings_come_with_a_new_spec() {
    let hooks = &deployment::HOOKS;
    let warn = hooks.warnings.expect("the kind has it");
    let mut new = deployment();
    new["spec"]["template"]["spec"]["nodeSelector"] = json!({"beta.kubernetes.io/arch": "x"});
    let expected =
        ["spec.template.spec.nodeSelector[beta.kubernetes.io/arch]: deprecated since v1.14; use \"kubernetes.io/arch\" instead"];
    assert_eq!(warn(&new, None), expected);
    assert_eq!(warn(&new, Some(&deployment())), expected);
    assert_eq!(warn(&new, Some(&new)), Vec::<String>::new());
}
