//! Of a field that comes twice in a text, Go reads the second over what the first left: structs member by member, maps entry by
//! entry, lists element by element; everything else anew. Follows `sigs.k8s.io/json`'s decoder.
//! Reads no text (`codec::json`) and tells of nothing: strict decoding has the duplicates from there.

use model::json::{Map, Value};

use crate::types::{Field, Kind, TypeId, Types};

/// What a field of an object of this type holds once its `later` value was read over its `earlier` one. The way to it
/// leads through names and positions. Below what the type does not know the last value stays.
pub fn join(types: &Types, ty: TypeId, steps: &[String], earlier: Value, later: Value) -> Value {
    match find(types, ty, steps) {
        Some(Found::Field(field)) => of_field(types, field, earlier, later),
        // The first fault is the one that is told.
        Some(Found::Entry(kind)) if !fits(types, kind, &earlier) => earlier,
        // Go makes each entry of a map anew.
        Some(Found::Entry(_)) | None => later,
    }
}

/// What a way leads to.
enum Found<'a> {
    Field(&'a Field),
    Entry(&'a Kind),
}

fn find<'a>(types: &'a Types, ty: TypeId, steps: &[String]) -> Option<Found<'a>> {
    let (first, mut rest) = steps.split_first()?;
    let field = types[ty].field(first)?;
    let mut kind = &field.kind;
    if rest.is_empty() {
        return Some(Found::Field(field));
    }
    loop {
        match kind {
            _ if field.holds_schemas() => return None,
            Kind::Struct(id) => return find(types, *id, rest),
            Kind::List(inner) | Kind::Map(inner) => {
                rest = rest.split_first()?.1;
                if rest.is_empty() {
                    return Some(Found::Entry(inner));
                }
                kind = inner;
            }
            _ => return None,
        }
    }
}

fn of_field(types: &Types, field: &Field, earlier: Value, later: Value) -> Value {
    if later.is_null() && field.pointer || field.holds_schemas() {
        return later;
    }
    of_kind(types, &field.kind, earlier, later)
}

fn of_kind(types: &Types, kind: &Kind, earlier: Value, later: Value) -> Value {
    if !fits(types, kind, &earlier) {
        // The first fault is the one that is told.
        return earlier;
    }
    match (kind, earlier, later) {
        (Kind::Struct(id), Value::Object(earlier), Value::Object(later)) => members(types, *id, earlier, later).into(),
        (Kind::Map(_), Value::Object(mut earlier), Value::Object(later)) => {
            earlier.extend(later);
            earlier.into()
        }
        (Kind::List(inner), Value::Array(earlier), Value::Array(later)) => elements(types, inner, earlier, later).into(),
        (kind, earlier, Value::Null) if keeps(kind) => earlier,
        (_, _, later) => later,
    }
}

fn members(types: &Types, ty: TypeId, mut earlier: Map, later: Map) -> Map {
    for (name, value) in later {
        let joined = match (types[ty].field(&name), earlier.get_mut(&name)) {
            (Some(field), Some(before)) => of_field(types, field, before.take(), value),
            _ => value,
        };
        earlier.insert(name, joined);
    }
    earlier
}

/// The list keeps its memory, and no more elements than came.
fn elements(types: &Types, inner: &Kind, earlier: Vec<Value>, later: Vec<Value>) -> Vec<Value> {
    let mut before = earlier.into_iter();
    let each = later.into_iter().map(|value| match before.next() {
        Some(earlier) => of_kind(types, inner, earlier, value),
        None => value,
    });
    each.collect()
}

/// Whether a value is of a type that Go reads into this kind; what lies within a list or an object is looked at when that is read.
fn fits(types: &Types, kind: &Kind, value: &Value) -> bool {
    match kind {
        _ if value.is_null() => true,
        Kind::Struct(_) | Kind::Map(_) => value.is_object(),
        Kind::List(_) => value.is_array(),
        Kind::String => value.is_string(),
        Kind::Bool => value.is_boolean(),
        Kind::Int32 => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        Kind::Int64 => value.is_i64(),
        Kind::Float64 => value.is_number(),
        Kind::IntOrString | Kind::Quantity | Kind::Duration | Kind::Time | Kind::MicroTime => {
            super::decode::alone(types, kind, &mut value.clone()).is_ok()
        }
        // Of what reads itself, any is.
        Kind::RawExtension | Kind::FieldsV1 | Kind::Json | Kind::Bytes => true,
    }
}

/// Whether a null leaves what is there.
fn keeps(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::String
            | Kind::Bool
            | Kind::Int32
            | Kind::Int64
            | Kind::Float64
            | Kind::Struct(_)
            | Kind::RawExtension
            | Kind::FieldsV1
    )
}

#[cfg(test)]
mod tests {
    use codec::json;

    use super::*;
    use crate::normal::tests::{TYPES, of_kind};

    /// A Pod's text as Go reads it.
    fn read(text: &str) -> Value {
        let ty = of_kind("v1", "Pod");
        json::parse_joining(text.as_bytes(), &|steps, earlier, later| join(&TYPES, ty, steps, earlier, later)).expect(text)
    }

    #[test]
    fn what_comes_again_is_read_over_what_was_there() {
        for (text, expected) in [
            (
                r#"{"spec":{"nodeName":"a","hostNetwork":true},"spec":{"nodeName":"b"}}"#,
                r#"{"spec":{"nodeName":"b","hostNetwork":true}}"#,
            ),
            (r#"{"metadata":{"labels":{"a":"1","b":"2"},"labels":{"b":"3"}}}"#, r#"{"metadata":{"labels":{"a":"1","b":"3"}}}"#),
            (r#"{"metadata":{"labels":{"a":"1","a":null}}}"#, r#"{"metadata":{"labels":{"a":null}}}"#),
            (r#"{"metadata":{"labels":{"a":"1"},"labels":null,"labels":{"b":"2"}}}"#, r#"{"metadata":{"labels":{"b":"2"}}}"#),
            (
                r#"{"spec":{"containers":[{"name":"a","image":"x"},{"name":"b"}],"containers":[{"name":"c"}]}}"#,
                r#"{"spec":{"containers":[{"name":"c","image":"x"}]}}"#,
            ),
            (
                r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"1"}},"resources":{"limits":{"memory":"1"}}}]}}"#,
                r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"1","memory":"1"}}}]}}"#,
            ),
            (r#"{"spec":{"nodeName":"a","nodeName":null}}"#, r#"{"spec":{"nodeName":"a"}}"#),
            (r#"{"spec":{"priority":1,"priority":null}}"#, r#"{"spec":{"priority":null}}"#),
            (r#"{"spec":{"nodeName":"a"},"spec":null}"#, r#"{"spec":{"nodeName":"a"}}"#),
            (r#"{"spec":{"nodeName":1,"nodeName":"a"}}"#, r#"{"spec":{"nodeName":1}}"#),
            (r#"{"metadata":{"labels":{"a":{},"a":"1"}}}"#, r#"{"metadata":{"labels":{"a":{}}}}"#),
            (
                r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"x","cpu":"1","memory":"1","memory":"2"}}}]}}"#,
                r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"x","memory":"2"}}}]}}"#,
            ),
            (r#"{"strange":{"a":1},"strange":{"b":1}}"#, r#"{"strange":{"b":1}}"#),
        ] {
            assert_eq!(read(text), json::parse(expected.as_bytes()).expect(expected).value, "{text}");
        }
    }
}
