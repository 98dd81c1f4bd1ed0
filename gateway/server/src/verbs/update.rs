//! Replaces an object by a body.

use std::sync::Arc;

use model::{Attributes, Status, Value, meta};

use super::create::{answer, place};
use crate::answer::Answer;
use crate::aside;
use crate::body::Body;
use crate::call::Call;
use crate::decode;
use crate::gate::Gate;
use crate::options::{Flavor, WriteOptions};
use crate::row::Row;
use crate::write::{self, Absent, Moment, Owners, Write, Written};

/// Serves a replace, of an object or of one of its subresources.
pub(crate) async fn run(gate: &Arc<Gate>, call: &mut Call, row: &Row, body: Body) -> Result<Answer, Status> {
    let bytes = call.read_body(body).await?;
    let options = super::create::options(&call.query, Flavor::Update)?;
    let content_type = call.header("content-type").to_owned();
    let object = aside::work(bytes.len(), || {
        let mut object = decode::object(row.form(), &content_type, &bytes, options.field_validation, &mut call.notes)
            .map_err(|refused| unread(row, refused))?;
        call.record.request_object(&object);
        place(row, &call.info.namespace, &mut object)?;
        check_name(&object, &call.info.name, &call.info.namespace)?;
        Ok::<_, Status>(object)
    })?;
    let written = object_into(gate, call, row, object, &options).await?;
    Ok(answer(row, if written.created { 201 } else { 200 }, written.stored))
}

/// What is said of a body that cannot be read.
fn unread(row: &Row, refused: Status) -> Status {
    match row.unread() {
        Some(why) if refused.code == 400 => Status::bad_request(why),
        _ => refused,
    }
}

/// Replaces an object by one that is in normal form, in the version of the request.
pub(crate) async fn object_into(
    gate: &Arc<Gate>,
    call: &mut Call,
    row: &Row,
    mut object: Value,
    options: &WriteOptions,
) -> Result<Written, Status> {
    write::dedup_owner_references(&mut object, Moment::Request, &mut call.notes);
    let absent = absent(gate, call, row)?;
    let write = Write {
        row,
        namespace: if row.is_namespaced() { meta::namespace(&object).to_owned() } else { String::new() },
        name: meta::name(&object).to_owned(),
        options,
        flavor: Flavor::Update,
        absent,
        owners: Owners::Tracked,
        draft: Box::new(move |_, _| Ok(object.clone())),
    };
    write::run(gate, call, &write).await
}

/// Whether a replace may create: where the kind allows it, and the user may create too.
fn absent(gate: &Gate, call: &Call, row: &Row) -> Result<Absent, Status> {
    if row.creates_on_update() { may_create(gate, call, row) } else { Ok(Absent::NotFound) }
}

/// What a write that may create does: it creates where the user may, and otherwise is refused when there is no object.
pub(super) fn may_create(gate: &Gate, call: &Call, row: &Row) -> Result<Absent, Status> {
    let namespace = if row.is_namespaced() { call.info.namespace.as_str() } else { "" };
    let exists = gate.store.resource(row.prefix()).get(row.key(namespace, &call.info.name).as_str()).is_some();
    let asked = Attributes { verb: "create".to_owned(), ..call.attributes() };
    let decision = gate.authz.decide(&asked);
    if decision.is_allowed() {
        return Ok(Absent::Allow);
    }
    let refused = authz::forbidden(&asked, decision.reason());
    // It may go until it is written.
    if exists { Ok(Absent::Refused(Box::new(refused))) } else { Err(refused) }
}

/// The object must be the one that the path names.
pub(super) fn check_name(object: &Value, name: &str, namespace: &str) -> Result<(), Status> {
    let (own, own_namespace) = (meta::name(object), meta::namespace(object));
    if own.is_empty() {
        return Err(Status::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )));
    }
    if own != name {
        return Err(Status::bad_request(format!("the name of the object ({own}) does not match the name on the URL ({name})")));
    }
    if !namespace.is_empty() && !own_namespace.is_empty() && own_namespace != namespace {
        return Err(Status::bad_request(format!(
            "the namespace of the object ({own_namespace}) does not match the namespace on the request ({namespace})"
        )));
    }
    Ok(())
}
