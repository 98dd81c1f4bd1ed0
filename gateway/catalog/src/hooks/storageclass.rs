//! StorageClass. Upstream: `pkg/apis/storage/validation`.

use std::collections::BTreeSet;

use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::rules::{get, number, text};

/// `maxProvisionerParameterLen`: how many parameters there may be.
const PARAMETERS_MAX: usize = 512;
/// `maxProvisionerParameterSize`: all keys and values together, in bytes.
const PARAMETERS_BYTES_MAX: usize = 256 * 1024;

pub(super) const HOOKS: Hooks = Hooks { validate: Some(validate), validate_update: Some(validate_update), ..Hooks::NONE };

fn validate(object: &Value, errors: &mut Errors) {
    let (provisioner, path) = (get::text(object, "provisioner"), Path::new("provisioner"));
    if provisioner.is_empty() {
        errors.required(&path, "");
    } else {
        text::qualified_name(&provisioner.to_lowercase(), &path, errors);
    }
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

fn validate_parameters(object: &Value, errors: &mut Errors) {
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

fn validate_topologies(object: &Value, errors: &mut Errors) {
    let path = Path::new("allowedTopologies");
    for (i, term) in get::list(object, "allowedTopologies").iter().enumerate() {
        let path = path.index(i);
        let path = path.child("matchLabelExpressions");
        let mut keys = BTreeSet::new();
        for (i, requirement) in get::list(term, "matchLabelExpressions").iter().enumerate() {
            let path = path.index(i);
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
            if !keys.insert(key) {
                errors.duplicate(&path.child("key"), key);
            }
        }
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
        number::immutable(new, old, field, &Path::default(), errors);
    }
}
