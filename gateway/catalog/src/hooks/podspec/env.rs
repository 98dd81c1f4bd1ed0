//! Environment variables of a container, and the references into the pod that volumes share with them.
//! Follows `ValidateEnv`, `ValidateEnvFrom`.

use model::Value;
use model::field::{Errors, Path};
use model::name;
use model::quantity::Quantity;

use super::super::rules::path::no_backsteps;
use super::super::rules::{get, text};

/// Field paths that a variable may show. Sorted.
const FIELD_PATHS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Every field path that the downward API knows, whether or not it may be shown in the place at hand.
const KNOWN_FIELD_PATHS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Amounts of a container that may be shown. Sorted.
const RESOURCES: &[&str] =
    &["limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"];

const DIVISORS: &[&str] = &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];

/// `ValidateEnv`.
pub(super) fn validate(container: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("env");
    for (i, variable) in get::list(container, "env").iter().enumerate() {
        let path = path.index(i);
        let name = get::text(variable, "name");
        if name.is_empty() {
            errors.required(&path.child("name"), "");
        } else {
            text::invalid_each(name, name::is_relaxed_env_var_name(name), &path.child("name"), errors);
        }
        if let Some(from) = get::object(variable, "valueFrom") {
            value_from(from, get::text(variable, "value"), &path.child("valueFrom"), errors);
        }
    }
}

fn value_from(from: &Value, value: &str, path: &Path, errors: &mut Errors) {
    let mut sources = 0;
    if let Some(field) = get::object(from, "fieldRef") {
        sources += 1;
        field_selector(field, FIELD_PATHS, &path.child("fieldRef"), errors);
    }
    if let Some(resource) = get::object(from, "resourceFieldRef") {
        sources += 1;
        resource_field_selector(resource, Container::Own, &path.child("resourceFieldRef"), errors);
    }
    for field in ["configMapKeyRef", "secretKeyRef"] {
        if let Some(selector) = get::object(from, field) {
            sources += 1;
            key_selector(selector, &path.child(field), errors);
        }
    }
    if let Some(file) = get::object(from, "fileKeyRef") {
        sources += 1;
        file_key_selector(file, &path.child("fileKeyRef"), errors);
    }
    if sources == 0 {
        let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
        errors.invalid(path, "", detail);
    } else if !value.is_empty() {
        errors.invalid(path, "", "may not be specified when `value` is not empty");
    } else if sources > 1 {
        errors.invalid(path, "", "may not have more than one field specified at a time");
    }
}

/// `validateObjectFieldSelector`.
pub(super) fn field_selector(selector: &Value, allowed: &[&str], path: &Path, errors: &mut Errors) {
    let (version, field) = (get::text(selector, "apiVersion"), get::text(selector, "fieldPath"));
    if version.is_empty() {
        return errors.required(&path.child("apiVersion"), "");
    }
    if field.is_empty() {
        return errors.required(&path.child("fieldPath"), "");
    }
    let subscript = split_subscript(field);
    if let Err(reason) = known_field(version, field, subscript) {
        return errors.invalid(&path.child("fieldPath"), field, format!("error converting fieldPath: {reason}"));
    }
    match subscript {
        Some(("metadata.annotations", key)) => text::qualified_name(&key.to_lowercase(), path, errors),
        Some(("metadata.labels", key)) => text::qualified_name(key, path, errors),
        Some((whole, _)) => errors.invalid(path, whole, "does not support subscript"),
        None => {
            let field = if field == "spec.host" { "spec.nodeName" } else { field };
            text::plain_one_of(field, allowed, &path.child("fieldPath"), errors);
        }
    }
}

/// `ConvertDownwardAPIFieldLabel`.
fn known_field(version: &str, field: &str, subscript: Option<(&str, &str)>) -> Result<(), String> {
    match subscript {
        _ if version != "v1" => Err(format!("unsupported pod version: {version}")),
        Some(("metadata.annotations" | "metadata.labels", _)) => Ok(()),
        Some(_) => Err(format!("field label does not support subscript: {field}")),
        None if KNOWN_FIELD_PATHS.contains(&field) || field == "spec.host" => Ok(()),
        None => Err(format!("field label not supported: {field}")),
    }
}

/// `metadata.labels['a']` as its two parts.
fn split_subscript(field: &str) -> Option<(&str, &str)> {
    let (whole, rest) = field.split_once("['")?;
    let key = rest.strip_suffix("']")?;
    (!whole.is_empty()).then_some((whole, key))
}

/// Whose amounts a reference shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// Those of the container that has the variable.
    Own,
    /// Those of the container that is named, as in a volume.
    Named,
}

/// `validateContainerResourceFieldSelector`.
pub(super) fn resource_field_selector(selector: &Value, container: Container, path: &Path, errors: &mut Errors) {
    let resource = get::text(selector, "resource");
    if container == Container::Named && get::text(selector, "containerName").is_empty() {
        errors.required(&path.child("containerName"), "");
    } else if resource.is_empty() {
        errors.required(&path.child("resource"), "");
    } else if !is_hugepages(resource) {
        text::plain_one_of(resource, RESOURCES, &path.child("resource"), errors);
    }
    divisor(resource, get::text(selector, "divisor"), path, errors);
}

fn is_hugepages(resource: &str) -> bool {
    resource.starts_with("limits.hugepages-") || resource.starts_with("requests.hugepages-")
}

fn divisor(resource: &str, divisor: &str, path: &Path, errors: &mut Errors) {
    if Quantity::parse(divisor).is_ok_and(|amount| amount.is_zero()) || divisor.is_empty() {
        return;
    }
    let shown = match resource {
        "limits.cpu" | "requests.cpu" => {
            if !["1m", "1"].contains(&divisor) {
                errors.invalid(
                    &path.child("divisor"),
                    resource,
                    "only divisor's values 1m and 1 are supported with the cpu resource",
                );
            }
            return;
        }
        "limits.memory" | "requests.memory" => "memory",
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => "local ephemeral storage",
        _ if is_hugepages(resource) => "hugepages",
        _ => return,
    };
    if !DIVISORS.contains(&divisor) {
        errors.invalid(
            &path.child("divisor"),
            resource,
            format!("only divisor's values {} are supported with the {shown} resource", DIVISORS.join(", ")),
        );
    }
}

fn key_selector(selector: &Value, path: &Path, errors: &mut Errors) {
    text::dns_subdomain(get::text(selector, "name"), &path.child("name"), errors);
    let key = get::text(selector, "key");
    if key.is_empty() {
        errors.required(&path.child("key"), "");
    } else {
        text::invalid_each(key, name::is_config_map_key(key), &path.child("key"), errors);
    }
}

fn file_key_selector(selector: &Value, path: &Path, errors: &mut Errors) {
    let (key, volume, file) = (get::text(selector, "key"), get::text(selector, "volumeName"), get::text(selector, "path"));
    if key.is_empty() {
        errors.required(&path.child("key"), "");
    } else {
        text::invalid_each(key, name::is_relaxed_env_var_name(key), &path.child("key"), errors);
    }
    if volume.is_empty() {
        errors.required(&path.child("volumeName"), "");
    } else {
        text::dns_label(volume, &path.child("volumeName"), errors);
    }
    if file.is_empty() {
        errors.required(&path.child("path"), "");
    } else {
        no_backsteps(file, &path.child("path"), errors);
    }
}

/// `ValidateEnvFrom`; what is wrong with the number of sources names the list.
pub(super) fn validate_from(container: &Value, path: &Path, errors: &mut Errors) {
    let list = path.child("envFrom");
    for (i, source) in get::list(container, "envFrom").iter().enumerate() {
        let path = list.index(i);
        let prefix = get::text(source, "prefix");
        if !prefix.is_empty() {
            text::invalid_each(prefix, name::is_relaxed_env_var_name(prefix), &path.child("prefix"), errors);
        }
        let mut sources = 0;
        for field in ["configMapRef", "secretRef"] {
            let Some(reference) = get::object(source, field) else { continue };
            sources += 1;
            let path = path.child(field);
            let name = get::text(reference, "name");
            if name.is_empty() {
                errors.required(&path.child("name"), "");
            } else {
                let wrong = name::name_is_dns_subdomain(name, name::Prefix::Yes);
                text::invalid_each(name, wrong, &path.child("name"), errors);
            }
        }
        if sources == 0 {
            errors.invalid(&list, "", "must specify one of: `configMapRef` or `secretRef`");
        } else if sources > 1 {
            errors.invalid(&list, "", "may not have more than one field specified at a time");
        }
    }
}

/// `validateFileKeyRefVolumes`: files of variables lie in volumes of type emptyDir.
pub(super) fn file_key_volumes(spec: &Value, path: &Path, errors: &mut Errors) {
    super::visit_containers(spec, path, &mut |container, path| {
        let env = path.child("env");
        for (i, variable) in get::list(container, "env").iter().enumerate() {
            let Some(file) = get::object(get::at(variable, "valueFrom"), "fileKeyRef") else { continue };
            let name = get::text(file, "volumeName");
            let path = env.index(i);
            let path = path.child("valueFrom.fileKeyRef.volumeName");
            // The last volume of a name counts, as in upstream's map.
            match get::list(spec, "volumes").iter().rev().find(|volume| get::text(volume, "name") == name) {
                None => errors.not_found(&path, name),
                Some(volume) if get::object(volume, "emptyDir").is_none() => {
                    errors.invalid(&path, name, "referenced volume must be of type emptyDir");
                }
                Some(_) => {}
            }
        }
    });
}
