//! ValidatingAdmissionPolicyBinding and MutatingAdmissionPolicyBinding. Upstream:
//! `pkg/apis/admissionregistration/validation`. Whether the author may read the parameters is
//! asked by admission (`admissionpolicy/access.rs`).

use model::field::{Errors, Path};
use model::{Value, content, repeats};

use super::Hooks;
use super::rules::labels::{self, Values};
use super::rules::{admission, get, text};
use super::webhookconfiguration::{static_warning, validate_name};

const ACTIONS: &[&str] = &["Audit", "Deny", "Warn"];

pub(super) const VALIDATING: Hooks = Hooks {
    validate: Some(|binding, errors| {
        validate_validating(binding, errors);
        validate_name(binding, errors);
    }),
    validate_update: Some(|new, _, errors| validate_validating(new, errors)),
    warnings: Some(static_warning),
    ..Hooks::NONE
};

pub(super) const MUTATING: Hooks = Hooks {
    validate: Some(|binding, errors| {
        validate_mutating(binding, errors);
        validate_name(binding, errors);
    }),
    validate_update: Some(|new, _, errors| validate_mutating(new, errors)),
    warnings: Some(static_warning),
    ..Hooks::NONE
};

fn validate(spec: &Value, path: &Path, errors: &mut Errors) {
    let policy = get::text(spec, "policyName");
    if policy.is_empty() {
        errors.required(&path.child("policyName"), "");
    } else {
        text::dns_subdomain(policy, &path.child("policyName"), errors);
    }
    if let Some(reference) = get::object(spec, "paramRef") {
        param_ref(reference, &path.child("paramRef"), errors);
    }
    admission::match_resources(spec, "matchResources", path, errors);
}

fn validate_validating(binding: &Value, errors: &mut Errors) {
    let (spec, path) = (get::at(binding, "spec"), Path::new("spec"));
    validate(spec, &path, errors);
    let actions: Vec<&str> = get::strings(spec, "validationActions").collect();
    let at = path.child("validationActions");
    for (i, (action, is_repeated)) in actions.iter().zip(repeats(&actions)).enumerate() {
        text::one_of(action, ACTIONS, &at.index(i), errors);
        if is_repeated {
            errors.duplicate_named(&at.index(i), *action);
        }
    }
    if actions.contains(&"Deny") && actions.contains(&"Warn") {
        let why = "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
        errors.invalid(&at, get::raw(spec, "validationActions"), why);
    }
    if actions.is_empty() {
        errors.required(&at, "at least one validation action is required");
    }
}

fn validate_mutating(binding: &Value, errors: &mut Errors) {
    let (spec, path) = (get::at(binding, "spec"), Path::new("spec"));
    validate(spec, &path, errors);
    admission::mutable_operations(spec, "matchResources", &path, errors);
}

fn param_ref(reference: &Value, path: &Path, errors: &mut Errors) {
    const EXCLUSIVE: &str = "name and selector are mutually exclusive";
    let (called, selector) = (get::text(reference, "name"), get::object(reference, "selector"));
    if !called.is_empty() {
        text::invalid_each(called, content::path_segment_name(called), &path.child("name"), errors);
        if selector.is_some() {
            errors.forbidden(&path.child("name"), EXCLUSIVE);
        }
    }
    labels::selector(reference, "selector", Values::Strict, path, errors);
    if selector.is_some() && !called.is_empty() {
        errors.forbidden(&path.child("selector"), EXCLUSIVE);
    }
    if selector.is_none() && called.is_empty() {
        errors.required(path, "one of name or selector must be specified");
    }
    let action = get::text(reference, "parameterNotFoundAction");
    text::required_one_of(action, &["Deny", "Allow"], &path.child("parameterNotFoundAction"), errors);
}
