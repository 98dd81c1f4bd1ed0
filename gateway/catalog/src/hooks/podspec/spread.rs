//! Topology spread constraints. Follows `validateTopologySpreadConstraints`.

use std::collections::HashSet;

use model::Value;
use model::field::{Errors, Path};

use super::super::rules::labels::{self, Values};
use super::super::rules::{get, number, text};
use super::{Options, affinity};

/// `validateTopologySpreadConstraints`.
pub(super) fn validate(spec: &Value, options: &Options, path: &Path, errors: &mut Errors) {
    let list = path.child("topologySpreadConstraints");
    let constraints = get::list(spec, "topologySpreadConstraints");
    for (i, constraint) in constraints.iter().enumerate() {
        let path = list.index(i);
        let (key, action) = (get::text(constraint, "topologyKey"), get::text(constraint, "whenUnsatisfiable"));
        number::positive(get::number(constraint, "maxSkew"), &path.child("maxSkew"), errors);
        if key.is_empty() {
            errors.required(&path.child("topologyKey"), "can not be empty");
        }
        text::one_of(action, &["DoNotSchedule", "ScheduleAnyway"], &path.child("whenUnsatisfiable"), errors);
        let repeats = |other: &Value| get::text(other, "topologyKey") == key && get::text(other, "whenUnsatisfiable") == action;
        if constraints[i + 1..].iter().any(repeats) {
            errors.duplicate(&path.child("{topologyKey, whenUnsatisfiable}"), format!("{{{key}, {action}}}"));
        }
        min_domains(constraint, action, &path.child("minDomains"), errors);
        for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            if let Some(policy) = get::string(constraint, field) {
                text::one_of(policy, &["Honor", "Ignore"], &path.child(field), errors);
            }
        }
        if options.legacy_match_label_keys {
            legacy_label_keys(constraint, &path.child("matchLabelKeys"), errors);
        } else {
            affinity::label_keys(constraint, &path, errors);
        }
        if !options.any_spread_selector {
            labels::selector(constraint, "labelSelector", Values::Strict, &path, errors);
        }
    }
}

fn min_domains(constraint: &Value, action: &str, path: &Path, errors: &mut Errors) {
    let Some(domains) = get::int(constraint, "minDomains") else { return };
    number::positive(domains, path, errors);
    if action != "DoNotSchedule" {
        errors.invalid(path, domains, format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"));
    }
}

/// `ValidateMatchLabelKeysInTopologySpread`, for specs that were stored under the rule of before 1.34.
fn legacy_label_keys(constraint: &Value, path: &Path, errors: &mut Errors) {
    let keys: Vec<&str> = get::strings(constraint, "matchLabelKeys").collect();
    if keys.is_empty() {
        return;
    }
    let Some(selector) = get::object(constraint, "labelSelector") else {
        errors.forbidden(path, "must not be specified when labelSelector is not set");
        for (i, key) in keys.iter().enumerate() {
            text::qualified_name(key, &path.index(i), errors);
        }
        return;
    };
    let expressions = get::list(selector, "matchExpressions").iter().map(|requirement| get::text(requirement, "key"));
    let selected: HashSet<&str> = get::entries(selector, "matchLabels").map(|(key, _)| key).chain(expressions).collect();
    for (i, key) in keys.iter().enumerate() {
        text::qualified_name(key, &path.index(i), errors);
        if selected.contains(key) {
            errors.invalid(&path.index(i), *key, "exists in both matchLabelKeys and labelSelector");
        }
    }
}

/// Whether a stored constraint has a malformed selector.
pub(super) fn has_bad_selector(spec: &Value) -> bool {
    any(spec, |constraint, errors| labels::selector(constraint, "labelSelector", Values::Strict, &Path::default(), errors))
}

/// Whether a stored constraint breaks the rule of today for `matchLabelKeys`.
pub(super) fn has_bad_match_label_keys(spec: &Value) -> bool {
    any(spec, |constraint, errors| affinity::label_keys(constraint, &Path::default(), errors))
}

fn any(spec: &Value, check: impl Fn(&Value, &mut Errors)) -> bool {
    let mut errors = Errors::new();
    for constraint in get::list(spec, "topologySpreadConstraints") {
        check(constraint, &mut errors);
    }
    !errors.is_empty()
}
