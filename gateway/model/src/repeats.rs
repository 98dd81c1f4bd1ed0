//! Which items of a list came before in it. A client makes lists as long as a body holds: comparing each item with all before
//! it would take minutes, during which nobody else is served.

use std::collections::HashSet;
use std::hash::Hash;

/// For each item whether an equal one stands before it.
pub fn repeats<T: Hash + Eq>(items: impl IntoIterator<Item = T>) -> Vec<bool> {
    let mut known = HashSet::new();
    items.into_iter().map(|item| !known.insert(item)).collect()
}

#[cfg(test)]
mod tests {
    use super::repeats;
    use crate::json::json;

    #[test]
    fn the_first_of_equals_is_none() {
        assert_eq!(repeats(["a", "b", "a", "a"]), [false, false, true, true]);
        let members = [json!({"a": 1, "b": [null]}), json!({"b": [null], "a": 1}), json!({"a": 1}), json!({"a": 1.5})];
        assert_eq!(repeats(&members), [false, true, false, false], "members of an object have no order");
    }
}
