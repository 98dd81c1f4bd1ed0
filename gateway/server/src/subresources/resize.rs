//! `pods/resize`: other requests and limits for the containers of a pod that runs. What else the client sends is dropped.

use catalog::hooks::pod::resize;
use model::Value;

use super::{Facet, Part};
use crate::row::Discipline;

pub(super) static FACET: Facet = Facet {
    view: |_, stored| Ok(Value::clone(stored)),
    merge: |_, wanted, _| Ok(wanted),
    discipline: Discipline::Part,
    part: Some(Part { prepare: resize::prepare, validate: resize::validate }),
    managers: None,
    unread: None,
};
