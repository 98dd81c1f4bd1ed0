//! The embedded engines `memory` and `disk`: a sequencer on a thread of its own and the queue in front of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use futures::FutureExt;
use futures::future::BoxFuture;
use model::{Clock, Revision};
use tokio::sync::{oneshot, watch};

use crate::ledger::Ledger;
use crate::sequencer::{Health, Message, Sequencer};
use crate::{Cache, Committed, Engine, Entry, Error, Limits, Metrics, Op, Snapshot};

const PANICKED: &str = "the store's thread panicked";

/// What a ledger held when it was opened.
#[derive(Default)]
pub(crate) struct Loaded {
    /// Revision from which the history begins: nothing is known of what was before.
    pub(crate) floor: Revision,
    /// Last removal of some resources, by prefix.
    pub(crate) removed: Vec<(String, Revision)>,
    /// All objects.
    pub(crate) entries: Vec<Arc<Entry>>,
}

impl Loaded {
    /// The last revision that left a trace.
    pub(crate) fn revision(&self) -> Revision {
        let removed = self.removed.iter().map(|(_, revision)| *revision);
        self.entries.iter().map(|entry| entry.revision).chain(removed).fold(self.floor, Revision::max)
    }
}

/// An engine that keeps everything in this process.
pub(crate) struct Embedded {
    cache: Arc<Cache>,
    queue: SyncSender<Message>,
    health: watch::Receiver<Health>,
}

impl Embedded {
    /// Starts the sequencer's thread.
    pub(crate) fn start(ledger: Box<dyn Ledger>, loaded: Loaded, clock: Arc<dyn Clock>, limits: Limits) -> std::io::Result<Self> {
        let expires = |entry: &Arc<Entry>| entry.expires_s.map(|expires_s| (expires_s, entry.key.clone()));
        let expiries: BTreeSet<_> = loaded.entries.iter().filter_map(expires).collect();
        let cache = Arc::new(Cache::new(loaded, limits, Arc::new(Metrics::default())));
        let (queue, received) = sync_channel(limits.queue_transactions_max);
        let (health_in, health) = watch::channel(Health::Running);
        let sequencer = Sequencer { cache: cache.clone(), clock, queue: received, health: health_in, expiries };
        std::thread::Builder::new().name("store".into()).spawn(move || sequencer.run(ledger))?;
        Ok(Self { cache, queue, health })
    }

    /// Hands the sequencer a message and waits for its answer.
    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Message) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        match self.queue.try_send(message(answer)) {
            Ok(()) => answered.await.unwrap_or_else(|_| Err(self.gone())),
            Err(TrySendError::Full(_)) => Err(Error::Overloaded),
            Err(TrySendError::Disconnected(_)) => Err(self.gone()),
        }
    }

    /// Why the sequencer does not answer.
    fn gone(&self) -> Error {
        match &*self.health.borrow() {
            Health::Closed => Error::Closed,
            Health::Failed(reason) => Error::Failed(reason.clone()),
            Health::Running => Error::Failed(PANICKED.into()),
        }
    }
}

/// Ends when the sequencer has failed, or its thread has died.
async fn failure(mut health: watch::Receiver<Health>) -> Arc<str> {
    loop {
        let now = health.borrow_and_update().clone();
        match now {
            Health::Failed(reason) => return reason,
            // It cannot fail any more.
            Health::Closed => std::future::pending().await,
            Health::Running
                if health.changed().await.is_err() && !matches!(*health.borrow(), Health::Closed | Health::Failed(_)) =>
            {
                return PANICKED.into();
            }
            Health::Running => {}
        }
    }
}

impl Engine for Embedded {
    fn commit(&self, ops: Vec<Op>) -> BoxFuture<'_, Result<Committed, Error>> {
        self.ask(|answer| Message::Write(ops, answer)).boxed()
    }

    fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    fn current_revision(&self) -> BoxFuture<'_, Result<Revision, Error>> {
        std::future::ready(Ok(self.cache.revision())).boxed()
    }

    fn expire(&self) -> BoxFuture<'_, Result<usize, Error>> {
        self.ask(Message::Expire).boxed()
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Vec<Snapshot>, Error>> {
        self.ask(Message::Snapshot).boxed()
    }

    fn failed(&self) -> BoxFuture<'static, Arc<str>> {
        failure(self.health.clone()).boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.ask(Message::Close).boxed()
    }
}

#[cfg(test)]
mod tests;
