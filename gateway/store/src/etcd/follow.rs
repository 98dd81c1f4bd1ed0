//! Keeps the cache as the cluster is: lists once, then follows one watch over all keys and publishes what comes, in order.
//! Where the cluster has compacted what was missed, it lists again and ends every watch that would have missed something.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use model::Revision;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::client::{Client, Failure};
use super::form::Form;
use super::wire::{self, KeyValue, RangeRequest, Watch, WatchCreateRequest, WatchProgressRequest, WatchRequest};
use crate::cache::{Cache, Shared, wake_all};
use crate::change::Change;
use crate::unread::{RETRY_EVERY, Retry};
use crate::{Entry, Key, ResourceCache};

/// Keys of one page while everything is listed: some tens of MiB at most.
const PAGE: i64 = 1000;
/// How long listing a page may take; large values come slowly.
const LIST_MAX: Duration = Duration::from_secs(60);
/// How long a question for progress may go unanswered before the connection is taken for lost.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How often progress is asked for again while somebody waits for it: an answer only comes once the watch has caught up.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// Pauses between attempts to watch.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Whose keys a cluster holds.
pub(super) type Mine = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Follows one cluster.
pub(super) struct Follower {
    pub(super) client: Arc<Client>,
    pub(super) form: Arc<Form>,
    pub(super) cache: Arc<Cache>,
    pub(super) shared: Arc<Shared>,
    pub(super) mine: Mine,
    pub(super) progress: Arc<Progress>,
    /// Held while a commit becomes visible, so that a snapshot of all resources is of one revision.
    pub(super) publishing: Arc<Mutex<()>>,
}

/// How far the cache is, and who wants it to be further.
pub(super) struct Progress {
    /// Everything up to this revision is visible; 0 before anything is known.
    seen: watch::Sender<Revision>,
    /// The highest revision that somebody waits for.
    wanted: watch::Sender<Revision>,
    asked: Notify,
}

impl Progress {
    pub(super) fn new(seen: Revision) -> Self {
        Self { seen: watch::Sender::new(seen), wanted: watch::Sender::new(0), asked: Notify::new() }
    }

    pub(super) fn seen(&self) -> Revision {
        *self.seen.borrow()
    }

    /// Waits until everything up to `revision` is visible. What comes with an event of its own needs no asking; what may have
    /// happened elsewhere in the cluster does.
    pub(super) async fn reached(&self, revision: Revision) {
        if self.seen() >= revision {
            return;
        }
        self.wanted.send_if_modified(|wanted| std::mem::replace(wanted, revision.max(*wanted)) < revision);
        self.asked.notify_one();
        // The sender lives as long as this.
        let _ = self.seen.subscribe().wait_for(|seen| *seen >= revision).await;
    }
}

/// Why a watch ended.
enum Ended {
    /// The connection or the server; it goes on where it was.
    Lost(String),
    /// The cluster has forgotten what comes next.
    Compacted,
}

impl Follower {
    /// Follows, forever.
    pub(super) async fn run(self) {
        let mut pause = RETRY_FIRST;
        loop {
            if self.progress.seen() == 0 {
                self.reload().await;
            }
            let before = self.progress.seen();
            let at = self.client.current();
            match self.follow().await {
                Ended::Compacted => {
                    tracing::warn!("etcd has compacted changes that were not seen; everything is listed anew");
                    self.reload().await;
                }
                Ended::Lost(reason) => {
                    tracing::info!(reason, "watch of etcd ended; begun anew");
                    self.client.leave(at);
                }
            }
            // A watch that brought something was a good one.
            pause = if self.progress.seen() > before { RETRY_FIRST } else { (pause * 2).min(RETRY_MAX) };
            sleep(pause).await;
        }
    }

    /// One watch, until it ends.
    async fn follow(&self) -> Ended {
        let (requests, sent) = mpsc::unbounded();
        let _ = requests.unbounded_send(WatchRequest { request: Some(Watch::Create(self.create())) });
        let mut stream = match self.client.watch(sent).await {
            Ok(stream) => stream,
            Err(status) => return Ended::Lost(status.message().to_owned()),
        };
        let mut fragments = Vec::new();
        let (mut retry, mut retry_at) = (Retry::default(), Instant::now() + RETRY_EVERY);
        // When progress was asked for and has not come.
        let mut asked: Option<Instant> = None;
        loop {
            let waits = *self.progress.wanted.borrow() > self.progress.seen();
            asked = asked.filter(|_| waits);
            let silent = asked.map_or_else(|| Instant::now() + SILENCE_MAX, |asked| asked + SILENCE_MAX);
            tokio::select! {
                message = stream.message() => {
                    asked = asked.map(|_| Instant::now());
                    match message {
                        Ok(Some(response)) => if let Some(ended) = self.take(response, &mut fragments).await {
                            return ended;
                        },
                        Ok(None) => return Ended::Lost("the server ended it".into()),
                        Err(status) => return Ended::Lost(status.message().to_owned()),
                    }
                }
                () = sleep_until(silent), if asked.is_some() => return Ended::Lost("the server is silent".into()),
                () = self.progress.asked.notified() => {
                    asked.get_or_insert_with(Instant::now);
                    let _ = requests.unbounded_send(WatchRequest { request: Some(Watch::Progress(WatchProgressRequest {})) });
                }
                () = sleep_until(retry_at) => {
                    self.mend(&mut retry).await;
                    retry_at = Instant::now() + RETRY_EVERY;
                }
                () = sleep(ASK_EVERY), if waits => {
                    asked.get_or_insert_with(Instant::now);
                    let _ = requests.unbounded_send(WatchRequest { request: Some(Watch::Progress(WatchProgressRequest {})) });
                }
            }
        }
    }

    fn create(&self) -> WatchCreateRequest {
        let (key, range_end) = self.form.range();
        let start_revision = i64::try_from(self.progress.seen() + 1).unwrap_or(i64::MAX);
        WatchCreateRequest { key, range_end, start_revision, progress_notify: true, fragment: true }
    }

    async fn take(&self, response: wire::WatchResponse, fragments: &mut Vec<wire::Event>) -> Option<Ended> {
        if response.canceled {
            let compacted = response.compact_revision > 0;
            return Some(if compacted { Ended::Compacted } else { Ended::Lost(response.cancel_reason) });
        }
        if response.events.is_empty() {
            if !response.created {
                self.publish(Vec::new(), wire::revision(response.header.as_ref()));
            }
            return None;
        }
        fragments.extend(response.events);
        if !response.fragment {
            self.apply(std::mem::take(fragments)).await;
        }
        None
    }

    /// Makes the events of whole revisions visible.
    async fn apply(&self, events: Vec<wire::Event>) {
        let mut changes: Vec<(Arc<ResourceCache>, Vec<Arc<Change>>)> = Vec::new();
        let mut states: HashMap<Key, Option<Arc<Entry>>> = HashMap::new();
        let mut last = 0;
        for event in events {
            let Some(kv) = event.kv else { continue };
            let revision = u64::try_from(kv.mod_revision).unwrap_or(0);
            last = revision.max(last);
            let Some(key) = self.form.inside(&kv.key).filter(|key| (self.mine)(key.prefix())) else { continue };
            let resource = self.cache.resource(key.prefix());
            let old = states.get(&key).cloned().unwrap_or_else(|| resource.get(&key));
            if old.as_ref().is_some_and(|old| old.revision >= revision) {
                continue; // seen before
            }
            let new = if event.kind == wire::DELETE { None } else { Some(self.form.entry(&key, &kv).await) };
            states.insert(key.clone(), new.clone());
            if old.is_none() && new.is_none() {
                continue;
            }
            let change = Arc::new(Change::new(revision, key, old, new));
            match changes.iter_mut().find(|(other, _)| Arc::ptr_eq(other, &resource)) {
                Some((_, changes)) => changes.push(change),
                None => changes.push((resource, vec![change])),
            }
        }
        self.publish(changes, last);
    }

    fn publish(&self, changes: Vec<(Arc<ResourceCache>, Vec<Arc<Change>>)>, revision: Revision) {
        if revision <= self.progress.seen() {
            return;
        }
        let mut wake = Vec::new();
        let published = self.publishing.lock();
        for (resource, changes) in &changes {
            wake.extend(resource.publish(changes));
        }
        self.shared.publish(revision);
        drop(published);
        self.progress.seen.send_replace(revision);
        wake_all(&wake);
    }

    /// Reads again what could not be read.
    async fn mend(&self, retry: &mut Retry) {
        let read = retry.run(&self.cache, |prefix| (self.mine)(prefix), |entry| self.form.again(entry)).await;
        if read.is_empty() {
            return;
        }
        tracing::info!(objects = read.len(), "objects that could not be read can be read now");
        let mut by_resource: HashMap<&str, Vec<Arc<Entry>>> = HashMap::new();
        for entry in &read {
            by_resource.entry(entry.key.prefix()).or_default().push(entry.clone());
        }
        let published = self.publishing.lock();
        let wake: Vec<_> = by_resource.iter().flat_map(|(prefix, read)| self.cache.resource(prefix).mend(read)).collect();
        drop(published);
        wake_all(&wake);
    }

    /// Lists everything, as often as it takes.
    async fn reload(&self) {
        let mut pause = RETRY_FIRST;
        loop {
            match list(&self.client, self.form.range(), 0).await {
                Ok((revision, pairs)) => return self.replace(revision, pairs).await,
                Err(failure) => tracing::warn!(error = failure.cause(), "etcd cannot be listed; tried again"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    /// Puts what was listed in the place of what was known.
    async fn replace(&self, revision: Revision, pairs: Vec<KeyValue>) {
        let mut states: HashMap<String, Vec<Arc<Entry>>> = HashMap::new();
        for resource in self.cache.resources().iter().filter(|resource| (self.mine)(resource.prefix())) {
            states.insert(resource.prefix().to_owned(), Vec::new());
        }
        for kv in pairs {
            let Some(key) = self.form.inside(&kv.key).filter(|key| (self.mine)(key.prefix())) else { continue };
            let known = self.cache.resource(key.prefix()).get(&key);
            let entry = match known.filter(|known| i64::try_from(known.revision) == Ok(kv.mod_revision)) {
                Some(known) => known,
                None => self.form.entry(&key, &kv).await,
            };
            states.entry(key.prefix().to_owned()).or_default().push(entry);
        }
        let mut wake = Vec::new();
        let published = self.publishing.lock();
        for (prefix, entries) in states {
            wake.extend(self.cache.resource(&prefix).replace(entries, revision));
        }
        self.shared.publish(revision);
        drop(published);
        self.progress.seen.send_replace(revision);
        wake_all(&wake);
    }
}

/// Every pair of a range, as of one revision: the one that is asked for, or, of 0, the latest.
pub(super) async fn list(client: &Client, range: (Bytes, Bytes), revision: i64) -> Result<(Revision, Vec<KeyValue>), Failure> {
    let mut pairs = Vec::new();
    let revision = pages(client, range, revision, |page| pairs.extend(page)).await?;
    Ok((revision, pairs))
}

/// The same page by page, while the next one is on its way; gives the revision.
pub(super) async fn pages(
    client: &Client,
    (mut key, range_end): (Bytes, Bytes),
    mut revision: i64,
    mut told: impl FnMut(Vec<KeyValue>),
) -> Result<Revision, Failure> {
    loop {
        let request = RangeRequest { key, range_end: range_end.clone(), limit: PAGE, revision, ..RangeRequest::default() };
        let page: wire::RangeResponse = client.read(super::RANGE, &request, LIST_MAX).await?;
        if revision == 0 {
            revision = page.header.as_ref().map_or(0, |header| header.revision);
        }
        let next = page.kvs.last().filter(|_| page.more).map(|last| [&last.key[..], b"\0"].concat());
        told(page.kvs);
        match next {
            Some(next) => key = next.into(),
            None => return Ok(u64::try_from(revision).unwrap_or(0)),
        }
    }
}
