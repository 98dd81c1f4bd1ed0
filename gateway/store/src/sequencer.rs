//! The one place through which the embedded engines write: takes what has queued, gives revisions, makes it durable
//! with one commit, publishes it, answers. Does not know the storage (`ledger`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use model::Clock;
use tokio::sync::{oneshot, watch};

use crate::batch::{Batch, Seal, Write};
use crate::cache::wake_all;
use crate::ledger::{Failure, Ledger};
use crate::log::Waiting;
use crate::{Cache, Committed, Entry, Error, Expect, Key, Op, Snapshot};

/// How often expired objects are looked for. Upstream's are as coarse: etcd checks its leases twice a second.
const EXPIRE_EVERY: Duration = Duration::from_secs(1);
/// What kube-apiserver's clients are told when etcd has no room left.
const FULL: &str = "etcdserver: mvcc: database space exceeded";
/// By how much an object may grow on a full disk: a deletion's time, a lease's renewal, a removed finalizer's traces. The
/// reserve holds tens of thousands of these.
const GROWTH_BYTES_MAX: usize = 512;

/// What the sequencer is told.
pub(crate) enum Message {
    /// Carry out a transaction.
    Write(Vec<Op>, Vec<Seal>, Answer<Committed>),
    /// Remove what has expired by now; answered with how many.
    Expire(Answer<usize>),
    /// Put in place what could not be read before and can be now.
    Mend(Vec<Arc<Entry>>),
    /// Give every resource as it is at one revision.
    Snapshot(Answer<Vec<Snapshot>>),
    /// Finish and leave.
    Close(Answer<()>),
}

/// How the sequencer is. When its thread ends while this says that it is running, it has panicked.
#[derive(Clone, Debug)]
pub(crate) enum Health {
    Running,
    Closed,
    Failed(Arc<str>),
}

type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// The sequencer's own state; lives on its thread.
pub(crate) struct Sequencer {
    pub(crate) cache: Arc<Cache>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) queue: Receiver<Message>,
    pub(crate) health: watch::Sender<Health>,
    /// When what expires, soonest first.
    pub(crate) expiries: BTreeSet<(u64, Key)>,
}

/// What one turn of the queue brought.
#[derive(Default)]
struct Turn {
    writes: Vec<(Vec<Op>, Vec<Seal>, Answer<Committed>)>,
    expires: Vec<Answer<usize>>,
    mended: Vec<Arc<Entry>>,
    snapshots: Vec<Answer<Vec<Snapshot>>>,
    close: Option<Answer<()>>,
    /// Nobody can send any more.
    abandoned: bool,
}

impl Sequencer {
    /// Runs until it is told to close or nobody holds the engine any more. Blocks its thread in fsync.
    pub(crate) fn run(mut self, mut ledger: Box<dyn Ledger>) {
        let mut next_tick = Instant::now() + EXPIRE_EVERY;
        loop {
            let mut turn = self.next_turn(next_tick);
            let mut outcome = self.write(&mut *ledger, std::mem::take(&mut turn.writes));
            if outcome.is_ok() && (Instant::now() >= next_tick || !turn.expires.is_empty()) {
                next_tick = Instant::now() + EXPIRE_EVERY;
                self.cache.trim(Instant::now());
                outcome = self.expire(&mut *ledger, turn.expires);
            }
            if let Err(Broken(reason)) = outcome {
                ledger.abandon();
                return self.refuse(reason, turn.close);
            }
            // One that was written to meanwhile is left as it is.
            for entry in &turn.mended {
                wake_all(&self.cache.resource(entry.key.prefix()).mend(std::slice::from_ref(entry)));
            }
            for answer in turn.snapshots {
                // Between two commits, so nothing is half visible.
                let _ = answer.send(Ok(self.cache.resources().iter().map(|resource| resource.snapshot()).collect()));
            }
            if turn.close.is_some() || turn.abandoned {
                return self.close(ledger, turn.close);
            }
        }
    }

    /// Waits for something to do, then takes all that has queued meanwhile, up to a commit's limits.
    fn next_turn(&self, next_tick: Instant) -> Turn {
        let (mut turn, limits) = (Turn::default(), &self.cache.shared.limits);
        let mut bytes = 0;
        let mut received = self.queue.recv_timeout(next_tick.saturating_duration_since(Instant::now()));
        loop {
            match received {
                Ok(Message::Write(ops, sealed, answer)) => {
                    bytes += ops.iter().map(body_len).sum::<usize>();
                    turn.writes.push((ops, sealed, answer));
                }
                Ok(Message::Expire(answer)) => turn.expires.push(answer),
                Ok(Message::Mend(read)) => turn.mended.extend(read),
                Ok(Message::Snapshot(answer)) => turn.snapshots.push(answer),
                Ok(Message::Close(answer)) => turn.close = Some(answer),
                Err(RecvTimeoutError::Timeout) => return turn,
                Err(RecvTimeoutError::Disconnected) => turn.abandoned = true,
            }
            let full = turn.writes.len() >= limits.batch_transactions_max || bytes >= limits.batch_bytes_max;
            if full || turn.close.is_some() || turn.abandoned {
                return turn;
            }
            received = self.queue.try_recv().map_err(|_| RecvTimeoutError::Timeout);
        }
    }

    /// Carries out transactions with one commit and answers them. On failure every one of them learns that its outcome
    /// is unknown.
    fn write(&mut self, ledger: &mut dyn Ledger, writes: Vec<(Vec<Op>, Vec<Seal>, Answer<Committed>)>) -> Result<(), Broken> {
        if writes.is_empty() {
            return Ok(());
        }
        let cache = self.cache.clone();
        let mut batch = Batch::new(&cache, self.now_s());
        let mut room_bytes = ledger.room_bytes();
        let mut apply = |ops: &[Op], sealed: &[Seal]| match fits(&cache, ops, &mut room_bytes) {
            true => batch.apply(ops, sealed),
            false => Err(Error::Refused(FULL.into())),
        };
        let results: Vec<_> = writes.into_iter().map(|(ops, sealed, answer)| (apply(&ops, &sealed), answer)).collect();
        let committed = if batch.writes.is_empty() { Ok(Vec::new()) } else { self.commit(ledger, &batch) };
        for (result, answer) in results {
            self.count(&result);
            // A caller that went away does not undo its write.
            let _ = answer.send(match &committed {
                Ok(_) => result,
                // A conflict with what was not stored is none.
                Err(Failure::Full) => Err(Error::Refused(FULL.into())),
                Err(Failure::Broken(reason)) => Err(Error::Failed(reason.as_str().into())),
            });
        }
        // After the answers: whoever wrote waits for the fsync only, not for two hundred watchers to be woken.
        wake_all(&unless_broken(committed)?.unwrap_or_default());
        Ok(())
    }

    fn count(&self, result: &Result<Committed, Error>) {
        let metrics = &self.cache.shared.metrics;
        match result {
            Ok(_) => metrics.transactions.fetch_add(1, Ordering::Relaxed),
            Err(_) => metrics.conflicts.fetch_add(1, Ordering::Relaxed),
        };
    }

    /// Makes a batch durable, then visible; in this order. Gives whom to wake.
    fn commit(&mut self, ledger: &mut dyn Ledger, batch: &Batch<'_>) -> Result<Vec<Waiting>, Failure> {
        let start = Instant::now();
        ledger.commit(batch)?;
        self.cache.shared.metrics.committed(batch.writes.len(), start.elapsed());
        let mut wake = Vec::new();
        for (resource, changes) in &batch.changes {
            wake.extend(resource.publish(changes));
        }
        self.cache.shared.publish(batch.revision);
        self.schedule(batch);
        Ok(wake)
    }

    /// Keeps the expiries as the batch left them.
    fn schedule(&mut self, batch: &Batch<'_>) {
        for change in batch.changes.iter().flat_map(|(_, changes)| changes) {
            if let Some(expires_s) = change.old.as_ref().and_then(|old| old.expires_s) {
                self.expiries.remove(&(expires_s, change.key.clone()));
            }
        }
        for (key, write) in &batch.writes {
            if let Write::Put(entry, _) = write {
                self.expiries.extend(entry.expires_s.map(|expires_s| (expires_s, key.clone())));
            }
        }
    }

    /// Removes what has expired, in commits of limited size, and answers those who asked for it.
    fn expire(&mut self, ledger: &mut dyn Ledger, asked: Vec<Answer<usize>>) -> Result<(), Broken> {
        let mut removed = 0;
        let outcome = loop {
            let due = self.due();
            if due.is_empty() {
                break Ok(());
            }
            let count = due.len();
            match unless_broken(self.remove(ledger, due)) {
                Ok(Some(())) => removed += count,
                // There is no room even for a deletion: at the next tick again.
                Ok(None) => break Ok(()),
                Err(broken) => break Err(broken),
            }
        };
        self.cache.shared.metrics.expired.fetch_add(removed as u64, Ordering::Relaxed);
        for answer in asked {
            let _ = answer.send(match &outcome {
                Ok(()) => Ok(removed),
                Err(Broken(reason)) => Err(Error::Failed(reason.clone())),
            });
        }
        outcome
    }

    fn due(&self) -> Vec<Key> {
        let now_s = self.now_s();
        let due = self.expiries.iter().take_while(|(expires_s, _)| *expires_s <= now_s);
        due.take(self.cache.shared.limits.expire_batch_max).map(|(_, key)| key.clone()).collect()
    }

    fn remove(&mut self, ledger: &mut dyn Ledger, due: Vec<Key>) -> Result<(), Failure> {
        let cache = self.cache.clone();
        let mut batch = Batch::new(&cache, self.now_s());
        for key in due {
            // Nothing else writes meanwhile, so the key is there; if it were not, there would be nothing to do.
            let _ = batch.apply(&[Op::Delete { key, expect: Expect::Any }], &[]);
        }
        wake_all(&self.commit(ledger, &batch)?);
        Ok(())
    }

    /// The storage failed: says so to everyone, for good.
    fn refuse(self, reason: Arc<str>, close: Option<Answer<()>>) {
        tracing::error!(%reason, "the store failed and acknowledges nothing any more");
        self.health.send_replace(Health::Failed(reason.clone()));
        self.cache.close();
        let refusal = || Error::Failed(reason.clone());
        if let Some(answer) = close {
            let _ = answer.send(Err(refusal()));
            return;
        }
        // The senders keep the queue open until the engine is dropped.
        for message in &self.queue {
            match message {
                Message::Write(_, _, answer) => drop(answer.send(Err(refusal()))),
                Message::Expire(answer) => drop(answer.send(Err(refusal()))),
                Message::Mend(_) => {}
                Message::Snapshot(answer) => drop(answer.send(Err(refusal()))),
                Message::Close(answer) => return drop(answer.send(Err(refusal()))),
            }
        }
    }

    fn close(self, ledger: Box<dyn Ledger>, close: Option<Answer<()>>) {
        self.cache.close();
        let closed = ledger.close().map_err(|failure| Error::Failed(failure.to_string().into()));
        if let Err(error) = &closed {
            // All that was answered is durable; only the next start takes longer.
            tracing::error!(%error, "closing the store failed");
        }
        self.health.send_replace(Health::Closed);
        if let Some(answer) = close {
            let _ = answer.send(closed);
        }
    }

    fn now_s(&self) -> u64 {
        u64::try_from(self.clock.now().as_second()).unwrap_or(0)
    }
}

/// The storage failed for good, and why.
struct Broken(Arc<str>);

/// What came of a commit, `None` where there was no room for it.
fn unless_broken<T>(outcome: Result<T, Failure>) -> Result<Option<T>, Broken> {
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(Failure::Full) => Ok(None),
        Err(Failure::Broken(reason)) => Err(Broken(reason.into())),
    }
}

/// Whether there is room for what a transaction brings; takes it from the room.
fn fits(cache: &Cache, ops: &[Op], room_bytes: &mut u64) -> bool {
    if *room_bytes == u64::MAX {
        return true;
    }
    let grows = |op: &Op| match op {
        Op::Put { key, draft, .. } => {
            let before = cache.resource(key.prefix()).get(key).map_or(0, |entry| entry.body.len() + GROWTH_BYTES_MAX);
            draft.body.len().saturating_sub(before) as u64
        }
        Op::Delete { .. } => 0,
    };
    let left = room_bytes.checked_sub(ops.iter().map(grows).sum());
    *room_bytes = left.unwrap_or(*room_bytes);
    left.is_some()
}

fn body_len(op: &Op) -> usize {
    match op {
        Op::Put { draft, .. } => draft.body.len(),
        Op::Delete { .. } => 0,
    }
}
