//! PriorityClass. Upstream: `pkg/apis/scheduling/validation`.

use model::field::{Errors, Path};
use model::{Value, meta};

use super::Hooks;
use super::rules::{get, number, text};

/// `HighestUserDefinablePriority`.
const USER_VALUE_MAX: i64 = 1_000_000_000;
const SYSTEM_PREFIX: &str = "system-";
/// The only classes that may carry the prefix, with the value each must have.
const SYSTEM: [(&str, i64); 2] = [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];

pub(super) const HOOKS: Hooks =
    Hooks { validate: Some(validate), validate_update: Some(validate_update), kept: Some(kept), ..Hooks::NONE };

fn validate(object: &Value, errors: &mut Errors) {
    let (class, value) = (meta::name(object), get::number(object, "value"));
    if class.starts_with(SYSTEM_PREFIX) {
        if let Some(why) = not_known(class, value, get::is(object, "globalDefault")) {
            let why =
                format!("priority class names with '{SYSTEM_PREFIX}' prefix are reserved for system use only. error: {why}");
            errors.forbidden(&Path::new("metadata.name"), why);
        }
    } else if value > USER_VALUE_MAX {
        errors.forbidden(&Path::new("value"), format!("maximum allowed value of a user defined priority is {USER_VALUE_MAX}"));
    }
    if let Some(policy) = get::string(object, "preemptionPolicy") {
        text::required_one_of(policy, &["PreemptLowerPriority", "Never"], &Path::new("preemptionPolicy"), errors);
    }
}

/// Pods of the cluster itself need the system's classes.
fn kept(class: &str) -> Option<&'static str> {
    let is_system = SYSTEM.iter().any(|(name, _)| *name == class);
    is_system.then_some("this is a system priority class and cannot be deleted")
}

fn not_known(class: &str, value: i64, default: bool) -> Option<String> {
    match SYSTEM.iter().find(|(name, _)| *name == class) {
        None => Some(format!("{class} is not a known system priority class")),
        Some((_, right)) if *right != value => Some(format!("value of {class} PriorityClass must be {right}")),
        Some(_) if default => Some(format!("globalDefault of {class} PriorityClass must be false")),
        Some(_) => None,
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    if get::number(new, "value") != get::number(old, "value") {
        errors.forbidden(&Path::new("value"), "may not be changed in an update.");
    }
    number::immutable(new, old, "preemptionPolicy", &Path::default(), errors);
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn faults(object: Value) -> Vec<String> {
        let mut errors = Errors::new();
        validate(&object, &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn system_names_are_reserved_and_values_bounded() {
        assert!(faults(json!({"metadata": {"name": "system-node-critical"}, "value": 2_000_001_000})).is_empty());
        assert_eq!(
            faults(json!({"metadata": {"name": "system-mine"}, "value": 1})),
            ["metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. \
              error: system-mine is not a known system priority class"]
        );
        assert_eq!(
            faults(json!({"metadata": {"name": "mine"}, "value": 2_000_000_000})),
            ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"]
        );
    }
}
