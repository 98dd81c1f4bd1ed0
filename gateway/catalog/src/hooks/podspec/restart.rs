//! A container's own restart policy and rules. Follows `validateContainerRestartPolicy`, which init containers share.

use model::Value;
use model::field::{Errors, Path};

use super::super::rules::{get, text};

/// Most rules of one container, and most exit codes of one rule.
const RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
const MISSING: &str = "must specify restartPolicy when restart rules are used";

/// `validateInitContainerRestartPolicy`: without a policy of its own an init container is told only that one is missing.
pub(super) fn of_init(container: &Value, path: &Path, errors: &mut Errors) {
    if get::string(container, "restartPolicy").is_some() {
        validate(container, path, errors);
    } else if !get::list(container, "restartPolicyRules").is_empty() {
        errors.required(&path.child("restartPolicy"), MISSING);
    }
}

/// `validateContainerRestartPolicy`.
pub(super) fn validate(container: &Value, path: &Path, errors: &mut Errors) {
    let rules = get::list(container, "restartPolicyRules");
    match get::string(container, "restartPolicy") {
        None if rules.is_empty() => return,
        None => errors.required(&path.child("restartPolicy"), MISSING),
        Some(policy) => {
            text::one_of(policy, &["Always", "Never", "OnFailure"], &path.child("restartPolicy"), errors);
        }
    }
    let list = path.child("restartPolicyRules");
    if rules.len() > RULES_MAX {
        errors.too_many(&list, rules.len(), RULES_MAX);
    }
    for (i, rule) in rules.iter().enumerate() {
        one(rule, &list.index(i), errors);
    }
}

fn one(rule: &Value, path: &Path, errors: &mut Errors) {
    text::one_of(get::text(rule, "action"), &["Restart", "RestartAllContainers"], &path.child("action"), errors);
    let Some(codes) = get::object(rule, "exitCodes") else {
        return errors.required(&path.child("exitCodes"), "must be specified");
    };
    let path = path.child("exitCodes");
    text::one_of(get::text(codes, "operator"), &["In", "NotIn"], &path.child("operator"), errors);
    let values = get::list(codes, "values").len();
    if values > EXIT_CODES_MAX {
        errors.too_many(&path.child("values"), values, EXIT_CODES_MAX);
    }
}
