//! A resource at one revision: a persistent map that nobody can change any more. Does not remember older ones (`pin`).

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use model::Revision;

use crate::Entry;
use crate::change::Change;

/// What is published, swapped as one.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Revision of the last change in it.
    pub(crate) revision: Revision,
    pub(crate) entries: OrdMap<Arc<str>, Arc<Entry>>,
    /// Those of them that cannot be read.
    pub(crate) unread: OrdMap<Arc<str>, Arc<Entry>>,
}

impl State {
    /// The same at a later revision, to be changed.
    pub(crate) fn next(&self, revision: Revision) -> Self {
        Self { revision, entries: self.entries.clone(), unread: self.unread.clone() }
    }

    /// As it was before some changes, the newest of which comes first.
    pub(crate) fn before<'a>(&self, revision: Revision, changes: impl IntoIterator<Item = &'a Arc<Change>>) -> Self {
        let mut state = self.next(revision);
        for change in changes {
            match &change.old {
                Some(old) => state.insert(old.clone()),
                None => state.remove(change.key.as_str()),
            }
        }
        state
    }

    /// Puts an entry in the place of what was there.
    pub(crate) fn insert(&mut self, entry: Arc<Entry>) {
        let key = entry.key.shared().clone();
        if entry.unread().is_some() {
            self.unread.insert(key.clone(), entry.clone());
        } else if !self.unread.is_empty() {
            self.unread.remove(&key);
        }
        self.entries.insert(key, entry);
    }

    /// Removes what lies under a key.
    pub(crate) fn remove(&mut self, key: &str) {
        self.entries.remove(key);
        if !self.unread.is_empty() {
            self.unread.remove(key);
        }
    }
}

/// A resource at one revision. Taking one costs two atomic operations; holding one blocks nobody, but keeps alive what
/// was replaced since.
#[derive(Clone, Debug)]
pub struct Snapshot {
    revision: Revision,
    state: Arc<State>,
}

impl Snapshot {
    pub(crate) fn new(revision: Revision, state: Arc<State>) -> Self {
        Self { revision, state }
    }

    /// The revision at which this is the truth: what a list answers, and what a watch continues from.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Objects in the whole resource.
    pub fn len(&self) -> usize {
        self.state.entries.len()
    }

    /// Whether the resource has no object.
    pub fn is_empty(&self) -> bool {
        self.state.entries.is_empty()
    }

    /// One object by its full key.
    pub fn get(&self, key: &str) -> Option<&Arc<Entry>> {
        self.state.entries.get(key)
    }

    /// All objects in order of their full keys' bytes.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.state.entries.values()
    }

    /// Those that cannot be read, in the same order. While there is one, nobody can say what the resource holds.
    pub fn unread(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.state.unread.values()
    }

    /// What changed between an older snapshot of the same resource and this one: full key and the entry now, `None` when it
    /// is gone. Costs what changed, not what there is.
    pub fn changes_since<'a>(&'a self, older: &'a Self) -> impl Iterator<Item = (&'a str, Option<&'a Arc<Entry>>)> {
        older.state.entries.diff(&self.state.entries).map(|item| match item {
            DiffItem::Add(key, entry) | DiffItem::Update { new: (key, entry), .. } => (&**key, Some(entry)),
            DiffItem::Remove(key, _) => (&**key, None),
        })
    }

    /// Objects whose key is at or after `start` and begins with `under` (the resource's prefix, or that and a namespace
    /// and a slash), in order of their keys' bytes. An empty `start` means the beginning.
    pub fn range<'a>(&'a self, start: &str, under: &'a str) -> impl Iterator<Item = &'a Arc<Entry>> {
        let start = if start > under { start } else { under };
        self.state
            .entries
            .range::<_, str>((Bound::Included(start), Bound::Unbounded))
            .map(|(_, entry)| entry)
            .take_while(move |entry| entry.key.starts_with(under))
    }

    /// The next `count` objects after the key `after` (from the beginning when that is `None`) that begin with `under`:
    /// for an answer that streams and cannot hold an iterator between two pieces.
    pub fn page(&self, after: Option<&str>, under: &str, count: usize) -> Vec<Arc<Entry>> {
        let fresh = |entry: &&Arc<Entry>| after.is_none_or(|after| &*entry.key != after);
        self.range(after.unwrap_or(""), under).filter(fresh).take(count).cloned().collect()
    }

    pub(crate) fn state(&self) -> &Arc<State> {
        &self.state
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::entry::Parts;
    use crate::{Header, Key};

    /// Some of many keys written or removed, at revisions that rise.
    fn changed(state: &State, changes: &[(u16, bool)]) -> State {
        let mut next = state.next(state.revision);
        for (name, put) in changes {
            next.revision += 1;
            let revision = next.revision;
            let key = Key::new("/registry/pods/", &format!("{:04}", name % 3000));
            let parts = Parts {
                key: key.clone(),
                revision,
                created: revision,
                header: Header::default(),
                body: Bytes::from_static(b"{}"),
                expires_s: None,
                revision_at: 0,
            };
            match put {
                true => next.insert(Arc::new(Entry::new(parts))),
                false => next.remove(key.as_str()),
            }
        }
        next
    }

    fn changes() -> impl Strategy<Value = Vec<(u16, bool)>> {
        prop_oneof![prop::collection::vec(any::<(u16, bool)>(), 0..12), prop::collection::vec(any::<(u16, bool)>(), 0..2000)]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        /// Who follows a resource in this way (RBAC does) must miss nothing: a removal that is overlooked is a right
        /// that stays.
        #[test]
        fn changes_since_are_exactly_what_differs(first in changes(), second in changes()) {
            let all: Vec<_> = (0..3000).map(|name| (name, true)).collect();
            let older = changed(&changed(&State::default(), &all), &first);
            let newer = changed(&older, &second);
            let (older, newer) = (Snapshot::new(older.revision, Arc::new(older)), Snapshot::new(newer.revision, Arc::new(newer)));
            let mut followed: BTreeMap<&str, u64> = older.iter().map(|entry| (entry.key.as_str(), entry.revision)).collect();
            for (key, entry) in newer.changes_since(&older) {
                let before = match entry {
                    Some(entry) => followed.insert(key, entry.revision),
                    None => followed.remove(key),
                };
                prop_assert_ne!(before, entry.map(|entry| entry.revision), "{} is reported and has not changed", key);
            }
            let held: BTreeMap<&str, u64> = newer.iter().map(|entry| (entry.key.as_str(), entry.revision)).collect();
            prop_assert_eq!(followed, held);
        }
    }
}
