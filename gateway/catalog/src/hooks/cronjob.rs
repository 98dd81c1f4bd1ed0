//! CronJobs. Follows `pkg/registry/batch/cronjob` and `validateCronJobSpec`.

use model::field::{Errors, Path};
use model::{Value, cron, meta};

use super::rules::number::nonnegative;
use super::rules::{get, internal, text};
use super::workload::nonnegative_if_set;
use super::{Hooks, job, pod_template};

/// The hooks of CronJobs.
pub(super) const HOOKS: Hooks = Hooks {
    default: Some(|object| pod_template::default(object, "spec.jobTemplate.spec.template")),
    prepare_create: Some(|object| job::drop_disabled(object, "spec.jobTemplate.spec")),
    prepare_update: Some(|object, _| job::drop_disabled(object, "spec.jobTemplate.spec")),
    validate: Some(validate_create),
    validate_update: Some(|new, old, errors| validate(new, Some(old), errors)),
    warnings: Some(warnings),
    ..Hooks::NONE
};

/// The controller appends eleven characters to make a Job's name, which is at most 63.
const NAME_BYTES_MAX: usize = 52;

/// `ValidateCronJobCreate`.
fn validate_create(object: &Value, errors: &mut Errors) {
    validate(object, None, errors);
    if meta::name(object).len() > NAME_BYTES_MAX {
        errors.invalid(&Path::new("metadata.name"), meta::name(object), "must be no more than 52 characters");
    }
}

/// `validateCronJobSpec`; a missing schedule is found by a declarative rule, whose error comes last.
fn validate(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = get::at(object, "spec");
    let before = old.map(|old| get::at(old, "spec"));
    let path = Path::new("spec");
    let text = get::text(spec, "schedule");
    if !text.is_empty() {
        schedule(text, get::string(spec, "timeZone"), before, &path.child("schedule"), errors);
    }
    if let Some(deadline_s) = get::int(spec, "startingDeadlineSeconds") {
        nonnegative(deadline_s, &path.child("startingDeadlineSeconds"), errors);
    }
    let zone = get::string(spec, "timeZone");
    if before.is_none_or(|before| get::string(before, "timeZone") != zone)
        && let Some(zone) = zone
    {
        time_zone(zone, &path.child("timeZone"), errors);
    }
    let policy = path.child("concurrencyPolicy");
    text::required_one_of(get::text(spec, "concurrencyPolicy"), &["Allow", "Forbid", "Replace"], &policy, errors);
    job_template(spec, before, &path.child("jobTemplate"), errors);
    nonnegative_if_set(spec, &["successfulJobsHistoryLimit", "failedJobsHistoryLimit"], &path, errors);
    if text.is_empty() && before.is_none_or(|before| !get::text(before, "schedule").is_empty()) {
        errors.required(&path.child("schedule"), "");
    }
}

/// `validateScheduleFormat`: a zone inside the schedule only where the stored one has it.
fn schedule(text: &str, zone: Option<&str>, before: Option<&Value>, path: &Path, errors: &mut Errors) {
    if let Err(why) = cron::parse(text, is_zone) {
        errors.invalid(path, text, why);
    }
    let had_zone = before.is_some_and(|before| get::text(before, "schedule").contains("TZ"));
    if !text.contains("TZ") {
        return;
    }
    if !had_zone {
        errors.invalid(path, text, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    } else if zone.is_some() {
        errors.invalid(path, text, "cannot use both timeZone field and TZ or CRON_TZ in schedule");
    }
}

/// Whether the zone database has the name, spelled exactly so.
fn is_zone(name: &str) -> bool {
    matches!(name, "" | "UTC" | "Local") || jiff::tz::TimeZone::get(name).is_ok_and(|zone| zone.iana_name() == Some(name))
}

/// `validateTimeZone`.
fn time_zone(zone: &str, path: &Path, errors: &mut Errors) {
    /// Longest part of a zone's name between slashes, in bytes.
    const PART_BYTES_MAX: usize = 14;
    if zone.is_empty() {
        return errors.invalid_named(path, zone, "timeZone must be nil or non-empty string");
    }
    let is_part = |part: &str| {
        (1..=PART_BYTES_MAX).contains(&part.len())
            && !matches!(part, "." | "..")
            && !part.starts_with('-')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_+".contains(&b))
    };
    if !zone.split('/').all(is_part) {
        return errors.invalid_named(path, zone, format!("unknown time zone {zone}"));
    }
    if zone.contains("..") {
        return errors.invalid_named(path, zone, "time: invalid location name");
    }
    if zone.eq_ignore_ascii_case("Local") {
        errors.invalid_named(path, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
    }
    if !is_zone(zone) {
        errors.invalid_named(path, zone, format!("unknown time zone {zone}"));
    }
}

/// `ValidateJobTemplateSpec`.
fn job_template(spec: &Value, before: Option<&Value>, path: &Path, errors: &mut Errors) {
    let inner = get::at(spec, "jobTemplate.spec");
    let old = before.map(|before| get::at(before, "jobTemplate.spec.template"));
    let path = path.child("spec");
    pod_template::leniently(old, errors, |options, errors| job::validate_spec(inner, options, &path, errors));
    if let Some(selector) = get::object(inner, "selector") {
        errors.invalid(&path.child("selector"), internal::label_selector(selector), "`selector` will be auto-generated");
    }
    if get::is(inner, "manualSelector") {
        errors.not_supported(&path.child("manualSelector"), true, &["nil", "false"]);
    }
}

fn warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    const SPEC: &str = "spec.jobTemplate.spec";
    let Some(old) = old else {
        return pod_template::name_warning(object).into_iter().chain(job::spec_warnings(object, SPEC)).collect();
    };
    let mut found = if pod_template::spec_changed(object, old) { job::spec_warnings(object, SPEC) } else { Vec::new() };
    if get::text(get::at(object, "spec"), "schedule").contains("TZ") {
        found.push(
            "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
                .to_owned(),
        );
    }
    found
}
