//! Asks the mutators that a write concerns, one after the other, and makes the changes they may make.
//! A second round asks those again whose fields a later one changed; there is no third.

use std::sync::Arc;

use model::{Status, Value};
use schema::patch::JsonPatch;
use serde_json::json;
use wasm::Failure;

use super::answer::{Refusals, annotate};
use super::binding::Action;
use super::judge::{self, Call};
use super::set::Entry;
use super::{Policies, log};
use crate::{Notes, Review};

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
    let set = policies.set.load_full();
    if set.mutators.is_empty() {
        return Ok(());
    }
    let request = Arc::new(judge::request(review));
    let mut refusals = Refusals::default();
    let mut asked: Vec<(&Arc<Entry>, bool)> = Vec::new();
    let mut changed = false;
    for entry in &set.mutators {
        if !policies.concerns(entry, review, Some(object)).await {
            continue;
        }
        if let Some(after) = ask(policies, entry, review, &request, object, &mut refusals, notes).await {
            for (earlier, again) in &mut asked {
                *again |= earlier.reads.touched(Some(object), Some(&after));
            }
            *object = after;
            changed = true;
        }
        asked.push((entry, false));
    }
    for (entry, _) in asked.into_iter().filter(|(_, again)| *again) {
        if let Some(after) = ask(policies, entry, review, &request, object, &mut refusals, notes).await {
            *object = after;
            changed = true;
        }
    }
    notes.reinvoke |= changed;
    refusals.into_status(review)
}

/// Asks one mutator; gives the object as it is to be, when that is another.
async fn ask(
    policies: &Policies,
    entry: &Arc<Entry>,
    review: &Review<'_>,
    request: &Arc<wasm::Request>,
    object: &Value,
    refusals: &mut Refusals,
    notes: &mut Notes,
) -> Option<Value> {
    let answer = judge::mutate(&policies.runtime, request.clone(), Call::of(entry, review, Some(object))).await;
    log(entry, &answer.log);
    let name = &entry.binding.name;
    let proposal = answer.outcome.and_then(|mutation| {
        for warning in &mutation.warnings {
            notes.warn(format!("policy {name:?}: {warning}"));
        }
        apply(entry, object, mutation.patch.as_deref())
    });
    let (outcome, after) = match proposal {
        Ok(None) => ("unchanged", None),
        Ok(Some((after, paths))) => {
            let verdict = if entry.binding.action == Action::Deny { "changed" } else { "would change" };
            annotate(entry, json!({"verdict": verdict, "paths": paths}), answer.took, notes);
            match entry.binding.action {
                Action::Deny => ("changed", Some(after)),
                Action::Warn => {
                    notes.warn(format!("policy {name:?} would change {}", paths.join(", ")));
                    ("proposed", None)
                }
                Action::Audit => ("proposed", None),
            }
        }
        Err(failure) => {
            refusals.failure(entry, &failure, answer.took, notes);
            (failure.reason(), None)
        }
    };
    policies.metrics.observe(name, outcome, answer.took);
    after
}

/// The patched object and the paths that the patch names; nothing when it changes nothing.
pub(super) fn apply(entry: &Entry, object: &Value, patch: Option<&[u8]>) -> Result<Option<(Value, Vec<String>)>, Failure> {
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
    Ok(Some((after, paths(patch))))
}

fn paths(patch: &[u8]) -> Vec<String> {
    let operations: Vec<Value> = serde_json::from_slice(patch).unwrap_or_default();
    let mut paths: Vec<String> =
        operations.iter().filter_map(|operation| operation.get("path")?.as_str().map(str::to_owned)).collect();
    paths.dedup();
    paths
}
