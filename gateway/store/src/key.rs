//! Where an object lies: `/registry/pods/default/web`. Knows no kind; the caller says where the resource's prefix ends.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Longest key in bytes. Names are at most 253 bytes and a group, resource and namespace come before them; etcd takes
/// far longer ones, so this only keeps a caller's mistake from being stored.
pub const KEY_BYTES_MAX: usize = 2048;

/// A full key together with the length of its resource's prefix, so that nobody has to guess which resource it is of.
/// Ordered by the full key's bytes.
#[derive(Clone)]
pub struct Key {
    text: Arc<str>,
    prefix_len: u16,
}

impl Key {
    /// Joins a resource's prefix (`/registry/pods/`, with its last slash) and what follows it (`default/web`, or `node-1`
    /// for what lives in no namespace).
    pub fn new(prefix: &str, rest: &str) -> Self {
        let mut text = String::with_capacity(prefix.len() + rest.len());
        text.push_str(prefix);
        text.push_str(rest);
        Self { text: text.into(), prefix_len: u16::try_from(prefix.len()).unwrap_or(u16::MAX) }
    }

    /// From a full key and the length of its prefix, as a record keeps them; `None` when they do not fit together.
    pub(crate) fn from_parts(text: &str, prefix_len: u16) -> Option<Self> {
        let inside = usize::from(prefix_len) < text.len() && text.is_char_boundary(usize::from(prefix_len));
        inside.then(|| Self { text: text.into(), prefix_len })
    }

    /// The full key.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The full key, shared.
    pub fn shared(&self) -> &Arc<str> {
        &self.text
    }

    /// The resource's prefix, with its last slash.
    pub fn prefix(&self) -> &str {
        self.text.get(..usize::from(self.prefix_len)).unwrap_or(&self.text)
    }

    /// What follows the prefix: `namespace/name` or `name`.
    pub fn rest(&self) -> &str {
        self.text.get(usize::from(self.prefix_len)..).unwrap_or("")
    }

    /// The namespace, when the key has one.
    pub fn namespace(&self) -> Option<&str> {
        self.rest().rsplit_once('/').map(|(namespace, _)| namespace)
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        self.rest().rsplit_once('/').map_or(self.rest(), |(_, name)| name)
    }

    /// Whether the key can be stored: a prefix that ends in a slash, something after it, not too long.
    pub(crate) fn is_sound(&self) -> bool {
        self.prefix().ends_with('/') && !self.rest().is_empty() && self.text.len() <= KEY_BYTES_MAX
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl std::ops::Deref for Key {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn splits_at_the_prefix_it_was_given() {
        let pod = Key::new("/registry/services/specs/", "default/web");
        assert_eq!((pod.prefix(), pod.rest()), ("/registry/services/specs/", "default/web"));
        assert_eq!((pod.namespace(), pod.name()), (Some("default"), "web"));
        let node = Key::new("/registry/minions/", "node-1");
        assert_eq!((node.namespace(), node.name()), (None, "node-1"));
    }

    #[test]
    fn refuses_parts_that_do_not_fit() {
        assert!(Key::from_parts("/registry/pods/a", 99).is_none());
        assert!(Key::from_parts("é", 1).is_none());
        assert!(!Key::new("/registry/pods/", "").is_sound());
        assert!(!Key::new("/registry/pods", "a").is_sound());
        assert!(Key::new("/registry/pods/", "a").is_sound());
    }
}
