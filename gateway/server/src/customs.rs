//! Follows CustomResourceDefinitions and swaps the catalog when one comes, changes or goes. What a change leaves alone is not
//! read again: the groups of other definitions and everything built-in are shared with the catalog before.
//! Does not judge definitions (their hook) nor set their conditions (`controllers`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catalog::Resource;
use catalog::custom::{Definition, Ends, definition};
use futures::FutureExt;
use futures::channel::oneshot;
use model::{RequestInfo, Revision, Value, meta};
use store::{Entry, Event, Interest, Kind, ResourceCache, WatchError, Watcher};
use tokio::sync::watch;

use crate::gate::Gate;
use crate::served::Snapshot;

/// Where definitions are stored.
const PREFIX: &str = "/registry/apiextensions.k8s.io/customresourcedefinitions/";
/// How long a request waits for a definition that is stored and not served yet. Reading one takes milliseconds; who waits
/// longer than this gets what is served.
const BEHIND_MAX: Duration = Duration::from_secs(5);

/// Up to which change of definitions the catalog is current.
pub struct Progress(watch::Sender<Revision>);

impl Default for Progress {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

/// What one definition led to.
struct Known {
    accepted: Value,
    definition: Option<Arc<Definition>>,
    resources: Vec<Arc<Resource>>,
    /// Its watches end when this is dropped.
    life: oneshot::Sender<()>,
    ends: Ends,
}

struct Customs {
    gate: Arc<Gate>,
    store: Arc<ResourceCache>,
    /// By name, which ends in the group.
    known: BTreeMap<String, Known>,
}

/// The catalog for a request: as it is now for what is built in; for the rest, once it has caught up with the definitions
/// that are stored.
pub async fn snapshot(gate: &Gate, info: &RequestInfo) -> Arc<Snapshot> {
    let now = gate.served.snapshot();
    if info.group.is_empty() || now.catalog.is_builtin(&info.group, &info.version) {
        return now;
    }
    caught_up(gate).await;
    let now = gate.served.snapshot();
    if now.catalog.resource(&info.group, &info.version, &info.resource).is_some() {
        return now;
    }
    // Its definition may have come to a shared storage through another server.
    if gate.store.fresh(PREFIX).await.is_ok() {
        caught_up(gate).await;
    }
    gate.served.snapshot()
}

/// Waits until every definition that is stored now is served.
pub async fn caught_up(gate: &Gate) {
    let wanted = gate.store.resource(PREFIX).changed();
    let mut progress = gate.served.progress.0.subscribe();
    if *progress.borrow() >= wanted || *progress.borrow() == 0 {
        // Nobody follows definitions in this process.
        return;
    }
    let _ = tokio::time::timeout(BEHIND_MAX, progress.wait_for(|at| *at >= wanted)).await;
}

/// Serves the definitions that are stored now, then follows them until dropped.
pub fn start(gate: &Arc<Gate>) -> impl Future<Output = ()> + Send + use<> {
    let store = gate.store.resource(PREFIX);
    let mut customs = Customs { gate: gate.clone(), store, known: BTreeMap::new() };
    let from = customs.load();
    async move { customs.follow(from).await }
}

impl Customs {
    /// Reads all; gives the revision up to which that was.
    fn load(&mut self) -> Revision {
        let snapshot = self.store.snapshot();
        let entries: Vec<Arc<Entry>> = snapshot.range("", PREFIX).cloned().collect();
        let gone: Vec<String> =
            self.known.keys().filter(|name| !entries.iter().any(|entry| entry.key.name() == **name)).cloned().collect();
        let mut groups: Vec<String> = gone.iter().map(|name| group_of(name).to_owned()).collect();
        gone.iter().for_each(|name| drop(self.known.remove(name)));
        for entry in &entries {
            self.read(entry);
            groups.push(group_of(entry.key.name()).to_owned());
        }
        groups.sort_unstable();
        groups.dedup();
        self.swap(&groups);
        self.done(snapshot.revision());
        snapshot.revision()
    }

    async fn follow(&mut self, mut from: Revision) {
        loop {
            let ended = match self.store.watch(from, Interest::default()) {
                Ok(watcher) => self.apply(watcher).await,
                Err(error) => error,
            };
            if matches!(ended, WatchError::Closed) {
                return;
            }
            from = self.load();
        }
    }

    /// Follows until the watch ends.
    async fn apply(&mut self, mut watcher: Watcher) -> WatchError {
        loop {
            match watcher.next_batch().await {
                Ok(batch) => self.batch(&batch),
                Err(error) => return error,
            }
        }
    }

    fn batch(&mut self, batch: &[Event]) {
        let mut groups = Vec::new();
        for event in batch {
            let name = event.entry.key.name();
            match event.kind {
                Kind::Deleted => drop(self.known.remove(name)),
                Kind::Added | Kind::Modified => self.read(&event.entry),
            }
            groups.push(group_of(name).to_owned());
        }
        groups.dedup();
        self.swap(&groups);
        if let Some(last) = batch.last() {
            self.done(last.revision());
        }
    }

    fn done(&self, revision: Revision) {
        self.gate.served.progress.0.send_replace(revision);
    }

    /// Makes resources of one definition.
    fn read(&mut self, entry: &Entry) {
        let name = entry.key.name();
        let object: Value = match serde_json::from_slice(&entry.body) {
            Ok(object) => object,
            Err(error) => return tracing::error!(definition = name, %error, "stored definition cannot be read"),
        };
        let accepted = object.pointer("/status/acceptedNames").cloned().unwrap_or_default();
        let before = self.known.remove(name);
        let known = before.as_ref().and_then(|before| before.definition.as_deref());
        let same = known.is_some_and(|known| {
            (&*known.uid, known.generation) == (meta::uid(&object), meta::generation(&object))
                && before.as_ref().is_some_and(|before| before.accepted == accepted)
        });
        let (life, ends) = if same { (None, before.as_ref().map(|before| before.ends.clone())) } else { (None, None) };
        let (life, ends) = match (life, ends) {
            (life, Some(ends)) => (life, ends),
            (_, None) => {
                let (life, ends) = oneshot::channel();
                (Some(life), ends.shared())
            }
        };
        let made = definition::resources(self.gate.served.types(), &object, known, self.gate.store.revision(), &ends);
        let resources = made.unwrap_or_else(|why| {
            tracing::error!(definition = name, why, "definition cannot be served");
            Vec::new()
        });
        let resources: Vec<Arc<Resource>> = resources.into_iter().map(Arc::new).collect();
        let definition = resources.first().and_then(|first| first.custom.as_ref()).map(|custom| custom.definition.clone());
        let Some(life) = life.or_else(|| before.map(|before| before.life)) else { return };
        self.known.insert(name.to_owned(), Known { accepted, definition, resources, life, ends });
    }

    /// Puts a catalog in place in which these groups are as they are known now.
    fn swap(&self, groups: &[String]) {
        if groups.is_empty() {
            return;
        }
        let mut catalog = self.gate.served.catalog();
        for group in groups {
            let of_group = self.known.iter().filter(|(name, _)| group_of(name) == group);
            let mut resources: Vec<Arc<Resource>> = of_group.flat_map(|(_, known)| known.resources.iter().cloned()).collect();
            resources.sort_by(|a, b| a.gvr.resource.cmp(&b.gvr.resource));
            catalog = Arc::new(catalog.with_custom(group, resources));
        }
        self.gate.served.swap(catalog, self.gate.clock.now());
    }
}

/// Everything behind the first dot.
fn group_of(name: &str) -> &str {
    name.split_once('.').map_or("", |(_, group)| group)
}
