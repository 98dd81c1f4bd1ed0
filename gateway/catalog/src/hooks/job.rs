//! Jobs: selectors that are made for them, their spec, what an update may change. Follows `pkg/registry/batch/job` and
//! `pkg/apis/batch/validation`. Policies are in `policy`, the status in `status`. `spec.scheduling` is a feature that is off.

mod indexes;
mod policy;
mod status;

use model::field::{Errors, Path};
use model::json::json;
use model::{Value, meta, name};

use super::podspec::Options;
use super::rules::labels::{self, Values};
use super::rules::number::{IMMUTABLE, immutable, immutable_struct, nonnegative};
use super::rules::{equal, get, internal, text};
use super::{Hooks, Selectable, Shared, pod_template, workload};

/// The hooks of Jobs.
pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    shared: Some(Shared { fill: labels_from_template, join: join_labels }),
    prepare_create: Some(prepare_create),
    prepare_update: Some(|job, _| drop_disabled(job, "spec")),
    validate: Some(validate_create),
    validate_update: Some(validate_update),
    validate_status: Some(status::validate),
    warnings: Some(warnings),
    warning_unsaid_propagation: Some(
        "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning",
    ),
    selectable: &[Selectable {
        field: "status.successful",
        value: |job| get::number(get::at(job, "status"), "succeeded").to_string(),
    }],
    ..Hooks::NONE
};

/// Most pods at a time and most failed indexes of an indexed Job: they bound the length of what its status lists.
const INDEXED_MAX: i64 = 100_000;
/// From so many completions on, fewer pods and failed indexes are allowed.
const COMPLETIONS_SOFT_MAX: i64 = 100_000;
const MANY_COMPLETIONS_MAX: i64 = 10_000;
/// Longest name of a controller in `managedBy`, in bytes.
const MANAGED_BY_BYTES_MAX: usize = 63;

const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";
const JOB_NAME: &str = "batch.kubernetes.io/job-name";
const OLD_CONTROLLER_UID: &str = "controller-uid";
const OLD_JOB_NAME: &str = "job-name";
/// The labels that a template gets with a selector.
const MADE_LABELS: [&str; 4] = [OLD_JOB_NAME, JOB_NAME, OLD_CONTROLLER_UID, CONTROLLER_UID];

fn default(job: &mut Value) {
    pod_template::default(job, "spec.template");
    let Some(spec) = job.get_mut("spec") else { return };
    // Jobs get these; the templates of CronJobs, which have the same type, do not.
    get::default_pointer(spec, "completionMode", "NonIndexed");
    get::default(spec, "suspend", false);
    get::default(spec, "manualSelector", false);
    // Only a Job that says neither is one of a single pod.
    if get::int(spec, "completions").is_none() && get::int(spec, "parallelism").is_none() {
        get::set(spec, "completions", 1);
    }
    get::default(spec, "parallelism", 1);
    let limit = if get::int(spec, "backoffLimitPerIndex").is_some() { i32::MAX } else { 6 };
    get::default(spec, "backoffLimit", limit);
    let policy = if get::object(spec, "podFailurePolicy").is_some() { "Failed" } else { "TerminatingOrFailed" };
    get::default_pointer(spec, "podReplacementPolicy", policy);
}

/// Drops what is off from the Job's spec at a dotted path and from its template.
pub(super) fn drop_disabled(object: &mut Value, path: &str) {
    if let Some(spec) = pod_template::at_mut(object, path) {
        get::remove(spec, "scheduling");
        pod_template::prepare(spec, "template");
    }
}

fn prepare_create(job: &mut Value) {
    if !get::is(get::at(job, "spec"), "manualSelector") {
        generate_selector(job);
    }
    drop_disabled(job, "spec");
}

/// A Job without labels has those of its template.
fn labels_from_template(job: &mut Value) -> bool {
    if get::entries(get::at(job, "metadata"), "labels").next().is_some() {
        return false;
    }
    let labels = get::at(job, "spec.template.metadata.labels");
    let Some(labels) = labels.is_object().then(|| labels.clone()) else { return false };
    job.get_mut("metadata").map(|metadata| get::set(metadata, "labels", labels)).is_some()
}

/// The labels by which a Job's pods are known are its own where it has its template's.
fn join_labels(job: &mut Value) {
    let made: Vec<(&str, Value)> = {
        let labels = get::at(job, "spec.template.metadata.labels");
        MADE_LABELS.into_iter().filter_map(|key| Some((key, labels.get(key)?.clone()))).collect()
    };
    if let Some(labels) = job.get_mut("metadata").and_then(|metadata| get::object_mut(metadata, "labels")) {
        for (key, value) in made {
            labels.entry(key).or_insert(value);
        }
    }
}

/// `generateSelector`: the pods of a Job are known by its uid.
fn generate_selector(job: &mut Value) {
    let (name, uid) = (meta::name(job).to_owned(), meta::uid(job).to_owned());
    let Some(spec) = job.get_mut("spec") else { return };
    if let Some(template) = spec.get_mut("template") {
        get::default(template, "metadata", json!({}));
        let labels = template.get_mut("metadata").and_then(|metadata| get::object_mut(metadata, "labels"));
        if let Some(labels) = labels {
            for (key, value) in [(OLD_JOB_NAME, &name), (JOB_NAME, &name), (OLD_CONTROLLER_UID, &uid), (CONTROLLER_UID, &uid)] {
                labels.entry(key).or_insert_with(|| json!(value));
            }
        }
    }
    get::default(spec, "selector", json!({}));
    if let Some(labels) = spec.get_mut("selector").and_then(|selector| get::object_mut(selector, "matchLabels")) {
        labels.entry(CONTROLLER_UID).or_insert_with(|| json!(uid));
    }
}

/// `ValidateJobCreate`.
fn validate_create(job: &Value, errors: &mut Errors) {
    generated_selector(job, errors);
    with_selector(get::at(job, "spec"), Values::Strict, &Options::strict(), errors);
    name_allows_completions(job, errors);
}

/// `validateGeneratedSelector`.
fn generated_selector(job: &Value, errors: &mut Errors) {
    let spec = get::at(job, "spec");
    let Some(selector) = get::object(spec, "selector").filter(|_| !get::is(spec, "manualSelector")) else { return };
    let (name, uid) = (meta::name(job), meta::uid(job));
    if uid.is_empty() {
        errors.required(&Path::new("metadata.uid"), "");
    }
    let expected = [(OLD_CONTROLLER_UID, uid), (OLD_JOB_NAME, name), (CONTROLLER_UID, uid), (JOB_NAME, name)];
    let labels = get::at(spec, "template.metadata.labels");
    let path = Path::new("spec.template.metadata.labels");
    for (key, value) in expected {
        match get::string(labels, key) {
            None => errors.required(&path.key(key), format!("must be '{value}'")),
            Some(actual) if actual != value => {
                errors.invalid(&path.key(key), internal::sorted(labels), format!("must be '{value}'"))
            }
            Some(_) => {}
        }
    }
    let expected = Value::Object(expected.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect());
    if labels::is_understood(selector) && !labels::matches(selector, &expected) {
        errors.invalid(&Path::new("spec.selector"), internal::label_selector(selector), "`selector` not auto-generated");
    }
}

/// `ValidateJobSpec`.
fn with_selector(spec: &Value, values: Values, options: &Options, errors: &mut Errors) {
    let path = Path::new("spec");
    validate_spec(spec, options, &path, errors);
    let Some(selector) = get::object(spec, "selector") else {
        errors.required(&path.child("selector"), "");
        return workload::selects_template(spec, &path, errors);
    };
    labels::selector(spec, "selector", values, &path, errors);
    if labels::is_understood(selector) {
        workload::selects_template(spec, &path, errors);
    }
}

/// `validateJobSpec`, which templates of Jobs share.
pub(super) fn validate_spec(spec: &Value, options: &Options, path: &Path, errors: &mut Errors) {
    const COUNTS: &[&str] = &[
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
    ];
    workload::nonnegative_if_set(spec, COUNTS, path, errors);
    if let Some(failed) = get::int(spec, "maxFailedIndexes") {
        nonnegative(failed, &path.child("maxFailedIndexes"), errors);
        if get::int(spec, "backoffLimitPerIndex").is_none() {
            errors.required(&path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
        }
    }
    if let Some(manager) = get::string(spec, "managedBy") {
        name::domain_prefixed_path(manager, &path.child("managedBy"), errors);
        if manager.len() > MANAGED_BY_BYTES_MAX {
            errors.too_long(&path.child("managedBy"), MANAGED_BY_BYTES_MAX);
        }
    }
    completion_mode(spec, path, errors);
    policy::validate(spec, path, errors);
    pod_template::validate(get::at(spec, "template"), options, &path.child("template"), errors);
    restart_policy(spec, &path.child("template.spec.restartPolicy"), errors);
}

/// Whether each completion has an index of its own.
pub(super) fn is_indexed(spec: &Value) -> bool {
    get::text(spec, "completionMode") == "Indexed"
}

fn completion_mode(spec: &Value, path: &Path, errors: &mut Errors) {
    let mode = get::string(spec, "completionMode");
    if let Some(mode) = mode {
        text::one_of(mode, &["NonIndexed", "Indexed"], &path.child("completionMode"), errors);
    }
    if is_indexed(spec) {
        return indexed(spec, path, errors);
    }
    if mode.is_none_or(|mode| mode == "NonIndexed") {
        for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            if let Some(value) = get::int(spec, field) {
                errors.invalid(&path.child(field), value, "requires indexed completion mode");
            }
        }
    }
}

fn indexed(spec: &Value, path: &Path, errors: &mut Errors) {
    let [completions, parallelism, failed] =
        ["completions", "parallelism", "maxFailedIndexes"].map(|field| get::int(spec, field));
    let (parallelism_at, failed_at) = (path.child("parallelism"), path.child("maxFailedIndexes"));
    if completions.is_none() {
        errors.required(&path.child("completions"), "when completion mode is Indexed");
    }
    if let Some(parallelism) = parallelism.filter(|parallelism| *parallelism > INDEXED_MAX) {
        let detail = format!("must be less than or equal to {INDEXED_MAX} when completion mode is Indexed");
        errors.invalid(&parallelism_at, parallelism, detail);
    }
    if let Some((failed, _)) = failed.zip(completions).filter(|(failed, completions)| failed > completions) {
        errors.invalid(&failed_at, failed, "must be less than or equal to completions");
    }
    if let Some(failed) = failed.filter(|failed| *failed > INDEXED_MAX) {
        errors.invalid(&failed_at, failed, format!("must be less than or equal to {INDEXED_MAX}"));
    }
    let many = completions.is_some_and(|completions| completions > COMPLETIONS_SOFT_MAX);
    if !many || get::int(spec, "backoffLimitPerIndex").is_none() {
        return;
    }
    if failed.is_none() {
        errors.required(&failed_at, format!("must be specified when completions is above {COMPLETIONS_SOFT_MAX}"));
    }
    for (path, value) in [(&parallelism_at, parallelism), (&failed_at, failed)] {
        if let Some(value) = value.filter(|value| *value > MANY_COMPLETIONS_MAX) {
            let detail = format!(
                "must be less than or equal to {MANY_COMPLETIONS_MAX} when completions are above {COMPLETIONS_SOFT_MAX} and used with backoff limit per index"
            );
            errors.invalid(path, value, detail);
        }
    }
}

fn restart_policy(spec: &Value, path: &Path, errors: &mut Errors) {
    match get::text(get::at(spec, "template.spec"), "restartPolicy") {
        "Always" | "" => errors.required(path, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" if get::object(spec, "podFailurePolicy").is_some() => {
            errors.invalid(path, "OnFailure", "only \"Never\" is supported when podFailurePolicy is specified");
        }
        other => {
            text::one_of(other, &["OnFailure", "Never"], path, errors);
        }
    }
}

/// `validateNameAllowsCompletions`: the pods' host names have the index behind the Job's name.
fn name_allows_completions(job: &Value, errors: &mut Errors) {
    let spec = get::at(job, "spec");
    let Some(completions) = get::int(spec, "completions").filter(|completions| is_indexed(spec) && *completions > 0) else {
        return;
    };
    let host = format!("{}-{}", meta::name(job), completions - 1);
    if !name::is_dns1123_label(&host).is_empty() {
        errors.invalid(
            &Path::new("metadata.name"),
            meta::name(job),
            format!("will not able to create pod with invalid DNS label: {host}"),
        );
    }
}

/// `ValidateJobUpdate`.
fn validate_update(job: &Value, old: &Value, errors: &mut Errors) {
    let (spec, before) = (get::at(job, "spec"), get::at(old, "spec"));
    let values = if labels::has_invalid_value(get::at(before, "selector")) { Values::Lenient } else { Values::Strict };
    let template = get::at(before, "template");
    pod_template::leniently(Some(template), errors, |options, errors| with_selector(spec, values, options, errors));
    let path = Path::new("spec");
    completions_change(spec, before, &path, errors);
    workload::immutable_selector(spec, before, &path, errors);
    template_change(spec, old, &path, errors);
    immutable(spec, before, "completionMode", &path, errors);
    immutable_struct(spec, before, "podFailurePolicy", internal::POD_FAILURE_POLICY, &path, errors);
    immutable(spec, before, "backoffLimitPerIndex", &path, errors);
    immutable(spec, before, "managedBy", &path, errors);
    immutable_struct(spec, before, "successPolicy", internal::SUCCESS_POLICY, &path, errors);
    name_allows_completions(job, errors);
}

/// `validateCompletions`: an indexed Job scales with its parallelism.
fn completions_change(spec: &Value, before: &Value, path: &Path, errors: &mut Errors) {
    if !is_indexed(spec) {
        return immutable(spec, before, "completions", path, errors);
    }
    let completions = get::int(spec, "completions");
    if let Some(value) =
        completions.filter(|_| completions != get::int(before, "completions") && completions != get::int(spec, "parallelism"))
    {
        errors.invalid(&path.child("completions"), value, "can only be modified in tandem with spec.parallelism");
    }
}

/// `validatePodTemplateUpdate`: a Job that is suspended and has no pods may be told where to go and what to ask for.
fn template_change(spec: &Value, old: &Value, path: &Path, errors: &mut Errors) {
    let (template, before) = (get::at(spec, "template"), get::at(old, "spec.template"));
    let suspended = get::is(get::at(old, "spec"), "suspend");
    if !suspended || !is_at_rest(old) {
        return immutable_struct(spec, get::at(old, "spec"), "template", internal::POD_TEMPLATE, path, errors);
    }
    let mut allowed = before.clone();
    allow_directives(&mut allowed, template);
    if let Some(inner) = allowed.get_mut("spec") {
        allow_resources(inner, get::at(template, "spec"));
    }
    let new = get::at(template, "spec");
    if !equal::semantic("spec", Some(new), allowed.get("spec")) {
        errors.invalid(&path.child("template.spec"), internal::show(new, internal::POD_SPEC), IMMUTABLE);
    }
}

/// A suspended Job that never started, or says that it is suspended, with no pod active.
fn is_at_rest(job: &Value) -> bool {
    let status = get::at(job, "status");
    let idle = get::string(status, "startTime").is_none() || status::has_condition(status, "Suspended");
    idle && get::number(status, "active") == 0
}

fn allow_directives(allowed: &mut Value, template: &Value) {
    let new = get::at(template, "spec");
    if let Some(spec) = allowed.get_mut("spec") {
        allow_node_affinity(spec, new);
        for field in ["nodeSelector", "tolerations", "schedulingGates"] {
            get::copy(spec, new, field);
        }
    }
}

fn allow_node_affinity(spec: &mut Value, new: &Value) {
    let node = get::at(new, "affinity").get("nodeAffinity").cloned();
    match (get::object(new, "affinity").is_some(), spec.get_mut("affinity").filter(|affinity| affinity.is_object())) {
        (false, Some(affinity)) => {
            get::remove(affinity, "nodeAffinity");
            if affinity.as_object().is_some_and(|fields| fields.is_empty()) {
                get::remove(spec, "affinity");
            }
        }
        (true, None) => get::set(spec, "affinity", node.map_or(json!({}), |node| json!({"nodeAffinity": node}))),
        (true, Some(affinity)) => match node {
            Some(node) => get::set(affinity, "nodeAffinity", node),
            None => get::remove(affinity, "nodeAffinity"),
        },
        (false, None) => {}
    }
}

fn allow_resources(spec: &mut Value, new: &Value) {
    for list in ["containers", "initContainers"] {
        let new = get::list(new, list);
        let containers = get::list_mut(spec, list);
        if containers.len() != new.len() {
            continue;
        }
        for (container, new) in containers.iter_mut().zip(new) {
            if get::text(container, "name") == get::text(new, "name") {
                get::copy(container, new, "resources");
            }
        }
    }
}

fn warnings(job: &Value, old: Option<&Value>) -> Vec<String> {
    match old {
        None => pod_template::name_warning(job).into_iter().chain(spec_warnings(job, "spec")).collect(),
        Some(old) if pod_template::spec_changed(job, old) => spec_warnings(job, "spec"),
        Some(_) => Vec::new(),
    }
}

/// `WarningsForJobSpec` of the Job's spec at a dotted path.
pub(super) fn spec_warnings(object: &Value, path: &str) -> Vec<String> {
    let spec = get::at(object, path);
    let many = get::number(spec, "completions") > COMPLETIONS_SOFT_MAX && get::number(spec, "parallelism") > MANY_COMPLETIONS_MAX;
    let mut found = Vec::new();
    if is_indexed(spec) && many {
        found.push(format!(
            "{path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail"
        ));
    }
    found.extend(pod_template::warnings(object, &format!("{path}.template")));
    found
}

#[cfg(test)]
mod tests;
