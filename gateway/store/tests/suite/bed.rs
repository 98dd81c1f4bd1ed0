//! What the cases stand on: a store of some engine on a clock that stands still, and short ways to write.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use model::{Clock, Revision};
use store::{Committed, Draft, Entry, Error, Expect, Header, Key, Limits, Op, Store};

/// Prefix of the resource that most cases use.
pub const PODS: &str = "/registry/pods/";

/// A clock that moves when it is told to.
pub struct StillClock(AtomicI64);

impl Clock for StillClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(self.0.load(Ordering::SeqCst)).expect("a time in range")
    }
}

/// A store under test.
pub struct Bed {
    pub store: Store,
    pub clock: Arc<StillClock>,
    open: Box<dyn Fn(Arc<StillClock>, Limits) -> Store + Send + Sync>,
}

impl Bed {
    /// The engine `memory`.
    pub fn memory() -> Self {
        Self::open(|clock, limits| Store::memory_with(clock, limits).expect("a thread"))
    }

    fn open(open: impl Fn(Arc<StillClock>, Limits) -> Store + Send + Sync + 'static) -> Self {
        let clock = Arc::new(StillClock(AtomicI64::new(1_000_000)));
        Self { store: open(clock.clone(), Limits::default()), clock, open: Box::new(open) }
    }

    /// A fresh store of the same engine with other bounds.
    pub fn limited(mut self, limits: Limits) -> Self {
        self.store = (self.open)(self.clock.clone(), limits);
        self
    }

    /// Moves the clock.
    pub fn pass_s(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub async fn put(&self, key: &Key, expect: Expect, draft: Draft) -> Result<Arc<Entry>, Error> {
        one(self.store.commit(vec![Op::Put { key: key.clone(), expect, draft }]).await)
    }

    /// Writes a pod with a value, whatever was there.
    pub async fn set(&self, name: &str, value: &str) -> Arc<Entry> {
        self.put(&pod(name), Expect::Any, draft(value)).await.expect("nothing to conflict with")
    }

    pub async fn delete(&self, key: &Key, expect: Expect) -> Result<Arc<Entry>, Error> {
        one(self.store.commit(vec![Op::Delete { key: key.clone(), expect }]).await)
    }
}

fn one(committed: Result<Committed, Error>) -> Result<Arc<Entry>, Error> {
    committed.map(|mut committed| committed.entries.remove(0))
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
    Draft { header, ..draft(value) }
}

/// The body that [`draft`] makes, at a revision.
pub fn body(value: &str, revision: Revision) -> Bytes {
    Bytes::from(format!(r#"{{"metadata":{{"resourceVersion":"{revision}"}},"value":"{value}"}}"#))
}
