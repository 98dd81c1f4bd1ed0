//! Subresources that are more than a view of the whole object: which functions serve them, and how their objects relate
//! to the stored one. A table; each file below is one of them.

mod approval;
mod binding;
mod componentstatuses;
mod connect;
mod ephemeralcontainers;
mod eviction;
mod finalize;
mod resize;
mod scale;
mod token;

use std::sync::Arc;

use catalog::Resource;
use futures::future::BoxFuture;
use model::field::Errors;
use model::{Status, Value};

use crate::answer::Answer;
use crate::body::Body;
use crate::call::Call;
use crate::gate::Gate;
use crate::reviews;
use crate::row::{Discipline, Row};

/// Serves a request by a way of its own.
pub type Serve = for<'a> fn(&'a Arc<Gate>, &'a mut Call, &'a Row, Body) -> BoxFuture<'a, Result<Answer, Status>>;

/// How the object of a subresource relates to the stored one: it is read off it and written back into it.
pub struct Facet {
    /// What the client sees of the stored object.
    pub view: fn(&Resource, &Value) -> Result<Value, Status>,
    /// The stored object with what the client made of its view.
    pub merge: fn(&Resource, Value, current: &Value) -> Result<Value, Status>,
    /// Which rules the write is under.
    pub discipline: Discipline,
    /// Rules of its own, for a [`Discipline::Part`] that the kind knows how to change.
    pub part: Option<Part>,
    /// The owners of what the client sees of the stored object, where they are others than the object's.
    pub managers: Option<fn(&Resource, &Value) -> Option<Value>>,
    /// What is said of every body that cannot be read, where upstream fails to tell what is wrong with it.
    pub unread: Option<&'static str>,
}

/// What a kind does about a write of one part of it.
pub struct Part {
    /// Makes everything else what it was, the generation included.
    pub prepare: fn(new: &mut Value, old: &Value),
    /// Whether the change is allowed; `metadata` is not its matter.
    pub validate: fn(new: &Value, old: &Value, &mut Errors),
}

/// Group, resource, subresource (`*` for any resource), how it is served.
type Entry = (&'static str, &'static str, &'static str, Serve);

static SERVED: &[Entry] = &[
    ("", "bindings", "", binding::serve),
    ("", "pods", "binding", binding::serve),
    ("", "pods", "eviction", eviction::serve),
    ("", "pods", "log", connect::log),
    ("", "pods", "exec", connect::to_pod),
    ("", "pods", "attach", connect::to_pod),
    ("", "pods", "portforward", connect::to_pod),
    ("", "pods", "proxy", connect::proxy),
    ("", "services", "proxy", connect::proxy),
    ("", "nodes", "proxy", connect::proxy),
    ("", "serviceaccounts", "token", token::serve),
    ("", "componentstatuses", "", componentstatuses::serve),
];

/// The function that serves a row, when it is not the verb's own.
pub fn of(row: &Row) -> Option<Serve> {
    let gvr = row.gvr();
    let fits = |(group, resource, subresource, _): &&Entry| {
        *group == &*gvr.group && *resource == &*gvr.resource && *subresource == row.subresource()
    };
    SERVED.iter().find(fits).map(|(.., serve)| *serve).or_else(|| reviews::of(row))
}

/// The facet of a subresource, when it is not the whole object.
pub fn facet(resource: &Resource, subresource: &str) -> Option<&'static Facet> {
    match subresource {
        "approval" => Some(&approval::FACET),
        "scale" if resource.custom.is_some() => Some(&scale::CUSTOM),
        "scale" => Some(&scale::FACET),
        "finalize" => Some(&finalize::FACET),
        "ephemeralcontainers" => Some(&ephemeralcontainers::FACET),
        "resize" => Some(&resize::FACET),
        _ => None,
    }
}

/// The row of pods, which several subresources change.
fn pods(gate: &Gate) -> Result<Row, Status> {
    // Every catalog has pods.
    Row::named(gate, "", "v1", "pods").ok_or_else(Status::page_not_found)
}

/// Sets a condition of an object; its time moves only with its status. Upstream: `UpdatePodCondition`, `SetStatusCondition`.
fn set_condition(object: &mut Value, mut condition: Value, now: &str) {
    let Some(status) =
        object.as_object_mut().map(|object| object.entry("status").or_insert_with(|| Value::Object(model::Map::new())))
    else {
        return;
    };
    let Some(conditions) =
        status.as_object_mut().map(|status| status.entry("conditions").or_insert_with(|| Value::Array(Vec::new())))
    else {
        return;
    };
    let Some(conditions) = conditions.as_array_mut() else { return };
    let old = conditions.iter().position(|old| old.get("type") == condition.get("type"));
    let since = old.map(|at| &conditions[at]).filter(|old| old.get("status") == condition.get("status"));
    condition["lastTransitionTime"] = since.and_then(|old| old.get("lastTransitionTime")).cloned().unwrap_or_else(|| now.into());
    match old {
        Some(at) => conditions[at] = condition,
        None => conditions.push(condition),
    }
}
