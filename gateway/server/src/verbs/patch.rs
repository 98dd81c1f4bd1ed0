//! Changes an object by a patch: JSON, merge or strategic merge.
//! Follows `k8s.io/apiserver/pkg/endpoints/handlers/patch.go`. How patches change objects is `schema`'s.

use std::sync::Arc;

use admission::Notes;
use codec::json::STRICT_ERRORS_MAX;
use codec::negotiate::{self, Endpoint, Patch};
use model::field::{Errors, Path};
use model::json::json;
use model::{GroupKind, Status, Value};
use schema::patch::{JsonPatch, MergePatch, StrategicPatch};

use super::create::{answer, place};
use super::update::check_name;
use crate::answer::Answer;
use crate::aside;
use crate::body::Body;
use crate::call::Call;
use crate::gate::Gate;
use crate::options::{FieldValidation, Flavor, WriteOptions};
use crate::row::Row;
use crate::write::{self, Absent, Draft, Owners, Write, Written};

/// What can be sent; upstream's list without CBOR.
const OFFERED: [Patch; 4] = [Patch::Json, Patch::Merge, Patch::Strategic, Patch::Apply];

/// A patch that was read.
enum Change {
    Json(JsonPatch),
    Merge(MergePatch),
    Strategic(StrategicPatch),
}

/// Serves a patch, of an object or of one of its subresources.
pub(crate) async fn run(gate: &Arc<Gate>, call: &mut Call, row: &Row, body: Body) -> Result<Answer, Status> {
    let kind = kind(call, row)?;
    if kind == Patch::Apply {
        return super::apply::run(gate, call, row, body).await;
    }
    let bytes = call.read_body(body).await?;
    let options = WriteOptions::parse(&call.query, Flavor::Patch)?;
    let (namespace, name) = (call.info.namespace.clone(), call.info.name.clone());
    let change = match aside::work(bytes.len(), || Change::read(kind, &bytes)) {
        Ok(change) => change,
        // What is no JSON is refused at once; upstream reads the rest when it has found the object.
        Err(unreadable) if codec::json::parse(&bytes).is_err() => return Err(unreadable),
        Err(unreadable) => return Err(absent(gate, row, &namespace, &name)?.unwrap_or(unreadable)),
    };
    call.record.request_patch(&bytes);
    let written = apply(gate, call, row, (&namespace, &name), change, &options).await?;
    Ok(answer(row, if written.created { 201 } else { 200 }, written.stored))
}

/// What the body is. Fails with 415.
pub(super) fn kind(call: &Call, row: &Row) -> Result<Patch, Status> {
    let offered: Vec<Patch> = OFFERED.into_iter().filter(|kind| row.takes(*kind)).collect();
    negotiate::patch(call.header("content-type"), &offered).map_err(|refused| match row.endpoint() {
        // Custom resources are served past the router.
        Endpoint::Custom => refused,
        _ => negotiate::unrouted(),
    })
}

/// That there is no object to patch, when there is none.
fn absent(gate: &Gate, row: &Row, namespace: &str, name: &str) -> Result<Option<Status>, Status> {
    let key = super::key(row, if row.is_namespaced() { namespace } else { "" }, name)?;
    let found = gate.store.resource(row.prefix()).get(key.as_str());
    Ok(found.is_none().then(|| Status::not_found(&row.group_resource(), name)))
}

/// Applies a merge patch from inside the process.
pub(crate) async fn merge(
    gate: &Arc<Gate>,
    call: &mut Call,
    row: &Row,
    patch: &Value,
    options: &WriteOptions,
) -> Result<Written, Status> {
    let change = Change::read(Patch::Merge, patch.to_string().as_bytes())?;
    let (namespace, name) = (call.info.namespace.clone(), call.info.name.clone());
    apply(gate, call, row, (&namespace, &name), change, options).await
}

async fn apply(
    gate: &Arc<Gate>,
    call: &mut Call,
    row: &Row,
    (namespace, name): (&str, &str),
    change: Change,
    options: &WriteOptions,
) -> Result<Written, Status> {
    let validation = options.field_validation;
    let draft: Draft<'_> = Box::new(move |current, notes| {
        // Only apply patches create; an absent object is answered before.
        let current = current.ok_or_else(|| Status::not_found(&row.group_resource(), name))?;
        let mut object = change.apply(row, current, validation, notes)?;
        place(row, namespace, &mut object)?;
        check_name(&object, name, namespace)?;
        Ok(object)
    });
    let write = Write {
        row,
        namespace: if row.is_namespaced() { namespace.to_owned() } else { String::new() },
        name: name.to_owned(),
        options,
        flavor: Flavor::Patch,
        absent: Absent::NotFound,
        owners: Owners::Tracked,
        draft,
    };
    write::run(gate, call, &write).await
}

impl Change {
    fn read(kind: Patch, bytes: &[u8]) -> Result<Self, Status> {
        Ok(match kind {
            Patch::Json => Self::Json(JsonPatch::parse(bytes)?),
            Patch::Merge | Patch::Apply => Self::Merge(MergePatch::parse(bytes)?),
            Patch::Strategic => Self::Strategic(StrategicPatch::parse(bytes)?),
        })
    }

    /// The changed object, in normal form. A patch that leads to no object of the kind is refused with 422.
    fn apply(&self, row: &Row, current: &Value, validation: FieldValidation, notes: &mut Notes) -> Result<Value, Status> {
        let form = row.form();
        let mut object = current.clone();
        match self {
            Self::Json(patch) => patch.apply(&mut object)?,
            Self::Merge(patch) => patch.apply(&mut object),
            Self::Strategic(patch) => form.apply_strategic(patch, &mut object)?,
        }
        let refused = |why: String| invalid(&self.show(row, current), why);
        let mut unknown = Vec::new();
        match self {
            // Upstream makes the object of this one without going through text, whatever kind it says that it is.
            Self::Strategic(_) => {
                form.restore(&mut object, &mut unknown).map_err(&refused)?;
                form.decode(&mut object, &mut Vec::new()).map_err(&refused)?;
            }
            Self::Json(_) | Self::Merge(_) => {
                if let Some(all) = form.versionless(&object) {
                    (object, unknown) = (json!({}), all);
                } else {
                    form.imply_kind(&mut object);
                    form.check_kind(&object).map_err(&refused)?;
                    form.decode_spelt(&mut object, &mut unknown, &|path| self.spelling(path)).map_err(&refused)?;
                }
            }
        }
        let told = if validation == FieldValidation::Ignore { &[][..] } else { self.duplicates() };
        match validation {
            FieldValidation::Ignore => {}
            FieldValidation::Warn => told.iter().chain(&unknown).for_each(|fault| notes.warn(fault.clone())),
            FieldValidation::Strict => {
                // What comes twice is found where no type is known yet: fields that nobody knows are told of both times.
                let faults: Vec<&str> = told.iter().chain(&unknown).take(STRICT_ERRORS_MAX).map(String::as_str).collect();
                if !faults.is_empty() {
                    return Err(refused(format!("strict decoding error: {}", faults.join(", "))));
                }
            }
        }
        form.complete(&mut object);
        Ok(object)
    }

    /// What a refusal shows: a strategic patch itself, else what the patch led to, written as upstream's library does.
    fn show(&self, row: &Row, current: &Value) -> String {
        let before = row.form().in_order(current);
        let mut object = before.clone();
        match self {
            Self::Strategic(patch) => return patch.describe(),
            // It was applied before, to the same object.
            Self::Json(patch) => drop(patch.apply(&mut object).map(|()| patch.sort_touched(&mut object))),
            Self::Merge(patch) => {
                patch.apply(&mut object);
                patch.sort_touched(&mut object, &before);
            }
        }
        let mut out = Vec::new();
        codec::go_json::write_spelt(&object, &|path| self.spelling(path), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// How a number of the changed object is spelt, where the patch brought it as text and spells it otherwise than it is printed.
    fn spelling(&self, path: &str) -> Option<String> {
        match self {
            Self::Json(patch) => patch.spelling(path),
            Self::Merge(patch) => patch.spelling(path),
            Self::Strategic(_) => None,
        }
    }

    fn duplicates(&self) -> &[String] {
        match self {
            Self::Json(patch) => &patch.strict,
            Self::Merge(patch) => &patch.duplicates,
            Self::Strategic(patch) => &patch.duplicates,
        }
    }
}

/// 422 about the patch itself; upstream names no kind here.
fn invalid(shown: &str, why: String) -> Status {
    let mut errors = Errors::new();
    errors.invalid(&Path::new("patch"), shown, why);
    Status::invalid(&GroupKind { group: "".into(), kind: "".into() }, "", &errors)
}
