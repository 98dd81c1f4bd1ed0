//! Jobs and CronJobs: each rule as a change to a valid object and the errors it makes, word for word.

use model::json::json;

use super::super::cronjob;
use super::super::pod::tests::{merge, texts, valid_spec};
use super::*;

fn valid() -> Value {
    let mut pod = valid_spec();
    pod["restartPolicy"] = json!("Never");
    let mut job = json!({
        "metadata": {"name": "job", "namespace": "ns", "uid": "u1"},
        "spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}},
    });
    default(&mut job);
    assert!(labels_from_template(&mut job));
    prepare_create(&mut job);
    join_labels(&mut job);
    job
}

fn job(change: Value) -> Value {
    let mut job = valid();
    merge(&mut job, &change);
    job
}

fn created(change: Value) -> Vec<String> {
    let mut errors = Errors::new();
    validate_create(&job(change), &mut errors);
    texts(&errors)
}

fn updated(before: Value, change: Value) -> Vec<String> {
    let old = job(before);
    let mut new = old.clone();
    merge(&mut new, &change);
    let mut errors = Errors::new();
    validate_update(&new, &old, &mut errors);
    texts(&errors)
}

#[test]
fn defaults_and_selectors() {
    let job = valid();
    assert_eq!(created(json!({})), Vec::<String>::new());
    assert_eq!(job["metadata"]["labels"], job["spec"]["template"]["metadata"]["labels"]);
    assert_eq!(job["spec"]["selector"], json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "u1"}}));
    assert_eq!(
        job["spec"]["template"]["metadata"]["labels"],
        json!({"a": "b", "job-name": "job", "batch.kubernetes.io/job-name": "job", "controller-uid": "u1", "batch.kubernetes.io/controller-uid": "u1"})
    );
    let of = |spec: Value| {
        let mut job = json!({"metadata": {}, "spec": spec});
        default(&mut job);
        job["spec"].clone()
    };
    assert_eq!(
        of(json!({})),
        json!({"completionMode": "NonIndexed", "suspend": false, "manualSelector": false, "completions": 1, "parallelism": 1, "backoffLimit": 6, "podReplacementPolicy": "TerminatingOrFailed"})
    );
    assert_eq!(of(json!({"parallelism": 3}))["completions"], Value::Null);
    assert_eq!(of(json!({"backoffLimitPerIndex": 1}))["backoffLimit"], json!(2147483647));
    assert_eq!(of(json!({"podFailurePolicy": {}}))["podReplacementPolicy"], json!("Failed"));
}

#[test]
fn labels_of_the_template() {
    let filled = |mut job: Value| (labels_from_template(&mut job), job["metadata"]["labels"].take());
    let template = json!({"template": {"metadata": {"labels": {"a": "b"}}}});
    assert_eq!(filled(json!({"metadata": {}, "spec": template})), (true, json!({"a": "b"})));
    assert_eq!(filled(json!({"metadata": {"labels": {}}, "spec": template})), (true, json!({"a": "b"})));
    assert_eq!(filled(json!({"metadata": {"labels": {"c": "d"}}, "spec": template})), (false, json!({"c": "d"})));
    assert_eq!(filled(json!({"metadata": {}, "spec": {"template": {}}})), (false, Value::Null));
}

#[test]
fn specs() {
    let spec = |change: Value| created(json!({"spec": change}));
    assert_eq!(spec(json!({"parallelism": -1})), ["spec.parallelism: Invalid value: -1: must be greater than or equal to 0"]);
    assert_eq!(
        spec(json!({"completionMode": "Other"})),
        ["spec.completionMode: Unsupported value: \"Other\": supported values: \"NonIndexed\", \"Indexed\""]
    );
    assert_eq!(
        spec(json!({"completionMode": "Indexed", "completions": null})),
        ["spec.completions: Required value: when completion mode is Indexed"]
    );
    assert_eq!(
        spec(json!({"backoffLimitPerIndex": 1})),
        ["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"]
    );
    assert_eq!(
        spec(json!({"managedBy": "me"})),
        ["spec.managedBy: Invalid value: \"me\": must be a domain-prefixed path (such as \"acme.io/foo\")"]
    );
    assert_eq!(
        spec(json!({"podReplacementPolicy": "Now"})),
        ["spec.podReplacementPolicy: Unsupported value: \"Now\": supported values: \"Failed\", \"TerminatingOrFailed\""]
    );
    assert_eq!(
        spec(json!({"template": {"spec": {"restartPolicy": "Always"}}})),
        ["spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""]
    );
    assert_eq!(
        spec(json!({"template": {"metadata": {"labels": {"job-name": "other"}}}})),
        [
            "spec.template.metadata.labels[job-name]: Invalid value: {\"a\":\"b\",\"batch.kubernetes.io/controller-uid\":\"u1\",\"batch.kubernetes.io/job-name\":\"job\",\"controller-uid\":\"u1\",\"job-name\":\"other\"}: must be 'job'"
        ]
    );
    assert_eq!(
        spec(json!({"selector": {"matchLabels": {"x": "y"}}})),
        [
            "spec.selector: Invalid value: {\"matchLabels\":{\"batch.kubernetes.io/controller-uid\":\"u1\",\"x\":\"y\"}}: `selector` not auto-generated",
            "spec.template.metadata.labels: Invalid value: {\"a\":\"b\",\"batch.kubernetes.io/controller-uid\":\"u1\",\"batch.kubernetes.io/job-name\":\"job\",\"controller-uid\":\"u1\",\"job-name\":\"job\"}: `selector` does not match template `labels`",
        ]
    );
}

#[test]
fn policies() {
    let failure =
        |rule: Value| created(json!({"spec": {"podFailurePolicy": {"rules": [rule]}, "podReplacementPolicy": "Failed"}}));
    assert_eq!(
        failure(json!({"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]})),
        Vec::<String>::new()
    );
    assert_eq!(
        failure(json!({})),
        [
            "spec.podFailurePolicy.rules[0].action: Required value: valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]",
            "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required",
        ]
    );
    assert_eq!(
        failure(json!({"action": "FailJob", "onExitCodes": {"operator": "In", "values": [2, 1, 0], "containerName": "x"}})),
        [
            "spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: \"x\": must be one of the container or initContainer names in the pod template",
            "spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Invalid value: 0: must not be 0 for the In operator",
            "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,1,0]: must be ordered",
        ]
    );
    let success = |rule: Value| {
        created(json!({"spec": {"completionMode": "Indexed", "completions": 5, "successPolicy": {"rules": [rule]}}}))
    };
    assert_eq!(success(json!({"succeededIndexes": "0-2", "succeededCount": 2})), Vec::<String>::new());
    assert_eq!(
        success(json!({"succeededIndexes": "0-2", "succeededCount": 4})),
        [
            "spec.successPolicy.rules[0].succeededCount: Invalid value: 4: must be less than or equal to 3 (the number of indexes in the specified succeededIndexes field)"
        ]
    );
    assert_eq!(
        success(json!({"succeededIndexes": "7"})),
        [
            "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"7\": error parsing succeededIndexes: too large index: \"7\""
        ]
    );
}

#[test]
fn updates() {
    let none = Vec::<String>::new();
    assert_eq!(updated(json!({}), json!({"spec": {"parallelism": 3}})), none);
    assert_eq!(
        updated(json!({}), json!({"spec": {"completions": 3}})),
        ["spec.completions: Invalid value: 3: field is immutable"]
    );
    let indexed = json!({"spec": {"completionMode": "Indexed", "completions": 2, "parallelism": 2}});
    assert_eq!(updated(indexed.clone(), json!({"spec": {"completions": 3, "parallelism": 3}})), none);
    assert_eq!(
        updated(indexed, json!({"spec": {"completions": 3}})),
        ["spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism"]
    );
    let label = json!({"spec": {"template": {"metadata": {"labels": {"new": "x"}}}}});
    let found = updated(json!({}), label.clone());
    assert!(
        found.len() == 1 && found[0].starts_with("spec.template: Invalid value: ") && found[0].ends_with(": field is immutable"),
        "{found:?}"
    );
    let suspended = json!({"spec": {"suspend": true}});
    assert_eq!(updated(suspended.clone(), label), none);
    assert_eq!(updated(suspended.clone(), json!({"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}})), none);
    let started = json!({"spec": {"suspend": true}, "status": {"startTime": "2030-01-01T00:00:00Z"}});
    assert_eq!(updated(started, json!({"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}})).len(), 1);
    let found = updated(suspended, json!({"spec": {"template": {"spec": {"nodeName": "n"}}}}));
    assert!(found[0].starts_with("spec.template.spec: Invalid value: "), "{found:?}");
}

#[test]
fn statuses() {
    let of = |old: Value, new: Value| {
        let old = job(json!({"status": old}));
        let mut changed = old.clone();
        changed["status"] = new;
        let mut errors = Errors::new();
        status::validate(&changed, &old, &mut errors);
        texts(&errors)
    };
    let is = |kinds: &[&str]| -> Value { kinds.iter().map(|kind| json!({"type": kind, "status": "True"})).collect() };
    let start = "2030-01-01T00:00:00Z";
    let done = json!({"startTime": start, "completionTime": "2030-01-01T00:00:01Z", "succeeded": 1, "conditions": is(&["SuccessCriteriaMet", "Complete"])});
    assert_eq!(of(json!({"startTime": start, "active": 1}), done.clone()), Vec::<String>::new());
    assert_eq!(
        of(json!({}), json!({"startTime": start, "conditions": is(&["Failed"])})),
        ["status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition"]
    );
    assert_eq!(
        of(done, json!({"startTime": start, "succeeded": 1})),
        [
            "status.conditions: Invalid value: cannot disable the terminal Complete=True condition",
            "status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition",
        ]
    );
    assert_eq!(
        of(json!({"failed": 2}), json!({"failed": 1})),
        ["status.failed: Invalid value: 1: cannot decrease the failed counter"]
    );
    assert_eq!(
        of(json!({}), json!({"active": 1, "ready": 2})),
        ["status.ready: Invalid value: 2: cannot set more ready pods than active"]
    );
    assert_eq!(
        of(json!({}), json!({"completedIndexes": "0"})),
        ["status.completedIndexes: Invalid value: \"0\": cannot set non-empty completedIndexes when non-indexed completion mode"]
    );
}

#[test]
fn cron_jobs() {
    let of = |name: &str, change: Value| {
        let mut pod = valid_spec();
        pod["restartPolicy"] = json!("OnFailure");
        let mut object = json!({"metadata": {"name": name}, "spec": {"schedule": "* * * * *", "concurrencyPolicy": "Allow", "jobTemplate": {"spec": {"template": {"spec": pod}}}}});
        merge(&mut object["spec"], &change);
        let mut errors = Errors::new();
        (cronjob::HOOKS.validate.expect("the kind has it"))(&object, &mut errors);
        texts(&errors)
    };
    assert_eq!(of("c", json!({})), Vec::<String>::new());
    assert_eq!(of("c", json!({"schedule": ""})), ["spec.schedule: Required value"]);
    assert_eq!(
        of("c", json!({"schedule": "a b c"})),
        ["spec.schedule: Invalid value: \"a b c\": expected exactly 5 fields, found 3: [a b c]"]
    );
    assert_eq!(
        of("c", json!({"schedule": "TZ=UTC 0 * * * *"})),
        ["spec.schedule: Invalid value: \"TZ=UTC 0 * * * *\": cannot use TZ or CRON_TZ in schedule, use timeZone field instead"]
    );
    assert_eq!(of("c", json!({"timeZone": "Europe/Berlin"})), Vec::<String>::new());
    assert_eq!(
        of("c", json!({"timeZone": "europe/berlin"})),
        ["spec.timeZone: Invalid value: \"europe/berlin\": unknown time zone europe/berlin"]
    );
    assert_eq!(
        of("c", json!({"timeZone": "Local"})),
        [
            "spec.timeZone: Invalid value: \"Local\": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        ]
    );
    assert_eq!(
        of("c", json!({"concurrencyPolicy": "Maybe"})),
        ["spec.concurrencyPolicy: Unsupported value: \"Maybe\": supported values: \"Allow\", \"Forbid\", \"Replace\""]
    );
    assert_eq!(
        of("c", json!({"jobTemplate": {"spec": {"manualSelector": true}}})),
        ["spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: \"nil\", \"false\""]
    );
    assert_eq!(
        of(&"c".repeat(53), json!({})),
        [format!("metadata.name: Invalid value: \"{}\": must be no more than 52 characters", "c".repeat(53))]
    );
}
