//! Which old value a new one came from, and whether it is the same: what an update leaves as it was is not judged anew.
//! Follows `apiserver/pkg/cel/common/equality.go` and `maplist.go`. Nothing is looked up until something is wrong.

use std::cell::RefCell;
use std::collections::HashMap;

use model::json::{Map, Value};

use super::{Structural, Type};

/// A new value on its way from the root; its old value is found when asked for.
#[derive(Clone, Copy)]
pub(super) struct Correlated<'a> {
    new: &'a Value,
    from: From<'a>,
}

#[derive(Clone, Copy)]
enum From<'a> {
    Root { schema: &'a Structural, old: &'a Value, tables: &'a Tables },
    Key(&'a Correlated<'a>, &'a str),
    Index(&'a Correlated<'a>),
}

impl<'a> Correlated<'a> {
    /// A value and the one that it replaces.
    pub(super) fn root(schema: &'a Structural, new: &'a Value, old: &'a Value, tables: &'a Tables) -> Self {
        Self { new, from: From::Root { schema, old, tables } }
    }

    /// A field of it.
    pub(super) fn key(&'a self, name: &'a str, new: &'a Value) -> Self {
        Self { new, from: From::Key(self, name) }
    }

    /// An item of it.
    pub(super) fn index(&'a self, new: &'a Value) -> Self {
        Self { new, from: From::Index(self) }
    }

    /// The schema and the old value; nothing where no old value belongs to this one.
    fn resolve(&self) -> Option<(&'a Structural, &'a Value)> {
        match self.from {
            From::Root { schema, old, .. } => Some((schema, old)),
            From::Key(parent, name) => {
                let (schema, old) = parent.resolve()?;
                Some((schema.field(name)?, old.get(name)?))
            }
            From::Index(parent) => {
                let (schema, old) = parent.resolve()?;
                let old = self.tables().find(schema, old.as_array()?, self.new)?;
                Some((schema.items.as_deref()?, old))
            }
        }
    }

    fn tables(&self) -> &'a Tables {
        match self.from {
            From::Root { tables, .. } => tables,
            From::Key(parent, _) | From::Index(parent) => parent.tables(),
        }
    }

    /// Whether this is where the walk began.
    pub(super) fn is_root(&self) -> bool {
        matches!(self.from, From::Root { .. })
    }

    /// Whether the value, or the nearest around it that had an old one, is as it was.
    pub(super) fn ratchets(&self) -> bool {
        match (self.resolve(), self.from) {
            (Some((schema, old)), _) => self.tables().same(schema, self.new, old),
            (None, From::Key(parent, _) | From::Index(parent)) => parent.ratchets(),
            (None, From::Root { .. }) => false,
        }
    }

    /// Whether the value is as it was.
    pub(super) fn unchanged(&self) -> bool {
        self.resolve().is_some_and(|(schema, old)| self.tables().same(schema, self.new, old))
    }
}

/// The items of old lists of type map by their keys. Each list is gone through once: a client makes long ones, and asks about
/// every item of theirs.
#[derive(Default)]
pub(super) struct Tables(RefCell<HashMap<*const Value, Places>>);

/// Where the first item of each key stands.
type Places = HashMap<String, usize>;

impl Tables {
    /// The item of an old list with the keys of a new one.
    fn find<'a>(&self, schema: &Structural, old: &'a [Value], item: &Value) -> Option<&'a Value> {
        let keys = Keys::of(schema)?;
        let wanted = keys.joined(item)?;
        let mut tables = self.0.borrow_mut();
        let places = tables.entry(old.as_ptr()).or_insert_with(|| {
            let keyed = old.iter().enumerate().rev().filter_map(|(at, item)| Some((keys.joined(item)?, at)));
            keyed.collect()
        });
        old.get(*places.get(&wanted)?)
    }

    fn same(&self, schema: &Structural, new: &Value, old: &Value) -> bool {
        match (new, old) {
            (Value::Array(new), Value::Array(old)) => {
                if new.len() != old.len() {
                    return false;
                }
                if schema.list_type() != Some("map") {
                    return new == old;
                }
                // In a list of type map each item stands for its key, wherever it is.
                new.iter().all(|item| match (&schema.items, self.find(schema, old, item)) {
                    (Some(items), Some(old)) => self.same(items, item, old),
                    _ => false,
                })
            }
            (Value::Object(new), Value::Object(old)) => {
                new.len() == old.len()
                    && new.iter().all(|(name, value)| match (schema.field(name), old.get(name)) {
                        (Some(field), Some(old)) => self.same(field, value, old),
                        // What has no schema is never the same.
                        _ => false,
                    })
            }
            (new, old) => new == old,
        }
    }
}

/// How items of a list of type map are told apart.
pub(super) struct Keys<'a>(&'a [Box<str>]);

impl<'a> Keys<'a> {
    /// The keys, where items can be told apart at all.
    pub(super) fn of(schema: &'a Structural) -> Option<Self> {
        let keys = schema.list_map_keys();
        (schema.kind == Some(Type::Array) && schema.list_type() == Some("map") && !keys.is_empty()).then_some(Self(keys))
    }

    /// An item's values of the keys; nothing where one is absent or no scalar.
    pub(super) fn of_item<'v>(&self, item: &'v Value) -> Option<Vec<&'v Value>> {
        let fields: &Map = item.as_object()?;
        let scalar = |value: &&Value| matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_));
        self.0.iter().map(|key| fields.get(key.as_ref()).filter(scalar)).collect()
    }

    /// The same as one text, to look up by.
    pub(super) fn joined(&self, item: &Value) -> Option<String> {
        let values: Vec<String> = self.of_item(item)?.into_iter().map(Value::to_string).collect();
        Some(values.join("\0"))
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn items_of_keyed_lists_are_found_wherever_they_are() {
        let schema =
            Structural::parse(&json!({"type": "object", "properties": {"l": {"type": "array", "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k"], "items": {"type": "object", "properties": {
                "k": {"type": "string"}, "v": {"type": "integer"}}}}}}))
            .expect("schema");
        let old = json!({"l": [{"k": "a", "v": 1}, {"k": "b", "v": 2}]});
        let new = json!({"l": [{"k": "b", "v": 2}, {"k": "a", "v": 3}]});
        let tables = Tables::default();
        let root = Correlated::root(&schema, &new, &old, &tables);
        let list = root.key("l", &new["l"]);
        assert!(!root.unchanged() && !list.unchanged());
        assert!(list.index(&new["l"][0]).unchanged());
        let changed = list.index(&new["l"][1]);
        assert!(!changed.unchanged() && !changed.ratchets());
        let swapped = json!({"l": [{"k": "b", "v": 2}, {"k": "a", "v": 1}]});
        assert!(Correlated::root(&schema, &swapped, &old, &tables).unchanged());
    }

    /// Takes minutes where each item is looked for from the beginning of the list.
    #[test]
    fn long_lists_are_gone_through_once() {
        let schema =
            Structural::parse(&json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
            "items": {"type": "object", "properties": {"k": {"type": "integer"}}}}))
            .expect("schema");
        let list = |last: i32| -> Value { (0..50_000).chain([last]).map(|k| json!({"k": k})).collect::<Vec<_>>().into() };
        let (new, old, tables) = (list(-1), list(-2), Tables::default());
        let root = Correlated::root(&schema, &new, &old, &tables);
        assert!(!root.unchanged());
        let known = new.as_array().into_iter().flatten().filter(|item| root.index(item).unchanged());
        assert_eq!(known.count(), 50_000);
    }

    #[test]
    fn what_has_no_schema_is_never_the_same() {
        let schema = Structural::parse(&json!({"type": "object", "properties": {"a": {"type": "string"}}})).expect("schema");
        let value = json!({"a": "1", "metadata": {}});
        assert!(!Correlated::root(&schema, &value, &value, &Tables::default()).unchanged());
    }
}
