//! A kind as CEL sees it, from the schema that is published of it. Compiles nothing.
//! Follows `SchemaDeclType` of `apiserver/pkg/cel/common` over the schemas that `apiserver/pkg/cel/openapi/resolver` finds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use cel::{Decl, ListKind};
use model::GroupVersionKind;
use model::json::{Map, Value};

use super::{Form, OpenApi};

const SCHEMAS: &str = "#/components/schemas/";
const KINDS: &str = "x-kubernetes-group-version-kind";

/// What was declared of a version's kinds, as many as somebody asked for.
#[derive(Default)]
pub(crate) struct Declared(Mutex<HashMap<String, Option<Decl>>>);

impl OpenApi {
    /// The declaration of a kind's objects, if it is served. Reads its schema on first use.
    pub fn declare(&self, kind: &GroupVersionKind) -> Option<Decl> {
        let version = self.catalog.group(&kind.group)?.version(&kind.version)?;
        let mut declared = version.declared.0.lock().unwrap_or_else(PoisonError::into_inner);
        declared.entry(kind.kind.to_string()).or_insert_with(|| self.read(kind)).clone()
    }

    fn read(&self, kind: &GroupVersionKind) -> Option<Decl> {
        let path = if kind.group.is_empty() { "api".to_owned() } else { format!("apis/{}", kind.group) };
        let document = self.v3(&format!("{path}/{}", kind.version), Form::Json)?;
        let document: Value = serde_json::from_slice(&document.body).ok()?;
        let schemas = document.pointer("/components/schemas")?.as_object()?;
        let is_kind = |one: &Value| {
            let is = |field: &str, text: &str| one.get(field).and_then(Value::as_str) == Some(text);
            is("group", &kind.group) && is("version", &kind.version) && is("kind", &kind.kind)
        };
        let kinds = |schema: &Value| schema.get(KINDS).and_then(Value::as_array).is_some_and(|kinds| kinds.iter().any(is_kind));
        let (name, schema) = schemas.iter().find(|(_, schema)| kinds(schema))?;
        Walk { schemas, within: vec![name.as_str()] }.root(schema)
    }
}

struct Walk<'s> {
    schemas: &'s Map,
    /// The named schemas around, outermost first: one that holds itself is an empty object there, as upstream.
    within: Vec<&'s str>,
}

impl<'s> Walk<'s> {
    fn root(&mut self, schema: &'s Value) -> Option<Decl> {
        let text = || Decl::string("", None, None);
        let property = |path: &str| schema.pointer(path).map(|property| self.resolved(property));
        let has = |path: &str, kind: &str| property(path).is_some_and(|property| is(property, kind));
        if has("/properties/kind", "string") && has("/properties/apiVersion", "string") && has("/properties/metadata", "object") {
            return self.declare(schema);
        }
        // What every object has is there even where its schema does not say so.
        let metadata = Decl::object(["name", "generateName"].map(|name| (name, text(), false)));
        let own = self.properties(schema).into_iter().filter(|(name, _, _)| !matches!(*name, "kind" | "apiVersion" | "metadata"));
        let own: Vec<_> = own.collect();
        let implied = [("kind", text(), false), ("apiVersion", text(), false), ("metadata", metadata, false)];
        Some(Decl::object(own.into_iter().chain(implied)))
    }

    /// What a reference leads to, or the schema itself.
    fn resolved(&self, schema: &'s Value) -> &'s Value {
        name_of(schema).and_then(|name| self.schemas.get(name)).unwrap_or(schema)
    }

    fn declare(&mut self, schema: &'s Value) -> Option<Decl> {
        let Some(name) = name_of(schema) else { return self.plain(schema) };
        if self.within.contains(&name) {
            return Some(Decl::object([]));
        }
        self.within.push(name);
        let declared = self.schemas.get(name).and_then(|schema| self.plain(schema));
        self.within.pop();
        declared
    }

    fn plain(&mut self, schema: &'s Value) -> Option<Decl> {
        let number = |field: &str| schema.get(field).and_then(Value::as_i64);
        let flag = |field: &str| schema.get(field) == Some(&Value::Bool(true));
        let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        if format == "int-or-string" || flag("x-kubernetes-int-or-string") {
            return Some(Decl::int_or_string(number("maxLength")));
        }
        match schema.get("type")?.as_str()? {
            "array" => Some(Decl::list(self.declare(schema.get("items")?)?, ListKind::Atomic, number("maxItems"))),
            "object" => match schema.get("additionalProperties").filter(|values| values.is_object()) {
                Some(values) => Some(Decl::map(self.declare(values)?, number("maxProperties"))),
                None => Some(Decl::object(self.properties(schema))),
            },
            "string" => {
                let values = schema.get("enum").and_then(Value::as_array);
                let longest =
                    values.and_then(|values| values.iter().filter_map(Value::as_str).map(|text| text.len() as u64).max());
                Some(Decl::string(format, number("maxLength"), longest))
            }
            "boolean" => Some(Decl::bool()),
            "number" => Some(Decl::double()),
            "integer" => Some(Decl::int()),
            _ => None,
        }
    }

    /// The properties of an object that have a type, each with whether it is always there.
    fn properties(&mut self, schema: &'s Value) -> Vec<(&'s str, Decl, bool)> {
        let required = schema.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        let declared = properties.filter_map(|(name, property)| {
            let always = property.get("default").is_none() && required.iter().any(|required| required.as_str() == Some(name));
            Some((name.as_str(), self.declare(property)?, always))
        });
        declared.collect()
    }
}

fn is(schema: &Value, kind: &str) -> bool {
    schema.get("type").and_then(Value::as_str) == Some(kind)
}

/// The schema that another refers to, alone or wrapped beside a description.
fn name_of(schema: &Value) -> Option<&str> {
    let own = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix(SCHEMAS));
    let wrapped = || schema.get("allOf").and_then(Value::as_array)?.iter().find_map(name_of);
    own.or_else(wrapped)
}
