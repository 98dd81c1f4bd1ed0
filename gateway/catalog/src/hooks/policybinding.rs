//! ClusterPolicyBinding and PolicyBinding. No upstream; match fields are judged as `ValidateMatchResources` of
//! `k8s.io/kubernetes/pkg/apis/admissionregistration/validation` does. Settings are judged by the module (`admission`).

use cel::admission::Offered;
use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::rules::admission::{self, Stored};
use super::rules::labels::Values;
use super::rules::{get, labels, text};

/// Longest running time a binding may ask for: a request waits for it.
const DEADLINE_MS_MAX: i64 = 5_000;
/// Rules of one binding; every write is compared with each.
const RULES_MAX: usize = 256;

const ACTIONS: &[&str] = &["Audit", "Deny", "Shadow", "Warn"];
const FAILURE_POLICIES: &[&str] = &["Fail", "Ignore"];
const GRANTS: &[&str] = &["authorizer", "cluster", "log"];
const NOT_FOUND_ACTIONS: &[&str] = &["Allow", "Deny"];
const OPERATIONS: &[&str] = &["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: &[&str] = &["*", "Cluster", "Namespaced"];

pub(super) const CLUSTER: Hooks = Hooks {
    default: Some(default),
    validate: Some(validate),
    validate_update: Some(|new, _, errors| validate(new, errors)),
    ..Hooks::NONE
};

pub(super) const NAMESPACED: Hooks = Hooks {
    default: Some(default),
    validate: Some(validate_namespaced),
    validate_update: Some(|new, _, errors| validate_namespaced(new, errors)),
    ..Hooks::NONE
};

fn default(object: &mut Value) {
    if let Some(spec) = object.pointer_mut("/spec").filter(|spec| spec.is_object()) {
        get::default(spec, "action", "Deny");
        get::default(spec, "failurePolicy", "Fail");
        if let Some(reference) = spec.get_mut("paramRef").filter(|reference| reference.is_object()) {
            get::default(reference, "parameterNotFoundAction", "Deny");
        }
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
    let offered = Offered { params: get::object(spec, "paramRef").is_some(), authorizer: true, patches: false };
    admission::match_conditions(spec, offered, &Stored::default(), &path, errors);
    cluster_reads(spec, &path, errors);
    if let Some(reference) = get::object(spec, "paramRef") {
        param_ref(reference, &path.child("paramRef"), errors);
    }
    if let Some(candidate) = get::object(spec, "candidate") {
        let path = path.child("candidate");
        match get::text(candidate, "module") {
            "" => errors.required(&path.child("module"), "the name of a PolicyModule"),
            module => text::dns_subdomain(module, &path.child("module"), errors),
        }
        labels::selector(candidate, "namespaceSelector", Values::Strict, &path, errors);
    }
}

/// What only a binding of a namespace must not say: it is about its own, and reads there alone.
fn validate_namespaced(object: &Value, errors: &mut Errors) {
    validate(object, errors);
    let (spec, path) = (get::at(object, "spec"), Path::new("spec"));
    let selects = |holder: &Value| !get::at(holder, "namespaceSelector").as_object().is_none_or(model::Map::is_empty);
    for holder in ["matchConstraints", "candidate"] {
        if selects(get::at(spec, holder)) {
            let path = path.child(holder);
            errors.forbidden(&path.child("namespaceSelector"), "a PolicyBinding is about its own namespace");
        }
    }
    let namespace = get::text(get::at(spec, "paramRef"), "namespace");
    if !namespace.is_empty() && namespace != get::text(get::at(object, "metadata"), "namespace") {
        let path = path.child("paramRef");
        errors.invalid(&path.child("namespace"), namespace, "a PolicyBinding reads in its own namespace alone");
    }
}

fn cluster_reads(spec: &Value, path: &Path, errors: &mut Errors) {
    let (reads, at) = (get::list(spec, "clusterReads"), path.child("clusterReads"));
    let granted = get::strings(spec, "grants").any(|grant| grant == "cluster");
    if granted && reads.is_empty() {
        errors.required(&at, "the grant cluster needs to know what may be read");
    }
    if !granted && !reads.is_empty() {
        errors.forbidden(&at, "may only be set with the grant cluster");
    }
    for (i, read) in reads.iter().enumerate() {
        for field in ["apiGroups", "resources"] {
            if get::list(read, field).is_empty() {
                errors.required(&at.index(i).child(field), "");
            }
        }
    }
}

fn param_ref(reference: &Value, path: &Path, errors: &mut Errors) {
    for field in ["apiVersion", "kind", "name"] {
        text::required(get::text(reference, field), &path.child(field), errors);
    }
    let action = get::text(reference, "parameterNotFoundAction");
    text::required_one_of(action, NOT_FOUND_ACTIONS, &path.child("parameterNotFoundAction"), errors);
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

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

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
            ["spec.action: Unsupported value: \"Refuse\": supported values: \"Audit\", \"Deny\", \"Shadow\", \"Warn\""]
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
    fn reads_and_parameters_are_named() {
        let with = |field: &'static str, value: Value| faults(move |o| o["spec"][field] = value.clone());
        assert_eq!(
            with("grants", json!(["cluster"])),
            ["spec.clusterReads: Required value: the grant cluster needs to know what may be read"]
        );
        assert_eq!(
            with("clusterReads", json!([{"apiGroups": [""]}])),
            [
                "spec.clusterReads: Forbidden: may only be set with the grant cluster",
                "spec.clusterReads[0].resources: Required value"
            ]
        );
        assert_eq!(
            with("paramRef", json!({"apiVersion": "v1", "parameterNotFoundAction": "Ask"})),
            [
                "spec.paramRef.kind: Required value",
                "spec.paramRef.name: Required value",
                "spec.paramRef.parameterNotFoundAction: Unsupported value: \"Ask\": supported values: \"Allow\", \"Deny\""
            ]
        );
        assert_eq!(
            with("candidate", json!({"namespaceSelector": {"matchLabels": {"a": "b"}}})),
            ["spec.candidate.module: Required value: the name of a PolicyModule"]
        );
        assert_eq!(with("matchConditions", json!([{"name": "x"}])), ["spec.matchConditions[0].expression: Required value"]);
        for (expression, words) in [
            ("request.name", "must evaluate to bool"),
            ("object.", "Syntax error"),
            ("params.x == 1", "undeclared reference to 'params'"),
        ] {
            let faults = with("matchConditions", json!([{"name": "x", "expression": expression}]));
            assert!(
                faults.len() == 1 && faults[0].starts_with("spec.matchConditions[0].expression: Invalid value: "),
                "{faults:?}"
            );
            assert!(faults[0].contains(words), "{faults:?}");
        }
    }

    #[test]
    fn a_namespaced_binding_keeps_to_its_namespace() {
        let mut object = json!({"metadata": {"namespace": "shop"}, "spec": {"module": "labels",
            "matchConstraints": {"namespaceSelector": {"matchLabels": {"a": "b"}}, "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]},
            "paramRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "limits", "namespace": "other"}}});
        default(&mut object);
        let mut errors = Errors::new();
        validate_namespaced(&object, &mut errors);
        let texts: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "spec.matchConstraints.namespaceSelector: Forbidden: a PolicyBinding is about its own namespace",
                "spec.paramRef.namespace: Invalid value: \"other\": a PolicyBinding reads in its own namespace alone"
            ]
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
