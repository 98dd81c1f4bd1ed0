//! The cells of the core group's configuration, identity and node kinds, of Events, leases and quotas.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::json::Key;
use model::{Value, meta};

use super::cell::{NONE, UNKNOWN, age, at, count, flag, int, list, name, quantity, since, text, text_or};

pub(super) const ALL: super::Rows = &[
    ("", "ComponentStatus", component_status),
    ("", "ConfigMap", config_map),
    ("", "Event", event),
    ("events.k8s.io", "Event", event),
    ("", "Namespace", namespace),
    ("", "Node", node),
    ("", "ResourceQuota", resource_quota),
    ("", "Secret", secret),
    ("", "ServiceAccount", name_and_age),
    ("coordination.k8s.io", "Lease", lease),
    ("coordination.k8s.io", "LeaseCandidate", lease_candidate),
    ("node.k8s.io", "RuntimeClass", runtime_class),
    ("scheduling.k8s.io", "PriorityClass", priority_class),
];

pub(super) fn name_and_age(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), age(object, now)]
}

fn component_status(object: &Value, _now: Timestamp) -> Vec<Value> {
    let healthy = list(object, &["conditions"]).iter().find(|c| text(c, &["type"]) == "Healthy");
    let (status, message, error) = match healthy {
        Some(c) if text(c, &["status"]) == "True" => ("Healthy", text(c, &["message"]), text(c, &["error"])),
        Some(c) => ("Unhealthy", text(c, &["message"]), text(c, &["error"])),
        None => ("Unknown", "", ""),
    };
    vec![name(object), status.into(), message.into(), error.into()]
}

fn config_map(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), (count(object, &["data"]) + count(object, &["binaryData"])).into(), age(object, now)]
}

fn secret(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), text(object, &["type"]).into(), count(object, &["data"]).into(), age(object, now)]
}

fn namespace(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), text(object, &["status", "phase"]).into(), age(object, now)]
}

/// The fields of an Event under their core/v1 names, or those that events.k8s.io/v1 gives the same facts.
fn event(object: &Value, now: Timestamp) -> Vec<Value> {
    let either = |core: &[&str], events: &[&str]| text_or(object, core, text(object, events)).to_owned();
    let first = match either(&["firstTimestamp"], &["deprecatedFirstTimestamp"]) {
        time if time.is_empty() => since(text(object, &["eventTime"]), now),
        time => since(&time, now),
    };
    let series = at(object, &["series"]);
    let last = match either(&["lastTimestamp"], &["deprecatedLastTimestamp"]) {
        _ if series.is_object() => since(text(series, &["lastObservedTime"]), now),
        time if time.is_empty() => first.clone(),
        time => since(&time, now),
    };
    let seen = int(object, &["count"]).max(int(object, &["deprecatedCount"]));
    let seen = if series.is_object() { int(series, &["count"]) } else { seen.max(1) };
    let involved = if object.get("regarding").is_some() { at(object, &["regarding"]) } else { at(object, &["involvedObject"]) };
    let kind = text(involved, &["kind"]).to_lowercase();
    let target = match text(involved, &["name"]) {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    vec![
        last.into(),
        text(object, &["type"]).into(),
        text(object, &["reason"]).into(),
        target.into(),
        text(involved, &["fieldPath"]).into(),
        event_source(object).into(),
        either(&["message"], &["note"]).trim().into(),
        first.into(),
        seen.into(),
        name(object),
    ]
}

fn event_source(object: &Value) -> String {
    let source = if object.get("deprecatedSource").is_some() { "deprecatedSource" } else { "source" };
    let controller = text_or(object, &["reportingComponent"], text(object, &["reportingController"]));
    let component = text_or(object, &[source, "component"], controller);
    match text_or(object, &[source, "host"], text(object, &["reportingInstance"])) {
        "" => component.to_owned(),
        host => format!("{component}, {host}"),
    }
}

/// What a Node's cells are made of.
pub(super) const NODE_READS: &[&str] = &[
    "metadata.name",
    "metadata.creationTimestamp",
    "metadata.labels",
    "spec.unschedulable",
    "status.conditions.type",
    "status.conditions.status",
    "status.addresses",
    "status.nodeInfo",
];

fn node(object: &Value, now: Timestamp) -> Vec<Value> {
    let info = |field: &str| text_or(object, &["status", "nodeInfo", field], UNKNOWN).to_owned();
    let mut kernel = info("kernelVersion");
    let architecture = text(object, &["status", "nodeInfo", "architecture"]);
    if !architecture.is_empty() {
        kernel = format!("{kernel} ({architecture})");
    }
    vec![
        name(object),
        node_status(object).into(),
        node_roles(object).into(),
        age(object, now),
        text(object, &["status", "nodeInfo", "kubeletVersion"]).into(),
        node_address(object, "InternalIP").into(),
        node_address(object, "ExternalIP").into(),
        info("osImage").into(),
        kernel.into(),
        info("containerRuntimeVersion").into(),
    ]
}

fn node_status(object: &Value) -> String {
    let ready = list(object, &["status", "conditions"]).iter().rfind(|c| text(c, &["type"]) == "Ready");
    let mut status = match ready {
        Some(c) if text(c, &["status"]) == "True" => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if flag(object, &["spec", "unschedulable"], false) {
        status.push_str(",SchedulingDisabled");
    }
    status
}

fn node_roles(object: &Value) -> String {
    let role = |(key, value): (&'_ str, &'_ str)| match key.strip_prefix("node-role.kubernetes.io/") {
        Some(role) => Some(role.to_owned()),
        None if key == "kubernetes.io/role" => Some(value.to_owned()),
        None => None,
    };
    let roles: BTreeSet<String> = meta::labels(object).filter_map(role).filter(|r| !r.is_empty()).collect();
    if roles.is_empty() { NONE.to_owned() } else { roles.into_iter().collect::<Vec<_>>().join(",") }
}

fn node_address(object: &Value, kind: &str) -> String {
    let address = list(object, &["status", "addresses"]).iter().find(|a| text(a, &["type"]) == kind);
    address.map_or(NONE, |a| text(a, &["address"])).to_owned()
}

fn resource_quota(object: &Value, now: Timestamp) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    let mut names: Vec<&Key> = at(object, &["status", "hard"]).as_object().map(|m| m.keys().collect()).unwrap_or_default();
    names.sort_unstable();
    for resource in names {
        let used = quantity(object, &["status", "used", resource]);
        let hard = quantity(object, &["status", "hard", resource]);
        let column = if resource.starts_with("limits.") { &mut limits } else { &mut requests };
        column.push(format!("{resource}: {used}/{hard}"));
    }
    vec![name(object), requests.join(", ").into(), limits.join(", ").into(), age(object, now)]
}

fn lease(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), text(object, &["spec", "holderIdentity"]).into(), age(object, now)]
}

fn lease_candidate(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = |field: &str| Value::from(text(object, &["spec", field]));
    vec![name(object), spec("leaseName"), spec("binaryVersion"), spec("emulationVersion"), age(object, now)]
}

fn runtime_class(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), text(object, &["handler"]).into(), age(object, now)]
}

fn priority_class(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        int(object, &["value"]).into(),
        flag(object, &["globalDefault"], false).into(),
        age(object, now),
        text(object, &["preemptionPolicy"]).into(),
    ]
}
