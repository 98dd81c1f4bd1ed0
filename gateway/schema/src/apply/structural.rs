//! The atoms of a custom resource, as `kube-openapi/pkg/schemaconv` derives them from what its definition publishes.

use std::borrow::Cow;

use super::atoms::{Atom, AtomId, Atoms, Key, List, Member, Relationship, Scalar, Table};
use crate::structural::{Additional, Structural, Type};
use crate::types::Types;

/// The struct of every object's `metadata`.
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

impl Atoms {
    /// The atoms of one version of a custom resource, and which of them its objects are.
    pub fn of_structural(types: &Types, schema: &Structural) -> (Self, AtomId) {
        let mut atoms = Self::new();
        let metadata = types.by_name(OBJECT_META).map_or(atoms.deduced(), |ty| atoms.add_struct(types, ty));
        let mut build = Build { atoms, metadata };
        let root = build.object(schema, Unknown::Dropped, Top::Yes);
        (build.atoms, root)
    }
}

struct Build {
    atoms: Atoms,
    metadata: AtomId,
}

/// What becomes of fields that a schema does not name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unknown {
    Dropped,
    Kept,
}

/// Whether a value is a whole object, with `apiVersion`, `kind` and `metadata`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Top {
    Yes,
    No,
}

impl Build {
    fn object(&mut self, schema: &Structural, unknown: Unknown, top: Top) -> AtomId {
        let atom = self.atom(schema, unknown, top);
        self.atoms.add(atom)
    }

    fn atom(&mut self, schema: &Structural, unknown: Unknown, top: Top) -> Atom {
        let unknown = if schema.preserve_unknown_fields { Unknown::Kept } else { unknown };
        let scalar = |scalar| Atom { scalar: Some(scalar), ..Atom::default() };
        match &schema.kind {
            Some(Type::Object) => Atom { map: Some(self.table(schema, unknown, top)), ..Atom::default() },
            Some(Type::Array) => Atom { list: Some(self.list(schema, unknown)), ..Atom::default() },
            Some(Type::Boolean) => scalar(Scalar::Boolean),
            Some(Type::Integer | Type::Number) => scalar(Scalar::Numeric),
            Some(Type::String) => scalar(Scalar::String),
            None => Atom {
                scalar: Some(Scalar::Untyped),
                list: Some(self.list(schema, unknown)),
                map: Some(self.table(schema, unknown, top)),
            },
        }
    }

    fn table(&mut self, schema: &Structural, unknown: Unknown, top: Top) -> Table {
        let is_object = top == Top::Yes || schema.embedded_resource;
        let mut members: Vec<Member> = Vec::new();
        for (name, property) in schema.properties() {
            if !(is_object && matches!(name, "apiVersion" | "kind" | "metadata")) {
                let atom = self.object(property, unknown, Top::No);
                members.push(member(name, atom));
            }
        }
        if is_object {
            let text = self.atoms.add(Atom { scalar: Some(Scalar::String), ..Atom::default() });
            members.extend([member("apiVersion", text), member("kind", text), member("metadata", self.metadata)]);
        }
        let deduced = self.atoms.deduced();
        let rest = match &schema.additional {
            Additional::Of(values) => Some(self.object(values, unknown, Top::No)),
            Additional::Any(true) => Some(deduced),
            Additional::Any(false) => None,
            Additional::Unsaid => (unknown == Unknown::Kept || members.is_empty()).then_some(deduced),
        };
        let free = members.is_empty() && rest == Some(deduced);
        Table { atomic: schema.map_type() == Some("atomic"), free, ..Table::new(members, rest) }
    }

    fn list(&mut self, schema: &Structural, unknown: Unknown) -> List {
        let item = match &schema.items {
            Some(items) => self.object(items, unknown, Top::No),
            None => self.atoms.atomic(),
        };
        let key = |name: &str| {
            let default =
                schema.items.as_ref().and_then(|items| items.property(name)).and_then(|of| of.default.as_deref().cloned());
            Key { name: Cow::Owned(name.to_owned()), default }
        };
        let (relationship, keys) = match schema.list_type() {
            Some("set") => (Relationship::Associative, Vec::new()),
            Some("map") => (Relationship::Associative, schema.list_map_keys().iter().map(|name| key(name)).collect()),
            _ => (Relationship::Atomic, Vec::new()),
        };
        List { relationship, keys, item }
    }
}

fn member(name: &str, atom: AtomId) -> Member {
    Member { name: Cow::Owned(name.to_owned()), atom, zero: None, omits_empty: false }
}
