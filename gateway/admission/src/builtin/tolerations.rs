//! Tolerations together: which cover others. Follows `pkg/util/tolerations`. Judges no pod.

use model::Value;

use super::text;

/// Both lists, without what another toleration covers.
pub(super) fn merged(first: &[Value], second: &[Value]) -> Vec<Value> {
    let all: Vec<&Value> = first.iter().chain(second).collect();
    let mut merged: Vec<Value> = Vec::new();
    for (i, toleration) in all.iter().enumerate() {
        let earlier = merged.iter().any(|other| covers(other, toleration));
        let later = all[i + 1..].iter().any(|other| other != toleration && covers(other, toleration));
        if !earlier && !later {
            merged.push((*toleration).clone());
        }
    }
    merged
}

/// Whether whatever the one tolerates the other tolerates too.
pub(super) fn covers(wide: &Value, narrow: &Value) -> bool {
    if wide == narrow {
        return true;
    }
    let same = |field| text(wide, field) == text(narrow, field);
    let exists = text(wide, "operator") == "Exists";
    if !same("key") && (!text(wide, "key").is_empty() || !exists) {
        return false;
    }
    if !text(wide, "effect").is_empty() && !same("effect") {
        return false;
    }
    if text(wide, "effect") == "NoExecute"
        && let Some(seconds) = wide.get("tolerationSeconds").and_then(Value::as_i64)
        && narrow.get("tolerationSeconds").and_then(Value::as_i64).is_none_or(|other| other > seconds)
    {
        return false;
    }
    // The wide one means Equal where it names no operator, the narrow one must say so.
    exists || (matches!(text(wide, "operator"), "" | "Equal") && text(narrow, "operator") == "Equal" && same("value"))
}
