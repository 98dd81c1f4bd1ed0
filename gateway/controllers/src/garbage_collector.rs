//! Deletes what has lost all its owners, and ends owners that wait for (foreground) or let go of (orphan) what they own.
//! Follows `pkg/controller/garbagecollector`: a graph of owners tells what to look at; what to do is decided on live
//! objects only. Events are left out, as upstream does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::json::json;
use model::world::{DeleteOptions, Propagation, ResourceFacts};
use model::{GroupVersionResource, Status, Value, World, meta};
use tokio::sync::watch;

use crate::everything::{self, Everything};
use crate::feed::{Change, What};
use crate::queue::Queue;
use crate::runtime::{Context, Error, Next, Runtime, step};

mod decide;
mod event;
mod graph;

use decide::{Action, Standing};
use graph::{Graph, Item};

/// Name, as kube-controller-manager spells it.
pub const NAME: &str = "garbage-collector-controller";
/// Objects looked at at the same time; upstream's `--concurrent-gc-syncs`.
const WORKERS: usize = 20;
/// How long it waits until everything was listed. What cannot be listed keeps it from nothing else: whether an owner is there it
/// asks the store (upstream's `initialSyncTimeout`).
const SYNC_MAX: Duration = Duration::from_secs(30);
const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

struct Collector {
    graph: Mutex<Graph>,
    queue: Arc<Queue<Arc<Item>>>,
    /// By group and kind.
    kinds: Mutex<HashMap<(Arc<str>, String), ResourceFacts>>,
    /// Nothing is decided before every resource was listed once: what is not in the graph yet would count as gone.
    synced: watch::Receiver<bool>,
}

/// Adds the collector to a runtime; it hears of every resource that can be collected.
pub(crate) fn add(runtime: &mut Runtime, everything: &mut Everything) {
    let (sender, synced) = watch::channel(false);
    let collector = Arc::new(Collector::new(&everything::resources(&*runtime.context().world), synced));
    let (heard, counted) = (collector.clone(), collector.clone());
    everything.listen(Arc::new(move |change| heard.hear(change)));
    everything.count(move |resources| *counted.kinds() = by_kind(resources));
    let swept = collector.clone();
    let begin = Arc::new(move || {
        swept.lock().suspects().into_iter().for_each(|item| swept.queue.add(item));
        !sender.send_replace(true)
    });
    let late = begin.clone();
    runtime.once_synced(move || {
        begin();
    });
    runtime.spawn(async move {
        tokio::time::sleep(SYNC_MAX).await;
        if late() {
            tracing::warn!("not everything could be listed; garbage is collected all the same");
        }
    });
    let queue = collector.queue.clone();
    runtime.work(NAME, WORKERS, queue, move |context, item: Arc<Item>| {
        let collector = collector.clone();
        Box::pin(async move {
            let mut synced = collector.synced.clone();
            if synced.wait_for(|synced| *synced).await.is_err() {
                return Ok(Next::Wait);
            }
            collector.warn(&context, &item).await;
            collector.reconcile(&*context.world, &item).await
        })
    });
}

fn by_kind(resources: &[ResourceFacts]) -> HashMap<(Arc<str>, String), ResourceFacts> {
    resources.iter().map(|facts| ((facts.resource.group.clone(), facts.kind.clone()), facts.clone())).collect()
}

impl Collector {
    fn new(resources: &[ResourceFacts], synced: watch::Receiver<bool>) -> Self {
        Self { graph: Mutex::default(), queue: Arc::default(), kinds: Mutex::new(by_kind(resources)), synced }
    }

    fn kinds(&self) -> MutexGuard<'_, HashMap<(Arc<str>, String), ResourceFacts>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Graph> {
        // No change to the graph is left half done by a panic that could strike there.
        self.graph.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, change: &Change<'_>) {
        let suspects = match change.what {
            What::Added | What::Modified => self.lock().saw(change.resource, change.object),
            What::Deleted => self.lock().gone(meta::uid(change.object)),
        };
        suspects.into_iter().for_each(|item| self.queue.add(item));
    }

    /// Tells once of owners that an object names and that live in another namespace.
    async fn warn(&self, context: &Context, item: &Item) {
        let misplaced = self.lock().take_misplaced(&item.uid);
        if misplaced.is_empty() {
            return;
        }
        let Ok(live) = context.world.get(&item.resource, &item.namespace, &item.name).await else { return };
        let is_one = |reference: &&Value| {
            reference.get("uid").and_then(Value::as_str).is_some_and(|uid| misplaced.iter().any(|m| **m == *uid))
        };
        for reference in meta::owner_references(&live).iter().filter(is_one) {
            let event = event::misplaced(&live, reference, context.clock.now());
            let namespace = meta::namespace(&event).to_owned();
            if let Err(error) = context.world.create(&GroupVersionResource::new("", "v1", "events"), &namespace, event).await {
                tracing::debug!(%error, "an event was not written");
            }
        }
    }

    async fn reconcile(&self, world: &dyn World, item: &Arc<Item>) -> Result<Next, Error> {
        let live = match world.get(&item.resource, &item.namespace, &item.name).await {
            Ok(live) if meta::uid(&live) == &*item.uid => live,
            Ok(_) => return Ok(Next::Wait),
            Err(status) if status.code == 404 => return Ok(Next::Wait),
            Err(status) => return Err(step("read object")(status)),
        };
        if meta::deletion_timestamp(&live).is_some() {
            let finalizers = meta::finalizers(&live);
            return match (finalizers.contains(&ORPHAN), finalizers.contains(&FOREGROUND)) {
                (true, _) => self.orphan(world, item, &live).await,
                (false, true) => self.end_foreground(world, item, &live).await,
                (false, false) => Ok(Next::Wait),
            };
        }
        let Some(standings) = self.classify(world, item, &live).await? else { return Ok(Next::Wait) };
        let (has_dependents, may_cycle) = self.lock().has_dependents(&item.uid);
        let action = decide::decide(&live, &standings, has_dependents);
        act(world, item, &live, action, may_cycle).await?;
        Ok(Next::Wait)
    }

    /// How each owner stands; `None` when the references make no sense and never will.
    async fn classify(&self, world: &dyn World, item: &Item, live: &Value) -> Result<Option<Vec<(String, Standing)>>, Error> {
        let mut standings = Vec::new();
        for reference in meta::owner_references(live) {
            let text = |field: &str| reference.get(field).and_then(Value::as_str).unwrap_or("");
            let (group, _) = model::gvk::split_api_version(text("apiVersion"));
            let owner = self.kinds().get(&(group.into(), text("kind").to_owned())).cloned();
            let Some(owner) = owner else {
                return Err(Error::Other(format!("unable to get REST mapping for {}/{}.", text("apiVersion"), text("kind"))));
            };
            if item.namespace.is_empty() && owner.namespaced {
                tracing::debug!(resource = %item.resource.resource, name = %item.name, "cluster-scoped object refers to a namespaced owner");
                return Ok(None);
            }
            let namespace = if owner.namespaced { &*item.namespace } else { "" };
            let standing = match world.get(&owner.resource, namespace, text("name")).await {
                Ok(owner) => decide::standing(&owner, text("uid")),
                Err(status) if status.code == 404 => Standing::Dangling,
                Err(status) => return Err(step("read owner")(status)),
            };
            standings.push((text("uid").to_owned(), standing));
        }
        Ok(Some(standings))
    }

    /// An owner that waits for its dependents: sees to those that block it, and lets it go when there are none.
    async fn end_foreground(&self, world: &dyn World, item: &Arc<Item>, live: &Value) -> Result<Next, Error> {
        let (dependents, blocked) = self.lock().dependents(&item.uid);
        if !blocked {
            remove_finalizer(world, item, live, FOREGROUND).await?;
        }
        dependents.into_iter().for_each(|dependent| self.queue.add(dependent));
        Ok(Next::Wait)
    }

    /// An owner that leaves its dependents behind: takes itself off their references, then lets it go.
    async fn orphan(&self, world: &dyn World, item: &Arc<Item>, live: &Value) -> Result<Next, Error> {
        let (dependents, _) = self.lock().dependents(&item.uid);
        for dependent in dependents {
            let dependent_live = match world.get(&dependent.resource, &dependent.namespace, &dependent.name).await {
                Ok(live) if meta::uid(&live) == &*dependent.uid => live,
                Ok(_) => continue,
                Err(status) if status.code == 404 => continue,
                Err(status) => return Err(step("read dependent")(status)),
            };
            remove_references(world, &dependent, &dependent_live, &[&item.uid]).await?;
        }
        remove_finalizer(world, item, live, ORPHAN).await?;
        Ok(Next::Wait)
    }
}

async fn act(world: &dyn World, item: &Item, live: &Value, action: Action, may_cycle: bool) -> Result<(), Error> {
    match action {
        Action::Keep => Ok(()),
        Action::RemoveReferences(uids) => {
            let uids: Vec<&str> = uids.iter().map(String::as_str).collect();
            remove_references(world, item, live, &uids).await
        }
        Action::Delete(propagation) => {
            let mut revision = meta::resource_version(live).to_owned();
            if propagation == Propagation::Foreground && may_cycle {
                // An owner and its dependent that wait for each other would wait for ever.
                revision = meta::resource_version(&unblock(world, item, live).await?).to_owned();
            }
            let options = DeleteOptions {
                uid: Some(item.uid.to_string()),
                resource_version: Some(revision),
                propagation,
                ..DeleteOptions::default()
            };
            tolerate(world.delete(&item.resource, &item.namespace, &item.name, options).await, "delete object")
        }
    }
}

async fn patch(world: &dyn World, item: &Item, live: &Value, mut metadata: Value) -> Result<Value, Status> {
    metadata["uid"] = json!(&*item.uid);
    metadata["resourceVersion"] = meta::resource_version(live).into();
    world.merge_patch(&item.resource, "", &item.namespace, &item.name, json!({"metadata": metadata})).await
}

async fn remove_references(world: &dyn World, item: &Item, live: &Value, uids: &[&str]) -> Result<(), Error> {
    let references = meta::owner_references(live);
    let kept: Vec<&Value> =
        references.iter().filter(|r| !uids.contains(&r.get("uid").and_then(Value::as_str).unwrap_or(""))).collect();
    if kept.len() == references.len() {
        return Ok(());
    }
    let metadata = json!({"ownerReferences": if kept.is_empty() { Value::Null } else { json!(kept) }});
    tolerate(patch(world, item, live, metadata).await.map(drop), "remove owner references")
}

async fn unblock(world: &dyn World, item: &Item, live: &Value) -> Result<Value, Error> {
    let mut references = meta::owner_references(live).to_vec();
    for reference in &mut references {
        reference["blockOwnerDeletion"] = json!(false);
    }
    patch(world, item, live, json!({"ownerReferences": references})).await.map_err(step("unblock owners"))
}

async fn remove_finalizer(world: &dyn World, item: &Item, live: &Value, finalizer: &str) -> Result<(), Error> {
    let kept: Vec<&str> = meta::finalizers(live).into_iter().filter(|f| *f != finalizer).collect();
    let metadata = json!({"finalizers": if kept.is_empty() { Value::Null } else { json!(kept) }});
    tolerate(patch(world, item, live, metadata).await.map(drop), "remove finalizer")
}

/// What is gone already is well; a conflict is tried again with what is there then.
fn tolerate(result: Result<(), Status>, what: &'static str) -> Result<(), Error> {
    match result {
        Err(status) if status.code != 404 => Err(step(what)(status)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
