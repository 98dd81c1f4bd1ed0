//! ClusterRole: policy rules, and the selectors of an aggregated one. What it aggregates is the controller's work.
//! Follows `pkg/apis/rbac/validation`.

use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::role::{Scope, policy_rules, required_verbs};
use super::rules::{get, labels};

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(|new, errors| validate(new, labels::Values::Strict, errors)),
    validate_update: Some(validate_update),
    without_unsafe_delete: true,
    ..Hooks::NONE
};

fn selectors(role: &Value) -> &[Value] {
    get::list(get::at(role, "aggregationRule"), "clusterRoleSelectors")
}

fn validate(role: &Value, values: labels::Values, errors: &mut Errors) {
    policy_rules(role, Scope::Cluster, errors);
    if let Some(rule) = get::object(role, "aggregationRule") {
        let root = Path::new("aggregationRule");
        let path = root.child("clusterRoleSelectors");
        if get::list(rule, "clusterRoleSelectors").is_empty() {
            errors.required(&path, "at least one clusterRoleSelector required if aggregationRule is non-nil");
        }
        for (i, selector) in selectors(role).iter().enumerate() {
            labels::whole_selector(selector, values, &path.index(i), errors);
            if !labels::is_understood(selector) {
                errors.invalid(&path.index(i), Value::Null, "invalid label selector.");
            }
        }
    }
    required_verbs(role, errors);
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    // What was stored with values that no label can have may keep them.
    let lenient = selectors(old).iter().any(labels::has_invalid_value);
    validate(new, if lenient { labels::Values::Lenient } else { labels::Values::Strict }, errors);
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    #[test]
    fn an_aggregation_selects_something() {
        let mut errors = Errors::new();
        validate(&json!({"aggregationRule": {}}), labels::Values::Strict, &mut errors);
        assert_eq!(
            errors.0[0].to_string(),
            "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"
        );
        let mut errors = Errors::new();
        let paths = json!({"rules": [{"verbs": ["get"], "nonResourceURLs": ["/metrics"]}], "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}});
        validate(&paths, labels::Values::Strict, &mut errors);
        assert!(errors.is_empty(), "{errors:?}");
    }
}
