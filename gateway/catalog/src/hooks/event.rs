//! Event, in its core/v1 form. Upstream: `pkg/apis/core/validation/events.go`, `pkg/registry/core/event/strategy.go`.
//! The stricter rules for writes through events.k8s.io/v1 need the version of the request and stand in the gaps.

use model::field::{Errors, Path};
use model::{Value, meta};

use super::rules::{get, text};
use super::{Hooks, Selectable};

/// `ReportingInstanceLengthLimit`, `ActionLengthLimit`, `ReasonLengthLimit`, in bytes.
const SHORT_BYTES_MAX: usize = 128;
/// `NoteLengthLimit`, in bytes.
const NOTE_BYTES_MAX: usize = 1024;

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(validate),
    validate_update: Some(|new, _old, errors| validate(new, errors)),
    selectable: &[
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
    ],
    ..Hooks::NONE
};

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

fn validate(object: &Value, errors: &mut Errors) {
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
        validate_new_style(object, errors);
    }
}

fn validate_new_style(object: &Value, errors: &mut Errors) {
    let controller = get::text(object, "reportingComponent");
    text::required(controller, &Path::new("reportingComponent"), errors);
    text::qualified_name(controller, &Path::new("reportingComponent"), errors);
    for field in ["reportingInstance", "action", "reason"] {
        let value = get::text(object, field);
        text::required(value, &Path::new(field), errors);
        limit(value, SHORT_BYTES_MAX, &Path::new(field), errors);
    }
    limit(get::text(object, "message"), NOTE_BYTES_MAX, &Path::new("message"), errors);
}

fn limit(value: &str, bytes: usize, path: &Path, errors: &mut Errors) {
    if value.len() > bytes {
        errors.invalid(path, "", format!("can have at most {bytes} characters"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_lies_where_its_object_lies() {
        let mut errors = Errors::new();
        validate(&json!({"metadata": {"namespace": "a"}, "involvedObject": {"namespace": "b"}}), &mut errors);
        assert_eq!(errors.0[0].to_string(), "involvedObject.namespace: Invalid value: \"b\": does not match event.namespace");
    }
}
