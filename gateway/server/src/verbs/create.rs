//! Makes an object from a body.

use std::sync::Arc;

use model::{Query, Status, Value, meta};

use crate::answer::{Answer, Content};
use crate::aside;
use crate::body::Body;
use crate::call::Call;
use crate::decode;
use crate::gate::Gate;
use crate::options::{Flavor, WriteOptions};
use crate::row::Row;
use crate::write::{self, Absent, Moment, Owners, Stored, Write, Written};

/// Serves a create.
pub(super) async fn run(gate: &Arc<Gate>, call: &mut Call, row: &Row, body: Body) -> Result<Answer, Status> {
    let (object, options) = read(call, row, body).await?;
    let written = object_into(gate, call, row, object, &options).await?;
    Ok(answer(row, 201, written.stored))
}

/// Reads the body and the options of a create.
pub(crate) async fn read(call: &mut Call, row: &Row, body: Body) -> Result<(Value, WriteOptions), Status> {
    // Upstream looks at the media type before it reads, so that a huge body of the wrong type is not waited for.
    codec::negotiate::input(call.header("content-type"))?;
    let bytes = call.read_body(body).await?;
    let options = options(&call.query, Flavor::Create)?;
    let content_type = call.header("content-type").to_owned();
    aside::work(bytes.len(), || {
        let mut object = decode::object(row.form(), &content_type, &bytes, options.field_validation, &mut call.notes)?;
        call.record.request_object(&object);
        place(row, &call.info.namespace, &mut object)?;
        write::dedup_owner_references(&mut object, Moment::Request, &mut call.notes);
        Ok((object, options))
    })
}

pub(super) fn options(query: &Query, flavor: Flavor) -> Result<WriteOptions, Status> {
    WriteOptions::parse(query, flavor)
}

/// Creates an object that is in normal form, in the version of the request.
pub(crate) async fn object_into(
    gate: &Arc<Gate>,
    call: &mut Call,
    row: &Row,
    object: Value,
    options: &WriteOptions,
) -> Result<Written, Status> {
    let write = Write {
        row,
        namespace: if row.is_namespaced() { meta::namespace(&object).to_owned() } else { String::new() },
        name: meta::name(&object).to_owned(),
        options,
        flavor: Flavor::Create,
        absent: Absent::Create,
        owners: Owners::Tracked,
        draft: Box::new(move |_, _| Ok(object.clone())),
    };
    write::run(gate, call, &write).await
}

/// The namespace of the path and that of the object must be one; an object that names none lives in that of the path.
pub(crate) fn place(row: &Row, namespace: &str, object: &mut Value) -> Result<(), Status> {
    let expected = if row.is_namespaced() { namespace } else { "" };
    match meta::namespace(object) {
        given if given == expected => Ok(()),
        "" => {
            meta::set(object, "namespace", expected);
            Ok(())
        }
        _ if expected.is_empty() => {
            meta::remove(object, "namespace");
            Ok(())
        }
        _ => Err(Status::bad_request("the namespace of the provided object does not match the namespace sent on the request")),
    }
}

/// The answer to a write: the object as it is now.
pub(crate) fn answer(row: &Row, code: u16, stored: Stored) -> Answer {
    match stored {
        Stored::Entry(entry) => Answer { code, ..Answer::entry(row, entry) },
        Stored::Value(value) => match row.shown(value) {
            Ok(object) => Answer::new(code, Content::Object(row.clone(), object)),
            // What was just written can be shown; if not, the client reads why.
            Err(status) => Answer::new(status.code, Content::Status(status.to_object())),
        },
    }
}
