//! The revisioned store with watch. All current objects live once in memory, as the bytes that are sent; an engine orders
//! writes and makes them durable; readers see snapshots and wait for nobody.
//! Knows neither HTTP nor any kind.

mod backup;
pub mod bare;
mod batch;
mod cache;
mod change;
mod disk;
mod embedded;
mod encryption;
mod engine;
mod entry;
mod etcd;
pub mod fault;
mod folder;
mod header;
mod journal;
mod key;
mod ledger;
mod limits;
mod log;
mod metrics;
mod op;
mod pin;
mod record;
mod room;
mod sequencer;
mod snapshot;
mod transcode;
mod unread;
mod watch;
mod witness;

use std::path::Path;
use std::sync::Arc;

use model::clock::SystemClock;
use model::{Clock, Revision};

pub use backup::{BackupError, RESTORE_REVISION_STEP, Saved, check, replay, restore, save};
pub use batch::OBJECT_TOO_LARGE;
pub use cache::{Cache, ResourceCache};
pub use change::{Event, Kind};
pub use disk::{ACKNOWLEDGED_FILE, FILE, FORMAT, LOCK_FILE, OpenError, exists};
pub use encryption::{Encryption, ResourceOf};
pub use engine::Engine;
pub use entry::{Draft, Entry, Form, RENDERINGS_MAX};
pub use etcd::{DEADLINE, EtcdError, Override, Servers, Settings as EtcdSettings, SettingsError};
pub use header::{Fields, Header, Labels, Pairs};
pub use key::{KEY_BYTES_MAX, Key};
pub use limits::Limits;
pub use metrics::{COMMIT_BUCKETS_US, Metrics};
pub use op::{BODY_BYTES_MAX, Committed, Error, Expect, Op, TRANSACTION_OPS_MAX};
pub use record::Damage;
pub use snapshot::Snapshot;
pub use transcode::{Decoded, Transcoder, Transformer};
pub use unread::{Step, Unread};
pub use watch::{Interest, Selector, WatchError, Watcher};

/// The revision of an empty store. Not 0, which in the API means "any".
pub const FIRST_REVISION: Revision = 1;

/// What the rest of Gatehouse holds: an engine to write through and the cache to read from. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
    cache: Arc<Cache>,
}

impl Store {
    /// A store over an engine.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        let cache = engine.cache().clone();
        Self { engine, cache }
    }

    /// An empty store that forgets everything with the process. Fails when no thread can be started.
    pub fn memory() -> std::io::Result<Self> {
        Self::memory_with(Arc::new(SystemClock), Limits::default())
    }

    /// As [`Store::memory`], with a clock and bounds of the caller's.
    pub fn memory_with(clock: Arc<dyn Clock>, limits: Limits) -> std::io::Result<Self> {
        Self::memory_after(FIRST_REVISION, clock, limits)
    }

    /// The same with revisions that come after one: for what every process makes anew, so that nobody takes the revisions of one
    /// process for those of another.
    pub fn memory_after(floor: Revision, clock: Arc<dyn Clock>, limits: Limits) -> std::io::Result<Self> {
        let loaded = embedded::Loaded { floor, ..embedded::Loaded::default() };
        let engine = embedded::Embedded::start(Box::new(ledger::Nowhere), loaded, clock, limits)?;
        Ok(Self::new(Arc::new(engine)))
    }

    /// The store in a directory, made when there is none; it may have one process at a time. Blocks while it reads
    /// everything.
    pub fn disk(dir: &Path, clock: Arc<dyn Clock>, limits: Limits) -> Result<Self, OpenError> {
        let (disk, loaded) = disk::open(dir, limits)?;
        if let Some(sealed) = loaded.sealed.first() {
            return Err(OpenError::Sealed { dir: dir.to_owned(), key: sealed.key.to_string() });
        }
        Ok(Self::new(Arc::new(Self::on_disk(dir, disk, loaded, clock, limits)?)))
    }

    /// The same with a transformer between the objects and the disk. What lies there in the clear, or with an older key, is
    /// read as well, where the transformer reads it.
    pub async fn disk_behind(
        dir: &Path,
        transformer: Arc<dyn Transformer>,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Result<Self, OpenError> {
        let (disk, mut loaded) = disk::open(dir, limits)?;
        loaded.open(&*transformer).await;
        Ok(Self::new(Arc::new(Self::on_disk(dir, disk, loaded, clock, limits)?.behind(transformer))))
    }

    /// The store in etcd clusters, as kube-apiserver lays it out. Needs a runtime; answers once everything is listed.
    pub async fn etcd(
        settings: &EtcdSettings,
        transcoder: Arc<dyn Transcoder>,
        transformer: Option<Arc<dyn Transformer>>,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Result<Self, EtcdError> {
        let parts = etcd::Parts { transcoder, transformer, clock, limits };
        Ok(Self::new(Arc::new(etcd::Etcd::open(settings, &parts).await?)))
    }

    /// The same on a disk in memory, whose faults a test decides.
    pub fn disk_on(disk: &fault::Disk, clock: Arc<dyn Clock>, limits: Limits) -> Result<Self, OpenError> {
        let (disk, loaded) = disk::open_test(disk, limits)?;
        let engine = Self::on_disk(Path::new("(a disk in memory)"), disk, loaded, clock, limits)?;
        Ok(Self::new(Arc::new(engine)))
    }

    fn on_disk(
        path: &Path,
        disk: disk::Disk,
        loaded: embedded::Loaded,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Result<embedded::Embedded, OpenError> {
        let thread = |source| OpenError::Io { step: "start the thread for", path: path.to_owned(), source };
        embedded::Embedded::start(Box::new(disk), loaded, clock, limits).map_err(thread)
    }

    /// Whether an entry is stored with another key than it would be now.
    pub fn is_stale(&self, entry: &Entry) -> bool {
        self.engine.is_stale(entry)
    }

    /// Whether an entry is stored otherwise than a draft of the same object would be, so that even a write that changes nothing is
    /// one.
    pub async fn lies_otherwise(&self, entry: &Entry, draft: &Draft) -> Result<bool, Error> {
        self.engine.lies_otherwise(entry, draft).await
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// The cache.
    pub fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// The resource under a prefix such as `/registry/pods/`.
    pub fn resource(&self, prefix: &str) -> Arc<ResourceCache> {
        self.cache.resource(prefix)
    }

    /// Everything up to this revision is visible.
    pub fn revision(&self) -> Revision {
        self.cache.revision()
    }

    /// Waits until the cache holds everything of the resource that was written before this call, by whichever process.
    pub async fn fresh(&self, prefix: &str) -> Result<(), Error> {
        match self.engine.fresh(prefix) {
            Some(caught_up) => caught_up.await,
            None => Ok(()),
        }
    }

    /// Whether the resource can be read at all, however old what is known of it.
    pub fn ready(&self, prefix: &str) -> Result<(), Error> {
        self.engine.ready(prefix)
    }

    /// A resource as it was at a revision, if anybody still knows; it is pinned then for whoever asks next.
    pub async fn snapshot_at(&self, resource: &ResourceCache, revision: Revision) -> Result<Option<Snapshot>, Error> {
        if let Some(known) = resource.snapshot_at(revision) {
            return Ok(Some(known));
        }
        let Some(history) = self.engine.history(resource.prefix(), revision) else { return Ok(None) };
        let found = history.await?;
        found.iter().for_each(|snapshot| resource.pin(snapshot));
        Ok(found)
    }

    /// Every resource as it is at one revision, in order of prefix: for what reads all, such as a backup.
    pub async fn snapshot(&self) -> Result<Vec<Snapshot>, Error> {
        self.engine.snapshot().await
    }

    /// Ends when the storage has failed for good, with the reason; the process must then end.
    pub async fn failed(&self) -> Arc<str> {
        self.engine.failed().await
    }

    /// Finishes what is queued, ends every watch, closes the storage. Reading goes on.
    pub async fn close(&self) -> Result<(), Error> {
        self.engine.close().await
    }

    /// Carries out a transaction; what it wrote is durable and visible when this returns.
    pub async fn commit(&self, ops: Vec<Op>) -> Result<Committed, Error> {
        self.engine.commit(ops).await
    }
}
