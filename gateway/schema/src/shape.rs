//! What objects are made of: a struct type of the tables, or the structural schema of a custom resource. What works on both
//! is here, so that nobody who handles objects asks which it is. Knows no kind by name; defaults of struct types are
//! `catalog`'s.

use std::sync::Arc;

use model::json::Value;

use crate::apply::{AtomId, Atoms};
use crate::normal::{self, Encode};
use crate::structural::{Coercion, Structural};
use crate::types::{TypeId, Types};

/// The struct of every object's `metadata`.
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// What an object is made of. Cheap to clone.
#[derive(Clone)]
pub enum Shape {
    /// A struct type of the tables.
    Struct(TypeId),
    /// The schema of one version of a custom resource; `metadata` is a struct all the same.
    Structural(Arc<Structural>),
}

/// What becomes of members of `metadata` that are of a wrong type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They are refused: the object comes from a client.
    Refused,
    /// They are left out: the object was stored when nobody looked.
    Dropped,
}

impl Shape {
    /// The struct type, for what only struct types have: protobuf and strategic merge patches.
    pub fn struct_type(&self) -> Option<TypeId> {
        match self {
            Self::Struct(ty) => Some(*ty),
            Self::Structural(_) => None,
        }
    }

    /// The structural schema.
    pub fn structural(&self) -> Option<&Arc<Structural>> {
        match self {
            Self::Struct(_) => None,
            Self::Structural(schema) => Some(schema),
        }
    }

    /// What apply sees of it, and whether its objects are held in Go structs.
    pub fn atoms<'a>(&'a self, types: &'a Types) -> (&'a Atoms, AtomId, bool) {
        match self {
            Self::Struct(ty) => {
                let (atoms, root) = types.atoms(*ty);
                (atoms, root, true)
            }
            Self::Structural(schema) => {
                let (atoms, root) = schema.atoms(types);
                (atoms, root, false)
            }
        }
    }

    /// Brings a parsed body into normal form. Unknown fields are dropped and told as `unknown field "spec.foo"`. Fails with
    /// Go's words for a wrong type.
    pub fn decode(&self, types: &Types, value: &mut Value, unknown: &mut Vec<String>) -> Result<(), String> {
        match self {
            Self::Struct(ty) => normal::decode(types, *ty, value, unknown),
            Self::Structural(schema) => coerce(types, schema, value, Malformed::Refused, unknown),
        }
    }

    /// The same for what came as text, which faults name numbers from.
    pub fn decode_spelt(
        &self,
        types: &Types,
        value: &mut Value,
        unknown: &mut Vec<String>,
        spelling: normal::Spelling<'_>,
    ) -> Result<(), String> {
        match self {
            Self::Struct(ty) => normal::decode_spelt(types, *ty, value, (unknown, spelling)),
            Self::Structural(_) => self.decode(types, value, unknown),
        }
    }

    /// Makes of an object what its storage encoding keeps of it.
    pub fn settle(&self, types: &Types, object: &mut Value) {
        if let Self::Struct(ty) = self {
            normal::settle(types, *ty, object);
        }
    }

    /// Appends an object as Go writes it. With `splice_revision` gives the offset in `out` of the revision's digits.
    pub fn encode(&self, types: &Types, value: &Value, how: Encode<'_>, out: &mut Vec<u8>) -> Option<usize> {
        match self {
            Self::Struct(ty) => normal::encode(types, *ty, value, how, out),
            Self::Structural(_) => normal::encode_sorted(value, how, out),
        }
    }
}

/// What decoding does to a custom resource: `metadata` as the struct it is everywhere, the rest pruned to its schema.
/// Follows `unstructuredSchemaCoercer` of `apiextensions-apiserver/pkg/apiserver/customresource_handler.go`.
pub fn coerce(
    types: &Types,
    schema: &Structural,
    object: &mut Value,
    malformed: Malformed,
    unknown: &mut Vec<String>,
) -> Result<(), String> {
    let metadata = take_metadata(types, object, malformed, unknown)?;
    let mut pruned = Vec::new();
    schema.prune(object, &mut pruned);
    if let Some(object_meta) = types.by_name(OBJECT_META) {
        let embedded = Coercion { types, object_meta, malformed };
        embedded.run(schema, object, &mut pruned).map_err(|error| error.to_string())?;
    }
    unknown.extend(pruned.into_iter().map(|path| format!("unknown field \"{path}\"")));
    if let (Some(metadata), Some(map)) = (metadata, object.as_object_mut()) {
        map.insert("metadata", metadata);
    }
    Ok(())
}

/// `metadata` out of an object, in the form in which Go keeps it in a map: without what its struct leaves out.
fn take_metadata(
    types: &Types,
    object: &mut Value,
    malformed: Malformed,
    unknown: &mut Vec<String>,
) -> Result<Option<Value>, String> {
    let Some(mut metadata) = object.as_object_mut().and_then(|map| map.shift_remove("metadata")) else { return Ok(None) };
    let Some(ty) = types.by_name(OBJECT_META) else { return Err(format!("the type tables lack {OBJECT_META}")) };
    let mut strangers = Vec::new();
    let whole = metadata.clone();
    if let Err(why) = normal::decode(types, ty, &mut metadata, &mut strangers) {
        if malformed == Malformed::Refused {
            return Err(why);
        }
        metadata = well_formed(types, ty, whole);
    }
    unknown.extend(strangers.iter().map(|told| told.replacen("unknown field \"", "unknown field \"metadata.", 1)));
    Ok(Some(as_map(types, ty, &metadata)))
}

/// The members that are of the right type, each judged alone.
fn well_formed(types: &Types, ty: TypeId, metadata: Value) -> Value {
    let Value::Object(members) = metadata else { return Value::Object(model::json::Map::new()) };
    let alone = members.into_iter().filter_map(|(name, value)| {
        let mut one = Value::Object([(name.clone(), value)].into_iter().collect());
        normal::decode(types, ty, &mut one, &mut Vec::new()).ok()?;
        Some((name.clone(), one.as_object_mut()?.shift_remove(&name)?))
    });
    Value::Object(alone.collect())
}

/// A struct's value as the map that Go makes of it.
fn as_map(types: &Types, ty: TypeId, value: &Value) -> Value {
    let mut out = Vec::with_capacity(256);
    normal::encode(types, ty, value, Encode::default(), &mut out);
    // What encoding wrote is JSON.
    serde_json::from_slice(&out).unwrap_or_default()
}
