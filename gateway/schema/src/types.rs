//! The struct types of the API as data: every field in Go's order with how it is spelt, omitted, encoded and merged.
//! Holds no values and no code of a kind; `gateway/catalog/data/types.txt`, which `cargo x import` derives, is the text.
//!
//! A line of the text is one of
//! ```text
//! kind <apiVersion> <Kind> <struct>
//! type <OpenAPI name> <Go name> [map=…] [unions=…] [unpublished]
//! <tab><json> <Go field> [*]<kind> <protobuf number> [facts…]
//! ```
//! where a kind is a scalar's word or a struct's OpenAPI name behind any number of `[]` and `{}`, a protobuf number `2.1`
//! is field 1 of the message that Go inlines as field 2 (`2.2.1`: another one between), and 0 means that protobuf does not carry the field.

mod names;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::OnceLock;

use model::Value;

use crate::apply::{AtomId, Atoms};

pub use parse::ParseError;

/// The index of a struct type in its [`Types`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub u32);

/// What a field, an element or a map's value holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string, named or not.
    String,
    /// A boolean.
    Bool,
    /// A signed 32-bit number.
    Int32,
    /// A signed 64-bit number.
    Int64,
    /// A double.
    Float64,
    /// `resource.Quantity`: a string, or a number on the way in.
    Quantity,
    /// `metav1.Time`: RFC 3339 in whole seconds, or null.
    Time,
    /// `metav1.MicroTime`: RFC 3339 with six digits of a second, or null.
    MicroTime,
    /// `metav1.Duration`: Go's text form, `1m30s`.
    Duration,
    /// `intstr.IntOrString`.
    IntOrString,
    /// `runtime.RawExtension`: any object, kept as it came.
    RawExtension,
    /// `metav1.FieldsV1`: the set of managed fields, kept as it came.
    FieldsV1,
    /// Any JSON, kept as it came.
    Json,
    /// Bytes, base64 in JSON.
    Bytes,
    /// A struct.
    Struct(TypeId),
    /// A list of values.
    List(Box<Kind>),
    /// A map from strings.
    Map(Box<Kind>),
}

/// When Go leaves a field out of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omit {
    /// Never: the zero value is written (`null` for a nil list, map or pointer).
    Never,
    /// `omitempty`: false, 0, "", nil and empty lists and maps are left out; structs never are.
    Empty,
    /// `omitzero`: the zero value is left out, a struct of zero fields too.
    Zero,
}

/// What an element that appears in a strategic merge patch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchStrategy {
    /// Elements are merged (by `key` when they are objects) rather than replaced.
    pub merge: bool,
    /// Only the keys that the patch names are kept.
    pub retain_keys: bool,
    /// JSON name of the field by which elements are the same.
    pub key: Option<&'static str>,
}

/// How server-side apply tells the elements of a list apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListType {
    /// The list is one value.
    Atomic,
    /// Scalars, each at most once.
    Set,
    /// Objects by these fields.
    Map(Vec<&'static str>),
}

/// One JSON field of a struct.
#[derive(Clone, Debug)]
pub struct Field {
    /// JSON name.
    pub json: &'static str,
    /// Go's name.
    pub go_name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether Go holds it by pointer, so that absent differs from zero.
    pub pointer: bool,
    /// When it is left out.
    pub omit: Omit,
    /// Protobuf field number; 0 when protobuf does not carry it.
    pub proto: u32,
    /// Protobuf field numbers of the nested messages that carry it, outermost first, where Go inlines structs.
    pub proto_in: Vec<u32>,
    /// Go's names of the inlined structs that it is lifted from, outermost first.
    pub go_in: Vec<&'static str>,
    /// For strategic merge patches.
    pub patch: Option<PatchStrategy>,
    /// For server-side apply and OpenAPI.
    pub list: Option<ListType>,
    /// `x-kubernetes-map-type`: `atomic` for a map or struct that server-side apply treats as one value, or `granular`.
    pub map_type: Option<&'static str>,
    /// Whether OpenAPI lists it as required.
    pub required: bool,
    /// OpenAPI format where it is not the one that the kind implies; empty means none.
    pub format: Option<&'static str>,
    /// Upstream's unconditional default, wherever the struct occurs.
    pub default: Option<Value>,
    /// OpenAPI's default where it is not the one that the type implies.
    pub schema_default: Option<Value>,
    /// Whether an explicit empty list stays until the object is stored, because a rule of the kind tells it from an absent one.
    pub tells_empty: bool,
    go_type: Option<&'static str>,
}

impl Field {
    /// The protobuf number of the field, or of the inlined message that leads to it, this many messages down.
    pub(crate) fn proto_at(&self, level: usize) -> u32 {
        self.proto_in.get(level).copied().unwrap_or(self.proto)
    }

    /// Whether it points at a time, which may be there and be Go's zero time.
    pub(crate) fn is_time_pointer(&self) -> bool {
        self.pointer && matches!(self.kind, Kind::Time | Kind::MicroTime)
    }

    /// Whether objects in it are of the struct that has it: CustomResourceDefinition's schemas below `items` and its like,
    /// which JSON writes as one thing or another.
    pub(crate) fn holds_schemas(&self) -> bool {
        let named = |name: &str| name.contains("JSONSchemaPropsOr") || name.ends_with("JSONSchemaDependencies");
        matches!(self.kind, Kind::Json | Kind::Map(_)) && self.go_type.is_some_and(named)
    }
}

/// A struct type.
#[derive(Debug)]
pub struct Struct {
    /// OpenAPI name: `io.k8s.api.core.v1.Pod`.
    pub name: &'static str,
    /// Go name with its package: `v1.Pod`.
    pub go_name: &'static str,
    /// Fields in Go's order, those of inlined structs lifted into it.
    pub fields: Vec<Field>,
    /// Server-side apply treats the whole struct as one value.
    pub map_atomic: bool,
    /// OpenAPI's `x-kubernetes-unions`.
    pub unions: Option<Value>,
    /// Whether upstream publishes a schema of it.
    pub published: bool,
    by_json: names::Names,
    by_proto: Vec<u16>,
}

impl Struct {
    /// The fields that protobuf carries, in the order of their numbers; those of one inlined message lie together.
    /// Each is a place in [`Struct::fields`].
    pub(crate) fn carried(&self) -> &[u16] {
        &self.by_proto
    }

    /// The field with this JSON name, case and all.
    pub fn field(&self, json: &str) -> Option<&Field> {
        self.position(json).map(|at| &self.fields[at])
    }

    /// Where the field stands in [`Struct::fields`].
    pub fn position(&self, json: &str) -> Option<usize> {
        self.by_json.find(json, |at| self.fields[at].json)
    }

    /// Go's name without the package, as decoding errors spell it: `Container`.
    pub fn short_name(&self) -> &'static str {
        self.go_name.rsplit_once('.').map_or(self.go_name, |(_, name)| name)
    }
}

/// Every struct type, and which of them the kinds are.
#[derive(Debug, Default)]
pub struct Types {
    structs: Vec<Struct>,
    by_name: HashMap<&'static str, TypeId>,
    kinds: HashMap<(&'static str, &'static str), TypeId>,
    atoms: OnceLock<(Atoms, Vec<AtomId>)>,
}

impl Types {
    /// Reads tables; a later one may use the structs of those before it.
    ///
    /// # Errors
    /// The line that cannot be read, and why.
    pub fn parse(tables: &[&'static str]) -> Result<Self, ParseError> {
        parse::tables(tables)
    }

    /// Has explicit empty lists of a field kept by [`normal::decode`](crate::normal::decode). Tells whether there is such a field.
    pub fn tell_empty(&mut self, name: &str, json: &str) -> bool {
        let Some(of) = self.by_name(name).and_then(|id| self.structs.get_mut(id.0 as usize)) else { return false };
        let field = of.position(json).and_then(|at| of.fields.get_mut(at));
        field.map(|field| field.tells_empty = true).is_some()
    }

    /// The struct of a kind; `api_version` is `v1` or `group/version`.
    pub fn of_kind(&self, api_version: &str, kind: &str) -> Option<TypeId> {
        self.kinds.get(&(api_version, kind)).copied()
    }

    /// The struct with this OpenAPI name.
    pub fn by_name(&self, name: &str) -> Option<TypeId> {
        self.by_name.get(name).copied()
    }

    /// Every struct in the order of the tables.
    pub fn iter(&self) -> impl Iterator<Item = (TypeId, &Struct)> {
        self.structs.iter().enumerate().map(|(at, of)| (TypeId(at as u32), of))
    }

    /// What apply sees of a struct; made for all of them when it is first asked for.
    pub fn atoms(&self, ty: TypeId) -> (&Atoms, AtomId) {
        let (atoms, of) = self.atoms.get_or_init(|| Atoms::of_structs(self));
        (atoms, of.get(ty.0 as usize).copied().unwrap_or(atoms.deduced()))
    }

    /// Every kind as apiVersion, kind and struct, in no order.
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, &'static str, TypeId)> {
        self.kinds.iter().map(|((api_version, kind), id)| (*api_version, *kind, *id))
    }

    /// The Go type of a field as decoding errors spell it, pointers left off: `[]v1.Container`, `v1.Protocol`, `int32`.
    pub fn go_type(&self, field: &Field) -> String {
        field.go_type.map_or_else(|| self.go_type_of(&field.kind), str::to_owned)
    }

    /// The Go type that a kind has when it carries no name of its own.
    pub fn go_type_of(&self, kind: &Kind) -> String {
        match kind {
            Kind::String => "string".to_owned(),
            Kind::Bool => "bool".to_owned(),
            Kind::Int32 => "int32".to_owned(),
            Kind::Int64 => "int64".to_owned(),
            Kind::Float64 => "float64".to_owned(),
            Kind::Quantity => "resource.Quantity".to_owned(),
            Kind::Time => "v1.Time".to_owned(),
            Kind::MicroTime => "v1.MicroTime".to_owned(),
            Kind::Duration => "v1.Duration".to_owned(),
            Kind::IntOrString => "intstr.IntOrString".to_owned(),
            Kind::RawExtension => "runtime.RawExtension".to_owned(),
            Kind::FieldsV1 => "v1.FieldsV1".to_owned(),
            Kind::Json => "v1.JSON".to_owned(),
            Kind::Bytes => "[]uint8".to_owned(),
            Kind::Struct(id) => self[*id].go_name.to_owned(),
            Kind::List(element) => format!("[]{}", self.go_type_of(element)),
            Kind::Map(value) => format!("map[string]{}", self.go_type_of(value)),
        }
    }

    /// The Go type of the elements of a list field or the values of a map field.
    pub fn go_element_type(&self, field: &Field) -> String {
        let spelt = field.go_type.and_then(|name| {
            name.strip_prefix("[]")
                .or_else(|| name.strip_prefix("map[").and_then(|rest| rest.split_once(']')).map(|(_, value)| value))
        });
        match (spelt, &field.kind) {
            (Some(name), _) => name.trim_start_matches('*').to_owned(),
            (None, Kind::List(inner) | Kind::Map(inner)) => self.go_type_of(inner),
            (None, kind) => self.go_type_of(kind),
        }
    }
}

impl std::ops::Index<TypeId> for Types {
    type Output = Struct;

    fn index(&self, id: TypeId) -> &Struct {
        &self.structs[id.0 as usize]
    }
}
