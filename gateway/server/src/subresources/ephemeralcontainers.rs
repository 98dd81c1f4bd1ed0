//! `pods/ephemeralcontainers`: containers for debugging, added to a pod that runs. What else the client sends is dropped.

use catalog::hooks::pod::ephemeral_containers;
use model::Value;

use super::{Facet, Part};
use crate::row::Discipline;

pub(super) static FACET: Facet = Facet {
    view: |_, stored| Ok(Value::clone(stored)),
    merge: |_, wanted, _| Ok(wanted),
    discipline: Discipline::Part,
    part: Some(Part { prepare: ephemeral_containers::prepare, validate: ephemeral_containers::validate }),
    managers: None,
    unread: None,
};
