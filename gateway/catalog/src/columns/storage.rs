//! The cells of storage: volumes, claims, classes, CSI.

use std::cmp::Reverse;

use jiff::Timestamp;
use model::{Value, meta};

use super::cell::{NONE, UNSET, age, at, count, flag, list, name, quantity, scalar, text, text_or};

pub(super) const ALL: super::Rows = &[
    ("", "PersistentVolume", persistent_volume),
    ("", "PersistentVolumeClaim", persistent_volume_claim),
    ("storage.k8s.io", "CSIDriver", csi_driver),
    ("storage.k8s.io", "CSINode", csi_node),
    ("storage.k8s.io", "CSIStorageCapacity", csi_storage_capacity),
    ("storage.k8s.io", "StorageClass", storage_class),
    ("storage.k8s.io", "VolumeAttachment", volume_attachment),
    ("storage.k8s.io", "VolumeAttributesClass", volume_attributes_class),
];

fn persistent_volume(object: &Value, now: Timestamp) -> Vec<Value> {
    let claim = at(object, &["spec", "claimRef"]);
    let claim =
        if claim.is_object() { format!("{}/{}", text(claim, &["namespace"]), text(claim, &["name"])) } else { String::new() };
    vec![
        name(object),
        quantity(object, &["spec", "capacity", "storage"]).into(),
        access_modes(at(object, &["spec", "accessModes"])).into(),
        text(object, &["spec", "persistentVolumeReclaimPolicy"]).into(),
        phase(object).into(),
        claim.into(),
        class(object).into(),
        text_or(object, &["spec", "volumeAttributesClassName"], UNSET).into(),
        text(object, &["status", "reason"]).into(),
        age(object, now),
        text_or(object, &["spec", "volumeMode"], UNSET).into(),
    ]
}

fn persistent_volume_claim(object: &Value, now: Timestamp) -> Vec<Value> {
    let volume = text(object, &["spec", "volumeName"]);
    let (capacity, modes) = match volume {
        "" => (String::new(), String::new()),
        _ => (quantity(object, &["status", "capacity", "storage"]), access_modes(at(object, &["status", "accessModes"]))),
    };
    vec![
        name(object),
        phase(object).into(),
        volume.into(),
        capacity.into(),
        modes.into(),
        class(object).into(),
        text_or(object, &["spec", "volumeAttributesClassName"], UNSET).into(),
        age(object, now),
        text_or(object, &["spec", "volumeMode"], UNSET).into(),
    ]
}

fn phase(object: &Value) -> &str {
    if meta::deletion_timestamp(object).is_some() { "Terminating" } else { text(object, &["status", "phase"]) }
}

/// The class by its old annotation first, as upstream reads it.
fn class(object: &Value) -> &str {
    meta::annotation(object, "volume.beta.kubernetes.io/storage-class")
        .unwrap_or_else(|| text(object, &["spec", "storageClassName"]))
}

fn access_modes(modes: &Value) -> String {
    const SHORT: [(&str, &str); 4] =
        [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let given = |mode: &str| modes.as_array().is_some_and(|all| all.iter().any(|m| m == mode));
    SHORT.iter().filter(|(long, _)| given(long)).map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

/// `getEffectiveDefaultStorageClass`: the newest that is annotated as the default, of equally new ones the first by name.
pub(super) fn effective_default(classes: &[Value]) -> Option<String> {
    const ANNOTATIONS: [&str; 2] =
        ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
    let is_default = |class: &&Value| ANNOTATIONS.iter().any(|key| meta::annotation(class, key) == Some("true"));
    let rank = |class: &Value| (meta::text(class, "creationTimestamp").to_owned(), Reverse(meta::name(class).to_owned()));
    classes.iter().filter(is_default).max_by_key(|class| rank(class)).map(|class| meta::name(class).to_owned())
}

fn storage_class(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        text(object, &["provisioner"]).into(),
        text_or(object, &["reclaimPolicy"], "Delete").into(),
        text_or(object, &["volumeBindingMode"], "Immediate").into(),
        flag(object, &["allowVolumeExpansion"], false).into(),
        age(object, now),
    ]
}

fn volume_attributes_class(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), text(object, &["driverName"]).into(), age(object, now)]
}

fn volume_attachment(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        text(object, &["spec", "attacher"]).into(),
        text(object, &["spec", "source", "persistentVolumeName"]).into(),
        text(object, &["spec", "nodeName"]).into(),
        flag(object, &["status", "attached"], false).into(),
        age(object, now),
    ]
}

fn csi_node(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), count(object, &["spec", "drivers"]).into(), age(object, now)]
}

fn csi_driver(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = |field: &str, absent: bool| Value::from(flag(object, &["spec", field], absent));
    let modes: Vec<&str> = list(object, &["spec", "volumeLifecycleModes"]).iter().filter_map(Value::as_str).collect();
    let audiences = at(object, &["spec", "tokenRequests"])
        .as_array()
        .map(|all| all.iter().map(|t| text(t, &["audience"])).collect::<Vec<_>>().join(","));
    vec![
        name(object),
        spec("attachRequired", true),
        spec("podInfoOnMount", false),
        spec("storageCapacity", false),
        audiences.unwrap_or_else(|| UNSET.to_owned()).into(),
        spec("requiresRepublish", false),
        if modes.is_empty() { NONE.to_owned() } else { modes.join(",") }.into(),
        age(object, now),
    ]
}

fn csi_storage_capacity(object: &Value, _now: Timestamp) -> Vec<Value> {
    let capacity = scalar(at(object, &["capacity"])).unwrap_or_else(|| UNSET.to_owned());
    vec![name(object), text(object, &["storageClassName"]).into(), capacity.into()]
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn the_newest_default_class_is_marked() {
        let class = |name: &str, made: &str, default: &str| json!({"metadata": {"name": name, "creationTimestamp": made, "annotations": {"storageclass.kubernetes.io/is-default-class": default}}});
        let (old, new, other) = ("2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z", "2032-01-01T00:00:00Z");
        let classes = [class("c", old, "true"), class("b", new, "true"), class("a", new, "true"), class("d", other, "false")];
        assert_eq!(effective_default(&classes).as_deref(), Some("a"));
        assert_eq!(effective_default(&classes[3..]), None);
    }
}
