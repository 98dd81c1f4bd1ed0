//! ValidatingAdmissionPolicy and MutatingAdmissionPolicy. Upstream: `pkg/apis/admissionregistration/validation`,
//! `pkg/registry/admissionregistration/{validating,mutating}admissionpolicy/strategy.go`. Whether the author may read the
//! parameters is asked by `admission`.

mod expressions;

use model::field::{Errors, Path};
use model::{Value, meta, name};

use self::expressions::Expressions;
use super::Hooks;
use super::rules::admission::{self, FAILURE_POLICIES, REINVOCATION_POLICIES};
use super::rules::{condition, get, text};
use super::webhookconfiguration::{static_warning, validate_name};
use crate::custom::jsonpath;

const REASONS: &[&str] = &["Forbidden", "Invalid", "RequestEntityTooLarge"];
const AUDIT_ANNOTATIONS_MAX: usize = 20;
/// Less than an annotation may hold: an expression that joins texts often yields more than it is long.
const VALUE_EXPRESSION_BYTES_MAX: usize = 5 * 1024;
const NO_CHECK: &str = "validations or auditAnnotations must contain at least one item";
/// Words of CEL's grammar.
const RESERVED: &[&str] = &[
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

pub(super) const VALIDATING: Hooks = Hooks {
    validate: Some(|policy, errors| {
        validate_validating(policy, None, errors);
        validate_name(policy, errors);
    }),
    validate_update: Some(|new, old, errors| validate_validating(new, Some(old), errors)),
    validate_status: Some(validate_status),
    warnings: Some(static_warning),
    ..Hooks::NONE
};

pub(super) const MUTATING: Hooks = Hooks {
    validate: Some(|policy, errors| {
        validate_mutating(policy, None, errors);
        validate_name(policy, errors);
    }),
    validate_update: Some(|new, old, errors| validate_mutating(new, Some(old), errors)),
    warnings: Some(static_warning),
    ..Hooks::NONE
};

/// What both kinds have in front.
fn validate_matching(spec: &Value, path: &Path, errors: &mut Errors) {
    admission::required_word(spec, "failurePolicy", FAILURE_POLICIES, path, errors);
    if let Some(kind) = get::object(spec, "paramKind") {
        param_kind(kind, &path.child("paramKind"), errors);
    }
    if get::object(spec, "matchConstraints").is_none() {
        return errors.required(&path.child("matchConstraints"), "");
    }
    admission::match_resources(spec, "matchConstraints", path, errors);
    // Rules say of what types the objects are.
    if get::list(get::at(spec, "matchConstraints"), "resourceRules").is_empty() {
        errors.required(&path.child("matchConstraints.resourceRules"), "");
    }
}

fn validate_validating(policy: &Value, old: Option<&Value>, errors: &mut Errors) {
    let (spec, path) = (get::at(policy, "spec"), Path::new("spec"));
    let mut expressions = Expressions::of(spec, old.map(|old| get::at(old, "spec")));
    validate_matching(spec, &path, errors);
    expressions.match_conditions(spec, &path, errors);
    variables(spec, &mut expressions, &path, errors);
    let (validations, annotations) = (get::list(spec, "validations"), get::list(spec, "auditAnnotations"));
    if validations.is_empty() && annotations.is_empty() {
        errors.required(&path.child("validations"), NO_CHECK);
        errors.required(&path.child("auditAnnotations"), NO_CHECK);
    }
    for (i, validation) in validations.iter().enumerate() {
        self::validation(validation, &expressions, &path.child("validations").index(i), errors);
    }
    let at = path.child("auditAnnotations");
    if annotations.len() > AUDIT_ANNOTATIONS_MAX {
        let why = format!("must not have more than {AUDIT_ANNOTATIONS_MAX} auditAnnotations");
        errors.invalid(&at, get::raw(spec, "auditAnnotations"), why);
    }
    for (i, (annotation, is_repeated)) in annotations.iter().zip(get::repeated(annotations, "key")).enumerate() {
        let (key, at) = (get::text(annotation, "key"), at.index(i));
        audit_annotation(meta::name(policy), annotation, &expressions, &at, errors);
        if is_repeated {
            errors.duplicate(&at.child("key"), key);
        }
    }
}

fn param_kind(kind: &Value, path: &Path, errors: &mut Errors) {
    let (api_version, kind, at) = (get::text(kind, "apiVersion"), get::text(kind, "kind"), path.child("apiVersion"));
    let joined = |value: &str, wrong: Vec<String>, errors: &mut Errors| {
        if !wrong.is_empty() {
            errors.invalid(&at, value, wrong.join(","));
        }
    };
    if api_version.is_empty() {
        errors.required(&at, "");
    } else if api_version.matches('/').count() > 1 {
        errors.invalid(&at, api_version, format!("unexpected GroupVersion string: {api_version}"));
    } else {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        if !group.is_empty() {
            joined(group, name::is_dns1123_subdomain(group), errors);
        }
        if version.is_empty() {
            errors.invalid(&at, api_version, "version must be specified");
        } else {
            joined(version, name::is_dns1035_label(version), errors);
        }
    }
    let at = path.child("kind");
    let wrong = name::is_dns1035_label(&kind.to_lowercase());
    if kind.is_empty() {
        errors.required(&at, "");
    } else if !wrong.is_empty() {
        errors.invalid(&at, kind, format!("may have mixed case, but should otherwise match: {}", wrong.join(",")));
    }
}

fn variables(spec: &Value, expressions: &mut Expressions<'_>, path: &Path, errors: &mut Errors) {
    for (i, variable) in get::list(spec, "variables").iter().enumerate() {
        let (called, at) = (get::text(variable, "name"), path.child("variables"));
        let at = at.index(i);
        if called.trim().is_empty() {
            errors.required(&at.child("name"), "name is not specified");
        } else if !is_identifier(called) {
            errors.invalid(&at.child("name"), called, "must be a valid CEL identifier");
        }
        match get::text(variable, "expression") {
            text if text.trim().is_empty() => errors.required(&at.child("expression"), "expression is not specified"),
            text => expressions.variable(called, text, &at.child("expression"), errors),
        }
    }
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !RESERVED.contains(&text)
}

fn validation(validation: &Value, expressions: &Expressions<'_>, path: &Path, errors: &mut Errors) {
    let [expression, told, computed] = ["expression", "message", "messageExpression"].map(|field| get::text(validation, field));
    if expression.trim().is_empty() {
        errors.required(&path.child("expression"), "expression is not specified");
    } else {
        expressions.validation(expression, &path.child("expression"), errors);
    }
    if !computed.is_empty() && computed.trim().is_empty() {
        errors.invalid(&path.child("messageExpression"), computed, "must be non-empty if specified");
    } else if !computed.is_empty() {
        expressions.message(computed, &path.child("messageExpression"), errors);
    }
    if !told.is_empty() && told.trim().is_empty() {
        errors.invalid(&path.child("message"), told, "must be non-empty if specified");
    } else if told.trim().contains(['\n', '\r']) {
        errors.invalid(&path.child("message"), told, "must not contain line breaks");
    }
    admission::word(validation, "reason", REASONS, path, errors);
}

fn audit_annotation(policy: &str, annotation: &Value, expressions: &Expressions<'_>, path: &Path, errors: &mut Errors) {
    let key = get::text(annotation, "key");
    if policy.is_empty() {
        errors.invalid(&path.child("key"), key, "requires metadata.name be non-empty");
    } else {
        text::qualified_name(&format!("{policy}/{key}"), &path.child("key"), errors);
    }
    let expression = get::text(annotation, "valueExpression").trim();
    if expression.is_empty() {
        errors.required(&path.child("valueExpression"), "valueExpression is not specified");
    } else if expression.len() > VALUE_EXPRESSION_BYTES_MAX {
        let why = format!("must not exceed {VALUE_EXPRESSION_BYTES_MAX} bytes in length");
        errors.required(&path.child("valueExpression"), why);
    } else {
        expressions.annotation(get::text(annotation, "valueExpression"), &path.child("valueExpression"), errors);
    }
}

fn validate_mutating(policy: &Value, old: Option<&Value>, errors: &mut Errors) {
    let (spec, path) = (get::at(policy, "spec"), Path::new("spec"));
    let mut expressions = Expressions::of_mutating(spec, old.map(|old| get::at(old, "spec")));
    validate_matching(spec, &path, errors);
    admission::mutable_operations(spec, "matchConstraints", &path, errors);
    expressions.match_conditions(spec, &path, errors);
    variables(spec, &mut expressions, &path, errors);
    let (mutations, at) = (get::list(spec, "mutations"), path.child("mutations"));
    if mutations.is_empty() {
        errors.required(&at, "mutations must contain at least one item");
    }
    for (i, mutation) in mutations.iter().enumerate() {
        self::mutation(mutation, &expressions, &at.index(i), errors);
    }
    let policy = get::text(spec, "reinvocationPolicy");
    text::required_one_of(policy, REINVOCATION_POLICIES, &path.child("reinvocationPolicy"), errors);
}

fn mutation(mutation: &Value, expressions: &Expressions<'_>, path: &Path, errors: &mut Errors) {
    let kind = get::text(mutation, "patchType");
    let (wanted, other) = match kind {
        "JSONPatch" => ("jsonPatch", "applyConfiguration"),
        "ApplyConfiguration" => ("applyConfiguration", "jsonPatch"),
        _ => {
            return text::required_one_of(kind, &["ApplyConfiguration", "JSONPatch"], &path.child("patchType"), errors);
        }
    };
    match get::object(mutation, wanted) {
        None => errors.required(&path.child(wanted), format!("must be specified when patchType is {kind}")),
        Some(patch) => match get::text(patch, "expression") {
            text if text.trim().is_empty() => errors.required(&path.child(wanted).child("expression"), ""),
            text => expressions.mutation(kind, text, &path.child(wanted).child("expression"), errors),
        },
    }
    if get::object(mutation, other).is_some() {
        errors.invalid(&path.child(other), format!("{{{other}}}"), format!("must not be specified when patchType is {kind}"));
    }
}

fn validate_status(new: &Value, _: &Value, errors: &mut Errors) {
    let (status, path) = (get::at(new, "status"), Path::new("status"));
    let at = path.child("typeChecking.expressionWarnings");
    for (i, warning) in get::list(get::at(status, "typeChecking"), "expressionWarnings").iter().enumerate() {
        let at = at.index(i);
        text::required(get::text(warning, "warning"), &at.child("warning"), errors);
        let (field, at) = (get::text(warning, "fieldRef").trim(), at.child("fieldRef"));
        text::required(field, &at, errors);
        if let Err(why) = jsonpath::Path::parse(field) {
            errors.invalid(&at, field, format!("invalid JSONPath: {why}"));
        }
    }
    condition::conditions(status, "conditions", &path, errors);
}
