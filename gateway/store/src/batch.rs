//! Applies transactions one after the other to what is there, giving revisions: what one commit will make durable.
//! Pure: writes nothing and publishes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use model::Revision;

use crate::change::Change;
use crate::op::{BODY_BYTES_MAX, TRANSACTION_OPS_MAX};
use crate::{Cache, Committed, Draft, Entry, Error, Expect, Key, Op, ResourceCache, record};

/// The transactions of one commit.
pub(crate) struct Batch<'a> {
    cache: &'a Cache,
    now_s: u64,
    /// The last revision given.
    pub(crate) revision: Revision,
    /// What each key will hold, in order of keys: what the disk is told.
    pub(crate) writes: BTreeMap<Key, Write>,
    /// What happened, in order, per resource: what watchers are told.
    pub(crate) changes: Vec<(Arc<ResourceCache>, Vec<Arc<Change>>)>,
}

/// What is stored of an operation instead of what it says, and its mark; nothing where it is stored as it is.
pub(crate) type Seal = Option<(Bytes, u32)>;

/// What a key will hold.
pub(crate) enum Write {
    /// An entry and its record.
    Put(Arc<Entry>, Bytes),
    /// Nothing.
    Delete,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(cache: &'a Cache, now_s: u64) -> Self {
        Self { cache, now_s, revision: cache.revision(), writes: BTreeMap::new(), changes: Vec::new() }
    }

    /// Applies one transaction wholly or not at all; of what is to be stored encrypted, that form comes with it. The answer must be held back until the batch is durable, also when it
    /// is a conflict: what it conflicts with may be of this very batch.
    pub(crate) fn apply(&mut self, ops: &[Op], sealed: &[Seal]) -> Result<Committed, Error> {
        check(ops)?;
        let mut found = Vec::with_capacity(ops.len());
        for op in ops {
            let resource = self.cache.resource(op.key().prefix());
            let current = self.current(&resource, op.key());
            if !holds(op, current.as_deref()) {
                return Err(Error::Conflict { key: op.key().clone(), current });
            }
            found.push((resource, current));
        }
        let mut entries = Vec::with_capacity(ops.len());
        for (at, (op, (resource, current))) in ops.iter().zip(found).enumerate() {
            entries.push(self.write(op, sealed.get(at).and_then(Option::as_ref), &resource, current));
        }
        Ok(Committed { revision: self.revision, entries })
    }

    /// What a key held before this batch.
    pub(crate) fn before(&self, key: &Key) -> Option<Arc<Entry>> {
        self.cache.known(key.prefix())?.get(key)
    }

    fn current(&self, resource: &ResourceCache, key: &Key) -> Option<Arc<Entry>> {
        match self.writes.get(key) {
            Some(Write::Put(entry, _)) => Some(entry.clone()),
            Some(Write::Delete) => None,
            None => resource.get(key),
        }
    }

    fn write(
        &mut self,
        op: &Op,
        sealed: Option<&(Bytes, u32)>,
        resource: &Arc<ResourceCache>,
        current: Option<Arc<Entry>>,
    ) -> Arc<Entry> {
        self.revision += 1;
        let (revision, key) = (self.revision, op.key().clone());
        match (op, current) {
            (Op::Put { draft, .. }, current) => {
                let created = current.as_ref().map_or(revision, |current| current.created);
                let expires_s = draft.ttl_s.map(|ttl_s| self.now_s + u64::from(ttl_s));
                let (entry, mut record) = record::encode(&key, draft, revision, created, expires_s);
                if let Some((bytes, mark)) = sealed {
                    record = record::sealed::encode(&entry, bytes);
                    entry.set_mark(*mark);
                }
                self.writes.insert(key.clone(), Write::Put(entry.clone(), record));
                self.note(resource, Change::new(revision, key, current, Some(entry.clone())));
                entry
            }
            (Op::Delete { .. }, Some(current)) => {
                self.writes.insert(key.clone(), Write::Delete);
                let change = Change::new(revision, key, Some(current.clone()), None);
                // A change with an old side always has its tombstone.
                let gone = change.gone().cloned().unwrap_or(current);
                self.note(resource, change);
                gone
            }
            (Op::Delete { .. }, None) => unreachable!("`holds` refuses to delete what is not there"),
        }
    }

    fn note(&mut self, resource: &Arc<ResourceCache>, change: Change) {
        let change = Arc::new(change);
        match self.changes.iter_mut().find(|(other, _)| Arc::ptr_eq(other, resource)) {
            Some((_, changes)) => changes.push(change),
            None => self.changes.push((resource.clone(), vec![change])),
        }
    }
}

/// Whether an operation's condition holds for what is there.
pub(crate) fn holds(op: &Op, current: Option<&Entry>) -> bool {
    match (op.expect(), current) {
        (Expect::Absent, current) => current.is_none() && matches!(op, Op::Put { .. }),
        (Expect::Revision(revision), current) => current.is_some_and(|current| current.revision == revision),
        (Expect::Any, current) => current.is_some() || matches!(op, Op::Put { .. }),
    }
}

/// What can be said without knowing what is there.
pub(crate) fn check(ops: &[Op]) -> Result<(), Error> {
    let fault = |op: &Op, reason| Err(Error::Invalid { key: op.key().clone(), reason });
    for (at, op) in ops.iter().enumerate() {
        if at >= TRANSACTION_OPS_MAX {
            return fault(op, "the transaction has too many operations");
        }
        if !op.key().is_sound() {
            return fault(op, "the key is empty, too long, or has no prefix that ends in a slash");
        }
        if ops[..at].iter().any(|other| other.key() == op.key()) {
            return fault(op, "the transaction names the key twice");
        }
        if let Op::Put { draft, .. } = op
            && let Some(reason) = draft_fault(draft)
        {
            return fault(op, reason);
        }
    }
    Ok(())
}

/// The reason of a refusal that a smaller object would not meet.
pub const OBJECT_TOO_LARGE: &str = "the object is too large";

fn draft_fault(draft: &Draft) -> Option<&'static str> {
    if draft.body.len() > BODY_BYTES_MAX {
        return Some(OBJECT_TOO_LARGE);
    }
    let at = draft.revision_at;
    let quoted = at > 0 && draft.body.get(at - 1) == Some(&b'"') && draft.body.get(at) == Some(&b'"');
    if !quoted {
        return Some("the revision's place in the object is not an empty string");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Header;

    fn put(name: &str, body: &'static str, revision_at: usize) -> Op {
        let draft = Draft { header: Header::default(), body: Bytes::from_static(body.as_bytes()), revision_at, ttl_s: None };
        Op::Put { key: Key::new("/registry/pods/", name), expect: Expect::Any, draft }
    }

    #[test]
    fn unsound_transactions_are_refused() {
        let good = || put("a", r#"{"r":""}"#, 6);
        assert!(check(&[good()]).is_ok());
        assert!(check(&[good(), good()]).is_err(), "one key twice");
        assert!(check(&[put("", r#"{"r":""}"#, 6)]).is_err(), "no name");
        assert!(check(&[put("a", r#"{"r":""}"#, 5)]).is_err(), "not between the quotes");
        assert!(check(&[put("a", r#"{"r":""}"#, 99)]).is_err(), "beyond the body");
        let many: Vec<_> = (0..=TRANSACTION_OPS_MAX).map(|n| put(&n.to_string(), r#"{"r":""}"#, 6)).collect();
        assert!(check(&many).is_err(), "too many");
    }
}
