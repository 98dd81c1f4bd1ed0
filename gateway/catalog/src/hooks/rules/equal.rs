//! Whether two pieces of an object mean the same, as `apiequality.Semantic.DeepEqual` sees their structs: absent, empty and
//! zero are one thing for plain fields, two for pointers; amounts compare by value.
//! Knows the pointers among the fields of pods and of what makes pods; kinds elsewhere do not use it.

use model::Value;
use model::quantity::Quantity;

/// Fields that are pointers to a scalar: set to zero is not the same as unset. Sorted.
const POINTERS: &[&str] = &[
    "activeDeadlineSeconds",
    "allowPrivilegeEscalation",
    "apiGroup",
    "automountServiceAccountToken",
    "backoffLimit",
    "backoffLimitPerIndex",
    "collisionCount",
    "completionMode",
    "completions",
    "defaultMode",
    "deletionGracePeriodSeconds",
    "enableServiceLinks",
    "expirationSeconds",
    "failedIndexes",
    "failedJobsHistoryLimit",
    "fsGroup",
    "fsGroupChangePolicy",
    "gmsaCredentialSpec",
    "gmsaCredentialSpecName",
    "hostProcess",
    "hostUsers",
    "hostnameOverride",
    "initiatorName",
    "localhostProfile",
    "lun",
    "managedBy",
    "manualSelector",
    "maxExpirationSeconds",
    "maxFailedIndexes",
    "maxSurge",
    "maxUnavailable",
    "minDomains",
    "mode",
    "mountPropagation",
    "nodeAffinityPolicy",
    "nodeTaintsPolicy",
    "optional",
    "parallelism",
    "partition",
    "podReplacementPolicy",
    "preemptionPolicy",
    "priority",
    "privileged",
    "procMount",
    "progressDeadlineSeconds",
    "readOnlyRootFilesystem",
    "recursiveReadOnly",
    "resourceClaimName",
    "resourceClaimTemplateName",
    "revisionHistoryLimit",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "runAsUserName",
    "runtimeClassName",
    "seLinuxChangePolicy",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
    "signerName",
    "startingDeadlineSeconds",
    "storageClassName",
    "succeededCount",
    "succeededIndexes",
    "successfulJobsHistoryLimit",
    "supplementalGroupsPolicy",
    "suspend",
    "terminationGracePeriodSeconds",
    "timeZone",
    "tolerationSeconds",
    "ttlSecondsAfterFinished",
    "volumeAttributesClassName",
    "volumeMode",
];

/// Maps with free keys: an entry that is empty is still an entry. Sorted.
const MAPS: &[&str] = &[
    "allocatedResources",
    "annotations",
    "capacity",
    "data",
    "labels",
    "limits",
    "matchLabels",
    "nodeSelector",
    "options",
    "overhead",
    "requests",
    "userAnnotations",
    "volumeAttributes",
];

/// Structs that are no pointers: empty is the same as absent. Sorted.
const PLAIN_STRUCTS: &[&str] = &[
    "devices",
    "involvedObject",
    "jobTemplate",
    "lastState",
    "metadata",
    "podAffinityTerm",
    "preference",
    "resources",
    "source",
    "spec",
    "state",
    "status",
    "strategy",
    "template",
    "updateStrategy",
];

/// Maps of amounts, and single amounts. Sorted.
const AMOUNTS: &[&str] = &["allocatedResources", "capacity", "divisor", "limits", "overhead", "requests", "sizeLimit"];

fn is_in(sorted: &[&str], field: &str) -> bool {
    sorted.binary_search(&field).is_ok()
}

/// Whether two values of the field named `field` mean the same; `None` is absent.
pub(crate) fn semantic(field: &str, a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a.filter(|v| !v.is_null()), b.filter(|v| !v.is_null())) {
        (None, None) => true,
        (Some(only), None) | (None, Some(only)) => is_nothing(field, only),
        (Some(a), Some(b)) => same(field, a, b),
    }
}

/// Whether two structs mean the same. Most often they are the same.
pub(crate) fn structs(a: &Value, b: &Value) -> bool {
    a == b || same("spec", a, b)
}

/// Whether the value is what Go has in a field that was never set.
fn is_nothing(field: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) if is_in(MAPS, field) => map.is_empty(),
        Value::Object(map) => is_in(PLAIN_STRUCTS, field) && map.iter().all(|(field, inner)| is_nothing(field, inner)),
        Value::String(text) => text.is_empty() && !is_in(POINTERS, field),
        Value::Bool(set) => !set && !is_in(POINTERS, field),
        Value::Number(number) => number.as_i64() == Some(0) && !is_in(POINTERS, field),
    }
}

fn same(field: &str, a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) if is_in(MAPS, field) => {
            x.len() == y.len() && x.iter().all(|(key, value)| y.get(key).is_some_and(|other| same(field, value, other)))
        }
        (Value::Object(x), Value::Object(y)) => {
            x.iter().all(|(key, value)| semantic(key, Some(value), y.get(key)))
                && y.iter().all(|(key, value)| x.contains_key(key) || is_nothing(key, value))
        }
        // What the elements of a list are its name does not say: `requests` is a map elsewhere.
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(a, b)| same("", a, b)),
        (Value::String(x), Value::String(y)) => x == y || is_in(AMOUNTS, field) && same_amount(x, y),
        _ => a == b,
    }
}

fn same_amount(a: &str, b: &str) -> bool {
    matches!((Quantity::parse(a), Quantity::parse(b)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    #[test]
    fn the_lists_are_sorted() {
        for list in [POINTERS, MAPS, PLAIN_STRUCTS, AMOUNTS] {
            assert!(list.is_sorted(), "{list:?}");
        }
    }

    #[test]
    fn plain_fields_are_equal_when_zero_and_pointers_are_not() {
        let same = |a: Value, b: Value| structs(&a, &b);
        assert!(same(json!({"hostNetwork": false, "nodeSelector": {}, "containers": []}), json!({})));
        assert!(!same(json!({"enableServiceLinks": false}), json!({})));
        assert!(!same(json!({"emptyDir": {}}), json!({})));
        assert!(same(json!({"resources": {"limits": {}}}), json!({})));
        assert!(!same(json!({"labels": {"a": ""}}), json!({"labels": {}})));
        assert!(same(json!({"limits": {"memory": "1Gi"}}), json!({"limits": {"memory": "1073741824"}})));
        assert!(!same(json!({"image": "1"}), json!({"image": "1000m"})));
        assert!(same(json!({"requests": [{"tolerations": []}]}), json!({"requests": [{}]})));
    }
}
