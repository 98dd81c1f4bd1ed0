//! The cells of what runs pods: apps, batch, autoscaling's Scale, policy, replication controllers.

use jiff::Timestamp;
use model::{Value, meta};

use super::cell::{
    NONE, age, at, condition_true, containers, count, duration, flag, int, labels, name, parse, scalar, seconds_between,
    selector, selector_text, since, text, text_or,
};

pub(super) const ALL: super::Rows = &[
    ("", "ReplicationController", replication_controller),
    ("apps", "ControllerRevision", controller_revision),
    ("apps", "DaemonSet", daemon_set),
    ("apps", "Deployment", deployment),
    ("apps", "ReplicaSet", replica_set),
    ("apps", "StatefulSet", stateful_set),
    ("autoscaling", "Scale", scale),
    ("batch", "CronJob", cron_job),
    ("batch", "Job", job),
    ("policy", "PodDisruptionBudget", pod_disruption_budget),
];

fn replication_controller(object: &Value, now: Timestamp) -> Vec<Value> {
    replicas(object, now, labels(at(object, &["spec", "selector"])))
}

fn replica_set(object: &Value, now: Timestamp) -> Vec<Value> {
    replicas(object, now, selector(at(object, &["spec", "selector"])))
}

fn replicas(object: &Value, now: Timestamp, selector: String) -> Vec<Value> {
    let [names, images] = containers(at(object, &["spec", "template", "spec"]));
    vec![
        name(object),
        int(object, &["spec", "replicas"]).into(),
        int(object, &["status", "replicas"]).into(),
        int(object, &["status", "readyReplicas"]).into(),
        age(object, now),
        names,
        images,
        selector.into(),
    ]
}

fn deployment(object: &Value, now: Timestamp) -> Vec<Value> {
    let [names, images] = containers(at(object, &["spec", "template", "spec"]));
    vec![
        name(object),
        ready_of_desired(object),
        int(object, &["status", "updatedReplicas"]).into(),
        int(object, &["status", "availableReplicas"]).into(),
        age(object, now),
        names,
        images,
        selector_text(at(object, &["spec", "selector"])).into(),
    ]
}

fn ready_of_desired(object: &Value) -> Value {
    format!("{}/{}", int(object, &["status", "readyReplicas"]), int(object, &["spec", "replicas"])).into()
}

fn stateful_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let [names, images] = containers(at(object, &["spec", "template", "spec"]));
    vec![name(object), ready_of_desired(object), age(object, now), names, images]
}

fn daemon_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let pod_spec = at(object, &["spec", "template", "spec"]);
    let mut cells = vec![name(object)];
    for field in ["desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled", "numberAvailable"]
    {
        cells.push(int(object, &["status", field]).into());
    }
    cells.push(labels(at(pod_spec, &["nodeSelector"])).into());
    cells.push(age(object, now));
    cells.extend(containers(pod_spec));
    cells.push(selector(at(object, &["spec", "selector"])).into());
    cells
}

fn controller_revision(object: &Value, now: Timestamp) -> Vec<Value> {
    let owner = meta::owner_references(object).iter().find(|o| flag(o, &["controller"], false));
    let owner = owner.map_or(NONE.to_owned(), |owner| {
        let (group, _) = model::gvk::split_api_version(text(owner, &["apiVersion"]));
        let kind = model::GroupKind { group: group.into(), kind: text(owner, &["kind"]).into() };
        format!("{}/{}", kind.to_string().to_lowercase(), text(owner, &["name"]))
    });
    vec![name(object), owner.into(), int(object, &["revision"]).into(), age(object, now)]
}

fn scale(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), int(object, &["spec", "replicas"]).into(), int(object, &["status", "replicas"]).into(), age(object, now)]
}

fn cron_job(object: &Value, now: Timestamp) -> Vec<Value> {
    let pod_spec = at(object, &["spec", "jobTemplate", "spec", "template", "spec"]);
    let last = match text(object, &["status", "lastScheduleTime"]) {
        "" => NONE.to_owned(),
        last => since(last, now),
    };
    // Upstream prints a bool pointer here, as text: `True`, `False` or `<unset>`.
    let suspend = match at(object, &["spec", "suspend"]).as_bool() {
        Some(true) => "True",
        Some(false) => "False",
        None => super::cell::UNSET,
    };
    let [names, images] = containers(pod_spec);
    vec![
        name(object),
        text(object, &["spec", "schedule"]).into(),
        text_or(object, &["spec", "timeZone"], NONE).into(),
        suspend.into(),
        count(object, &["status", "active"]).into(),
        last.into(),
        age(object, now),
        names,
        images,
        selector(at(object, &["spec", "jobTemplate", "spec", "selector"])).into(),
    ]
}

fn job(object: &Value, now: Timestamp) -> Vec<Value> {
    let [names, images] = containers(at(object, &["spec", "template", "spec"]));
    vec![
        name(object),
        job_status(object).into(),
        job_completions(object).into(),
        job_duration(object, now).into(),
        age(object, now),
        names,
        images,
        selector(at(object, &["spec", "selector"])).into(),
    ]
}

fn job_status(object: &Value) -> &'static str {
    match () {
        () if condition_true(object, "Complete") => "Complete",
        () if condition_true(object, "Failed") => "Failed",
        () if meta::deletion_timestamp(object).is_some() => "Terminating",
        () if condition_true(object, "Suspended") => "Suspended",
        () if condition_true(object, "FailureTarget") => "FailureTarget",
        () if condition_true(object, "SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

fn job_completions(object: &Value) -> String {
    let succeeded = int(object, &["status", "succeeded"]);
    match (at(object, &["spec", "completions"]).as_i64(), int(object, &["spec", "parallelism"])) {
        (Some(completions), _) => format!("{succeeded}/{completions}"),
        (None, parallelism) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

fn job_duration(object: &Value, now: Timestamp) -> String {
    let Some(start) = parse(text(object, &["status", "startTime"])) else { return String::new() };
    let end = parse(text(object, &["status", "completionTime"])).unwrap_or(now);
    duration(seconds_between(start, end))
}

fn pod_disruption_budget(object: &Value, now: Timestamp) -> Vec<Value> {
    let bound = |field: &str| scalar(at(object, &["spec", field])).unwrap_or_else(|| "N/A".to_owned());
    vec![
        name(object),
        bound("minAvailable").into(),
        bound("maxUnavailable").into(),
        int(object, &["status", "disruptionsAllowed"]).into(),
        age(object, now),
    ]
}
