//! The last steps of a write: allocate, encode, compare and put, release.

use std::sync::Arc;

use admission::Notes;
use catalog::hooks::{Begun, Change};
use model::{Status, User, Value, meta};
use store::{Draft, Error, Expect, Op};

use super::{Absent, Current, Stored, Write};
use crate::gate::Gate;
use crate::row::Row;
use crate::world::LocalWorld;

/// What was begun for a write and must be ended with it.
pub(super) struct Pending(Begun);

/// Allocates what the new state needs.
pub(super) async fn begin(gate: &Arc<Gate>, write: &Write<'_>, new: &mut Value, old: Option<&Value>) -> Result<Pending, Status> {
    let Some(begin) = write.row.hooks().begin.filter(|_| write.row.is_whole()) else { return Ok(Pending(Begun::default())) };
    let world = own_world(gate);
    Ok(Pending(begin(&world, Change { new, old, dry_run: write.options.dry_run }).await?))
}

impl Pending {
    /// Keeps what was allocated, or gives it back.
    pub(super) async fn finish(self, gate: &Arc<Gate>, stored: &Result<Option<Stored>, Status>) {
        let last = match stored {
            Ok(Some(_)) => self.0.on_success,
            _ => self.0.on_failure,
        };
        if let Some(last) = last {
            last(&own_world(gate)).await;
        }
    }
}

fn own_world(gate: &Arc<Gate>) -> LocalWorld {
    LocalWorld::new(gate, User::loopback())
}

/// Puts a new object; `None` when its name is taken.
pub(super) async fn create(gate: &Arc<Gate>, write: &Write<'_>, new: &Value) -> Result<Option<Stored>, Status> {
    let row = write.row;
    let key = crate::verbs::key(row, &write.namespace, meta::name(new))?;
    if write.options.dry_run {
        let free = gate.store.resource(row.prefix()).get(key.as_str()).is_none();
        return Ok(free.then(|| Stored::Value(new.clone())));
    }
    let put = Op::Put { key, expect: Expect::Absent, draft: draft(gate, row, new).await? };
    commit(gate, row, "create", put).await
}

/// Puts the next state of an object, or removes it with its last finalizer; `None` when it changed meanwhile.
pub(super) async fn update(
    gate: &Arc<Gate>,
    write: &Write<'_>,
    new: &Value,
    current: &Current,
) -> Result<Option<Stored>, Status> {
    let (row, key) = (write.row, current.entry.key.clone());
    if ends(new, &current.value) {
        return remove(gate, write, new, current).await;
    }
    if write.options.dry_run {
        return Ok(Some(Stored::Value(new.clone())));
    }
    let draft = draft(gate, row, new).await?;
    // Upstream writes what is stored with an older key or in another encoding again, whatever changes: that is how these are taken
    // out of use.
    let failed = |error| gate.store_failed(&row.group_resource(), "update", &error);
    if is_same(&draft, current) && !gate.store.lies_otherwise(&current.entry, &draft).await.map_err(failed)? {
        return Ok(Some(Stored::Entry(current.entry.clone())));
    }
    commit(gate, row, "update", Op::Put { key, expect: Expect::Revision(current.entry.revision), draft }).await
}

async fn remove(gate: &Arc<Gate>, write: &Write<'_>, new: &Value, current: &Current) -> Result<Option<Stored>, Status> {
    if !write.options.dry_run {
        let op = Op::Delete { key: current.entry.key.clone(), expect: Expect::Revision(current.entry.revision) };
        if commit(gate, write.row, "delete", op).await?.is_none() {
            return Ok(None);
        }
        gone(gate, write.row, new).await;
    }
    Ok(Some(Stored::Value(new.clone())))
}

/// Gives back what an object held that is gone from the store.
pub(crate) async fn gone(gate: &Arc<Gate>, row: &Row, object: &Value) {
    if let Some(after_delete) = row.hooks().after_delete {
        after_delete(&own_world(gate), object).await;
    }
}

/// Whether an object that is being deleted has nothing left to wait for.
fn ends(new: &Value, old: &Value) -> bool {
    let waits = |list: Option<&Value>| list.and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let metadata = meta::metadata(old);
    let grace = metadata.and_then(|m| m.get("deletionGracePeriodSeconds")).and_then(Value::as_i64).unwrap_or(0);
    meta::deletion_timestamp(old).is_some()
        && grace == 0
        && meta::finalizers(new).is_empty()
        // Those of a Namespace's contents.
        && !waits(new.get("spec").and_then(|spec| spec.get("finalizers")))
}

/// Whether a draft is what is stored already: then nothing is written and the revision stays.
fn is_same(draft: &Draft, current: &Current) -> bool {
    let (old, at) = (&current.entry.body, draft.revision_at);
    let digits = current.entry.revision.to_string();
    old.len() == draft.body.len() + digits.len()
        && old[..at] == draft.body[..at]
        && old[at..at + digits.len()] == *digits.as_bytes()
        && old[at + digits.len()..] == draft.body[at..]
}

/// The bytes and the header of an object that is about to be stored.
pub(crate) async fn draft(gate: &Gate, row: &Row, object: &Value) -> Result<Draft, Status> {
    let (body, revision_at) = row.encode(gate, object).await?;
    Ok(Draft { header: row.header(object), body, revision_at, ttl_s: row.ttl_s(gate) })
}

/// Commits one operation; `None` when its condition does not hold.
pub(crate) async fn commit(gate: &Gate, row: &Row, operation: &str, op: Op) -> Result<Option<Stored>, Status> {
    match gate.store.commit(vec![op]).await {
        Ok(committed) => match committed.entries.into_iter().next() {
            Some(entry) => Ok(Some(Stored::Entry(entry))),
            // One operation yields one entry.
            None => Err(Status::server_timeout(&row.group_resource(), operation, 2)),
        },
        Err(Error::Conflict { .. }) => Ok(None),
        Err(error) => Err(gate.store_failed(&row.group_resource(), operation, &error)),
    }
}

/// What the client reads when every attempt was overtaken.
pub(super) async fn conflict(gate: &Gate, write: &Write<'_>) -> Status {
    let (row, resource) = (write.row, write.row.group_resource());
    if write.absent != Absent::Create {
        return Status::modified(&resource, &write.name);
    }
    if write.name.is_empty() {
        return Status::generate_name_conflict(&resource, "");
    }
    let drafted = (write.draft)(None, &mut Notes::default()).unwrap_or_default();
    let mut status = match meta::text(&drafted, "generateName") {
        "" => Status::already_exists(&resource, &write.name),
        // Whoever names an object is told so too, if he says how it might have been called.
        _ => Status::generate_name_conflict(&resource, &write.name),
    };
    let current = gate.store.resource(row.prefix()).get(row.key(&write.namespace, &write.name).as_str());
    let deleting = match current {
        Some(entry) => row.stored_value(gate, &entry).await.is_ok_and(|o| meta::deletion_timestamp(&o).is_some()),
        None => false,
    };
    if deleting {
        status.message = format!("object is being deleted: {}", status.message);
    }
    status
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn ends_with_the_last_finalizer() {
        let old = json!({"metadata": {"deletionTimestamp": "t", "deletionGracePeriodSeconds": 0, "finalizers": ["a"]}});
        assert!(ends(&json!({"metadata": {}}), &old));
        assert!(!ends(&json!({"metadata": {"finalizers": ["a"]}}), &old));
        assert!(!ends(&json!({"metadata": {}, "spec": {"finalizers": ["kubernetes"]}}), &old));
        assert!(!ends(&json!({"metadata": {}}), &json!({"metadata": {}})));
        let graceful = json!({"metadata": {"deletionTimestamp": "t", "deletionGracePeriodSeconds": 30}});
        assert!(!ends(&json!({"metadata": {}}), &graceful));
    }
}
