//! Changes an object beside the rules of its kind, as upstream's bindings and evictions do: only the put is compared.

use std::sync::Arc;

use model::{Status, Value};
use store::{Expect, Op};

use super::{Stored, commit};
use crate::gate::Gate;
use crate::row::Row;

/// Changes one object; `change` sees it in the storage version, again after each conflict. Fails with 404, and with what
/// `change` says.
pub(crate) async fn change(
    gate: &Arc<Gate>,
    row: &Row,
    (namespace, name): (&str, &str),
    dry_run: bool,
    change: impl Fn(&mut Value) -> Result<(), Status>,
) -> Result<Stored, Status> {
    let key = crate::verbs::key(row, namespace, name)?;
    let resource = gate.store.resource(row.prefix());
    for _ in 0..super::ATTEMPTS_MAX {
        let entry = resource.get(key.as_str()).ok_or_else(|| Status::not_found(&row.group_resource(), name))?;
        let mut value = row.stored_value(gate, &entry).await?;
        change(&mut value)?;
        if dry_run {
            return Ok(Stored::Value(value));
        }
        let draft = commit::draft(gate, row, &value).await?;
        let put = Op::Put { key: key.clone(), expect: Expect::Revision(entry.revision), draft };
        if let Some(stored) = commit::commit(gate, row, "update", put).await? {
            return Ok(stored);
        }
    }
    Err(Status::modified(&row.group_resource(), name))
}
