//! `value["name"]` and `value[3]`: what is missing reads as `null`, and writing makes members on the way.

use std::ops;

use super::{Key, Map, Value};

/// What a value is indexed with: the name of a member or the position of an element.
pub trait Index {
    /// What it leads to.
    fn of<'a>(&self, value: &'a Value) -> Option<&'a Value>;
    /// The same, to be changed.
    fn of_mut<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value>;
    /// The same, made if it is a member that is not there.
    ///
    /// # Panics
    /// When the value is neither an object nor null, or the position is beyond the list.
    fn made<'a>(&self, value: &'a mut Value) -> &'a mut Value;
}

impl Index for str {
    fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        value.as_object()?.get(self)
    }

    fn of_mut<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value> {
        value.as_object_mut()?.get_mut(self)
    }

    fn made<'a>(&self, value: &'a mut Value) -> &'a mut Value {
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
        match value {
            Value::Object(map) => map.entry(self).or_insert(Value::Null),
            other => panic!("the member {self:?} of {other}"),
        }
    }
}

impl Index for usize {
    fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        value.as_array()?.get(*self)
    }

    fn of_mut<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value> {
        value.as_array_mut()?.get_mut(*self)
    }

    fn made<'a>(&self, value: &'a mut Value) -> &'a mut Value {
        match value {
            Value::Array(list) => &mut list[*self],
            other => panic!("the element {self} of {other}"),
        }
    }
}

/// Both hold a text.
macro_rules! as_text {
    ($($text:ty),*) => { $(
        impl Index for $text {
            fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
                self.as_str().of(value)
            }

            fn of_mut<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value> {
                self.as_str().of_mut(value)
            }

            fn made<'a>(&self, value: &'a mut Value) -> &'a mut Value {
                self.as_str().made(value)
            }
        }
    )* };
}

as_text!(String, Key);

impl<T: Index + ?Sized> Index for &T {
    fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        (**self).of(value)
    }

    fn of_mut<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value> {
        (**self).of_mut(value)
    }

    fn made<'a>(&self, value: &'a mut Value) -> &'a mut Value {
        (**self).made(value)
    }
}

impl<I: Index> ops::Index<I> for Value {
    type Output = Value;

    fn index(&self, index: I) -> &Value {
        static NULL: Value = Value::Null;
        index.of(self).unwrap_or(&NULL)
    }
}

impl<I: Index> ops::IndexMut<I> for Value {
    fn index_mut(&mut self, index: I) -> &mut Value {
        index.made(self)
    }
}

/// # Panics
/// When there is no such member.
impl<K: AsRef<str>> ops::Index<K> for Map {
    type Output = Value;

    fn index(&self, key: K) -> &Value {
        let key = key.as_ref();
        self.get(key).unwrap_or_else(|| panic!("no member {key:?}"))
    }
}

/// # Panics
/// When there is no such member.
impl<K: AsRef<str>> ops::IndexMut<K> for Map {
    fn index_mut(&mut self, key: K) -> &mut Value {
        let key = key.as_ref();
        self.get_mut(key).unwrap_or_else(|| panic!("no member {key:?}"))
    }
}
