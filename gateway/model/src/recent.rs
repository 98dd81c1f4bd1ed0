//! What was asked for lately, within a bound: two generations of a table, of which the older goes when the newer is full. Knows
//! neither what is kept nor what it weighs, and is not shared by itself.

use std::collections::HashMap;
use std::hash::Hash;

/// The table. What nobody asked for while the newer generation filled up is forgotten.
#[derive(Debug)]
pub struct Recent<K, V> {
    newer: HashMap<K, (V, usize)>,
    older: HashMap<K, (V, usize)>,
    /// Of the newer generation.
    weight: usize,
    most: usize,
}

impl<K: Eq + Hash + Copy, V: Clone> Recent<K, V> {
    /// An empty one, of which each generation weighs no more than this.
    pub fn new(most: usize) -> Self {
        Self { newer: HashMap::new(), older: HashMap::new(), weight: 0, most }
    }

    /// What is kept under a key.
    pub fn get(&mut self, key: K) -> Option<V> {
        if let Some((value, _)) = self.newer.get(&key) {
            return Some(value.clone());
        }
        let (value, weight) = self.older.remove(&key)?;
        self.put(key, value.clone(), weight);
        Some(value)
    }

    /// Keeps a value, in place of one that is there.
    pub fn put(&mut self, key: K, value: V, weight: usize) {
        if self.weight + weight > self.most && !self.newer.contains_key(&key) {
            self.older = std::mem::take(&mut self.newer);
            self.weight = 0;
        }
        let before = self.newer.insert(key, (value, weight)).map_or(0, |(_, weight)| weight);
        self.weight = self.weight + weight - before;
    }

    /// How much the newer generation weighs.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// How many values are kept.
    pub fn len(&self) -> usize {
        self.newer.len() + self.older.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut recent = Recent::new(3);
        assert!(recent.is_empty());
        for key in 0..10 {
            recent.put(key, key, 1);
            assert_eq!(recent.get(0), Some(0));
            assert!(recent.weight() <= 3 && recent.len() <= 6);
        }
        assert_eq!((recent.get(1), recent.get(9)), (None, Some(9)));
    }

    #[test]
    fn what_is_put_again_counts_once() {
        let mut recent = Recent::new(3);
        recent.put("a", 1, 3);
        recent.put("a", 2, 2);
        assert_eq!((recent.weight(), recent.len(), recent.get("a")), (2, 1, Some(2)));
    }
}
