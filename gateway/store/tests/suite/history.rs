//! Writers, readers, lists in pages and informers at once; afterwards everything that they were told must fit one order, that of
//! the revisions, and the order in which they were told it. Rolls dice: `STORE_SEED`.

mod check;
mod informer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use model::clock::SystemClock;
use store::fault::Dice;
use store::{Draft, Error, EtcdSettings, Expect, Key, Limits, Op, Store};

use self::check::{History, Listed, Outcome, Read, Write};
use crate::bed::{Bed, Medium, PODS, draft, pod, seed};
use crate::etcd::{Etcd, plain, settings};
use crate::proxy::{Proxy, Way};

const NAMES: usize = 5;
const WRITERS: usize = 6;
const WRITES: usize = 40;
const READERS: usize = 2;
/// Enough to meet every state that there was; checking each costs a walk over all writes.
const READS_MAX: usize = 300;
const PAGE: usize = 2;

/// What all have in common: the store, and a clock that orders what they do.
#[derive(Clone)]
struct Ground {
    store: Store,
    moments: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Ground {
    fn moment(&self) -> u64 {
        self.moments.fetch_add(1, Ordering::SeqCst)
    }
}

pub async fn what_everybody_is_told_fits_one_order(bed: Bed) {
    run(&bed.store, seed()).await;
}

/// The same where connections come late, end half-way or lose their end.
pub async fn it_does_on_rough_ways(mut bed: Bed) {
    let seed = seed();
    let proxy = Proxy::before(&etcd(&mut bed).socket(), seed);
    let rough = open(&settings(&proxy.socket())).await;
    proxy.set(Way::Rough);
    run(&rough, seed).await;
}

/// The same where etcd forgets what is older than a moment, under watches and lists that go on.
pub async fn it_does_under_compaction(mut bed: Bed) {
    let compacting = EtcdSettings { compact_every: Duration::from_millis(20), ..etcd(&mut bed).settings() };
    let compactor = open(&compacting).await;
    run(&bed.store, seed()).await;
    compactor.close().await.expect("closes");
}

fn etcd(bed: &mut Bed) -> &mut Etcd {
    match &mut bed.medium {
        Medium::Etcd(etcd) => etcd,
        _ => panic!("no etcd"),
    }
}

async fn open(settings: &EtcdSettings) -> Store {
    Store::etcd(settings, plain(), None, Arc::new(SystemClock), Limits::default()).await.expect("opens")
}

async fn run(store: &Store, seed: u64) {
    let ground = Ground { store: store.clone(), moments: Arc::default(), ended: Arc::default() };
    let start = store.revision();
    let informers: Vec<_> = (0..2).map(|n| tokio::spawn(informer::run(ground.clone(), Dice::new(seed + n)))).collect();
    let readers: Vec<_> = (0..READERS).map(|n| tokio::spawn(read(ground.clone(), Dice::new(seed + 10 + n as u64)))).collect();
    let writers: Vec<_> = (0..WRITERS).map(|n| tokio::spawn(write(ground.clone(), n, Dice::new(seed + 20 + n as u64)))).collect();
    let mut history = History::new(start);
    for writer in writers {
        history.writes.extend(writer.await.expect("no panic"));
    }
    store.fresh(PODS).await.expect("answers");
    ground.ended.store(true, Ordering::SeqCst);
    for reader in readers {
        let (reads, lists) = reader.await.expect("no panic");
        history.reads.extend(reads);
        history.lists.extend(lists);
    }
    for informer in informers {
        history.informers.push(informer.await.expect("no panic"));
    }
    history.check(&store.resource(PODS).snapshot());
}

/// Creates, replaces and deletes, now and then with a revision that is not current.
async fn write(ground: Ground, writer: usize, mut dice: Dice) -> Vec<Write> {
    let mut writes = Vec::new();
    for n in 0..WRITES {
        let key = pod(&format!("default/{}", dice.roll(NAMES)));
        let known = ground.store.resource(PODS).get(&key).map(|entry| entry.revision);
        let expect = match (dice.roll(5), known) {
            (0, _) => Expect::Any,
            (1, _) => Expect::Absent,
            (2, Some(revision)) => Expect::Revision(revision.saturating_sub(1).max(1)),
            (_, Some(revision)) => Expect::Revision(revision),
            (_, None) => Expect::Absent,
        };
        let value = (dice.roll(4) > 0 || expect == Expect::Absent).then(|| format!("{writer}-{n}"));
        writes.push(one_write(&ground, key, expect, value).await);
    }
    writes
}

async fn one_write(ground: &Ground, key: Key, expect: Expect, value: Option<String>) -> Write {
    let op = match &value {
        Some(value) => Op::Put { key: key.clone(), expect, draft: Draft { ttl_s: None, ..draft(value) } },
        None => Op::Delete { key: key.clone(), expect },
    };
    let began = ground.moment();
    let answer = ground.store.commit(vec![op]).await;
    let ended = ground.moment();
    let outcome = match answer {
        Ok(committed) => Outcome::Done(committed.revision),
        Err(Error::Conflict { current, .. }) => Outcome::Conflict(current.map(|entry| entry.revision)),
        Err(Error::Unknown(_)) => Outcome::Unknown,
        Err(error) => panic!("{error:?}"),
    };
    Write { key: key.to_string(), expect, value, began, ended, outcome }
}

/// Reads single objects, and the resource in pages of one revision, as a client with a continue token does.
async fn read(ground: Ground, mut dice: Dice) -> (Vec<Read>, Vec<Listed>) {
    let (mut reads, mut lists) = (Vec::new(), Vec::new());
    while !ground.ended.load(Ordering::SeqCst) && reads.len() < READS_MAX {
        // Where reading waits for nobody, others would never have their turn.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let key = pod(&format!("default/{}", dice.roll(NAMES)));
        let began = ground.moment();
        if ground.store.fresh(PODS).await.is_ok() {
            let found = ground.store.resource(PODS).get(&key).map(|entry| entry.revision);
            reads.push(Read { key: key.to_string(), found, began, ended: ground.moment() });
        }
        let began = ground.moment();
        if ground.store.fresh(PODS).await.is_ok()
            && let Some((revision, held)) = pages(&ground).await
        {
            lists.push(Listed { revision, held, began, ended: ground.moment() });
        }
    }
    (reads, lists)
}

/// `None` when the revision was let go of before the last page.
async fn pages(ground: &Ground) -> Option<(u64, BTreeMap<String, u64>)> {
    let pods = ground.store.resource(PODS);
    let first = pods.snapshot();
    pods.pin(&first);
    let (revision, mut held, mut after) = (first.revision(), BTreeMap::new(), None::<String>);
    loop {
        let page = pods.snapshot_at(revision)?.page(after.as_deref(), PODS, PAGE);
        let Some(last) = page.last() else { return Some((revision, held)) };
        after = Some(last.key.to_string());
        held.extend(page.iter().map(|entry| (entry.key.to_string(), entry.revision)));
        tokio::task::yield_now().await;
    }
}
