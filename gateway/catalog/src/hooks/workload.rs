//! What workloads share beside their template: selectors, counts in their status, rolling updates.
//! Follows the helpers of `pkg/apis/apps/validation`.

use model::Value;
use model::field::{Errors, Path};

use super::rules::labels::{self, Values};
use super::rules::number::{IMMUTABLE, nonnegative};
use super::rules::{equal, get, internal, percent};

/// What becomes of a selector: whether the template is worth checking against it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Selector {
    /// It can be read; an absent one selects nothing.
    Understood,
    /// It cannot be read.
    Malformed,
}

/// The selector of a Deployment, ReplicaSet or StatefulSet: required, well-formed, not empty. `kind` is named in the message.
pub(super) fn selector(spec: &Value, kind: &str, path: &Path, errors: &mut Errors) -> Selector {
    let at = path.child("selector");
    let Some(selector) = get::object(spec, "selector") else {
        errors.required(&at, "");
        return Selector::Understood;
    };
    let before = errors.0.len();
    labels::selector(spec, "selector", Values::Strict, path, errors);
    let understood = errors.0.len() == before;
    if labels::is_empty(selector) {
        errors.invalid(&at, internal::label_selector(selector), format!("empty selector is invalid for {kind}"));
    }
    if understood { Selector::Understood } else { Selector::Malformed }
}

/// The template must carry the labels that the selector selects; an absent selector selects nothing.
pub(super) fn selects_template(spec: &Value, path: &Path, errors: &mut Errors) {
    let labels = get::at(spec, "template.metadata.labels");
    let selects = get::object(spec, "selector").is_some_and(|selector| labels::matches(selector, labels));
    if !selects {
        errors.invalid(
            &path.child("template.metadata.labels"),
            internal::sorted(labels),
            "`selector` does not match template `labels`",
        );
    }
}

/// The selector may not change.
pub(super) fn immutable_selector(new: &Value, old: &Value, path: &Path, errors: &mut Errors) {
    let selector = new.get("selector");
    if !equal::semantic("selector", selector, old.get("selector")) {
        errors.invalid(&path.child("selector"), internal::label_selector(selector.unwrap_or(&Value::Null)), IMMUTABLE);
    }
}

/// A count that may be unset.
pub(super) fn nonnegative_if_set(value: &Value, fields: &[&str], path: &Path, errors: &mut Errors) {
    for field in fields {
        if let Some(number) = get::int(value, field) {
            nonnegative(number, &path.child(field), errors);
        }
    }
}

/// Counts of a status that are parts of `status.replicas`, and those available, which are parts of those ready.
pub(super) fn parts_of_replicas(status: &Value, parts: &[&str], ready: &str, path: &Path, errors: &mut Errors) {
    for part in parts {
        let count = get::number(status, part);
        if count > get::number(status, "replicas") {
            errors.invalid(&path.child(part), count, "cannot be greater than status.replicas");
        }
    }
    let available = get::number(status, "availableReplicas");
    if available > get::number(status, "readyReplicas") {
        errors.invalid(&path.child("availableReplicas"), available, format!("cannot be greater than {ready}"));
    }
}

/// The count of collisions only rises.
pub(super) fn collisions_only_rise(status: &Value, old: &Value, path: &Path, errors: &mut Errors) {
    let Some(before) = get::int(old, "collisionCount") else { return };
    let count = get::int(status, "collisionCount");
    if count.is_none_or(|count| count < before) {
        errors.invalid(&path.child("collisionCount"), count.unwrap_or(0), "cannot be decremented");
    }
}

/// `getIntOrPercentValue`: the number, whichever it is; other text counts as the number it is, or 0.
pub(super) fn int_or_percent_value(value: &Value) -> i64 {
    percent::percent(value).or_else(|| value.as_i64()).or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}

/// A field of a rolling update; absent is 0.
pub(super) fn step(rolling_update: &Value, field: &str) -> Value {
    rolling_update.get(field).filter(|value| !value.is_null()).cloned().unwrap_or_else(|| 0.into())
}

/// `status.replicas` for field selectors.
pub(super) fn status_replicas(object: &Value) -> String {
    get::number(get::at(object, "status"), "replicas").to_string()
}

#[cfg(test)]
mod tests;
