//! The rules that upstream's types carry as tags (declarative validation), applied from a table. Runs after a kind's own
//! rules, whose faults it supersedes where both find the same one.
//! Holds no rule of any kind: the table is `data/declarative.txt`. Follows `apimachinery/pkg/api/validate` and
//! `apiserver/pkg/registry/rest/validate.go`.

mod check;
mod format;
mod read;

use std::sync::LazyLock;

use model::Value;
use model::field::{Error, Errors, Path};
use schema::Types;

use crate::resource::Resource;
use check::Walk;
pub use read::ReadError;
use read::Table;

static TABLE: LazyLock<Result<Table, ReadError>> = LazyLock::new(|| Table::parse(include_str!("../data/declarative.txt")));

/// Options that rules hang on, and whether they are on: the defaults of 1.37. All others are off.
const ON: &[&str] = &["HPAScaleToZero"];

/// Reads the table, so that a mistake in it is found at the start.
///
/// # Errors
/// A line that cannot be read.
pub(crate) fn ready() -> Result<(), ReadError> {
    TABLE.as_ref().map(|_| ()).map_err(Clone::clone)
}

/// Judges an object of a resource in the version of the request, against the stored one on an update. `subresource` is
/// empty for the object itself. `errors` holds what the kind's own rules found.
pub fn validate(types: &Types, resource: &Resource, subresource: &str, new: &Value, old: Option<&Value>, errors: &mut Errors) {
    let Ok(table) = TABLE.as_ref() else { return };
    let Some(root) = table.root(&resource.api_version(), &resource.gvk.kind, subresource) else { return };
    let mut found = Errors::new();
    let walk = Walk { table, types, updates: old.is_some() };
    walk.of_type(root, resource.shape.struct_type(), new, old, &Path::default(), &mut found);
    if found.is_empty() {
        return;
    }
    // Upstream marks those of its written rules that have a declared counterpart; where both speak of one field with one
    // kind of fault, they are such a pair.
    errors.0.retain(|written| !found.0.iter().any(|declared| is_pair(written, declared)));
    errors.0.append(&mut found.0);
}

/// Whether a declared rule speaks for a written one.
fn is_pair(written: &Error, declared: &Error) -> bool {
    // A rule about two fields, which no type can declare.
    const WRITTEN_ONLY: &str = "must be greater than or equal to `minReplicas`";
    // Of one field, form and change are two rules.
    let of_change = |error: &Error| error.detail.starts_with("field is immutable") || error.detail.starts_with("field cannot be");
    declared.fault == written.fault
        && declared.field == written.field
        && of_change(declared) == of_change(written)
        && written.detail != WRITTEN_ONLY
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;
    use crate::Catalog;

    fn found(group: &str, kind: &str, new: Value, old: Option<Value>) -> Vec<String> {
        let catalog = Catalog::builtin().expect("tables");
        let resource = catalog.by_kind(group, "v1", kind).expect("served");
        let mut errors = Errors::new();
        errors.required(&Path::new("spec").child("policyName"), "by hand");
        validate(&catalog.types, resource, "", &new, old.as_ref(), &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_declared_fault_takes_the_place_of_the_written_one() {
        let faults = found("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", json!({"spec": {}}), None);
        assert_eq!(faults, ["spec.policyName: Required value", "spec.validationActions: Required value"]);
    }

    #[test]
    fn what_did_not_change_is_not_judged_again() {
        let object = |provisioner: &str| json!({"provisioner": provisioner, "parameters": {"a": "1"}});
        let faults = found("storage.k8s.io", "StorageClass", object(""), Some(object("")));
        assert_eq!(faults, ["spec.policyName: Required value: by hand"]);
        let faults = found("storage.k8s.io", "StorageClass", object("b"), Some(object("a")));
        assert_eq!(faults[1..], ["provisioner: Invalid value: null: field is immutable"]);
    }

    #[test]
    fn lists_are_judged_by_key() {
        let claim = |names: &[&str]| {
            let requests: Vec<Value> = names
                .iter()
                .map(|name| json!({"exactly": {"deviceClassName": "c", "allocationMode": "Some"}, "name": name}))
                .collect();
            json!({"metadata": {}, "spec": {"devices": {"requests": requests}}})
        };
        let faults = found("resource.k8s.io", "ResourceClaim", claim(&["a", "a"]), None);
        assert_eq!(
            faults[1..],
            [
                "spec.devices.requests[1]: Duplicate value: {\"name\":\"a\",\"exactly\":{\"deviceClassName\":\"c\",\"allocationMode\":\"Some\"}}",
                "spec.devices.requests[0].exactly.allocationMode: Unsupported value: \"Some\": supported values: \"All\", \"ExactCount\"",
                "spec.devices.requests[1].exactly.allocationMode: Unsupported value: \"Some\": supported values: \"All\", \"ExactCount\""
            ]
        );
    }
}
