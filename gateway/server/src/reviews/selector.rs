//! The selectors of an access review: what they must look like, and what of them could not be understood. Of the authorizers here
//! only that of nodes decides by them, and by fields alone.
//! Follows `pkg/apis/authorization/validation` and `pkg/registry/authorization/util`.

use model::field::{Errors, Path};
use model::selector::{field, label};
use model::{Value, name};

use super::access::{object, text};

/// Which selector it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Fields,
    Labels,
}

const BOTH: [(&str, Of); 2] = [("fieldSelector", Of::Fields), ("labelSelector", Of::Labels)];

/// `validateResourceAttributes`.
pub(super) fn faults(resource: &Value, errors: &mut Errors) {
    let root = Path::new("spec.resourceAttributes");
    for (field, of) in BOTH {
        let Some(selector) = object(resource, field) else { continue };
        let path = root.child(field);
        let (raw, requirements) = (text(selector, "rawSelector"), items(selector, "requirements"));
        match (raw.is_empty(), requirements.is_empty()) {
            (false, false) => {
                errors.invalid(&path.child("rawSelector"), raw, "may not specified at the same time as requirements");
            }
            (true, true) => {
                let message = format!("when {path} is specified, requirements or rawSelector is required");
                errors.required(&path.child("requirements"), message);
            }
            _ => {}
        }
        for (i, requirement) in requirements.iter().enumerate() {
            requirement_faults(requirement, of, &path.child("requirements").index(i), errors);
        }
    }
}

fn items<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// An operator that is not known is a newer client's, and no fault.
fn requirement_faults(requirement: &Value, of: Of, path: &Path<'_>, errors: &mut Errors) {
    let (key, values) = (text(requirement, "key"), items(requirement, "values"));
    if of == Of::Fields && key.is_empty() {
        errors.required(&path.child("key"), "must be specified");
    }
    match text(requirement, "operator") {
        "In" | "NotIn" if values.is_empty() => {
            errors.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            errors.forbidden(&path.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        _ => {}
    }
    if of == Of::Labels {
        for message in name::is_qualified_name(key) {
            errors.invalid(&path.child("key"), key, message);
        }
        for (i, value) in values.iter().filter_map(Value::as_str).enumerate() {
            for message in name::is_valid_label_value(value) {
                errors.invalid(&path.child("values").index(i), value, message);
            }
        }
    }
}

/// `BuildEvaluationError`: which selectors, or parts of them, went unheard. Empty when all were understood.
pub(super) fn unheard(resource: &Value) -> String {
    let told = BOTH.iter().filter_map(|(field, of)| {
        let selector = object(resource, field)?;
        let how = match understood(selector, *of) {
            Understood::All => return None,
            Understood::Some => "partially ignored",
            Understood::None => "ignored",
        };
        Some(format!("spec.resourceAttributes.{field} {how} due to parse error"))
    });
    told.collect::<Vec<_>>().join("; ")
}

/// What is selected by fields, as far as it is understood.
pub(super) fn fields(resource: &Value) -> Vec<field::Requirement> {
    let Some(selector) = object(resource, "fieldSelector") else { return Vec::new() };
    let requirements = items(selector, "requirements");
    if requirements.is_empty() {
        return field::Selector::heard(text(selector, "rawSelector"));
    }
    let one = |requirement: &Value| {
        let [value] = items(requirement, "values") else { return None };
        let equal = match text(requirement, "operator") {
            "In" => true,
            "NotIn" => false,
            _ => return None,
        };
        Some(field::Requirement { field: text(requirement, "key").to_owned(), equal, value: value.as_str()?.to_owned() })
    };
    requirements.iter().filter_map(one).collect()
}

enum Understood {
    All,
    Some,
    None,
}

fn understood(selector: &Value, of: Of) -> Understood {
    let requirements = items(selector, "requirements");
    if requirements.is_empty() {
        let raw = text(selector, "rawSelector");
        let parsed = match of {
            Of::Fields => field::Selector::parse(raw).is_ok(),
            Of::Labels => label::Selector::parse(raw).is_ok(),
        };
        return if parsed { Understood::All } else { Understood::None };
    }
    let clear = |requirement: &&Value| match (text(requirement, "operator"), of) {
        ("In" | "NotIn", Of::Fields) => items(requirement, "values").len() == 1,
        ("In" | "NotIn" | "Exists" | "DoesNotExist", Of::Labels) => true,
        _ => false,
    };
    match requirements.iter().filter(clear).count() {
        0 => Understood::None,
        count if count == requirements.len() => Understood::All,
        _ => Understood::Some,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn told(resource: Value) -> Vec<String> {
        let mut errors = Errors::new();
        faults(&resource, &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn requirements_are_well_formed() {
        assert_eq!(
            told(
                json!({"fieldSelector": {"requirements": [{"operator": "In"}, {"key": "a", "operator": "Exists", "values": ["b"]}, {"key": "a", "operator": "Near"}]}})
            ),
            [
                "spec.resourceAttributes.fieldSelector.requirements[0].key: Required value: must be specified",
                "spec.resourceAttributes.fieldSelector.requirements[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
                "spec.resourceAttributes.fieldSelector.requirements[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ]
        );
        assert_eq!(
            told(json!({"labelSelector": {"rawSelector": "a=b", "requirements": [{"key": "a/b/c", "operator": "In", "values": ["-"]}]}})).len(),
            3
        );
        assert_eq!(
            told(json!({"labelSelector": {}})),
            [
                "spec.resourceAttributes.labelSelector.requirements: Required value: when spec.resourceAttributes.labelSelector is specified, requirements or rawSelector is required"
            ]
        );
    }

    #[test]
    fn what_went_unheard_is_said() {
        assert_eq!(unheard(&json!({"labelSelector": {"rawSelector": "a in (b)"}, "fieldSelector": {"rawSelector": "a=b"}})), "");
        assert_eq!(
            unheard(&json!({
                "labelSelector": {"rawSelector": "a in ("},
                "fieldSelector": {"requirements": [{"key": "a", "operator": "In", "values": ["b"]}, {"key": "a", "operator": "Exists"}]},
            })),
            "spec.resourceAttributes.fieldSelector partially ignored due to parse error; spec.resourceAttributes.labelSelector ignored due to parse error"
        );
        assert_eq!(
            unheard(&json!({"labelSelector": {"requirements": [{"key": "a", "operator": "Near"}]}})),
            "spec.resourceAttributes.labelSelector ignored due to parse error"
        );
    }
}
