//! Whether an object is of its type. Follows `typed/validate.go`, with its words.

use std::collections::BTreeSet;

use model::json::Value;

use super::super::Element;
use super::super::atoms::{AtomId, Atoms, Face, List, Relationship, Scalar, Table};
use super::{Fault, element_of, fault, under};

/// Whether an item may be in a list of type `set` or `map` twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Duplicates {
    Allowed,
    Refused,
}

pub(super) fn check(atoms: &Atoms, atom: AtomId, value: &Value, duplicates: Duplicates, faults: &mut Vec<Fault>) {
    match atoms.face(atom, value) {
        None => faults.push(fault("schema error: invalid atom: inlined")),
        Some(Face::Scalar(wanted)) => faults.extend(scalar(wanted, value, "")),
        Some(Face::List(list)) => match value {
            Value::Null => {}
            Value::Array(items) => check_items(atoms, list, items, duplicates, faults),
            other => faults.push(fault(format!("expected list, got &{{{}}}", go_text(other)))),
        },
        Some(Face::Map(table)) => match value {
            Value::Null => {}
            Value::Object(map) => check_members(atoms, table, map, duplicates, faults),
            other => faults.push(fault(format!("expected map, got &{{{}}}", go_text(other)))),
        },
    }
}

fn check_items(atoms: &Atoms, list: &List, items: &[Value], duplicates: Duplicates, faults: &mut Vec<Fault>) {
    let mut seen: BTreeSet<Element> = BTreeSet::new();
    for (at, item) in items.iter().enumerate() {
        let element = if list.relationship == Relationship::Atomic {
            Element::Index(at as i64)
        } else {
            let element = match element_of(list, item) {
                Ok(element) => element,
                // Upstream looks no further in this list.
                Err(why) => return faults.push(fault(format!("element {at}: {why}"))),
            };
            if duplicates == Duplicates::Refused && !seen.insert(element.clone()) {
                faults.push(fault(format!("duplicate entries for key {element}")));
            }
            element
        };
        check_below(atoms, list.item, &element, item, duplicates, faults);
    }
}

fn check_members(atoms: &Atoms, table: &Table, map: &model::json::Map, duplicates: Duplicates, faults: &mut Vec<Fault>) {
    for (name, value) in map {
        let element = Element::field(name);
        let Some(atom) = table.atom_of(name) else {
            // Upstream looks no further in this map.
            return faults.extend(under(&element, vec![fault("field not declared in schema")]));
        };
        check_below(atoms, atom, &element, value, duplicates, faults);
    }
}

fn check_below(atoms: &Atoms, atom: AtomId, element: &Element, value: &Value, duplicates: Duplicates, faults: &mut Vec<Fault>) {
    let mut below = Vec::new();
    check(atoms, atom, value, duplicates, &mut below);
    if !below.is_empty() {
        faults.extend(under(element, below));
    }
}

/// What is wrong with a scalar.
pub(super) fn scalar(wanted: Scalar, value: &Value, side: &str) -> Option<Fault> {
    let why = match (wanted, value) {
        (_, Value::Null)
        | (Scalar::Numeric, Value::Number(_))
        | (Scalar::String, Value::String(_))
        | (Scalar::Boolean, Value::Bool(_))
        | (Scalar::Untyped, Value::Number(_) | Value::String(_) | Value::Bool(_)) => return None,
        (Scalar::Numeric, value) => format!("{side}expected numeric (int or float), got {}", go_type(value)),
        (Scalar::String, value) => format!("{side}expected string, got &value.valueUnstructured{{Value:{}}}", go_syntax(value)),
        (Scalar::Boolean, value) => format!("{side}expected boolean, got &{{{}}}", go_text(value)),
        (Scalar::Untyped, value) => format!("{side}expected any scalar, got &{{{}}}", go_text(value)),
    };
    Some(fault(why))
}

/// Go's `%T`.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Go's `%v`.
fn go_text(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(go_text).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let mut entries: Vec<String> = map.iter().map(|(key, value)| format!("{key}:{}", go_text(value))).collect();
            entries.sort_unstable();
            format!("map[{}]", entries.join(" "))
        }
        Value::Number(number) => codec::go_json::general(number.as_f64().unwrap_or(0.0)),
        scalar => super::super::value::text(scalar),
    }
}

/// Go's `%#v`.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::String(text) => model::field::quote(text),
        Value::Array(items) => format!("[]interface {{}}{{{}}}", items.iter().map(go_syntax).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let mut entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{}:{}", model::field::quote(key), go_syntax(value))).collect();
            entries.sort_unstable();
            format!("map[string]interface {{}}{{{}}}", entries.join(", "))
        }
        scalar => go_text(scalar),
    }
}
