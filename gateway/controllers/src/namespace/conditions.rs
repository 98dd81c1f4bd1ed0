//! What a namespace says about its end: five conditions, each with its own words for "nothing in the way".
//! Follows `pkg/controller/namespace/deletion/status_condition_utils.go`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::json::json;
use model::{Value, clock};

use super::Left;

/// Type, reason and message when all is well.
const ALL_WELL: [(&str, &str, &str); 5] = [
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    ("NamespaceDeletionContentFailure", "ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
    ("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"),
    ("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
];

/// The conditions as they must become; `None` when they say so already.
pub(super) fn decide(namespace: &Value, left: &Left, now: Timestamp) -> Option<Value> {
    let mut conditions = namespace.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut changed = false;
    for (kind, reason, message) in ALL_WELL {
        let (status, reason, message) = match trouble(kind, left) {
            Some((reason, message)) => ("True", reason, message),
            None => ("False", reason, message.to_owned()),
        };
        changed |= put(&mut conditions, kind, status, reason, &message, now);
    }
    changed.then(|| conditions.into())
}

fn trouble(kind: &str, left: &Left) -> Option<(&'static str, String)> {
    let list = |counts: &BTreeMap<String, usize>, verb: &str| {
        let each: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {verb} {count} resource instances")).collect();
        each.join(", ")
    };
    match kind {
        "NamespaceDeletionDiscoveryFailure" => undiscovered(left).map(|why| {
            let message = format!("Discovery failed for some groups, {} failing: {why}", left.unknown.len());
            ("DiscoveryFailed", message)
        }),
        "NamespaceDeletionContentFailure" if !left.errors.is_empty() => {
            let mut errors = left.errors.clone();
            errors.sort();
            let message = format!("Failed to delete all resource types, {} remaining: {}", errors.len(), errors.join(", "));
            Some(("ContentDeletionFailed", message))
        }
        "NamespaceContentRemaining" if !left.objects.is_empty() => {
            Some(("SomeResourcesRemain", format!("Some resources are remaining: {}", list(&left.objects, "has"))))
        }
        "NamespaceFinalizersRemaining" if !left.finalizers.is_empty() => {
            let message = format!("Some content in the namespace has finalizers remaining: {}", list(&left.finalizers, "in"));
            Some(("SomeFinalizersRemain", message))
        }
        _ => None,
    }
}

/// That not everybody could be asked what they serve, as client-go's discovery tells it.
pub(super) fn undiscovered(left: &Left) -> Option<String> {
    let each: Vec<String> =
        left.unknown.iter().map(|version| format!("{version}: stale GroupVersion discovery: {version}")).collect();
    let why = format!("unable to retrieve the complete list of server APIs: {}", each.join(", "));
    (!each.is_empty()).then_some(why)
}

fn put(conditions: &mut Vec<Value>, kind: &str, status: &str, reason: &str, message: &str, now: Timestamp) -> bool {
    let now = clock::rfc3339(now);
    let Some(condition) = conditions.iter_mut().find(|condition| condition["type"] == kind) else {
        conditions.push(json!({"type": kind, "status": status, "lastTransitionTime": now, "reason": reason, "message": message}));
        return true;
    };
    if condition["status"] == status && condition["reason"] == reason && condition["message"] == message {
        return false;
    }
    if condition["status"] != status {
        condition["lastTransitionTime"] = now.into();
    }
    condition["status"] = status.into();
    condition["reason"] = reason.into();
    condition["message"] = message.into();
    true
}
