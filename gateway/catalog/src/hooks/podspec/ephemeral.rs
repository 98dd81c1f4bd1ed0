//! Ephemeral containers in a spec. Follows `validateEphemeralContainers`; what an update may change is in `pod`.

use std::collections::HashSet;

use model::Value;
use model::field::{Errors, Path};

use super::super::rules::get;
use super::{Scope, containers};

/// Fields that no ephemeral container may have, in the struct's order.
const FORBIDDEN: &[&str] = &[
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];
const FORBIDDEN_DETAIL: &str = "cannot be set for an Ephemeral Container";

/// `validateEphemeralContainers`.
pub(super) fn validate(spec: &Value, scope: &Scope<'_>, list: &Path, errors: &mut Errors) {
    let ephemeral = get::list(spec, "ephemeralContainers");
    if ephemeral.is_empty() {
        return;
    }
    let others = get::list(spec, "containers").iter().chain(get::list(spec, "initContainers"));
    let others: HashSet<&str> = others.map(|container| get::text(container, "name")).collect();
    let mut names = others.clone();
    for (i, container) in ephemeral.iter().enumerate() {
        let path = list.index(i);
        containers::common(container, scope, &path, errors);
        image_whitespace(container, &path, errors);
        let name = get::text(container, "name");
        if !names.insert(name) {
            errors.duplicate(&path.child("name"), name);
        }
        let target = get::text(container, "targetContainerName");
        if !target.is_empty() && !others.contains(target) {
            errors.not_found(&path.child("targetContainerName"), target);
        }
        for field in FORBIDDEN {
            if is_set(field, container.get(*field)) {
                errors.forbidden(&path.child(field), FORBIDDEN_DETAIL);
            }
        }
        sub_paths(container, &path, errors);
    }
}

/// Whether a field is not the zero value of its type: an empty list is not, nor is a pointer to an empty struct.
fn is_set(field: &str, value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        // These are no pointer.
        Some(Value::Object(map)) => field != "resources" || !map.is_empty(),
        Some(_) => true,
    }
}

fn sub_paths(container: &Value, path: &Path, errors: &mut Errors) {
    let list = path.child("volumeMounts");
    for (i, mount) in get::list(container, "volumeMounts").iter().enumerate() {
        for field in ["subPath", "subPathExpr"] {
            if !get::text(mount, field).is_empty() {
                errors.forbidden(&list.index(i).child(field), FORBIDDEN_DETAIL);
            }
        }
    }
}

/// `validateContainerOnlyForPod`: templates may have an image that is padded, pods may not.
pub(crate) fn image_whitespace(container: &Value, path: &Path, errors: &mut Errors) {
    let image = get::text(container, "image");
    if image.trim().len() != image.len() {
        errors.invalid(&path.child("image"), image, "must not have leading or trailing whitespace");
    }
}
