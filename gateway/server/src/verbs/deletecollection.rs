//! Deletes many objects, each as a delete of its own. Not atomic, as upstream: what was deleted before a failure stays so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use admission::Notes;
use futures::{StreamExt, stream};
use model::Status;
use store::Entry;

use super::delete::{self, Admission};
use super::list;
use crate::answer::{Answer, Content};
use crate::body::Body;
use crate::call::Call;
use crate::gate::Gate;
use crate::options::delete::DeleteOptions;
use crate::options::list::ListOptions;
use crate::row::Row;
use crate::select::Selection;

/// Deletes under way at once: enough to fill a commit of the store.
const CONCURRENT_MAX: usize = 32;

/// Serves a delete of many.
pub(super) async fn run(gate: &Arc<Gate>, call: &mut Call, row: &Row, body: Body) -> Result<Answer, Status> {
    let mut options = ListOptions::parse(&call.query, &call.info)?;
    let selection = Selection::new(row, &call.info.namespace, &mut options)?;
    let delete = delete::read(gate, call, body).await?;
    delete.check_for_many()?;
    delete::warn_unsaid(call, row, &delete);
    let (selected, listing) = list::chosen(gate, row, &selection, &options).await?;
    let mut said = Notes::default();
    let (mut outcome, failed) = (Ok(()), AtomicBool::new(false));
    let all = selected.into_iter().take_while(|_| !failed.load(Ordering::Relaxed));
    let all = all.map(|entry| delete_one(gate, row, one(call, &entry), entry, &delete));
    let mut deletes = stream::iter(all).buffer_unordered(CONCURRENT_MAX);
    // After a failure none begins any more, but those under way come to their end.
    while let Some((notes, deleted)) = deletes.next().await {
        said.add(notes);
        failed.fetch_or(deleted.is_err(), Ordering::Relaxed);
        outcome = outcome.and(deleted);
    }
    drop(deletes);
    call.notes.add(said);
    outcome?;
    Ok(Answer::new(200, Content::List(Box::new(listing))))
}

/// The call of one of the deletes, for admission.
fn one(call: &Call, entry: &Entry) -> Call {
    let mut one = Call::local(call.user.clone(), call.info.clone(), call.now);
    (one.id, one.deadline) = (call.id.clone(), call.deadline);
    one.info.namespace = entry.key.namespace().unwrap_or("").to_owned();
    one
}

async fn delete_one(
    gate: &Arc<Gate>,
    row: &Row,
    mut call: Call,
    entry: Arc<Entry>,
    options: &DeleteOptions,
) -> (Notes, Result<(), Status>) {
    let namespace = call.info.namespace.clone();
    let outcome = match delete::object(gate, &mut call, row, (&namespace, entry.key.name()), options, Admission::Asked).await {
        Ok(_) => Ok(()),
        // Somebody else was faster.
        Err(status) if status.code == 404 => Ok(()),
        Err(status) => Err(status),
    };
    (call.notes, outcome)
}
