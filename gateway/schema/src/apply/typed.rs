//! An object with its type, and the walks over it: the paths it sets, what changed between two of it, one merged into
//! another, parts taken out. Each walk is a file below. Follows `typed` of structured-merge-diff.

mod compare;
mod field_set;
mod merge;
mod named;
mod reconcile;
mod remove;
mod validate;

use std::borrow::Cow;

use model::json::{Map, Value};

use super::atoms::{AtomId, Atoms, Face, List, Relationship, Table};
use super::{Element, Set};

pub(super) use compare::Comparison;
pub(super) use named::with_named_fields;
pub(super) use reconcile::reconcile;

/// A fault of an object's shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    path: String,
    why: String,
}

/// An object and its type.
#[derive(Clone, Debug)]
pub struct Typed<'a> {
    /// The types.
    pub atoms: &'a Atoms,
    /// That of the object.
    pub root: AtomId,
    /// The object.
    pub value: Cow<'a, Value>,
    /// Whether it is held in Go structs, where what was never set has a zero value.
    pub in_structs: bool,
}

impl<'a> Typed<'a> {
    /// The same type with another value, which holds nothing but what it says.
    fn with(&self, value: Value) -> Self {
        Self { atoms: self.atoms, root: self.root, value: Cow::Owned(value), in_structs: false }
    }

    /// The same object with its zero values written out.
    pub fn written_out(mut self) -> Self {
        if self.in_structs {
            write_out(self.atoms, self.root, self.value.to_mut());
            self.in_structs = false;
        }
        self
    }

    /// The paths that it sets.
    pub(super) fn field_set(&self) -> Set {
        field_set::of(self.atoms, self.root, &self.value)
    }

    /// What another object of the type changes about it.
    pub(super) fn compare(&self, other: &Self) -> Result<Comparison, String> {
        let in_structs = self.in_structs && other.in_structs;
        compare::of(self.atoms, in_structs, self.root, &self.value, &other.value).map_err(|faults| text(&faults))
    }

    /// It with everything that a part says.
    pub(super) fn merge(&self, part: &Self) -> Result<Self, String> {
        match merge::of(self.atoms, self.root, &self.value, &part.value) {
            Ok(merged) => Ok(self.with(merged.unwrap_or(Value::Null))),
            Err(faults) => Err(text(&faults)),
        }
    }

    /// It without these paths.
    pub(super) fn without(&self, paths: &Set) -> Self {
        self.with(remove::from(self.atoms, self.root, &self.value, paths).unwrap_or(Value::Null))
    }

    /// Whether it is of its type, with no item of a list twice.
    pub(super) fn validate(&self) -> Result<(), String> {
        self.check(validate::Duplicates::Refused)
    }

    /// Whether it is of its type, as what is stored may no longer be once a definition has changed.
    pub(super) fn fits(&self) -> Result<(), String> {
        self.check(validate::Duplicates::Allowed)
    }

    fn check(&self, duplicates: validate::Duplicates) -> Result<(), String> {
        let mut faults = Vec::new();
        validate::check(self.atoms, self.root, &self.value, duplicates, &mut faults);
        if faults.is_empty() { Ok(()) } else { Err(text(&faults)) }
    }
}

/// Faults on one line each, as upstream's error prints them.
fn text(faults: &[Fault]) -> String {
    let line = |fault: &Fault| if fault.path.is_empty() { fault.why.clone() } else { format!("{}: {}", fault.path, fault.why) };
    match faults {
        [one] => line(one),
        many => std::iter::once("errors:".to_owned())
            .chain(many.iter().map(|fault| format!("  {}", line(fault))))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

fn fault(why: impl Into<String>) -> Fault {
    Fault { path: String::new(), why: why.into() }
}

fn under(element: &Element, faults: Vec<Fault>) -> Vec<Fault> {
    let prefix = element.to_string();
    faults.into_iter().map(|fault| Fault { path: format!("{prefix}{}", fault.path), why: fault.why }).collect()
}

/// How an item of a list is told apart from the others. Fails for one that cannot be.
fn element_of(list: &List, item: &Value) -> Result<Element, String> {
    if list.relationship == Relationship::Atomic {
        return Err("invalid indexing of non-associative list".to_owned());
    }
    if list.keys.is_empty() {
        return match item {
            Value::Object(_) => Err("associative list without keys has an element that's a map type".to_owned()),
            Value::Array(_) => Err("not supported: associative list with lists as elements".to_owned()),
            Value::Null => Err("associative list without keys has an element that's an explicit null".to_owned()),
            scalar => Ok(Element::Value(Box::new(scalar.clone()))),
        };
    }
    let map = match item {
        Value::Object(map) => map,
        Value::Null => return Err("associative list with keys may not have a null element".to_owned()),
        _ => return Err("associative list with keys may not have non-map elements".to_owned()),
    };
    let mut fields = Vec::with_capacity(list.keys.len());
    for key in &list.keys {
        // A key that is neither there nor has a default makes an item of its own kind.
        if let Some(value) = map.get(&*key.name).or(key.default.as_ref()) {
            fields.push((key.name.clone(), value.clone()));
        }
    }
    if fields.is_empty() {
        let keys: Vec<String> = list.keys.iter().map(|key| model::field::quote(&key.name)).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
            keys.join(" ")
        ));
    }
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Element::Key(fields))
}

/// The members of a map that fits a table; an absent one or another value has none.
fn members(value: Option<&Value>) -> Option<&Map> {
    value.and_then(Value::as_object)
}

fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Writes the zero values of Go's structs into an object.
fn write_out(atoms: &Atoms, atom: AtomId, value: &mut Value) {
    match atoms.face(atom, value) {
        Some(Face::Map(table)) => {
            if let Value::Object(map) = value {
                write_out_members(atoms, table, map);
            }
        }
        Some(Face::List(list)) => {
            for item in value.as_array_mut().into_iter().flatten() {
                write_out(atoms, list.item, item);
            }
        }
        Some(Face::Scalar(_)) | None => {}
    }
}

fn write_out_members(atoms: &Atoms, table: &Table, map: &mut Map) {
    map.retain(|name, value| {
        table.member(name).is_none_or(|member| {
            let Some(kept) = member.of(Some(value)) else { return false };
            if kept != value {
                *value = kept.clone();
            }
            true
        })
    });
    for member in table.members.iter().filter(|member| member.zero.is_some()) {
        if let (false, Some(zero)) = (map.contains_key(&*member.name), &member.zero) {
            map.insert(member.name.to_string(), zero.clone());
        }
    }
    for (name, value) in map {
        if let Some(atom) = table.atom_of(name) {
            write_out(atoms, atom, value);
        }
    }
}
