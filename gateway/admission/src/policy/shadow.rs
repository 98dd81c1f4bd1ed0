//! What candidates, and bindings whose action is Shadow, would have done: counted, and the latest differences kept for the
//! binding's status. Does not judge, and does not write the status (`load`).

use std::collections::{BTreeMap, VecDeque};

use model::Value;
use model::json::json;
use parking_lot::Mutex;
use wasm::{Failure, Verdict};

use super::set::Entry;
use crate::Review;

/// Differences that a status lists; more would be read by nobody, and a status is kept by every watcher.
const DIFFERENCES_MAX: usize = 10;
/// Bytes of one verdict in a status.
const VERDICT_BYTES_MAX: usize = 256;

/// Counters by binding, of what nobody was told yet: several servers may count for one binding, each adds to what is told.
#[derive(Default)]
pub(super) struct Shadows(Mutex<BTreeMap<String, Counted>>);

/// What was counted for one binding.
#[derive(Default)]
pub(super) struct Counted {
    of: Of,
    judged: u64,
    differed: u64,
    differences: VecDeque<Value>,
}

/// What is counted: another revision, or another binding, begins anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Of {
    revision: String,
    generation: i64,
}

impl Of {
    fn entry(entry: &Entry) -> Self {
        Self { revision: entry.revision().to_owned(), generation: entry.binding.generation }
    }
}

impl Shadows {
    /// Counts one verdict of a candidate beside the one in force.
    pub(super) fn compare(&self, entry: &Entry, review: &Review<'_>, current: &str, candidate: &str) {
        let mut all = self.0.lock();
        let counted = all.entry(entry.binding.name.clone()).or_default();
        let of = Of::entry(entry);
        if counted.of != of {
            *counted = Counted { of, ..Counted::default() };
        }
        counted.judged += 1;
        if current == candidate {
            return;
        }
        counted.differed += 1;
        counted.differences.truncate(DIFFERENCES_MAX - 1);
        let slash = if review.subresource.is_empty() { "" } else { "/" };
        counted.differences.push_front(json!({
            "time": review.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "operation": review.operation.as_str(),
            "resource": format!("{}{slash}{}", review.resource.group_resource(), review.subresource),
            "namespace": review.namespace,
            "name": review.name,
            "current": cut(current),
            "candidate": cut(candidate),
        }));
    }

    /// What was counted since it was last taken, to be told.
    pub(super) fn take(&self) -> BTreeMap<String, Counted> {
        std::mem::take(&mut *self.0.lock())
    }

    /// Keeps what could not be told until the next time.
    pub(super) fn give_back(&self, binding: String, untold: Counted) {
        let mut all = self.0.lock();
        let counted = all.entry(binding).or_default();
        match counted.of == untold.of {
            true => {
                counted.judged += untold.judged;
                counted.differed += untold.differed;
                counted.differences.extend(untold.differences);
                counted.differences.truncate(DIFFERENCES_MAX);
            }
            // Newer counts are of something else.
            false if counted.judged == 0 => *counted = untold,
            false => {}
        }
    }

    /// Forgets a binding that is gone.
    pub(super) fn forget(&self, binding: &str) {
        self.0.lock().remove(binding);
    }
}

/// The part of a binding's status: what it tells of the same already, by whichever server, and what was counted since.
pub(super) fn status(told: &Value, judged: &Entry, since: Option<&Counted>) -> Value {
    let of = Of::entry(judged);
    let since = since.filter(|since| since.of == of);
    let told = Some(told).filter(|told| told["revision"] == of.revision.as_str() && told["generation"] == of.generation);
    let count = |field: &str, more: Option<u64>| told.and_then(|told| told[field].as_u64()).unwrap_or(0) + more.unwrap_or(0);
    let earlier = told.and_then(|told| told["differences"].as_array()).into_iter().flatten();
    let differences: Vec<&Value> =
        since.into_iter().flat_map(|since| &since.differences).chain(earlier).take(DIFFERENCES_MAX).collect();
    json!({
        // What was wrong with a candidate before this one.
        "message": "",
        "revision": of.revision,
        "generation": of.generation,
        "judged": count("judged", since.map(|since| since.judged)),
        "differed": count("differed", since.map(|since| since.differed)),
        "differences": differences,
    })
}

/// The same of a candidate that cannot be asked: why, and nothing that one before it has done.
pub(super) fn wrong(why: &str) -> Value {
    json!({"message": why, "revision": "", "generation": 0, "judged": 0, "differed": 0, "differences": []})
}

/// A verdict in short, so that two can be compared: the rules and fields of its violations, not its words.
pub(super) fn verdict(outcome: &Result<Verdict, Failure>) -> String {
    match outcome {
        Ok(verdict) if verdict.violations.is_empty() => "allowed".to_owned(),
        Ok(verdict) => {
            let mut broken: Vec<String> = verdict
                .violations
                .iter()
                .map(|violation| {
                    format!("{} at {}", violation.rule, if violation.field.is_empty() { "." } else { &violation.field })
                })
                .collect();
            broken.sort();
            format!("refused: {}", broken.join(", "))
        }
        Err(failure) => format!("failed: {}", failure.reason()),
    }
}

/// What a mutator would do, in short.
pub(super) fn change(outcome: &Result<Option<Value>, Failure>, before: &Value) -> String {
    match outcome {
        Ok(None) => "unchanged".to_owned(),
        Ok(Some(after)) => {
            let values = super::provenance::changed(before, after).into_iter().map(|path| match after.pointer(&path) {
                Some(value) => format!("{path}={value}"),
                None => format!("{path} removed"),
            });
            format!("changed: {}", values.collect::<Vec<_>>().join(", "))
        }
        Err(failure) => format!("failed: {}", failure.reason()),
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(VERDICT_BYTES_MAX)]
}
