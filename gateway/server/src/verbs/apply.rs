//! Applies a configuration server-side: creates the object or merges into it, by who owns which field.
//! Follows `applyPatcher` of `k8s.io/apiserver/pkg/endpoints/handlers/patch.go`. The merge is `schema::apply`'s.

use std::sync::Arc;

use admission::Notes;
use codec::yaml;
use model::clock::rfc3339;
use model::{Status, Value, meta};
use schema::apply::Force;

use super::create::{answer, place};
use super::update::{check_name, may_create};
use crate::answer::Answer;
use crate::aside;
use crate::body::Body;
use crate::call::Call;
use crate::gate::Gate;
use crate::options::{FieldValidation, Flavor, WriteOptions};
use crate::row::Row;
use crate::write::{self, Absent, Draft, Owners, Write};

/// A configuration that was read.
struct Configuration {
    value: Value,
    /// What strict decoding holds against its text.
    duplicates: Option<String>,
}

/// Serves an apply, of an object or of one of its subresources.
pub(super) async fn run(gate: &Arc<Gate>, call: &mut Call, row: &Row, body: Body) -> Result<Answer, Status> {
    let bytes = call.read_body(body).await?;
    let options = WriteOptions::parse(&call.query, Flavor::Apply)?;
    let configuration = aside::work(bytes.len(), || Configuration::read(&bytes))?;
    call.record.request_patch(configuration.value.to_string().as_bytes());
    let (namespace, name) = (call.info.namespace.clone(), call.info.name.clone());
    let (manager, now) = (options.field_manager.clone(), rfc3339(call.now));
    let force = if options.force { Force::Yes } else { Force::No };
    let validation = options.field_validation;
    let (space, named) = (namespace.as_str(), name.as_str());
    let draft: Draft<'_> = Box::new(move |current, notes| {
        let mut object = row.apply(current, &configuration.value, &manager, force, &now)?;
        configuration.judge(validation, notes)?;
        if current.is_none() {
            means_none(row, named, &object)?;
        }
        place(row, space, &mut object)?;
        check_name(&object, named, space)?;
        Ok(object)
    });
    // A part of an object never creates it.
    let absent = if row.subresource().is_empty() { may_create(gate, call, row)? } else { Absent::NotFound };
    let write = Write {
        row,
        namespace: if row.is_namespaced() { namespace.clone() } else { String::new() },
        name: name.clone(),
        options: &options,
        flavor: Flavor::Apply,
        absent,
        owners: Owners::Drafted,
        draft,
    };
    let written = write::run(gate, call, &write).await?;
    Ok(answer(row, if written.created { 201 } else { 200 }, written.stored))
}

/// One that names a uid means an object that exists, whatever else it says of where that lies.
fn means_none(row: &Row, name: &str, object: &Value) -> Result<(), Status> {
    let uid = meta::uid(object);
    if uid.is_empty() {
        return Ok(());
    }
    let why = format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
    Err(Status::conflict(&row.group_resource(), name, why))
}

impl Configuration {
    fn read(bytes: &[u8]) -> Result<Self, Status> {
        let parsed = yaml::parse(bytes).map_err(|error| Status::bad_request(format!("error encoding patch: {error}")))?;
        let kind = match &parsed.value {
            Value::Object(_) | Value::Null => {
                return Ok(Self { value: parsed.value, duplicates: parsed.duplicates.into_iter().next() });
            }
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Number(_) => "number",
            Value::Bool(_) => "bool",
        };
        Err(Status::bad_request(format!(
            "error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        )))
    }

    /// Duplicate fields are refused, warned of, or nothing.
    fn judge(&self, validation: FieldValidation, notes: &mut Notes) -> Result<(), Status> {
        let Some(why) = &self.duplicates else { return Ok(()) };
        let why = format!("error converting YAML to JSON: {why}");
        match validation {
            FieldValidation::Ignore => {}
            FieldValidation::Warn => crate::decode::warn(&why, notes),
            FieldValidation::Strict => return Err(Status::bad_request(format!("error strict decoding patch: {why}"))),
        }
        Ok(())
    }
}
