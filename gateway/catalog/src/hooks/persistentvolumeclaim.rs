//! PersistentVolumeClaim. Upstream: `pkg/apis/core/validation` (`ValidatePersistentVolumeClaim…`),
//! `pkg/api/persistentvolumeclaim`, `pkg/registry/core/persistentvolumeclaim`.

use model::field::{Errors, Path};
use model::json::json;
use model::{Value, meta};

use super::Hooks;
use super::pod::diff;
use super::rules::labels::{self, Values};
use super::rules::{claim, equal, get, internal, number, resource, text};

/// Of a claim, and of a template of claims.
pub(super) fn default(object: &mut Value) {
    if let Some(resources) = object.pointer_mut("/spec/resources") {
        resource::round_requirements(resources);
    }
    if let Some(status) = object.get_mut("status") {
        resource::round_up(status, "capacity");
        resource::round_up(status, "allocatedResources");
    }
}

const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

pub(super) const HOOKS: Hooks = Hooks {
    prepare_create: Some(|object| prepare(object, None)),
    prepare_update: Some(|new, old| prepare(new, Some(old))),
    default: Some(default),
    validate: Some(|object, errors| claim::spec(get::at(object, "spec"), claim::Options::default(), &Path::new("spec"), errors)),
    validate_update: Some(validate_update),
    validate_status: Some(validate_status),
    // CSIVolumeHealth is off.
    prepare_status: Some(|new, old| {
        if let Some(status) = new.get_mut("status").filter(|_| get::at(old, "status").get("healthStatus").is_none()) {
            get::remove(status, "healthStatus");
        }
    }),
    warnings: Some(|new, _old| warnings(new)),
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
    let old_has_reference = old.is_some_and(|old| get::at(old, "spec").get("dataSourceRef").is_some());
    let Some(spec) = object.get_mut("spec") else { return };
    // CrossNamespaceVolumeDataSource is off.
    if !old_has_reference && !get::text(get::at(spec, "dataSourceRef"), "namespace").is_empty() {
        get::remove(spec, "dataSourceRef");
    }
    let source = get::at(spec, "dataSource");
    let known = matches!(
        (get::text(source, "kind"), get::text(source, "apiGroup")),
        ("PersistentVolumeClaim", "") | ("VolumeSnapshot", "snapshot.storage.k8s.io")
    );
    if !old_in_use && spec.get("dataSourceRef").is_none() && !known {
        get::remove(spec, "dataSource");
    }
    normalize_sources(spec);
}

/// `NormalizeDataSources`.
fn normalize_sources(spec: &mut Value) {
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
    claim::spec(get::at(new, "spec"), kept(old), &Path::new("spec"), errors);
    let (mut a, mut b) = (get::raw(new, "spec"), get::raw(old, "spec"));
    // An older server may have stored one source without the other.
    normalize_sources(&mut b);
    validate_class(new, old, errors);
    forgive(&mut a, &b, new, old);
    if !equal::semantic("spec", Some(&b), Some(&a)) {
        let what = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        let diff = diff::unified(&internal::show(&b, internal::CLAIM_SPEC), &internal::show(&a, internal::CLAIM_SPEC));
        errors.forbidden(&Path::new("spec"), format!("{what}\n{diff}"));
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

/// What the stored claim does wrong and may go on doing.
fn kept(old: &Value) -> claim::Options {
    let spec = get::at(old, "spec");
    let mut wrong = Errors::new();
    labels::selector(spec, "selector", Values::Strict, &Path::default(), &mut wrong);
    // Upstream looks whether there was one at all.
    let had_group = |source: &str| get::string(get::at(spec, source), "apiGroup").is_some();
    claim::Options {
        selector_values: if wrong.is_empty() { Values::Strict } else { Values::Lenient },
        any_api_group: had_group("dataSource") || had_group("dataSourceRef"),
    }
}

/// The class in the annotation stays, unless the field takes its place.
fn validate_class(new: &Value, old: &Value, errors: &mut Errors) {
    let annotated = |object| meta::annotation(object, CLASS_ANNOTATION);
    if !class_moves(new, old) && annotated(new).unwrap_or("") != annotated(old).unwrap_or("") {
        let path = Path::new("metadata.annotations");
        errors.invalid(&path.child(CLASS_ANNOTATION), annotated(new).unwrap_or(""), number::IMMUTABLE);
    }
}

/// `validateStorageClassUpgradeFromAnnotation`.
fn class_moves(new: &Value, old: &Value) -> bool {
    let class = |object| get::string(get::at(object, "spec"), "storageClassName");
    let was = meta::annotation(old, CLASS_ANNOTATION);
    let is = meta::annotation(new, CLASS_ANNOTATION);
    was.is_some() && class(old).is_none() && class(new) == was && (is.is_none() || is == was)
}

/// Makes equal what may differ: the volume once, the class when it was not set, the size and attributes of a bound claim.
fn forgive(a: &mut Value, b: &Value, new: &Value, old: &Value) {
    if get::text(b, "volumeName").is_empty() {
        get::copy(a, b, "volumeName");
    }
    if class_moves(new, old) {
        get::remove(a, "storageClassName");
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
    text::required(meta::resource_version(new), &Path::new("resourceVersion"), errors);
    if get::list(get::at(new, "spec"), "accessModes").is_empty() {
        errors.required(&Path::new("Spec.accessModes"), "");
    }
    let status = get::at(new, "status");
    let path = Path::new("status.capacity");
    for (resource, value) in get::entries(status, "capacity") {
        not_negative(value, &path.key(resource), errors);
    }
    let path = Path::new("status.allocatedResourceStatuses");
    for (resource, state) in get::pairs(status, "allocatedResourceStatuses") {
        claimable(resource, &path, errors);
        if !RESIZE_STATES.contains(&state) {
            // Upstream shows the resource where the state is wrong.
            errors.not_supported(&path, resource, RESIZE_STATES);
        }
    }
    let path = Path::new("status.allocatedResources");
    for (resource, value) in get::entries(status, "allocatedResources") {
        if claimable(resource, &path, errors) && not_negative(value, &path.key(resource), errors) {
            resource::valid_amount("storage", value, &path.key(resource), errors);
        }
    }
}

const RESIZE_STATES: &[&str] = &[
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
];

/// `validateBasicResource`.
fn not_negative(value: &Value, path: &Path, errors: &mut Errors) -> bool {
    let amount = resource::amount(value).value();
    if amount < 0 {
        errors.invalid(path, amount, "must be a valid resource quantity");
    }
    amount >= 0
}

/// `validatePersistentVolumeClaimResourceKey`: storage, or something of another domain.
fn claimable(resource: &str, path: &Path, errors: &mut Errors) -> bool {
    let before = errors.0.len();
    text::qualified_name(resource, path, errors);
    if errors.0.len() == before && resource::is_native(resource) && resource != "storage" {
        errors.not_supported(path, resource, &["storage"]);
    }
    errors.0.len() == before
}

fn warnings(object: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    if meta::annotation(object, CLASS_ANNOTATION).is_some() {
        let instead = "deprecated since v1.8; use \"storageClassName\" attribute instead";
        warnings.push(format!("metadata.annotations[{CLASS_ANNOTATION}]: {instead}"));
    }
    warnings.extend(claim::warnings(get::at(object, "spec"), &Path::new("spec")));
    warnings
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
