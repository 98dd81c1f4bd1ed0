//! What a definition must be, new, changed, and in its status. Upstream: `apis/apiextensions/validation/validation.go`.
//! Schemas are judged in `schema`, conversion in `conversion`.

use model::field::{Errors, Path, is_printable};
use model::name::{Prefix, is_dns1035_label, is_dns1123_subdomain, name_is_dns_subdomain};
use model::{Value, meta, repeats};
use schema::Structural;
use schema::object_meta;
use schema::structural::{format, supported};

use super::old::Demands;
use super::schema::{How, validate as validate_schema};
use super::spec::{Spec, Version, open_api};
use super::{conversion, internal, selectable, walk};
use crate::hooks::rules::get;

/// Longest deprecation warning.
const WARNING_BYTES_MAX: usize = 256;
/// Types of printer columns, sorted.
const COLUMN_TYPES: &str = "boolean,date,integer,number,string";
/// Formats of printer columns, sorted.
const COLUMN_FORMATS: [&str; 8] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
/// Who approved an API of the community's groups.
const APPROVED: &str = "api-approved.kubernetes.io";
/// What is said of a field that may not change.
const IMMUTABLE: &str = "field is immutable";

pub(super) fn create(object: &Value, errors: &mut Errors) {
    whole(object, None, &Demands::on_new(), errors);
}

pub(super) fn update(new: &Value, old: &Value, errors: &mut Errors) {
    object_meta::validate_update(new, old, errors);
    whole(new, Some(old), &Demands::on_update(new, old), errors);
}

pub(super) fn status(new: &Value, old: &Value, errors: &mut Errors) {
    object_meta::validate_update(new, old, errors);
    names(get::at(new, "status.acceptedNames"), &Path::new("status").child("acceptedNames"), errors);
}

/// A definition is named after what it defines.
pub(super) fn name(object: &Value, name: &str, prefix: Prefix) -> Vec<String> {
    let spec = get::at(object, "spec");
    let mut wrong = name_is_dns_subdomain(name, prefix);
    if name != format!("{}.{}", get::text(get::at(spec, "names"), "plural"), get::text(spec, "group")) {
        wrong.push(r#"must be spec.names.plural+"."+spec.group"#.to_owned());
    }
    wrong
}

fn whole(object: &Value, old: Option<&Value>, demands: &Demands, errors: &mut Errors) {
    let spec = Spec::of(object);
    let path = Path::new("spec");
    validate_spec(&spec, demands, &path, errors);
    if let Some(old) = old {
        let before = get::at(old, "spec");
        let mut same = |field: &str, holds: bool| {
            let (parent, last) = field.rsplit_once('.').map_or((spec.written, field), |(p, l)| (get::at(spec.written, p), l));
            let was = field.rsplit_once('.').map_or(before, |(p, _)| get::at(before, p));
            if holds && get::text(parent, last) != get::text(was, last) {
                errors.invalid(&path.child(field), get::text(parent, last), IMMUTABLE);
            }
        };
        same("scope", demands.immutable_names);
        same("names.kind", demands.immutable_names);
        same("group", true);
        same("names.plural", true);
    }
    names(get::at(object, "status.acceptedNames"), &Path::new("status").child("acceptedNames"), errors);
    stored_versions(object, &spec, errors);
    approval(object, old, errors);
    let preserved = |object| get::is(get::at(object, "spec"), "preserveUnknownFields");
    if preserved(object) && !old.is_some_and(preserved) {
        let detail = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.invalid(&path.child("preserveUnknownFields"), true, detail);
    }
}

fn validate_spec(spec: &Spec<'_>, demands: &Demands, path: &Path<'_>, errors: &mut Errors) {
    let written = spec.written;
    group(get::text(written, "group"), &path.child("group"), errors);
    match get::text(written, "scope") {
        "" => errors.required(&path.child("scope"), ""),
        "Cluster" | "Namespaced" => {}
        other => errors.not_supported_plain(&path.child("scope"), other, &["Cluster", "Namespaced"]),
    }
    let preserved = get::is(written, "preserveUnknownFields");
    schemas_present(spec, demands, preserved, path, errors);
    let has = |such: &dyn Fn(&Value) -> bool| spec.schemas().any(|schema| walk::has(schema, such));
    let defaults = has(&|schema| schema.get("default").is_some());
    if defaults && preserved {
        let detail = "must be false in order to use defaults in the schema";
        errors.invalid(&path.child("preserveUnknownFields"), true, detail);
    }
    let structural = demands.structural || !preserved || defaults || has(&has_extensions);
    let how = |version: &str, status: bool| How { demands, status, structural, bounded: !demands.unchanged.contains(version) };
    let list = path.child("versions");
    for (i, version) in spec.versions.iter().enumerate() {
        let here = list.index(i);
        invalid_label(version.name(), &here.child("name"), errors);
        validate_version(version, &how(version.name(), spec.has_status(version.name())), &here, errors);
    }
    versions(spec, &list, errors);
    if !spec.version().is_empty() {
        invalid_label(spec.version(), &path.child("version"), errors);
    }
    let naming = get::at(written, "names");
    let here = path.child("names");
    for field in ["plural", "singular", "kind", "listKind"] {
        if get::text(naming, field).is_empty() {
            errors.required(&here.child(field), "");
        }
    }
    names(naming, &here, errors);
    validate_schema(spec.validation, &how(spec.version(), spec.has_any_status()), &path.child("validation"), errors);
    subresources(spec.subresources, &path.child("subresources"), errors);
    columns(spec.columns, &path.child("additionalPrinterColumns"), errors);
    shared_selectable(spec, demands, path, errors);
    conversion::validate(written, demands, &path.child("conversion"), errors);
}

fn invalid_label(text: &str, path: &Path<'_>, errors: &mut Errors) {
    let wrong = is_dns1035_label(text);
    if !wrong.is_empty() {
        errors.invalid(path, text, wrong.join(","));
    }
}

fn group(group: &str, path: &Path<'_>, errors: &mut Errors) {
    let wrong = is_dns1123_subdomain(group);
    if group.is_empty() {
        errors.required(path, "");
    } else if !wrong.is_empty() {
        errors.invalid(path, group, wrong.join(","));
    } else if !group.contains('.') {
        errors.invalid(path, group, "should be a domain with at least one dot");
    }
}

fn schemas_present(spec: &Spec<'_>, demands: &Demands, preserved: bool, path: &Path<'_>, errors: &mut Errors) {
    if spec.validation.and_then(open_api).is_some() {
        return;
    }
    let list = path.child("versions");
    for (i, version) in spec.versions.iter().enumerate().filter(|(_, version)| version.schema.and_then(open_api).is_none()) {
        let here = list.index(i);
        let field = here.child("schema.openAPIV3Schema");
        if demands.open_api_schema {
            errors.required(&field, "");
        } else if !preserved && get::is(version.written, "served") {
            errors.required(&field, "because otherwise all fields are pruned");
        }
    }
}

fn has_extensions(schema: &Value) -> bool {
    let flags = ["x-kubernetes-embedded-resource", "x-kubernetes-int-or-string"];
    let lists = ["x-kubernetes-list-map-keys", "x-kubernetes-validations"];
    flags.iter().any(|flag| get::is(schema, flag))
        || lists.iter().any(|list| !get::list(schema, list).is_empty())
        || schema.get("x-kubernetes-preserve-unknown-fields").is_some()
        || schema.get("x-kubernetes-list-type").is_some()
}

fn versions(spec: &Spec<'_>, path: &Path<'_>, errors: &mut Errors) {
    if repeats(spec.versions.iter().map(|version| version.name())).contains(&true) {
        errors.invalid(path, internal::versions(spec), "must contain unique version names");
    }
    if spec.versions.iter().filter(|version| get::is(version.written, "storage")).count() != 1 {
        errors.invalid(path, internal::versions(spec), "must have exactly one version marked as storage version");
    }
}

fn validate_version(version: &Version<'_>, how: &How<'_>, path: &Path<'_>, errors: &mut Errors) {
    deprecation(version.written, &path.child("deprecationWarning"), errors);
    validate_schema(version.schema, how, &path.child("schema"), errors);
    subresources(version.subresources, &path.child("subresources"), errors);
    columns(version.columns, &path.child("additionalPrinterColumns"), errors);
    if version.selectable.is_empty() {
        return;
    }
    let here = path.child("selectableFields");
    match version.schema.and_then(open_api) {
        None => errors.invalid(&here, "", "may only be set when `version.schema.openAPIV3Schema` is not included"),
        Some(schema) => selectable_of(version.selectable, schema, how.demands, version.name(), path, errors),
    }
}

/// Selectable fields that all versions share.
fn shared_selectable(spec: &Spec<'_>, demands: &Demands, path: &Path<'_>, errors: &mut Errors) {
    if spec.selectable.is_empty() {
        return;
    }
    match spec.validation {
        None => errors.invalid(&path.child("selectableFields"), "", "may only be set when validations.schema is included"),
        Some(validation) => {
            let Some(schema) = open_api(validation) else { return };
            selectable_of(spec.selectable, schema, demands, "", path, errors);
        }
    }
}

fn selectable_of(fields: &[Value], schema: &Value, demands: &Demands, version: &str, path: &Path<'_>, errors: &mut Errors) {
    if let Err(fault) = supported(schema) {
        errors.invalid(&path.child("schema.openAPIV3Schema"), "", fault);
    }
    // The paths are read all the same; in no schema there is no field to which they lead.
    if let Ok(parsed) = Structural::parse(schema).or_else(|_| Structural::parse(&Value::Null)) {
        selectable::validate(fields, &parsed, demands, version, &path.child("selectableFields"), errors);
    }
}

fn deprecation(version: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(warning) = get::string(version, "deprecationWarning") else { return };
    if !get::is(version, "deprecated") {
        return errors.invalid_named(path, warning, "can only be set for deprecated versions");
    }
    if warning.len() > WARNING_BYTES_MAX {
        errors.invalid_named(path, warning, "must be <= 256 characters long");
    }
    if warning.is_empty() {
        errors.invalid(path, warning, "must not be an empty string");
    }
    if let Some((at, _)) = warning.char_indices().find(|(_, c)| !is_printable(*c)) {
        let detail = format!("must only contain printable UTF-8 characters; non-printable character found at index {at}");
        errors.invalid_named(path, warning, detail);
    }
}

fn subresources(all: Option<&Value>, path: &Path<'_>, errors: &mut Errors) {
    let Some(scale) = all.and_then(|all| get::object(all, "scale")) else { return };
    let path = path.child("scale");
    let mut required = |field: &str, below: &str, words: &str| {
        let (text, here) = (get::text(scale, field), path.child(field));
        if text.is_empty() { errors.required(&here, "") } else { path_below(text, &[below], words, &here, errors) }
    };
    required("specReplicasPath", ".spec.", "should be a json path under .spec");
    required("statusReplicasPath", ".status.", "should be a json path under .status");
    let selector = get::text(scale, "labelSelectorPath");
    if !selector.is_empty() {
        let words = "should be a json path under either .spec or .status";
        path_below(selector, &[".spec.", ".status."], words, &path.child("labelSelectorPath"), errors);
    }
}

fn path_below(text: &str, starts: &[&str], words: &str, path: &Path<'_>, errors: &mut Errors) {
    if !text.starts_with('.') {
        errors.invalid(path, text, "must be a simple json path starting with .");
    } else if !starts.iter().any(|start| text.starts_with(start)) {
        errors.invalid(path, text, words);
    }
}

fn columns(columns: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (i, column) in columns.iter().enumerate() {
        let here = path.index(i);
        if get::text(column, "name").is_empty() {
            errors.required(&here.child("name"), "");
        }
        let (kind, detail) = (get::text(column, "type"), format!("must be one of {COLUMN_TYPES}"));
        if kind.is_empty() {
            errors.required(&here.child("type"), detail);
        } else if !COLUMN_TYPES.split(',').any(|known| known == kind) {
            errors.invalid(&here.child("type"), kind, detail);
        }
        let format = get::text(column, "format");
        if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
            errors.invalid(&here.child("format"), format, format!("must be one of {}", COLUMN_FORMATS.join(",")));
        }
        let (text, field) = (get::text(column, "jsonPath"), here.child("JSONPath"));
        if text.is_empty() {
            errors.required(&field, "");
        } else if !text.starts_with('.') {
            errors.invalid(&field, text, "must be a simple json path starting with .");
        }
    }
}

fn names(names: &Value, path: &Path<'_>, errors: &mut Errors) {
    for field in ["plural", "singular"] {
        let text = get::text(names, field);
        if !text.is_empty() {
            invalid_label(text, &path.child(field), errors);
        }
    }
    for field in ["kind", "listKind"] {
        let text = get::text(names, field);
        let wrong = is_dns1035_label(&text.to_lowercase());
        if !text.is_empty() && !wrong.is_empty() {
            let detail = format!("may have mixed case, but should otherwise match: {}", wrong.join(","));
            errors.invalid(&path.child(field), text, detail);
        }
    }
    let mut each = |field: &str| {
        let list = path.child(field);
        for (i, text) in get::strings(names, field).enumerate() {
            invalid_label(text, &list.index(i), errors);
        }
    };
    each("shortNames");
    let (kind, list_kind) = (get::text(names, "kind"), get::text(names, "listKind"));
    if !kind.is_empty() && kind == list_kind {
        errors.invalid(&path.child("listKind"), list_kind, "kind and listKind may not be the same");
    }
    let list = path.child("categories");
    for (i, text) in get::strings(names, "categories").enumerate() {
        invalid_label(text, &list.index(i), errors);
    }
}

/// No version may go while objects may be stored in it.
fn stored_versions(object: &Value, spec: &Spec<'_>, errors: &mut Errors) {
    let status = Path::new("status");
    let path = status.child("storedVersions");
    let stored = get::list(get::at(object, "status"), "storedVersions");
    if stored.is_empty() {
        return errors.invalid(
            &path,
            get::raw(get::at(object, "status"), "storedVersions"),
            "must have at least one stored version",
        );
    }
    let mut left: Vec<(usize, &str)> = stored.iter().map(|name| name.as_str().unwrap_or("")).enumerate().collect();
    for version in &spec.versions {
        let before = left.len();
        left.retain(|(_, name)| *name != version.name());
        // A version that comes a second time finds its name gone.
        if get::is(version.written, "storage") && left.len() == before {
            errors.invalid(&path, stored.to_vec(), format!("must have the storage version {}", version.name()));
        }
    }
    for (i, name) in left {
        let detail = format!(
            "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
        );
        errors.invalid(&path.index(i), name, detail);
    }
}

/// Whether the community approved an API of its groups.
#[derive(Clone, Copy, PartialEq)]
enum Approval {
    Missing,
    Invalid,
    Approved,
    Bypassed,
}

fn approval(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let group = get::text(get::at(object, "spec"), "group");
    let protected = ["k8s.io", "kubernetes.io"].iter().any(|own| group.strip_suffix(own).is_some_and(is_below));
    let state = approval_of(object);
    if !protected || old.is_some_and(|old| approval_of(old) == state) {
        return;
    }
    let metadata = Path::new("metadata");
    let annotations = metadata.child("annotations");
    let path = annotations.key(APPROVED);
    let detail = |how: &str| {
        format!(
            r#"protected groups must have approval annotation "{APPROVED}"{how}, see https://github.com/kubernetes/enhancements/pull/1111"#
        )
    };
    match state {
        Approval::Missing => errors.required(&path, detail("")),
        Approval::Invalid => {
            let how = r#" with either a URL or a reason starting with "unapproved""#;
            errors.invalid(&path, meta::annotation(object, APPROVED).unwrap_or(""), detail(how));
        }
        Approval::Approved | Approval::Bypassed => {}
    }
}

fn is_below(rest: &str) -> bool {
    rest.is_empty() || rest.ends_with('.')
}

fn approval_of(object: &Value) -> Approval {
    let text = meta::annotation(object, APPROVED).unwrap_or("");
    let has_host =
        text.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty() && !rest.starts_with('/'));
    match text {
        "" => Approval::Missing,
        text if text.starts_with("unapproved") => Approval::Bypassed,
        text if has_host && format::is_uri(text) => Approval::Approved,
        _ => Approval::Invalid,
    }
}
