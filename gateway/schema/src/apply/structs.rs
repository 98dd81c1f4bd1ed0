//! The atoms of struct types, as `kube-openapi/pkg/schemaconv` derives them from the published schemas.

use std::borrow::Cow;
use std::collections::HashMap;

use model::json::{Value, json};

use super::atoms::{Atom, AtomId, Atoms, Key, List, Member, Relationship, Scalar, Table};
use crate::normal;
use crate::types::{Field, Kind, ListType, Omit, Struct, TypeId, Types};

impl Atoms {
    /// The atoms of all struct types, and which of them each struct is, by its [`TypeId`].
    pub fn of_structs(types: &Types) -> (Self, Vec<AtomId>) {
        let mut build = Build { types, atoms: Self::new(), plain: HashMap::new(), whole: HashMap::new() };
        let ids = types.iter().map(|(ty, _)| build.structure(ty)).collect();
        (build.atoms, ids)
    }

    /// Adds the atoms of one struct type and of those that it holds.
    pub(super) fn add_struct(&mut self, types: &Types, ty: TypeId) -> AtomId {
        let atoms = std::mem::take(self);
        let mut build = Build { types, atoms, plain: HashMap::new(), whole: HashMap::new() };
        let id = build.structure(ty);
        *self = build.atoms;
        id
    }
}

struct Build<'a> {
    types: &'a Types,
    atoms: Atoms,
    plain: HashMap<TypeId, AtomId>,
    /// The same structs where a field says that they are one value.
    whole: HashMap<TypeId, AtomId>,
}

impl Build<'_> {
    /// A struct as its type says.
    fn structure(&mut self, ty: TypeId) -> AtomId {
        if let Some(known) = self.plain.get(&ty) {
            return *known;
        }
        let id = self.atoms.reserve();
        self.plain.insert(ty, id);
        let table = self.table(&self.types[ty]);
        self.atoms.define(id, Atom { map: Some(Table { atomic: self.types[ty].map_atomic, ..table }), ..Atom::default() });
        id
    }

    /// A struct as one value.
    fn whole(&mut self, ty: TypeId) -> AtomId {
        if let Some(known) = self.whole.get(&ty) {
            return *known;
        }
        let id = self.atoms.reserve();
        self.whole.insert(ty, id);
        let table = self.table(&self.types[ty]);
        self.atoms.define(id, Atom { map: Some(Table { atomic: true, ..table }), ..Atom::default() });
        id
    }

    fn table(&mut self, of: &Struct) -> Table {
        let members: Vec<Member> = of.fields.iter().map(|field| self.member(field)).collect();
        // A struct without fields says nothing of its content.
        let rest = members.is_empty().then(|| self.atoms.deduced());
        Table::new(members, rest)
    }

    fn member(&mut self, field: &Field) -> Member {
        let omits_empty =
            !field.pointer && field.omit != Omit::Never && !matches!(field.kind, Kind::Struct(_) | Kind::IntOrString);
        Member { name: Cow::Borrowed(field.json), atom: self.field(field), zero: normal::unset(self.types, field), omits_empty }
    }

    fn field(&mut self, field: &Field) -> AtomId {
        match (&field.kind, field.map_type) {
            (Kind::Struct(id), Some("atomic")) => self.whole(*id),
            // Said of a struct, `granular` takes back what its type says.
            (Kind::Struct(id), Some(_)) if self.types[*id].map_atomic => {
                let table = self.table(&self.types[*id]);
                self.atoms.add(Atom { map: Some(table), ..Atom::default() })
            }
            (Kind::List(inner), _) => {
                let (relationship, keys) = self.relationship(field, inner);
                let item = self.kind(inner);
                self.atoms.add(Atom { list: Some(List { relationship, keys, item }), ..Atom::default() })
            }
            (Kind::Map(inner), map_type) => {
                let rest = self.kind(inner);
                let map = Table { atomic: map_type == Some("atomic"), rest: Some(rest), ..Table::default() };
                self.atoms.add(Atom { map: Some(map), ..Atom::default() })
            }
            (kind, _) => self.kind(kind),
        }
    }

    fn relationship(&self, field: &Field, item: &Kind) -> (Relationship, Vec<Key>) {
        let merged = field.patch.filter(|patch| patch.merge);
        let names = match (&field.list, merged) {
            (Some(ListType::Atomic), _) | (None, None) => return (Relationship::Atomic, Vec::new()),
            (Some(ListType::Set), _) => Vec::new(),
            (Some(ListType::Map(keys)), _) => keys.clone(),
            (None, Some(patch)) => patch.key.into_iter().collect(),
        };
        let key = |name: &'static str| {
            let of = if let Kind::Struct(id) = item { self.types[*id].field(name) } else { None };
            Key { name: Cow::Borrowed(name), default: of.and_then(Field::published_default) }
        };
        (Relationship::Associative, names.into_iter().map(key).collect())
    }

    fn kind(&mut self, kind: &Kind) -> AtomId {
        let scalar = |scalar| Atom { scalar: Some(scalar), ..Atom::default() };
        let atom = match kind {
            Kind::String | Kind::Bytes | Kind::Duration => scalar(Scalar::String),
            Kind::Bool => scalar(Scalar::Boolean),
            Kind::Int32 | Kind::Int64 | Kind::Float64 => scalar(Scalar::Numeric),
            Kind::Quantity | Kind::Time | Kind::MicroTime => scalar(Scalar::Untyped),
            // It is published without a type, as one of two.
            Kind::IntOrString => return self.atoms.deduced(),
            Kind::RawExtension => return self.atoms.atomic(),
            Kind::FieldsV1 => {
                let deduced = self.atoms.deduced();
                Atom { map: Some(Table { rest: Some(deduced), free: true, ..Table::default() }), ..Atom::default() }
            }
            Kind::Json => return self.atoms.deduced(),
            Kind::Struct(id) => return self.structure(*id),
            Kind::List(inner) => {
                let item = self.kind(inner);
                Atom { list: Some(List { relationship: Relationship::Atomic, keys: Vec::new(), item }), ..Atom::default() }
            }
            Kind::Map(inner) => {
                let rest = self.kind(inner);
                Atom { map: Some(Table { rest: Some(rest), ..Table::default() }), ..Atom::default() }
            }
        };
        self.atoms.add(atom)
    }
}

impl Field {
    /// The default that its published schema has: upstream's generator gives a zero default to what Go holds by value and
    /// always writes, and `{}` to structs by value.
    pub fn published_default(&self) -> Option<Value> {
        if self.schema_default.is_some() {
            return self.schema_default.clone();
        }
        if self.pointer {
            return None;
        }
        match self.kind {
            Kind::Struct(_) => Some(json!({})),
            Kind::String if self.omit == Omit::Never => Some("".into()),
            Kind::Bool if self.omit == Omit::Never => Some(false.into()),
            Kind::Int32 | Kind::Int64 | Kind::Float64 if self.omit == Omit::Never => Some(0.into()),
            _ => None,
        }
    }
}
