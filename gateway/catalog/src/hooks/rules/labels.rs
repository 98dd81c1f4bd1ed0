//! Labels, annotations and label selectors in fields. Does not match objects ([`matches`] is the one exception: whether a
//! selector selects given labels).

use model::field::{Errors, Path};
use model::{Value, name};

use super::{get, text};

/// All annotations together, in bytes (256 kB): upstream's `TotalAnnotationSizeLimitB`.
pub(crate) const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;

/// Whether a selector may hold values that no label can have: only what was stored before may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Values {
    /// Each value must be a valid label value.
    #[default]
    Strict,
    /// Any value is accepted.
    Lenient,
}

/// `ValidateLabels` of the map in `field`; every error names the map.
pub(crate) fn labels(value: &Value, field: &str, path: &Path, errors: &mut Errors) {
    let path = path.child(field);
    for (key, value) in get::pairs(value, field) {
        text::qualified_name(key, &path, errors);
        text::invalid_each(value, name::is_valid_label_value(value), &path, errors);
    }
}

/// `ValidateAnnotations` of the map in `field`.
pub(crate) fn annotations(value: &Value, field: &str, path: &Path, errors: &mut Errors) {
    let path = path.child(field);
    let mut bytes = 0;
    for (key, value) in get::pairs(value, field) {
        bytes += key.len() + value.len();
        if key.bytes().any(|b| b.is_ascii_uppercase()) {
            text::invalid_each(key, name::is_qualified_name(&key.to_lowercase()), &path, errors);
        } else {
            text::qualified_name(key, &path, errors);
        }
    }
    if bytes > ANNOTATIONS_BYTES_MAX {
        errors.too_long(&path, ANNOTATIONS_BYTES_MAX);
    }
}

/// `ValidateTemplateObjectMeta`: what an object is made from may have labels and annotations, and no other metadata.
pub(crate) fn template_metadata(metadata: &Value, path: &Path, errors: &mut Errors) {
    const OTHERS: [&str; 13] = [
        "name",
        "generateName",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "ownerReferences",
        "finalizers",
        "managedFields",
    ];
    annotations(metadata, "annotations", path, errors);
    labels(metadata, "labels", path, errors);
    for field in OTHERS {
        let set = match metadata.get(field) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.is_empty(),
            // The seconds are a pointer.
            Some(Value::Number(number)) => field == "deletionGracePeriodSeconds" || number.as_i64() != Some(0),
            Some(_) => true,
        };
        if set {
            errors.forbidden(&path.child(if field == "uid" { "uID" } else { field }), "cannot be set");
        }
    }
}

/// `ValidateLabelSelector` of the selector in `field`, if it is there.
pub(crate) fn selector(value: &Value, field: &str, values: Values, path: &Path, errors: &mut Errors) {
    if let Some(selector) = get::object(value, field) {
        whole_selector(selector, values, &path.child(field), errors);
    }
}

/// `ValidateLabelSelector` of a selector that stands at `path`.
pub(crate) fn whole_selector(selector: &Value, values: Values, path: &Path, errors: &mut Errors) {
    labels(selector, "matchLabels", path, errors);
    let expressions = path.child("matchExpressions");
    for (i, requirement) in get::list(selector, "matchExpressions").iter().enumerate() {
        selector_requirement(requirement, values, &expressions.index(i), errors);
    }
}

fn selector_requirement(requirement: &Value, values: Values, path: &Path, errors: &mut Errors) {
    let given = get::list(requirement, "values");
    let operator = get::text(requirement, "operator");
    match operator {
        "In" | "NotIn" if given.is_empty() => {
            errors.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !given.is_empty() => {
            errors.forbidden(&path.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => errors.invalid_named(&path.child("operator"), operator, "not a valid selector operator"),
    }
    text::qualified_name(get::text(requirement, "key"), &path.child("key"), errors);
    if values == Values::Strict {
        label_values(requirement, path, errors);
    }
}

/// Every string of `values` must be a valid label value.
pub(crate) fn label_values(requirement: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("values");
    for (i, value) in get::strings(requirement, "values").enumerate() {
        text::invalid_each(value, name::is_valid_label_value(value), &path.index(i), errors);
    }
}

/// `LabelSelectorHasInvalidLabelValue`.
pub(crate) fn has_invalid_value(selector: &Value) -> bool {
    get::list(selector, "matchExpressions")
        .iter()
        .flat_map(|requirement| get::strings(requirement, "values"))
        .any(|value| !name::is_valid_label_value(value).is_empty())
}

/// Whether a label selector has no requirement at all.
pub(crate) fn is_empty(selector: &Value) -> bool {
    get::entries(selector, "matchLabels").next().is_none() && get::list(selector, "matchExpressions").is_empty()
}

/// Whether `LabelSelectorAsSelector` understands the selector: every requirement must be well-formed.
pub(crate) fn is_understood(selector: &Value) -> bool {
    let mut errors = Errors::new();
    let holder = Value::Object([("s".to_owned(), selector.clone())].into_iter().collect());
    self::selector(&holder, "s", Values::Strict, &Path::default(), &mut errors);
    errors.is_empty()
}

/// Whether a selector selects these labels (a map of strings, or null).
pub(crate) fn matches(selector: &Value, labels: &Value) -> bool {
    let label = |key: &str| labels.get(key).and_then(Value::as_str);
    get::pairs(selector, "matchLabels").all(|(key, value)| label(key) == Some(value))
        && get::list(selector, "matchExpressions").iter().all(|requirement| {
            let value = label(get::text(requirement, "key"));
            let listed = || value.is_some_and(|value| get::strings(requirement, "values").any(|v| v == value));
            match get::text(requirement, "operator") {
                "In" => listed(),
                "NotIn" => !listed(),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn found(value: Value) -> Vec<String> {
        let mut errors = Errors::new();
        selector(&value, "selector", Values::Strict, &Path::new("spec"), &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn selectors() {
        let requirement = |operator: &str, values: Value| {
            found(json!({"selector": {"matchExpressions": [{"key": "a", "operator": operator, "values": values}]}}))
        };
        assert_eq!(requirement("In", json!(["x"])), Vec::<String>::new());
        assert_eq!(
            requirement("In", json!([])),
            ["spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"]
        );
        assert_eq!(
            requirement("Exists", json!(["x"])),
            [
                "spec.selector.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            ]
        );
        assert_eq!(
            requirement("Like", json!([])),
            ["spec.selector.matchExpressions[0].operator: Invalid value: \"Like\": not a valid selector operator"]
        );
        assert!(
            requirement("In", json!(["a b"]))[0]
                .starts_with("spec.selector.matchExpressions[0].values[0]: Invalid value: \"a b\": a valid label must be")
        );
    }

    #[test]
    fn a_selector_matches_labels() {
        let labels = json!({"app": "web", "tier": "front"});
        assert!(matches(&json!({"matchLabels": {"app": "web"}}), &labels));
        assert!(!matches(&json!({"matchLabels": {"app": "db"}}), &labels));
        assert!(matches(&json!({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}), &labels));
        assert!(!matches(&json!({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}), &labels));
        assert!(is_empty(&json!({})));
    }

    #[test]
    fn annotation_keys_may_have_any_case() {
        let mut errors = Errors::new();
        annotations(&json!({"annotations": {"Example.COM/Key": "v"}}), "annotations", &Path::new("metadata"), &mut errors);
        assert!(errors.is_empty());
        annotations(&json!({"annotations": {"a b": "v"}}), "annotations", &Path::new("metadata"), &mut errors);
        assert_eq!(errors.0[0].field, "metadata.annotations");
        let big = "x".repeat(ANNOTATIONS_BYTES_MAX);
        let mut errors = Errors::new();
        annotations(&json!({"annotations": {"a": big}}), "annotations", &Path::new("metadata"), &mut errors);
        assert_eq!(errors.0[0].to_string(), "metadata.annotations: Too long: may not be more than 262144 bytes");
    }
}
