//! The members of an object, in order: a row of entries, and a table of positions once there are many.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::Value;

/// The name of a member. Up to 23 bytes lie in the key itself, a longer one is shared by its copies.
pub type Key = smol_str::SmolStr;

/// Up to so many members are looked through one by one, which is faster than hashing; beyond, the time that a client's object
/// takes would grow with the square of its members.
const FEW: usize = 16;

/// The members of an object by name. Two are equal when they hold the same, in whatever order.
#[derive(Clone, Default)]
pub struct Map {
    entries: Vec<(Key, Value)>,
    /// Where each member lies, while there are more than [`FEW`] or were.
    positions: Option<Box<Positions>>,
}

/// Where each member lies. In a box, because most objects have none and every value would be larger for it.
#[derive(Clone)]
struct Positions(HashMap<Key, usize>);

impl Map {
    /// An object without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with room for so many.
    pub fn with_capacity(members: usize) -> Self {
        Self { entries: Vec::with_capacity(members), positions: None }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The member of a name.
    pub fn get(&self, key: impl AsRef<str>) -> Option<&Value> {
        self.position(key.as_ref()).map(|at| &self.entries[at].1)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: impl AsRef<str>) -> Option<&mut Value> {
        self.position(key.as_ref()).map(|at| &mut self.entries[at].1)
    }

    /// Whether there is a member of a name.
    pub fn contains_key(&self, key: impl AsRef<str>) -> bool {
        self.position(key.as_ref()).is_some()
    }

    /// Sets a member: in its place, or as the last. Returns what was there.
    pub fn insert(&mut self, key: impl Into<Key>, value: Value) -> Option<Value> {
        let key = key.into();
        match self.position(&key) {
            Some(at) => Some(std::mem::replace(&mut self.entries[at].1, value)),
            None => {
                self.push(key, value);
                None
            }
        }
    }

    /// Takes a member out. The last one takes its place; see [`shift_remove`](Self::shift_remove).
    pub fn remove(&mut self, key: impl AsRef<str>) -> Option<Value> {
        let at = self.position(key.as_ref())?;
        let (key, value) = self.entries.swap_remove(at);
        if let Some(positions) = &mut self.positions {
            positions.0.remove(&key);
            if let Some((moved, _)) = self.entries.get(at) {
                positions.0.insert(moved.clone(), at);
            }
        }
        Some(value)
    }

    /// Takes a member out and keeps the order of the others.
    pub fn shift_remove(&mut self, key: impl AsRef<str>) -> Option<Value> {
        let at = self.position(key.as_ref())?;
        let (key, value) = self.entries.remove(at);
        if let Some(positions) = &mut self.positions {
            // Not made anew: a patch that takes thousands of members out would hash all the others each time.
            positions.0.remove(&key);
            positions.0.values_mut().filter(|other| **other > at).for_each(|other| *other -= 1);
        }
        Some(value)
    }

    /// The place of a member, whether it is there or not.
    pub fn entry(&mut self, key: impl Into<Key>) -> Entry<'_> {
        let key = key.into();
        match self.position(&key) {
            Some(at) => Entry::Occupied(OccupiedEntry { map: self, at }),
            None => Entry::Vacant(VacantEntry { map: self, key }),
        }
    }

    /// Keeps the members that are wanted.
    pub fn retain(&mut self, mut keep: impl FnMut(&Key, &mut Value) -> bool) {
        let before = self.entries.len();
        self.entries.retain_mut(|(key, value)| keep(key, value));
        if self.entries.len() != before {
            self.index();
        }
    }

    /// Moves another's members into this one.
    pub fn append(&mut self, other: &mut Map) {
        self.extend(std::mem::take(other));
    }

    /// Takes all members out.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Puts the members in the order of their names.
    pub fn sort_keys(&mut self) {
        self.entries.sort_by(|a, b| a.0.cmp(&b.0));
        self.index();
    }

    /// The names and members, in order.
    pub fn iter(&self) -> Iter<'_> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The same, with members to be changed.
    pub fn iter_mut(&mut self) -> IterMut<'_> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// The names, in order.
    pub fn keys(&self) -> Keys<'_> {
        self.entries.iter().map(|(key, _)| key)
    }

    /// The members, in order.
    pub fn values(&self) -> Values<'_> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// The members, to be changed.
    pub fn values_mut(&mut self) -> ValuesMut<'_> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    /// The members alone.
    pub fn into_values(self) -> IntoValues {
        self.entries.into_iter().map(|(_, value)| value)
    }

    fn push(&mut self, key: Key, value: Value) -> usize {
        let at = self.entries.len();
        if let Some(positions) = &mut self.positions {
            positions.0.insert(key.clone(), at);
        }
        self.entries.push((key, value));
        if at == FEW && self.positions.is_none() {
            self.index();
        }
        at
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.positions {
            Some(positions) => positions.0.get(key).copied(),
            None => self.entries.iter().position(|(own, _)| own == key),
        }
    }

    /// Makes the table of positions anew, where there are many members.
    fn index(&mut self) {
        let many = self.entries.len() > FEW;
        let positions = self.entries.iter().enumerate().map(|(at, (key, _))| (key.clone(), at));
        self.positions = many.then(|| Box::new(Positions(positions.collect())));
    }
}

/// Names and members.
pub type Iter<'a> = std::iter::Map<std::slice::Iter<'a, (Key, Value)>, fn(&(Key, Value)) -> (&Key, &Value)>;
/// Names, and members to be changed.
pub type IterMut<'a> = std::iter::Map<std::slice::IterMut<'a, (Key, Value)>, fn(&mut (Key, Value)) -> (&Key, &mut Value)>;
/// Names.
pub type Keys<'a> = std::iter::Map<std::slice::Iter<'a, (Key, Value)>, fn(&(Key, Value)) -> &Key>;
/// Members.
pub type Values<'a> = std::iter::Map<std::slice::Iter<'a, (Key, Value)>, fn(&(Key, Value)) -> &Value>;
/// Members to be changed.
pub type ValuesMut<'a> = std::iter::Map<std::slice::IterMut<'a, (Key, Value)>, fn(&mut (Key, Value)) -> &mut Value>;
/// Members, taken out.
pub type IntoValues = std::iter::Map<std::vec::IntoIter<(Key, Value)>, fn((Key, Value)) -> Value>;

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a Key, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut Map {
    type Item = (&'a Key, &'a mut Value);
    type IntoIter = IterMut<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl IntoIterator for Map {
    type Item = (Key, Value);
    type IntoIter = std::vec::IntoIter<(Key, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<K: Into<Key>> Extend<(K, Value)> for Map {
    fn extend<T: IntoIterator<Item = (K, Value)>>(&mut self, members: T) {
        for (key, value) in members {
            self.insert(key, value);
        }
    }
}

impl<K: Into<Key>> FromIterator<(K, Value)> for Map {
    fn from_iter<T: IntoIterator<Item = (K, Value)>>(members: T) -> Self {
        let members = members.into_iter();
        let mut map = Self::with_capacity(members.size_hint().0);
        map.extend(members);
        map
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        // Most often the order is the same too.
        let same = |(at, (key, value)): (usize, &(Key, Value))| match other.entries.get(at) {
            Some((there, theirs)) if there == key => theirs == value,
            _ => other.get(key) == Some(value),
        };
        self.len() == other.len() && self.entries.iter().enumerate().all(same)
    }
}

impl Eq for Map {}

impl Hash for Map {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let of = |member: &(Key, Value)| {
            let mut one = DefaultHasher::new();
            member.hash(&mut one);
            one.finish()
        };
        // A sum, for the order of members tells no objects apart.
        (self.len(), self.entries.iter().map(of).fold(0, u64::wrapping_add)).hash(state);
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

/// The place of a member.
pub enum Entry<'a> {
    /// It is there.
    Occupied(OccupiedEntry<'a>),
    /// It is not.
    Vacant(VacantEntry<'a>),
}

/// A member that is there.
pub struct OccupiedEntry<'a> {
    map: &'a mut Map,
    at: usize,
}

/// The name of a member that is not there.
pub struct VacantEntry<'a> {
    map: &'a mut Map,
    key: Key,
}

impl<'a> Entry<'a> {
    /// The member; when there was none, the one given.
    pub fn or_insert(self, value: Value) -> &'a mut Value {
        self.or_insert_with(|| value)
    }

    /// The member; when there was none, the one that is made.
    pub fn or_insert_with(self, make: impl FnOnce() -> Value) -> &'a mut Value {
        match self {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(make()),
        }
    }

    /// Changes a member that is there.
    #[must_use]
    pub fn and_modify(mut self, change: impl FnOnce(&mut Value)) -> Self {
        if let Entry::Occupied(entry) = &mut self {
            change(entry.get_mut());
        }
        self
    }
}

impl<'a> OccupiedEntry<'a> {
    /// The member.
    pub fn get(&self) -> &Value {
        &self.map.entries[self.at].1
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self) -> &mut Value {
        &mut self.map.entries[self.at].1
    }

    /// The same, for as long as the object is borrowed.
    pub fn into_mut(self) -> &'a mut Value {
        &mut self.map.entries[self.at].1
    }

    /// Puts another in its place and returns what was there.
    pub fn insert(&mut self, value: Value) -> Value {
        std::mem::replace(self.get_mut(), value)
    }
}

impl<'a> VacantEntry<'a> {
    /// Makes it the last member.
    pub fn insert(self, value: Value) -> &'a mut Value {
        let at = self.map.push(self.key, value);
        &mut self.map.entries[at].1
    }
}

#[cfg(test)]
mod tests {
    use super::{FEW, Map, Value};

    /// Every way to change a map, beside `serde_json`'s; the seed makes the runs differ and repeatable.
    #[test]
    fn behaves_as_serde_json_does_with_few_and_many_members() {
        for seed in 1..200_u64 {
            let (mut ours, mut theirs, mut random) = (Map::new(), serde_json::Map::new(), seed);
            for _ in 0..seed {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (key, number) =
                    (format!("key-{}-{}", (random >> 33) % 40, "x".repeat((random >> 50) as usize % 30)), random >> 40);
                match (random >> 60) % 8 {
                    0 => assert_eq!(ours.remove(&key).map(|v| v.to_string()), theirs.remove(&key).map(|v| v.to_string())),
                    1 => assert_eq!(
                        ours.shift_remove(&key).map(|v| v.to_string()),
                        theirs.shift_remove(&key).map(|v| v.to_string())
                    ),
                    2 => assert_eq!(ours.get(&key).map(ToString::to_string), theirs.get(&key).map(ToString::to_string)),
                    3 => {
                        *ours.entry(key.as_str()).or_insert(Value::Null) = Value::Bool(true);
                        *theirs.entry(key).or_insert(serde_json::Value::Null) = serde_json::Value::Bool(true);
                    }
                    4 if number % 9 == 0 => {
                        ours.retain(|key, _| key.len() % 2 == 0);
                        theirs.retain(|key, _| key.len() % 2 == 0);
                    }
                    5 if number % 9 == 0 => {
                        ours.sort_keys();
                        theirs.sort_keys();
                    }
                    _ => {
                        ours.insert(key.as_str(), Value::from(number));
                        theirs.insert(key, serde_json::Value::from(number));
                    }
                }
                assert_eq!(serde_json::to_string(&ours).unwrap(), serde_json::to_string(&theirs).unwrap(), "seed {seed}");
            }
        }
    }

    #[test]
    fn equality_does_not_look_at_the_order() {
        for many in [3, FEW + 3] {
            let forth: Map = (0..many).map(|n| (n.to_string(), Value::from(n))).collect();
            let mut back: Map = (0..many).rev().map(|n| (n.to_string(), Value::from(n))).collect();
            assert_eq!(forth, back);
            back.insert("0", Value::Null);
            assert_ne!(forth, back);
        }
    }
}
