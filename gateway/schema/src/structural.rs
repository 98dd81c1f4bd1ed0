//! What a custom resource's objects are made of: one version's `openAPIV3Schema`, parsed once when its definition changes
//! into a small tree without prose, and walked on each write to prune, default and validate. Follows
//! `k8s.io/apiextensions-apiserver/pkg/apiserver/schema`. Judges no definition (`catalog`'s hook does, with [`check`]).

pub mod check;
mod correlate;
mod default;
mod embedded;
pub mod field_path;
pub mod format;
mod list_type;
mod openapi;
mod parse;
mod pattern;
mod prune;
pub mod rules;
mod shown;
mod validate;
mod values;

use std::sync::{Arc, OnceLock};

use model::json::Value;

pub use default::Pruned;
pub use embedded::Coercion;
pub use parse::supported;
pub use pattern::fault as pattern_fault;
pub use validate::Part;
use values::Values;

use crate::apply::{AtomId, Atoms};
use crate::types::Types;

/// The JSON type that a schema names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `object`.
    Object,
    /// `array`.
    Array,
    /// `string`.
    String,
    /// `integer`.
    Integer,
    /// `number`.
    Number,
    /// `boolean`.
    Boolean,
}

impl Type {
    /// As a schema spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }
}

/// What an object may hold beside its named properties.
#[derive(Debug, Default)]
pub enum Additional {
    /// The schema does not say.
    #[default]
    Unsaid,
    /// Anything, or nothing.
    Any(bool),
    /// Values of one schema: a map.
    Of(Box<Structural>),
}

/// How lists and maps merge: `x-kubernetes-list-type`, `-list-map-keys`, `-map-type`.
#[derive(Debug, Default)]
pub struct Topology {
    /// `atomic`, `set` or `map`.
    pub list_type: Option<Box<str>>,
    /// Keys of a list of type `map`.
    pub list_map_keys: Box<[Box<str>]>,
    /// `atomic` or `granular`.
    pub map_type: Option<Box<str>>,
}

/// The schema of a value. Immutable once parsed; what a schema leaves out costs nothing.
#[derive(Debug, Default)]
pub struct Structural {
    /// `type`; absent where `x-kubernetes-int-or-string` or `-preserve-unknown-fields` stands in for it.
    pub kind: Option<Type>,
    /// `nullable`.
    pub nullable: bool,
    /// `x-kubernetes-preserve-unknown-fields`.
    pub preserve_unknown_fields: bool,
    /// `x-kubernetes-embedded-resource`.
    pub embedded_resource: bool,
    /// `x-kubernetes-int-or-string`.
    pub int_or_string: bool,
    /// `properties`, sorted by name.
    properties: Box<[(Arc<str>, Structural)]>,
    /// `items`.
    pub items: Option<Box<Structural>>,
    /// `additionalProperties`.
    pub additional: Additional,
    /// `default`, pruned.
    pub default: Option<Box<Value>>,
    topology: Option<Box<Topology>>,
    values: Option<Box<Values>>,
    rules: Option<Box<rules::Rules>>,
    /// Whether this schema or one below has rules.
    ruled: bool,
    /// What apply sees of it, once somebody writes such an object.
    atoms: OnceLock<Box<(Atoms, AtomId)>>,
}

impl Structural {
    /// The schema of one version: the value of `spec.versions[].schema.openAPIV3Schema`. Fails with upstream's words about
    /// what no structural schema may have.
    pub fn parse(schema: &Value) -> Result<Self, String> {
        parse::schema(schema)
    }

    /// What apply sees of an object with this schema; made when it is first asked for.
    pub fn atoms(&self, types: &Types) -> (&Atoms, AtomId) {
        let made = self.atoms.get_or_init(|| Box::new(Atoms::of_structural(types, self)));
        (&made.0, made.1)
    }

    /// A named property.
    pub fn property(&self, name: &str) -> Option<&Structural> {
        let at = self.properties.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        Some(&self.properties[at].1)
    }

    /// All named properties, sorted.
    pub fn properties(&self) -> impl ExactSizeIterator<Item = (&str, &Structural)> {
        self.properties.iter().map(|(name, schema)| (name.as_ref(), schema))
    }

    /// The schema of a field: its property, or that of the map's values.
    pub fn field(&self, name: &str) -> Option<&Structural> {
        self.property(name).or(match &self.additional {
            Additional::Of(schema) => Some(schema),
            Additional::Unsaid | Additional::Any(_) => None,
        })
    }

    /// `x-kubernetes-list-type`.
    pub fn list_type(&self) -> Option<&str> {
        self.topology.as_ref()?.list_type.as_deref()
    }

    /// `x-kubernetes-list-map-keys`.
    pub fn list_map_keys(&self) -> &[Box<str>] {
        self.topology.as_ref().map_or(&[], |topology| &topology.list_map_keys)
    }

    /// `x-kubernetes-map-type`.
    pub fn map_type(&self) -> Option<&str> {
        self.topology.as_ref()?.map_type.as_deref()
    }

    /// Drops what the schema does not know (root: `apiVersion`, `kind` and `metadata` stay); the paths of dropped fields
    /// are told, sorted.
    pub fn prune(&self, object: &mut Value, unknown: &mut Vec<String>) {
        prune::run(self, object, unknown);
    }

    /// Removes nulls that may not be and have no default, and fills in defaults.
    pub fn default(&self, object: &mut Value) {
        default::run(self, object);
    }

    /// Fills in defaults alone: a null that may not be stays, and is told of.
    pub fn default_keeping_nulls(&self, object: &mut Value) {
        default::fill(self, object);
    }

    /// `format`, as the schema spells it; empty where it does not count.
    fn format_as_written(&self) -> &str {
        self.values.as_ref().and_then(|values| values.format.as_ref()).map_or("", |format| &format.name)
    }
}
