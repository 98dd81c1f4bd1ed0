//! `pods/resize`: other requests and limits for the containers of a pod that runs. What else the client sends is dropped.

use std::sync::LazyLock;

use catalog::hooks::pod::resize;
use model::Value;
use schema::apply::Filter;

use super::{Facet, Part};
use crate::row::Discipline;

static OWNS: LazyLock<Filter> = LazyLock::new(|| {
    Filter::only(&[
        "spec.containers.*.resources",
        "spec.containers.*.resizePolicy",
        "spec.initContainers.*.resources",
        "spec.initContainers.*.resizePolicy",
    ])
});

pub(super) static FACET: Facet = Facet {
    view: |_, stored| Ok(Value::clone(stored)),
    merge: |_, wanted, _| Ok(wanted),
    discipline: Discipline::Part,
    part: Some(Part { prepare: resize::prepare, validate: resize::validate }),
    owns: Some(|| &OWNS),
    managers: None,
};
