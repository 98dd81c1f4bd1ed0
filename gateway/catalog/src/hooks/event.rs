//! Event, in its core/v1 form. Upstream: `pkg/apis/core/validation/events.go`, `pkg/registry/core/event/strategy.go`.
//! What is written through events.k8s.io/v1 is judged more strictly ([`STRICT`]).

use model::field::{Errors, Path};
use model::{Value, meta};

use super::rules::{equal, get, internal, number, text};
use super::{Hooks, Selectable};

/// `ReportingInstanceLengthLimit`, `ActionLengthLimit`, `ReasonLengthLimit`, in bytes.
const SHORT_BYTES_MAX: usize = 128;
/// `NoteLengthLimit`, in bytes.
const NOTE_BYTES_MAX: usize = 1024;

/// For core/v1.
pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(|object, errors| validate(object, "reportingComponent", errors)),
    validate_update: Some(|new, _old, errors| validate(new, "reportingComponent", errors)),
    selectable: SELECTABLE,
    uncached: true,
    ..Hooks::NONE
};

/// For events.k8s.io/v1. Errors name fields as upstream's internal type does, not as this version spells them.
pub(super) const STRICT: Hooks = Hooks {
    validate: Some(|object, errors| {
        validate(object, "reportingController", errors);
        validate_strictly(object, errors);
    }),
    validate_update: Some(|new, old, errors| {
        validate(new, "reportingController", errors);
        validate_strict_update(new, old, errors);
    }),
    selectable: SELECTABLE,
    uncached: true,
    ..Hooks::NONE
};

const SELECTABLE: &[Selectable] = &[
    involved("involvedObject.kind", |object| of_involved(object, "kind")),
    involved("involvedObject.namespace", |object| of_involved(object, "namespace")),
    involved("involvedObject.name", |object| of_involved(object, "name")),
    involved("involvedObject.uid", |object| of_involved(object, "uid")),
    involved("involvedObject.apiVersion", |object| of_involved(object, "apiVersion")),
    involved("involvedObject.resourceVersion", |object| of_involved(object, "resourceVersion")),
    involved("involvedObject.fieldPath", |object| of_involved(object, "fieldPath")),
    involved("reason", |object| get::text(object, "reason").to_owned()),
    involved("reportingComponent", |object| get::text(object, "reportingComponent").to_owned()),
    involved("source", source),
    involved("type", |object| get::text(object, "type").to_owned()),
];

const fn involved(field: &'static str, value: fn(&Value) -> String) -> Selectable {
    Selectable { field, value }
}

fn of_involved(object: &Value, field: &str) -> String {
    get::text(get::at(object, "involvedObject"), field).to_owned()
}

/// The component that reported, under its old name first.
fn source(object: &Value) -> String {
    match get::text(get::at(object, "source"), "component") {
        "" => get::text(object, "reportingComponent").to_owned(),
        component => component.to_owned(),
    }
}

/// `legacyValidateEvent`; `controller` is what errors call the field of the controller that reports.
fn validate(object: &Value, controller: &str, errors: &mut Errors) {
    let (own, about) = (meta::namespace(object), get::text(get::at(object, "involvedObject"), "namespace"));
    let path = Path::new("involvedObject.namespace");
    let new_style = get::string(object, "eventTime").is_some();
    let fits = match (about, new_style) {
        ("", false) => matches!(own, "" | "default"),
        ("", true) => matches!(own, "default" | "kube-system"),
        (about, false) => about == own,
        (_, true) => true,
    };
    if !fits {
        errors.invalid(&path, about, "does not match event.namespace");
    }
    if new_style {
        validate_new_style(object, &Path::new(controller), errors);
    }
}

fn validate_new_style(object: &Value, path: &Path, errors: &mut Errors) {
    let controller = get::text(object, "reportingComponent");
    text::required(controller, path, errors);
    text::qualified_name(controller, path, errors);
    for field in ["reportingInstance", "action", "reason"] {
        let value = get::text(object, field);
        text::required(value, &Path::new(field), errors);
        limit(value, SHORT_BYTES_MAX, &Path::new(field), errors);
    }
    limit(get::text(object, "message"), NOTE_BYTES_MAX, &Path::new("message"), errors);
}

/// What a new event must be; the fields of the old style stay empty.
fn validate_strictly(object: &Value, errors: &mut Errors) {
    validate_series(object, errors);
    if get::string(object, "eventTime").is_none() {
        errors.required(&Path::new("eventTime"), "");
    }
    let kind = get::text(object, "type");
    if !matches!(kind, "Normal" | "Warning") {
        errors.invalid(&Path::new("type"), "", format!("has invalid value: {kind}"));
    }
    let source = get::at(object, "source");
    let set = [
        ("firstTimestamp", get::string(object, "firstTimestamp").is_some()),
        ("lastTimestamp", get::string(object, "lastTimestamp").is_some()),
        ("count", get::number(object, "count") != 0),
        ("source", ["component", "host"].iter().any(|field| !get::text(source, field).is_empty())),
    ];
    for (field, _) in set.iter().filter(|(_, set)| *set) {
        errors.invalid(&Path::new(field), "", "needs to be unset");
    }
}

fn validate_series(object: &Value, errors: &mut Errors) {
    let Some(series) = get::object(object, "series") else { return };
    if get::number(series, "count") < 2 {
        errors.invalid(&Path::new("series.count"), "", "should be at least 2");
    }
    if get::string(series, "lastObservedTime").is_none() {
        errors.required(&Path::new("series.lastObservedTime"), "");
    }
}

/// Only the series of an event goes on.
fn validate_strict_update(new: &Value, old: &Value, errors: &mut Errors) {
    if new.get("series") != old.get("series") {
        validate_series(new, errors);
    }
    // In upstream's order, with how a value is shown: a struct, or as it is.
    const FIELDS: &[(&str, &str, Option<internal::Type>)] = &[
        ("involvedObject", "involvedObject", Some(internal::OBJECT_REFERENCE)),
        ("reason", "reason", None),
        ("message", "message", None),
        ("source", "source", Some(internal::EVENT_SOURCE)),
        ("firstTimestamp", "firstTimestamp", None),
        ("lastTimestamp", "lastTimestamp", None),
        ("count", "count", None),
        ("type", "type", None),
        ("eventTime", "eventTime", None),
        ("action", "action", None),
        ("related", "related", Some(internal::OBJECT_REFERENCE)),
        ("reportingComponent", "reportingController", None),
        ("reportingInstance", "reportingInstance", None),
    ];
    for (field, shown, members) in FIELDS {
        let (is, was) = (new.get(field), old.get(field));
        if equal::semantic(field, was, is) {
            continue;
        }
        let value = match (is, members) {
            (Some(value), Some(members)) if value.is_object() => internal::show(value, members),
            (Some(value), _) => value.clone(),
            (None, _)
                if matches!(*field, "reason" | "message" | "type" | "action" | "reportingComponent" | "reportingInstance") =>
            {
                "".into()
            }
            (None, _) if *field == "count" => 0.into(),
            (None, Some(members)) if *field != "related" => internal::show(&Value::Null, members),
            (None, _) => Value::Null,
        };
        errors.invalid(&Path::new(shown), value, number::IMMUTABLE);
    }
}

fn limit(value: &str, bytes: usize, path: &Path, errors: &mut Errors) {
    if value.len() > bytes {
        errors.invalid(path, "", format!("can have at most {bytes} characters"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    #[test]
    fn an_event_lies_where_its_object_lies() {
        let mut errors = Errors::new();
        validate(&json!({"metadata": {"namespace": "a"}, "involvedObject": {"namespace": "b"}}), "c", &mut errors);
        assert_eq!(errors.0[0].to_string(), "involvedObject.namespace: Invalid value: \"b\": does not match event.namespace");
    }
}
