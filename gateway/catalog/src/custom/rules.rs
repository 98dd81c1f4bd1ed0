//! What is judged of every custom resource's object, whatever its kind. Follows the strategies in
//! `apiextensions-apiserver/pkg/registry/customresource`. Metadata is the path's, the schema's own rules are `schema`'s.

use model::field::{Errors, Path, quote};
use model::name::is_qualified_name;
use model::{GroupVersionKind, Value, meta};
use schema::structural::Part;

use super::Custom;
use crate::hooks::Hooks;

/// Finalizers that need no domain.
const STANDARD: [&str; 3] = ["orphan", "foregroundDeletion", "kubernetes"];

/// The hooks of every custom resource.
pub(super) static HOOKS: Hooks = Hooks { warnings: Some(warnings), ..Hooks::NONE };

/// Judges an object; `old` is what it takes the place of. Gives what is only warned of.
pub fn validate(
    custom: &Custom,
    kind: &GroupVersionKind,
    part: Part,
    (new, old): (&Value, Option<&Value>),
    errors: &mut Errors,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let before = errors.0.len();
    validate_kind(kind, new, errors);
    if errors.0.len() > before {
        return warnings;
    }
    let schema = custom.definition.schema(&kind.version);
    if let Some(schema) = schema {
        schema.validate_values(part, new, old, errors);
    }
    if let Some(scale) = &custom.scale {
        if part == Part::Whole {
            scale.validate_spec(new, errors);
        }
        scale.validate_status(new, errors);
    }
    if let Some(schema) = schema {
        schema.validate_invariants(part, new, old, errors, &mut warnings);
    }
    warnings
}

/// `ValidateTypeMeta`
fn validate_kind(kind: &GroupVersionKind, object: &Value, errors: &mut Errors) {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or("");
    if text("kind") != &*kind.kind {
        errors.invalid(&Path::new("kind"), text("kind"), format!("must be {}", kind.kind));
    }
    if text("apiVersion") != kind.api_version() {
        errors.invalid(&Path::new("apiVersion"), text("apiVersion"), format!("must be {}", kind.api_version()));
    }
}

/// Of finalizers that came with this write.
fn warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let known = old.map(meta::finalizers).unwrap_or_default();
    let mut added: Vec<&str> = meta::finalizers(new).into_iter().filter(|finalizer| !known.contains(finalizer)).collect();
    added.sort_unstable();
    added.dedup();
    added.into_iter().flat_map(finalizer_warnings).collect()
}

fn finalizer_warnings(finalizer: &str) -> Vec<String> {
    let quoted = quote(finalizer);
    let mut all: Vec<String> =
        is_qualified_name(finalizer).into_iter().map(|why| format!("metadata.finalizers: {quoted}: {why}")).collect();
    if !finalizer.contains('/') && !STANDARD.contains(&finalizer) {
        let path = if finalizer.contains('.') { " including a path (/)" } else { "" };
        all.push(format!(
            "metadata.finalizers: {quoted}: prefer a domain-qualified finalizer name{path} to avoid accidental conflicts with other finalizer writers"
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn new_finalizers_without_a_domain_are_warned_of() {
        let old = json!({"metadata": {"finalizers": ["old"]}});
        let new = json!({"metadata": {"finalizers": ["old", "plain", "a.example.com", "a.example.com/b", "orphan"]}});
        assert_eq!(
            warnings(&new, Some(&old)),
            [
                "metadata.finalizers: \"a.example.com\": prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers",
                "metadata.finalizers: \"plain\": prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers",
            ]
        );
    }

    #[test]
    fn an_object_must_be_of_its_kind() {
        let mut errors = Errors::new();
        let kind = GroupVersionKind::new("stable.example.com", "v1", "CronTab");
        validate_kind(&kind, &json!({"apiVersion": "stable.example.com/v1", "kind": "Other"}), &mut errors);
        assert_eq!(errors.0[0].to_string(), "kind: Invalid value: \"Other\": must be CronTab");
    }
}
