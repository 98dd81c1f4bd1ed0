//! Everything there is, per resource, ready to be read: the engine publishes here and all reads come from here.
//! Does not write (`engine`).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use model::Revision;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::change::Change;
use crate::embedded::Loaded;
use crate::log::{Log, Waiting};
use crate::pin::Pins;
use crate::snapshot::State;
use crate::{Entry, Interest, Limits, Metrics, Snapshot, WatchError, Watcher};

/// All resources.
pub struct Cache {
    resources: ArcSwap<HashMap<Arc<str>, Arc<ResourceCache>>>,
    /// Revision from which the store's history begins: no log reaches further back.
    floor: Revision,
    pub(crate) shared: Arc<Shared>,
    /// Resources whose storage counts revisions for itself.
    apart: Vec<Shard>,
}

/// Resources that lie in a storage of their own.
struct Shard {
    prefixes: Vec<String>,
    floor: Revision,
    shared: Arc<Shared>,
}

/// What all resources of a store have in common.
pub(crate) struct Shared {
    /// Everything up to this revision is visible.
    published: AtomicU64,
    /// Wakes who waits for a revision.
    advanced: Notify,
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<Metrics>,
}

impl Shared {
    fn new(published: Revision, limits: Limits, metrics: Arc<Metrics>) -> Self {
        Self { published: AtomicU64::new(published), advanced: Notify::new(), limits, metrics }
    }

    /// The revision up to which everything is visible.
    pub(crate) fn published(&self) -> Revision {
        self.published.load(Ordering::Acquire)
    }

    /// Says that everything up to a revision is visible.
    pub(crate) fn publish(&self, revision: Revision) {
        self.published.store(revision, Ordering::Release);
        self.advanced.notify_waiters();
    }
}

impl Cache {
    /// A cache of what was loaded.
    pub(crate) fn new(loaded: Loaded, limits: Limits, metrics: Arc<Metrics>) -> Self {
        Self::sharded(vec![(Vec::new(), loaded)], limits, metrics)
    }

    /// A cache of what several storages hold; the first has everything that no other names.
    pub(crate) fn sharded(shards: Vec<(Vec<String>, Loaded)>, limits: Limits, metrics: Arc<Metrics>) -> Self {
        let mut resources = HashMap::new();
        let mut all = Vec::new();
        for (prefixes, loaded) in shards {
            let (floor, states) = (loaded.floor, states(loaded));
            let published = states.values().map(|state| state.revision).max().unwrap_or(floor);
            let shared = Arc::new(Shared::new(published, limits, metrics.clone()));
            for (prefix, state) in states {
                let resource = ResourceCache::new(&prefix, state, shared.clone());
                resources.insert(resource.prefix.clone(), Arc::new(resource));
            }
            all.push(Shard { prefixes, floor, shared });
        }
        let apart = all.split_off(all.len().min(1));
        let first = all.pop();
        let (floor, shared) =
            first.map_or_else(|| (0, Arc::new(Shared::new(0, limits, metrics))), |first| (first.floor, first.shared));
        Self { resources: ArcSwap::from_pointee(resources), floor, shared, apart }
    }

    /// What the resource under a prefix has in common with others, and from where its history begins.
    pub(crate) fn place(&self, prefix: &str) -> (&Arc<Shared>, Revision) {
        let apart = self.apart.iter().find(|shard| shard.prefixes.iter().any(|own| own == prefix));
        apart.map_or((&self.shared, self.floor), |shard| (&shard.shared, shard.floor))
    }

    /// The resource under a prefix, if there is one.
    pub(crate) fn known(&self, prefix: &str) -> Option<Arc<ResourceCache>> {
        self.resources.load().get(prefix).cloned()
    }

    /// The resource under a prefix such as `/registry/pods/`, made when there is none. Cheap; never waits for a writer.
    pub fn resource(&self, prefix: &str) -> Arc<ResourceCache> {
        if let Some(resource) = self.resources.load().get(prefix) {
            return resource.clone();
        }
        // Nothing has ever happened there, or it would have been loaded.
        let (shared, floor) = self.place(prefix);
        let state = State { revision: floor, ..State::default() };
        let fresh = Arc::new(ResourceCache::new(prefix, state, shared.clone()));
        self.resources.rcu(|resources| {
            let mut resources = HashMap::clone(resources);
            resources.entry(prefix.into()).or_insert_with(|| fresh.clone());
            resources
        });
        self.resources.load().get(prefix).cloned().unwrap_or(fresh)
    }

    /// Every resource that holds or held an object, or was asked for, in order of prefix.
    pub fn resources(&self) -> Vec<Arc<ResourceCache>> {
        let mut all: Vec<_> = self.resources.load().values().cloned().collect();
        all.sort_by(|a, b| a.prefix.cmp(&b.prefix));
        all
    }

    /// Everything up to this revision is visible.
    pub fn revision(&self) -> Revision {
        self.shared.published()
    }

    /// The counters of this store.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Ends every watch.
    pub(crate) fn close(&self) {
        for resource in self.resources() {
            let wake = resource.log.write().close();
            wake_all(&wake);
        }
    }

    /// Lets go of pins that have been kept long enough, in resources that nobody asks for.
    pub(crate) fn trim(&self, now: Instant) {
        for resource in self.resources.load().values() {
            resource.pins.lock().replaced(0, now, &self.shared.limits);
        }
    }
}

/// The states of all resources that were loaded, by prefix.
fn states(loaded: Loaded) -> HashMap<String, State> {
    let mut states: HashMap<String, State> = HashMap::new();
    for (prefix, revision) in loaded.removed {
        states.insert(prefix, State { revision: revision.max(loaded.floor), ..State::default() });
    }
    for entry in loaded.entries {
        if !states.contains_key(entry.key.prefix()) {
            states.insert(entry.key.prefix().to_owned(), State { revision: loaded.floor, ..State::default() });
        }
        if let Some(state) = states.get_mut(entry.key.prefix()) {
            state.revision = state.revision.max(entry.revision);
            state.insert(entry);
        }
    }
    states
}

/// Wakes watchers. Called without any lock held.
pub(crate) fn wake_all(waiting: &[Waiting]) {
    for (_, signal) in waiting.iter().flat_map(|waiting| waiting.iter()) {
        signal.notify_one();
    }
}

/// One resource: its objects, the log of what changed, the snapshots kept for continue tokens.
pub struct ResourceCache {
    prefix: Arc<str>,
    state: ArcSwap<State>,
    pub(crate) log: RwLock<Log>,
    pins: Mutex<Pins>,
    /// How often something could be read that could not before.
    mended: AtomicU64,
    pub(crate) shared: Arc<Shared>,
}

impl ResourceCache {
    /// A resource as it was loaded; what led there is not known.
    fn new(prefix: &str, state: State, shared: Arc<Shared>) -> Self {
        let (log, pins) = (RwLock::new(Log::new(state.revision)), Mutex::new(Pins::default()));
        Self { prefix: prefix.into(), state: ArcSwap::from_pointee(state), log, pins, mended: AtomicU64::new(0), shared }
    }

    /// Prefix of every key of the resource, with its last slash.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The current state of one object, by its full key.
    pub fn get(&self, key: &str) -> Option<Arc<Entry>> {
        self.state.load().entries.get(key).cloned()
    }

    /// Revision of the resource's own last change, the store's first before any: whether anything happened, for the price of one load.
    pub fn changed(&self) -> Revision {
        self.state.load().revision
    }

    /// A number that rises with every change of what a snapshot shows: of the objects, and of whether they can be read.
    pub fn version(&self) -> u64 {
        self.changed() + self.mended.load(Ordering::Acquire)
    }

    /// The resource as it is now, with the newest revision at which that is the truth.
    pub fn snapshot(&self) -> Snapshot {
        // Before taking the state: all that was published up to here is in it, and what it may hold beyond that is
        // named by its own revision.
        let published = self.shared.published();
        let state = self.state.load_full();
        Snapshot::new(published.max(state.revision), state)
    }

    /// The resource as it was at a revision, if that is still known: because nothing has changed since, pinned, or by the log.
    pub fn snapshot_at(&self, revision: Revision) -> Option<Snapshot> {
        let now = self.snapshot();
        if now.state().revision <= revision && revision <= now.revision() {
            return Some(Snapshot::new(revision, now.state().clone()));
        }
        let pinned = self.pins.lock().get(revision, Instant::now(), &self.shared.limits);
        pinned.or_else(|| self.undone(revision))
    }

    /// The resource as it was, by taking back what changed since; nothing where the log does not reach, and for the future.
    fn undone(&self, revision: Revision) -> Option<Snapshot> {
        let log = self.log.read();
        let state = self.state.load_full();
        if revision >= state.revision {
            return None;
        }
        let changes = log.since(revision, Instant::now(), &self.shared.limits)?;
        drop(log);
        Some(Snapshot::new(revision, Arc::new(state.before(revision, &changes))))
    }

    /// Keeps a snapshot for a while, for the next page of a list; bounded in time, number and bytes (see [`Limits`]).
    pub fn pin(&self, snapshot: &Snapshot) {
        self.pins.lock().insert(snapshot, Instant::now(), &self.shared.limits);
    }

    /// Snapshots pinned now.
    pub fn pins(&self) -> usize {
        self.pins.lock().len()
    }

    /// Follows what changes after `from`, or says that this is not remembered any more.
    pub fn watch(self: &Arc<Self>, from: Revision, interest: Interest) -> Result<Watcher, WatchError> {
        Watcher::new(self.clone(), from, interest)
    }

    /// Changes in the log.
    pub fn log_len(&self) -> usize {
        self.log.read().len()
    }

    /// Everything of this resource up to this revision is visible.
    pub fn revision(&self) -> Revision {
        self.snapshot().revision()
    }

    /// Waits until everything of this resource up to a revision is visible, for as long as nobody drops it.
    pub async fn reached(&self, revision: Revision) {
        loop {
            let advanced = self.shared.advanced.notified();
            tokio::pin!(advanced);
            // Before looking: what is published from here on wakes.
            advanced.as_mut().enable();
            if self.revision() >= revision {
                return;
            }
            advanced.await;
        }
    }

    /// Puts another state in place, without knowing what led there: whoever watches must begin anew. Gives whom to wake.
    pub(crate) fn replace(&self, entries: Vec<Arc<Entry>>, revision: Revision) -> Vec<Waiting> {
        let mut state = State { revision, ..State::default() };
        entries.into_iter().for_each(|entry| state.insert(entry));
        self.state.store(Arc::new(state));
        self.pins.lock().replaced(0, Instant::now(), &self.shared.limits);
        self.log.write().restart(revision)
    }

    /// Makes one commit's changes of this resource visible; they are in order and durable. Gives whom to wake.
    pub(crate) fn publish(&self, changes: &[Arc<Change>]) -> Vec<Waiting> {
        let Some(last) = changes.last() else { return Vec::new() };
        let mut state = self.state.load().next(last.revision);
        let (mut replaced_bytes, mut unread) = (0, false);
        for change in changes {
            replaced_bytes += change.old.as_ref().map_or(0, |old| old.cost_bytes());
            unread |= change.sides().any(|side| side.unread().is_some());
            match &change.new {
                Some(new) => state.insert(new.clone()),
                None => state.remove(change.key.as_str()),
            }
        }
        // Under one lock, for whoever takes changes back; the state first: who hears of a change and then reads must find it.
        let mut log = self.log.write();
        self.state.store(Arc::new(state));
        self.pins.lock().replaced(replaced_bytes, Instant::now(), &self.shared.limits);
        self.shared.metrics.events.fetch_add(changes.len() as u64, Ordering::Relaxed);
        if unread {
            // Nobody can be shown what became of it, so whoever watches must begin anew: upstream ends these watches too.
            return log.restart(last.revision);
        }
        log.append(changes, &self.shared.limits)
    }

    /// Puts in place what can be read now, unless it has changed since. Gives whom to wake.
    pub(crate) fn mend(&self, read: &[Arc<Entry>]) -> Vec<Waiting> {
        let now = self.state.load();
        let mut state = now.next(now.revision);
        for entry in read {
            if now.unread.get(entry.key.as_str()).is_some_and(|unread| unread.revision == entry.revision) {
                state.insert(entry.clone());
            }
        }
        let revision = self.revision();
        self.state.store(Arc::new(state));
        self.mended.fetch_add(1, Ordering::Release);
        self.log.write().restart(revision)
    }
}
