//! The `binding` subresource: which node a pod goes to. Follows `ValidatePodBinding`.

use model::Value;
use model::field::{Errors, Path};

use super::super::rules::{get, text};

/// `ValidatePodBinding`.
pub fn validate(binding: &Value, errors: &mut Errors) {
    let target = get::at(binding, "target");
    let (kind, name) = (get::text(target, "kind"), get::text(target, "name"));
    let path = Path::new("target");
    let is_node = kind.is_empty() || kind == "Node";
    if !is_node {
        errors.not_supported_plain(&path.child("kind"), kind, &["Node", "<empty>"]);
    }
    if name.is_empty() {
        errors.required(&path.child("name"), "");
    } else if is_node {
        text::dns_subdomain(name, &path.child("name"), errors);
    }
}
