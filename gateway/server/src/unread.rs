//! What clients are told where an object in the storage cannot be read: of that object, and of its resource, which can be neither
//! listed nor watched meanwhile. Follows `etcd3/corrupt_obj_deleter.go` and the watch cache, which is not ready while it cannot list.
//! Reads nothing (`store`).

use std::sync::Arc;

use model::status::{Cause, Details};
use model::{GroupResource, Status};
use store::{Entry, ResourceCache, Snapshot, Step, Unread};

/// Upstream's limit on what one answer tells.
const TOLD_MAX: usize = 100;
const TRUNCATED: &str = "too many errors, the list is truncated";
/// How long upstream lets clients wait at first.
const RETRY_AFTER_S: i32 = 1;
/// Where objects lie within this program, which upstream's keys of single objects leave out.
const REGISTRY: &str = "/registry";

/// What is said of an object that cannot be read; nothing of all others.
pub(crate) fn of(entry: &Entry) -> Option<Status> {
    let unread = entry.unread()?;
    let key = entry.key.as_str();
    Some(Status::internal(corrupt(key.strip_prefix(REGISTRY).unwrap_or(key), entry, unread)))
}

/// What is said to who would change it. Only what can be decrypted and is no object is a failure without a reason.
pub(crate) fn of_changed(entry: &Entry) -> Option<Status> {
    let unread = entry.unread()?;
    let fault = fault(entry, unread);
    Some(match unread.step {
        Step::Transform => Status::internal(fault),
        Step::Decode => Status::new(500, "", fault),
    })
}

/// Fails where a part of a list would hold an object that cannot be read.
pub(crate) fn refuse_page<'e>(resource: &GroupResource, entries: impl Iterator<Item = &'e Arc<Entry>>) -> Result<(), Status> {
    let faults: Vec<_> = entries
        .filter_map(|entry| Some((entry.key.as_str(), corrupt(entry.key.as_str(), entry, entry.unread()?))))
        .take(TOLD_MAX)
        .collect();
    let Some((_, first)) = faults.first() else { return Ok(()) };
    let mut message = format!("failed to read one or more {resource} from the storage: {first}");
    if faults.len() > 1 {
        message = format!("{message} (and {} more)", faults.len() - 1);
    }
    let cause = |(key, message): &(&str, String)| Cause {
        reason: "UnexpectedServerResponse".to_owned(),
        message: message.clone(),
        field: (*key).to_owned(),
    };
    let mut causes: Vec<_> = faults.iter().map(cause).collect();
    if faults.len() == TOLD_MAX {
        causes.push(Cause { reason: "FieldValueTooMany".to_owned(), message: TRUNCATED.to_owned(), ..Cause::default() });
    }
    let details = Details {
        name: "list".to_owned(),
        group: resource.group.to_string(),
        kind: resource.resource.to_string(),
        causes,
        ..Details::default()
    };
    Err(Status::new(500, "StorageReadError", message).with_details(details))
}

/// Fails where the resource holds an object that cannot be read: what upstream's cache serves is not served then.
pub(crate) fn refuse(resource: &GroupResource, snapshot: &Snapshot) -> Result<(), Status> {
    match refuse_page(resource, snapshot.unread()) {
        Ok(()) => Ok(()),
        Err(status) => {
            let message = format!("storage is (re)initializing: failed to list <unspecified>: {}", status.message);
            Err(Status::too_many_requests(message, RETRY_AFTER_S))
        }
    }
}

/// Whether everything of a resource can be read.
pub(crate) fn is_whole(resource: &ResourceCache) -> bool {
    resource.snapshot().unread().next().is_none()
}

/// The fault in upstream's words, which name a revision only where something was decrypted.
fn fault(entry: &Entry, unread: &Unread) -> String {
    match unread.step {
        Step::Transform => format!("data from the storage is not transformable revision=0: {}", unread.reason),
        Step::Decode => format!("object not decodable revision={}: {}", entry.revision, unread.reason),
    }
}

fn corrupt(key: &str, entry: &Entry, unread: &Unread) -> String {
    let fault = fault(entry, unread);
    format!("StorageError: corrupt object, Code: 7, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: {fault}")
}
