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

/// Counters by binding.
#[derive(Default)]
pub(super) struct Shadows(Mutex<BTreeMap<String, Shadow>>);

/// What was counted for one.
#[derive(Default)]
struct Shadow {
    /// The revision that is counted; another one begins anew.
    revision: String,
    judged: u64,
    differed: u64,
    differences: VecDeque<Value>,
    /// Something was counted since it was last told.
    news: bool,
}

impl Shadows {
    /// Counts one verdict of a candidate beside the one in force.
    pub(super) fn compare(&self, entry: &Entry, review: &Review<'_>, current: &str, candidate: &str) {
        let mut all = self.0.lock();
        let shadow = all.entry(entry.binding.name.clone()).or_default();
        if shadow.revision != entry.revision() {
            *shadow = Shadow { revision: entry.revision().to_owned(), ..Shadow::default() };
        }
        shadow.judged += 1;
        shadow.news = true;
        if current == candidate {
            return;
        }
        shadow.differed += 1;
        shadow.differences.truncate(DIFFERENCES_MAX - 1);
        let slash = if review.subresource.is_empty() { "" } else { "/" };
        shadow.differences.push_front(json!({
            "time": review.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "operation": review.operation.as_str(),
            "resource": format!("{}{slash}{}", review.resource.group_resource(), review.subresource),
            "namespace": review.namespace,
            "name": review.name,
            "current": cut(current),
            "candidate": cut(candidate),
        }));
    }

    /// The part of a binding's status, as it stands for a revision.
    pub(super) fn status(&self, binding: &str, revision: &str) -> Value {
        let all = self.0.lock();
        let counted = all.get(binding).filter(|shadow| shadow.revision == revision);
        let (judged, differed) = counted.map_or((0, 0), |shadow| (shadow.judged, shadow.differed));
        let differences: Vec<&Value> = counted.into_iter().flat_map(|shadow| &shadow.differences).collect();
        json!({"revision": revision, "judged": judged, "differed": differed, "differences": differences})
    }

    /// The bindings of which there is something new to tell; asked again there is not.
    pub(super) fn news(&self) -> Vec<String> {
        let mut all = self.0.lock();
        let mut names = Vec::new();
        for (name, shadow) in all.iter_mut() {
            if std::mem::take(&mut shadow.news) {
                names.push(name.clone());
            }
        }
        names
    }

    /// Forgets a binding that is gone.
    pub(super) fn forget(&self, binding: &str) {
        self.0.lock().remove(binding);
    }
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
