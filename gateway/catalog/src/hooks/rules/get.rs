//! Reading an object in normal form as Go reads its struct: what is absent is the zero value.
//! Changes nothing, reports nothing.

use model::{Map, Value};

/// A string field, empty when absent.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

/// A pointer to a string: `None` when absent.
pub(crate) fn string<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str)
}

/// An integer field, 0 when absent.
pub(crate) fn number(value: &Value, field: &str) -> i64 {
    int(value, field).unwrap_or(0)
}

/// A pointer to an integer: `None` when absent.
pub(crate) fn int(value: &Value, field: &str) -> Option<i64> {
    value.get(field).and_then(Value::as_i64)
}

/// A boolean field, false when absent.
pub(crate) fn is(value: &Value, field: &str) -> bool {
    flag(value, field).unwrap_or(false)
}

/// A pointer to a boolean: `None` when absent.
pub(crate) fn flag(value: &Value, field: &str) -> Option<bool> {
    value.get(field).and_then(Value::as_bool)
}

/// The items of a list, none when absent.
pub(crate) fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// For each item of a list whether one with the same text in a field stands before it.
pub(crate) fn repeated(list: &[Value], field: &str) -> Vec<bool> {
    model::repeats(list.iter().map(|item| text(item, field)))
}

/// The strings of a list.
pub(crate) fn strings<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    list(value, field).iter().map(|item| item.as_str().unwrap_or(""))
}

/// A pointer to a struct: `None` when absent.
pub(crate) fn object<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    value.get(field).filter(|inner| inner.is_object())
}

/// A map or struct by a dotted path, [`Value::Null`] (which reads as all zero) when any step is absent.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').try_fold(value, |inner, step| inner.get(step)).unwrap_or(&Value::Null)
}

/// The entries of a map, none when absent.
pub(crate) fn entries<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
    value.get(field).and_then(Value::as_object).into_iter().flatten().map(|(key, inner)| (key.as_str(), inner))
}

/// The entries of a map of strings, none when absent.
pub(crate) fn pairs<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
    entries(value, field).map(|(key, inner)| (key, inner.as_str().unwrap_or("")))
}

/// The field itself, [`Value::Null`] when absent: what an error shows as the bad value.
pub(crate) fn raw(value: &Value, field: &str) -> Value {
    value.get(field).cloned().unwrap_or(Value::Null)
}

/// The map of a struct for writing, made when absent; `None` when the parent is no map.
pub(crate) fn object_mut<'a>(value: &'a mut Value, field: &str) -> Option<&'a mut Map> {
    let inner = value.as_object_mut()?.entry(field).or_insert_with(|| Value::Object(Map::new()));
    inner.as_object_mut()
}

/// The items of a list for writing, none when absent.
pub(crate) fn list_mut<'a>(value: &'a mut Value, field: &str) -> &'a mut [Value] {
    value.get_mut(field).and_then(Value::as_array_mut).map_or(&mut [], Vec::as_mut_slice)
}

/// Sets a field; does nothing to what is no map.
pub(crate) fn set(value: &mut Value, field: &str, new: impl Into<Value>) {
    if let Some(map) = value.as_object_mut() {
        map.insert(field.to_owned(), new.into());
    }
}

/// Sets a field where it is absent, or, for strings, empty.
pub(crate) fn default(value: &mut Value, field: &str, new: impl Into<Value>) {
    let empty = match value.get(field) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    };
    if empty {
        set(value, field, new);
    }
}

/// The same for a field that upstream holds by pointer: an empty string is something that was said.
pub(crate) fn default_pointer(value: &mut Value, field: &str, new: impl Into<Value>) {
    if value.get(field).is_none_or(Value::is_null) {
        set(value, field, new);
    }
}

/// Removes a field.
pub(crate) fn remove(value: &mut Value, field: &str) {
    if let Some(map) = value.as_object_mut() {
        map.shift_remove(field);
    }
}

/// Makes a field what it is in another object, absent included.
pub(crate) fn copy(to: &mut Value, from: &Value, field: &str) {
    match from.get(field) {
        Some(inner) => set(to, field, inner.clone()),
        None => remove(to, field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    #[test]
    fn absent_reads_as_zero() {
        let value = json!({"a": {"b": {"c": 3}}, "s": ""});
        assert_eq!(number(at(&value, "a.b"), "c"), 3);
        assert_eq!(number(at(&value, "a.x"), "c"), 0);
        assert_eq!((text(&value, "t"), string(&value, "t"), string(&value, "s")), ("", None, Some("")));
        assert_eq!(list(&value, "l").len(), 0);
    }

    #[test]
    fn default_fills_what_is_empty() {
        let mut value = json!({"s": "", "n": 0});
        default(&mut value, "s", "x");
        default(&mut value, "n", 5);
        default(&mut value, "m", 7);
        assert_eq!(value, json!({"s": "x", "n": 0, "m": 7}));
    }
}
