//! PodTemplates. Follows `pkg/registry/core/podtemplate`.

use model::Value;
use model::field::{Errors, Path};

use super::rules::{equal, get};
use super::{Hooks, pod_template};

/// The hooks of PodTemplates.
pub(super) const HOOKS: Hooks = Hooks {
    default: Some(|object| pod_template::default(object, "template")),
    prepare_create: Some(|object| pod_template::prepare(object, "template")),
    prepare_update: Some(|object, _| pod_template::prepare(object, "template")),
    validate: Some(|new, errors| validate(new, None, errors)),
    validate_update: Some(|new, old, errors| validate(new, Some(old), errors)),
    warnings: Some(warnings),
    ..Hooks::NONE
};

fn validate(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let template = get::at(object, "template");
    let old = old.map(|old| get::at(old, "template"));
    pod_template::leniently(old, errors, |options, errors| {
        pod_template::validate(template, options, &Path::new("template"), errors)
    });
}

fn warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    match old {
        Some(old) if equal::semantic("template", object.get("template"), old.get("template")) => Vec::new(),
        _ => pod_template::warnings(object, "template"),
    }
}
