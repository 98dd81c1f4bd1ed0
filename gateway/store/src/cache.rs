//! Everything there is, per resource, ready to be read: the engine publishes here and all reads come from here.
//! Does not write (`engine`).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use model::Revision;
use parking_lot::{Mutex, RwLock};

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
}

/// What all resources of a store have in common.
pub(crate) struct Shared {
    /// Everything up to this revision is visible.
    pub(crate) published: AtomicU64,
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<Metrics>,
}

impl Cache {
    /// A cache of what was loaded.
    pub(crate) fn new(loaded: Loaded, limits: Limits, metrics: Arc<Metrics>) -> Self {
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
                state.entries.insert(entry.key.shared().clone(), entry);
            }
        }
        let published = states.values().map(|state| state.revision).max().unwrap_or(loaded.floor);
        let shared = Arc::new(Shared { published: AtomicU64::new(published), limits, metrics });
        let resource = |(prefix, state): (String, State)| {
            let resource = ResourceCache::new(&prefix, state, shared.clone());
            (resource.prefix.clone(), Arc::new(resource))
        };
        let resources: HashMap<_, _> = states.into_iter().map(resource).collect();
        Self { resources: ArcSwap::from_pointee(resources), floor: loaded.floor, shared }
    }

    /// The resource under a prefix such as `/registry/pods/`, made when there is none. Cheap; never waits for a writer.
    pub fn resource(&self, prefix: &str) -> Arc<ResourceCache> {
        if let Some(resource) = self.resources.load().get(prefix) {
            return resource.clone();
        }
        // Nothing has ever happened there, or it would have been loaded.
        let state = State { revision: self.floor, ..State::default() };
        let fresh = Arc::new(ResourceCache::new(prefix, state, self.shared.clone()));
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
        self.shared.published.load(Ordering::Acquire)
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
    pub(crate) shared: Arc<Shared>,
}

impl ResourceCache {
    /// A resource as it was loaded; what led there is not known.
    fn new(prefix: &str, state: State, shared: Arc<Shared>) -> Self {
        let (log, pins) = (RwLock::new(Log::new(state.revision)), Mutex::new(Pins::default()));
        Self { prefix: prefix.into(), state: ArcSwap::from_pointee(state), log, pins, shared }
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

    /// The resource as it is now, with the newest revision at which that is the truth.
    pub fn snapshot(&self) -> Snapshot {
        // Before taking the state: all that was published up to here is in it, and what it may hold beyond that is
        // named by its own revision.
        let published = self.shared.published.load(Ordering::Acquire);
        let state = self.state.load_full();
        Snapshot::new(published.max(state.revision), state)
    }

    /// The resource as it was at a revision, if that is still known: because nothing has changed since, or pinned.
    pub fn snapshot_at(&self, revision: Revision) -> Option<Snapshot> {
        let now = self.snapshot();
        if now.state().revision <= revision && revision <= now.revision() {
            return Some(Snapshot::new(revision, now.state().clone()));
        }
        self.pins.lock().get(revision, Instant::now(), &self.shared.limits)
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

    /// Makes one commit's changes of this resource visible; they are in order and durable. Gives whom to wake.
    pub(crate) fn publish(&self, changes: &[Arc<Change>]) -> Vec<Waiting> {
        let Some(last) = changes.last() else { return Vec::new() };
        let mut entries = self.state.load().entries.clone();
        let mut replaced_bytes = 0;
        for change in changes {
            replaced_bytes += change.old.as_ref().map_or(0, |old| old.cost_bytes());
            match &change.new {
                Some(new) => entries.insert(change.key.shared().clone(), new.clone()),
                None => entries.remove(change.key.as_str()),
            };
        }
        // The state first: who hears of a change and then reads must find it.
        self.state.store(Arc::new(State { revision: last.revision, entries }));
        self.pins.lock().replaced(replaced_bytes, Instant::now(), &self.shared.limits);
        self.shared.metrics.events.fetch_add(changes.len() as u64, Ordering::Relaxed);
        self.log.write().append(changes, &self.shared.limits)
    }
}
