//! Runs controllers: wires each to the watches it needs, gives it a queue and workers, and counts what happens. One of it
//! serves all controllers. Knows none of them by name (`lib`).

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use catalog::Catalog;
use futures::FutureExt;
use futures::future::BoxFuture;
use model::{Clock, GroupVersionResource, Status, World};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::Clients;
use crate::feed::{self, Change, Listener, Reads, WHOLE};
use crate::queue::{Counters, Queue};

/// Tells what is served now, custom resources too.
pub type Served = Arc<dyn Fn() -> Result<Arc<Catalog>, Status> + Send + Sync>;

/// Signs the token that a Secret shall hold: namespace, name and uid of its account, and the name of the Secret.
pub type Sign = Arc<dyn Fn((&str, &str, &str), &str) -> Result<String, String> + Send + Sync>;

/// What every controller is given.
#[derive(Clone)]
pub struct Context {
    /// The cluster, as whoever it is given to sees it.
    pub world: Arc<dyn World>,
    /// The cluster as each controller sees it.
    pub clients: Clients,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is served.
    pub served: Served,
    /// Whether other API servers may serve what is in the same storage.
    pub shares_storage: bool,
    /// The certificates that serving certificates are signed with, PEM; published to every namespace.
    pub root_ca: Arc<str>,
    /// Signs tokens of service accounts.
    pub sign: Sign,
}

/// What to do with a key that was worked off well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing, until something changes.
    Wait,
    /// Look again after a while.
    After(Duration),
}

/// Why a key could not be worked off. It is tried again, later and later.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API refused a step.
    #[error("{step}: {status}")]
    Api {
        /// What was tried.
        step: &'static str,
        /// The answer.
        status: Status,
    },
    /// Something else is in the way.
    #[error("{0}")]
    Other(String),
}

/// Names the step that failed.
pub(crate) fn step(step: &'static str) -> impl FnOnce(Status) -> Error {
    move |status| Error::Api { step, status }
}

/// The keys that a change concerns.
pub type Keys = fn(&Change<'_>) -> Vec<String>;

/// Works off one key, from the world alone.
pub type Reconcile = for<'a> fn(&'a Context, &'a str) -> BoxFuture<'a, Result<Next, Error>>;

/// A resource that a controller watches.
pub struct Watch {
    resource: (&'static str, &'static str, &'static str),
    reads: Reads,
    keys: Keys,
}

impl Watch {
    /// Group, version and resource, and what keys a change makes.
    pub const fn new(group: &'static str, version: &'static str, resource: &'static str, keys: Keys) -> Self {
        Self { resource: (group, version, resource), reads: WHOLE, keys }
    }

    /// The same where `keys` reads only these fields, the name, namespace and uid among them: it spares reading large objects.
    pub const fn reading(self, reads: Reads) -> Self {
        Self { reads, ..self }
    }
}

/// A controller as a constant.
pub struct Controller {
    /// Name, as kube-controller-manager spells it.
    pub name: &'static str,
    /// What it watches.
    pub watches: &'static [Watch],
    /// Keys worked on at the same time.
    pub workers: usize,
    /// The work.
    pub reconcile: Reconcile,
}

/// Counters of one controller's queue.
pub struct QueueMetrics {
    /// The controller.
    pub name: &'static str,
    /// Keys ready or waiting now.
    pub depth: usize,
    /// Keys added so far.
    pub adds: u64,
    /// Keys added again after a failure.
    pub retries: u64,
    /// Keys whose work failed.
    pub errors: u64,
}

type Probe = Arc<dyn Fn() -> (usize, [u64; 3]) + Send + Sync>;

/// Writes what a controller counts.
type Meter = Arc<dyn Fn(&mut String) + Send + Sync>;

/// Controllers being put together, then running. Dropping it stops them.
pub struct Runtime {
    context: Context,
    listeners: BTreeMap<(GroupVersionResource, Reads), Vec<Listener>>,
    once_synced: Vec<Box<dyn FnOnce() + Send>>,
    probes: Vec<(&'static str, Probe)>,
    meters: Vec<Meter>,
    tasks: JoinSet<()>,
}

impl Runtime {
    /// Nothing runs yet. Must be made, and used, inside a tokio runtime.
    pub fn new(context: Context) -> Self {
        let (listeners, tasks) = (BTreeMap::new(), JoinSet::new());
        Self { context, listeners, once_synced: Vec::new(), probes: Vec::new(), meters: Vec::new(), tasks }
    }

    /// What controllers are given.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Lets what is added from now on act in another world, and says which it was.
    pub(crate) fn act_in(&mut self, world: Arc<dyn World>) -> Arc<dyn World> {
        std::mem::replace(&mut self.context.world, world)
    }

    /// Adds a listener to the watch of a resource; only before [`Runtime::follow`].
    pub(crate) fn listen(&mut self, resource: GroupVersionResource, listener: Listener) {
        self.listen_to(resource, WHOLE, listener);
    }

    /// The same for a listener that needs little of each object, which spares reading large ones.
    pub(crate) fn listen_to(&mut self, resource: GroupVersionResource, reads: Reads, listener: Listener) {
        self.listeners.entry((resource, reads)).or_default().push(listener);
    }

    /// Adds a controller; its workers start at once and wait for keys.
    pub fn add(&mut self, controller: &'static Controller) {
        let queue: Arc<Queue<String>> = Arc::default();
        for Watch { resource: (group, version, resource), reads, keys } in controller.watches {
            let queue = queue.clone();
            let listener: Listener = Arc::new(move |change| keys(change).into_iter().for_each(|key| queue.add(key)));
            self.listen_to(GroupVersionResource::new(group, version, resource), reads, listener);
        }
        let reconcile = controller.reconcile;
        self.work(controller.name, controller.workers, queue, move |context, key: String| {
            Box::pin(async move { reconcile(&context, &key).await })
        });
    }

    /// Starts workers on a queue.
    pub(crate) fn work<K, F>(&mut self, name: &'static str, workers: usize, queue: Arc<Queue<K>>, reconcile: F)
    where
        K: Clone + Eq + std::hash::Hash + Send + Sync + std::fmt::Debug + 'static,
        F: Fn(Context, K) -> BoxFuture<'static, Result<Next, Error>> + Clone + Send + Sync + 'static,
    {
        let probed = queue.clone();
        self.probes.push((name, Arc::new(move || (probed.depth(), read(&probed.counters)))));
        for _ in 0..workers {
            let (context, queue, reconcile) = (self.context.clone(), queue.clone(), reconcile.clone());
            self.tasks.spawn(async move {
                while let Some(key) = queue.next().await {
                    // One bad object must not end the worker.
                    let work = AssertUnwindSafe(reconcile(context.clone(), key.clone())).catch_unwind().await;
                    finish(name, &queue, &key, work.unwrap_or_else(|_| Err(Error::Other("panicked".to_owned()))));
                    queue.done(&key);
                }
            });
        }
    }

    /// Runs something beside the controllers, as long as they run.
    pub(crate) fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Starts the watches. Everything must have been added.
    pub fn follow(&mut self) {
        let mut synced = Vec::new();
        for (followed, listeners) in std::mem::take(&mut self.listeners) {
            let (sender, receiver) = watch::channel(false);
            synced.push(receiver);
            self.tasks.spawn(feed::follow(self.context.world.clone(), followed, listeners, sender));
        }
        let then = std::mem::take(&mut self.once_synced);
        self.tasks.spawn(async move {
            for mut receiver in synced {
                if receiver.wait_for(|synced| *synced).await.is_err() {
                    return;
                }
            }
            then.into_iter().for_each(|then| then());
        });
    }

    /// Runs something once everything was listed for the first time; only before [`Runtime::follow`].
    pub(crate) fn once_synced(&mut self, then: impl FnOnce() + Send + 'static) {
        self.once_synced.push(Box::new(then));
    }

    /// How the queues are doing.
    pub fn metrics(&self) -> Vec<QueueMetrics> {
        read_all(&self.probes)
    }

    /// Lets a controller that counts more than its queue write that, in Prometheus' text form.
    pub(crate) fn measure(&mut self, write: impl Fn(&mut String) + Send + Sync + 'static) {
        self.meters.push(Arc::new(write));
    }

    /// Writes the queues' metrics in Prometheus' text form, under client-go's names, and what controllers count besides,
    /// whenever it is called.
    pub fn meter(&self) -> impl Fn(&mut String) + Send + Sync + 'static {
        let (probes, meters) = (self.probes.clone(), self.meters.clone());
        move |out| {
            write(&read_all(&probes), out);
            meters.iter().for_each(|meter| meter(out));
        }
    }
}

fn read_all(probes: &[(&'static str, Probe)]) -> Vec<QueueMetrics> {
    let one = |(name, probe): &(&'static str, Probe)| {
        let (depth, [adds, retries, errors]) = probe();
        QueueMetrics { name, depth, adds, retries, errors }
    };
    probes.iter().map(one).collect()
}

type Read = fn(&QueueMetrics) -> u64;

fn write(queues: &[QueueMetrics], out: &mut String) {
    let metrics: [(&str, &str, &str, Read); 3] = [
        ("workqueue_depth", "gauge", "Current depth of workqueue", |queue| queue.depth as u64),
        ("workqueue_adds_total", "counter", "Total number of adds handled by workqueue", |queue| queue.adds),
        ("workqueue_retries_total", "counter", "Total number of retries handled by workqueue", |queue| queue.retries),
    ];
    for (metric, kind, help, value) in metrics {
        out.push_str(&format!("# HELP {metric} [ALPHA] {help}\n# TYPE {metric} {kind}\n"));
        for queue in queues {
            out.push_str(&format!("{metric}{{name=\"{}\"}} {}\n", queue.name, value(queue)));
        }
    }
}

fn read(counters: &Counters) -> [u64; 3] {
    [&counters.adds, &counters.retries, &counters.errors].map(|counter| counter.load(Ordering::Relaxed))
}

fn finish<K: Clone + Eq + std::hash::Hash + Send + std::fmt::Debug>(
    name: &str,
    queue: &Queue<K>,
    key: &K,
    result: Result<Next, Error>,
) {
    match result {
        Ok(next) => {
            queue.forget(key);
            if let Next::After(wait) = next {
                queue.add_after(key.clone(), wait);
            }
        }
        Err(error) => {
            queue.counters.errors.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(controller = name, ?key, %error, "could not reconcile");
            queue.retry(key.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_client_gos_names() {
        let mut out = String::new();
        write(&[QueueMetrics { name: "namespace-controller", depth: 1, adds: 3, retries: 2, errors: 2 }], &mut out);
        assert!(out.contains("# TYPE workqueue_depth gauge\nworkqueue_depth{name=\"namespace-controller\"} 1\n"), "{out}");
        assert!(out.contains("workqueue_adds_total{name=\"namespace-controller\"} 3\n"), "{out}");
    }
}
