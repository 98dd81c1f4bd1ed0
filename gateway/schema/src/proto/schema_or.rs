//! The three types of CustomResourceDefinition's schemas that JSON writes as one thing or another and protobuf as a message
//! with a field for each: a schema or a list of schemas, a boolean, a list of names.
//! Follows `apiextensions-apiserver/pkg/apis/apiextensions/v1/marshal.go`.

use model::json::Value;

use super::decode::Walk;
use super::encode::Writer;
use super::wire::{Reader, Wire};
use crate::types::{Field, TypeId, Types};

/// Which of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SchemaOr {
    /// `JSONSchemaPropsOrArray`
    Array,
    /// `JSONSchemaPropsOrBool`
    Bool,
    /// `JSONSchemaPropsOrStringArray`
    StringArray,
}

impl SchemaOr {
    /// What a field of any JSON holds, by its Go type; `None` when it is JSON indeed.
    pub(super) fn of(types: &Types, field: &Field) -> Option<Self> {
        // Each version of the group has its own three types, alike but for the package.
        match types.go_type(field).rsplit('.').next() {
            Some("JSONSchemaPropsOrArray") => Some(Self::Array),
            Some("JSONSchemaPropsOrBool") => Some(Self::Bool),
            Some("JSONSchemaDependencies") => Some(Self::StringArray),
            _ => None,
        }
    }

    /// Reads the message; `schema` is the type of schemas.
    pub(super) fn decode(self, walk: Walk<'_>, schema: TypeId, raw: &[u8]) -> Result<Value, String> {
        let mut reader = Reader::new("JSONSchemaProps", raw);
        let (mut one, mut many, mut allows) = (None, Vec::new(), false);
        while let Some(tag) = reader.tag()? {
            match (self, tag.number) {
                (Self::Bool, 1) => {
                    tag.expect(Wire::Varint, "Allows")?;
                    allows = reader.varint()? != 0;
                }
                (Self::Array | Self::StringArray, 1) | (Self::Bool, 2) => {
                    tag.expect(Wire::Bytes, "Schema")?;
                    one = Some(walk.object(schema, reader.bytes()?)?);
                }
                (Self::Array, 2) => {
                    tag.expect(Wire::Bytes, "JSONSchemas")?;
                    many.push(walk.object(schema, reader.bytes()?)?);
                }
                (Self::StringArray, 2) => {
                    tag.expect(Wire::Bytes, "Property")?;
                    many.push(String::from_utf8_lossy(reader.bytes()?).into());
                }
                _ => reader.skip(tag)?,
            }
        }
        Ok(match self {
            Self::Bool => one.unwrap_or(Value::Bool(allows)),
            _ if !many.is_empty() => Value::Array(many),
            _ => one.unwrap_or(Value::Null),
        })
    }

    /// Writes the fields of the message, from the last to the first.
    pub(super) fn encode(self, writer: &mut Writer<'_>, schema: TypeId, value: &Value) {
        match (self, value) {
            (Self::Bool, Value::Object(map)) => {
                writer.message_field(2, schema, map);
                writer.varint_field(1, 1);
            }
            (Self::Bool, value) => writer.varint_field(1, u64::from(value == &Value::Bool(true))),
            (_, Value::Object(map)) => writer.message_field(1, schema, map),
            (_, Value::Array(items)) => items.iter().rev().for_each(|item| match item {
                Value::Object(map) => writer.message_field(2, schema, map),
                item => writer.bytes_field(2, item.as_str().unwrap_or("").as_bytes()),
            }),
            _ => {}
        }
    }
}
