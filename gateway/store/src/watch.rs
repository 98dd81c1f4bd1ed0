//! Watching a resource from a revision. Knows no frames of HTTP and no bookmarks; it says when one would be true.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::Revision;
use tokio::sync::Notify;

use crate::change::Event;
use crate::log::{Index, NODE_NAME, Place};
use crate::{Entry, ResourceCache};

/// Decides whether an entry is of interest; looks at its header only, as a rule.
pub type Selector = Arc<dyn Fn(&Entry) -> bool + Send + Sync>;

/// What a watcher wants to see. The first three also find it, so that a change wakes only those it concerns; what they
/// say need not be repeated in `selector`.
#[derive(Clone, Default)]
pub struct Interest {
    /// Only objects of this namespace.
    pub namespace: Option<Box<str>>,
    /// Only objects of this `metadata.name`.
    pub name: Option<Box<str>>,
    /// Only objects whose selectable field `spec.nodeName` is this; absent is the same as empty.
    pub node: Option<Box<str>>,
    /// Only objects that this accepts: labels and the other fields.
    pub selector: Option<Selector>,
}

impl Interest {
    /// Everything of the resource.
    pub fn all() -> Self {
        Self::default()
    }

    /// Whether an entry is of interest.
    pub fn matches(&self, entry: &Entry) -> bool {
        self.namespace.as_deref().is_none_or(|namespace| entry.key.namespace() == Some(namespace))
            && self.name.as_deref().is_none_or(|name| entry.key.name() == name)
            && self.node.as_deref().is_none_or(|node| entry.header.fields.get(NODE_NAME).unwrap_or("") == node)
            && self.selector.as_ref().is_none_or(|selector| selector(entry))
    }

    fn place(&self) -> Place {
        // Pods without a node may say so by not having the field at all, and then no index leads to them.
        let node = self.node.as_ref().filter(|node| !node.is_empty());
        match (node, &self.name, &self.namespace) {
            (_, Some(name), Some(namespace)) => Some((Index::Object, format!("{namespace}/{name}").into())),
            (Some(node), ..) => Some((Index::Node, node.clone())),
            (None, Some(name), None) => Some((Index::Name, name.clone())),
            (None, None, Some(namespace)) => Some((Index::Namespace, namespace.clone())),
            (None, None, None) => None,
        }
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, name, node, selector } = self;
        write!(f, "Interest({namespace:?}, {name:?}, {node:?}, selector: {})", selector.is_some())
    }
}

/// Why a watch cannot begin or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The revision is older than what is remembered: 410, the client must list again.
    #[error("the revision is too old; changes are known after {oldest}")]
    Gone {
        /// Watching is possible from this revision on.
        oldest: Revision,
    },
    /// The watcher did not read for so long that changes meant for it fell off the log. To be closed without an error, so
    /// that the client resumes from what it saw last.
    #[error("the watcher is too slow")]
    Slow,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// A cursor in a resource's log. Costs nothing while nothing of interest happens; leaves the log when dropped.
pub struct Watcher {
    resource: Arc<ResourceCache>,
    interest: Interest,
    place: Place,
    id: u64,
    next: u64,
    /// Changes up to here are not reported: the client has them.
    from: Revision,
    /// Revision of the last change that was read. The next one may have the same, where one transaction wrote both.
    read: Revision,
    signal: Arc<Notify>,
}

impl Watcher {
    pub(crate) fn new(resource: Arc<ResourceCache>, from: Revision, interest: Interest) -> Result<Self, WatchError> {
        let (place, signal) = (interest.place(), Arc::new(Notify::new()));
        let (id, next) = resource.log.write().subscribe(&place, from, signal.clone())?;
        resource.shared.metrics.watchers.fetch_add(1, Ordering::Relaxed);
        Ok(Self { resource, interest, place, id, next, from, read: from, signal })
    }

    /// Waits for events of interest; never gives an empty batch. Cancel-safe: dropping the future loses nothing.
    pub async fn next_batch(&mut self) -> Result<Vec<Event>, WatchError> {
        loop {
            let (events, exhausted) = self.read()?;
            if !events.is_empty() {
                return Ok(events);
            }
            if exhausted {
                self.signal.notified().await;
            }
        }
    }

    /// The events that are there, without waiting; empty when there are none.
    pub fn try_batch(&mut self) -> Result<Vec<Event>, WatchError> {
        loop {
            let (events, exhausted) = self.read()?;
            if exhausted || !events.is_empty() {
                return Ok(events);
            }
        }
    }

    /// A revision up to which this watcher has been given everything: what a bookmark says. `None` while something is
    /// still to be read.
    pub fn progress(&self) -> Option<Revision> {
        // Before looking at the log: what is published up to here is in the log already.
        let published = self.resource.shared.published();
        let drained = self.resource.log.read().is_drained(&self.place, self.next);
        drained.then(|| published.max(self.read))
    }

    /// One piece of the log, as this watcher sees it, and whether that was all there is.
    fn read(&mut self) -> Result<(Vec<Event>, bool), WatchError> {
        let max = self.resource.shared.limits.watch_batch_max;
        let (changes, next) = self.resource.log.read().read(&self.place, self.next, max)?;
        self.next = next;
        let mut events = Vec::with_capacity(changes.len());
        for change in changes.iter().filter(|change| change.revision > self.from) {
            events.extend(Event::seen(change, |entry| self.interest.matches(entry)));
        }
        if let Some(last) = changes.last() {
            self.read = self.read.max(last.revision);
        }
        Ok((events, changes.len() < max))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.resource.log.write().unsubscribe(&self.place, self.id);
        self.resource.shared.metrics.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}
