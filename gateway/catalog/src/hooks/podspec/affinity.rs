//! Affinity to nodes and pods. Follows `validateAffinity`. Selectors of nodes are in `node_affinity`.

use std::collections::HashSet;

use model::Value;
use model::field::{Errors, Path};

use super::super::rules::labels::{self, Values};
use super::super::rules::{get, text};
use super::{Options, node_affinity};

/// `validateAffinity`.
pub(super) fn validate(spec: &Value, options: &Options, path: &Path, errors: &mut Errors) {
    let Some(affinity) = get::object(spec, "affinity") else { return };
    let path = path.child("affinity");
    if let Some(inner) = get::object(affinity, "nodeAffinity") {
        node_affinity::validate(inner, options, &path.child("nodeAffinity"), errors);
    }
    let values = if options.any_affinity_values { Values::Lenient } else { Values::Strict };
    for field in ["podAffinity", "podAntiAffinity"] {
        if let Some(inner) = get::object(affinity, field) {
            of_pods(inner, values, &path.child(field), errors);
        }
    }
}

fn of_pods(affinity: &Value, values: Values, path: &Path, errors: &mut Errors) {
    let required = path.child("requiredDuringSchedulingIgnoredDuringExecution");
    for (i, term) in get::list(affinity, "requiredDuringSchedulingIgnoredDuringExecution").iter().enumerate() {
        self::term(term, values, &required.index(i), errors);
    }
    let preferred = path.child("preferredDuringSchedulingIgnoredDuringExecution");
    for (i, weighted) in get::list(affinity, "preferredDuringSchedulingIgnoredDuringExecution").iter().enumerate() {
        let path = preferred.index(i);
        node_affinity::weight(weighted, &path, errors);
        term(get::at(weighted, "podAffinityTerm"), values, &path.child("podAffinityTerm"), errors);
    }
}

/// `validatePodAffinityTerm`.
fn term(term: &Value, values: Values, path: &Path, errors: &mut Errors) {
    labels::selector(term, "labelSelector", values, path, errors);
    labels::selector(term, "namespaceSelector", values, path, errors);
    for namespace in get::strings(term, "namespaces") {
        text::dns_label(namespace, &path.child("namespace"), errors);
    }
    label_keys(term, path, errors);
    let topology = get::text(term, "topologyKey");
    if topology.is_empty() {
        errors.required(&path.child("topologyKey"), "can not be empty");
    }
    text::qualified_name(topology, &path.child("topologyKey"), errors);
}

/// `ValidateMatchLabelKeysAndMismatchLabelKeys`, which spread constraints share. Upstream reports a key that the selector
/// has as well at an index of the term itself.
pub(super) fn label_keys(term: &Value, path: &Path, errors: &mut Errors) {
    keys_are_names(term, "matchLabelKeys", path, errors);
    keys_are_names(term, "mismatchLabelKeys", path, errors);
    let matching: Vec<&str> = get::strings(term, "matchLabelKeys").collect();
    if let Some(selector) = get::object(term, "labelSelector") {
        let mut selected: HashSet<&str> = get::entries(selector, "matchLabels").map(|(key, _)| key).collect();
        for requirement in get::list(selector, "matchExpressions") {
            let key = get::text(requirement, "key");
            if let Some(i) = matching.iter().rposition(|listed| *listed == key).filter(|_| selected.contains(key)) {
                errors.invalid(&path.index(i), key, "exists in both matchLabelKeys and labelSelector");
            }
            selected.insert(key);
        }
    }
    let mismatching: HashSet<&str> = get::strings(term, "mismatchLabelKeys").collect();
    let list = path.child("matchLabelKeys");
    for (i, key) in matching.iter().enumerate().filter(|(_, key)| mismatching.contains(*key)) {
        errors.invalid(&list.index(i), *key, "exists in both matchLabelKeys and mismatchLabelKeys");
    }
}

fn keys_are_names(term: &Value, field: &str, path: &Path, errors: &mut Errors) {
    let path = path.child(field);
    let keys = get::list(term, field);
    if keys.is_empty() {
        return;
    }
    if get::object(term, "labelSelector").is_none() {
        return errors.forbidden(&path, "must not be specified when labelSelector is not set");
    }
    for (i, key) in get::strings(term, field).enumerate() {
        text::qualified_name(key, &path.index(i), errors);
    }
}
