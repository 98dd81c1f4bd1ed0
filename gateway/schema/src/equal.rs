//! Whether two objects mean the same: amounts by value, an empty list or map as an absent one.
//! Follows `k8s.io/apimachinery/pkg/api/equality`. Both sides are in normal form.

use model::Quantity;
use model::json::{Map, Value};

use crate::types::{Field, Kind, TypeId, Types};

/// Whether an empty list or map, or no bytes at all, is an absent one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// As `apiequality.Semantic` has it.
    IsAbsent,
    /// As `reflect.DeepEqual` has it, which a few strategies count generation by.
    Counts,
}

/// Whether two values of a struct type mean the same.
pub fn semantic(types: &Types, ty: TypeId, a: &Value, b: &Value) -> bool {
    Comparison { types, empty: Empty::IsAbsent }.values(&Kind::Struct(ty), a, b)
}

/// Whether two values of a field mean the same; a field within fields is named with dots. `None` where the type has no such
/// field.
pub fn member(types: &Types, ty: TypeId, path: &str, (a, b): (Option<&Value>, Option<&Value>), empty: Empty) -> Option<bool> {
    let (first, last) = path.rsplit_once('.').map_or(("", path), |(holder, last)| (holder, last));
    let mut holder = ty;
    for name in first.split('.').filter(|name| !name.is_empty()) {
        let Kind::Struct(inner) = &types[holder].field(name)?.kind else { return None };
        holder = *inner;
    }
    let (field, null) = (types[holder].field(last)?, &Value::Null);
    Some(a == b || Comparison { types, empty }.fields(field, a.unwrap_or(null), b.unwrap_or(null)))
}

#[derive(Clone, Copy)]
struct Comparison<'t> {
    types: &'t Types,
    empty: Empty,
}

impl Comparison<'_> {
    fn values(self, kind: &Kind, a: &Value, b: &Value) -> bool {
        let holds = matches!(kind, Kind::List(_) | Kind::Map(_));
        if holds && self.empty == Empty::Counts && a.is_null() != b.is_null() {
            return false;
        }
        match (kind, a, b) {
            (Kind::Struct(id), Value::Object(a), Value::Object(b)) => self.structs(*id, a, b),
            (Kind::List(inner), a, b) => match (items(a), items(b)) {
                (a, b) if a.len() == b.len() => a.iter().zip(b).all(|(a, b)| self.values(inner, a, b)),
                _ => false,
            },
            (Kind::Map(inner), a, b) => match (a.as_object(), b.as_object()) {
                (Some(a), Some(b)) => {
                    a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| self.values(inner, a, b)))
                }
                (a, b) => a.is_none_or(Map::is_empty) && b.is_none_or(Map::is_empty),
            },
            (Kind::Quantity, Value::String(a), Value::String(b)) => {
                a == b || Quantity::parse(a).is_ok_and(|a| Quantity::parse(b) == Ok(a))
            }
            (_, a, b) => a == b,
        }
    }

    fn structs(self, ty: TypeId, a: &Map, b: &Map) -> bool {
        self.types[ty].fields.iter().all(|field| {
            let both = !field.is_time_pointer() || a.contains_key(field.json) == b.contains_key(field.json);
            both && self.fields(field, of(a, field.json), of(b, field.json))
        })
    }

    /// An absent field that is no pointer has its zero value.
    fn fields(self, field: &Field, a: &Value, b: &Value) -> bool {
        if field.pointer || a.is_null() == b.is_null() {
            return self.values(&field.kind, a, b);
        }
        let present = if a.is_null() { b } else { a };
        self.is_zero(&field.kind, present)
    }

    fn is_zero(self, kind: &Kind, value: &Value) -> bool {
        match (kind, value) {
            (_, Value::Null) => true,
            (Kind::Struct(id), Value::Object(map)) => map
                .iter()
                .all(|(key, value)| self.types[*id].field(key).is_none_or(|f| !f.pointer && self.is_zero(&f.kind, value))),
            (Kind::List(_), Value::Array(items)) => items.is_empty() && self.empty == Empty::IsAbsent,
            (Kind::Map(_), Value::Object(map)) => map.is_empty() && self.empty == Empty::IsAbsent,
            (Kind::Bytes, Value::String(text)) => text.is_empty() && self.empty == Empty::IsAbsent,
            (Kind::Quantity, Value::String(text)) => Quantity::parse(text).is_ok_and(|q| q.is_zero()),
            (Kind::Duration, Value::String(text)) => text == "0s",
            (_, Value::String(text)) => text.is_empty(),
            (_, Value::Bool(is)) => !is,
            (_, Value::Number(number)) => number.as_f64() == Some(0.0),
            _ => false,
        }
    }
}

fn of<'a>(map: &'a Map, key: &str) -> &'a Value {
    map.get(key).unwrap_or(&Value::Null)
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn meaning_not_spelling() {
        let types = Types::parse(&[include_str!("../../catalog/data/types.txt")]).expect("the committed table is readable");
        let pod = types.of_kind("v1", "Pod").expect("known");
        let limits = |cpu: &str| json!({"spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": cpu}}}]}});
        let same = [
            (limits("1.500"), limits("1500m")),
            (
                json!({"spec": {"containers": [{}]}}),
                json!({"spec": {"containers": [{"args": [], "name": "", "resources": {"limits": {}}}]}}),
            ),
            (json!({}), json!({"metadata": {"labels": {}}, "status": {}})),
        ];
        for (a, b) in &same {
            assert!(semantic(&types, pod, a, b) && semantic(&types, pod, b, a), "{a} {b}");
        }
        let (one, other) = (json!({"volumes": null, "hostNetwork": false}), json!({}));
        let same = |path: &str, a: Option<&Value>, b: Option<&Value>| member(&types, pod, path, (a, b), Empty::IsAbsent);
        assert_eq!(same("spec", Some(&one), Some(&other)), Some(true));
        assert_eq!(same("metadata.labels", None, Some(&json!({"a": ""}))), Some(false));
        assert_eq!(same("spec.unheard", None, None), None);
        let exactly = |a: Value, b: Value| member(&types, pod, "spec", (Some(&a), Some(&b)), Empty::Counts);
        assert_eq!(exactly(json!({"volumes": []}), json!({})), Some(false));
        assert_eq!(exactly(json!({}), json!({"nodeSelector": {}})), Some(false));
        assert_eq!(exactly(json!({"hostNetwork": false, "volumes": []}), json!({"volumes": []})), Some(true));
        let signed = types.of_kind("certificates.k8s.io/v1", "CertificateSigningRequest").expect("known");
        for (empty, same) in [(Empty::IsAbsent, true), (Empty::Counts, false)] {
            let bytes = (Some(&json!({"request": ""})), Some(&json!({})));
            assert_eq!(member(&types, signed, "spec", bytes, empty), Some(same));
        }
        let different = [
            (json!({"metadata": {"deletionTimestamp": null}}), json!({"metadata": {}})),
            (limits("1"), limits("2")),
            (json!({"spec": {"priority": 0}}), json!({"spec": {}})),
            (json!({"spec": {"securityContext": {}}}), json!({"spec": {}})),
            (json!({"metadata": {"labels": {"a": ""}}}), json!({"metadata": {}})),
        ];
        for (a, b) in &different {
            assert!(!semantic(&types, pod, a, b) && !semantic(&types, pod, b, a), "{a} {b}");
        }
    }
}
