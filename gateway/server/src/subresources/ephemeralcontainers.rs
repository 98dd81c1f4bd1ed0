//! `pods/ephemeralcontainers`: containers for debugging, added to a pod that runs. What else the client sends is dropped.

use std::sync::LazyLock;

use catalog::hooks::pod::ephemeral_containers;
use model::Value;
use schema::apply::Filter;

use super::{Facet, Part};
use crate::row::Discipline;

static OWNS: LazyLock<Filter> = LazyLock::new(|| Filter::only(&["spec.ephemeralContainers"]));

pub(super) static FACET: Facet = Facet {
    view: |_, stored| Ok(Value::clone(stored)),
    merge: |_, wanted, _| Ok(wanted),
    discipline: Discipline::Part,
    part: Some(Part { prepare: ephemeral_containers::prepare, validate: ephemeral_containers::validate }),
    owns: Some(|| &OWNS),
    managers: None,
};
