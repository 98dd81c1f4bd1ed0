//! Policies that could not judge, as Events on their bindings: one Event for each binding and reason, counted on. Written
//! off the path of requests. Does not decide what follows (`answer`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::json::json;
use model::{GroupVersionResource, Status, Value, World};
use parking_lot::Mutex;
use wasm::Failure;

use super::binding::Scope;
use super::set::Entry;
use super::{GROUP, VERSION};
use crate::Review;

/// Bindings and reasons that wait to be told; nobody reads more, and each is an object.
const WAITING_MAX: usize = 256;
/// The part of a uid that stands in an Event's name.
const UID_SHOWN: usize = 8;
/// Where Events about what is in no namespace are.
const DEFAULT_NAMESPACE: &str = "default";

/// Failures since the last time they were told.
#[derive(Default)]
pub(super) struct Failures(Mutex<BTreeMap<(String, &'static str), Seen>>);

struct Seen {
    uid: String,
    scope: Scope,
    count: i64,
    first: Timestamp,
    last: Timestamp,
    message: String,
}

impl Failures {
    /// Counts one failure.
    pub(super) fn record(&self, entry: &Entry, failure: &Failure, review: &Review<'_>) {
        let mut all = self.0.lock();
        let key = (entry.binding.name.clone(), failure.reason());
        if all.len() >= WAITING_MAX && !all.contains_key(&key) {
            return;
        }
        let seen = all.entry(key).or_insert_with(|| Seen {
            uid: entry.binding.uid.clone(),
            scope: entry.binding.scope.clone(),
            count: 0,
            first: review.now,
            last: review.now,
            message: String::new(),
        });
        seen.count += 1;
        seen.last = review.now;
        seen.message = format!("{failure} ({} of {})", review.operation.as_str(), review.resource.group_resource());
    }

    /// Writes what was counted as Events.
    pub(super) async fn tell(&self, world: &dyn World) {
        let waiting = std::mem::take(&mut *self.0.lock());
        for ((binding, reason), seen) in waiting {
            if let Err(error) = write(world, &binding, reason, &seen).await {
                tracing::warn!(%error, %binding, "an event about a policy could not be written");
            }
        }
    }
}

async fn write(world: &dyn World, binding: &str, reason: &str, seen: &Seen) -> Result<(), Status> {
    let events = GroupVersionResource::new("", "v1", "events");
    let (kind, namespace, own) = match &seen.scope {
        Scope::Cluster => ("ClusterPolicyBinding", DEFAULT_NAMESPACE, ""),
        Scope::Namespace { name, .. } => ("PolicyBinding", name.as_str(), name.as_str()),
    };
    let bare = binding.rsplit('/').next().unwrap_or(binding);
    // Of another object of the name somebody else told.
    let own_uid = seen.uid.get(..UID_SHOWN).unwrap_or("policy");
    let name = format!("{bare}.{own_uid}.{}", reason.replace('_', "-"));
    let at = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let told =
        json!({"lastTimestamp": at(seen.last), "message": format!("policy {binding:?} could not judge: {}", seen.message)});
    if let Ok(earlier) = world.get(&events, namespace, &name).await {
        let mut patch = told;
        patch["count"] = (earlier.get("count").and_then(Value::as_i64).unwrap_or(0) + seen.count).into();
        return world.merge_patch(&events, "", namespace, &name, patch).await.map(drop);
    }
    // kubectl describe looks for the Events of an object by its uid too.
    let about =
        json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind, "name": bare, "namespace": own, "uid": seen.uid});
    let mut event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": about,
        "reason": "PolicyFailed",
        "type": "Warning",
        "source": {"component": "gatehouse"},
        "reportingComponent": "gatehouse",
        "firstTimestamp": at(seen.first),
        "count": seen.count,
    });
    for (field, value) in told.as_object().into_iter().flatten() {
        event[field] = value.clone();
    }
    world.create(&events, namespace, event).await.map(drop)
}
