//! How the objects of custom resources get from their stored bytes to the version of a request, and back. A version is read
//! as its schema says now, whatever it was when the object was stored.
//! Follows the codecs of `apiextensions-apiserver/pkg/apiserver/customresource_handler.go`. Built-in kinds are `row`'s own.

use std::collections::HashMap;

use bytes::Bytes;
use catalog::custom::{Conversion, Custom, rules};
use codec::shape;
use model::field::Errors;
use model::gvk::split_api_version;
use model::{Status, Value, meta};
use schema::Shape;
use schema::normal::Encode;
use schema::shape::{self as made_of, Malformed};
use schema::structural::Part;
use store::Entry;

use super::{Discipline, Row, form, unreadable};
use crate::conversion;
use crate::gate::Gate;

/// The struct of every object's `metadata`.
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

impl Row {
    /// What only a custom resource has.
    pub fn custom(&self) -> Option<&Custom> {
        self.resource.custom.as_ref()
    }

    /// Whether the bytes of an entry are an object of the request's version as its schema is now.
    pub(super) fn is_current(&self, custom: &Custom, entry: &Entry) -> bool {
        self.converted || custom.definition.storage == self.resource.gvk && entry.revision > custom.definition.since
    }

    /// Whether somebody outside may have to convert objects before they are shown.
    pub fn asks_converter(&self) -> bool {
        let asks = |custom: &Custom| matches!(custom.definition.conversion, Conversion::Webhook(_));
        !self.converted && (self.is_computed() || self.custom().is_some_and(asks))
    }

    /// The row for objects that were converted already.
    pub fn of_converted(&self) -> Self {
        Self { converted: true, ..self.clone() }
    }

    /// The object of an entry in the request's version, where no converter must be asked.
    pub(super) fn revived(&self, custom: &Custom, entry: &Entry) -> Result<Value, Status> {
        let mut value = self.as_it_lies(entry)?;
        if self.is_current(custom, entry) {
            return Ok(value);
        }
        self.read_stored(custom, &mut value);
        if !self.is_of_this_version(&value) && self.asks_converter() {
            return Err(Status::internal(format_args!("the object at {} is not converted", entry.key.rest())));
        }
        form::say_kind(&mut value, &self.resource.gvk);
        self.coerce_to(custom, &self.resource.gvk.version, &mut value);
        Ok(value)
    }

    /// The object of an entry in whatever version it was stored.
    pub(crate) fn as_it_lies(&self, entry: &Entry) -> Result<Value, Status> {
        serde_json::from_slice(&entry.body).map_err(|error| unreadable(entry, &error))
    }

    /// What a stored object is by the schema of its own version.
    pub(crate) fn read_stored(&self, custom: &Custom, value: &mut Value) {
        let version = version_of(value).to_owned();
        self.coerce_to(custom, &version, value);
        if meta::generation(value) == 0 {
            meta::set(value, "generation", 1);
        }
        if let Some(schema) = custom.definition.schema(&version) {
            schema.default(value);
        }
    }

    /// Gives a new object the status that its schema defaults. A create takes away what was sent, default and all; upstream
    /// defaults again whatever it reads, so that nobody but validation ever sees the object without.
    pub(crate) fn default_status(&self, value: &mut Value) {
        let schema = || self.custom()?.definition.schema(&self.resource.gvk.version);
        if let Some(schema) = schema()
            && value.get("status").is_none()
            && schema.property("status").is_some_and(|status| status.default.is_some())
        {
            schema.default(value);
        }
    }

    /// Whether an object says that it is of the request's version.
    pub(crate) fn is_of_this_version(&self, value: &Value) -> bool {
        version_of(value) == &*self.resource.gvk.version
    }

    /// Prunes to the schema of a version, in which malformed metadata has no place.
    pub(crate) fn coerce_to(&self, custom: &Custom, version: &str, value: &mut Value) {
        if let Some(schema) = custom.definition.schema(version) {
            // What is malformed is dropped, so that nothing is left to fail.
            let _ = made_of::coerce(self.form.types(), schema, value, Malformed::Dropped, &mut Vec::new());
        }
    }

    /// An object of the request's version in the version in which it is stored.
    pub(super) async fn to_stored_version(&self, gate: &Gate, custom: &Custom, object: &Value) -> Result<Value, Status> {
        let (stored, definition) = (&custom.definition.storage, &custom.definition);
        if *stored == self.resource.gvk {
            return Ok(object.clone());
        }
        let mut value = match &definition.conversion {
            Conversion::None => object.clone(),
            Conversion::Webhook(_) => conversion::one(gate, &self.resource, definition, object, &stored.api_version()).await?,
        };
        form::say_kind(&mut value, stored);
        self.coerce_to(custom, &stored.version, &mut value);
        Ok(value)
    }

    /// The bytes of an entry's object as partial metadata is made of: its `metadata` in struct order.
    pub(super) fn metadata_body(&self, body: &[u8]) -> Bytes {
        let mut out = b"{\"metadata\":".to_vec();
        let metadata = shape::metadata_of(body).and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok()).unwrap_or_default();
        match self.form.types().by_name(OBJECT_META) {
            Some(ty) => drop(Shape::Struct(ty).encode(self.form.types(), &metadata, Encode::default(), &mut out)),
            None => out.extend_from_slice(b"{}"),
        }
        out.push(b'}');
        out.into()
    }

    /// Judges an object by the rules of every custom resource and by its schema. Gives what is only warned of.
    pub fn validate_custom(&self, new: &Value, old: Option<&Value>, errors: &mut Errors) -> Vec<String> {
        let Some(custom) = self.custom() else { return Vec::new() };
        let part = if self.discipline() == Discipline::Status { Part::Status } else { Part::Whole };
        rules::validate(custom, &self.resource.gvk, part, (new, old), errors)
    }

    /// Nothing new is made of a custom resource that is going.
    pub fn refuse_create(&self, name: &str) -> Result<(), Status> {
        match self.custom() {
            Some(custom) if custom.definition.terminating => {
                let why = "create not allowed while custom resource definition is terminating";
                Err(Status::forbidden(&self.group_resource(), name, why))
            }
            _ => Ok(()),
        }
    }

    /// The selectable fields of an object whose header may not know them; nothing where it does.
    pub(crate) fn fields_of(&self, entry: &Entry) -> Option<HashMap<String, String>> {
        let custom = self.custom().filter(|custom| !self.is_current(custom, entry))?;
        let value = self.parse(entry).ok()?;
        Some(custom.fields(&value).map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Resolves when the definition changes or goes; never for what is built in.
    pub async fn ended(&self) {
        match self.custom() {
            Some(custom) => drop(custom.definition.ends.clone().await),
            None => std::future::pending().await,
        }
    }
}

fn version_of(value: &Value) -> &str {
    let api_version = value.get("apiVersion").and_then(Value::as_str).unwrap_or("");
    split_api_version(api_version).1
}
