//! The embedded engines `memory` and `disk`: a sequencer on a thread of its own and the queue in front of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use futures::FutureExt;
use futures::future::BoxFuture;
use model::{Clock, Revision};
use tokio::sync::{oneshot, watch};

use crate::ledger::Ledger;
use crate::sequencer::{Message, Sequencer};
use crate::{Cache, Committed, Engine, Entry, Error, Limits, Metrics, Op};

/// What a ledger held when it was opened.
#[derive(Default)]
pub(crate) struct Loaded {
    pub(crate) revision: Revision,
    pub(crate) entries: Vec<Arc<Entry>>,
}

/// An engine that keeps everything in this process.
pub(crate) struct Embedded {
    cache: Arc<Cache>,
    queue: SyncSender<Message>,
    failed: watch::Receiver<Option<Arc<str>>>,
}

impl Embedded {
    /// Starts the sequencer's thread.
    pub(crate) fn start(ledger: Box<dyn Ledger>, loaded: Loaded, clock: Arc<dyn Clock>, limits: Limits) -> std::io::Result<Self> {
        let expires = |entry: &Arc<Entry>| entry.expires_s.map(|expires_s| (expires_s, entry.key.clone()));
        let expiries: BTreeSet<_> = loaded.entries.iter().filter_map(expires).collect();
        let cache = Arc::new(Cache::new(loaded.revision, loaded.entries, limits, Arc::new(Metrics::default())));
        let (queue, received) = sync_channel(limits.queue_transactions_max);
        let (failing, failed) = watch::channel(None);
        let sequencer = Sequencer { cache: cache.clone(), clock, queue: received, failed: failing, expiries };
        std::thread::Builder::new().name("store".into()).spawn(move || sequencer.run(ledger))?;
        Ok(Self { cache, queue, failed })
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
        self.failed.borrow().clone().map_or(Error::Closed, Error::Failed)
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

    fn failed(&self) -> BoxFuture<'static, Arc<str>> {
        let mut failed = self.failed.clone();
        async move {
            loop {
                if let Some(reason) = failed.borrow_and_update().clone() {
                    return reason;
                }
                if failed.changed().await.is_err() {
                    // Closed in good order: it cannot fail any more.
                    std::future::pending::<()>().await;
                }
            }
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.ask(Message::Close).boxed()
    }
}

#[cfg(test)]
mod tests;
