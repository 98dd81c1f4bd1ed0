//! One event of a resource's log and how it looks to one watcher. Does not keep the log (`log`).

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use model::Revision;
use parking_lot::Mutex;

use crate::entry::Form;
use crate::{Entry, Key};

/// Frames kept with one event: a few forms, each as at most three kinds of event.
const FRAMES_MAX: usize = 8;

/// What an event is to a watcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The object appeared or began to match.
    Added,
    /// The object changed.
    Modified,
    /// The object went away or no longer matches.
    Deleted,
}

impl Kind {
    /// The `type` of a watch event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One write to one object, shared by the log and all watchers.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) revision: Revision,
    pub(crate) key: Key,
    pub(crate) old: Option<Arc<Entry>>,
    pub(crate) new: Option<Arc<Entry>>,
    gone: OnceLock<Arc<Entry>>,
    frames: Mutex<Vec<(Form, Kind, Bytes)>>,
}

impl Change {
    pub(crate) fn new(revision: Revision, key: Key, old: Option<Arc<Entry>>, new: Option<Arc<Entry>>) -> Self {
        Self { revision, key, old, new, gone: OnceLock::new(), frames: Mutex::new(Vec::new()) }
    }

    /// The previous state under this change's revision: what those see for whom the object went away.
    pub(crate) fn gone(&self) -> Option<&Arc<Entry>> {
        let old = self.old.as_ref()?;
        Some(self.gone.get_or_init(|| old.at_revision(self.revision)))
    }

    /// Both sides of the change, those that exist.
    pub(crate) fn sides(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.old.iter().chain(self.new.iter())
    }

    /// Lets go of rendered frames.
    pub(crate) fn forget_frames(&self) {
        *self.frames.lock() = Vec::new();
    }

    /// What the change alone keeps in memory.
    pub(crate) fn cost_bytes(&self) -> usize {
        self.old.as_ref().map_or(0, |old| old.cost_bytes()) + size_of::<Self>()
    }
}

/// An event as one watcher sees it.
#[derive(Clone, Debug)]
pub struct Event {
    /// What it is to this watcher.
    pub kind: Kind,
    /// The new state; for DELETED the previous state with the event's revision in its body.
    pub entry: Arc<Entry>,
    change: Arc<Change>,
}

impl Event {
    /// How a change looks to somebody who sees only what `matches`; `None` when it does not concern them.
    pub(crate) fn seen(change: &Arc<Change>, matches: impl Fn(&Entry) -> bool) -> Option<Self> {
        let was = change.old.as_ref().is_some_and(|old| matches(old));
        let (kind, entry) = match change.new.as_ref().filter(|new| matches(new)) {
            Some(new) if was => (Kind::Modified, new),
            Some(new) => (Kind::Added, new),
            None if was => (Kind::Deleted, change.gone()?),
            None => return None,
        };
        Some(Self { kind, entry: entry.clone(), change: change.clone() })
    }

    /// The event's revision, from which a watcher resumes.
    pub fn revision(&self) -> Revision {
        self.change.revision
    }

    /// The state before the change, when there was one, with the revision it had.
    pub fn previous(&self) -> Option<&Arc<Entry>> {
        self.change.old.as_ref()
    }

    /// `{"type":"ADDED","object":{…}}` and a newline, rendered once per form and shared by all watchers. `type_meta` as in
    /// [`Entry::write_json`].
    pub fn json_frame(&self, form: Form, type_meta: &str) -> Bytes {
        self.frame(form, |kind, entry| {
            let mut out = Vec::with_capacity(entry.body.len() + type_meta.len() + 40);
            out.extend_from_slice(b"{\"type\":\"");
            out.extend_from_slice(kind.as_str().as_bytes());
            out.extend_from_slice(b"\",\"object\":");
            entry.write_json(type_meta, &mut out);
            out.extend_from_slice(b"}\n");
            out.into()
        })
    }

    /// A frame in any other form, rendered once and shared by all watchers who ask for the same form.
    pub fn frame(&self, form: Form, render: impl FnOnce(Kind, &Entry) -> Bytes) -> Bytes {
        let find = |frames: &[(Form, Kind, Bytes)]| frames.iter().find(|f| f.0 == form && f.1 == self.kind).map(|f| f.2.clone());
        // Rendered under the lock: all watchers of a resource wake together, and each would otherwise render for itself.
        let mut frames = self.change.frames.lock();
        if let Some(frame) = find(&frames) {
            return frame;
        }
        let frame = render(self.kind, &self.entry);
        if frames.len() < FRAMES_MAX {
            frames.push((form, self.kind, frame.clone()));
        }
        frame
    }
}
