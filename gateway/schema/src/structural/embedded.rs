//! Objects within objects (`x-kubernetes-embedded-resource`): their metadata is brought into form as that of the root is,
//! and judged by the same rules. Follows `apiserver/schema/objectmeta`. Leaves the root's own to the write path.

use model::field::{Error, Errors, Fault, Path, Spelling};
use model::json::{Map, Value};
use model::name::{is_dns1035_label, name_is_path_segment};

use super::shown::shown;
use super::{Additional, Structural};
use crate::normal;
use crate::object_meta::{self, Scope};
use crate::shape::Malformed;
use crate::types::{TypeId, Types};

/// How the metadata of embedded objects is read.
pub struct Coercion<'a> {
    /// The type tables.
    pub types: &'a Types,
    /// `ObjectMeta` in them.
    pub object_meta: TypeId,
    /// What becomes of what is malformed.
    pub malformed: Malformed,
}

impl Coercion<'_> {
    /// Brings `apiVersion`, `kind` and `metadata` of all embedded objects into form; unknown fields are told as paths.
    ///
    /// # Errors
    /// The first that is of a wrong type.
    pub fn run(&self, schema: &Structural, object: &mut Value, unknown: &mut Vec<String>) -> Result<(), Box<Error>> {
        let first = unknown.len();
        self.walk(schema, object, &Path::default(), unknown)?;
        unknown[first..].sort_unstable();
        Ok(())
    }

    fn walk(&self, schema: &Structural, value: &mut Value, path: &Path<'_>, unknown: &mut Vec<String>) -> Result<(), Box<Error>> {
        match value {
            Value::Object(fields) => {
                if schema.embedded_resource {
                    self.embedded(fields, path, unknown)?;
                }
                for (name, value) in fields.iter_mut() {
                    match (schema.property(name), &schema.additional) {
                        (Some(property), _) => self.walk(property, value, &path.child(name), unknown)?,
                        (None, Additional::Of(values)) => self.walk(values, value, &path.key(name), unknown)?,
                        (None, _) => {}
                    }
                }
            }
            Value::Array(items) => {
                let Some(schema) = schema.items.as_deref() else { return Ok(()) };
                for (i, item) in items.iter_mut().enumerate() {
                    self.walk(schema, item, &path.index(i), unknown)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn embedded(&self, fields: &mut Map, path: &Path<'_>, unknown: &mut Vec<String>) -> Result<(), Box<Error>> {
        for name in ["apiVersion", "kind"] {
            match fields.get(name) {
                None | Some(Value::String(_)) => {}
                Some(_) if self.malformed == Malformed::Dropped => drop(fields.shift_remove(name)),
                Some(value) => return Err(invalid(&path.child(name), value, "must be a string".to_owned())),
            }
        }
        let Some(metadata) = fields.get_mut("metadata") else { return Ok(()) };
        let mut read = metadata.clone();
        let mut told = Vec::new();
        match normal::decode(self.types, self.object_meta, &mut read, &mut told) {
            Ok(()) => *metadata = read,
            Err(words) if self.malformed == Malformed::Refused => return Err(invalid(&path.child("metadata"), metadata, words)),
            Err(_) => self.salvage(metadata, &mut told),
        }
        let names = told.iter().filter_map(|message| Some(message.split_once('"')?.1.trim_end_matches('"')));
        unknown.extend(names.map(|name| format!("{}.{name}", path.child("metadata"))));
        Ok(())
    }

    /// Keeps the fields that can be read on their own.
    fn salvage(&self, metadata: &mut Value, told: &mut Vec<String>) {
        let Some(fields) = metadata.as_object_mut() else { return };
        let mut kept = Map::new();
        for (name, value) in std::mem::take(fields) {
            let mut alone = Value::Object([(name, value)].into_iter().collect());
            let mut unknown = Vec::new();
            if normal::decode(self.types, self.object_meta, &mut alone, &mut unknown).is_ok()
                && let Value::Object(alone) = alone
            {
                kept.extend(alone);
                told.extend(unknown);
            }
        }
        *fields = kept;
    }
}

fn invalid(path: &Path<'_>, value: &Value, detail: String) -> Box<Error> {
    Box::new(Error { fault: Fault::Invalid, field: path.to_string(), value: Some(shown(value)), detail, spelling: Spelling::Go })
}

/// Judges all embedded objects below a value, itself too when it is one or `Root::Resource` says so.
pub(super) fn validate(schema: &Structural, value: &Value, root: Root, path: &Path<'_>, errors: &mut Errors) {
    match value {
        Value::Object(fields) => {
            if schema.embedded_resource || root == Root::Resource {
                judge(value, fields, path, errors);
            }
            for (name, value) in fields {
                match (schema.property(name), &schema.additional) {
                    (Some(property), _) => validate(property, value, Root::Value, &path.child(name), errors),
                    (None, Additional::Of(values)) => validate(values, value, Root::Value, &path.key(name), errors),
                    (None, _) => {}
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.items.as_deref() else { return };
            for (i, item) in items.iter().enumerate() {
                validate(schema, item, Root::Value, &path.index(i), errors);
            }
        }
        _ => {}
    }
}

/// Whether a walk begins at an object of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// It is judged as an embedded one would be.
    Resource,
    /// It is judged only where its schema says so.
    Value,
}

fn judge(object: &Value, fields: &Map, path: &Path<'_>, errors: &mut Errors) {
    for name in ["apiVersion", "kind"] {
        if !fields.contains_key(name) {
            errors.required(&path.child(name), "");
        }
    }
    if let Some(version) = fields.get("apiVersion") {
        judge_text(version, &path.child("apiVersion"), errors, |text| {
            let parts = text.matches('/').count();
            (parts > 1).then(|| format!("unexpected GroupVersion string: {text}"))
        });
    }
    if let Some(kind) = fields.get("kind") {
        judge_text(kind, &path.child("kind"), errors, |text| {
            let wrong = is_dns1035_label(&text.to_lowercase());
            (!wrong.is_empty()).then(|| format!("may have mixed case, but should otherwise match: {}", wrong.join(",")))
        });
    }
    if fields.get("metadata").is_some_and(Value::is_object) {
        judge_metadata(object, path, errors);
    }
}

fn judge_text(value: &Value, path: &Path<'_>, errors: &mut Errors, wrong: impl Fn(&str) -> Option<String>) {
    match value.as_str() {
        None => errors.invalid(path, shown(value), "must be a string"),
        Some("") => errors.invalid(path, "", "must not be empty"),
        Some(text) => {
            if let Some(detail) = wrong(text) {
                errors.invalid(path, text, detail);
            }
        }
    }
}

/// As a new object's would be, but that it needs no name.
fn judge_metadata(object: &Value, path: &Path<'_>, errors: &mut Errors) {
    let scope = if model::meta::namespace(object).is_empty() { Scope::Cluster } else { Scope::Namespaced };
    let mut found = Errors::new();
    object_meta::validate(object, scope, &name_is_path_segment, &mut found);
    let nameless = |error: &Error| error.fault == Fault::Required && error.field == "metadata.name";
    for mut error in found.0.into_iter().filter(|error| !nameless(error)) {
        error.field = path.child(&error.field).to_string();
        errors.0.push(error);
    }
}
