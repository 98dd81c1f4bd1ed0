//! The status of a Job: what a controller, the built-in one or another, may say. Follows `ValidateJobStatusUpdate`.
//! Most rules apply only to what the update changes, so that what is stored wrong can still be updated.

use std::collections::HashSet;

use model::Value;
use model::field::{Errors, Fault, Path};

use super::super::rules::number::{IMMUTABLE, nonnegative_fields};
use super::super::rules::{equal, get};
use super::super::workload::nonnegative_if_set;
use super::{indexes, is_indexed};

/// Whether a condition is true.
pub(super) fn has_condition(status: &Value, kind: &str) -> bool {
    condition(status, kind, "True")
}

fn condition(status: &Value, kind: &str, value: &str) -> bool {
    get::list(status, "conditions")
        .iter()
        .any(|condition| get::text(condition, "type") == kind && get::text(condition, "status") == value)
}

/// What the rules look at: the spec, both statuses, and their conditions.
struct Change<'a> {
    spec: &'a Value,
    new: &'a Value,
    old: &'a Value,
}

impl Change<'_> {
    fn is(&self, kind: &str) -> bool {
        has_condition(self.new, kind)
    }

    fn was(&self, kind: &str) -> bool {
        has_condition(self.old, kind)
    }

    fn turned(&self, kind: &str) -> bool {
        self.is(kind) != self.was(kind)
    }

    fn is_finished(&self) -> bool {
        self.is("Complete") || self.is("Failed")
    }

    fn finish_turned(&self) -> bool {
        self.is_finished() != (self.was("Complete") || self.was("Failed"))
    }

    fn changed(&self, field: &str) -> bool {
        !equal::semantic(field, self.new.get(field), self.old.get(field))
    }

    /// The field is set to something else than it was set to.
    fn pointer_changed(&self, field: &str) -> bool {
        let set = |status: &Value| status.get(field).filter(|value| !value.is_null()).cloned();
        set(self.new) != set(self.old)
    }
}

/// `ValidateJobStatusUpdate`.
pub(super) fn validate(new: &Value, old: &Value, errors: &mut Errors) {
    let change = Change { spec: get::at(new, "spec"), new: get::at(new, "status"), old: get::at(old, "status") };
    let path = Path::new("status");
    nonnegative_fields(change.new, &["active", "succeeded", "failed"], &path, errors);
    nonnegative_if_set(change.new, &["ready", "terminating"], &path, errors);
    uncounted(change.new, &path.child("uncountedTerminatedPods"), errors);
    ends(&change, &path, errors);
    times(&change, &path, errors);
    outcome(&change, &path, errors);
    finished(&change, &path, errors);
    index_sets(&change, &path, errors);
    pods(&change, &path, errors);
    success_criteria(&change, &path, errors);
    only_forward(&change, &path, errors);
}

fn conditions_fault(path: &Path, detail: impl Into<String>, errors: &mut Errors) {
    errors.push(Fault::Invalid, &path.child("conditions"), None, detail);
}

fn uncounted(status: &Value, path: &Path, errors: &mut Errors) {
    let mut seen = HashSet::new();
    for field in ["succeeded", "failed"] {
        let list = path.child(field);
        for (i, uid) in get::strings(get::at(status, "uncountedTerminatedPods"), field).enumerate() {
            if uid.is_empty() {
                errors.invalid(&list.index(i), uid, "must not be empty");
            } else if !seen.insert(uid) {
                errors.duplicate_named(&list.index(i), uid);
            }
        }
    }
}

fn ends(change: &Change<'_>, path: &Path, errors: &mut Errors) {
    let complete = change.is("Complete");
    if (change.turned("Complete") || change.turned("Failed")) && complete && change.is("Failed") {
        conditions_fault(path, "cannot set Complete=True and Failed=true conditions", errors);
    }
    if (change.turned("Complete") || change.turned("FailureTarget")) && complete && change.is("FailureTarget") {
        conditions_fault(path, "cannot set Complete=True and FailureTarget=true conditions", errors);
    }
}

fn times(change: &Change<'_>, path: &Path, errors: &mut Errors) {
    let (start, completion) = (get::string(change.new, "startTime"), get::string(change.new, "completionTime"));
    let complete = change.is("Complete");
    let at = path.child("completionTime");
    if change.turned("Complete") || change.pointer_changed("completionTime") {
        match completion {
            Some(time) if !complete => {
                errors.invalid(&at, time, "cannot set completionTime when there is no Complete=True condition")
            }
            None if complete => errors.required(&at, "completionTime is required for Complete jobs"),
            _ => {}
        }
    }
    // Times in normal form are of one length and zone, so that their text has their order.
    let before = start.zip(completion).is_some_and(|(start, completion)| completion < start);
    if before && (change.pointer_changed("startTime") || change.pointer_changed("completionTime")) {
        errors.invalid(&at, completion, "must be equal to or after `startTime`");
    }
}

fn outcome(change: &Change<'_>, path: &Path, errors: &mut Errors) {
    if (change.turned("Failed") || change.pointer_changed("failedIndexes")) && change.is("Failed") && !change.is("FailureTarget")
    {
        conditions_fault(path, "cannot set Failed=True condition without the FailureTarget=true condition", errors);
    }
    let turned = change.turned("Complete") || change.turned("SuccessCriteriaMet");
    if turned && change.is("Complete") && !change.is("SuccessCriteriaMet") {
        conditions_fault(path, "cannot set Complete=True condition without the SuccessCriteriaMet=true condition", errors);
    }
}

fn finished(change: &Change<'_>, path: &Path, errors: &mut Errors) {
    if !change.is_finished() {
        return;
    }
    let active = get::number(change.new, "active");
    if (change.finish_turned() || change.changed("active")) && active > 0 {
        errors.invalid(&path.child("active"), active, "active>0 is invalid for finished job");
    }
    let never_ran = get::is(change.spec, "suspend") && get::int(change.spec, "completions") == Some(0);
    let start_turned = change.finish_turned() || change.pointer_changed("startTime");
    if start_turned && !never_ran && get::string(change.new, "startTime").is_none() {
        errors.required(&path.child("startTime"), "startTime is required for finished job");
    }
    let uncounted = get::at(change.new, "uncountedTerminatedPods");
    let some = !get::list(uncounted, "failed").is_empty() || !get::list(uncounted, "succeeded").is_empty();
    if (change.finish_turned() || change.changed("uncountedTerminatedPods")) && some {
        let shown = super::super::rules::internal::show(uncounted, super::super::rules::internal::UNCOUNTED);
        errors.invalid(&path.child("uncountedTerminatedPods"), shown, "must be empty for finished job");
    }
}

fn index_sets(change: &Change<'_>, path: &Path, errors: &mut Errors) {
    let completions = get::int(change.spec, "completions");
    let (completed, failed) = (get::text(change.new, "completedIndexes"), get::string(change.new, "failedIndexes"));
    let (completed_at, failed_at) = (path.child("completedIndexes"), path.child("failedIndexes"));
    let (completed_changed, failed_changed) = (change.changed("completedIndexes"), change.pointer_changed("failedIndexes"));
    let per_index = get::int(change.spec, "backoffLimitPerIndex").is_some();
    if let Some(why) =
        completions.filter(|_| completed_changed).and_then(|completions| indexes::count(completed, completions).err())
    {
        errors.invalid(&completed_at, completed, format!("error parsing completedIndexes: {why}"));
    }
    if let (Some(completions), Some(failed), true) = (completions, failed, failed_changed && per_index)
        && let Err(why) = indexes::count(failed, completions)
    {
        errors.invalid_named(&failed_at, failed, format!("error parsing failedIndexes: {why}"));
    }
    if completed_changed && !completed.is_empty() && !is_indexed(change.spec) {
        errors.invalid(&completed_at, completed, "cannot set non-empty completedIndexes when non-indexed completion mode");
    }
    if let Some(failed) = failed.filter(|_| failed_changed && !per_index) {
        errors.invalid(&failed_at, failed, "cannot set non-null failedIndexes when backoffLimitPerIndex is null");
    }
    if let (Some(completions), Some(failed), true) = (completions, failed, completed_changed || failed_changed)
        && let Some(index) = indexes::overlap(completed, failed, completions)
    {
        errors.invalid(&failed_at, failed, format!("failedIndexes and completedIndexes overlap at index: {index}"));
    }
}

fn pods(change: &Change<'_>, path: &Path, errors: &mut Errors) {
    let terminating = get::number(change.new, "terminating");
    if (change.finish_turned() || change.pointer_changed("terminating")) && terminating > 0 && change.is_finished() {
        errors.invalid(&path.child("terminating"), terminating, "terminating>0 is invalid for finished job");
    }
    let ready = get::number(change.new, "ready");
    if (change.pointer_changed("ready") || change.changed("active")) && ready > get::number(change.new, "active") {
        errors.invalid(&path.child("ready"), ready, "cannot set more ready pods than active");
    }
}

fn success_criteria(change: &Change<'_>, path: &Path, errors: &mut Errors) {
    let met = change.is("SuccessCriteriaMet");
    if met && change.is("Failed") {
        conditions_fault(path, "cannot set SuccessCriteriaMet=True and Failed=true conditions", errors);
    }
    if met && change.is("FailureTarget") {
        conditions_fault(path, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions", errors);
    }
    if get::object(change.spec, "successPolicy").is_some() && !met && change.is("Complete") {
        conditions_fault(path, "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True", errors);
    }
}

/// Ends stay, counters rise, times stand.
fn only_forward(change: &Change<'_>, path: &Path, errors: &mut Errors) {
    for kind in ["Failed", "Complete", "FailureTarget"] {
        if change.was(kind) && !change.is(kind) {
            conditions_fault(path, format!("cannot disable the terminal {kind}=True condition"), errors);
        }
    }
    let scales = is_indexed(change.spec) && get::int(change.spec, "completions") == get::int(change.spec, "parallelism");
    for (field, checked) in [("failed", true), ("succeeded", !scales)] {
        let count = get::number(change.new, field);
        if checked && count < get::number(change.old, field) {
            errors.invalid(&path.child(field), count, format!("cannot decrease the {field} counter"));
        }
    }
    let time = |status: &Value, field: &str| get::string(status, field).map(str::to_owned);
    let completion = (time(change.new, "completionTime"), time(change.old, "completionTime"));
    if let (Some(new), Some(old)) = completion
        && new != old
    {
        errors.invalid(&path.child("completionTime"), new, IMMUTABLE);
    }
    let resuming = change.was("Suspended") && condition(change.new, "Suspended", "False");
    let start_moved = time(change.old, "startTime").is_some() && change.pointer_changed("startTime");
    if start_moved && !resuming && !get::is(change.spec, "suspend") {
        errors.invalid(
            &path.child("startTime"),
            get::raw(change.new, "startTime"),
            "field is immutable for unsuspended job once set",
        );
    }
    if change.was("SuccessCriteriaMet") && !change.is("SuccessCriteriaMet") {
        conditions_fault(path, "cannot disable the SuccessCriteriaMet=True condition", errors);
    }
    if change.was("Complete") && !change.was("SuccessCriteriaMet") && change.is("SuccessCriteriaMet") {
        conditions_fault(path, "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions", errors);
    }
}
