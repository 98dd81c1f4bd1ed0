//! Declared data: what a schema says about a JSON value, as far as CEL sees it, with the sizes that costs are estimated from.
//! Follows `SchemaDeclType` and `DeclType` of `k8s.io/apiserver/pkg/cel`. Does not read schemas (`schema::structural`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::REQUEST_BYTES_MAX;
use crate::escape::escape;
use crate::types::{Fields, Object, Type};

/// The declaration of a value. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Decl(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    nullable: bool,
    /// Most elements, characters or bytes that a value can have.
    elements_max: u64,
    /// Least bytes that a value takes as JSON.
    bytes_min: u64,
}

/// What kind of value is declared.
#[derive(Debug)]
pub enum Kind {
    /// Anything: nothing is declared, the value is taken as it is.
    Dyn,
    /// `x-kubernetes-int-or-string`
    IntOrString,
    /// `type: boolean`
    Bool,
    /// `type: integer`
    Int,
    /// `type: number`
    Double,
    /// `type: string`
    String,
    /// `format: byte`
    Bytes,
    /// `format: duration`
    Duration,
    /// `format: date`
    Date,
    /// `format: date-time`
    DateTime,
    /// `type: array`
    List(Decl, ListKind),
    /// `type: object` with `additionalProperties`
    Map(Decl),
    /// `type: object` with `properties`, by their names in JSON
    Object(BTreeMap<Box<str>, Field>),
    /// A value without a type (`x-kubernetes-preserve-unknown-fields`): it cannot be named, only compared.
    Unknown,
}

/// `x-kubernetes-list-type`: how lists compare and concatenate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// In order.
    Atomic,
    /// Without order; `+` is the union.
    Set,
    /// Without order, by the keys; `+` merges.
    Map(Vec<Box<str>>),
}

/// A property of an object.
#[derive(Debug)]
pub struct Field {
    /// What it holds.
    pub decl: Decl,
    /// Its name in expressions, where it has one.
    pub name: Option<Box<str>>,
}

impl Decl {
    fn new(kind: Kind, elements_max: u64, bytes_min: u64) -> Self {
        Self(Arc::new(Inner { kind, nullable: false, elements_max, bytes_min }))
    }

    /// Anything.
    pub fn any() -> Self {
        Self::new(Kind::Dyn, 0, 1)
    }

    /// A preserved value without a type.
    pub fn unknown() -> Self {
        Self::new(Kind::Unknown, 0, 1)
    }

    /// `x-kubernetes-int-or-string`, with `maxLength`.
    pub fn int_or_string(length_max: Option<i64>) -> Self {
        Self::new(Kind::IntOrString, length_max.map_or(REQUEST_BYTES_MAX - 2, quadrupled), 1)
    }

    /// `type: boolean`
    pub fn bool() -> Self {
        Self::new(Kind::Bool, 0, 4)
    }

    /// `type: integer`
    pub fn int() -> Self {
        Self::new(Kind::Int, 0, 1)
    }

    /// `type: number`
    pub fn double() -> Self {
        Self::new(Kind::Double, 0, 1)
    }

    /// `type: string` with its format (`byte`, `duration`, `date`, `date-time` or any other), `maxLength` and the longest text
    /// of `enum` in bytes.
    pub fn string(format: &str, length_max: Option<i64>, enum_bytes_max: Option<u64>) -> Self {
        match format {
            "byte" => Self::new(Kind::Bytes, length_max.map_or(REQUEST_BYTES_MAX - 2, at_least_zero), 2),
            "duration" => Self::new(Kind::Duration, 32, 3),
            "date" => Self::new(Kind::Date, 12, 12),
            "date-time" => Self::new(Kind::DateTime, 32, 21),
            _ => {
                let elements = length_max.map(quadrupled).or(enum_bytes_max).unwrap_or(REQUEST_BYTES_MAX - 2);
                Self::new(Kind::String, elements, 2)
            }
        }
    }

    /// `type: array`, with `maxItems`.
    pub fn list(items: Decl, kind: ListKind, items_max: Option<i64>) -> Self {
        // Each item takes its own bytes and a comma; the list two brackets.
        let elements = items_max.map_or((REQUEST_BYTES_MAX - 2) / (items.0.bytes_min + 1), at_least_zero);
        Self::new(Kind::List(items, kind), elements, 2)
    }

    /// `type: object` with `additionalProperties`, with `maxProperties`.
    pub fn map(values: Decl, properties_max: Option<i64>) -> Self {
        // A key takes at least four characters with quotes, colon and comma, as upstream counts two more.
        let elements = properties_max.map_or((REQUEST_BYTES_MAX - 2) / (values.0.bytes_min + 6), at_least_zero);
        Self::new(Kind::Map(values), elements, 2)
    }

    /// `type: object` with `properties`: name in JSON, declaration, and whether it is required without having a default (such
    /// properties are always there, which makes the smallest object larger).
    pub fn object<'n>(properties: impl IntoIterator<Item = (&'n str, Decl, bool)>) -> Self {
        let mut bytes_min = 2;
        let mut fields = BTreeMap::new();
        for (property, decl, always) in properties {
            if always && decl.exposed() {
                bytes_min += property.len() as u64 + decl.0.bytes_min + 4;
            }
            let name = escape(property).filter(|_| decl.exposed()).map(|name| name.into_owned().into_boxed_str());
            fields.insert(property.into(), Field { decl, name });
        }
        Self::new(Kind::Object(fields), 0, bytes_min)
    }

    /// The same, where `null` is a value.
    pub fn nullable(self, nullable: bool) -> Self {
        if nullable == self.0.nullable {
            return self;
        }
        let Inner { elements_max, bytes_min, .. } = *self.0;
        Self(Arc::new(Inner { kind: self.0.kind.shared(), nullable, elements_max, bytes_min }))
    }

    /// What kind of value it is.
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// Whether `null` is a value.
    pub fn is_nullable(&self) -> bool {
        self.0.nullable
    }

    /// Most elements, characters or bytes.
    pub fn elements_max(&self) -> u64 {
        self.0.elements_max
    }

    /// Least bytes that a value takes as JSON; cardinalities are estimated from it.
    pub fn bytes_min(&self) -> u64 {
        self.0.bytes_min
    }

    /// Whether expressions can see such values: what has no type cannot be named, neither alone nor in lists and maps.
    pub fn exposed(&self) -> bool {
        match &self.0.kind {
            Kind::Unknown => false,
            Kind::List(items, _) | Kind::Map(items) => items.exposed(),
            _ => true,
        }
    }

    /// The checker's type; objects in it are named after where they stand, beginning with `name`.
    pub fn to_type(&self, name: &str) -> Type {
        match &self.0.kind {
            Kind::Dyn | Kind::IntOrString | Kind::Unknown => Type::Dyn,
            Kind::Bool => Type::Bool,
            Kind::Int => Type::Int,
            Kind::Double => Type::Double,
            Kind::String => Type::String,
            Kind::Bytes => Type::Bytes,
            Kind::Duration => Type::Duration,
            Kind::Date | Kind::DateTime => Type::Timestamp,
            Kind::List(items, _) => Type::list(items.to_type(&format!("{name}.@idx"))),
            Kind::Map(values) => Type::map(Type::String, values.to_type(&format!("{name}.@elem"))),
            Kind::Object(_) => Type::Object(Object { name: name.into(), fields: Fields::Declared(self.clone()) }),
        }
    }

    /// The declaration of the field that expressions call so.
    pub fn field(&self, name: &str) -> Option<&Decl> {
        let Kind::Object(fields) = &self.0.kind else { return None };
        let property = crate::escape::unescape(name)?;
        let field = fields.get(&*property)?;
        (field.name.as_deref() == Some(name)).then_some(&field.decl)
    }

    /// The most elements that a value at a path can have: `items`, `values` and `keys` stand for the parts of lists and maps.
    pub fn elements_max_at<'p>(&self, path: impl IntoIterator<Item = &'p str>) -> Option<u64> {
        let mut current = self;
        let mut path = path.into_iter();
        while let Some(step) = path.next() {
            current = match (step, &current.0.kind) {
                ("@items" | "@values", Kind::List(items, _) | Kind::Map(items)) => items,
                // Keys are strings without a limit of their own: upstream's string type says zero.
                ("@keys", Kind::Map(_)) => return path.next().is_none().then_some(0),
                _ => current.field(step)?,
            };
        }
        Some(current.0.elements_max)
    }
}

impl Kind {
    /// A copy that shares what it holds.
    fn shared(&self) -> Self {
        match self {
            Self::Dyn => Self::Dyn,
            Self::IntOrString => Self::IntOrString,
            Self::Bool => Self::Bool,
            Self::Int => Self::Int,
            Self::Double => Self::Double,
            Self::String => Self::String,
            Self::Bytes => Self::Bytes,
            Self::Duration => Self::Duration,
            Self::Date => Self::Date,
            Self::DateTime => Self::DateTime,
            Self::List(items, kind) => Self::List(items.clone(), kind.clone()),
            Self::Map(values) => Self::Map(values.clone()),
            Self::Object(fields) => Self::Object(
                fields.iter().map(|(k, f)| (k.clone(), Field { decl: f.decl.clone(), name: f.name.clone() })).collect(),
            ),
            Self::Unknown => Self::Unknown,
        }
    }
}

fn at_least_zero(limit: i64) -> u64 {
    limit.max(0) as u64
}

/// `maxLength` counts characters, sizes count bytes, and a character has up to four.
fn quadrupled(limit: i64) -> u64 {
    at_least_zero(limit).wrapping_mul(4)
}
