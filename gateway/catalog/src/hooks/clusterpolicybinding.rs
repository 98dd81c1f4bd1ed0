//! ClusterPolicyBinding. No upstream; match fields are judged as `ValidateMatchResources` of
//! `k8s.io/kubernetes/pkg/apis/admissionregistration/validation` does. Settings are judged by the module (`admission`).

use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::rules::labels::Values;
use super::rules::{get, labels, text};

/// Longest running time a binding may ask for: a request waits for it.
const DEADLINE_MS_MAX: i64 = 5_000;
/// Rules of one binding; every write is compared with each.
const RULES_MAX: usize = 256;

const ACTIONS: &[&str] = &["Audit", "Deny", "Warn"];
const FAILURE_POLICIES: &[&str] = &["Fail", "Ignore"];
const GRANTS: &[&str] = &["authorizer", "cluster", "log"];
const OPERATIONS: &[&str] = &["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: &[&str] = &["*", "Cluster", "Namespaced"];

pub(super) const HOOKS: Hooks =
    Hooks { default: Some(default), validate: Some(validate), validate_update: Some(validate_update), ..Hooks::NONE };

fn default(object: &mut Value) {
    if let Some(spec) = object.pointer_mut("/spec").filter(|spec| spec.is_object()) {
        get::default(spec, "action", "Deny");
        get::default(spec, "failurePolicy", "Fail");
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (get::at(object, "spec"), Path::new("spec"));
    match get::text(spec, "module") {
        "" => errors.required(&path.child("module"), "the name of a PolicyModule"),
        module => text::dns_subdomain(module, &path.child("module"), errors),
    }
    for (field, supported) in [("action", ACTIONS), ("failurePolicy", FAILURE_POLICIES)] {
        text::required_one_of(get::text(spec, field), supported, &path.child(field), errors);
    }
    if let Some(deadline) = get::int(spec, "deadlineMilliseconds").filter(|ms| !(1..=DEADLINE_MS_MAX).contains(ms)) {
        errors.invalid(
            &path.child("deadlineMilliseconds"),
            deadline,
            format!("must be between 1 and {DEADLINE_MS_MAX}, inclusive"),
        );
    }
    for (i, grant) in get::strings(spec, "grants").enumerate() {
        text::one_of(grant, GRANTS, &path.child("grants").index(i), errors);
    }
    constraints(get::at(spec, "matchConstraints"), &path.child("matchConstraints"), errors);
}

fn constraints(constraints: &Value, path: &Path, errors: &mut Errors) {
    for field in ["namespaceSelector", "objectSelector"] {
        labels::selector(constraints, field, Values::Strict, path, errors);
    }
    let rules = get::list(constraints, "resourceRules");
    if rules.is_empty() {
        errors.required(&path.child("resourceRules"), "");
    }
    for field in ["resourceRules", "excludeResourceRules"] {
        let (rules, path) = (get::list(constraints, field), path.child(field));
        if rules.len() > RULES_MAX {
            errors.too_many(&path, rules.len(), RULES_MAX);
        }
        for (i, one) in rules.iter().enumerate().take(RULES_MAX) {
            rule(one, &path.index(i), errors);
        }
    }
}

fn rule(rule: &Value, path: &Path, errors: &mut Errors) {
    for field in ["apiGroups", "apiVersions", "operations", "resources"] {
        let (given, path) = (get::list(rule, field), path.child(field));
        if given.is_empty() {
            errors.required(&path, "");
        }
        if given.len() > 1 && given.iter().any(|item| item == "*") {
            errors.invalid(&path, Value::from(given), "if '*' is present, must not specify other values");
        }
    }
    for (i, operation) in get::strings(rule, "operations").enumerate() {
        text::one_of(operation, OPERATIONS, &path.child("operations").index(i), errors);
    }
    for (i, resource) in get::strings(rule, "resources").enumerate().filter(|(_, resource)| resource.is_empty()) {
        errors.invalid(&path.child("resources").index(i), resource, "must not be empty");
    }
    if let Some(scope) = get::string(rule, "scope") {
        text::one_of(scope, SCOPES, &path.child("scope"), errors);
    }
}

fn validate_update(new: &Value, _old: &Value, errors: &mut Errors) {
    validate(new, errors);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(change: impl Fn(&mut Value)) -> Vec<String> {
        let mut object = json!({"spec": {"module": "labels", "matchConstraints": {"resourceRules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]}}});
        change(&mut object);
        default(&mut object);
        let mut errors = Errors::new();
        validate(&object, &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn says_what_is_missing_or_unknown() {
        assert_eq!(faults(|_| {}), Vec::<String>::new());
        assert_eq!(faults(|o| o["spec"]["module"] = "".into()), ["spec.module: Required value: the name of a PolicyModule"]);
        assert_eq!(
            faults(|o| o["spec"]["action"] = "Refuse".into()),
            ["spec.action: Unsupported value: \"Refuse\": supported values: \"Audit\", \"Deny\", \"Warn\""]
        );
        assert_eq!(
            faults(|o| o["spec"]["deadlineMilliseconds"] = 60_000.into()),
            ["spec.deadlineMilliseconds: Invalid value: 60000: must be between 1 and 5000, inclusive"]
        );
        assert_eq!(
            faults(|o| o["spec"]["grants"] = json!(["log", "network"])),
            ["spec.grants[1]: Unsupported value: \"network\": supported values: \"authorizer\", \"cluster\", \"log\""]
        );
    }

    #[test]
    fn a_binding_without_rules_would_be_about_nothing() {
        assert_eq!(
            faults(|o| o["spec"]["matchConstraints"] = json!({})),
            ["spec.matchConstraints.resourceRules: Required value"]
        );
        let first = "spec.matchConstraints.resourceRules[0]";
        assert_eq!(
            faults(|o| o["spec"]["matchConstraints"]["resourceRules"][0]["operations"] = json!(["MAKE"])),
            [format!(
                "{first}.operations[0]: Unsupported value: \"MAKE\": supported values: \"*\", \"CONNECT\", \"CREATE\", \"DELETE\", \"UPDATE\""
            )]
        );
        assert_eq!(faults(|o| o["spec"]["matchConstraints"]["resourceRules"][0]["resources"] = json!(["*", "pods"])).len(), 1);
    }
}
