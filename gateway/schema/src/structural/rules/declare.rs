//! Schemas as CEL sees them. Follows `SchemaDeclType` of `apiserver/pkg/cel/common/schemas.go`.
//! Compiles nothing.

use ::cel::{Decl, ListKind};

use crate::structural::{Additional, Structural, Type};

/// Longest `metadata.name` that costs are estimated with.
const NAME_BYTES_MAX: i64 = 253;

/// Whether a schema is that of an object with `apiVersion`, `kind` and `metadata`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// It is: the root, or an embedded one.
    Resource,
    /// It is any value.
    Value,
}

impl Root {
    fn of(schema: &Structural) -> Self {
        if schema.embedded_resource { Self::Resource } else { Self::Value }
    }
}

/// The declaration of a schema's values; nothing where rules cannot see them.
pub fn declare(schema: &Structural, root: Root) -> Option<Decl> {
    let text = schema.values.as_ref().and_then(|values| values.text.as_deref());
    let length_max = text.and_then(|text| text.max_length);
    if schema.int_or_string {
        return Some(Decl::int_or_string(length_max).nullable(schema.nullable));
    }
    let decl = match schema.kind? {
        Type::Array => list(schema)?,
        Type::Object => object(schema, root)?,
        Type::String => string(schema, length_max),
        Type::Boolean => Decl::bool(),
        Type::Number => Decl::double(),
        Type::Integer => Decl::int(),
    };
    Some(decl.nullable(schema.nullable))
}

fn nested(schema: &Structural) -> Option<Decl> {
    declare(schema, Root::of(schema))
}

fn list(schema: &Structural) -> Option<Decl> {
    let items = nested(schema.items.as_deref()?)?;
    let kind = match schema.list_type() {
        Some("set") => ListKind::Set,
        Some("map") => ListKind::Map(schema.list_map_keys().to_vec()),
        _ => ListKind::Atomic,
    };
    let count = schema.values.as_ref().and_then(|values| values.count.as_deref());
    Some(Decl::list(items, kind, count.and_then(|count| count.max_items)))
}

fn string(schema: &Structural, length_max: Option<i64>) -> Decl {
    let values = schema.values.as_deref();
    let longest = values.and_then(|values| {
        let texts = values.enumerated.iter().map(|value| value.as_str().map_or(0, str::len) as u64);
        texts.max()
    });
    Decl::string(schema.format_as_written(), length_max, longest)
}

fn object(schema: &Structural, root: Root) -> Option<Decl> {
    if let Additional::Of(values) = &schema.additional {
        let count = schema.values.as_ref().and_then(|values| values.count.as_deref());
        return Some(Decl::map(nested(values)?, count.and_then(|count| count.max_properties)));
    }
    let required = schema.values.as_ref().map_or(&[][..], |values| &values.required);
    let always = |name: &str, property: Option<&Structural>| {
        required.iter().any(|r| r.as_ref() == name) && property.is_none_or(|p| p.default.is_none())
    };
    let replaces = root == Root::Resource && !has_type_and_object_meta(schema);
    let own = schema
        .properties()
        .filter(|(name, _)| !(replaces && matches!(*name, "kind" | "apiVersion" | "metadata")))
        .filter_map(|(name, property)| Some((name, nested(property)?, always(name, Some(property)))));
    let implied = replaces.then(|| {
        let text = || Decl::string("", None, None);
        [
            ("kind", text(), always("kind", None)),
            ("apiVersion", text(), always("apiVersion", None)),
            ("metadata", metadata(schema), always("metadata", None)),
        ]
    });
    Some(Decl::object(own.chain(implied.into_iter().flatten())))
}

fn is(schema: Option<&Structural>, kind: Type) -> bool {
    schema.is_some_and(|schema| schema.kind == Some(kind))
}

fn has_type_and_object_meta(schema: &Structural) -> bool {
    let metadata = schema.property("metadata");
    let inner = |name| metadata.and_then(|metadata| metadata.property(name));
    is(schema.property("kind"), Type::String)
        && is(schema.property("apiVersion"), Type::String)
        && is(metadata, Type::Object)
        && is(inner("name"), Type::String)
        && is(inner("generateName"), Type::String)
}

/// `metadata` with the two fields that rules can always read.
fn metadata(schema: &Structural) -> Decl {
    let capped = |name: &str, max: i64| {
        let own = schema.property("metadata").and_then(|metadata| metadata.property(name));
        let own = own.and_then(|s| s.values.as_ref()?.text.as_ref()?.max_length);
        Decl::string("", Some(own.map_or(max, |own| own.min(max))), None)
    };
    Decl::object([
        ("name", capped("name", NAME_BYTES_MAX), false),
        // What is generated has one character at least.
        ("generateName", capped("generateName", NAME_BYTES_MAX - 1), false),
    ])
}
