//! What the cases stand on: a store of some engine on a clock that stands still, and short ways to write.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use model::{Clock, Revision};
use store::{
    Committed, Draft, Entry, Error, Event, Expect, Header, Interest, Key, Limits, Op, OpenError, ResourceCache, Store, fault,
};

use crate::etcd::{Etcd, plain};

/// Prefix of the resource that most cases use.
pub const PODS: &str = "/registry/pods/";

/// A clock that moves when it is told to.
pub struct StillClock(AtomicI64);

impl Clock for StillClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(self.0.load(Ordering::SeqCst)).expect("a time in range")
    }
}

/// Where a store keeps its objects.
pub enum Medium {
    Etcd(Etcd),
    Memory,
    Directory(tempfile::TempDir),
    Platter(fault::Disk),
}

/// A store under test.
pub struct Bed {
    pub store: Store,
    pub clock: Arc<StillClock>,
    pub medium: Medium,
}

impl Bed {
    /// The engine `memory`.
    pub async fn memory() -> Self {
        Self::on(Medium::Memory).await
    }

    /// The engine `disk`.
    pub async fn disk() -> Self {
        Self::on(Medium::Directory(tempfile::tempdir().expect("a directory"))).await
    }

    /// The engine `disk` on a disk whose faults the case decides.
    pub async fn platter() -> Self {
        Self::on(Medium::Platter(fault::Disk::new())).await
    }

    /// The engine `etcd`, on an etcd of its own.
    pub async fn etcd() -> Self {
        Self::on(Medium::Etcd(Etcd::start())).await
    }

    /// Whether all operations of a transaction happen at one revision.
    pub fn is_etcd(&self) -> bool {
        matches!(self.medium, Medium::Etcd(_))
    }

    pub async fn on(medium: Medium) -> Self {
        let clock = Arc::new(StillClock(AtomicI64::new(1_000_000)));
        let store = open(&medium, clock.clone(), Limits::default()).await.expect("opens");
        Self { store, clock, medium }
    }

    /// The same with other bounds; what was written is kept by engines that last.
    pub async fn limited(self, limits: Limits) -> Self {
        self.store.close().await.expect("closes");
        let store = open(&self.medium, self.clock.clone(), limits).await.expect("opens");
        Self { store, ..self }
    }

    /// Closes the store and opens it again.
    pub async fn reopened(self) -> Self {
        self.limited(Limits::default()).await
    }

    /// Tries to open the store's medium once more.
    pub async fn try_open(&self) -> Result<Store, OpenError> {
        open(&self.medium, self.clock.clone(), Limits::default()).await
    }

    /// The store's directory.
    pub fn directory(&self) -> &Path {
        match &self.medium {
            Medium::Directory(dir) => dir.path(),
            _ => panic!("no directory"),
        }
    }

    /// The first segment of its log.
    pub fn file(&self) -> PathBuf {
        self.directory().join(store::FILE).join("0000000001.log")
    }

    pub fn platter_disk(&self) -> &fault::Disk {
        match &self.medium {
            Medium::Platter(disk) => disk,
            _ => panic!("no platter"),
        }
    }

    /// Moves the clock.
    pub fn pass_s(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn pods(&self) -> Arc<ResourceCache> {
        self.store.resource(PODS)
    }

    /// Watches pods from now on.
    pub fn watch(&self, interest: Interest) -> store::Watcher {
        self.pods().watch(self.store.revision(), interest).expect("now is never too old")
    }

    pub async fn put(&self, key: &Key, expect: Expect, draft: Draft) -> Result<Arc<Entry>, Error> {
        one(self.store.commit(vec![Op::Put { key: key.clone(), expect, draft }]).await)
    }

    /// Writes a pod with a value, whatever was there.
    pub async fn set(&self, name: &str, value: &str) -> Arc<Entry> {
        self.put(&pod(name), Expect::Any, draft(value)).await.expect("nothing to conflict with")
    }

    /// Writes a pod with labels and fields, whatever was there.
    pub async fn mark(&self, name: &str, labels: &[(&str, &str)], fields: &[(&str, &str)]) -> Arc<Entry> {
        self.put(&pod(name), Expect::Any, marked("", labels, fields)).await.expect("nothing to conflict with")
    }

    pub async fn delete(&self, key: &Key, expect: Expect) -> Result<Arc<Entry>, Error> {
        one(self.store.commit(vec![Op::Delete { key: key.clone(), expect }]).await)
    }

    /// Deletes a pod that is there.
    pub async fn unset(&self, name: &str) -> Arc<Entry> {
        self.delete(&pod(name), Expect::Any).await.expect("it was there")
    }
}

async fn open(medium: &Medium, clock: Arc<StillClock>, limits: Limits) -> Result<Store, OpenError> {
    match medium {
        Medium::Memory => Ok(Store::memory_with(clock, limits).expect("a thread")),
        Medium::Directory(dir) => Store::disk(dir.path(), clock, limits),
        Medium::Etcd(etcd) => Ok(Store::etcd(&etcd.settings(), plain(), None, clock, limits).await.expect("opens")),
        Medium::Platter(disk) => Store::disk_on(disk, clock, limits),
    }
}

fn one(committed: Result<Committed, Error>) -> Result<Arc<Entry>, Error> {
    committed.map(|mut committed| committed.entries.remove(0))
}

/// Where a case that rolls dice begins; printed, so that what failed can be run again.
pub fn seed() -> u64 {
    let seed = std::env::var("STORE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    println!("STORE_SEED={seed}");
    seed
}

/// The key of a pod, `namespace/name`.
pub fn pod(rest: &str) -> Key {
    Key::new(PODS, rest)
}

/// A body with a value and room for the revision.
pub fn draft(value: &str) -> Draft {
    let head = r#"{"metadata":{"resourceVersion":""#;
    let body = format!(r#"{head}"}},"value":"{value}"}}"#);
    Draft { header: Header::default(), body: Bytes::from(body), revision_at: head.len(), ttl_s: None }
}

/// The same with labels and fields.
pub fn marked(value: &str, labels: &[(&str, &str)], fields: &[(&str, &str)]) -> Draft {
    let header = Header { labels: labels.iter().copied().collect(), fields: fields.iter().copied().collect() };
    let map = |pairs: &[(&str, &str)]| {
        let members: Vec<_> = pairs.iter().map(|(key, value)| format!(r#""{key}":"{value}""#)).collect();
        format!("{{{}}}", members.join(","))
    };
    let mut draft = Draft { header, ..draft(value) };
    if !labels.is_empty() || !fields.is_empty() {
        // An engine whose storage keeps no header finds it in the body.
        let text = std::str::from_utf8(&draft.body).expect("text");
        let text = format!(r#"{},"labels":{},"fields":{}}}"#, &text[..text.len() - 1], map(labels), map(fields));
        draft.body = Bytes::from(text);
    }
    draft
}

/// The body that [`draft`] makes, at a revision.
pub fn body(value: &str, revision: Revision) -> Bytes {
    Bytes::from(format!(r#"{{"metadata":{{"resourceVersion":"{revision}"}},"value":"{value}"}}"#))
}

/// An event in short: `ADDED default/a 7`.
pub fn short(event: &Event) -> String {
    format!("{} {} {}", event.kind.as_str(), event.entry.key.rest(), event.revision())
}

/// The same without the revision.
pub fn shorts(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| format!("{} {}", event.kind.as_str(), event.entry.key.rest())).collect()
}
