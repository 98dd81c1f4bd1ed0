//! StorageClass. Upstream: `pkg/apis/storage/validation`, `pkg/api/storage`.

use std::collections::{BTreeMap, BTreeSet};

use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::podspec::warnings::deprecated_node_label;
use super::rules::{get, number, text};

/// `maxProvisionerParameterLen`: how many parameters there may be.
const PARAMETERS_MAX: usize = 512;
/// `maxProvisionerParameterSize`: all keys and values together, in bytes.
const PARAMETERS_BYTES_MAX: usize = 256 * 1024;

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(validate),
    validate_update: Some(|new, old, errors| {
        validate(new, errors);
        number::immutable(new, old, "parameters", &Path::default(), errors);
        number::immutable_text(new, old, "provisioner", &Path::default(), errors);
        for field in ["reclaimPolicy", "volumeBindingMode"] {
            number::immutable(new, old, field, &Path::default(), errors);
        }
    }),
    warnings: Some(|new, _old| warnings(new)),
    ..Hooks::NONE
};

fn validate(object: &Value, errors: &mut Errors) {
    validate_provisioner(get::text(object, "provisioner"), &Path::new("provisioner"), errors);
    validate_parameters(object, errors);
    let policy = get::text(object, "reclaimPolicy");
    if !policy.is_empty() {
        text::one_of(policy, &["Delete", "Retain"], &Path::new("reclaimPolicy"), errors);
    }
    match get::string(object, "volumeBindingMode") {
        None => errors.required(&Path::new("volumeBindingMode"), ""),
        Some(mode) => {
            text::one_of(mode, &["Immediate", "WaitForFirstConsumer"], &Path::new("volumeBindingMode"), errors);
        }
    }
    validate_topologies(object, errors);
}

/// `validateProvisioner`: the name of what makes volumes.
pub(super) fn validate_provisioner(provisioner: &str, path: &Path, errors: &mut Errors) {
    if provisioner.is_empty() {
        errors.required(path, "");
    } else {
        text::qualified_name(&provisioner.to_lowercase(), path, errors);
    }
}

/// `validateParameters`.
pub(super) fn validate_parameters(object: &Value, errors: &mut Errors) {
    let path = Path::new("parameters");
    if get::pairs(object, "parameters").count() > PARAMETERS_MAX {
        return errors.too_long(&path, PARAMETERS_MAX);
    }
    if get::pairs(object, "parameters").any(|(key, _)| key.is_empty()) {
        errors.invalid(&path, "", "field can not be empty.");
    }
    let bytes: usize = get::pairs(object, "parameters").map(|(key, value)| key.len() + value.len()).sum();
    if bytes > PARAMETERS_BYTES_MAX {
        errors.too_long(&path, PARAMETERS_BYTES_MAX);
    }
}

/// The values that a term of topologies allows for each key.
type Term<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

fn validate_topologies(object: &Value, errors: &mut Errors) {
    let list = Path::new("allowedTopologies");
    // Upstream compares with as many empty terms as there are terms, so that an empty one is always a duplicate.
    let mut seen = vec![Term::new()];
    for (i, term) in get::list(object, "allowedTopologies").iter().enumerate() {
        let path = list.index(i);
        let path = path.child("matchLabelExpressions");
        let allowed = validate_term(term, &path, errors);
        if seen.contains(&allowed) {
            errors.duplicate(&path, "");
        }
        seen.push(allowed);
    }
}

/// `ValidateTopologySelectorTerm`.
fn validate_term<'a>(term: &'a Value, list: &Path, errors: &mut Errors) -> Term<'a> {
    let mut allowed = Term::new();
    for (i, requirement) in get::list(term, "matchLabelExpressions").iter().enumerate() {
        let path = list.index(i);
        let key = get::text(requirement, "key");
        if get::list(requirement, "values").is_empty() {
            errors.required(&path.child("values"), "");
        }
        let mut values = BTreeSet::new();
        for (i, value) in get::strings(requirement, "values").enumerate() {
            if !values.insert(value) {
                errors.duplicate(&path.child("values").index(i), value);
            }
        }
        text::qualified_name(key, &path.child("key"), errors);
        if allowed.insert(key, values).is_some() {
            errors.duplicate(&path.child("key"), key);
        }
    }
    allowed
}

fn warnings(object: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    let list = Path::new("allowedTopologies");
    for (i, term) in get::list(object, "allowedTopologies").iter().enumerate() {
        let path = list.index(i);
        let path = path.child("matchLabelExpressions");
        for (i, requirement) in get::list(term, "matchLabelExpressions").iter().enumerate() {
            if let Some(message) = deprecated_node_label(get::text(requirement, "key")) {
                warnings.push(format!("{}: {message}", path.index(i).child("key")));
            }
        }
    }
    warnings
}
