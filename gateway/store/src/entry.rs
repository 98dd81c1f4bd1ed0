//! One object at one revision, as bytes ready to be sent. Does not know what is in them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use model::Revision;
use parking_lot::Mutex;

use crate::unread::Unread;
use crate::{Header, Key};

/// Renderings kept with one entry: protobuf, one or two other versions, a compressed block. More would let a client make
/// the cache many times larger by asking for every version of everything.
pub const RENDERINGS_MAX: usize = 4;

/// Which rendering of an object some bytes are: one (version, media type). The caller hands out the numbers; for one
/// resource, equal numbers must mean equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Form(pub u32);

impl Form {
    /// The same bytes, compressed by themselves.
    pub fn compressed(self) -> Self {
        Self(self.0.rotate_left(16) ^ 0x9e37_79b9)
    }
}

/// What a write brings: everything but the revision, which only the engine knows.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Labels and selectable fields of the object.
    pub header: Header,
    /// JSON of the object in its storage version, built-in kinds without `apiVersion` and `kind`, with
    /// `"resourceVersion":""`.
    pub body: Bytes,
    /// Where in `body` the revision's digits go: between the quotes.
    pub revision_at: usize,
    /// Seconds until the object goes away by itself; counted anew by every write.
    pub ttl_s: Option<u32>,
}

/// One object at one revision. Never changes, except that renderings are added and that it is noted how it is stored. Of one that
/// cannot be read there is no body, which is no JSON to whoever parses it.
#[derive(Debug)]
pub struct Entry {
    /// Where the object lies.
    pub key: Key,
    /// Revision of the write that made this state.
    pub revision: Revision,
    /// Revision of the write that created the object.
    pub created: Revision,
    /// Labels and selectable fields.
    pub header: Header,
    /// JSON in the storage version, the revision in its place.
    pub body: Bytes,
    /// When it goes away by itself, in seconds since 1970.
    pub expires_s: Option<u64>,
    pub(crate) revision_at: u32,
    /// With what it is stored, see [`crate::Transformer::mark`].
    mark: AtomicU32,
    renderings: Mutex<Vec<(Form, Bytes)>>,
    unread: Option<Box<Unread>>,
}

/// Nothing else is at the same place and revision, but for what can be read there by now.
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.revision == other.revision && self.key == other.key && self.unread.is_some() == other.unread.is_some()
    }
}

/// Everything an entry is made of; kept apart so that the renderings stay private.
pub(crate) struct Parts {
    pub(crate) key: Key,
    pub(crate) revision: Revision,
    pub(crate) created: Revision,
    pub(crate) header: Header,
    pub(crate) body: Bytes,
    pub(crate) expires_s: Option<u64>,
    pub(crate) revision_at: u32,
}

impl Entry {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { key, revision, created, header, body, expires_s, revision_at } = parts;
        Self {
            key,
            revision,
            created,
            header,
            body,
            expires_s,
            revision_at,
            mark: AtomicU32::new(0),
            renderings: Mutex::new(Vec::new()),
            unread: None,
        }
    }

    /// One that cannot be read.
    pub(crate) fn unreadable(
        key: Key,
        (revision, created): (Revision, Revision),
        expires_s: Option<u64>,
        unread: Unread,
    ) -> Self {
        let parts = Parts { key, revision, created, header: Header::default(), body: Bytes::new(), expires_s, revision_at: 0 };
        Self { unread: Some(Box::new(unread)), ..Self::new(parts) }
    }

    /// Why it cannot be read, where it cannot.
    pub fn unread(&self) -> Option<&Unread> {
        self.unread.as_deref()
    }

    /// Notes with what it is stored.
    pub(crate) fn set_mark(&self, mark: u32) {
        self.mark.store(mark, Ordering::Relaxed);
    }

    pub(crate) fn mark(&self) -> u32 {
        self.mark.load(Ordering::Relaxed)
    }

    /// The bytes of another rendering, made once and then shared. At most [`RENDERINGS_MAX`] are kept; what is asked for
    /// beyond that is made each time.
    pub fn rendering(&self, form: Form, make: impl FnOnce(&Self) -> Bytes) -> Bytes {
        if let Some(bytes) = find(&self.renderings.lock(), form) {
            return bytes;
        }
        // Made without the lock: two callers may both do the work once, but none waits for another's.
        let made = make(self);
        let mut renderings = self.renderings.lock();
        if let Some(bytes) = find(&renderings, form) {
            return bytes;
        }
        if renderings.len() < RENDERINGS_MAX {
            renderings.push((form, made.clone()));
        }
        made
    }

    /// A rendering that was made before, if it is still kept.
    pub fn rendered(&self, form: Form) -> Option<Bytes> {
        find(&self.renderings.lock(), form)
    }

    /// The same state with another body, to be shown and not stored.
    pub fn with_body(&self, body: Bytes) -> Self {
        let shown = Self::new(Parts {
            key: self.key.clone(),
            revision: self.revision,
            created: self.created,
            header: self.header.clone(),
            body,
            expires_s: self.expires_s,
            revision_at: self.revision_at,
        });
        shown.set_mark(self.mark());
        shown
    }

    /// The body with `apiVersion` and `kind` in front, for a single object. `type_meta` is the text that goes right after
    /// the opening brace, with its trailing comma (`"apiVersion":"v1","kind":"Pod",`), or empty.
    pub fn write_json(&self, type_meta: &str, out: &mut Vec<u8>) {
        out.reserve(self.body.len() + type_meta.len());
        out.push(b'{');
        out.extend_from_slice(type_meta.as_bytes());
        out.extend_from_slice(self.body.get(1..).unwrap_or_default());
    }

    /// The body with an empty revision, as a draft has it.
    pub(crate) fn unrevised(&self) -> Vec<u8> {
        let at = self.revision_at as usize;
        [&self.body[..at], &self.body[at + decimal_len(self.revision)..]].concat()
    }

    /// This state under a later revision: what a DELETED event carries.
    pub(crate) fn at_revision(&self, revision: Revision) -> Arc<Self> {
        let at = self.revision_at as usize;
        let digits = decimal_len(self.revision);
        let mut body = Vec::with_capacity(self.body.len() + 1);
        if self.unread.is_none() {
            body.extend_from_slice(&self.body[..at]);
            body.extend_from_slice(revision.to_string().as_bytes());
            body.extend_from_slice(&self.body[at + digits..]);
        }
        Arc::new(Self::new(Parts {
            key: self.key.clone(),
            revision,
            created: self.created,
            header: self.header.clone(),
            body: body.into(),
            expires_s: self.expires_s,
            revision_at: self.revision_at,
        }))
    }

    /// What the entry costs in memory, roughly: the body and what surrounds it.
    pub(crate) fn cost_bytes(&self) -> usize {
        self.body.len() + size_of::<Self>() + self.header.labels.text().len() + self.header.fields.text().len()
    }
}

fn find(renderings: &[(Form, Bytes)], form: Form) -> Option<Bytes> {
    renderings.iter().find(|(f, _)| *f == form).map(|(_, bytes)| bytes.clone())
}

/// How many digits a revision has.
pub(crate) fn decimal_len(revision: Revision) -> usize {
    revision.checked_ilog10().unwrap_or(0) as usize + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let body = br#"{"metadata":{"resourceVersion":"99"},"data":{}}"#;
        Entry::new(Parts {
            key: Key::new("/registry/configmaps/", "default/a"),
            revision: 99,
            created: 7,
            header: Header::default(),
            body: Bytes::from_static(body),
            expires_s: None,
            revision_at: 32,
        })
    }

    #[test]
    fn a_later_revision_takes_the_place_of_the_old() {
        let later = entry().at_revision(100);
        assert_eq!(later.body, &br#"{"metadata":{"resourceVersion":"100"},"data":{}}"#[..]);
        assert_eq!((later.revision, later.created), (100, 7));
        assert_eq!(later.at_revision(12345).body, &br#"{"metadata":{"resourceVersion":"12345"},"data":{}}"#[..]);
    }

    #[test]
    fn renderings_are_made_once_and_bounded() {
        let entry = entry();
        assert_eq!(entry.rendering(Form(1), |_| "one".into()), "one");
        assert_eq!(entry.rendering(Form(1), |_| "again".into()), "one");
        for form in 2..20 {
            entry.rendering(Form(form), |_| "more".into());
        }
        assert_eq!(entry.renderings.lock().len(), RENDERINGS_MAX);
        assert_eq!(entry.rendering(Form(50), |_| "not kept".into()), "not kept");
    }

    #[test]
    fn type_meta_goes_after_the_brace() {
        let mut out = Vec::new();
        entry().write_json(r#""apiVersion":"v1","kind":"ConfigMap","#, &mut out);
        assert!(out.starts_with(br#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"#));
    }

    #[test]
    fn digits() {
        for revision in [0, 1, 9, 10, 99, 100, 12_345, u64::MAX] {
            assert_eq!(decimal_len(revision), revision.to_string().len());
        }
    }
}
