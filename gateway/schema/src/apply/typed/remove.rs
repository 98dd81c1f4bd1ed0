//! Parts taken out of an object. Follows `typed/remove.go`.

use model::json::{Map, Value};

use super::super::atoms::{AtomId, Atoms, Face, List, Relationship, Table};
use super::super::{Element, Set};
use super::element_of;

/// What is left of a value, if anything is. Nothing can be taken out of what is one value; asked for, all of it goes.
pub(super) fn from(atoms: &Atoms, atom: AtomId, value: &Value, paths: &Set) -> Option<Value> {
    match (atoms.face(atom, value), value) {
        (Some(Face::Scalar(_)), _) => Some(value.clone()),
        (Some(Face::List(list)), Value::Array(items)) if list.relationship == Relationship::Associative => {
            from_list(atoms, list, items, paths)
        }
        (Some(Face::Map(table)), Value::Object(map)) if !table.atomic => from_map(atoms, table, map, paths),
        _ => None,
    }
}

fn from_list(atoms: &Atoms, list: &List, items: &[Value], paths: &Set) -> Option<Value> {
    let mut kept = Vec::with_capacity(items.len());
    for item in items {
        // The object was validated; an item without an element is in no set.
        let Ok(element) = element_of(list, item) else {
            kept.push(item.clone());
            continue;
        };
        if paths.is_member(&element) {
            continue;
        }
        let below = paths.below(&element);
        kept.push(if below.is_empty() { item.clone() } else { from(atoms, list.item, item, below).unwrap_or(Value::Null) });
    }
    if kept.is_empty() { None } else { Some(Value::Array(kept)) }
}

fn from_map(atoms: &Atoms, table: &Table, map: &Map, paths: &Set) -> Option<Value> {
    let mut kept = Map::with_capacity(map.len());
    for (name, value) in map {
        let element = Element::field(name);
        if paths.is_member(&element) {
            continue;
        }
        let below = paths.below(&element);
        let rest = match table.atom_of(name) {
            Some(atom) if !below.is_empty() => from(atoms, atom, value, below).unwrap_or(Value::Null),
            _ => value.clone(),
        };
        kept.insert(name.clone(), rest);
    }
    if kept.is_empty() { None } else { Some(Value::Object(kept)) }
}
