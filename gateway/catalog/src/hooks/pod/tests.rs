//! Pods: each rule as a change to a valid pod and the errors it makes, word for word. Cases are those of upstream's tests
//! in `pkg/apis/core/validation`, written anew and shortened.

use model::json::json;

use super::*;

mod containers;
mod spec;

/// Merges a change into an object: maps by field, `null` removes, anything else replaces.
pub(in super::super) fn merge(object: &mut Value, change: &Value) {
    let (Some(fields), Some(map)) = (change.as_object(), object.as_object_mut()) else {
        *object = change.clone();
        return;
    };
    for (field, inner) in fields {
        if inner.is_null() {
            map.shift_remove(field);
        } else {
            merge(map.entry(field.clone()).or_insert(json!({})), inner);
        }
    }
}

pub(in super::super) fn texts(errors: &Errors) -> Vec<String> {
    errors.0.iter().map(ToString::to_string).collect()
}

/// The spec of a pod that has been through defaults.
pub(in super::super) fn valid_spec() -> Value {
    json!({
        "volumes": [{"name": "vol", "emptyDir": {}}, {"name": "disk", "persistentVolumeClaim": {"claimName": "c"}}],
        "containers": [container("ctr")],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": true,
    })
}

fn container(name: &str) -> Value {
    json!({
        "name": name, "image": "image:1", "imagePullPolicy": "IfNotPresent", "resources": {},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
    })
}

fn valid() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod", "namespace": "ns", "labels": {"app": "a"}}, "spec": valid_spec()})
}

fn pod(change: Value) -> Value {
    let mut pod = valid();
    merge(&mut pod, &change);
    pod
}

/// A pod whose only container is changed.
fn with_container(change: Value) -> Value {
    let mut pod = valid();
    merge(&mut pod["spec"]["containers"][0], &change);
    pod
}

fn created(pod: &Value) -> Vec<String> {
    let mut errors = Errors::new();
    validate_create(pod, &mut errors);
    texts(&errors)
}

fn updated(change: Value) -> Vec<String> {
    updated_from(json!({}), change)
}

fn updated_from(before: Value, change: Value) -> Vec<String> {
    let old = pod(before);
    let mut new = old.clone();
    merge(&mut new, &change);
    let mut errors = Errors::new();
    update::validate(&new, &old, &mut errors);
    texts(&errors)
}

/// Each change to the spec, and the errors with `spec.` left out.
fn spec_cases(cases: &[(Value, &[&str])]) {
    for (change, expected) in cases {
        let found = created(&pod(json!({"spec": change})));
        let found: Vec<&str> = found.iter().map(|error| error.strip_prefix("spec.").unwrap_or(error)).collect();
        assert_eq!(&found, expected, "{change}");
    }
}

/// Each change to the container, and the errors with `spec.containers[0].` left out.
fn container_cases(cases: &[(Value, &[&str])]) {
    for (change, expected) in cases {
        let found = created(&with_container(change.clone()));
        let found: Vec<&str> = found.iter().map(|error| error.strip_prefix("spec.containers[0].").unwrap_or(error)).collect();
        assert_eq!(&found, expected, "{change}");
    }
}

#[test]
fn a_valid_pod_has_no_errors_and_no_warnings() {
    assert_eq!(created(&valid()), Vec::<String>::new());
    assert_eq!(warnings(&valid(), None), Vec::<String>::new());
}

#[test]
fn updates() {
    let none = Vec::<String>::new();
    let mut image = container("ctr");
    image["image"] = json!("image:2");
    assert_eq!(updated(json!({"spec": {"containers": [image]}})), none);
    assert_eq!(updated(json!({"spec": {"activeDeadlineSeconds": 5}})), none);
    assert_eq!(updated(json!({"spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}})), none);
    assert_eq!(
        updated(json!({"spec": {"containers": [container("ctr"), container("b")]}})),
        ["spec.containers: Forbidden: pod updates may not add or remove containers"]
    );
    let found = updated(json!({"spec": {"nodeName": "other"}}));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with(
        "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n@@ "
    ));
    assert!(found[0].contains("\n- \"NodeName\": \"\",\n+ \"NodeName\": \"other\",\n"), "{}", found[0]);
    let deadline = json!({"spec": {"activeDeadlineSeconds": 5}});
    assert_eq!(
        updated_from(deadline.clone(), json!({"spec": {"activeDeadlineSeconds": 6}})),
        ["spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"]
    );
    assert_eq!(
        updated_from(deadline, json!({"spec": {"activeDeadlineSeconds": null}})),
        ["spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"]
    );
    let tolerant = json!({"spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}});
    assert_eq!(
        updated_from(tolerant, json!({"spec": {"tolerations": null}})),
        ["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"]
    );
    let mirror = json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}, "spec": {"nodeName": "n"}});
    assert_eq!(
        updated_from(mirror, json!({"metadata": {"annotations": null}})),
        ["metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not remove or update mirror pod annotation"]
    );
}

#[test]
fn gated_pods_may_be_told_more() {
    let gated = json!({"spec": {"schedulingGates": [{"name": "g"}], "nodeSelector": {"a": "1"}}});
    assert_eq!(
        updated_from(gated.clone(), json!({"spec": {"nodeSelector": {"b": "2"}, "schedulingGates": null}})),
        Vec::<String>::new()
    );
    assert_eq!(
        updated_from(gated.clone(), json!({"spec": {"nodeSelector": {"a": "2"}}})),
        [
            "spec.nodeSelector: Invalid value: {\"a\":\"2\"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        ]
    );
    assert_eq!(
        updated_from(gated, json!({"spec": {"schedulingGates": [{"name": "g"}, {"name": "h"}]}})),
        ["spec.schedulingGates[1].name: Forbidden: only deletion is allowed, but found new scheduling gate 'h'"]
    );
    let affinity = |terms: Value| json!({"spec": {"schedulingGates": [{"name": "g"}], "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}});
    let exists = |key: &str| json!({"key": key, "operator": "Exists"});
    assert_eq!(
        updated_from(
            affinity(json!([{"matchExpressions": [exists("a")]}])),
            affinity(json!([{"matchExpressions": [exists("a"), exists("b")]}]))
        ),
        Vec::<String>::new()
    );
    assert_eq!(
        updated_from(
            affinity(json!([{"matchExpressions": [exists("a")]}])),
            affinity(json!([{"matchExpressions": [exists("b")]}]))
        ),
        [
            "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]: Invalid value: {\"MatchExpressions\":[{\"Key\":\"b\",\"Operator\":\"Exists\",\"Values\":null}],\"MatchFields\":null}: only additions are allowed (no mutations or deletions)"
        ]
    );
}

#[test]
fn what_is_stored_wrong_may_stay() {
    let bad = json!({"spec": {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"a b": "c"}}}]}});
    assert_eq!(created(&pod(bad.clone())).len(), 1);
    assert_eq!(updated_from(bad, json!({"spec": {"activeDeadlineSeconds": 5}})), Vec::<String>::new());
}

#[test]
fn what_is_privileged_may_not_stay_where_nothing_may_be() {
    let privileged = json!({"spec": {"containers": [{"name": "a", "image": "a", "imagePullPolicy": "Always",
        "terminationMessagePolicy": "File", "securityContext": {"privileged": true}}]}});
    let refusal = "spec.containers[0].securityContext.privileged: Forbidden: disallowed by cluster policy";
    assert_eq!(updated_from(privileged, json!({"metadata": {"labels": {"a": "b"}}})), [refusal]);
}

#[test]
fn created_pods_are_pending_with_a_class() {
    let mut pod = pod(json!({
        "metadata": {"creationTimestamp": "2030-01-01T00:00:00Z", "annotations": {"container.apparmor.security.beta.kubernetes.io/ctr": "runtime/default"}},
        "spec": {"schedulingGates": [{"name": "g"}], "topologySpreadConstraints": [{"labelSelector": {}, "matchLabelKeys": ["app", "none"]}]},
        "status": {"phase": "Running"},
    }));
    prepare::create(&mut pod);
    assert_eq!(
        pod["status"],
        json!({
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "False", "lastTransitionTime": "2030-01-01T00:00:00Z", "reason": "SchedulingGated", "message": "Scheduling is blocked due to non-empty scheduling gates"}],
            "qosClass": "BestEffort",
        })
    );
    assert_eq!(
        pod["spec"]["topologySpreadConstraints"][0]["labelSelector"],
        json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a"]}]})
    );
    assert_eq!(pod["spec"]["containers"][0]["securityContext"], json!({"appArmorProfile": {"type": "RuntimeDefault"}}));
}

#[test]
fn annotations_of_old_profiles_are_told_of_when_a_pod_is_made() {
    let told = |annotation: &str, spec: Value| {
        let notes = json!({"container.apparmor.security.beta.kubernetes.io/ctr": annotation, "container.apparmor.security.beta.kubernetes.io/none": "unconfined"});
        prepare::apparmor_warnings(&pod(json!({"metadata": {"annotations": notes}, "spec": spec})))
    };
    let warning = "metadata.annotations[container.apparmor.security.beta.kubernetes.io/ctr]: deprecated since v1.30; use the \"appArmorProfile\" field instead";
    assert_eq!(told("runtime/default", json!({})), [warning]);
    assert_eq!(told("nothing/known", json!({})), [warning]);
    assert_eq!(told("runtime/default", json!({"securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}}})), [""; 0]);
    assert_eq!(told("runtime/default", json!({"os": {"name": "windows"}})), [""; 0]);
}

#[test]
fn statuses() {
    let of = |old: Value, new: Value| {
        let old = pod(old);
        let mut changed = old.clone();
        merge(&mut changed, &new);
        status::prepare(&mut changed, &old);
        let mut errors = Errors::new();
        status::validate(&changed, &old, &mut errors);
        texts(&errors)
    };
    let none = Vec::<String>::new();
    assert_eq!(
        of(json!({"status": {"qosClass": "BestEffort"}}), json!({"status": {"qosClass": null, "phase": "Running"}})),
        none
    );
    assert_eq!(
        of(json!({"status": {"qosClass": "BestEffort"}}), json!({"status": {"qosClass": "Burstable"}})),
        ["status.qosClass: Invalid value: \"Burstable\": field is immutable"]
    );
    assert_eq!(
        of(json!({}), json!({"status": {"podIP": "1.1.1.1"}})),
        ["status.podIPs: Invalid value: null: podIP and podIPs must either both be set or both be unset"]
    );
    assert_eq!(
        of(json!({}), json!({"status": {"podIP": "1.1.1.1", "podIPs": [{"ip": "1.1.1.1"}, {"ip": "2.2.2.2"}]}})),
        [
            "status.podIPs: Invalid value: [{\"IP\":\"1.1.1.1\"},{\"IP\":\"2.2.2.2\"}]: may specify no more than one IP for each IP family"
        ]
    );
    assert_eq!(
        of(
            json!({"status": {"podIPs": [{"ip": "x"}]}}),
            json!({"status": {"podIP": "1.1.1.1", "podIPs": [{"ip": "1.1.1.1"}, {"ip": "x"}]}})
        ),
        [
            "status.podIPs: Internal error: failed to check for dual stack with error:invalid IP[1]: x",
            "status.podIPs: Invalid value: [{\"IP\":\"1.1.1.1\"},{\"IP\":\"x\"}]: may specify no more than one IP for each IP family",
        ],
        "an old fault may stay, and still is no second family"
    );
    let ended = |policy: &str| {
        let status = |state: Value| json!({"status": {"containerStatuses": [{"name": "ctr", "state": state}]}});
        let mut old = status(json!({"terminated": {"exitCode": 0}}));
        old["spec"] = json!({"restartPolicy": policy});
        of(old, status(json!({"terminated": null, "running": {}})))
    };
    assert_eq!(ended("Always"), none);
    assert_eq!(
        ended("OnFailure"),
        ["status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"]
    );
    assert_eq!(
        of(json!({}), json!({"status": {"resourceClaimStatuses": [{"name": "x"}]}})),
        ["status.resourceClaimStatuses[0].name: Invalid value: \"x\": must match the name of an entry in `spec.resourceClaims`"]
    );
}

#[test]
fn ephemeral_containers_are_only_added() {
    let debug = |image: &str| {
        let mut debug = container("debug");
        debug["image"] = json!(image);
        debug
    };
    let of = |old: Value, new: Value| {
        let old = pod(json!({"spec": {"ephemeralContainers": old}}));
        let mut changed = old.clone();
        changed["spec"]["ephemeralContainers"] = new;
        changed["spec"]["nodeName"] = json!("ignored");
        ephemeral_containers::prepare(&mut changed, &old);
        let mut errors = Errors::new();
        ephemeral_containers::validate(&changed, &old, &mut errors);
        texts(&errors)
    };
    assert_eq!(of(json!([]), json!([debug("a")])), Vec::<String>::new());
    assert_eq!(
        of(json!([debug("a")]), json!([])),
        ["spec.ephemeralContainers: Forbidden: existing ephemeral containers \"debug\" may not be removed\n"]
    );
    assert!(
        of(json!([debug("a")]), json!([debug("b")]))[0]
            .starts_with("spec.ephemeralContainers: Forbidden: existing ephemeral containers \"debug\" may not be changed\n@@")
    );
    let mut ports = debug("a");
    ports["ports"] = json!([{"containerPort": 1, "protocol": "TCP"}]);
    ports["targetContainerName"] = json!("nobody");
    assert_eq!(
        of(json!([]), json!([ports])),
        [
            "spec.ephemeralContainers[0].targetContainerName: Not found: \"nobody\"",
            "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container"
        ]
    );
}

#[test]
fn resizes() {
    let with = |resources: Value| {
        let mut pod = with_container(json!({"resources": resources}));
        prepare::create(&mut pod);
        pod
    };
    let of = |old: Value, new: Value| {
        let (old, mut new) = (with(old), with(new));
        resize::prepare(&mut new, &old);
        let mut errors = Errors::new();
        resize::validate(&new, &old, &mut errors);
        texts(&errors)
    };
    let cpu = |cpu: &str| json!({"requests": {"cpu": cpu}});
    assert_eq!(of(cpu("1"), cpu("2")), Vec::<String>::new());
    assert_eq!(
        of(cpu("1"), json!({"requests": {"cpu": "1", "ephemeral-storage": "1Gi"}})),
        ["spec: Forbidden: only cpu and memory resources are mutable"]
    );
    assert_eq!(
        of(json!({"requests": {"cpu": "1", "memory": "1Gi"}}), cpu("1")),
        ["spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"]
    );
    assert_eq!(
        of(json!({}), cpu("1")),
        ["spec: Invalid value: \"BestEffort\": Pod QOS Class may not change as a result of resizing"]
    );
}

#[test]
fn grace_of_a_delete() {
    let scheduled = |status: Value| pod(json!({"spec": {"nodeName": "n"}, "status": status}));
    assert_eq!(grace(&valid(), None), Some(0));
    assert_eq!(grace(&scheduled(json!({})), None), Some(30));
    assert_eq!(grace(&scheduled(json!({})), Some(5)), Some(5));
    assert_eq!(grace(&scheduled(json!({})), Some(-5)), Some(1));
    assert_eq!(grace(&scheduled(json!({"phase": "Failed"})), Some(5)), Some(0));
}

#[test]
fn fields_to_select() {
    let pod = pod(json!({"spec": {"nodeName": "n"}, "status": {"phase": "Running", "podIPs": [{"ip": "1.1.1.1"}]}}));
    let values: Vec<(&str, String)> = HOOKS.selectable.iter().map(|field| (field.field, (field.value)(&pod))).collect();
    let expected = [
        ("spec.nodeName", "n"),
        ("spec.restartPolicy", "Always"),
        ("spec.schedulerName", "default-scheduler"),
        ("spec.serviceAccountName", "default"),
        ("spec.hostNetwork", "false"),
        ("status.phase", "Running"),
        ("status.podIP", "1.1.1.1"),
        ("status.podIPs", ""),
        ("status.nominatedNodeName", ""),
    ];
    assert_eq!(values, expected.map(|(field, value)| (field, value.to_owned())));
}

#[test]
fn warnings_on_create() {
    let of = |change: Value| warnings(&pod(change), None);
    assert!(of(json!({"metadata": {"name": "a.b"}}))[0].starts_with("metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]"));
    assert_eq!(
        of(json!({"spec": {"nodeSelector": {"beta.kubernetes.io/os": "linux"}}})),
        ["spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead"]
    );
    assert_eq!(
        of(json!({"metadata": {"annotations": {"scheduler.alpha.kubernetes.io/critical-pod": ""}}})),
        [
            "metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the \"priorityClassName\" field instead"
        ]
    );
    assert_eq!(
        of(json!({"spec": {"volumes": [{"name": "g", "gitRepo": {"repository": "r"}}]}})),
        ["spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+"]
    );
    assert_eq!(
        of(json!({"spec": {"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}})),
        ["spec.imagePullSecrets[1].name: duplicate name \"a\""]
    );
    assert_eq!(
        of(json!({"spec": {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z"}]}})),
        ["spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod"]
    );
    let of = |change: Value| warnings(&with_container(change), None);
    assert_eq!(
        of(json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]})),
        ["spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using apply"]
    );
    assert_eq!(
        of(json!({"resources": {"limits": {"memory": "1m"}}})),
        ["spec.containers[0].resources.limits[memory]: fractional byte value \"1m\" is invalid, must be an integer"]
    );
    assert_eq!(
        of(
            json!({"ports": [{"name": "a", "containerPort": 80, "protocol": "TCP"}, {"name": "a", "containerPort": 80, "protocol": "TCP"}]})
        ),
        [
            "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]",
            "spec.containers[0].ports[1]: duplicate port name \"a\" with spec.containers[0].ports[0], services and probes that select ports by name will use spec.containers[0].ports[0]",
        ]
    );
    assert_eq!(
        warnings(
            &pod(
                json!({"spec": {"volumes": [{"name": "v", "configMap": {"name": "c", "items": [{"key": "a", "path": "p"}, {"key": "b", "path": "p/q"}]}}]}})
            ),
            None
        ),
        ["volume \"v\" (ConfigMap \"c\"): overlapping paths: \"p/q\" with \"p\""]
    );
}
