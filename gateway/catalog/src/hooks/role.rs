//! Role, and the policy rules that ClusterRole shares.
//! Follows `pkg/apis/rbac/validation`; that nobody writes more than they hold is `authz`'s to see to.

use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::rules::get;

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(validate),
    validate_update: Some(|new, _, errors| validate(new, errors)),
    without_unsafe_delete: true,
    ..Hooks::NONE
};

/// Where a rule stands: only cluster-wide ones may name URL paths.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Scope {
    Namespace,
    Cluster,
}

fn validate(role: &Value, errors: &mut Errors) {
    policy_rules(role, Scope::Namespace, errors);
    required_verbs(role, errors);
}

/// All of `ValidatePolicyRule` but the verbs.
pub(super) fn policy_rules(role: &Value, scope: Scope, errors: &mut Errors) {
    let path = Path::new("rules");
    for (i, rule) in get::list(role, "rules").iter().enumerate() {
        policy_rule(rule, scope, &path.index(i), errors);
    }
}

/// Required verbs, which upstream checks declaratively: those errors follow all others.
pub(super) fn required_verbs(role: &Value, errors: &mut Errors) {
    let path = Path::new("rules");
    for (i, rule) in get::list(role, "rules").iter().enumerate() {
        if get::list(rule, "verbs").is_empty() {
            errors.required(&path.index(i).child("verbs"), "");
        }
    }
}

fn policy_rule(rule: &Value, scope: Scope, path: &Path, errors: &mut Errors) {
    let is_empty = |field: &str| get::list(rule, field).is_empty();
    if !is_empty("nonResourceURLs") {
        let (path, urls) = (path.child("nonResourceURLs"), get::raw(rule, "nonResourceURLs"));
        if scope == Scope::Namespace {
            errors.invalid(&path, urls.clone(), "namespaced rules cannot apply to non-resource URLs");
        }
        if !(is_empty("apiGroups") && is_empty("resources") && is_empty("resourceNames")) {
            errors.invalid(&path, urls, "rules cannot apply to both regular resources and non-resource URLs");
        }
        return;
    }
    if is_empty("apiGroups") {
        errors.required(&path.child("apiGroups"), "resource rules must supply at least one api group");
    }
    if is_empty("resources") {
        errors.required(&path.child("resources"), "resource rules must supply at least one resource");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn found(object: Value) -> Vec<String> {
        let mut errors = Errors::new();
        validate(&object, &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rules_of_a_role() {
        assert_eq!(found(json!({"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]})), [""; 0]);
        assert_eq!(
            found(json!({"rules": [{}]})),
            [
                "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
                "rules[0].resources: Required value: resource rules must supply at least one resource",
                "rules[0].verbs: Required value",
            ]
        );
        assert_eq!(
            found(json!({"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"], "resources": ["pods"]}]})),
            [
                "rules[0].nonResourceURLs: Invalid value: [\"/x\"]: namespaced rules cannot apply to non-resource URLs",
                "rules[0].nonResourceURLs: Invalid value: [\"/x\"]: rules cannot apply to both regular resources and non-resource URLs",
            ]
        );
    }
}
