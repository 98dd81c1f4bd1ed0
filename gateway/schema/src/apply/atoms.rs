//! What apply must know of a type: scalar, list or map, or several of them; what is atomic, what tells the items of a list
//! apart. A small copy of `schema.Schema` of structured-merge-diff, made once from struct types (`structs`) or from the
//! schema of a custom resource. Holds no object.

use model::json::{Map, Value};

use super::element::Name;

/// The index of an [`Atom`] in its [`Atoms`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AtomId(u32);

/// What a scalar may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A number.
    Numeric,
    /// A string.
    String,
    /// A boolean.
    Boolean,
    /// Any of them.
    Untyped,
}

/// Whether the parts of a list have owners of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relationship {
    /// They have not.
    Atomic,
    /// They have, told apart by key fields, or by themselves.
    Associative,
}

/// A type: what a value may be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Atom {
    /// As a scalar.
    pub scalar: Option<Scalar>,
    /// As a list.
    pub list: Option<List>,
    /// As a struct or map.
    pub map: Option<Table>,
}

/// A list.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    /// Whether its items have owners of their own.
    pub relationship: Relationship,
    /// By which fields its items are told apart; none for a set.
    pub keys: Vec<Key>,
    /// What its items are.
    pub item: AtomId,
}

/// A field by which items are told apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// JSON name.
    pub name: Name,
    /// Its value in an item that leaves it out.
    pub default: Option<Value>,
}

/// A struct or map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Whether it is one value.
    pub atomic: bool,
    /// Declared members, sorted by name.
    pub members: Vec<Member>,
    /// What members that are not declared are, where they are allowed.
    pub rest: Option<AtomId>,
    /// Whether it declares nothing and allows everything; then nothing is known of it.
    pub free: bool,
}

/// A declared member.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// JSON name.
    pub name: Name,
    /// What it is.
    pub atom: AtomId,
    /// Of a Go struct: what Go writes for it when it was never set, if anything.
    pub zero: Option<Value>,
    /// Of a Go struct: Go writes no empty value.
    pub omits_empty: bool,
}

/// The form of an atom that fits a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Face<'a> {
    Map(&'a Table),
    Scalar(Scalar),
    List(&'a List),
}

/// A set of types that refer to each other.
#[derive(Debug, Default)]
pub struct Atoms {
    atoms: Vec<Atom>,
}

/// A type that nothing is known of, one value in all its forms.
const ATOMIC: AtomId = AtomId(0);
/// A type that nothing is known of, each of whose map members has an owner.
const DEDUCED: AtomId = AtomId(1);

impl Atoms {
    /// A set with the two types of which nothing is known.
    pub fn new() -> Self {
        let list = List { relationship: Relationship::Atomic, keys: Vec::new(), item: ATOMIC };
        let map = |rest, atomic| Table { atomic, members: Vec::new(), rest: Some(rest), free: true };
        let untyped = |map| Atom { scalar: Some(Scalar::Untyped), list: Some(list.clone()), map: Some(map) };
        Self { atoms: vec![untyped(Table { free: false, ..map(ATOMIC, true) }), untyped(map(DEDUCED, false))] }
    }

    /// The type of anything, as one value.
    pub fn atomic(&self) -> AtomId {
        ATOMIC
    }

    /// The type of anything, told from the value itself.
    pub fn deduced(&self) -> AtomId {
        DEDUCED
    }

    /// Makes room for a type, so that others can refer to it before it is known.
    pub fn reserve(&mut self) -> AtomId {
        self.add(Atom::default())
    }

    /// Says what a type is.
    pub fn define(&mut self, id: AtomId, atom: Atom) {
        if let Some(slot) = self.atoms.get_mut(id.0 as usize) {
            *slot = atom;
        }
    }

    /// Adds a type.
    pub fn add(&mut self, atom: Atom) -> AtomId {
        self.atoms.push(atom);
        AtomId(self.atoms.len() as u32 - 1)
    }

    /// A type.
    pub(super) fn get(&self, id: AtomId) -> &Atom {
        &self.atoms[id.0 as usize]
    }

    /// The form that fits a value; where none does, the first that there is, which then tells what is wrong.
    pub(super) fn face(&self, id: AtomId, value: &Value) -> Option<Face<'_>> {
        let atom = self.get(id);
        let fitting = match value {
            Value::Null => None,
            Value::Bool(_) | Value::Number(_) | Value::String(_) => atom.scalar.map(Face::Scalar),
            Value::Array(_) => atom.list.as_ref().map(Face::List),
            Value::Object(_) => atom.map.as_ref().map(Face::Map),
        };
        let first = || {
            let map = atom.map.as_ref().map(Face::Map);
            map.or_else(|| atom.scalar.map(Face::Scalar)).or_else(|| atom.list.as_ref().map(Face::List))
        };
        fitting.or_else(first)
    }
}

impl Table {
    /// A struct or map of these members.
    pub fn new(mut members: Vec<Member>, rest: Option<AtomId>) -> Self {
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Self { atomic: false, members, rest, free: false }
    }

    /// A declared member.
    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        self.members.binary_search_by(|member| (*member.name).cmp(name)).ok().map(|at| &self.members[at])
    }

    /// What a member is, declared or not.
    pub(super) fn atom_of(&self, name: &str) -> Option<AtomId> {
        self.member(name).map_or(self.rest, |member| Some(member.atom))
    }
}

impl Member {
    /// What Go writes for a member, given what its struct holds; nothing when Go leaves it out.
    pub(super) fn of<'v>(&'v self, held: Option<&'v Value>) -> Option<&'v Value> {
        match held {
            None | Some(Value::Null) => self.zero.as_ref(),
            Some(value) if self.omits_empty && is_empty(value) => None,
            held => held,
        }
    }

    /// The same of a struct.
    pub(super) fn in_struct<'v>(&'v self, map: Option<&'v Map>) -> Option<&'v Value> {
        self.of(map.and_then(|map| map.get(&*self.name)))
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is) => !is,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}
