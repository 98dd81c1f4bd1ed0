//! The one way in which anything is written: a create, a replace, any patch, a status, a scale, a binding are drafts of it.
//! Follows `k8s.io/apiserver/pkg/registry/generic/registry/store.go`. What differs between kinds is in their rows; how a
//! draft changes the current object is the caller's.

mod admit;
mod asker;
mod commit;
mod managed;
mod owners;
mod prepare;
mod raw;
mod rules;

pub(crate) use prepare::wipe;

use std::sync::Arc;

use admission::{Notes, Operation};
use model::clock::rfc3339;
use model::{Status, Value, meta};
use store::Entry;

use crate::aside;
use crate::call::Call;
use crate::gate::Gate;
use crate::options::{Flavor, WriteOptions};
use crate::row::{Discipline, Row};

pub(crate) use admit::Review;
pub(crate) use commit::{commit, draft, gone};
pub(crate) use owners::{Moment, dedup as dedup_owner_references};
pub(crate) use raw::change;

/// How often a write begins anew because the object changed meanwhile. Each time another write succeeded, so this many
/// means that somebody else writes the object without a pause; the deadline of the request usually comes first.
const ATTEMPTS_MAX: usize = 1000;
/// Names tried for a `generateName`, as upstream.
const NAMES_MAX: usize = 8;

/// What to make of the current object (nothing when there is none): the new one, in the version of the request.
pub type Draft<'a> = Box<dyn Fn(Option<&Value>, &mut Notes) -> Result<Value, Status> + Send + Sync + 'a>;

/// What becomes of a draft when there is no object.
#[derive(Clone, Debug, PartialEq)]
pub enum Absent {
    /// It creates one, and only then: an object that exists is a conflict.
    Create,
    /// It creates one.
    Allow,
    /// It would create one, which whoever writes may not do.
    Refused(Box<Status>),
    /// 404.
    NotFound,
}

/// Who writes the owners of fields into the draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// The path does, by what the draft changed.
    Tracked,
    /// The draft comes with them, as an apply's does.
    Drafted,
    /// Nobody: with them the object would be too large to be stored.
    LeftOut,
}

/// A write.
pub struct Write<'a> {
    /// What is written: the row of the resource or subresource in the request.
    pub row: &'a Row,
    /// Namespace or empty.
    pub namespace: String,
    /// Name; empty when one is to be generated.
    pub name: String,
    /// The request's options.
    pub options: &'a WriteOptions,
    /// Their kind.
    pub flavor: Flavor,
    /// What becomes of it when there is no object.
    pub absent: Absent,
    /// Who writes the owners of its fields.
    pub owners: Owners,
    /// What to make of the object.
    pub draft: Draft<'a>,
}

/// What a write led to.
pub struct Written {
    /// The object.
    pub stored: Stored,
    /// Whether it is new.
    pub created: bool,
}

/// An object that was written, or would have been.
#[derive(Clone)]
pub enum Stored {
    /// As it is stored now.
    Entry(Arc<Entry>),
    /// Of a dry run, or removed with its last finalizer: in the storage version, with `apiVersion` and `kind`.
    Value(Value),
}

/// The object as it is before a write.
pub(crate) struct Current {
    pub(crate) entry: Arc<Entry>,
    /// In the storage version.
    pub(crate) value: Value,
}

/// What etcd says of an object that it does not take.
const TOO_LARGE: &str = "etcdserver: request is too large";

/// One attempt's end.
enum Attempt {
    Done(Written),
    /// Somebody else was faster: look again.
    Overtaken,
}

/// Carries out a write: mutate, prepare, validate, admit, compare and put, as often as others are faster.
pub async fn run(gate: &Arc<Gate>, call: &mut Call, write: &Write<'_>) -> Result<Written, Status> {
    let mut owners = write.owners;
    for _ in 0..ATTEMPTS_MAX {
        let current = current(gate, write).await?;
        let bytes = call.body_bytes.max(current.as_ref().map_or(0, |current| current.entry.body.len()));
        let attempt = async {
            match &current {
                None => create(gate, call, write, owners).await,
                Some(current) => update(gate, call, write, owners, current).await,
            }
        };
        match if aside::is_wanted(bytes) { aside::drive(attempt) } else { attempt.await } {
            Ok(Attempt::Done(written)) => return Ok(written),
            Ok(Attempt::Overtaken) if write.absent == Absent::Create => break,
            Ok(Attempt::Overtaken) => {}
            Err(refused) if owners == Owners::Tracked && is_too_large(&refused) => owners = Owners::LeftOut,
            Err(refused) => return Err(refused),
        }
    }
    Err(commit::conflict(gate, write).await)
}

fn is_too_large(refused: &Status) -> bool {
    refused.message == TOO_LARGE || refused.message == Status::too_large(store::OBJECT_TOO_LARGE).message
}

async fn current(gate: &Gate, write: &Write<'_>) -> Result<Option<Current>, Status> {
    if write.absent == Absent::Create {
        return Ok(None);
    }
    let key = crate::verbs::key(write.row, &write.namespace, &write.name)?;
    match gate.store.resource(write.row.prefix()).get(key.as_str()) {
        Some(entry) => {
            crate::unread::of_changed(&entry).map_or(Ok(()), Err)?;
            let value = write.row.stored_value(gate, &entry).await?;
            Ok(Some(Current { entry, value }))
        }
        None => match &write.absent {
            Absent::NotFound => Err(Status::not_found(&write.row.group_resource(), &write.name)),
            Absent::Refused(status) => Err((**status).clone()),
            Absent::Create | Absent::Allow => Ok(None),
        },
    }
}

async fn create(gate: &Arc<Gate>, call: &mut Call, write: &Write<'_>, owners: Owners) -> Result<Attempt, Status> {
    let mut object = drafted(call, write, None)?;
    if write.absent == Absent::Create {
        // What a replace creates has an owner of all it says, as upstream counts.
        prepare::wipe(&mut object);
    }
    // A name is generated for a copy, of which nothing is held once for two parts.
    let shared = fill_shared(write.row, &mut object) && !meta::name(&object).is_empty();
    write.row.refuse_create(meta::name(&object))?;
    managed::track(write, owners, call, None, &mut object);
    let review = Review::new(write, Operation::Create, None);
    review.mutate(gate, call, &mut object).await?;
    dedup_owner_references(&mut object, Moment::AfterAdmission, &mut call.notes);
    // Another name is tried with what mutation made, once.
    let mut left = if meta::name(&object).is_empty() { NAMES_MAX } else { 1 };
    loop {
        left -= 1;
        let next = if left > 0 { object.clone() } else { std::mem::take(&mut object) };
        match put_new(gate, call, write, &review, next, shared).await? {
            Some(stored) => return Ok(Attempt::Done(Written { stored, created: true })),
            None if left == 0 => return Ok(Attempt::Overtaken),
            None => {}
        }
    }
}

/// Stores what mutation made of a draft; nothing when its name is taken.
async fn put_new(
    gate: &Arc<Gate>,
    call: &mut Call,
    write: &Write<'_>,
    review: &Review<'_>,
    object: Value,
    shared: bool,
) -> Result<Option<Stored>, Status> {
    let mut new = write.row.to_storage(object)?;
    permit(gate, call, write, &new, None)?;
    let unprepared = write.row.hooks().warnings_unprepared.map(|warnings| warnings(&new));
    unprepared.into_iter().flatten().for_each(|warning| call.notes.warn(warning));
    prepare::create(write, &mut new, &call.user, call.now);
    if let Some(shared) = write.row.hooks().shared.as_ref().filter(|_| shared) {
        (shared.join)(&mut new);
    }
    let begun = commit::begin(gate, write, &mut new, None).await?;
    let stored = match judge_new(gate, call, write, review, &mut new).await {
        Ok(()) => commit::create(gate, write, &new).await,
        Err(refused) => Err(refused),
    };
    begun.finish(gate, &stored).await;
    stored
}

/// A new object by its own rules and by validating admission.
async fn judge_new(
    gate: &Arc<Gate>,
    call: &mut Call,
    write: &Write<'_>,
    review: &Review<'_>,
    new: &mut Value,
) -> Result<(), Status> {
    let refused = asker::refused(gate, call, write.row, new, None);
    rules::create(write, new, refused, &mut call.notes)?;
    warn(write.row, new, None, &mut call.notes);
    write.row.settle(new);
    judge(gate, call, review, write, new).await?;
    write.row.default_status(new);
    fill_shared(write.row, new);
    Ok(())
}

async fn update(
    gate: &Arc<Gate>,
    call: &mut Call,
    write: &Write<'_>,
    owners: Owners,
    current: &Current,
) -> Result<Attempt, Status> {
    let old = write.row.draft_view(&current.value)?;
    let mut object = drafted(call, write, Some(&*old))?;
    fill_shared(write.row, &mut object);
    rules::uid(write, &object, current)?;
    managed::track(write, owners, call, Some(&*old), &mut object);
    let review = Review::new(write, Operation::Update, Some(&*old));
    review.mutate(gate, call, &mut object).await?;
    dedup_owner_references(&mut object, Moment::AfterAdmission, &mut call.notes);
    // Before the revision is looked at: who may not write is not told that somebody else was faster.
    permit(gate, call, write, &object, Some(&*old))?;
    rules::revision(write, &mut object, current)?;
    let mut new = write.row.merge(object, &current.value)?;
    prepare::update(write, &mut new, &current.value, call.now);
    let begun = commit::begin(gate, write, &mut new, Some(&current.value)).await?;
    managed::keep_times(write, &mut new, &current.value);
    let stored = match judge_next(gate, call, write, &review, &mut new, &current.value).await {
        Ok(()) => commit::update(gate, write, &new, current).await,
        Err(refused) => Err(refused),
    };
    begun.finish(gate, &stored).await;
    Ok(match stored? {
        Some(stored) => Attempt::Done(Written { stored, created: false }),
        None => Attempt::Overtaken,
    })
}

/// The next state of an object by its own rules and by validating admission.
async fn judge_next(
    gate: &Arc<Gate>,
    call: &mut Call,
    write: &Write<'_>,
    review: &Review<'_>,
    new: &mut Value,
    old: &Value,
) -> Result<(), Status> {
    let refused = asker::refused(gate, call, write.row, new, Some(old));
    rules::update(write, new, old, refused, &mut call.notes)?;
    warn(write.row, new, Some(old), &mut call.notes);
    write.row.settle(new);
    judge(gate, call, review, write, new).await?;
    fill_shared(write.row, new);
    Ok(())
}

/// What the caller makes of the object, with the defaults that are the time.
fn drafted(call: &mut Call, write: &Write<'_>, old: Option<&Value>) -> Result<Value, Status> {
    let mut object = (write.draft)(old, &mut call.notes)?;
    if let Some(default) = write.row.hooks().default_now {
        default(&mut object, &rfc3339(call.now));
    }
    Ok(object)
}

/// Fills in what an object has of another part of it, and says whether it was missing.
fn fill_shared(row: &Row, object: &mut Value) -> bool {
    row.hooks().shared.as_ref().is_some_and(|shared| (shared.fill)(object))
}

/// The second half of authorization, which needs the object: nobody grants more than they hold.
fn permit(gate: &Gate, call: &Call, write: &Write<'_>, new: &Value, old: Option<&Value>) -> Result<(), Status> {
    let resource = write.row.group_resource();
    gate.authz.permit(&authz::Draft {
        user: &call.user,
        resource: &resource,
        namespace: &write.namespace,
        name: &call.info.name,
        new,
        old,
    })
}

/// Validating admission sees exactly what will be stored, in the version of the request.
async fn judge(gate: &Gate, call: &mut Call, review: &Review<'_>, write: &Write<'_>, new: &Value) -> Result<(), Status> {
    review.validate(gate, call, &*write.row.view(new)?).await
}

fn warn(row: &Row, new: &Value, old: Option<&Value>, notes: &mut Notes) {
    let hooks = row.hooks();
    let warnings = match row.discipline() {
        Discipline::Whole => hooks.warnings.map(|warnings| warnings(new, old)),
        Discipline::Status => hooks.warnings_status.map(|warnings| warnings(new)),
        Discipline::Part => None,
    };
    for warning in warnings.unwrap_or_default() {
        notes.warn(warning);
    }
}
