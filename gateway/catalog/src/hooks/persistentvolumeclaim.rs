//! PersistentVolumeClaim. Upstream: `pkg/apis/core/validation` (`ValidatePersistentVolumeClaim…`),
//! `pkg/api/persistentvolumeclaim`, `pkg/registry/core/persistentvolumeclaim`.

use model::field::{Errors, Path};
use model::{Value, meta, name};
use serde_json::json;

use super::rules::labels::{self, Values};
use super::rules::{equal, get, number, resource, text};
use super::{Hooks, Selectable};

const ACCESS_MODES: &[&str] = &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

pub(super) const HOOKS: Hooks = Hooks {
    prepare_create: Some(|object| prepare(object, None)),
    prepare_update: Some(|new, old| prepare(new, Some(old))),
    validate: Some(|object, errors| validate_spec(get::at(object, "spec"), Values::Strict, &Path::new("spec"), errors)),
    validate_update: Some(validate_update),
    validate_status: Some(validate_status),
    // A slip of upstream's that clients may rely on.
    selectable: &[Selectable { field: "name", value: |object| meta::name(object).to_owned() }],
    ..Hooks::NONE
};

/// The two ways to name a source of data say the same; an old-style source of another kind is dropped, as it always was.
fn prepare(object: &mut Value, old: Option<&Value>) {
    if old.is_none() {
        get::set(object, "status", json!({"phase": "Pending"}));
    }
    let in_use = |object: &Value| {
        let spec = get::at(object, "spec");
        spec.get("dataSource").is_some() || spec.get("dataSourceRef").is_some()
    };
    let old_in_use = old.is_some_and(in_use);
    let Some(spec) = object.get_mut("spec") else { return };
    let source = get::at(spec, "dataSource");
    let known = matches!(
        (get::text(source, "kind"), get::text(source, "apiGroup")),
        ("PersistentVolumeClaim", "") | ("VolumeSnapshot", "snapshot.storage.k8s.io")
    );
    if !old_in_use && spec.get("dataSourceRef").is_none() && !known {
        get::remove(spec, "dataSource");
    }
    match (get::object(spec, "dataSource").cloned(), get::object(spec, "dataSourceRef").cloned()) {
        (Some(source), None) => get::set(spec, "dataSourceRef", source),
        (None, Some(reference)) if get::text(&reference, "namespace").is_empty() => {
            let mut source = reference;
            get::remove(&mut source, "namespace");
            get::set(spec, "dataSource", source);
        }
        _ => {}
    }
}

/// `ValidatePersistentVolumeClaimSpec`, which StatefulSet's claim templates and ephemeral volumes share.
pub(super) fn validate_spec(spec: &Value, values: Values, path: &Path, errors: &mut Errors) {
    validate_modes(spec, values, path, errors);
    let storage = path.child("resources");
    let storage = storage.key("storage");
    match get::at(spec, "resources.requests").get("storage") {
        None => errors.required(&storage, ""),
        Some(value) if resource::amount(value).sign() <= 0 => errors.invalid(&storage, value.clone(), number::NOT_POSITIVE),
        Some(_) => {}
    }
    for field in ["storageClassName", "volumeAttributesClassName"] {
        if field == "volumeAttributesClassName" {
            validate_sources(spec, path, errors);
        }
        let class = get::text(spec, field);
        if !class.is_empty() {
            text::dns_subdomain(class, &path.child(field), errors);
        }
    }
}

fn validate_modes(spec: &Value, values: Values, path: &Path, errors: &mut Errors) {
    let modes: Vec<&str> = get::strings(spec, "accessModes").collect();
    let field = path.child("accessModes");
    if modes.is_empty() {
        errors.required(&field, "at least 1 access mode is required");
    }
    labels::selector(spec, "selector", values, path, errors);
    for mode in &modes {
        text::one_of(mode, ACCESS_MODES, &field, errors);
    }
    let single = modes.contains(&"ReadWriteOncePod");
    if single && modes.iter().any(|mode| *mode != "ReadWriteOncePod" && ACCESS_MODES.contains(mode)) {
        errors.forbidden(&field, "may not use ReadWriteOncePod with other access modes");
    }
}

fn validate_sources(spec: &Value, path: &Path, errors: &mut Errors) {
    if let Some(mode) = get::string(spec, "volumeMode") {
        text::one_of(mode, &["Block", "Filesystem"], &path.child("volumeMode"), errors);
    }
    let (source, reference) = (get::object(spec, "dataSource"), get::object(spec, "dataSourceRef"));
    for (field, source) in [("dataSource", source), ("dataSourceRef", reference)] {
        if let Some(source) = source {
            validate_source(source, &path.child(field), errors);
        }
    }
    let (Some(source), Some(reference)) = (source, reference) else { return };
    let shown = path.child("dataSource").to_string();
    if !get::text(reference, "namespace").is_empty() {
        errors.invalid(path, shown, "may not be specified when dataSourceRef.namespace is specified");
    } else if ["apiGroup", "kind", "name"].iter().any(|f| get::string(source, f) != get::string(reference, f)) {
        errors.invalid(path, shown, "must match dataSourceRef");
    }
}

fn validate_source(source: &Value, path: &Path, errors: &mut Errors) {
    text::required(get::text(source, "name"), &path.child("name"), errors);
    let (kind, group) = (get::text(source, "kind"), get::text(source, "apiGroup"));
    text::required(kind, &path.child("kind"), errors);
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        errors.invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
    }
    if !group.is_empty() {
        text::dns_subdomain(group, &path.child("apiGroup"), errors);
    }
    let namespace = get::text(source, "namespace");
    if !namespace.is_empty() {
        text::invalid_each(namespace, name::is_dns1123_label(namespace), &path.child("namespace"), errors);
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    let lenient = labels::has_invalid_value(get::at(old, "spec.selector"));
    let values = if lenient { Values::Lenient } else { Values::Strict };
    validate_spec(get::at(new, "spec"), values, &Path::new("spec"), errors);
    let (mut a, b) = (get::raw(new, "spec"), get::raw(old, "spec"));
    forgive(&mut a, &b, new, old);
    if !equal::semantic("spec", Some(&b), Some(&a)) {
        errors.forbidden(
            &Path::new("spec"),
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n",
        );
    }
    validate_size(new, old, errors);
    number::immutable(get::at(new, "spec"), get::at(old, "spec"), "volumeMode", &Path::default(), errors);
    let class = get::string(get::at(new, "spec"), "volumeAttributesClassName");
    let changed = class != get::string(get::at(old, "spec"), "volumeAttributesClassName");
    if changed && get::at(old, "status").get("currentVolumeAttributesClassName").is_some() && class.unwrap_or("").is_empty() {
        let what = if class.is_none() { "nil" } else { "empty string" };
        let why = format!("update to {what} is forbidden when status.currentVolumeAttributesClassName is not nil");
        errors.forbidden(&Path::new("spec.volumeAttributesClassName"), why);
    }
}

/// Makes equal what may differ: the volume once, the class when it was not set, the size and attributes of a bound claim.
fn forgive(a: &mut Value, b: &Value, new: &Value, old: &Value) {
    if get::text(b, "volumeName").is_empty() {
        get::copy(a, b, "volumeName");
    }
    let annotated = meta::annotation(old, CLASS_ANNOTATION);
    let from_nil = get::string(b, "storageClassName").is_none() && get::string(a, "storageClassName").is_some();
    if from_nil && annotated.is_none_or(|class| get::text(a, "storageClassName") == class) {
        get::copy(a, b, "storageClassName");
    }
    if get::text(get::at(new, "status"), "phase") != "Bound" {
        return;
    }
    get::copy(a, b, "volumeAttributesClassName");
    if let Some(requests) = a.pointer_mut("/resources/requests") {
        get::copy(requests, get::at(b, "resources.requests"), "storage");
    }
}

fn validate_size(new: &Value, old: &Value, errors: &mut Errors) {
    let size = |object| resource::amount(get::at(object, "spec.resources.requests.storage"));
    let actual = resource::amount(get::at(old, "status.capacity.storage"));
    if size(new) < size(old) && size(new) <= actual {
        errors.forbidden(&Path::new("spec.resources.requests.storage"), "field can not be less than status.capacity");
    }
}

fn validate_status(new: &Value, _old: &Value, errors: &mut Errors) {
    let path = Path::new("status.capacity");
    for (resource, value) in get::entries(get::at(new, "status"), "capacity") {
        if resource::amount(value).sign() < 0 {
            errors.invalid(&path.key(resource), value.clone(), "must be a valid resource quantity");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(size: &str) -> Value {
        json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}, "status": {"phase": "Bound"}})
    }

    fn faults(check: impl Fn(&mut Errors)) -> Vec<String> {
        let mut errors = Errors::new();
        check(&mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_claim_says_what_it_needs() {
        let check = |spec: Value| faults(|errors| validate_spec(&spec, Values::Strict, &Path::new("spec"), errors));
        assert_eq!(check(claim("1Gi")["spec"].clone()), Vec::<String>::new());
        assert_eq!(
            check(json!({})),
            ["spec.accessModes: Required value: at least 1 access mode is required", "spec.resources[storage]: Required value"]
        );
        assert_eq!(
            check(claim("0")["spec"].clone()),
            ["spec.resources[storage]: Invalid value: \"0\": must be greater than zero"]
        );
    }

    #[test]
    fn a_bound_claim_may_grow_and_nothing_else() {
        assert_eq!(faults(|errors| validate_update(&claim("2Gi"), &claim("1Gi"), errors)), Vec::<String>::new());
        let mut other = claim("1Gi");
        other["spec"]["accessModes"] = json!(["ReadWriteMany"]);
        assert_eq!(faults(|errors| validate_update(&other, &claim("1Gi"), errors)).len(), 1);
    }
}
