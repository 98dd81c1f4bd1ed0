//! The spec of a PersistentVolumeClaim, which claims, volume templates of pods and StatefulSets share.
//! Follows `ValidatePersistentVolumeClaimSpec`.

use model::Value;
use model::field::{Errors, Path};
use model::quantity::Quantity;

use super::labels::Values;
use super::{get, labels, number, resource, text};

const ACCESS_MODES: &[&str] = &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
/// What a volume may look like to a container.
pub(crate) const VOLUME_MODES: &[&str] = &["Block", "Filesystem"];

/// What is tolerated because the stored claim already has it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// The selector may hold values that no label can have.
    pub(crate) selector_values: Values,
    /// `apiGroup` of the data sources may be malformed.
    pub(crate) any_api_group: bool,
}

/// `ValidatePersistentVolumeClaimSpec`.
pub(crate) fn spec(spec: &Value, options: Options, path: &Path, errors: &mut Errors) {
    access_modes_present(spec, path, errors);
    labels::selector(spec, "selector", options.selector_values, path, errors);
    access_modes(spec, path, errors);
    storage(spec, path, errors);
    class_name(spec, "storageClassName", path, errors);
    if let Some(mode) = get::string(spec, "volumeMode") {
        text::one_of(mode, VOLUME_MODES, &path.child("volumeMode"), errors);
    }
    data_sources(spec, options, path, errors);
    class_name(spec, "volumeAttributesClassName", path, errors);
}

fn access_modes_present(spec: &Value, path: &Path, errors: &mut Errors) {
    if get::list(spec, "accessModes").is_empty() {
        errors.required(&path.child("accessModes"), "at least 1 access mode is required");
    }
}

/// The modes that are known, and the one that tolerates no other.
pub(crate) fn access_modes(spec: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("accessModes");
    let (mut single, mut other) = (false, false);
    for mode in get::strings(spec, "accessModes") {
        let known = text::one_of(mode, ACCESS_MODES, &path, errors);
        single |= mode == "ReadWriteOncePod";
        other |= known && mode != "ReadWriteOncePod";
    }
    if single && other {
        errors.forbidden(&path, "may not use ReadWriteOncePod with other access modes");
    }
}

fn storage(spec: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("resources");
    let path = path.key("storage");
    match get::string(get::at(spec, "resources.requests"), "storage") {
        None => errors.required(&path, ""),
        Some(amount) => {
            if Quantity::parse(amount).is_ok_and(|amount| amount.sign() <= 0) {
                errors.invalid(&path, amount, number::NOT_POSITIVE);
            }
        }
    }
}

fn class_name(spec: &Value, field: &str, path: &Path, errors: &mut Errors) {
    let name = get::text(spec, field);
    if !name.is_empty() {
        text::dns_subdomain(name, &path.child(field), errors);
    }
}

fn data_sources(spec: &Value, options: Options, path: &Path, errors: &mut Errors) {
    let (source, reference) = (get::object(spec, "dataSource"), get::object(spec, "dataSourceRef"));
    if let Some(source) = source {
        data_source(source, options, &path.child("dataSource"), errors);
    }
    if let Some(reference) = reference {
        data_source(reference, options, &path.child("dataSourceRef"), errors);
        let namespace = get::text(reference, "namespace");
        if !namespace.is_empty() {
            text::dns_label(namespace, &path.child("dataSourceRef.namespace"), errors);
        }
    }
    let Some((source, reference)) = source.zip(reference) else { return };
    let same = |field: &str| get::string(source, field) == get::string(reference, field);
    // Upstream shows the path's struct here, which prints as an empty object.
    let shown = || Value::Object(model::Map::new());
    if !get::text(reference, "namespace").is_empty() {
        errors.invalid(path, shown(), "may not be specified when dataSourceRef.namespace is specified");
    } else if !(same("apiGroup") && same("kind") && same("name")) {
        errors.invalid(path, shown(), "must match dataSourceRef");
    }
}

fn data_source(source: &Value, options: Options, path: &Path, errors: &mut Errors) {
    let (kind, group) = (get::text(source, "kind"), get::text(source, "apiGroup"));
    text::required(get::text(source, "name"), &path.child("name"), errors);
    text::required(kind, &path.child("kind"), errors);
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        errors.invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
    }
    if !group.is_empty() && !options.any_api_group {
        text::dns_subdomain(group, &path.child("apiGroup"), errors);
    }
}

/// `GetWarningsForPersistentVolumeClaimSpec`: amounts of storage that are no whole bytes.
pub(crate) fn warnings(spec: &Value, path: &Path) -> Vec<String> {
    let mut warnings = Vec::new();
    for field in ["requests", "limits"] {
        let Some(amount) = get::string(get::at(spec, &format!("resources.{field}")), "storage") else { continue };
        if Quantity::parse(amount).is_ok_and(|amount| resource::is_fractional(&amount)) {
            let resources = path.child("resources");
            let at = resources.child(field);
            warnings.push(format!(
                "{}: fractional byte value {} is invalid, must be an integer",
                at.key("storage"),
                model::field::quote(amount)
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn found(edit: Value) -> Vec<String> {
        let mut value = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        for (field, new) in edit.as_object().expect("a map of fields") {
            value[field] = new.clone();
        }
        let mut errors = Errors::new();
        spec(&value, Options::default(), &Path::new("spec"), &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn claim_specs() {
        let none: [&str; 0] = [];
        assert_eq!(found(json!({})), none);
        assert_eq!(found(json!({"accessModes": []})), ["spec.accessModes: Required value: at least 1 access mode is required"]);
        assert_eq!(
            found(json!({"accessModes": ["ReadWriteOncePod", "ReadOnlyMany"]})),
            ["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"]
        );
        assert_eq!(
            found(json!({"accessModes": ["Often"]})),
            [
                "spec.accessModes: Unsupported value: \"Often\": supported values: \"ReadOnlyMany\", \"ReadWriteMany\", \"ReadWriteOnce\", \"ReadWriteOncePod\""
            ]
        );
        assert_eq!(found(json!({"resources": {}})), ["spec.resources[storage]: Required value"]);
        assert_eq!(
            found(json!({"resources": {"requests": {"storage": "0"}}})),
            ["spec.resources[storage]: Invalid value: \"0\": must be greater than zero"]
        );
        assert_eq!(
            found(json!({"dataSource": {"kind": "Pod", "name": "a"}})),
            ["spec.dataSource: Invalid value: \"Pod\": must be 'PersistentVolumeClaim' when referencing the default apiGroup"]
        );
        assert_eq!(
            found(json!({"volumeMode": "Tape"})),
            ["spec.volumeMode: Unsupported value: \"Tape\": supported values: \"Block\", \"Filesystem\""]
        );
    }
}
