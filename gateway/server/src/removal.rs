//! What a delete does to an object: ends it, marks it, or nothing. Pure.
//! Follows `k8s.io/apiserver/pkg/registry/rest/delete.go` and the finalizer rules of `registry/generic/registry/store.go`.

use catalog::Garbage;
use jiff::{SignedDuration, Timestamp};
use model::clock::rfc3339;
use model::time::seconds_in_nanos;
use model::{GroupResource, Status, Value, meta};
use schema::object_meta::{FOREGROUND, ORPHAN};

use crate::options::delete::DeleteOptions;

/// Seconds of grace that an object gets, from what was requested.
pub type Grace = fn(&Value, requested: Option<i64>) -> Option<i64>;

/// What a kind says of its deletes.
#[derive(Clone, Copy)]
pub struct Manner {
    /// What becomes of dependants.
    pub garbage: Garbage,
    /// Seconds of grace, from what was requested; nothing when objects of the kind go at once.
    pub grace: Option<Grace>,
    /// The kind waits for its `spec.finalizers` too; what marking changes besides `metadata`.
    pub deleting: Option<fn(&mut Value)>,
    /// The first delete only marks it, whatever its options say; what that changes besides the deletion's time.
    pub closing: Option<fn(&mut Value, now: Timestamp)>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Removal {
    /// Remove it from the store; this is what it was in the end, for whoever is shown it.
    Now(Value),
    /// Store this state of it; something else will remove it.
    Mark(Value),
    /// Nothing: it is being deleted already.
    Pending,
    /// Nothing, for it is a dry run of a delete that would take finalizers from it first: upstream then shows an empty object.
    Untold,
}

/// Of what a failed precondition tells, and in whose words.
pub enum Told {
    /// The kind, in the words of most kinds.
    OfRecord(GroupResource),
    /// The resource, in the words of kinds that wait for their `spec.finalizers`.
    OfMeta(GroupResource),
    /// The same in the spelling of kinds whose first delete only marks them.
    OfMetaLower(GroupResource),
}

/// Checks the preconditions. Fails with upstream's 409.
pub fn check(object: &Value, options: &DeleteOptions, told: &Told) -> Result<(), Status> {
    let uid = ("UID", options.uid.as_deref(), meta::uid(object), "deleted and then recreated");
    let revision = ("ResourceVersion", options.resource_version.as_deref(), meta::resource_version(object), "modified");
    for (field, wanted, found, happened) in [uid, revision] {
        let Some(wanted) = wanted.filter(|wanted| *wanted != found) else { continue };
        let (of, why) = match told {
            Told::OfRecord(kind) => (
                kind,
                format!(
                    "the {field} in the precondition ({wanted}) does not match the {field} in record ({found}). The object might have been {happened}"
                ),
            ),
            Told::OfMeta(resource) => (resource, format!("Precondition failed: {}", unmet(field, wanted, found))),
            Told::OfMetaLower(resource) => (resource, format!("precondition failed: {}", unmet(field, wanted, found))),
        };
        return Err(Status::conflict(of, meta::name(object), why));
    }
    Ok(())
}

/// What an object says otherwise than a precondition wants.
pub(crate) fn unmet(field: &str, wanted: &str, found: &str) -> String {
    format!("{field} in precondition: {wanted}, {field} in object meta: {found}")
}

/// Decides what a delete does.
pub fn decide(object: &Value, options: &DeleteOptions, manner: Manner, now: Timestamp) -> Removal {
    let mut next = object.clone();
    if let Some(closing) = manner.closing.filter(|_| meta::deletion_timestamp(object).is_none()) {
        meta::set(&mut next, "deletionTimestamp", rfc3339(now));
        closing(&mut next, now);
        return Removal::Mark(next);
    }
    if let Some(deleting) = manner.deleting.filter(|_| has_contents(object)) {
        return empty_first(next, options, manner.garbage, deleting, now);
    }
    // As upstream: a negative wish is one second.
    let requested = options.grace_period_seconds.map(|seconds| if seconds < 0 { 1 } else { seconds });
    let graceful = match manner.grace {
        None => false,
        Some(grace) if meta::deletion_timestamp(object).is_none() => match grace(object, requested) {
            None => false,
            Some(seconds) => {
                mark(&mut next, now, seconds);
                raise_generation(&mut next);
                return settle(next, options, manner, now, seconds > 0);
            }
        },
        Some(_) => match shorten(&mut next, requested, now) {
            Shortened::Pending => return Removal::Pending,
            Shortened::To(seconds) => return settle(next, options, manner, now, seconds > 0),
            Shortened::Over => false,
        },
    };
    settle(next, options, manner, now, graceful)
}

fn has_contents(object: &Value) -> bool {
    let finalizers = object.get("spec").and_then(|spec| spec.get("finalizers"));
    finalizers.and_then(Value::as_array).is_some_and(|finalizers| !finalizers.is_empty())
}

/// The kind's own finalizers end before anything else does; there is no grace. Upstream: `registry/core/namespace`.
fn empty_first(mut next: Value, options: &DeleteOptions, garbage: Garbage, deleting: fn(&mut Value), now: Timestamp) -> Removal {
    if meta::deletion_timestamp(&next).is_some() {
        return Removal::Pending;
    }
    meta::set(&mut next, "deletionTimestamp", rfc3339(now));
    deleting(&mut next);
    let finalizers = finalizers(&next, &as_foreground(options), garbage);
    set_finalizers(&mut next, &finalizers);
    Removal::Mark(next)
}

/// Where its contents end first, who does not want dependants orphaned has them deleted before.
fn as_foreground(options: &DeleteOptions) -> DeleteOptions {
    match options.orphan_dependents {
        Some(false) => {
            DeleteOptions { orphan_dependents: None, propagation_policy: Some("Foreground".to_owned()), ..options.clone() }
        }
        _ => options.clone(),
    }
}

fn set_finalizers(object: &mut Value, finalizers: &[String]) {
    if finalizers.is_empty() {
        meta::remove(object, "finalizers");
    } else {
        meta::set(object, "finalizers", finalizers);
    }
}

enum Shortened {
    Pending,
    To(i64),
    Over,
}

/// A second delete may only shorten the grace of the first.
fn shorten(object: &mut Value, requested: Option<i64>, now: Timestamp) -> Shortened {
    let field = |name: &str| meta::metadata(object).and_then(|m| m.get(name)).and_then(Value::as_i64);
    let current = field("deletionGracePeriodSeconds").unwrap_or(0);
    if current == 0 {
        return Shortened::Over;
    }
    let Some(mut seconds) = requested.filter(|seconds| *seconds < current.max(1)) else { return Shortened::Pending };
    let due: Option<Timestamp> = meta::deletion_timestamp(object).and_then(|text| text.parse().ok());
    let mut due = later(due.unwrap_or(now), seconds.wrapping_sub(current));
    if due < now {
        due = now;
        // A grace that was asked for and is over is as short as a grace can be.
        seconds = if seconds == 0 { 0 } else { 1 };
    }
    meta::set(object, "deletionTimestamp", rfc3339(due));
    meta::set(object, "deletionGracePeriodSeconds", seconds);
    Shortened::To(seconds)
}

fn mark(object: &mut Value, now: Timestamp, seconds: i64) {
    meta::set(object, "deletionTimestamp", rfc3339(later(now, seconds)));
    meta::set(object, "deletionGracePeriodSeconds", seconds);
}

/// A grace is whatever a client or a Pod says it is.
fn later(at: Timestamp, seconds: i64) -> Timestamp {
    let grace = SignedDuration::from_nanos(seconds_in_nanos(seconds));
    at.checked_add(grace).unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

fn raise_generation(object: &mut Value) {
    let generation = meta::generation(object);
    if generation > 0 {
        meta::set(object, "generation", generation + 1);
    }
}

/// Sets the finalizers that the options ask for, then decides whether anything is left to wait for.
fn settle(mut next: Value, options: &DeleteOptions, manner: Manner, now: Timestamp, graceful: bool) -> Removal {
    let finalizers = finalizers(&next, options, manner.garbage);
    if finalizers.is_empty() && manner.grace.is_none() {
        // Its end is told as it was, with finalizers that the options took from it.
        let taken = !meta::finalizers(&next).is_empty();
        return if taken && options.dry_run { Removal::Untold } else { Removal::Now(next) };
    }
    set_finalizers(&mut next, &finalizers);
    if graceful {
        return Removal::Mark(next);
    }
    if finalizers.is_empty() {
        return Removal::Now(next);
    }
    let due: Option<Timestamp> = meta::deletion_timestamp(&next).and_then(|text| text.parse().ok());
    if due.is_none() {
        raise_generation(&mut next);
    }
    if due.is_none_or(|due| due > now) {
        meta::set(&mut next, "deletionTimestamp", rfc3339(now));
    }
    meta::set(&mut next, "deletionGracePeriodSeconds", 0);
    Removal::Mark(next)
}

fn finalizers(object: &Value, options: &DeleteOptions, garbage: Garbage) -> Vec<String> {
    let present = meta::finalizers(object);
    let mut kept: Vec<String> = present.iter().filter(|f| **f != ORPHAN && **f != FOREGROUND).map(|f| (*f).to_owned()).collect();
    if garbage == Garbage::Unsupported {
        return kept;
    }
    let policy = match (options.orphan_dependents, options.propagation_policy.as_deref()) {
        (Some(true), _) => ORPHAN,
        (Some(false), _) => "",
        (None, Some("Orphan")) => ORPHAN,
        (None, Some("Foreground")) => FOREGROUND,
        (None, Some(_)) => "",
        // Nothing said: what the object carries already, then what the kind does.
        (None, None) => match present.iter().find(|f| **f == ORPHAN || **f == FOREGROUND) {
            Some(finalizer) => finalizer,
            None if garbage == Garbage::Orphan => ORPHAN,
            None => "",
        },
    };
    if !policy.is_empty() {
        kept.push(policy.to_owned());
    }
    let same = kept.len() == present.len() && present.iter().all(|before| kept.iter().any(|after| after == before));
    // The same ones stay in their order.
    if same { present.into_iter().map(str::to_owned).collect() } else { kept }
}

#[cfg(test)]
mod tests;
