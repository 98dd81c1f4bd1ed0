//! FlowSchema. Upstream: `pkg/apis/flowcontrol/validation`. That it steers nothing yet is `conformance/gaps/identity.txt`'s.

use model::field::{Errors, Path};
use model::json::json;
use model::{Value, meta, name};

use super::Hooks;
use super::rules::{get, internal, text};
use crate::bootstrap;

const PRECEDENCE_MAX: i64 = 10_000;
const DISTINGUISHERS: &[&str] = &["ByNamespace", "ByUser"];
const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];
const ALL: &str = "*";

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(validate),
    validate_update: Some(|new, _, errors| validate(new, errors)),
    validate_status: Some(|new, _, errors| validate_status(new, errors)),
    ..Hooks::NONE
};

fn validate(schema: &Value, errors: &mut Errors) {
    let (spec, path) = (get::at(schema, "spec"), Path::new("spec"));
    let called = meta::name(schema);
    validate_precedence(get::number(spec, "matchingPrecedence"), called, &path.child("matchingPrecedence"), errors);
    if let Some(method) = get::object(spec, "distinguisherMethod")
        && !DISTINGUISHERS.contains(&get::text(method, "type"))
    {
        let shown = internal::show(method, internal::DISTINGUISHER);
        errors.not_supported(&path.child("distinguisherMethod.type"), shown, DISTINGUISHERS);
    }
    let (level, at) =
        (get::text(get::at(spec, "priorityLevelConfiguration"), "name"), path.child("priorityLevelConfiguration.name"));
    if level.is_empty() {
        errors.required(&at, "must reference a priority level");
    } else {
        text::dns_subdomain(level, &at, errors);
    }
    let rules = path.child("rules");
    for (i, rule) in get::list(spec, "rules").iter().enumerate() {
        validate_rule(rule, &rules.index(i), errors);
    }
    if mandatory("mandatoryFlowSchemas", called).is_some_and(|fixed| fixed["spec"] != *spec) {
        let why = format!("spec of '{called}' must equal the fixed value");
        errors.invalid(&path, internal::show(spec, internal::FLOW_SCHEMA), why);
    }
    validate_status(schema, errors);
}

/// An object that every cluster has, as it must be.
pub(super) fn mandatory(section: &str, called: &str) -> Option<Value> {
    // Only names that are known are looked up, so that no other write parses the document.
    const NAMES: [&str; 2] = ["catch-all", "exempt"];
    let known = NAMES.contains(&called).then(|| bootstrap::objects(bootstrap::FLOWCONTROL, section))?;
    known.into_iter().find(|object| meta::name(object) == called)
}

fn validate_precedence(precedence: i64, called: &str, path: &Path, errors: &mut Errors) {
    if precedence <= 0 {
        errors.invalid(path, precedence, "must be a positive value");
    }
    if precedence > PRECEDENCE_MAX {
        errors.invalid(path, precedence, format!("must not be greater than {PRECEDENCE_MAX}"));
    }
    if precedence == 1 && called != "exempt" {
        errors.invalid(path, precedence, "only the schema named 'exempt' may have matchingPrecedence 1");
    }
}

fn validate_rule(rule: &Value, path: &Path, errors: &mut Errors) {
    let subjects = get::list(rule, "subjects");
    if subjects.is_empty() {
        errors.required(&path.child("subjects"), "subjects must contain at least one value");
    }
    for (i, subject) in subjects.iter().enumerate() {
        validate_subject(subject, &path.child("subjects").index(i), errors);
    }
    let (resources, others) = (get::list(rule, "resourceRules"), get::list(rule, "nonResourceRules"));
    if resources.is_empty() && others.is_empty() {
        errors.required(path, "at least one of resourceRules and nonResourceRules has to be non-empty");
    }
    for (i, rule) in resources.iter().enumerate() {
        validate_resource_rule(rule, &path.child("resourceRules").index(i), errors);
    }
    for (i, rule) in others.iter().enumerate() {
        validate_other_rule(rule, &path.child("nonResourceRules").index(i), errors);
    }
}

fn validate_subject(subject: &Value, path: &Path, errors: &mut Errors) {
    const KINDS: [(&str, &str); 3] = [("ServiceAccount", "serviceAccount"), ("User", "user"), ("Group", "group")];
    let kind = get::text(subject, "kind");
    let Some((_, field)) = KINDS.iter().find(|(known, _)| *known == kind) else {
        return errors.not_supported(&path.child("kind"), kind, &["Group", "ServiceAccount", "User"]);
    };
    let at = path.child(field);
    match get::object(subject, field) {
        None => errors.required(&at, format!("{field} is required when subject kind is '{kind}'")),
        Some(account) if kind == "ServiceAccount" => validate_account(account, &at, errors),
        Some(named) => text::required(get::text(named, "name"), &at.child("name"), errors),
    }
    for (other, field) in KINDS.into_iter().filter(|(other, _)| *other != kind) {
        if get::object(subject, field).is_some() {
            errors.forbidden(&path.child(field), format!("{field} is forbidden when subject kind is not '{other}'"));
        }
    }
}

fn validate_account(account: &Value, path: &Path, errors: &mut Errors) {
    let (called, namespace) = (get::text(account, "name"), get::text(account, "namespace"));
    if called.is_empty() {
        errors.required(&path.child("name"), "");
    } else if called != ALL {
        text::dns_subdomain(called, &path.child("name"), errors);
    }
    if namespace.is_empty() {
        errors.required(&path.child("namespace"), "must specify namespace for service account");
    } else {
        text::dns_label(namespace, &path.child("namespace"), errors);
    }
}

/// Verbs are all, or known ones.
fn validate_verbs(rule: &Value, path: &Path, errors: &mut Errors) {
    if validate_all_or_some(rule, "verbs", "verbs must contain at least one value", "verbs", path, errors)
        && get::strings(rule, "verbs").any(|verb| !VERBS.contains(&verb))
    {
        errors.not_supported(&path.child("verbs"), get::raw(rule, "verbs"), VERBS);
    }
}

/// A list must hold something, and nothing beside the wildcard. Returns whether it holds names, which the caller judges.
fn validate_all_or_some(rule: &Value, field: &str, none: &str, what: &str, path: &Path, errors: &mut Errors) -> bool {
    let list = get::list(rule, field);
    let all = get::strings(rule, field).any(|item| item == ALL);
    if list.is_empty() {
        errors.required(&path.child(field), none);
    } else if all && list.len() > 1 {
        errors.invalid(&path.child(field), json!(list), format!("if '*' is present, must not specify other {what}"));
    }
    !list.is_empty() && !all
}

fn validate_resource_rule(rule: &Value, path: &Path, errors: &mut Errors) {
    validate_verbs(rule, path, errors);
    let none = "resource rules must supply at least one api group";
    validate_all_or_some(rule, "apiGroups", none, "api groups", path, errors);
    let none = "resource rules must supply at least one resource";
    validate_all_or_some(rule, "resources", none, "resources", path, errors);
    if get::list(rule, "namespaces").is_empty() && get::is(rule, "clusterScope") {
        return;
    }
    let none = "resource rules that are not cluster scoped must supply at least one namespace";
    if !validate_all_or_some(rule, "namespaces", none, "namespaces", path, errors) {
        return;
    }
    for (i, namespace) in get::strings(rule, "namespaces").enumerate() {
        for why in name::is_dns1123_label(namespace) {
            let why = format!("each member of this list must be '*' or a DNS-1123 label; {why}");
            errors.invalid(&path.child("namespaces").index(i), namespace, why);
        }
    }
}

fn validate_other_rule(rule: &Value, path: &Path, errors: &mut Errors) {
    validate_verbs(rule, path, errors);
    let none = "nonResourceURLs must contain at least one value";
    if validate_all_or_some(rule, "nonResourceURLs", none, "non-resource URLs", path, errors) {
        for (i, url) in get::strings(rule, "nonResourceURLs").enumerate() {
            if let Some(why) = wrong_url(url) {
                errors.invalid(&path.child("nonResourceURLs").index(i), url, why);
            }
        }
    }
}

/// `ValidateNonResourceURLPath`.
fn wrong_url(url: &str) -> Option<&'static str> {
    let wildcards = url.matches('*').count();
    match url {
        "" => Some("must not be empty"),
        "/" => None,
        _ if !url.starts_with('/') => Some("must start with slash"),
        _ if url.contains(' ') => Some("must not contain white-space"),
        _ if url.contains("//") => Some("must not contain double slash"),
        _ if wildcards > 1 || wildcards == 1 && !url.ends_with("/*") => Some("wildcard can only do suffix matching"),
        _ => None,
    }
}

/// `ValidateFlowSchemaStatus`, and that of priority levels, which is the same.
pub(super) fn validate_status(object: &Value, errors: &mut Errors) {
    let path = Path::new("status.conditions");
    let conditions = get::list(get::at(object, "status"), "conditions");
    for (i, (condition, is_repeated)) in conditions.iter().zip(get::repeated(conditions, "type")).enumerate() {
        let (kind, path) = (get::text(condition, "type"), path.index(i));
        if is_repeated {
            errors.duplicate_named(&path.child("type"), kind);
        }
        text::required(kind, &path.child("type"), errors);
    }
}
