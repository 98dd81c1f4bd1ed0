//! StatefulSets. Follows `pkg/registry/apps/statefulset` and `ValidateStatefulSetSpec`. The strategy `Recreate` is a feature
//! that is off.

use model::Value;
use model::field::{Errors, Path, Spelling};
use model::json::json;

use super::podspec::{Options, annotations};
use super::rules::number::{IMMUTABLE, nonnegative, nonnegative_fields};
use super::rules::{claim, equal, get, internal, labels, percent, text};
use super::workload::{self, Selector};
use super::{Hooks, persistentvolumeclaim, pod_template};

/// The hooks of StatefulSets.
pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    prepare_create: Some(|object| pod_template::prepare(object, "spec.template")),
    prepare_update: Some(|object, _| pod_template::prepare(object, "spec.template")),
    validate: Some(|new, errors| validate(get::at(new, "spec"), Checks::CREATE, &Options::strict(), errors)),
    validate_update: Some(validate_update),
    validate_status: Some(validate_status),
    warnings: Some(warnings),
    ..Hooks::NONE
};

fn default(object: &mut Value) {
    pod_template::default(object, "spec.template");
    let Some(spec) = object.get_mut("spec") else { return };
    for claim in get::list_mut(spec, "volumeClaimTemplates") {
        get::set(claim, "apiVersion", "v1");
        get::set(claim, "kind", "PersistentVolumeClaim");
        persistentvolumeclaim::default(claim);
    }
    get::default(spec, "updateStrategy", json!({}));
    let Some(strategy) = spec.get_mut("updateStrategy") else { return };
    if get::text(strategy, "type").is_empty() {
        get::set(strategy, "type", "RollingUpdate");
        get::default(strategy, "rollingUpdate", json!({}));
    }
    if get::text(strategy, "type") == "RollingUpdate"
        && let Some(update) = strategy.get_mut("rollingUpdate")
    {
        get::default(update, "partition", 0);
        get::default_pointer(update, "maxUnavailable", 1);
    }
}

/// Which parts are checked: an update leaves out what cannot change, and a template that was stored wrong.
#[derive(Clone, Copy)]
struct Checks {
    service_name: bool,
    claims: bool,
    template: bool,
}

impl Checks {
    const CREATE: Checks = Checks { service_name: true, claims: true, template: true };
    const UPDATE: Checks = Checks { service_name: false, claims: false, template: true };
}

/// `ValidateStatefulSetSpec`.
fn validate(spec: &Value, checks: Checks, options: &Options, errors: &mut Errors) {
    let path = Path::new("spec");
    let policy = get::text(spec, "podManagementPolicy");
    match policy {
        "" => errors.required(&path.child("podManagementPolicy"), ""),
        "OrderedReady" | "Parallel" => {}
        _ => errors.invalid_named(&path.child("podManagementPolicy"), policy, "must be 'OrderedReady' or 'Parallel'"),
    }
    update_strategy(get::at(spec, "updateStrategy"), &path.child("updateStrategy"), errors);
    if let Some(retention) = get::object(spec, "persistentVolumeClaimRetentionPolicy") {
        let path = path.child("persistentVolumeClaimRetentionPolicy");
        for field in ["whenDeleted", "whenScaled"] {
            text::one_of(get::text(retention, field), &["Retain", "Delete"], &path.child(field), errors);
        }
    }
    if checks.claims {
        let list = path.child("volumeClaimTemplates");
        for (i, template) in get::list(spec, "volumeClaimTemplates").iter().enumerate() {
            claim::spec(get::at(template, "spec"), claim::Options::default(), &list.index(i).child("spec"), errors);
        }
    }
    nonnegative_fields(spec, &["replicas", "minReadySeconds"], &path, errors);
    if let Some(ordinals) = get::object(spec, "ordinals") {
        nonnegative(get::number(ordinals, "start"), &path.child("ordinals.start"), errors);
    }
    let service = get::text(spec, "serviceName");
    if checks.service_name && !service.is_empty() {
        text::dns_label(service, &path.child("serviceName"), errors);
    }
    if workload::selector(spec, "statefulset", &path, errors) == Selector::Malformed {
        errors.invalid(&path.child("selector"), internal::label_selector(get::at(spec, "selector")), "");
    } else {
        template(spec, checks, options, &path, errors);
    }
    pod_template::always_restarts(get::at(spec, "template"), "StatefulSet", &path.child("template"), errors);
}

fn update_strategy(strategy: &Value, path: &Path, errors: &mut Errors) {
    match (get::text(strategy, "type"), get::object(strategy, "rollingUpdate")) {
        ("", _) => errors.required(path, ""),
        ("OnDelete", Some(update)) => {
            let shown = internal::show(update, internal::ROLLING_PARTITION);
            errors.invalid(&path.child("rollingUpdate"), shown, "only allowed for updateStrategy 'RollingUpdate'");
        }
        ("RollingUpdate", Some(update)) => rolling_update(update, &path.child("rollingUpdate"), errors),
        ("OnDelete" | "RollingUpdate", None) => {}
        _ => {
            let shown = internal::show(strategy, internal::STATEFUL_SET_STRATEGY);
            errors.invalid(path, shown, "must be 'RollingUpdate' or 'OnDelete'");
        }
    }
}

fn rolling_update(update: &Value, path: &Path, errors: &mut Errors) {
    nonnegative_fields(update, &["partition"], path, errors);
    let Some(unavailable) = update.get("maxUnavailable").filter(|value| !value.is_null()) else { return };
    let path = path.child("maxUnavailable");
    percent::positive_int_or_percent(unavailable, &path, errors);
    if workload::int_or_percent_value(unavailable) == 0 {
        errors.invalid(&path, unavailable.clone(), "cannot be 0");
    }
    percent::not_more_than_100(unavailable, &path, errors);
}

/// `ValidatePodTemplateSpecForStatefulSet`; labels and annotations are checked twice, as upstream does.
fn template(spec: &Value, checks: Checks, options: &Options, path: &Path, errors: &mut Errors) {
    let own = get::at(spec, "template");
    match get::object(spec, "selector") {
        Some(selector) => pod_template::must_match(selector, own, &path.child("template"), errors),
        None => workload::selects_template(spec, path, errors),
    }
    let path = path.child("template");
    if checks.template {
        match as_made(spec) {
            Some(made) => pod_template::validate(&made, options, &path, errors),
            None => pod_template::validate(own, options, &path, errors),
        }
    }
    let metadata = get::at(own, "metadata");
    labels::labels(metadata, "labels", &path, errors);
    labels::annotations(metadata, "annotations", &path, errors);
    annotations::validate(metadata, get::at(own, "spec"), options.any_deletion_cost, &path.child("annotations"), errors);
}

/// The template as the controller will make pods of it, where that differs: without host names, with a volume for each claim.
fn as_made(spec: &Value) -> Option<Value> {
    let pod = get::at(spec, "template.spec");
    let claims = get::list(spec, "volumeClaimTemplates");
    if claims.is_empty() && get::text(pod, "subdomain").is_empty() && get::text(pod, "hostname").is_empty() {
        return None;
    }
    let mut made = get::at(spec, "template").clone();
    let inner = made.get_mut("spec")?;
    get::remove(inner, "subdomain");
    get::remove(inner, "hostname");
    if claims.is_empty() {
        return Some(made);
    }
    let mut names: Vec<&str> = Vec::new();
    for claim in claims {
        let name = model::meta::name(claim);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let added = names.iter().map(|name| json!({"name": name, "persistentVolumeClaim": {"claimName": name}}));
    let kept = get::list(pod, "volumes").iter().filter(|volume| !names.contains(&get::text(volume, "name"))).cloned();
    let volumes: Vec<Value> = added.chain(kept).collect();
    get::set(inner, "volumes", volumes);
    Some(made)
}

/// `ValidateStatefulSetUpdate`.
fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    let (spec, before) = (get::at(new, "spec"), get::at(old, "spec"));
    let template = get::at(before, "template");
    pod_template::leniently(Some(template), errors, |options, errors| {
        let start = errors.0.len();
        validate(spec, Checks::UPDATE, options, errors);
        // Only a spec with errors asks whether the stored one was any better.
        if errors.0.len() > start {
            let mut stored = Errors::new();
            validate(before, Checks::UPDATE, options, &mut stored);
            if !stored.is_empty() {
                errors.0.truncate(start);
                validate(spec, Checks { template: false, ..Checks::UPDATE }, options, errors);
            }
        }
    });
    let path = Path::new("spec");
    workload::immutable_selector(spec, before, &path, errors);
    for field in ["volumeClaimTemplates", "serviceName", "podManagementPolicy"] {
        let value = spec.get(field);
        if !equal::semantic(field, value, before.get(field)) {
            let shown = match (field, value) {
                ("volumeClaimTemplates", Some(templates)) => internal::show_each(templates, internal::CLAIM),
                ("serviceName", None) => "".into(),
                (_, value) => value.cloned().unwrap_or(Value::Null),
            };
            let spelling = if field == "podManagementPolicy" { Spelling::Json } else { Spelling::Go };
            errors.spelt(spelling, |errors| errors.invalid(&path.child(field), shown, IMMUTABLE));
        }
    }
}

/// `ValidateStatefulSetStatusUpdate`.
fn validate_status(new: &Value, old: &Value, errors: &mut Errors) {
    const COUNTS: &[&str] = &["replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"];
    let status = get::at(new, "status");
    let path = Path::new("status");
    nonnegative_fields(status, COUNTS, &path, errors);
    workload::nonnegative_if_set(status, &["observedGeneration", "collisionCount"], &path, errors);
    workload::parts_of_replicas(status, &COUNTS[1..], "status.readyReplicas", &path, errors);
    workload::collisions_only_rise(status, get::at(old, "status"), &path, errors);
}

fn warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    let mut found = match old {
        Some(old) if !pod_template::spec_changed(object, old) => Vec::new(),
        _ => pod_template::warnings(object, "spec.template"),
    };
    let spec = get::at(object, "spec");
    let path = Path::new("spec");
    let list = path.child("volumeClaimTemplates");
    for (i, template) in get::list(spec, "volumeClaimTemplates").iter().enumerate() {
        let at = list.index(i);
        // Upstream's path differs between the two.
        let at = if old.is_some() { at.child("Spec") } else { at };
        found.extend(claim::warnings(get::at(template, "spec"), &at));
    }
    if get::int(spec, "revisionHistoryLimit").is_some_and(|limit| limit < 0) {
        found.push(
            "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
                .to_owned(),
        );
    }
    found
}
