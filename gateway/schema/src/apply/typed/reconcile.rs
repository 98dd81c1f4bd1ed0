//! A set that was written when the type was another one: what became one value since is owned as one value.
//! Follows `typed/reconcile_schema.go`. What became several values since is left as it is, as upstream.

use super::super::atoms::{AtomId, Atoms, Relationship, Table};
use super::super::set::Step;
use super::super::{Element, Set};

/// The set as the type is now; nothing when it need not change.
pub(in super::super) fn reconcile(atoms: &Atoms, root: AtomId, set: &Set) -> Option<Set> {
    let atom = atoms.get(root);
    match &atom.map {
        Some(table) if !table.free && !table.atomic => members(atoms, table, set),
        _ => None,
    }
}

fn step(atoms: &Atoms, atom: AtomId, step: &Step) -> Option<Step> {
    let whole = || Some(Step { element: step.element.clone(), member: true, below: Set::default() });
    let is_leaf = step.member && step.below.is_empty();
    let with = |below| Step { element: step.element.clone(), member: step.member, below };
    let atom = atoms.get(atom);
    if let Some(table) = &atom.map {
        return match table {
            table if table.free || is_leaf => None,
            table if table.atomic => whole(),
            table => members(atoms, table, &step.below).map(with),
        };
    }
    if atom.scalar.is_some() || is_leaf {
        return None;
    }
    match &atom.list {
        Some(list) if list.relationship == Relationship::Atomic => whole(),
        Some(list) => each(&step.below, |_| Some(list.item), atoms).map(with),
        None => None,
    }
}

fn members(atoms: &Atoms, table: &Table, set: &Set) -> Option<Set> {
    let atom = |element: &Element| match element {
        Element::Field(name) => table.atom_of(name),
        _ => table.rest,
    };
    each(set, atom, atoms)
}

fn each(set: &Set, atom: impl Fn(&Element) -> Option<AtomId>, atoms: &Atoms) -> Option<Set> {
    let mut changed: Option<Vec<Step>> = None;
    for (at, inner) in set.steps.iter().enumerate() {
        match (atom(&inner.element).and_then(|atom| step(atoms, atom, inner)), &mut changed) {
            (Some(step), Some(steps)) => steps.push(step),
            (Some(step), None) => {
                let mut steps = set.steps[..at].to_vec();
                steps.push(step);
                changed = Some(steps);
            }
            (None, Some(steps)) => steps.push(inner.clone()),
            (None, None) => {}
        }
    }
    changed.map(|steps| Set { steps })
}
