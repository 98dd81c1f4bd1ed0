//! The types of the checker, printed as cel-go prints them.
//! Does not decide which type fits which (`check::assign`) and does not know how values look (`decl`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::decl::Decl;

/// What an expression evaluates to, as far as it is known before it runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// An expression that has been refused already.
    Error,
    /// Known when it runs.
    Dyn,
    /// The same, but no list or map that could be folded: `google.protobuf.Any`
    Any,
    /// `null`
    Null,
    /// `true`, `false`
    Bool,
    /// 64 bits with a sign
    Int,
    /// 64 bits without one
    Uint,
    /// 64 bits of floating point
    Double,
    /// Text
    String,
    /// Bytes
    Bytes,
    /// A moment
    Timestamp,
    /// A span of time
    Duration,
    /// A list with its elements' type
    List(Arc<Type>),
    /// A map with the types of keys and values
    Map(Arc<(Type, Type)>),
    /// A declared object with fields
    Object(Object),
    /// A type of a library: a name, and its parameters
    Opaque(Arc<str>, Arc<[Type]>),
    /// A variable of a function's signature
    Param(Arc<str>),
    /// A type as a value: `type(1)`, `int`
    Type(Option<Arc<Type>>),
}

/// A named object type. Two are the same when their names are.
#[derive(Clone, Debug)]
pub struct Object {
    pub(crate) name: Arc<str>,
    pub(crate) fields: Fields,
}

/// Which fields an object has.
#[derive(Clone, Debug)]
pub(crate) enum Fields {
    /// None that an expression could reach: a type of a library.
    Hidden,
    /// Those of a declaration.
    Declared(Decl),
    /// These.
    Typed(Arc<BTreeMap<Box<str>, Type>>),
    /// Any name, holding anything.
    Free,
}

/// Why an object has no such field.
pub(crate) enum NoField {
    /// It has others.
    Undefined,
    /// Its fields are not reachable.
    Hidden,
}

impl Object {
    /// The name, such as `kubernetes.URL`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of a field.
    pub(crate) fn field(&self, name: &str) -> Result<Type, NoField> {
        match &self.fields {
            Fields::Hidden => Err(NoField::Hidden),
            Fields::Free => Ok(Type::Dyn),
            Fields::Typed(fields) => fields.get(name).cloned().ok_or(NoField::Undefined),
            Fields::Declared(decl) => {
                let found = decl.field(name).ok_or(NoField::Undefined)?;
                Ok(found.to_type(&format!("{}.{name}", self.name)))
            }
        }
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Object {}

impl std::hash::Hash for Object {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

const OPTIONAL: &str = "optional_type";

impl Type {
    /// A list of this.
    pub fn list(items: Type) -> Self {
        Self::List(Arc::new(items))
    }

    /// A map from one to the other.
    pub fn map(keys: Type, values: Type) -> Self {
        Self::Map(Arc::new((keys, values)))
    }

    /// An optional value of this.
    pub fn optional(inner: Type) -> Self {
        Self::Opaque(OPTIONAL.into(), [inner].into())
    }

    /// An object type of a library, whose fields are not reachable.
    pub fn object(name: &str) -> Self {
        Self::Object(Object { name: name.into(), fields: Fields::Hidden })
    }

    /// An object type with these fields.
    pub fn record<N: Into<Box<str>>>(name: &str, fields: impl IntoIterator<Item = (N, Type)>) -> Self {
        let fields = fields.into_iter().map(|(field, of)| (field.into(), of)).collect();
        Self::Object(Object { name: name.into(), fields: Fields::Typed(Arc::new(fields)) })
    }

    /// A library's type without parameters.
    pub fn opaque(name: &str) -> Self {
        Self::Opaque(name.into(), [].into())
    }

    pub(crate) fn param(name: &str) -> Self {
        Self::Param(name.into())
    }

    /// The object type of that name which this is, or which its fields hold where they have types of their own.
    pub(crate) fn object_named(&self, name: &str) -> Option<Object> {
        match self {
            Self::Object(object) if object.name() == name => Some(object.clone()),
            Self::Object(Object { fields: Fields::Typed(fields), .. }) => fields.values().find_map(|of| of.object_named(name)),
            Self::List(items) => items.object_named(name),
            Self::Map(map) => map.1.object_named(name),
            _ => None,
        }
    }

    /// The name as Go's `String` prints it, which upstream shows where an expression yields the wrong type.
    pub(crate) fn go_name(&self) -> String {
        match self {
            Self::Null => "null_type".to_owned(),
            Self::Any => "google.protobuf.Any".to_owned(),
            Self::Timestamp => "google.protobuf.Timestamp".to_owned(),
            Self::Duration => "google.protobuf.Duration".to_owned(),
            Self::List(items) => format!("list({})", items.go_name()),
            Self::Map(map) => format!("map({}, {})", map.0.go_name(), map.1.go_name()),
            other => other.to_string(),
        }
    }

    /// What an optional holds.
    pub(crate) fn as_optional(&self) -> Option<&Type> {
        match self {
            Self::Opaque(name, params) if &**name == OPTIONAL => params.first(),
            _ => None,
        }
    }

    pub(crate) fn is_dyn_or_error(&self) -> bool {
        matches!(self, Self::Dyn | Self::Any | Self::Error)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error => f.write_str("!error!"),
            Self::Dyn => f.write_str("dyn"),
            Self::Any => f.write_str("any"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Uint => f.write_str("uint"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Duration => f.write_str("duration"),
            Self::List(items) => write!(f, "list({items})"),
            Self::Map(map) => write!(f, "map({}, {})", map.0, map.1),
            Self::Object(object) => f.write_str(&object.name),
            Self::Param(name) => f.write_str(name),
            Self::Type(None) => f.write_str("type"),
            Self::Type(Some(inner)) => write!(f, "type({inner})"),
            Self::Opaque(name, params) if params.is_empty() => f.write_str(name),
            Self::Opaque(name, params) => {
                write!(f, "{name}(")?;
                for (i, param) in params.iter().enumerate() {
                    write!(f, "{}{param}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
        }
    }
}
