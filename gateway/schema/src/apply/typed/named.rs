//! A set with the declared fields on the way to its members, which own nothing by themselves.
//! Follows `Set.EnsureNamedFieldsAreMembers`.

use super::super::atoms::{AtomId, Atoms};
use super::super::set::Step;
use super::super::{Element, Set};

pub(in super::super) fn with_named_fields(atoms: &Atoms, root: AtomId, set: &Set) -> Set {
    level(atoms, Some(root), set)
}

fn level(atoms: &Atoms, atom: Option<AtomId>, set: &Set) -> Set {
    let atom = atom.map(|id| atoms.get(id));
    let (table, list) = (atom.and_then(|a| a.map.as_ref()), atom.and_then(|a| a.list.as_ref()));
    let named = |step: &Step| match &step.element {
        Element::Field(name) => {
            let declared = !step.below.is_empty() && table.is_some_and(|table| table.member(name).is_some());
            (declared, table.and_then(|table| table.atom_of(name)))
        }
        Element::Key(_) => (false, list.map(|list| list.item)),
        Element::Value(_) | Element::Index(_) => (false, None),
    };
    let steps = set.steps.iter().map(|step| {
        let (declared, atom) = named(step);
        Step { element: step.element.clone(), member: step.member || declared, below: level(atoms, atom, &step.below) }
    });
    Set { steps: steps.collect() }
}
