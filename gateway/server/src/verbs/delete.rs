//! Deletes an object: at once, after a grace, or when its finalizers are done.
//! What a delete does is decided in `removal`; here it is admitted and stored.

use std::sync::Arc;

use admission::Operation;
use model::json::json;
use model::{Attributes, Decision, Query, Status, Value, meta};
use store::{Entry, Expect, Op};

use crate::answer::{Answer, Content};
use crate::body::Body;
use crate::call::Call;
use crate::gate::Gate;
use crate::options::delete::DeleteOptions;
use crate::removal::{self, Removal, Told};
use crate::row::Row;
use crate::write::{self, Stored};

/// How often a delete begins anew because the object changed meanwhile; each time another write succeeded.
const ATTEMPTS_MAX: usize = 1000;

/// The verb of a delete past everything that protects an object.
const UNSAFE: &str = "unsafe-delete-ignore-read-errors";

/// What a delete led to.
#[derive(Clone)]
pub(crate) struct Deleted {
    /// The object as it was last, or as it is now when it stays for a while.
    pub(crate) object: Value,
    /// Whether it is gone.
    pub(crate) gone: bool,
    /// As stored, where it still is.
    pub(crate) entry: Option<Arc<Entry>>,
}

/// Serves a delete.
pub(super) async fn run(gate: &Arc<Gate>, call: &mut Call, row: &Row, body: Body) -> Result<Answer, Status> {
    let options = read(gate, call, body).await?;
    if options.ignore_read_error {
        return unsafely(gate, call, row, &options).await;
    }
    warn_unsaid(call, row, &options);
    let (namespace, name) = (call.info.namespace.clone(), call.info.name.clone());
    if let Some(why) = row.hooks().kept.and_then(|kept| kept(&name)) {
        return Err(Status::forbidden(&row.group_resource(), &name, why));
    }
    let deleted = object(gate, call, row, (&namespace, &name), &options, Admission::Asked).await?;
    Ok(answer(row, deleted, &options))
}

/// Deletes an object that cannot be read, past admission and everything else that would have to read it. Who may delete may
/// not do that yet. Upstream: `authorizeUnsafeDelete` and `registry/corrupt_obj_deleter.go`.
async fn unsafely(gate: &Arc<Gate>, call: &mut Call, row: &Row, options: &DeleteOptions) -> Result<Answer, Status> {
    call.record.annotate("apiserver.k8s.io/unsafe-delete-ignore-read-error", "");
    let (resource, name) = (row.group_resource(), call.info.name.clone());
    let key = super::key(row, &call.info.namespace, &name)?;
    let entry = gate.store.resource(row.prefix()).get(key.as_str());
    let readable = match &entry {
        Some(entry) => row.stored_value(gate, entry).await.is_ok(),
        None => true,
    };
    if readable && row.hooks().without_unsafe_delete {
        // What cannot be read is deleted all the same: nobody else could, in a store of our own.
        let why = "no unsafe deleter provided, can not honor ignoreStoreReadErrorWithClusterBreakingPotential";
        return Err(Status::internal(why));
    }
    let asked = Attributes { verb: UNSAFE.to_owned(), ..call.attributes() };
    if let refused @ (Decision::Deny(_) | Decision::NoOpinion(_)) = gate.authz.decide(&asked) {
        let why = format!("not permitted to do {}, reason: {}", model::field::quote(UNSAFE), refused.reason());
        return Err(Status::forbidden(&resource, &name, why));
    }
    let entry = entry.ok_or_else(|| Status::not_found(&resource, &name))?;
    if readable {
        let why = "unsafe deletion is not allowed because the object is decodable from storage";
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: {why}",
            key.as_str()
        );
        return Err(Status::conflict(&resource, &name, why));
    }
    tracing::warn!(key = key.as_str(), "an object that cannot be read is deleted");
    if !options.dry_run {
        let expect = Expect::Revision(entry.revision);
        if write::commit(gate, row, "delete", Op::Delete { key, expect }).await?.is_none() {
            return Err(Status::modified(&resource, &name));
        }
    }
    let details = json!({"name": name, "kind": &*row.kind().kind});
    // Upstream says the code here, unlike of other deletes.
    let done =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details, "code": 200});
    Ok(Answer::new(200, Content::Status(done)))
}

/// Warns where the kind would rather have the options say more.
pub(super) fn warn_unsaid(call: &mut Call, row: &Row, options: &DeleteOptions) {
    if let Some(warning) = row.hooks().warning_unsaid_propagation.filter(|_| options.leaves_dependents_unsaid()) {
        call.notes.warn(warning.to_owned());
    }
}

/// Reads the options from the body, or from the query when there is none.
pub(super) async fn read(gate: &Gate, call: &mut Call, body: Body) -> Result<DeleteOptions, Status> {
    let bytes = call.read_body(body).await?;
    if bytes.is_empty() {
        return DeleteOptions::from_query(&call.query);
    }
    let said = crate::decode::delete_options(gate.served.types(), call.header("content-type"), &bytes)?;
    call.record.request_object(&said);
    DeleteOptions::from_object(&said)
}

/// Options of a delete from inside, where no query speaks.
pub(crate) fn unsaid() -> Result<DeleteOptions, Status> {
    DeleteOptions::from_query(&Query::default())
}

/// Whether admission has a say in a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is asked.
    Asked,
    /// It was asked about what leads to the delete, such as an eviction.
    Passed,
}

/// Deletes one object, whatever it takes.
pub(crate) async fn object(
    gate: &Arc<Gate>,
    call: &mut Call,
    row: &Row,
    (namespace, name): (&str, &str),
    options: &DeleteOptions,
    admission: Admission,
) -> Result<Deleted, Status> {
    let key = super::key(row, if row.is_namespaced() { namespace } else { "" }, name)?;
    let resource = gate.store.resource(row.prefix());
    for _ in 0..ATTEMPTS_MAX {
        let entry = resource.get(key.as_str()).ok_or_else(|| Status::not_found(&row.group_resource(), name))?;
        let current = row.stored_value(gate, &entry).await?;
        let manner = row.manner();
        removal::check(&current, options, &told(row))?;
        if admission == Admission::Asked {
            admit(gate, call, row, (namespace, name), &current, options).await?;
        }
        let decided = removal::decide(&current, options, manner, call.now);
        if let Some(deleted) = carry_out(gate, row, (&entry, current), decided, options).await? {
            return Ok(deleted);
        }
    }
    Err(Status::modified(&row.group_resource(), name))
}

/// How the kind tells of a failed precondition.
fn told(row: &Row) -> Told {
    let manner = row.manner();
    if manner.deleting.is_some() {
        Told::OfMeta(row.group_resource())
    } else if manner.closing.is_some() {
        Told::OfMetaLower(row.group_resource())
    } else {
        Told::OfRecord(row.kind_as_resource())
    }
}

/// Does what was decided; `None` when the object changed meanwhile.
async fn carry_out(
    gate: &Arc<Gate>,
    row: &Row,
    (entry, current): (&Arc<Entry>, Value),
    decided: Removal,
    options: &DeleteOptions,
) -> Result<Option<Deleted>, Status> {
    let (key, expect) = (entry.key.clone(), Expect::Revision(entry.revision));
    match decided {
        // A mark that it bears already is no write.
        Removal::Mark(next) if next == current => Ok(Some(Deleted { object: current, gone: false, entry: Some(entry.clone()) })),
        Removal::Pending => Ok(Some(Deleted { object: current, gone: false, entry: Some(entry.clone()) })),
        Removal::Untold => {
            let object = json!({"apiVersion": current["apiVersion"], "kind": current["kind"], "metadata": {}});
            Ok(Some(Deleted { object, gone: false, entry: None }))
        }
        Removal::Mark(next) => mark(gate, row, (key, expect), next, options).await,
        Removal::Now(last) if options.dry_run => Ok(Some(Deleted { object: last, gone: true, entry: None })),
        Removal::Now(mut last) => match write::commit(gate, row, "delete", Op::Delete { key, expect }).await? {
            Some(Stored::Entry(entry)) => {
                write::gone(gate, row, &current).await;
                meta::set(&mut last, "resourceVersion", entry.revision.to_string());
                Ok(Some(Deleted { object: last, gone: true, entry: None }))
            }
            _ => Ok(None),
        },
    }
}

async fn mark(
    gate: &Arc<Gate>,
    row: &Row,
    (key, expect): (store::Key, Expect),
    next: Value,
    options: &DeleteOptions,
) -> Result<Option<Deleted>, Status> {
    if options.dry_run {
        return Ok(Some(Deleted { object: next, gone: false, entry: None }));
    }
    let draft = write::draft(gate, row, &next).await?;
    match write::commit(gate, row, "update", Op::Put { key, expect, draft }).await? {
        Some(Stored::Entry(entry)) => Ok(Some(Deleted { object: next, gone: false, entry: Some(entry) })),
        _ => Ok(None),
    }
}

async fn admit(
    gate: &Arc<Gate>,
    call: &mut Call,
    row: &Row,
    (namespace, name): (&str, &str),
    current: &Value,
    options: &DeleteOptions,
) -> Result<(), Status> {
    let (old, said) = (row.view(current)?, options.to_object());
    let mut notes = std::mem::take(&mut call.notes);
    let review = admission::Review {
        request: &call.info,
        user: &call.user,
        operation: Operation::Delete,
        resource: row.gvr(),
        kind: row.kind(),
        subresource: row.subresource(),
        namespace: if row.is_namespace() { name } else { namespace },
        // Empty where a whole collection goes, as upstream has it.
        name: &call.info.name,
        old: Some(&*old),
        options: &said,
        dry_run: options.dry_run,
        uid: &call.id,
        now: call.now,
        deadline: call.deadline,
    };
    let outcome = gate.admission.release(&review, &mut notes).await;
    call.notes = notes;
    outcome
}

/// Upstream shows some kinds the object itself, and others only that it is gone.
pub(crate) fn answer(row: &Row, deleted: Deleted, options: &DeleteOptions) -> Answer {
    // Only the older spelling of the policy gets 202 for what is not gone yet; newer clients would not expect it.
    let code = if !deleted.gone && options.orphan_dependents == Some(false) { 202 } else { 200 };
    if !deleted.gone || row.returns_deleted() {
        if let Some(entry) = deleted.entry {
            return Answer { code, ..Answer::entry(row, entry) };
        }
        return match row.shown(deleted.object) {
            Ok(object) => Answer::new(code, Content::Object(row.clone(), object)),
            Err(status) => Answer::new(status.code, Content::Status(status.to_object())),
        };
    }
    let mut details = json!({"name": meta::name(&deleted.object)});
    let resource = row.group_resource();
    if !resource.group.is_empty() {
        details["group"] = resource.group.as_ref().into();
    }
    details["kind"] = resource.resource.as_ref().into();
    details["uid"] = meta::uid(&deleted.object).into();
    Answer::success(code, details)
}
