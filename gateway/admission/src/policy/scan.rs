//! Judges what is stored already: when an object changes, when a binding does, when something does on which its verdict
//! depends (`around`), when there are other kinds. Off the path of requests; asks validators alone, as if the object were made
//! now and by nobody. Keeps nothing itself (`report`).

mod around;
mod batch;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use catalog::Catalog;
use futures::StreamExt;
use futures::stream::{BoxStream, FuturesUnordered};
use model::world::Event;
use model::{Clock, GroupVersionResource, Status, Value};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, sleep, sleep_until};

use self::around::{Around, Names};
use self::batch::Batch;
use self::target::{Target, may_judge};
use super::set::PolicySet;
use super::{Policies, report};
use crate::Cluster;

/// How long to wait before a list that failed is asked for again.
const RETRY: Duration = Duration::from_secs(5);
/// How long a change is looked at late: bindings come in numbers, and each makes another set; objects on which verdicts depend
/// do too.
const QUIET: Duration = Duration::from_millis(200);
/// Judging again because of other objects rests for so many times as long as it took: where these change all the time it takes
/// a tenth of the time, not all of it.
const REST_FACTOR: u32 = 9;
/// How often it is looked whether there are other kinds of objects.
const KINDS: Duration = Duration::from_secs(2);
/// Changes that wait for who judges a resource; who has missed some looks at everything.
const DOUBTS_MAX: usize = 16;
/// How long changes are gathered: an object that changes several times in a row is judged once.
const MOMENT: Duration = Duration::from_millis(250);
/// Objects whose changes are gathered; each is held as it is read.
const CHANGED_MAX: usize = 256;

/// Follows what is stored until the server stops.
pub(super) async fn follow(policies: &Policies) {
    let (Some(cluster), Some(clock)) = (policies.cluster.get(), policies.clock.get()) else { return };
    let mut changes = policies.changes.subscribe();
    let mut before = policies.set();
    loop {
        changes.mark_unchanged();
        let set = policies.set();
        policies.reports.doubt(&around::excepted_otherwise(&before, &set));
        before = set.clone();
        let Ok(catalog) = cluster.kinds.catalog() else { return };
        let around = Around::of(&set, cluster, &catalog, &**clock).await;
        let scan = Scan { policies, cluster, clock: &**clock, set, catalog, doubts: broadcast::Sender::new(DOUBTS_MAX) };
        tokio::select! {
            () = scan.run(around) => {}
            changed = changes.changed() => if changed.is_err() { return },
        }
        sleep(QUIET).await;
    }
}

/// One set of policies over everything that is stored.
struct Scan<'a> {
    policies: &'a Policies,
    cluster: &'a Cluster,
    clock: &'a dyn Clock,
    set: Arc<PolicySet>,
    catalog: Arc<Catalog>,
    /// Bindings whose verdicts may be others now.
    doubts: broadcast::Sender<Arc<Names>>,
}

impl Scan<'_> {
    /// Judges until it is given up, or has to begin anew.
    async fn run(&self, around: Around) {
        let targets = target::all(&self.set, &self.catalog);
        self.policies.reports.only(&targets.iter().map(|target| &target.resource).collect()).await;
        let mut all: FuturesUnordered<_> = targets.iter().map(|target| self.keep(target)).collect();
        let judging = async {
            while all.next().await.is_some() {}
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = judging => {}
            () = self.doubt(around) => {}
            () = self.other_kinds(&targets) => {}
        }
    }

    /// Waits until there are other kinds to judge: somebody defined one, or removed it.
    async fn other_kinds(&self, targets: &[Target]) {
        let mut known = self.catalog.clone();
        loop {
            sleep(KINDS).await;
            let Ok(now) = self.cluster.kinds.catalog() else { continue };
            let resources = |targets: &[Target]| targets.iter().map(|target| target.resource.clone()).collect::<Vec<_>>();
            if !Arc::ptr_eq(&known, &now) && resources(&target::all(&self.set, &now)) != resources(targets) {
                return;
            }
            known = now;
        }
    }

    /// Doubts what depends on what changes around, and says so. Ends when something cannot be followed any more.
    async fn doubt(&self, mut around: Around) {
        loop {
            let mut change = around.changed().await;
            let mut quiet = std::pin::pin!(sleep(QUIET));
            loop {
                tokio::select! {
                    more = around.changed() => change.add(more),
                    () = &mut quiet => break,
                }
            }
            self.policies.reports.doubt(&change.names);
            if change.is_last {
                return;
            }
            // Nobody listens where nothing is judged.
            let _ = self.doubts.send(Arc::new(change.names));
        }
    }

    /// Judges every object of a resource, and then each that changes, for ever.
    async fn keep(&self, target: &Target) {
        loop {
            if let Err(error) = self.follow(target).await {
                tracing::warn!(%error, resource = %target.resource.resource, "what is stored cannot be judged");
            }
            sleep(RETRY).await;
        }
    }

    async fn follow(&self, target: &Target) -> Result<(), Status> {
        let (reports, resource, world) = (&self.policies.reports, &target.resource, &self.cluster.world);
        let mut doubts = self.doubts.subscribe();
        let reads = target.reads();
        let (objects, at) = world.list_fields(resource, &reads).await?;
        let mut events = world.watch_fields(resource, &reads, at).await?;
        self.judge_all(target, objects).await;
        // When all is judged again, and before when that is too early.
        let (mut due, mut rest) = (None, Instant::now());
        loop {
            let again = async {
                match due {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                first = events.next() => {
                    let Some(first) = first else { return Ok(()) };
                    let mut batch = Batch::of(self, target);
                    for event in latest(first, &mut events, resource).await {
                        match event {
                            Event::Added(object) | Event::Modified(object) => batch.add(object).await,
                            Event::Deleted(object) => reports.remove(resource, &object).await,
                        }
                    }
                    batch.settle().await;
                }
                doubted = doubts.recv() => match doubted {
                    Ok(names) if !self.concern(&names, resource) => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => due = due.or(Some(rest)),
                    Err(RecvError::Closed) => return Ok(()),
                },
                () = again => {
                    let began = Instant::now();
                    let (objects, _) = world.list_fields(resource, &reads).await?;
                    self.judge_all(target, objects).await;
                    (due, rest) = (None, Instant::now() + began.elapsed() * REST_FACTOR);
                }
            }
        }
    }

    /// Whether any of these bindings may be about a resource.
    fn concern(&self, names: &Names, resource: &GroupVersionResource) -> bool {
        self.set.validators.iter().any(|entry| names.contains(&entry.binding.name) && may_judge(entry, resource))
    }

    /// Judges every object of a resource as far as that is not known.
    async fn judge_all(&self, target: &Target, mut objects: BoxStream<'static, Value>) {
        let (mut there, mut batch) = (BTreeSet::new(), Batch::of(self, target));
        while let Some(object) = objects.next().await {
            there.insert(report::place(&target.resource, &object));
            batch.add(object).await;
        }
        batch.settle().await;
        self.policies.reports.retain(&target.resource, &there).await;
    }
}

/// What changes within a moment after a first change, of each object the last.
async fn latest(first: Event, events: &mut BoxStream<'static, Event>, resource: &GroupVersionResource) -> Vec<Event> {
    let mut latest = BTreeMap::new();
    let mut note = |event: Event| {
        let (Event::Added(object) | Event::Modified(object) | Event::Deleted(object)) = &event;
        latest.insert(report::place(resource, object), event);
        latest.len()
    };
    note(first);
    let mut moment = std::pin::pin!(sleep(MOMENT));
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = &mut moment => break,
        };
        if event.is_none_or(|event| note(event) >= CHANGED_MAX) {
            break;
        }
    }
    latest.into_values().collect()
}
