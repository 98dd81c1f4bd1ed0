//! Selectors of nodes, which node affinity, volumes and runtime classes share. Follows `ValidateNodeSelector`.

use model::Value;
use model::field::{Errors, Path};

use super::super::rules::labels::{self, Values};
use super::super::rules::{get, text};
use super::Options;

/// `validateNodeAffinity`.
pub(super) fn validate(affinity: &Value, options: &Options, path: &Path, errors: &mut Errors) {
    if let Some(required) = get::object(affinity, "requiredDuringSchedulingIgnoredDuringExecution") {
        let values = if options.any_node_affinity_values { Values::Lenient } else { Values::Strict };
        node_selector(required, values, &path.child("requiredDuringSchedulingIgnoredDuringExecution"), errors);
    }
    let list = path.child("preferredDuringSchedulingIgnoredDuringExecution");
    for (i, term) in get::list(affinity, "preferredDuringSchedulingIgnoredDuringExecution").iter().enumerate() {
        let path = list.index(i);
        weight(term, &path, errors);
        // Values are never checked here: in a cluster of one node a preference cannot hurt.
        self::term(get::at(term, "preference"), Values::Lenient, &path.child("preference"), errors);
    }
}

/// The weight of a preference.
pub(super) fn weight(term: &Value, path: &Path, errors: &mut Errors) {
    let weight = get::number(term, "weight");
    if !(1..=100).contains(&weight) {
        errors.invalid(&path.child("weight"), weight, "must be in the range 1-100");
    }
}

/// `ValidateNodeSelector`.
pub(crate) fn node_selector(selector: &Value, values: Values, path: &Path, errors: &mut Errors) {
    let path = path.child("nodeSelectorTerms");
    let terms = get::list(selector, "nodeSelectorTerms");
    if terms.is_empty() {
        errors.required(&path, "must have at least one node selector term");
    }
    for (i, inner) in terms.iter().enumerate() {
        term(inner, values, &path.index(i), errors);
    }
}

/// `ValidateNodeSelectorTerm`.
pub(crate) fn term(term: &Value, values: Values, path: &Path, errors: &mut Errors) {
    let expressions = path.child("matchExpressions");
    for (i, requirement) in get::list(term, "matchExpressions").iter().enumerate() {
        expression(requirement, values, &expressions.index(i), errors);
    }
    let fields = path.child("matchFields");
    for (i, requirement) in get::list(term, "matchFields").iter().enumerate() {
        field(requirement, &fields.index(i), errors);
    }
}

fn expression(requirement: &Value, values: Values, path: &Path, errors: &mut Errors) {
    let (operator, given) = (get::text(requirement, "operator"), get::list(requirement, "values").len());
    match operator {
        "In" | "NotIn" if given == 0 => {
            errors.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if given > 0 => {
            errors.forbidden(&path.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "Gt" | "Lt" if given != 1 => {
            errors.required(&path.child("values"), "must be specified single value when `operator` is 'Lt' or 'Gt'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        _ => errors.invalid_named(&path.child("operator"), operator, "not a valid selector operator"),
    }
    text::qualified_name(get::text(requirement, "key"), &path.child("key"), errors);
    if values == Values::Strict {
        labels::label_values(requirement, path, errors);
    }
}

fn field(requirement: &Value, path: &Path, errors: &mut Errors) {
    let (operator, key) = (get::text(requirement, "operator"), get::text(requirement, "key"));
    match operator {
        "In" | "NotIn" => {
            if get::list(requirement, "values").len() != 1 {
                errors.required(
                    &path.child("values"),
                    "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
                );
            }
        }
        _ => errors.invalid_named(&path.child("operator"), operator, "not a valid selector operator"),
    }
    if key != "metadata.name" {
        return errors.invalid(&path.child("key"), key, "not a valid field selector key");
    }
    let values = path.child("values");
    for (i, value) in get::strings(requirement, "values").enumerate() {
        text::dns_subdomain(value, &values.index(i), errors);
    }
}
