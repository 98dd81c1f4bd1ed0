//! Asks all validators that a write concerns at once, and adds up what they say. Changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Status, Value};
use wasm::{Answer, Verdict};

use super::answer::Refusals;
use super::concern::{self, Concern, Role};
use super::exception;
use super::judge::{self, Call};
use super::set::PolicySet;
use super::{Policies, seen, shadow};
use crate::{Notes, Review};

/// Judges a write.
pub(super) async fn run(
    policies: &Policies,
    review: &Review<'_>,
    object: Option<&Value>,
    notes: &mut Notes,
) -> Result<(), Status> {
    let set = notes.policy_set.or(|| policies.set());
    let concerns = concern::all(policies, &set, &set.validators, review, object, notes).await;
    if concerns.is_empty() {
        return Ok(());
    }
    let request = Arc::new(judge::request(review));
    let cluster = policies.cluster.get();
    let calls = concerns.iter().map(|concern| Call::of(concern, &request, review, object, cluster)).collect();
    let mut answers = judge::validate(policies, calls).await;
    for (concern, answer) in concerns.iter().zip(&mut answers) {
        except(&set, concern, review, object, answer);
        seen::log(&concern.entry, review, answer);
    }
    compare(policies, review, &concerns, &answers);
    let mut refusals = Refusals::default();
    for (concern, answer) in concerns.iter().zip(&answers).filter(|(concern, _)| concern.role == Role::Deciding) {
        settle(policies, review, concern, answer, &mut refusals, notes);
    }
    refusals.into_status(review)
}

/// Takes the violations away that an exception names.
fn except(set: &PolicySet, concern: &Concern, review: &Review<'_>, object: Option<&Value>, answer: &mut Answer<Verdict>) {
    let Ok(verdict) = &mut answer.outcome else { return };
    if verdict.violations.is_empty() || set.exceptions.is_empty() {
        return;
    }
    let name = &concern.entry.binding.name;
    let covering = exception::covering(&set.exceptions, name, review, object);
    exception::excuse(&covering, &mut verdict.violations, |exception, violation| {
        tracing::info!(policy = %name, rule = %violation.rule, exception = %exception.name, request = review.uid, "violation excepted");
    });
}

/// Counts what candidates say beside what is in force.
fn compare(policies: &Policies, review: &Review<'_>, concerns: &[Concern], answers: &[Answer<Verdict>]) {
    let mut candidates = BTreeMap::new();
    for (concern, answer) in concerns.iter().zip(answers) {
        let (name, told) = (&concern.entry.binding.name, || shadow::verdict(&answer.outcome));
        match concern.role {
            Role::Candidate => drop(candidates.insert(name, (&concern.entry, told()))),
            Role::Alone => policies.shadows.compare(&concern.entry, review, "allowed", &told()),
            Role::Deciding => {
                if let Some((candidate, theirs)) = candidates.remove(name) {
                    policies.shadows.compare(candidate, review, &told(), &theirs);
                }
            }
        }
    }
}

fn settle(
    policies: &Policies,
    review: &Review<'_>,
    concern: &Concern,
    answer: &Answer<Verdict>,
    refusals: &mut Refusals,
    notes: &mut Notes,
) {
    let entry = &concern.entry;
    let outcome = match &answer.outcome {
        Ok(verdict) => {
            for warning in &verdict.warnings {
                notes.warn(format!("policy {:?}: {warning}", entry.binding.name));
            }
            if verdict.violations.is_empty() {
                "allowed"
            } else {
                refusals.violations(entry, &verdict.violations, answer.took, notes);
                "refused"
            }
        }
        Err(failure) => {
            policies.failures.record(entry, failure, review);
            refusals.failure(entry, failure, answer.took, notes);
            failure.reason()
        }
    };
    policies.metrics.observe(&entry.binding.name, outcome, answer.took);
}
