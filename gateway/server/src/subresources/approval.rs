//! `certificatesigningrequests/approval`: the decision about a request, and nothing else of it.

use catalog::hooks::certificatesigningrequest;
use model::Value;

use super::{Facet, Part};
use crate::row::Discipline;

pub(super) static FACET: Facet = Facet {
    view: |_, stored| Ok(Value::clone(stored)),
    merge: |_, wanted, _| Ok(wanted),
    discipline: Discipline::Part,
    part: Some(Part {
        prepare: certificatesigningrequest::prepare_approval,
        validate: certificatesigningrequest::validate_approval,
    }),
    managers: None,
    unread: None,
};
