//! The engine `etcd`: objects lie in etcd clusters as kube-apiserver lays them out, so that either can go on where the other
//! left off, and several gateways may share them. Writes are transactions that compare revisions; the cache is filled by one
//! watch a cluster (`follow`); a write is answered once it came back with that watch.
//! What a value means is the transcoder's.

mod client;
mod compact;
mod follow;
mod form;
mod lease;
mod past;
mod transact;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use model::{Clock, Revision};
use parking_lot::Mutex;
use tokio::task::JoinSet;

use self::client::{Client, Failure};
use self::follow::{Follower, Mine, Progress};
use self::form::Form;
use self::lease::Leases;
use crate::batch::check;
use crate::cache::Shared;
use crate::embedded::Loaded;
use crate::{Cache, Committed, Draft, Engine, Entry, Error, Limits, Metrics, Op, Snapshot, Transcoder, Transformer};

pub use self::client::{DEADLINE, Servers, SettingsError};
pub(crate) use self::client::{dialing, is_unsent};

const RANGE: &str = "/etcdserverpb.KV/Range";
const PUT: &str = "/etcdserverpb.KV/Put";
const TXN: &str = "/etcdserverpb.KV/Txn";

/// How long a write may take before its outcome is given up as unknown; etcd gives up after 7 seconds by itself.
const WRITE_MAX: Duration = Duration::from_secs(30);
/// The key that is written to where a cluster's revision must rise, and how many writes are under way then.
const RAISE_KEY: &[u8] = b"gatehouse_revision";
const RAISE_AT_ONCE: u64 = 256;
/// How long a read of the current revision may take, over as many servers as it takes.
const READ_MAX: Duration = Duration::from_secs(20);

/// Where the clusters are, and how they are used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `--etcd-servers` with its TLS files.
    pub servers: Servers,
    /// `--etcd-prefix`.
    pub prefix: String,
    /// `--etcd-servers-overrides`.
    pub overrides: Vec<Override>,
    /// `--etcd-compaction-interval`; zero leaves it to others.
    pub compact_every: Duration,
    /// `--lease-reuse-duration-seconds`.
    pub lease_reuse_s: u64,
    /// `--etcd-healthcheck-timeout`.
    pub health_max: Duration,
    /// `--storage-initialization-timeout`: how long opening may take.
    pub open_max: Duration,
}

/// A resource that lies on a cluster of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Its prefix: `/registry/events/`.
    pub prefix: String,
    /// URLs of the cluster; the TLS files are those of all.
    pub urls: Vec<String>,
}

/// Why the engine cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum EtcdError {
    /// The settings cannot be used.
    #[error("cannot use the settings of etcd")]
    Settings(#[from] SettingsError),
    /// The cluster does not answer.
    #[error("cannot list what is in etcd at {servers}: {reason}")]
    List {
        /// Where it was sought.
        servers: String,
        /// What came instead.
        reason: String,
    },
}

/// The engine.
pub(crate) struct Etcd {
    cache: Arc<Cache>,
    /// The first holds everything that no other does.
    clusters: Vec<Arc<Cluster>>,
    transformer: Option<Arc<dyn Transformer>>,
    publishing: Arc<Mutex<()>>,
    closed: AtomicBool,
    /// They end with the engine.
    tasks: Mutex<JoinSet<()>>,
}

/// One cluster.
struct Cluster {
    /// Prefixes of the resources that it alone holds; none for the first.
    prefixes: Vec<String>,
    client: Arc<Client>,
    form: Arc<Form>,
    progress: Arc<Progress>,
    clock: Arc<dyn Clock>,
    latest: Latest,
    health: Mutex<Result<(), String>>,
}

/// The revision the cluster was last known to have, for all who asked before the question was sent.
struct Latest {
    arrived: AtomicU64,
    answer: tokio::sync::Mutex<(u64, Result<Revision, Error>)>,
}

/// What the engine is handed.
pub(crate) struct Parts {
    pub(crate) transcoder: Arc<dyn Transcoder>,
    pub(crate) transformer: Option<Arc<dyn Transformer>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
}

impl Etcd {
    /// Lists everything and begins to follow it. The first cluster must answer; another one may come later.
    pub(crate) async fn open(settings: &Settings, parts: &Parts) -> Result<Self, EtcdError> {
        let mut clusters = vec![Cluster::new(settings, &settings.servers, Vec::new(), parts)?];
        for (urls, prefixes) in grouped(&settings.overrides) {
            clusters.push(Cluster::new(settings, &Servers { urls, ..settings.servers.clone() }, prefixes, parts)?);
        }
        let mut shards = Vec::new();
        for (at, cluster) in clusters.iter_mut().enumerate() {
            let mine = mine(&settings.overrides, &cluster.prefixes);
            let loaded = match tokio::time::timeout(settings.open_max, cluster.load(&mine)).await {
                Ok(loaded) => loaded.map_err(|failure| failure.cause()),
                Err(_) => Err("it does not answer".to_owned()),
            };
            let loaded = match loaded {
                Ok(loaded) => loaded,
                Err(reason) if at == 0 => {
                    return Err(EtcdError::List { servers: settings.servers.urls.join(","), reason });
                }
                Err(reason) => {
                    tracing::error!(reason, resources = ?cluster.prefixes, "a cluster of its own cannot be listed yet");
                    Loaded::default()
                }
            };
            cluster.progress = Arc::new(Progress::new(loaded.floor));
            shards.push((cluster.prefixes.clone(), loaded));
        }
        let cache = Arc::new(Cache::sharded(shards, parts.limits, Arc::new(Metrics::default())));
        let clusters: Vec<_> = clusters.into_iter().map(Arc::new).collect();
        let engine = Self {
            cache,
            clusters,
            transformer: parts.transformer.clone(),
            publishing: Arc::default(),
            closed: AtomicBool::new(false),
            tasks: Mutex::new(JoinSet::new()),
        };
        engine.start(settings);
        Ok(engine)
    }

    fn start(&self, settings: &Settings) {
        let mut tasks = self.tasks.lock();
        for cluster in &self.clusters {
            let follower = Follower {
                client: cluster.client.clone(),
                form: cluster.form.clone(),
                cache: self.cache.clone(),
                shared: self.shared(cluster),
                mine: mine(&settings.overrides, &cluster.prefixes),
                progress: cluster.progress.clone(),
                publishing: self.publishing.clone(),
            };
            tasks.spawn(follower.run());
            tasks.spawn(cluster.clone().check_health(settings.health_max));
            if !settings.compact_every.is_zero() {
                tasks.spawn(compact::run(cluster.client.clone(), settings.compact_every));
            }
        }
    }

    fn shared(&self, cluster: &Cluster) -> Arc<Shared> {
        self.cache.place(cluster.prefixes.first().map_or("", String::as_str)).0.clone()
    }

    fn cluster(&self, prefix: &str) -> Option<&Arc<Cluster>> {
        self.clusters.iter().find(|cluster| cluster.prefixes.iter().any(|own| own == prefix)).or(self.clusters.first())
    }

    fn count(&self, ops: usize, outcome: &Result<Committed, Error>, took: Duration) {
        let metrics = self.cache.metrics();
        match outcome {
            Ok(_) => {
                metrics.transactions.fetch_add(1, Ordering::Relaxed);
                metrics.committed(ops, took);
            }
            Err(_) => drop(metrics.conflicts.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

/// The overrides by cluster.
fn grouped(overrides: &[Override]) -> Vec<(Vec<String>, Vec<String>)> {
    let mut clusters: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for Override { prefix, urls } in overrides {
        match clusters.iter_mut().find(|(known, _)| known == urls) {
            Some((_, prefixes)) => prefixes.push(prefix.clone()),
            None => clusters.push((urls.clone(), vec![prefix.clone()])),
        }
    }
    clusters
}

/// What a cluster holds: its own prefixes, or, of the first, what no other has.
fn mine(overrides: &[Override], own: &[String]) -> Mine {
    let own = own.to_vec();
    let others: Vec<String> = overrides.iter().map(|other| other.prefix.clone()).collect();
    Arc::new(
        move |prefix| {
            if own.is_empty() { !others.iter().any(|other| other == prefix) } else { own.iter().any(|own| own == prefix) }
        },
    )
}

/// The entries that are ours of what was listed.
async fn decoded(form: Arc<Form>, mine: Mine, pairs: Vec<wire::KeyValue>) -> Vec<Arc<Entry>> {
    let mut entries = Vec::with_capacity(pairs.len());
    for kv in pairs {
        if let Some(key) = form.inside(&kv.key).filter(|key| mine(key.prefix())) {
            entries.push(form.entry(&key, &kv).await);
        }
    }
    entries
}

impl Cluster {
    fn new(settings: &Settings, servers: &Servers, prefixes: Vec<String>, parts: &Parts) -> Result<Self, SettingsError> {
        let client = Arc::new(Client::new(servers)?);
        let leases = Leases::new(parts.clock.clone(), settings.lease_reuse_s);
        let (transcoder, transformer) = (parts.transcoder.clone(), parts.transformer.clone());
        let form = Form::new(&settings.prefix, transcoder, transformer, leases, client.clone());
        Ok(Self {
            prefixes,
            client,
            form: Arc::new(form),
            progress: Arc::new(Progress::new(0)),
            clock: parts.clock.clone(),
            latest: Latest { arrived: AtomicU64::new(0), answer: tokio::sync::Mutex::new((0, Ok(0))) },
            health: Mutex::new(Ok(())),
        })
    }

    async fn load(&self, mine: &Mine) -> Result<Loaded, Failure> {
        // Each page on whichever core is free.
        let mut decoding = JoinSet::new();
        let decode = |page| drop(decoding.spawn(decoded(self.form.clone(), mine.clone(), page)));
        let floor = follow::pages(&self.client, self.form.range(), 0, decode).await?;
        let mut loaded = Loaded { floor, ..Loaded::default() };
        while let Some(page) = decoding.join_next().await {
            loaded.entries.extend(page.map_err(|error| Failure::Unknown(tonic::Status::from_error(Box::new(error))))?);
        }
        Ok(loaded)
    }

    /// The cluster's revision at some moment after this was called. Whoever waits while a question is under way shares the
    /// next one.
    async fn latest(&self) -> Result<Revision, Error> {
        let mine = self.latest.arrived.fetch_add(1, Ordering::SeqCst);
        let mut last = self.latest.answer.lock().await;
        if last.0 > mine {
            return last.1.clone();
        }
        let covers = self.latest.arrived.load(Ordering::SeqCst);
        let answer = self.ask().await.map_err(Error::from);
        *last = (covers, answer.clone());
        answer
    }

    async fn ask(&self) -> Result<Revision, Failure> {
        let request = wire::RangeRequest { key: self.form.health_key(), limit: 1, keys_only: true, ..Default::default() };
        let answer: wire::RangeResponse = self.client.read(RANGE, &request, READ_MAX).await?;
        Ok(wire::revision(answer.header.as_ref()))
    }

    /// Waits until everything is visible that was written before this was called.
    async fn fresh(&self) -> Result<(), Error> {
        if self.progress.seen() == 0 {
            return Err(Error::Refused("etcd has not been listed yet".into()));
        }
        let revision = self.latest().await?;
        match tokio::time::timeout(READ_MAX, self.progress.reached(revision)).await {
            Ok(()) => Ok(()),
            Err(_) => Err(Error::Refused(DEADLINE.into())),
        }
    }

    /// Asks the cluster, which alone knows in which bytes an object lies there.
    async fn lies_otherwise(&self, entry: &Entry, draft: &Draft) -> Result<bool, Error> {
        let request = wire::RangeRequest { key: self.form.outside(&entry.key), ..Default::default() };
        let answer: wire::RangeResponse = self.client.read(RANGE, &request, READ_MAX).await?;
        let lies = answer.kvs.iter().find(|kv| u64::try_from(kv.mod_revision) == Ok(entry.revision));
        match lies {
            Some(kv) => Ok(self.form.is_stale(entry) || !self.form.is_of(&entry.key, &kv.value, draft).await),
            // Whoever was faster is met by the write.
            None => Ok(true),
        }
    }

    /// Writes to a key beside all objects until the cluster's revision is at least this.
    async fn raise(&self, revision: Revision) -> Result<(), Error> {
        loop {
            let left = revision.saturating_sub(self.ask().await?);
            if left == 0 {
                return Ok(());
            }
            let key = bytes::Bytes::from_static(RAISE_KEY);
            let put = wire::PutRequest { key, value: bytes::Bytes::new(), lease: 0 };
            let writes = (0..left.min(RAISE_AT_ONCE)).map(|_| self.client.write::<_, wire::PutResponse>(PUT, &put, WRITE_MAX));
            futures::future::try_join_all(writes).await?;
        }
    }

    /// Asks again and again how the cluster is.
    async fn check_health(self: Arc<Self>, max: Duration) {
        loop {
            let request = wire::RangeRequest { key: self.form.health_key(), ..Default::default() };
            let answer: Result<wire::RangeResponse, _> = self.client.read(RANGE, &request, max).await;
            *self.health.lock() =
                answer.map(drop).map_err(|failure| format!("error getting data from etcd: {}", failure.message()));
            tokio::time::sleep(max / 2).await;
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let message = failure.message().into();
        match failure {
            Failure::Refused(_) => Self::Refused(message),
            Failure::Unknown(_) => Self::Unknown(message),
        }
    }
}

impl Engine for Etcd {
    fn commit(&self, ops: Vec<Op>) -> BoxFuture<'_, Result<Committed, Error>> {
        async move {
            check(&ops)?;
            if self.closed.load(Ordering::SeqCst) {
                return Err(Error::Closed);
            }
            let cluster = transact::cluster_of(self, &ops)?.clone();
            let (cache, count, began) = (self.cache.clone(), ops.len(), std::time::Instant::now());
            // A caller that goes away does not stop its write half-way.
            let written = tokio::spawn(async move { transact::run(&cluster, &cache, &ops).await });
            let outcome = written.await.unwrap_or_else(|_| Err(Error::Unknown("the write panicked".into())));
            self.count(count, &outcome, began.elapsed());
            outcome
        }
        .boxed()
    }

    fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    fn current_revision(&self) -> BoxFuture<'_, Result<Revision, Error>> {
        async move {
            match self.clusters.first() {
                Some(cluster) => cluster.latest().await,
                None => Ok(0),
            }
        }
        .boxed()
    }

    fn fresh(&self, prefix: &str) -> Option<BoxFuture<'_, Result<(), Error>>> {
        let cluster = self.cluster(prefix)?;
        Some(async move { cluster.fresh().await }.boxed())
    }

    fn history(&self, prefix: &str, revision: Revision) -> Option<BoxFuture<'_, Result<Option<Snapshot>, Error>>> {
        let (cluster, resource) = (self.cluster(prefix)?, self.cache.resource(prefix));
        Some(async move { past::read(cluster, &resource, revision).await }.boxed())
    }

    fn transformer(&self) -> Option<Arc<dyn Transformer>> {
        self.transformer.clone()
    }

    fn is_stale(&self, entry: &Entry) -> bool {
        self.cluster(entry.key.prefix()).is_some_and(|cluster| cluster.form.is_stale(entry))
    }

    fn lies_otherwise<'a>(&'a self, entry: &'a Entry, draft: &'a Draft) -> BoxFuture<'a, Result<bool, Error>> {
        async move {
            match self.cluster(entry.key.prefix()) {
                Some(cluster) => cluster.lies_otherwise(entry, draft).await,
                None => Ok(false),
            }
        }
        .boxed()
    }

    fn ready(&self, prefix: &str) -> Result<(), Error> {
        match self.cluster(prefix) {
            Some(cluster) if cluster.progress.seen() == 0 => Err(Error::Refused("etcd has not been listed yet".into())),
            _ => Ok(()),
        }
    }

    /// The cluster's leases end by themselves.
    fn expire(&self) -> BoxFuture<'_, Result<usize, Error>> {
        std::future::ready(Ok(0)).boxed()
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Vec<Snapshot>, Error>> {
        async move {
            for cluster in &self.clusters {
                cluster.fresh().await?;
            }
            let _published = self.publishing.lock();
            Ok(self.cache.resources().iter().map(|resource| resource.snapshot()).collect())
        }
        .boxed()
    }

    /// A cluster counts by itself, so it is written to until it is there.
    fn raise(&self, revision: Revision) -> BoxFuture<'_, Result<(), Error>> {
        async move {
            for cluster in &self.clusters {
                cluster.raise(revision).await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn health(&self) -> Vec<Result<(), String>> {
        self.clusters.iter().map(|cluster| cluster.health.lock().clone()).collect()
    }

    /// A cluster may come back at any time.
    fn failed(&self) -> BoxFuture<'static, Arc<str>> {
        std::future::pending().boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        async move {
            self.closed.store(true, Ordering::SeqCst);
            self.tasks.lock().abort_all();
            self.cache.close();
            Ok(())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_on_the_same_servers_share_a_cluster() {
        let own = |prefix: &str, url: &str| Override { prefix: prefix.to_owned(), urls: vec![url.to_owned()] };
        let overrides =
            [own("/registry/events/", "http://a"), own("/registry/pods/", "http://b"), own("/registry/leases/", "http://a")];
        let clusters = grouped(&overrides);
        assert_eq!(clusters.len(), 2);
        assert_eq!(clusters[0].1, ["/registry/events/", "/registry/leases/"]);
        let first = mine(&overrides, &[]);
        assert!(first("/registry/secrets/") && !first("/registry/events/"));
        let other = mine(&overrides, &clusters[0].1);
        assert!(other("/registry/events/") && !other("/registry/secrets/") && !other("/registry/pods/"));
    }
}
