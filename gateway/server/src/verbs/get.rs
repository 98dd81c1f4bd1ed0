//! Reads one object: its bytes as the cache holds them.

use std::sync::Arc;

use model::Status;

use crate::answer::Answer;
use crate::call::Call;
use crate::gate::Gate;
use crate::options::{parse_revision, storage_revision};
use crate::row::Row;
use crate::unread;

/// Serves a get.
pub(super) async fn run(gate: &Arc<Gate>, call: &Call, row: &Row) -> Result<Answer, Status> {
    if call.query.flag("export") == Some(true) {
        return Err(Status::bad_request("the export parameter, deprecated since v1.14, is no longer supported"));
    }
    let resource = gate.store_of(row).resource(row.prefix());
    let text = call.query.text("resourceVersion");
    let wanted = if row.hooks().uncached { parse_revision(text) } else { storage_revision(text) }?;
    super::arrival(gate, &resource, wanted).await;
    let revision = resource.revision();
    if wanted > revision {
        return Err(Status::too_large_revision(wanted, revision));
    }
    let key = super::key(row, &call.info.namespace, &call.info.name)?;
    match resource.get(key.as_str()) {
        Some(entry) => match unread::of(&entry) {
            Some(unread) => Err(unread),
            None => Ok(Answer::entry(row, entry)),
        },
        None => Err(Status::not_found(&row.group_resource(), &call.info.name)),
    }
}
