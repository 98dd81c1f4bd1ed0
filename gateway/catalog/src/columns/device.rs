//! The cells of dynamic resource allocation and of gang scheduling.

use jiff::Timestamp;
use model::{Value, meta};

use super::cell::{NONE, age, at, list, name, since, text, text_or};
use super::core::name_and_age;

pub(super) const ALL: super::Rows = &[
    ("resource.k8s.io", "DeviceClass", name_and_age),
    ("resource.k8s.io", "DeviceTaintRule", device_taint),
    ("resource.k8s.io", "ResourceClaim", resource_claim),
    ("resource.k8s.io", "ResourceClaimTemplate", name_and_age),
    ("resource.k8s.io", "ResourceSlice", resource_slice),
    ("scheduling.k8s.io", "PodGroup", pod_group),
    ("scheduling.k8s.io", "Workload", name_and_age),
    ("storagemigration.k8s.io", "StorageVersionMigration", storage_version_migration),
];

fn resource_claim(object: &Value, now: Timestamp) -> Vec<Value> {
    let deleted = meta::deletion_timestamp(object).is_some();
    let allocated = at(object, &["status", "allocation"]).is_object();
    let reserved = allocated && !list(object, &["status", "reservedFor"]).is_empty();
    let states = [("deleted", deleted), ("pending", !allocated && !deleted), ("allocated", allocated), ("reserved", reserved)];
    let states: Vec<&str> = states.iter().filter(|(_, holds)| *holds).map(|(state, _)| *state).collect();
    vec![name(object), states.join(",").into(), age(object, now)]
}

fn resource_slice(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        text(object, &["spec", "nodeName"]).into(),
        text(object, &["spec", "driver"]).into(),
        text(object, &["spec", "pool", "name"]).into(),
        age(object, now),
    ]
}

fn device_taint(object: &Value, now: Timestamp) -> Vec<Value> {
    let taint = at(object, &["spec", "taint"]);
    let added = match text(taint, &["timeAdded"]) {
        "" => String::new(),
        added => since(added, now),
    };
    vec![
        name(object),
        text(taint, &["key"]).into(),
        text(taint, &["value"]).into(),
        text(taint, &["effect"]).into(),
        added.into(),
        age(object, now),
    ]
}

fn pod_group(object: &Value, now: Timestamp) -> Vec<Value> {
    let condition = |kind: &str| list(object, &["status", "conditions"]).iter().find(|c| text(c, &["type"]) == kind);
    let status = match (condition("DisruptionTarget"), condition("PodGroupInitiallyScheduled")) {
        (Some(target), _) => text(target, &["reason"]),
        (None, Some(scheduled)) if text(scheduled, &["status"]) == "True" => "Scheduled",
        (None, Some(_)) => "Unschedulable",
        (None, None) => "Pending",
    };
    let policy = if at(object, &["spec", "schedulingPolicy", "gang"]).is_object() { "Gang" } else { "Basic" };
    vec![
        name(object),
        policy.into(),
        text_or(object, &["spec", "workloadRef", "workloadName"], NONE).into(),
        status.into(),
        age(object, now),
    ]
}

fn storage_version_migration(object: &Value, _now: Timestamp) -> Vec<Value> {
    let resource =
        model::GroupResource::new(text(object, &["spec", "resource", "group"]), text(object, &["spec", "resource", "resource"]));
    let status = list(object, &["status", "conditions"])
        .iter()
        .filter(|c| text(c, &["status"]) == "True")
        .map(|c| text(c, &["type"]))
        .rfind(|kind| matches!(*kind, "Running" | "Failed" | "Succeeded"));
    vec![name(object), resource.to_string().into(), status.unwrap_or("Unknown").into()]
}
