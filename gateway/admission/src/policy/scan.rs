//! Judges what is stored already: when an object changes, when a binding does, when something does on which its verdict
//! depends (`around`). Off the path of requests; asks validators alone, as if the object were made now and by nobody. Keeps
//! nothing itself (`report`).

mod around;
mod batch;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{BoxStream, FuturesUnordered};
use model::world::Event;
use model::{Clock, GroupVersionResource, Status};

use self::around::Around;
use self::batch::Batch;
use self::target::Target;
use super::set::PolicySet;
use super::{Policies, report};
use crate::Cluster;

/// How long to wait before a list that failed is asked for again.
const RETRY: Duration = Duration::from_secs(5);
/// How long a set is looked at late: bindings come in numbers, and each makes another one.
const QUIET: Duration = Duration::from_millis(200);
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
        let mut around = Around::of(&set, cluster, &**clock).await;
        let scan = Scan { policies, cluster, clock: &**clock, set };
        tokio::select! {
            () = scan.run() => {}
            names = around.changed() => policies.reports.doubt(&names),
            changed = changes.changed() => if changed.is_err() { return },
        }
        tokio::time::sleep(QUIET).await;
    }
}

/// One set of policies over everything that is stored.
struct Scan<'a> {
    policies: &'a Policies,
    cluster: &'a Cluster,
    clock: &'a dyn Clock,
    set: Arc<PolicySet>,
}

impl Scan<'_> {
    /// Judges until it is given up.
    async fn run(&self) {
        let targets = target::all(&self.set, self.cluster);
        self.policies.reports.only(&targets.iter().map(|target| &target.resource).collect());
        let mut all: FuturesUnordered<_> = targets.iter().map(|target| self.keep(target)).collect();
        while all.next().await.is_some() {}
        std::future::pending::<()>().await;
    }

    /// Judges every object of a resource, and then each that changes, for ever.
    async fn keep(&self, target: &Target) {
        loop {
            if let Err(error) = self.follow(target).await {
                tracing::warn!(%error, resource = %target.resource.resource, "what is stored cannot be judged");
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn follow(&self, target: &Target) -> Result<(), Status> {
        let (reports, resource, world) = (&self.policies.reports, &target.resource, &self.cluster.world);
        let reads = target.reads();
        let (mut objects, at) = world.list_fields(resource, &reads).await?;
        let mut events = world.watch_fields(resource, &reads, at).await?;
        let (mut there, mut batch) = (BTreeSet::new(), Batch::of(self, target));
        while let Some(object) = objects.next().await {
            there.insert(report::place(resource, &object));
            batch.add(object).await;
        }
        batch.settle().await;
        reports.retain(resource, &there);
        drop(there);
        while let Some(changed) = latest(&mut events, resource).await {
            for event in changed {
                match event {
                    Event::Added(object) | Event::Modified(object) => batch.add(object).await,
                    Event::Deleted(object) => reports.remove(resource, &object),
                }
            }
            batch.settle().await;
        }
        Ok(())
    }
}

/// What changes within a moment, of each object the last; `None` when the watch ends.
async fn latest(events: &mut BoxStream<'static, Event>, resource: &GroupVersionResource) -> Option<Vec<Event>> {
    let mut latest = BTreeMap::new();
    let mut note = |event: Event| {
        let (Event::Added(object) | Event::Modified(object) | Event::Deleted(object)) = &event;
        latest.insert(report::place(resource, object), event);
        latest.len()
    };
    note(events.next().await?);
    let mut moment = std::pin::pin!(tokio::time::sleep(MOMENT));
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = &mut moment => break,
        };
        if event.is_none_or(|event| note(event) >= CHANGED_MAX) {
            break;
        }
    }
    Some(latest.into_values().collect())
}
