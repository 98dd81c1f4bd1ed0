//! What webhook configurations and CEL admission policies share: which requests they match, and where a webhook is.
//! Follows `pkg/apis/admissionregistration/validation` and `apiserver/pkg/util/webhook/validation.go`.

use std::collections::HashMap;

use cel::admission::{Offered, Yields};
use cel::{Env, Stage};
use codec::go_url;
use model::field::{Errors, Path};
use model::{Value, content, name, repeats};

use super::labels::{self, Values};
use super::{get, text};

pub(crate) const FAILURE_POLICIES: &[&str] = &["Fail", "Ignore"];
pub(crate) const MATCH_POLICIES: &[&str] = &["Equivalent", "Exact"];
pub(crate) const REINVOCATION_POLICIES: &[&str] = &["IfNeeded", "Never"];
const OPERATIONS: &[&str] = &["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
/// A deleted object cannot be changed.
const MUTATING_OPERATIONS: &[&str] = &["*", "CONNECT", "CREATE", "UPDATE"];
const SCOPES: &[&str] = &["*", "Cluster", "Namespaced"];
const MATCH_CONDITIONS_MAX: usize = 64;

/// A pointer to one of some words, where it is given.
pub(crate) fn word(holder: &Value, field: &str, supported: &[&str], path: &Path, errors: &mut Errors) {
    if let Some(word) = get::string(holder, field) {
        text::one_of(word, supported, &path.child(field), errors);
    }
}

/// A pointer that must be given, to one of some words.
pub(crate) fn required_word(holder: &Value, field: &str, supported: &[&str], path: &Path, errors: &mut Errors) {
    match get::string(holder, field) {
        None => errors.required(&path.child(field), ""),
        Some(word) => drop(text::one_of(word, supported, &path.child(field), errors)),
    }
}

/// `validateRuleWithOperations`.
pub(crate) fn rule(rule: &Value, path: &Path, errors: &mut Errors) {
    let all = |field: &str| get::list(rule, field).len() > 1 && get::strings(rule, field).any(|item| item == "*");
    let refuse_others = |field: &str, what: &str, errors: &mut Errors| {
        if get::list(rule, field).is_empty() {
            errors.required(&path.child(field), "");
        }
        if all(field) {
            let why = format!("if '*' is present, must not specify other {what}");
            errors.invalid(&path.child(field), get::raw(rule, field), why);
        }
    };
    refuse_others("operations", "operations", errors);
    let at = path.child("operations");
    for (i, operation) in get::strings(rule, "operations").enumerate() {
        text::one_of(operation, OPERATIONS, &at.index(i), errors);
    }
    refuse_others("apiGroups", "API groups", errors);
    refuse_others("apiVersions", "API versions", errors);
    let at = path.child("apiVersions");
    for (i, version) in get::strings(rule, "apiVersions").enumerate() {
        text::required(version, &at.index(i), errors);
    }
    resources(rule, &path.child("resources"), errors);
    word(rule, "scope", SCOPES, path, errors);
}

/// `validateResources`: resources and subresources, either of them perhaps a wildcard.
fn resources(rule: &Value, path: &Path, errors: &mut Errors) {
    let all: Vec<&str> = get::strings(rule, "resources").collect();
    if all.is_empty() {
        errors.required(path, "");
    }
    let mut without_subresource = false;
    // The first place of each.
    let first: HashMap<&str, usize> = all.iter().enumerate().rev().map(|(i, resource)| (*resource, i)).collect();
    for (i, resource) in all.iter().enumerate() {
        if resource.is_empty() {
            errors.required(&path.index(i), "");
            continue;
        }
        let Some((kind, part)) = resource.split_once('/') else {
            without_subresource = *resource != "*";
            continue;
        };
        for wildcard in [format!("{kind}/*"), format!("*/{part}")] {
            if first.get(wildcard.as_str()).is_some_and(|at| *at < i) {
                errors.invalid(&path.index(i), *resource, format!("if '{wildcard}' is present, must not specify {resource}"));
            }
        }
    }
    let mut refuse = |why: &str| errors.invalid(path, get::raw(rule, "resources"), why);
    if all.len() > 1 && all.contains(&"*/*") {
        refuse("if '*/*' is present, must not specify other resources");
    }
    if without_subresource && all.contains(&"*") {
        refuse("if '*' is present, must not specify other resources without subresources");
    }
}

/// `validateMatchResources`, where it is given.
pub(crate) fn match_resources(holder: &Value, field: &str, path: &Path, errors: &mut Errors) {
    let Some(matched) = get::object(holder, field) else { return };
    let path = path.child(field);
    required_word(matched, "matchPolicy", MATCH_POLICIES, &path, errors);
    for selector in ["namespaceSelector", "objectSelector"] {
        match get::object(matched, selector) {
            None => errors.required(&path.child(selector), ""),
            Some(_) => labels::selector(matched, selector, Values::Strict, &path, errors),
        }
    }
    for field in ["resourceRules", "excludeResourceRules"] {
        let path = path.child(field);
        for (i, rule) in get::list(matched, field).iter().enumerate() {
            named_rule(rule, &path.index(i), errors);
        }
    }
}

fn named_rule(rule: &Value, path: &Path, errors: &mut Errors) {
    let names: Vec<&str> = get::strings(rule, "resourceNames").collect();
    let at = path.child("resourceNames");
    for (i, (called, is_repeated)) in names.iter().zip(repeats(&names)).enumerate() {
        text::invalid_each(called, content::path_segment_name(called), &at.index(i), errors);
        if is_repeated {
            errors.duplicate(&at.index(i), *called);
        }
    }
    self::rule(rule, path, errors);
}

/// What can be changed are requests that bring an object.
pub(crate) fn mutable_operations(holder: &Value, field: &str, path: &Path, errors: &mut Errors) {
    let path = path.child(field);
    let path = path.child("resourceRules.operations");
    for rule in get::list(get::at(holder, field), "resourceRules") {
        for operation in get::strings(rule, "operations") {
            text::one_of(operation, MUTATING_OPERATIONS, &path, errors);
        }
    }
}

/// Expressions that are stored already: they may use what only this version knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored<'a>(Vec<&'a str>);

impl<'a> Stored<'a> {
    /// The expressions of some lists' items, under a field of theirs.
    pub(crate) fn of(items: impl IntoIterator<Item = &'a Value>, field: &str) -> Self {
        Self(items.into_iter().map(|item| get::text(item, field)).filter(|text| !text.is_empty()).collect())
    }

    /// For which an expression is compiled.
    pub(crate) fn stage(&self, text: &str) -> Stage {
        if self.0.contains(&text) { Stage::Stored } else { Stage::New }
    }
}

/// `validateCELCondition`: compiles an expression, and tells what is wrong with what is `shown` of it.
pub(crate) fn expression(env: &Env, text: &str, yields: Yields, shown: &str, path: &Path, errors: &mut Errors) {
    if let Err(fault) = cel::admission::compile(env, text, yields) {
        compile_fault(&fault, shown, path, errors);
    }
}

/// `convertCELErrorToValidationError`
pub(crate) fn compile_fault(fault: &cel::admission::Fault, shown: &str, path: &Path, errors: &mut Errors) {
    if fault.internal {
        errors.internal(path, fault.detail.clone());
    } else {
        errors.invalid(path, shown, fault.detail.clone());
    }
}

/// `validateMatchConditions`; `stored` are those of the object as it is.
pub(crate) fn match_conditions(holder: &Value, offered: Offered, stored: &Stored<'_>, path: &Path, errors: &mut Errors) {
    let (conditions, path) = (get::list(holder, "matchConditions"), path.child("matchConditions"));
    if conditions.len() > MATCH_CONDITIONS_MAX {
        errors.too_many(&path, conditions.len(), MATCH_CONDITIONS_MAX);
    }
    for (i, (condition, is_repeated)) in conditions.iter().zip(get::repeated(conditions, "name")).enumerate() {
        let (called, path) = (get::text(condition, "name"), path.index(i));
        match get::text(condition, "expression").trim() {
            "" => errors.required(&path.child("expression"), ""),
            text => {
                let env = cel::admission::env(stored.stage(text), offered, None);
                expression(&env, text, Yields::Bool, text, &path.child("expression"), errors);
            }
        }
        if called.is_empty() {
            errors.required(&path.child("name"), "");
            continue;
        }
        text::qualified_name(called, &path.child("name"), errors);
        if is_repeated {
            errors.duplicate(&path.child("name"), called);
        }
    }
}

/// Where a webhook is called: a URL or a service, exactly one of them.
pub(crate) fn client_config(config: &Value, path: &Path, errors: &mut Errors) {
    match (get::string(config, "url"), get::object(config, "service")) {
        (Some(url), None) => webhook_url(url, &path.child("url"), errors),
        (None, Some(service)) => webhook_service(service, &path.child("service"), errors),
        _ => errors.required(path, "exactly one of url or service is required"),
    }
}

/// `ValidateWebhookURL` with HTTPS alone.
pub(crate) fn webhook_url(url: &str, path: &Path, errors: &mut Errors) {
    const FORM: &str = "; desired format: https://host[/path]";
    let (rest, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    let (scheme, rest) = rest.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", rest));
    if let Some(fault) = go_url::fault(url) {
        return errors.required(path, format!("url must be a valid URL: {fault}{FORM}"));
    }
    let authority = rest.strip_prefix("//").map_or("", |rest| rest.split_once('/').map_or(rest, |(authority, _)| authority));
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "https" {
        errors.invalid(path, scheme, format!("'https' is the only allowed URL scheme{FORM}"));
    }
    if host.is_empty() {
        errors.invalid(path, "", format!("host must be specified{FORM}"));
    }
    if let Some(user) = user {
        errors.invalid(path, user, "user information is not permitted in the URL");
    }
    if !fragment.is_empty() {
        errors.invalid(path, fragment, "fragments are not permitted in the URL");
    }
    if !query.is_empty() {
        errors.invalid(path, query, "query parameters are not permitted in the URL");
    }
}

/// `ValidateWebhookService`. Upstream calls it with name and namespace in each other's place, so that each is missed where
/// the other should be.
fn webhook_service(service: &Value, path: &Path, errors: &mut Errors) {
    text::required(get::text(service, "namespace"), &path.child("name"), errors);
    text::required(get::text(service, "name"), &path.child("namespace"), errors);
    let port = get::number(service, "port");
    let wrong = name::is_valid_port_num(port);
    if !wrong.is_empty() {
        errors.invalid(&path.child("port"), port, format!("port is not valid: {}", wrong.join(", ")));
    }
    if let Some(url) = get::string(service, "path") {
        url_path(url, &path.child("path"), errors);
    }
}

fn url_path(url: &str, path: &Path, errors: &mut Errors) {
    if url.is_empty() || url == "/" {
        return;
    }
    if url == "//" {
        return errors.invalid(path, url, "segment[0] may not be empty");
    }
    if !url.starts_with('/') {
        errors.invalid(path, url, "must start with a '/'");
    }
    // The first byte goes whatever it is.
    let rest = url.get(1..).unwrap_or_default();
    for (i, segment) in rest.strip_suffix('/').unwrap_or(rest).split('/').enumerate() {
        if segment.is_empty() {
            errors.invalid(path, url, format!("segment[{i}] may not be empty"));
            continue;
        }
        for why in name::is_dns1123_subdomain(segment) {
            errors.invalid(path, url, format!("segment[{i}]: {why}"));
        }
    }
}
