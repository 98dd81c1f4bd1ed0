//! The contract of an engine: it orders writes, makes them durable and publishes them to the cache.
//! Reading is not here: every engine publishes into the same `Cache`, and all reads are answered from that.

use std::sync::Arc;

use futures::future::BoxFuture;
use model::Revision;

use crate::{Cache, Committed, Draft, Entry, Error, Op, Snapshot, Transformer};

/// Orders writes, makes them durable, publishes them. The shared suite (`tests/suite`) says what that means exactly.
pub trait Engine: Send + Sync {
    /// Carries out a transaction: all of it or nothing. Answers after it is durable and visible in the cache. The write
    /// goes on when the future is dropped.
    fn commit(&self, ops: Vec<Op>) -> BoxFuture<'_, Result<Committed, Error>>;

    /// The cache this engine publishes to.
    fn cache(&self) -> &Arc<Cache>;

    /// A revision that is at least that of every write answered before this call, by whichever process. Embedded engines
    /// know it; one that shares its storage asks.
    fn current_revision(&self) -> BoxFuture<'_, Result<Revision, Error>>;

    /// Waits until the cache holds everything of a resource that was written before this call, by whichever process. `None`
    /// where nobody else writes and it always does.
    fn fresh(&self, _prefix: &str) -> Option<BoxFuture<'_, Result<(), Error>>> {
        None
    }

    /// A resource as it was at a revision that the cache does not know any more, if the storage does. `None` where nothing but the
    /// cache knows the past.
    fn history(&self, _prefix: &str, _revision: Revision) -> Option<BoxFuture<'_, Result<Option<Snapshot>, Error>>> {
        None
    }

    /// Whether anything is known yet of the resource: a storage of its own may not have answered so far.
    fn ready(&self, _prefix: &str) -> Result<(), Error> {
        Ok(())
    }

    /// What stands between the objects and the storage, where something does.
    fn transformer(&self) -> Option<Arc<dyn Transformer>> {
        None
    }

    /// Whether an entry is stored with another key than it would be now, so that even a write that changes nothing is one.
    fn is_stale(&self, _entry: &Entry) -> bool {
        false
    }

    /// Whether an object lies in the storage otherwise than a draft of the same object would: with another key, or in an encoding
    /// that others chose.
    fn lies_otherwise<'a>(&'a self, entry: &'a Entry, _draft: &'a Draft) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(std::future::ready(Ok(self.is_stale(entry))))
    }

    /// How each storage outside this process is, where there are some: first the one that holds what no other does.
    fn health(&self) -> Vec<Result<(), String>> {
        Vec::new()
    }

    /// Sees to it that the next write has a later revision than this. Nothing to do where revisions are given here: a store that
    /// is restored begins at a later one.
    fn raise(&self, _revision: Revision) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Removes what has expired by now, without waiting for the next tick; gives how many went.
    fn expire(&self) -> BoxFuture<'_, Result<usize, Error>>;

    /// Every resource as it is at one revision, in order of prefix.
    fn snapshot(&self) -> BoxFuture<'_, Result<Vec<Snapshot>, Error>>;

    /// Ends when the storage has failed for good, with the reason; the process must then end. Never ends otherwise.
    fn failed(&self) -> BoxFuture<'static, Arc<str>>;

    /// Finishes what is queued, ends every watch, and closes the storage.
    fn close(&self) -> BoxFuture<'_, Result<(), Error>>;
}
