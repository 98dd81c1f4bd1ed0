//! Asks the mutators that a write concerns, one after the other, and makes the changes they may make.
//! A second round asks those again whose fields a later one changed; there is no third.

use std::sync::Arc;
use std::time::Duration;

use model::json::json;
use model::{Status, Value};
use schema::patch::JsonPatch;
use wasm::Failure;

use super::answer::{Refusals, annotate};
use super::binding::Action;
use super::concern::{self, Concern, Role};
use super::judge::{self, Call};
use super::provenance::{self, Provenance};
use super::set::{Entry, PolicySet};
use super::{Policies, seen, shadow};
use crate::{Notes, Review};

/// A patch that is applied where requests are: a few hundred operations.
const PATCH_BYTES_SMALL: usize = 16 << 10;

/// What nobody changes who does not make the object anew.
const IDENTITY: [&str; 9] = [
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/metadata/generateName",
    "/metadata/namespace",
    "/metadata/uid",
    "/metadata/resourceVersion",
    "/metadata/creationTimestamp",
    "/metadata/deletionTimestamp",
];

/// Runs both rounds. Sets `notes.reinvoke` when the object is not what it was.
pub(super) async fn run(policies: &Policies, review: &Review<'_>, object: &mut Value, notes: &mut Notes) -> Result<(), Status> {
    let set = notes.policy_set.or(|| policies.set());
    if set.mutators.is_empty() {
        return Ok(());
    }
    let request = Arc::new(judge::request(review));
    let mut turn =
        Turn { policies, review, set: &set, request, refusals: Refusals::default(), provenance: Provenance::default() };
    let mut asked: Vec<(&Arc<Entry>, bool)> = Vec::new();
    let mut changed = false;
    for entry in &set.mutators {
        let Some(after) = turn.ask(entry, object, notes).await else { continue };
        if let Some(after) = after {
            for (earlier, again) in &mut asked {
                *again |= earlier.reads.touched(Some(object), Some(&after));
            }
            notes.replace(object, after);
            changed = true;
        }
        asked.push((entry, false));
    }
    for (entry, _) in asked.into_iter().filter(|(_, again)| *again) {
        if let Some(Some(after)) = turn.ask(entry, object, notes).await {
            notes.replace(object, after);
            changed = true;
        }
    }
    notes.reinvoke |= changed;
    turn.provenance.annotate(notes);
    turn.refusals.into_status(review)
}

/// What one request's mutation carries along.
struct Turn<'a> {
    policies: &'a Policies,
    review: &'a Review<'a>,
    set: &'a PolicySet,
    request: Arc<wasm::Request>,
    refusals: Refusals,
    provenance: Provenance,
}

/// What a mutator makes of an object: the object as it is to be, when that is another.
type Proposal = Result<Option<Value>, Failure>;

impl Turn<'_> {
    /// Asks one binding, if the write concerns it; gives the object as it is to be, when that is another.
    async fn ask(&mut self, entry: &Arc<Entry>, object: &Value, notes: &mut Notes) -> Option<Option<Value>> {
        let concerns = concern::of(self.policies, self.set, entry, self.review, Some(object), notes).await;
        let mut candidate: Option<(Arc<Entry>, String)> = None;
        let mut concerned = None;
        for concern in concerns {
            let (proposal, warnings, took) = self.propose(&concern, object).await;
            let told = shadow::change(&proposal, object);
            match concern.role {
                Role::Candidate => candidate = Some((concern.entry, told)),
                Role::Alone => {
                    self.policies.shadows.compare(&concern.entry, self.review, "unchanged", &told);
                    concerned = Some(None);
                }
                Role::Deciding => {
                    if let Some((candidate, theirs)) = candidate.take() {
                        self.policies.shadows.compare(&candidate, self.review, &told, &theirs);
                    }
                    for warning in warnings {
                        notes.warn(format!("policy {:?}: {warning}", concern.entry.binding.name));
                    }
                    concerned = Some(self.settle(&concern.entry, object, proposal, took, notes));
                }
            }
        }
        concerned
    }

    async fn propose(&self, concern: &Concern, object: &Value) -> (Proposal, Vec<String>, Duration) {
        let cluster = self.policies.cluster.get();
        let call = Call::of(concern, &self.request, self.review, Some(object), cluster);
        let answer = judge::mutate(self.policies, call).await;
        seen::log(&concern.entry, self.review, &answer);
        let mutation = match answer.outcome {
            Ok(mutation) => mutation,
            Err(failure) => return (Err(failure), Vec::new(), answer.took),
        };
        let converted = concern.converted.as_ref().and_then(|converted| converted.object.as_ref());
        let proposal = change(&concern.entry, converted.unwrap_or(object), mutation.patch).await;
        let proposal = match (proposal, converted, cluster) {
            (Ok(Some(after)), Some(_), Some(cluster)) => {
                let (from, to) = (&concern.matched.resource, self.review.resource);
                let back = cluster.kinds.convert(&after, from, to, self.review.subresource).await;
                back.map(Some).map_err(|status| Failure::BadAnswer(format!("the object cannot be converted back: {status}")))
            }
            (proposal, ..) => proposal,
        };
        (proposal, mutation.warnings, answer.took)
    }

    /// What follows from a proposal.
    fn settle(
        &mut self,
        entry: &Arc<Entry>,
        object: &Value,
        proposal: Proposal,
        took: Duration,
        notes: &mut Notes,
    ) -> Option<Value> {
        let name = &entry.binding.name;
        let (outcome, after) = match proposal {
            Ok(None) => ("unchanged", None),
            Ok(Some(after)) => {
                let paths = provenance::changed(object, &after);
                let verdict = if entry.binding.action == Action::Deny { "changed" } else { "would change" };
                annotate(entry, json!({"verdict": verdict, "paths": paths}), took, notes);
                match entry.binding.action {
                    Action::Deny => {
                        self.provenance.record(entry, &paths, notes);
                        ("changed", Some(after))
                    }
                    Action::Warn => {
                        notes.warn(format!("policy {name:?} would change {}", paths.join(", ")));
                        ("proposed", None)
                    }
                    Action::Audit | Action::Shadow => ("proposed", None),
                }
            }
            Err(failure) => {
                self.policies.failures.record(entry, &failure, self.review);
                self.refusals.failure(entry, &failure, took, notes);
                (failure.reason(), None)
            }
        };
        self.policies.metrics.observe(name, outcome, took);
        after
    }
}

/// The same as [`apply`], of a large patch on a thread of its own: thousands of operations on a large object take seconds, which
/// other requests must not wait for.
async fn change(entry: &Arc<Entry>, object: &Value, patch: Option<Vec<u8>>) -> Proposal {
    if patch.as_ref().is_none_or(|patch| patch.len() <= PATCH_BYTES_SMALL) {
        return apply(entry, object, patch.as_deref());
    }
    let (entry, object) = (entry.clone(), object.clone());
    let applied = tokio::task::spawn_blocking(move || apply(&entry, &object, patch.as_deref())).await;
    applied.unwrap_or_else(|_| Err(Failure::BadAnswer("the patch could not be applied".to_owned())))
}

/// The patched object; nothing when the patch changes nothing.
pub(super) fn apply(entry: &Entry, object: &Value, patch: Option<&[u8]>) -> Proposal {
    let Some(patch) = patch else { return Ok(None) };
    let bad = |status: Status| Failure::BadAnswer(format!("the patch does not apply: {status}"));
    let mut after = object.clone();
    JsonPatch::parse(patch).map_err(bad)?.apply(&mut after).map_err(bad)?;
    if after == *object {
        return Ok(None);
    }
    if let Some(path) = entry.writes.outside(Some(object), Some(&after)) {
        return Err(Failure::BadAnswer(format!("it changes {path}, which the module does not declare that it writes")));
    }
    if let Some(path) = IDENTITY.iter().find(|path| object.pointer(path) != after.pointer(path)) {
        return Err(Failure::BadAnswer(format!("it changes {path}, which no policy may change")));
    }
    Ok(Some(after))
}
