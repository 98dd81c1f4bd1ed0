//! What is known of an object without parsing its body: labels and selectable fields.
//! Does not decide which fields a kind has (`catalog`).

use std::fmt;

/// Sorted pairs of text in two allocations, however many there are: an object has ten of them and a store has a million
/// objects. Looking one up is a walk, which at these sizes is faster than hashing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    text: Box<str>,
    /// Where each key and each value ends in `text`: key, value, key, value…
    ends: Box<[u32]>,
}

/// Labels of an object.
pub type Labels = Pairs;
/// Selectable fields of an object by path, such as `spec.nodeName`.
pub type Fields = Pairs;

impl Pairs {
    /// Value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// The pairs in order of their keys' bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut from = 0;
        self.ends.chunks_exact(2).map(move |ends| {
            let (middle, end) = (ends[0] as usize, ends[1] as usize);
            let pair = (&self.text[from..middle], &self.text[middle..end]);
            from = end;
            pair
        })
    }

    /// How many pairs.
    pub fn len(&self) -> usize {
        self.ends.len() / 2
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// From the parts that a record keeps; `None` when they do not fit together.
    pub(crate) fn from_parts(text: &str, ends: Box<[u32]>) -> Option<Self> {
        let mut from = 0;
        for &end in &ends {
            if end < from || !text.is_char_boundary(end as usize) {
                return None;
            }
            from = end;
        }
        (ends.len().is_multiple_of(2) && from as usize == text.len()).then(|| Self { text: text.into(), ends })
    }
}

/// Sorts by key; of two pairs with one key the later is kept.
impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Pairs {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let sorted: std::collections::BTreeMap<String, String> = pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        let mut text = String::new();
        let mut ends = Vec::with_capacity(sorted.len() * 2);
        for (key, value) in &sorted {
            for part in [key, value] {
                text.push_str(part);
                // A body is limited to a few MiB and its labels are part of it, so an offset fits in 32 bits.
                ends.push(text.len() as u32);
            }
        }
        Self { text: text.into(), ends: ends.into() }
    }
}

impl fmt::Debug for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Written in front of the body in the stored record, so that loading parses no JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// `metadata.labels`.
    pub labels: Labels,
    /// Selectable fields by path. `metadata.name` and `metadata.namespace` need not be here: the key has them.
    pub fields: Fields,
}

#[cfg(test)]
mod tests {
    use super::Pairs;

    #[test]
    fn sorted_and_found() {
        let pairs: Pairs = [("tier", "web"), ("app", "shop"), ("empty", "")].into_iter().collect();
        assert_eq!(pairs.iter().collect::<Vec<_>>(), [("app", "shop"), ("empty", ""), ("tier", "web")]);
        assert_eq!(pairs.get("tier"), Some("web"));
        assert_eq!(pairs.get("empty"), Some(""));
        assert_eq!(pairs.get("absent"), None);
        assert_eq!(pairs.len(), 3);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        assert!(Pairs::from_parts("ab", [1, 2].into()).is_some());
        assert!(Pairs::from_parts("ab", [2, 1].into()).is_none());
        assert!(Pairs::from_parts("ab", [1].into()).is_none());
        assert!(Pairs::from_parts("ab", [1, 9].into()).is_none());
        assert!(Pairs::from_parts("é", [1, 2].into()).is_none());
    }
}
