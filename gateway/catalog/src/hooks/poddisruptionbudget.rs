//! PodDisruptionBudget. Upstream: `pkg/apis/policy/validation`.

use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::rules::labels::{self, Values};
use super::rules::{condition, get, internal, number, percent, text};

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(|object, errors| validate(object, Values::Strict, errors)),
    validate_update: Some(validate_update),
    validate_status: Some(validate_status),
    metadata_last: true,
    ..Hooks::NONE
};

fn validate(object: &Value, values: Values, errors: &mut Errors) {
    let (spec, path) = (get::at(object, "spec"), Path::new("spec"));
    let bounds = ["minAvailable", "maxUnavailable"];
    if bounds.iter().all(|bound| spec.get(bound).is_some()) {
        errors.invalid(&path, shown(spec), "minAvailable and maxUnavailable cannot be both set");
    }
    for bound in bounds {
        if let Some(value) = spec.get(bound) {
            percent::positive_int_or_percent(value, &path.child(bound), errors);
            percent::not_more_than_100(value, &path.child(bound), errors);
        }
    }
    labels::selector(spec, "selector", values, &path, errors);
    if let Some(policy) = get::string(spec, "unhealthyPodEvictionPolicy") {
        text::one_of(policy, &["AlwaysAllow", "IfHealthyBudget"], &path.child("unhealthyPodEvictionPolicy"), errors);
    }
}

/// The spec as Go prints its internal type.
fn shown(spec: &Value) -> Value {
    let fields = [("MinAvailable", "minAvailable"), ("Selector", "selector"), ("MaxUnavailable", "maxUnavailable")];
    let mut shown: model::Map = fields.iter().map(|(go, field)| ((*go).to_owned(), get::raw(spec, field))).collect();
    shown.insert("Selector", internal::label_selector(get::at(spec, "selector")));
    shown.insert("UnhealthyPodEvictionPolicy", get::raw(spec, "unhealthyPodEvictionPolicy"));
    Value::Object(shown)
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    let lenient = labels::has_invalid_value(get::at(old, "spec.selector"));
    validate(new, if lenient { Values::Lenient } else { Values::Strict }, errors);
}

fn validate_status(new: &Value, _old: &Value, errors: &mut Errors) {
    condition::conditions(get::at(new, "status"), "conditions", &Path::new("status"), errors);
    let fields = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];
    number::nonnegative_fields(get::at(new, "status"), &fields, &Path::new("status"), errors);
}
