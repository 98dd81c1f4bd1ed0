//! Tells whoever keeps stored objects compiled (`admission::followed`) of all there are, then of every change. Knows no kind.

use std::sync::Arc;

use admission::followed::Followed;
use model::{Revision, Value};
use store::{Entry, Event, Interest, Kind, ResourceCache, WatchError, Watcher};

use crate::gate::Gate;
use crate::row::Row;
use crate::unread;

/// Tells of what is stored now, at once, and gives what follows it until dropped.
pub fn start(
    gate: &Arc<Gate>,
    (group, version, plural): (&str, &str, &str),
    followed: Arc<dyn Followed>,
) -> impl Future<Output = ()> + Send + use<> {
    let row = Row::named(gate, group, version, plural);
    let store = row.as_ref().map(|row| gate.store.resource(row.prefix()));
    let follower = row.zip(store).map(|(row, store)| Follower { row, store, followed });
    let from = follower.as_ref().map_or(0, |follower| {
        let newest = follower.store.clone();
        follower.followed.followed(Box::new(move || newest.changed()));
        follower.load()
    });
    async move {
        if let Some(follower) = follower {
            follower.follow(from).await;
        }
    }
}

struct Follower {
    row: Row,
    store: Arc<ResourceCache>,
    followed: Arc<dyn Followed>,
}

impl Follower {
    /// Reads all; gives the revision up to which that was. While something cannot be read it stays as it was: who keeps objects
    /// compiled would take what is not told for gone.
    fn load(&self) -> Revision {
        let snapshot = self.store.snapshot();
        if snapshot.unread().next().is_some() {
            tracing::error!(
                resource = self.store.prefix(),
                "what is stored stays out of force while a part of it cannot be read"
            );
            return snapshot.revision();
        }
        let all: Vec<Value> = snapshot.range("", self.store.prefix()).filter_map(|entry| self.read(entry)).collect();
        self.followed.replace(&all);
        self.followed.reach(snapshot.revision());
        snapshot.revision()
    }

    fn read(&self, entry: &Entry) -> Option<Value> {
        let read = self.row.parse(entry);
        read.inspect_err(|error| tracing::error!(key = %entry.key, %error, "a stored object cannot be read")).ok()
    }

    async fn follow(&self, mut from: Revision) {
        loop {
            let ended = match self.store.watch(from, Interest::default()) {
                Ok(watcher) => self.tell(watcher).await,
                Err(error) => error,
            };
            if matches!(ended, WatchError::Closed) {
                return;
            }
            from = self.load();
        }
    }

    /// Tells of changes until the watch ends.
    async fn tell(&self, mut watcher: Watcher) -> WatchError {
        loop {
            match watcher.next_batch().await {
                Ok(batch) => batch.iter().for_each(|event| self.event(event)),
                Err(error) => return error,
            }
        }
    }

    fn event(&self, event: &Event) {
        match event.kind {
            Kind::Deleted => self.followed.remove(event.entry.key.name()),
            Kind::Added | Kind::Modified => {
                if let Some(object) = self.read(&event.entry) {
                    self.followed.put(&object);
                }
            }
        }
        if unread::is_whole(&self.store) {
            self.followed.reach(event.revision());
        }
    }
}
