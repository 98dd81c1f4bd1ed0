//! PersistentVolumeClaim. Upstream: `pkg/apis/core/validation` (`ValidatePersistentVolumeClaim…`),
//! `pkg/api/persistentvolumeclaim`, `pkg/registry/core/persistentvolumeclaim`.

use model::field::{Errors, Path};
use model::{Value, meta};
use serde_json::json;

use super::rules::labels::{self, Values};
use super::rules::{claim, equal, get, number, resource};
use super::{Hooks, Selectable};

const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

pub(super) const HOOKS: Hooks = Hooks {
    prepare_create: Some(|object| prepare(object, None)),
    prepare_update: Some(|new, old| prepare(new, Some(old))),
    validate: Some(|object, errors| claim::spec(get::at(object, "spec"), claim::Options::default(), &Path::new("spec"), errors)),
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

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    let lenient = labels::has_invalid_value(get::at(old, "spec.selector"));
    let selector_values = if lenient { Values::Lenient } else { Values::Strict };
    let options = claim::Options { selector_values, ..claim::Options::default() };
    claim::spec(get::at(new, "spec"), options, &Path::new("spec"), errors);
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
        let check = |spec: Value| faults(|errors| claim::spec(&spec, claim::Options::default(), &Path::new("spec"), errors));
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
