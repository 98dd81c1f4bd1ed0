//! The kind and type of a request's body: what it must be, and how it gets into normal form.

use std::sync::Arc;

use catalog::{Catalog, facts};
use codec::json::Spellings;
use model::field::quote;
use model::gvk::split_api_version;
use model::{GroupVersionKind, Status, Value};
use schema::Shape;
use schema::normal::{Encode, Spelling};
use schema::patch::StrategicPatch;
use schema::types::Types;

use super::Row;

/// A kind in a version, with its struct type. Cheap to clone.
#[derive(Clone)]
pub struct Form {
    catalog: Arc<Catalog>,
    /// What a body must be.
    pub kind: GroupVersionKind,
    shape: Shape,
    default: Option<fn(&mut Value)>,
}

impl Form {
    pub(super) fn new(catalog: Arc<Catalog>, kind: GroupVersionKind, shape: Shape, default: Option<fn(&mut Value)>) -> Self {
        Self { catalog, kind, shape, default }
    }

    /// The kind.
    pub fn kind(&self) -> &GroupVersionKind {
        &self.kind
    }

    /// Struct types of all kinds.
    pub fn types(&self) -> &Types {
        &self.catalog.types
    }

    /// What bodies are made of.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// What bodies of a resource in another version are made of.
    pub(super) fn shape_in(&self, group: &str, version: &str, plural: &str, subresource: &str) -> Option<&Shape> {
        let resource = self.catalog.resource(group, version, plural)?;
        if subresource.is_empty() { Some(&resource.shape) } else { resource.subresource(subresource).map(|sub| &sub.shape) }
    }

    /// The row of a resource in another version.
    pub(super) fn row_in(&self, group: &str, version: &str, plural: &str, subresource: &str) -> Option<Row> {
        Row::new(&self.catalog, self.catalog.resource(group, version, plural)?, subresource)
    }

    /// Whether any such kind exists, served or not.
    pub fn knows(&self, kind: &GroupVersionKind) -> bool {
        let version = kind.api_version();
        *kind == self.kind
            || self.is_free()
            || self.types().of_kind(&version, &kind.kind).is_some()
            || facts::is_unserved(&version, &kind.kind)
    }

    /// Whether a body may be of this version of the kind.
    pub fn takes_version(&self, said: &GroupVersionKind) -> bool {
        (&said.group, &said.version) == (&self.kind.group, &self.kind.version)
            || said.group == self.kind.group && facts::takes_version(&self.kind.group, &self.kind.kind, &said.version)
    }

    /// What strict decoding holds against a custom resource in a version that is not served: every field, as nothing
    /// describes one.
    pub fn unknown_in_other_version(&self, said: &GroupVersionKind, value: &Value) -> Vec<String> {
        let same = said.group == self.kind.group && said.kind == self.kind.kind;
        if !self.is_free() || !same || said.version == self.kind.version {
            return Vec::new();
        }
        let described = |key: &&model::json::Key| !matches!(key.as_str(), "apiVersion" | "kind" | "metadata");
        let fields = value.as_object().into_iter().flatten().map(|(key, _)| key).filter(described);
        fields.map(|key| format!("unknown field {}", quote(key))).collect()
    }

    /// Whether a body may say that it is of any kind, which validation then judges.
    pub fn is_free(&self) -> bool {
        self.shape.structural().is_some()
    }

    /// Brings a parsed body into normal form. Fails with Go's words for a wrong type.
    pub fn decode(&self, value: &mut Value, unknown: &mut Vec<String>) -> Result<(), String> {
        schema::apply::keep_reset(value);
        self.shape.decode(self.types(), value, unknown)
    }

    /// The same for what came as JSON: faults name numbers as it spells them.
    pub fn decode_json(&self, body: &[u8], value: &mut Value, unknown: &mut Vec<String>) -> Result<(), String> {
        let spelt = Spellings::of(body);
        let spelling = |path: &str| spelt.at(path);
        self.decode_spelt(value, unknown, &spelling)
    }

    /// The same for what a text led to that `spelling` knows.
    pub fn decode_spelt(&self, value: &mut Value, unknown: &mut Vec<String>, spelling: Spelling<'_>) -> Result<(), String> {
        schema::apply::keep_reset(value);
        self.shape.decode_spelt(self.types(), value, unknown, spelling)
    }

    /// What a JSON body holds of which fields come again: of objects that Go keeps in structs each adds to what came before.
    /// Fails with Go's words.
    pub fn join(&self, body: &[u8], last: Value) -> Result<Value, String> {
        let Some(ty) = self.shape.struct_type() else { return Ok(last) };
        let join = |steps: &[String], earlier, later| schema::normal::join(self.types(), ty, steps, earlier, later);
        codec::json::parse_joining(body, &join).map_err(|error| error.to_string())
    }

    /// Reads a protobuf message into normal form. Fails with the words of upstream's readers.
    pub fn decode_message(&self, raw: &[u8]) -> Result<Value, String> {
        match &self.shape {
            Shape::Struct(ty) => schema::proto::decode(self.types(), *ty, raw),
            Shape::Structural(_) => Err("object *unstructured.Unstructured does not implement the protobuf marshalling interface and cannot be encoded to a protobuf message".to_owned()),
        }
    }

    /// An object as a protobuf message; nothing of one that has no such form.
    pub fn encode_message(&self, value: &Value) -> Vec<u8> {
        self.shape.struct_type().map(|ty| schema::proto::message(self.types(), ty, value)).unwrap_or_default()
    }

    /// Says what the object is and fills in defaults.
    pub fn complete(&self, value: &mut Value) {
        self.complete_by(value, |value| self.fill_in(&self.shape, value));
    }

    /// The same for what an apply patch was merged into. No text is read there, so that nulls which a schema does not allow are not
    /// taken for absent.
    pub fn complete_merged(&self, value: &mut Value) {
        self.complete_by(value, |value| match &self.shape {
            Shape::Structural(schema) => schema.default_keeping_nulls(value),
            shape => self.fill_in(shape, value),
        });
    }

    fn complete_by(&self, value: &mut Value, fill_in: impl FnOnce(&mut Value)) {
        if !self.is_free() || value.get("kind").is_none() {
            say_kind(value, &self.kind);
        }
        fill_in(value);
        if let Some(default) = self.default {
            default(value);
        }
    }

    /// Fills in unconditional defaults.
    pub(super) fn fill_in(&self, shape: &Shape, value: &mut Value) {
        self.catalog.fill_in(shape, value);
    }

    /// Normal form and defaults for an object from inside, or one that a plugin changed. Fails when it is of a wrong type.
    pub fn normalize(&self, value: &mut Value) -> Result<(), Status> {
        self.decode(value, &mut Vec::new()).map_err(Status::internal)?;
        self.complete(value);
        Ok(())
    }

    /// Whether [`Form::normalize`] would change nothing.
    pub(crate) fn is_normal(&self, value: &Value) -> bool {
        let mut again = value.clone();
        let decoded = self.decode(&mut again, &mut Vec::new());
        self.complete_merged(&mut again);
        decoded.is_ok() && again == *value
    }

    /// Applies a strategic merge patch.
    pub fn apply_strategic(&self, patch: &StrategicPatch, value: &mut Value) -> Result<(), Status> {
        match &self.shape {
            Shape::Struct(ty) => patch.apply(self.types(), *ty, value),
            // Such patches are refused by their media type, before they are read.
            Shape::Structural(_) => Err(Status::unsupported_media_type(&[])),
        }
    }

    /// Makes what a strategic merge patch or an apply made fit the type. Fails with the words of upstream's converter.
    pub fn restore(&self, value: &mut Value, unknown: &mut Vec<String>) -> Result<(), String> {
        self.shape.struct_type().map_or(Ok(()), |ty| schema::normal::restore(self.types(), ty, value, unknown))
    }

    /// A valid object as it would be sent, for messages that show it: every field in its place.
    pub fn in_order(&self, value: &Value) -> Value {
        let api_version = self.kind.api_version();
        let how = Encode { type_meta: Some((&api_version, &self.kind.kind)), ..Encode::default() };
        let mut bytes = Vec::new();
        self.shape.encode(self.types(), value, how, &mut bytes);
        serde_json::from_slice(&bytes).unwrap_or_else(|_| value.clone())
    }

    /// The object on one line, for messages about a patch.
    pub fn show(&self, value: &Value) -> String {
        let mut out = Vec::new();
        codec::go_json::write_sorted(value, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// A patched object of a built-in kind that says of which version it is and not of which kind is of the one that was patched.
    pub fn imply_kind(&self, value: &mut Value) {
        let empty = |field: &str| value.get(field).is_none_or(|said| said.is_null() || said.as_str() == Some(""));
        if !self.is_free() && empty("kind") && !empty("apiVersion") {
            value["kind"] = self.kind.kind.as_ref().into();
        }
    }

    /// A patched object of a built-in kind that lost its `apiVersion` is read as of upstream's internal version, whose members
    /// no JSON spells: what is unknown of it, and nothing else is left. `None` for all others, and where `name` is a member,
    /// which the internal version has.
    pub fn versionless(&self, value: &Value) -> Option<Vec<String>> {
        let text = |field: &str| match value.get(field) {
            None | Some(Value::Null) => Some(""),
            Some(said) => said.as_str(),
        };
        let kind = text("kind")?;
        // A slash alone is no version.
        if self.is_free() || !matches!(text("apiVersion"), Some("" | "/")) || !(kind.is_empty() || kind == &*self.kind.kind) {
            return None;
        }
        let members = value.as_object()?;
        if members.contains_key("name") {
            return None;
        }
        let mut unknown: Vec<&str> = members.keys().map(|key| key.as_str()).collect();
        unknown.retain(|key| !matches!(*key, "apiVersion" | "kind"));
        unknown.sort_unstable();
        Some(unknown.into_iter().map(|member| format!("unknown field {}", quote(member))).collect())
    }

    /// A patched object must still say that it is of this kind. Fails with upstream's words.
    pub fn check_kind(&self, value: &Value) -> Result<(), String> {
        if !self.is_free() {
            let (api_version, _) = codec::json::interpret(value)?;
            if api_version.matches('/').count() > 1 {
                return Err(format!("unexpected GroupVersion string: {api_version}"));
            }
        }
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or("");
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        if kind.is_empty() {
            return Err(format!("Object 'Kind' is missing in '{}'", self.show(value)));
        }
        if api_version.is_empty() && !self.is_free() && kind != &*self.kind.kind {
            let (kind, group) = (quote(kind), quote(&self.kind.group));
            return Err(format!("no kind {kind} is registered for the internal version of group {group} in scheme {SCHEME}"));
        }
        if api_version.is_empty() {
            return Err(format!("Object 'apiVersion' is missing in '{}'", self.show(value)));
        }
        let said = GroupVersionKind::from_api_version(api_version, kind);
        if said == self.kind || self.is_free() {
            return Ok(());
        }
        if let Some(ty) = self.types().of_kind(api_version, kind) {
            // It is read as what it says it is before that is held against it.
            schema::normal::decode(self.types(), ty, &mut value.clone(), &mut Vec::new())?;
        }
        Err(self.foreign(&said))
    }

    /// Why an object of another kind cannot be taken for one of this.
    pub fn foreign(&self, said: &GroupVersionKind) -> String {
        if self.knows(said) {
            let group = if self.kind.group.is_empty() { "core" } else { self.kind.group.split('.').next().unwrap_or("") };
            let (said, kind) = (format!("{}.{}", said.version, said.kind), &self.kind.kind);
            return format!("converting ({said}) to ({group}.{kind}): unknown conversion");
        }
        let (kind, version) = (quote(&said.kind), quote(&said.api_version()));
        format!("no kind {kind} is registered for version {version} in scheme {SCHEME}")
    }
}

/// How upstream's messages name the table of built-in kinds.
const SCHEME: &str = "\"pkg/api/legacyscheme/scheme.go:30\"";

/// Sets `apiVersion` and `kind`.
pub(crate) fn say_kind(value: &mut Value, kind: &GroupVersionKind) {
    if let Some(map) = value.as_object_mut() {
        map.insert("apiVersion", kind.api_version().into());
        map.insert("kind", kind.kind.as_ref().into());
    }
}

pub(super) fn says_kind(value: &Value, kind: &GroupVersionKind) -> bool {
    let said = |field| value.get(field).and_then(Value::as_str);
    let version = said("apiVersion").map(split_api_version);
    said("kind") == Some(&*kind.kind) && version == Some((&*kind.group, &*kind.version))
}
