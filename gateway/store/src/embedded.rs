//! The embedded engines `memory` and `disk`: a sequencer on a thread of its own and the queue in front of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use futures::FutureExt;
use futures::future::BoxFuture;
use model::{Clock, Revision};
use tokio::sync::{oneshot, watch};

use crate::batch::Seal;
use crate::ledger::Ledger;
use crate::record::{self, sealed::Sealed};
use crate::sequencer::{Health, Message, Sequencer};
use crate::{Cache, Committed, Engine, Entry, Error, Key, Limits, Metrics, Op, Snapshot, Transformer};

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
    /// Those that are encrypted.
    pub(crate) sealed: Vec<Sealed>,
}

impl Loaded {
    /// The last revision that left a trace.
    pub(crate) fn revision(&self) -> Revision {
        let removed = self.removed.iter().map(|(_, revision)| *revision);
        let sealed = self.sealed.iter().map(|sealed| sealed.revision);
        self.entries.iter().map(|entry| entry.revision).chain(sealed).chain(removed).fold(self.floor, Revision::max)
    }

    /// Decrypts what is encrypted. Fails with the first that cannot be: to leave it out would let its name be taken.
    pub(crate) async fn open(&mut self, transformer: &dyn Transformer) -> Result<(), (Key, String)> {
        for sealed in std::mem::take(&mut self.sealed) {
            let (key, mark) = (sealed.key.clone(), transformer.mark(&sealed.bytes));
            let clear = transformer.read_storage(key.prefix(), &key, sealed.bytes.clone()).await;
            let opened = clear.and_then(|clear| sealed.open(&clear).map_err(|damage| damage.to_string()));
            let entry = opened.map_err(|reason| (key, reason))?;
            entry.set_mark(mark);
            self.entries.push(Arc::new(entry));
        }
        Ok(())
    }
}

/// An engine that keeps everything in this process.
pub(crate) struct Embedded {
    cache: Arc<Cache>,
    queue: SyncSender<Message>,
    health: watch::Receiver<Health>,
    transformer: Option<Arc<dyn Transformer>>,
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
        Ok(Self { cache, queue, health, transformer: None })
    }

    /// Puts a transformer between the objects and the storage.
    pub(crate) fn behind(self, transformer: Arc<dyn Transformer>) -> Self {
        Self { transformer: Some(transformer), ..self }
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

/// What a transformer makes of an operation; nothing where it leaves things as they are.
async fn seal(transformer: &dyn Transformer, op: &Op) -> Result<Seal, String> {
    let Op::Put { key, draft, .. } = op else { return Ok(None) };
    let stored = transformer.write_storage(key.prefix(), key, record::sealed::clear(draft)).await?;
    let mark = transformer.mark(&stored);
    Ok((mark != 0).then(|| (stored.into(), mark)))
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
        async move {
            let mut sealed = Vec::new();
            if let Some(transformer) = &self.transformer {
                for op in &ops {
                    sealed.push(seal(&**transformer, op).await.map_err(|reason| Error::Refused(reason.into()))?);
                }
            }
            self.ask(|answer| Message::Write(ops, sealed, answer)).await
        }
        .boxed()
    }

    fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    fn current_revision(&self) -> BoxFuture<'_, Result<Revision, Error>> {
        std::future::ready(Ok(self.cache.revision())).boxed()
    }

    fn is_stale(&self, entry: &Entry) -> bool {
        self.transformer.as_ref().is_some_and(|transformer| transformer.is_stale(entry.key.prefix(), entry.mark()))
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
