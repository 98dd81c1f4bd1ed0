//! CSIStorageCapacity. Upstream: `pkg/apis/storage/validation`, `pkg/api/storage`.

use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::podspec::warnings::deprecated_node_label;
use super::rules::labels::{self, Values};
use super::rules::{equal, get, internal, number, resource, text};

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(|object, errors| validate(object, Values::Strict, errors)),
    validate_update: Some(validate_update),
    warnings: Some(|new, _old| warnings(new)),
    ..Hooks::NONE
};

fn validate(object: &Value, values: Values, errors: &mut Errors) {
    labels::selector(object, "nodeTopology", values, &Path::default(), errors);
    text::dns_subdomain(get::text(object, "storageClassName"), &Path::new("storageClassName"), errors);
    if let Some(capacity) = object.get("capacity").filter(|capacity| resource::amount(capacity).sign() < 0) {
        errors.invalid(&Path::new("capacity"), capacity.clone(), number::NEGATIVE);
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    let mut wrong = Errors::new();
    labels::selector(old, "nodeTopology", Values::Strict, &Path::default(), &mut wrong);
    validate(new, if wrong.is_empty() { Values::Strict } else { Values::Lenient }, errors);
    let topology = |object| get::at(object, "nodeTopology");
    if !equal::semantic("nodeTopology", new.get("nodeTopology"), old.get("nodeTopology")) {
        errors.invalid(&Path::new("nodeTopology"), internal::label_selector(topology(new)), number::IMMUTABLE);
    }
    if get::text(new, "storageClassName") != get::text(old, "storageClassName") {
        errors.invalid(&Path::new("storageClassName"), get::text(new, "storageClassName"), number::IMMUTABLE);
    }
}

/// `GetWarningsForNodeSelector`.
fn warnings(object: &Value) -> Vec<String> {
    let topology = get::at(object, "nodeTopology");
    let mut warnings = Vec::new();
    for (i, requirement) in get::list(topology, "matchExpressions").iter().enumerate() {
        let key = get::text(requirement, "key");
        if let Some(message) = deprecated_node_label(key) {
            warnings.push(format!("nodeTopology.matchExpressions[{i}].key: {key} is {message}"));
        }
    }
    for (key, _) in get::pairs(topology, "matchLabels") {
        if let Some(message) = deprecated_node_label(key) {
            warnings.push(format!("nodeTopology.matchLabels.{key}: {message}"));
        }
    }
    warnings
}
