//! What the answers of policies add up to: a refusal, warnings, audit annotations. Calls nobody.

use std::time::Duration;

use model::json::json;
use model::status::Cause;
use model::{GroupResource, Status};
use wasm::{Failure, Violation};

use super::binding::{Action, OnFailure};
use super::set::Entry;
use crate::{Notes, Review};

/// What stands before a binding's name in an audit annotation's key.
pub(super) const ANNOTATION_PREFIX: &str = "policy.gatehouse.dev/";
/// Causes of one refusal; more tell nobody more, and a Status is a response that somebody must read.
const CAUSES_MAX: usize = 64;

/// Bytes of settings that an audit record tells. Of longer ones it tells the generation of the binding alone.
const SETTINGS_BYTES_MAX: usize = 2 << 10;

/// The refusals so far.
#[derive(Default)]
pub(super) struct Refusals {
    words: Vec<String>,
    causes: Vec<Cause>,
    failure: Option<String>,
}

impl Refusals {
    /// Takes what a binding says is wrong.
    pub(super) fn violations(&mut self, entry: &Entry, violations: &[Violation], took: Duration, notes: &mut Notes) {
        let binding = &entry.binding;
        for violation in violations.iter().take(CAUSES_MAX) {
            match binding.action {
                Action::Deny => self.refuse(&binding.name, violation),
                Action::Warn => notes.warn(format!("policy {:?}: {}", binding.name, sentence(violation))),
                Action::Audit | Action::Shadow => {}
            }
        }
        let told = |text: fn(&Violation) -> &str| violations.iter().take(CAUSES_MAX).map(text).collect::<Vec<_>>();
        let (rules, fields) = (told(|violation| &violation.rule), told(|violation| &violation.field));
        let verdict = if binding.action == Action::Deny { "refused" } else { "violated" };
        annotate(entry, json!({"verdict": verdict, "rules": rules, "fields": fields}), took, notes);
    }

    /// Takes that a binding could not judge.
    pub(super) fn failure(&mut self, entry: &Entry, failure: &Failure, took: Duration, notes: &mut Notes) {
        let binding = &entry.binding;
        let on_failure = match binding.on_failure {
            OnFailure::Fail => {
                self.failure.get_or_insert_with(|| format!("policy {:?} could not judge this request: {failure}", binding.name));
                "Fail"
            }
            OnFailure::Ignore => "Ignore",
        };
        tracing::warn!(policy = %binding.name, revision = %entry.revision(), reason = failure.reason(), error = %failure, "policy failed");
        let (reason, message) = (failure.reason(), failure.to_string());
        let told = json!({"verdict": "failed", "reason": reason, "message": message, "failurePolicy": on_failure});
        annotate(entry, told, took, notes);
    }

    fn refuse(&mut self, binding: &str, violation: &Violation) {
        if self.causes.len() == CAUSES_MAX {
            return;
        }
        self.words.push(format!("policy {binding:?}: {}", sentence(violation)));
        self.causes.push(Cause {
            reason: violation.rule.clone(),
            message: format!("policy {binding:?}: {}", violation.message),
            field: violation.field.clone(),
        });
    }

    /// The Status of the request, if it is refused. Somebody who can mend an object is told that first; only then that a
    /// policy is broken.
    pub(super) fn into_status(self, review: &Review<'_>) -> Result<(), Status> {
        if !self.words.is_empty() {
            let resource = GroupResource { group: review.resource.group.clone(), resource: review.resource.resource.clone() };
            let mut status = Status::forbidden(&resource, review.name, self.words.join("; "));
            for cause in self.causes {
                status = status.with_cause(cause);
            }
            return Err(status);
        }
        match self.failure {
            Some(words) => Err(Status::internal(words)),
            None => Ok(()),
        }
    }
}

/// `spec.containers[0].image: comes from elsewhere (rule registry-allowed)`.
fn sentence(violation: &Violation) -> String {
    let field = if violation.field.is_empty() { String::new() } else { format!("{}: ", violation.field) };
    let rule = if violation.rule.is_empty() { String::new() } else { format!(" (rule {})", violation.rule) };
    format!("{field}{}{rule}", violation.message)
}

/// Writes what a binding did to the audit record.
pub(super) fn annotate(entry: &Entry, mut what: model::json::Value, took: Duration, notes: &mut Notes) {
    let binding = &entry.binding;
    // A slash would end the key's prefix; no name has an underscore.
    let key = format!("{ANNOTATION_PREFIX}{}", binding.name.replace('/', "_"));
    what["module"] = binding.module.as_str().into();
    what["revision"] = entry.revision().into();
    what["generation"] = binding.generation.into();
    what["action"] = binding.action.as_str().into();
    what["microseconds"] = (took.as_micros() as u64).into();
    if binding.settings.to_string().len() <= SETTINGS_BYTES_MAX {
        what["settings"] = binding.settings.clone();
    }
    notes.annotations.retain(|(other, _)| *other != key);
    notes.annotate(key, what.to_string());
}
