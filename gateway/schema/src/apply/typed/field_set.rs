//! The paths that an object sets. Follows `typed/tofieldset.go`.

use model::json::{Key, Map, Value};

use super::super::atoms::{AtomId, Atoms, Face, List, Relationship, Table};
use super::super::set::Step;
use super::super::{Element, Set};
use super::element_of;

pub(super) fn of(atoms: &Atoms, root: AtomId, value: &Value) -> Set {
    walk(atoms, root, value).1
}

/// Whether a value is one value, and the paths that are set in it.
fn walk(atoms: &Atoms, atom: AtomId, value: &Value) -> (bool, Set) {
    match (atoms.face(atom, value), value) {
        (Some(Face::Scalar(_)), _) => (true, Set::default()),
        (Some(Face::List(list)), _) if list.relationship == Relationship::Atomic => (true, Set::default()),
        (Some(Face::Map(table)), _) if table.atomic => (true, Set::default()),
        (Some(Face::List(list)), Value::Array(items)) => (false, of_items(atoms, list, items)),
        (Some(Face::Map(table)), Value::Object(map)) => (false, of_members(atoms, table, map)),
        _ => (false, Set::default()),
    }
}

/// Items that stand more than once count as one value together.
fn of_items(atoms: &Atoms, list: &List, items: &[Value]) -> Set {
    let elements: Vec<Option<Element>> = items.iter().map(|item| element_of(list, item).ok()).collect();
    let mut sorted: Vec<&Element> = elements.iter().flatten().collect();
    sorted.sort_unstable();
    let is_twice = |element: &Element| {
        let at = sorted.partition_point(|other| *other < element);
        sorted.get(at + 1) == Some(&element)
    };
    let step = |(element, item): (&Option<Element>, &Value)| {
        let element = element.as_ref()?;
        let below = if is_twice(element) { Set::default() } else { walk(atoms, list.item, item).1 };
        Some(Step { element: element.clone(), member: true, below })
    };
    elements.iter().zip(items).filter_map(step).collect()
}

fn of_members(atoms: &Atoms, table: &Table, map: &Map) -> Set {
    let step = |(name, value): (&Key, &Value)| {
        let declared = table.member(name);
        let (whole, below) = table.atom_of(name).map_or((false, Set::default()), |atom| walk(atoms, atom, value));
        let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
        let element = declared.map_or_else(|| Element::field(name), |member| Element::Field(member.name.clone()));
        Step { element, member: whole || empty || declared.is_none(), below }
    };
    map.iter().map(step).collect()
}
