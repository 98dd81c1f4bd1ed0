//! `namespaces/finalize`: the finalizers of a namespace, which an update of the namespace itself leaves alone.

use catalog::hooks::namespace;
use model::Value;

use super::{Facet, Part};
use crate::row::Discipline;

pub(super) static FACET: Facet = Facet {
    view: |_, stored| Ok(Value::clone(stored)),
    merge: |_, wanted, _| Ok(wanted),
    discipline: Discipline::Part,
    part: Some(Part { prepare: namespace::prepare_finalize, validate: namespace::validate_finalize }),
    managers: None,
    unread: None,
};
