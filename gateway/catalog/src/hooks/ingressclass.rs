//! IngressClass. Upstream: `pkg/apis/networking/{v1/defaults.go,validation}`.

use model::field::{Errors, Path};
use model::{Value, name};

use super::Hooks;
use super::ingress::validate_reference;
use super::rules::{get, number, text};

/// `maxLenIngressClassController`, in bytes.
const CONTROLLER_BYTES_MAX: usize = 250;

pub(super) const HOOKS: Hooks =
    Hooks { default: Some(default), validate: Some(validate), validate_update: Some(validate_update), ..Hooks::NONE };

fn default(object: &mut Value) {
    if get::object(get::at(object, "spec"), "parameters").is_none() {
        return;
    }
    if let Some(parameters) = object.pointer_mut("/spec/parameters") {
        get::default_pointer(parameters, "scope", "Cluster");
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (get::at(object, "spec"), Path::new("spec"));
    let controller = get::text(spec, "controller");
    if controller.len() > CONTROLLER_BYTES_MAX {
        errors.too_long(&path.child("controller"), CONTROLLER_BYTES_MAX);
    }
    name::domain_prefixed_path(controller, &path.child("controller"), errors);
    let Some(parameters) = get::object(spec, "parameters") else { return };
    let path = path.child("parameters");
    validate_reference(parameters, &path, errors);
    validate_scope(parameters, &path, errors);
}

fn validate_scope(parameters: &Value, path: &Path, errors: &mut Errors) {
    let (namespace, field) = (get::string(parameters, "namespace"), path.child("namespace"));
    match (get::string(parameters, "scope"), namespace) {
        (None, _) => errors.required(&path.child("scope"), ""),
        (Some("Namespace"), None) => errors.required(&field, "`parameters.scope` is set to 'Namespace'"),
        (Some("Namespace"), Some(namespace)) => text::invalid_each(namespace, name::is_dns1123_label(namespace), &field, errors),
        (Some("Cluster"), Some(_)) => errors.forbidden(&field, "`parameters.scope` is set to 'Cluster'"),
        (Some("Cluster"), None) => {}
        (Some(scope), _) => errors.not_supported_plain(&path.child("scope"), scope, &["Cluster", "Namespace"]),
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    number::immutable_text(get::at(new, "spec"), get::at(old, "spec"), "controller", &Path::new("spec"), errors);
    validate(new, errors);
}
