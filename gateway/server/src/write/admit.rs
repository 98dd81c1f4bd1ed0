//! Puts a write before admission. Does not know a plugin.

use admission::Operation;
use model::{Status, Value, meta};

use super::Write;
use super::managed;
use crate::call::Call;
use crate::gate::Gate;
use crate::options::{Flavor, WriteOptions};
use crate::row::Row;

/// What stays the same between mutation and validation of one attempt.
pub(crate) struct Review<'a> {
    row: &'a Row,
    namespace: &'a str,
    name: &'a str,
    operation: Operation,
    old: Option<&'a Value>,
    options: Value,
    dry_run: bool,
}

impl<'a> Review<'a> {
    /// `old` is in the version of the request.
    pub(super) fn new(write: &'a Write<'a>, operation: Operation, old: Option<&'a Value>) -> Self {
        // What creates has the options of a create, whatever the request was.
        let flavor = if operation == Operation::Create { Flavor::Create } else { write.flavor };
        Self {
            row: write.row,
            namespace: &write.namespace,
            name: &write.name,
            operation,
            old,
            options: write.options.to_object(flavor),
            dry_run: write.options.dry_run,
        }
    }

    /// A POST to a subresource of an object that exists.
    pub(crate) fn of_post(row: &'a Row, namespace: &'a str, name: &'a str, options: &WriteOptions) -> Self {
        let dry_run = options.dry_run;
        Self {
            row,
            namespace,
            name,
            operation: Operation::Create,
            old: None,
            options: options.to_object(Flavor::Create),
            dry_run,
        }
    }

    /// A connection through a subresource; its object are the options of the connection.
    pub(crate) fn of_connect(row: &'a Row, namespace: &'a str, name: &'a str) -> Self {
        Self { row, namespace, name, operation: Operation::Connect, old: None, options: Value::Null, dry_run: false }
    }

    /// Lets plugins change the object; it is in normal form again afterwards.
    pub(crate) async fn mutate(&self, gate: &Gate, call: &mut Call, object: &mut Value) -> Result<(), Status> {
        let mut notes = std::mem::take(&mut call.notes);
        let outcome = gate.admission.mutate(&self.of(call, self.name), object, &mut notes).await;
        call.notes = notes;
        outcome?;
        match call.notes.owners_before.take() {
            Some(owners) => {
                self.row.form().normalize(object)?;
                managed::restore(owners, object, &mut call.notes);
            }
            None => debug_assert!(self.row.form().is_normal(object), "a built-in plugin left {object:?}"),
        }
        Ok(())
    }

    /// Asks plugins about an object that will be stored like this; it is in the version of the request.
    pub(crate) async fn validate(&self, gate: &Gate, call: &mut Call, object: &Value) -> Result<(), Status> {
        let name = if self.name.is_empty() { meta::name(object) } else { self.name };
        let mut notes = std::mem::take(&mut call.notes);
        let outcome = gate.admission.validate(&self.of(call, name), Some(object), &mut notes).await;
        call.notes = notes;
        outcome
    }

    fn of<'b>(&'b self, call: &'b Call, name: &'b str) -> admission::Review<'b> {
        admission::Review {
            request: &call.info,
            user: &call.user,
            operation: self.operation,
            resource: self.row.gvr(),
            kind: self.row.kind(),
            subresource: self.row.subresource(),
            // A Namespace is reviewed as living in itself.
            namespace: if self.row.is_namespace() { name } else { self.namespace },
            name,
            old: self.old,
            options: &self.options,
            dry_run: self.dry_run,
            uid: &call.id,
            now: call.now,
            deadline: call.deadline,
        }
    }
}
