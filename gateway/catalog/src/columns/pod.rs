//! The cells of Pod and PodTemplate. Upstream: `printPod`.

use jiff::Timestamp;
use model::json::json;
use model::{Value, meta};

use super::cell::{NONE, age, at, condition_true, containers, flag, int, labels, list, name, parse, since, text, text_or};

pub(super) const ALL: super::Rows = &[("", "Pod", pod), ("", "PodTemplate", pod_template)];

/// What a Pod's cells and conditions are made of.
pub(super) const READS: &[&str] = &[
    "metadata.name",
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
    "spec.nodeName",
    "spec.readinessGates",
    "spec.initContainers.name",
    "spec.initContainers.restartPolicy",
    "spec.containers.name",
    "status.phase",
    "status.reason",
    "status.conditions.type",
    "status.conditions.status",
    "status.conditions.reason",
    "status.podIPs",
    "status.nominatedNodeName",
    "status.initContainerStatuses",
    "status.containerStatuses",
];

/// What walking the container statuses adds up to.
struct Tally {
    reason: String,
    restarts: i64,
    last_restart: Option<Timestamp>,
    ready: usize,
}

/// What `printPod` says of a pod that has ended.
pub(super) fn conditions(object: &Value) -> Value {
    let message = match text(object, &["status", "phase"]) {
        "Succeeded" => "The pod has completed successfully.",
        "Failed" => "The pod failed.",
        _ => return Value::Null,
    };
    json!([{"type": "Completed", "status": "True", "reason": text(object, &["status", "phase"]), "message": message}])
}

fn pod(object: &Value, now: Timestamp) -> Vec<Value> {
    let sidecars = list(object, &["spec", "initContainers"]).iter().filter(|c| is_sidecar(c)).count();
    let total = list(object, &["spec", "containers"]).len() + sidecars;
    let tally = tally(object);
    let restarts = match (tally.restarts, tally.last_restart) {
        (0, _) | (_, None) => tally.restarts.to_string(),
        (restarts, Some(at)) => format!("{restarts} ({} ago)", since(&at.to_string(), now)),
    };
    let ip = list(object, &["status", "podIPs"]).first().map_or("", |ip| text(ip, &["ip"]));
    vec![
        name(object),
        format!("{}/{total}", tally.ready).into(),
        shown_reason(object, tally.reason).into(),
        restarts.into(),
        age(object, now),
        if ip.is_empty() { NONE } else { ip }.into(),
        text_or(object, &["spec", "nodeName"], NONE).into(),
        text_or(object, &["status", "nominatedNodeName"], NONE).into(),
        readiness_gates(object).into(),
    ]
}

fn is_sidecar(container: &Value) -> bool {
    text(container, &["restartPolicy"]) == "Always"
}

fn tally(object: &Value) -> Tally {
    let mut init = init_tally(object);
    let initializing = init.0;
    if initializing && !condition_true(object, "Initialized") {
        return init.1;
    }
    init.1.restarts = init.2;
    init.1.last_restart = init.3;
    main_tally(object, init.1)
}

/// Whether it is still initializing, the tally so far, and the restarts of sidecars alone.
fn init_tally(object: &Value) -> (bool, Tally, i64, Option<Timestamp>) {
    let specs = list(object, &["spec", "initContainers"]);
    let mut tally = Tally { reason: phase_reason(object), restarts: 0, last_restart: None, ready: 0 };
    let (mut sidecar_restarts, mut sidecar_last) = (0, None);
    for (index, status) in list(object, &["status", "initContainerStatuses"]).iter().enumerate() {
        let sidecar = specs.iter().any(|c| text(c, &["name"]) == text(status, &["name"]) && is_sidecar(c));
        let (restarts, last) = (int(status, &["restartCount"]), last_restart(status));
        tally.restarts += restarts;
        tally.last_restart = tally.last_restart.max(last);
        if sidecar {
            sidecar_restarts += restarts;
            sidecar_last = sidecar_last.max(last);
        }
        let terminated = at(status, &["state", "terminated"]);
        if terminated.is_object() && int(terminated, &["exitCode"]) == 0 {
            continue;
        }
        if sidecar && flag(status, &["started"], false) {
            tally.ready += usize::from(flag(status, &["ready"], false));
            continue;
        }
        tally.reason = init_reason(status, index, specs.len());
        return (true, tally, sidecar_restarts, sidecar_last);
    }
    (false, tally, sidecar_restarts, sidecar_last)
}

fn phase_reason(object: &Value) -> String {
    let gated = list(object, &["status", "conditions"])
        .iter()
        .any(|c| text(c, &["type"]) == "PodScheduled" && text(c, &["reason"]) == "SchedulingGated");
    if gated {
        return "SchedulingGated".to_owned();
    }
    text_or(object, &["status", "reason"], text(object, &["status", "phase"])).to_owned()
}

fn init_reason(status: &Value, index: usize, total: usize) -> String {
    let terminated = at(status, &["state", "terminated"]);
    if terminated.is_object() {
        return format!("Init:{}", terminated_reason(terminated));
    }
    match text(status, &["state", "waiting", "reason"]) {
        "" | "PodInitializing" => format!("Init:{index}/{total}"),
        reason => format!("Init:{reason}"),
    }
}

fn terminated_reason(terminated: &Value) -> String {
    match (text(terminated, &["reason"]), int(terminated, &["signal"])) {
        ("", 0) => format!("ExitCode:{}", int(terminated, &["exitCode"])),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn last_restart(status: &Value) -> Option<Timestamp> {
    parse(text(status, &["lastState", "terminated", "finishedAt"]))
}

fn main_tally(object: &Value, mut tally: Tally) -> Tally {
    let (mut running, mut failed) = (false, None);
    for status in list(object, &["status", "containerStatuses"]).iter().rev() {
        tally.restarts += int(status, &["restartCount"]);
        tally.last_restart = tally.last_restart.max(last_restart(status));
        let terminated = at(status, &["state", "terminated"]);
        match text(status, &["state", "waiting", "reason"]) {
            "" if terminated.is_object() => {
                tally.reason = terminated_reason(terminated);
                if int(terminated, &["exitCode"]) != 0 {
                    failed = Some(tally.reason.clone());
                }
            }
            "" if flag(status, &["ready"], false) && at(status, &["state", "running"]).is_object() => {
                running = true;
                tally.ready += 1;
            }
            "" => {}
            waiting => tally.reason = waiting.to_owned(),
        }
    }
    if tally.reason == "Completed" {
        tally.reason = match (running, failed) {
            (true, _) if condition_true(object, "Ready") => "Running".to_owned(),
            (_, Some(failed)) => failed,
            (true, None) => "NotReady".to_owned(),
            (false, None) => tally.reason,
        };
    }
    tally
}

fn shown_reason(object: &Value, reason: String) -> String {
    let phase = text(object, &["status", "phase"]);
    match meta::deletion_timestamp(object) {
        Some(_) if text(object, &["status", "reason"]) == "NodeLost" => "Unknown".to_owned(),
        Some(_) if phase != "Succeeded" && phase != "Failed" => "Terminating".to_owned(),
        _ => reason,
    }
}

fn readiness_gates(object: &Value) -> String {
    let gates = list(object, &["spec", "readinessGates"]);
    if gates.is_empty() {
        return NONE.to_owned();
    }
    let met = gates.iter().filter(|gate| condition_true(object, text(gate, &["conditionType"]))).count();
    format!("{met}/{}", gates.len())
}

fn pod_template(object: &Value, _now: Timestamp) -> Vec<Value> {
    let [names, images] = containers(at(object, &["template", "spec"]));
    vec![name(object), names, images, labels(at(object, &["template", "metadata", "labels"])).into()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::partial::Fields;
    use model::json::json;

    fn cells(object: &Value) -> Vec<String> {
        let now = "2026-01-01T01:00:00Z".parse().expect("a time");
        let read = Fields::new(READS).read(object.to_string().as_bytes()).expect("an object");
        pod(&read, now).iter().map(|c| c.as_str().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn a_fresh_pod_is_pending() {
        let object = json!({"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:59:00Z"},
            "spec": {"containers": [{"name": "c"}]}, "status": {"phase": "Pending"}});
        assert_eq!(cells(&object), ["a", "0/1", "Pending", "0", "60s", "<none>", "<none>", "<none>", "<none>"]);
    }

    #[test]
    fn a_crashing_pod_shows_why_and_when() {
        let object = json!({"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"containers": [{"name": "c"}], "nodeName": "n"},
            "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}], "containerStatuses": [{"name": "c", "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:58:00Z"}}}]}});
        assert_eq!(cells(&object), ["a", "0/1", "CrashLoopBackOff", "3 (2m ago)", "60m", "10.0.0.1", "n", "<none>", "<none>"]);
    }

    #[test]
    fn an_init_container_that_failed_is_named() {
        let object = json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]},
            "status": {"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 2}}}]}});
        assert_eq!(cells(&object)[2], "Init:ExitCode:2");
    }

    #[test]
    fn a_deleted_pod_is_terminating() {
        let object = json!({"metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"containers": [{"name": "c"}]}, "status": {"phase": "Running"}});
        assert_eq!(cells(&object)[2], "Terminating");
    }
}
