//! The embedded engines `memory` and `disk`: a sequencer on a thread of its own and the queue in front of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use futures::FutureExt;
use futures::future::BoxFuture;
use model::{Clock, Revision};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::batch::Seal;
use crate::ledger::Ledger;
use crate::record::{self, sealed::Sealed};
use crate::sequencer::{Health, Message, Sequencer};
use crate::unread::{RETRY_EVERY, Retry, Step, Unread};
use crate::{Cache, Committed, Engine, Entry, Error, Limits, Metrics, Op, Snapshot, Transformer};

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

    /// Decrypts what is encrypted. What cannot be is there all the same: to leave it out would let its name be taken.
    pub(crate) async fn open(&mut self, transformer: &dyn Transformer) {
        for sealed in std::mem::take(&mut self.sealed) {
            let entry = opened(sealed, transformer).await;
            if let Some(unread) = entry.unread() {
                tracing::error!(key = %entry.key, reason = unread.reason, "an object in the store cannot be read");
            }
            self.entries.push(Arc::new(entry));
        }
    }
}

/// A record decrypted, or what is known of it.
async fn opened(sealed: Sealed, transformer: &dyn Transformer) -> Entry {
    let (key, bytes) = (sealed.key.clone(), sealed.bytes.clone());
    let unread = |sealed: Sealed, step, reason| sealed.unread(Unread { step, reason, stored: bytes.clone() });
    match transformer.read_storage(key.prefix(), &key, bytes.clone()).await {
        Err(reason) => unread(sealed, Step::Transform, reason),
        Ok(clear) => match sealed.open(&clear) {
            Ok(entry) => {
                entry.set_mark(transformer.mark(&bytes));
                entry
            }
            Err((sealed, damage)) => unread(sealed, Step::Decode, damage.to_string()),
        },
    }
}

/// An engine that keeps everything in this process.
pub(crate) struct Embedded {
    cache: Arc<Cache>,
    queue: SyncSender<Message>,
    health: watch::Receiver<Health>,
    transformer: Option<Arc<dyn Transformer>>,
    /// They end with the engine.
    tasks: JoinSet<()>,
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
        Ok(Self { cache, queue, health, transformer: None, tasks: JoinSet::new() })
    }

    /// Puts a transformer between the objects and the storage. Needs a runtime where something could not be read.
    pub(crate) fn behind(mut self, transformer: Arc<dyn Transformer>) -> Self {
        // Only what was there at the start can be unreadable: all else was written here.
        if self.cache.resources().iter().any(|resource| resource.snapshot().unread().next().is_some()) {
            self.tasks.spawn(reread(self.cache.clone(), transformer.clone(), self.queue.clone()));
        }
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

/// Tries again to read what could not be read, until all can be.
async fn reread(cache: Arc<Cache>, transformer: Arc<dyn Transformer>, queue: SyncSender<Message>) {
    let mut retry = Retry::default();
    let again = async |entry: Arc<Entry>| match Sealed::of(&entry) {
        Some(sealed) => Arc::new(opened(sealed, &*transformer).await),
        None => entry,
    };
    while cache.resources().iter().any(|resource| resource.snapshot().unread().next().is_some()) {
        tokio::time::sleep(RETRY_EVERY).await;
        let read = retry.run(&cache, |_| true, again).await;
        if !read.is_empty() {
            tracing::info!(objects = read.len(), "objects that could not be read can be read now");
            // A full queue is empty in a moment; what is not taken in now is read once more.
            let _ = queue.try_send(Message::Mend(read));
        }
    }
}

/// What a transformer makes of an operation; nothing where it leaves things as they are.
async fn seal(transformer: &dyn Transformer, op: &Op) -> Result<Seal, String> {
    let Op::Put { key, draft, .. } = op else { return Ok(None) };
    // Both are limited to a few MiB.
    let clear = record::sealed::clear(&draft.header, &draft.body, draft.revision_at as u32);
    let stored = transformer.write_storage(key.prefix(), key, clear).await?;
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

    fn transformer(&self) -> Option<Arc<dyn Transformer>> {
        self.transformer.clone()
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
