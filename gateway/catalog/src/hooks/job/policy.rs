//! A Job's policies: which failures count, which successes suffice, when pods are replaced.
//! Follows `validatePodFailurePolicy`, `validateSuccessPolicy`, `validatePodReplacementPolicy`.

use std::collections::HashSet;

use model::field::{Errors, Fault, Path};
use model::{Value, repeats};

use super::super::rules::number::nonnegative;
use super::super::rules::{get, internal, text};
use super::{indexes, is_indexed};

/// Most rules of a policy, exit codes of a rule, patterns of conditions, and rules of a success policy.
const RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
const PATTERNS_MAX: usize = 20;
const SUCCESS_RULES_MAX: usize = 20;
/// Longest set of indexes, in bytes.
const INDEXES_BYTES_MAX: usize = 64 * 1024;
const ACTIONS: &[&str] = &["Count", "FailIndex", "FailJob", "Ignore"];

/// All three policies.
pub(super) fn validate(spec: &Value, path: &Path, errors: &mut Errors) {
    if get::object(spec, "podFailurePolicy").is_some() {
        failure(spec, &path.child("podFailurePolicy.rules"), errors);
    }
    if let Some(success) = get::object(spec, "successPolicy") {
        if is_indexed(spec) {
            self::success(spec, success, &path.child("successPolicy.rules"), errors);
        } else {
            errors.invalid(
                &path.child("successPolicy"),
                internal::show(success, internal::SUCCESS_POLICY),
                "requires indexed completion mode",
            );
        }
    }
    if let Some(policy) = get::string(spec, "podReplacementPolicy") {
        let supported: &[&str] =
            if get::object(spec, "podFailurePolicy").is_some() { &["Failed"] } else { &["Failed", "TerminatingOrFailed"] };
        text::one_of(policy, supported, &path.child("podReplacementPolicy"), errors);
    }
}

fn failure(spec: &Value, list: &Path, errors: &mut Errors) {
    let rules = get::list(get::at(spec, "podFailurePolicy"), "rules");
    if rules.len() > RULES_MAX {
        errors.too_many(list, rules.len(), RULES_MAX);
    }
    let pod = get::at(spec, "template.spec");
    let containers = get::list(pod, "containers").iter().chain(get::list(pod, "initContainers"));
    let names: HashSet<&str> = containers.map(|container| get::text(container, "name")).collect();
    for (i, rule) in rules.iter().enumerate() {
        failure_rule(spec, rule, &names, &list.index(i), errors);
    }
}

fn valid_values(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| model::field::quote(value)).collect();
    format!("valid values: [{}]", quoted.join(" "))
}

fn failure_rule(spec: &Value, rule: &Value, names: &HashSet<&str>, path: &Path, errors: &mut Errors) {
    let at = path.child("action");
    match get::text(rule, "action") {
        "" => errors.required(&at, valid_values(ACTIONS)),
        "FailIndex" if get::int(spec, "backoffLimitPerIndex").is_none() => {
            errors.invalid(&at, "FailIndex", "requires the backoffLimitPerIndex to be set");
        }
        action => {
            text::one_of(action, ACTIONS, &at, errors);
        }
    }
    let (codes, conditions) = (get::object(rule, "onExitCodes"), get::list(rule, "onPodConditions"));
    if let Some(codes) = codes {
        exit_codes(codes, names, &path.child("onExitCodes"), errors);
    }
    patterns(conditions, &path.child("onPodConditions"), errors);
    if codes.is_some() && !conditions.is_empty() {
        errors.push(Fault::Invalid, path, None, "specifying both OnExitCodes and OnPodConditions is not supported");
    }
    if codes.is_none() && conditions.is_empty() {
        errors.push(Fault::Invalid, path, None, "specifying one of OnExitCodes and OnPodConditions is required");
    }
}

fn exit_codes(codes: &Value, names: &HashSet<&str>, path: &Path, errors: &mut Errors) {
    const OPERATORS: &[&str] = &["In", "NotIn"];
    let operator = get::text(codes, "operator");
    if operator.is_empty() {
        errors.required(&path.child("operator"), valid_values(OPERATORS));
    } else {
        text::one_of(operator, OPERATORS, &path.child("operator"), errors);
    }
    if let Some(name) = get::string(codes, "containerName").filter(|name| !names.contains(name)) {
        errors.invalid(
            &path.child("containerName"),
            name,
            "must be one of the container or initContainer names in the pod template",
        );
    }
    let list = path.child("values");
    let values: Vec<i64> = get::list(codes, "values").iter().filter_map(Value::as_i64).collect();
    if values.is_empty() {
        errors.invalid(&list, get::raw(codes, "values"), "at least one value is required");
    } else if values.len() > EXIT_CODES_MAX {
        errors.too_many(&list, values.len(), EXIT_CODES_MAX);
    }
    for (i, (value, is_repeated)) in values.iter().zip(repeats(&values)).enumerate() {
        if operator == "In" && *value == 0 {
            errors.invalid(&list.index(i), *value, "must not be 0 for the In operator");
        }
        if is_repeated {
            errors.duplicate(&list.index(i), *value);
        }
    }
    if !values.is_sorted() {
        errors.invalid(&list, values, "must be ordered");
    }
}

fn patterns(patterns: &[Value], list: &Path, errors: &mut Errors) {
    const STATUSES: &[&str] = &["False", "True", "Unknown"];
    if patterns.len() > PATTERNS_MAX {
        errors.too_many(list, patterns.len(), PATTERNS_MAX);
    }
    for (i, pattern) in patterns.iter().enumerate() {
        let path = list.index(i);
        text::qualified_name(get::text(pattern, "type"), &path.child("type"), errors);
        match get::text(pattern, "status") {
            "" => errors.required(&path.child("status"), valid_values(STATUSES)),
            status => {
                text::one_of(status, STATUSES, &path.child("status"), errors);
            }
        }
    }
}

fn success(spec: &Value, policy: &Value, list: &Path, errors: &mut Errors) {
    let rules = get::list(policy, "rules");
    if rules.is_empty() {
        errors.required(list, "at least one rules must be specified when the successPolicy is specified");
    }
    if rules.len() > SUCCESS_RULES_MAX {
        errors.too_many(list, rules.len(), SUCCESS_RULES_MAX);
    }
    for (i, rule) in rules.iter().enumerate() {
        success_rule(get::number(spec, "completions"), rule, &list.index(i), errors);
    }
}

fn success_rule(completions: i64, rule: &Value, path: &Path, errors: &mut Errors) {
    let (count, set) = (get::int(rule, "succeededCount"), get::string(rule, "succeededIndexes"));
    if count.is_none() && set.is_none() {
        errors.required(path, "at least one of succeededCount or succeededIndexes must be specified");
    }
    let mut total = 0;
    if let Some(set) = set {
        let at = path.child("succeededIndexes");
        if set.len() > INDEXES_BYTES_MAX {
            errors.too_long(&at, INDEXES_BYTES_MAX);
        }
        match indexes::count(set, completions) {
            Ok(count) => total = count,
            Err(why) => errors.invalid(&at, set, format!("error parsing succeededIndexes: {why}")),
        }
    }
    let Some(count) = count else { return };
    let at = path.child("succeededCount");
    nonnegative(count, &at, errors);
    if count > completions {
        errors.invalid(&at, count, format!("must be less than or equal to {completions} (the number of specified completions)"));
    }
    if set.is_some() && count > total {
        let detail =
            format!("must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)");
        errors.invalid(&at, count, detail);
    }
}
