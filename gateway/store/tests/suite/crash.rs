//! What a crash leaves, at every point where one can come: an fsync that was cut short, a bit that turned, an fsync that failed.
//! Every failure names its seed; `STORE_SEED` begins there.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use model::clock::SystemClock;
use store::fault::{Dice, Disk, Fault};
use store::{Error, Expect, Key, Limits, Op, OpenError, Store};

use crate::bed::{PODS, draft, pod, seed};

const MAPS: &str = "/registry/configmaps/";
const NAMES: usize = 14;

/// What a store holds: revision and body by key.
type Held = BTreeMap<String, (u64, Bytes)>;

/// A moment at which a write had been answered.
#[derive(Clone, Debug)]
struct Answered {
    /// Fsyncs that had ended by then.
    syncs: usize,
    revision: u64,
    held: Held,
}

fn open(disk: &Disk) -> Result<Store, OpenError> {
    // Small, so that segments are begun, cleaned and removed under every fault.
    let limits = Limits { segment_bytes: 48 << 10, ahead_bytes: 8 << 10, clean_from_bytes: 48 << 10, ..Limits::default() };
    Store::disk_on(disk, Arc::new(SystemClock), limits)
}

fn held(store: &Store) -> Held {
    let of = |prefix| store.resource(prefix).snapshot().iter().cloned().collect::<Vec<_>>();
    let entries = [of(PODS), of(MAPS)].concat();
    entries.into_iter().map(|entry| (entry.key.to_string(), (entry.revision, entry.body.clone()))).collect()
}

fn answered(store: &Store, disk: &Disk) -> Answered {
    Answered { syncs: disk.syncs(), revision: store.revision(), held: held(store) }
}

/// A transaction of one to three operations on few keys, some of them large.
fn transaction(dice: &mut Dice, held: &Held) -> Vec<Op> {
    let mut ops: Vec<Op> = Vec::new();
    for _ in 0..=dice.roll(3) {
        let key = Key::new([PODS, MAPS][dice.roll(2)], &format!("default/{}", dice.roll(NAMES)));
        if ops.iter().any(|op| *op.key() == key) {
            continue;
        }
        let len = [10, 300, 3_000, 30_000][dice.roll(4)];
        ops.push(match held.contains_key(key.as_str()) && dice.roll(3) == 0 {
            true => Op::Delete { key, expect: Expect::Any },
            false => Op::Put { key, expect: Expect::Any, draft: draft(&"x".repeat(dice.roll(len))) },
        });
    }
    ops
}

/// Writes at random, one after the other.
async fn write(store: &Store, disk: &Disk, dice: &mut Dice, times: usize) -> Vec<Answered> {
    let mut moments = vec![answered(store, disk)];
    for _ in 0..times {
        store.commit(transaction(dice, &moments[moments.len() - 1].held)).await.expect("nothing to conflict with");
        moments.push(answered(store, disk));
    }
    moments
}

/// Whatever fsync is cut short, and whatever part of it is on the disk: the store opens and holds what was answered before, with
/// what was in flight wholly or not at all; and the same again when the power goes while it recovers.
pub async fn every_fsync_may_be_cut_short() {
    let first = seed();
    let (mut cuts, mut in_flight) = (0, 0);
    for seed in first..first + 5 {
        let disk = Disk::new();
        let store = open(&disk).expect("opens");
        disk.record();
        let moments = write(&store, &disk, &mut Dice::new(seed), 32).await;
        store.close().await.expect("closes");
        for (n, cut) in disk.cuts(seed).into_iter().enumerate() {
            cuts += 1;
            let last = moments.iter().rposition(|moment| moment.syncs <= n);
            let may_be = &moments[last.unwrap_or(0)..moments.len().min(last.map_or(1, |last| last + 2))];
            cut.record();
            let store = open(&cut).unwrap_or_else(|error| panic!("seed {seed}, fsync {n}: {error}"));
            let now = answered(&store, &cut);
            let found = may_be.iter().position(|moment| moment.held == now.held);
            let found = found.unwrap_or_else(|| panic!("seed {seed}, fsync {n}: {:?}", now.held.keys()));
            assert_eq!(now.revision, may_be[found].revision, "seed {seed}, fsync {n}");
            in_flight += found;
            if n % 3 == 0 {
                cut_again(store, &cut, seed ^ n as u64).await;
            }
        }
    }
    assert!(cuts > 100 && in_flight > 5, "{cuts} cuts, {in_flight} of them kept what was in flight");
}

async fn cut_again(store: Store, disk: &Disk, seed: u64) {
    let moments = write(&store, disk, &mut Dice::new(seed), 1).await;
    store.close().await.expect("closes");
    for (n, cut) in disk.cuts(seed).into_iter().enumerate() {
        let store = open(&cut).unwrap_or_else(|error| panic!("seed {seed}, second cut in fsync {n}: {error}"));
        let now = answered(&store, &cut);
        let least = usize::from(moments[1].syncs <= n);
        assert!(moments[least..].iter().any(|moment| moment.held == now.held), "seed {seed}, second cut in fsync {n}");
    }
}

/// Wherever a bit turns, of a store that was closed or of one whose process was killed: it is refused with the file's name, or
/// it holds everything, and goes on doing so.
pub async fn a_flipped_bit_is_met_or_does_no_harm() {
    let first = seed();
    let (mut refused, mut harmless) = (0, 0);
    for (seed, closed) in (first..first + 4).flat_map(|seed| [(seed, true), (seed, false)]) {
        let (disk, mut dice) = (Disk::new(), Dice::new(seed));
        let store = open(&disk).expect("opens");
        let meant = write(&store, &disk, &mut dice, 20).await.pop().expect("the last").held;
        if closed {
            store.close().await.expect("closes");
        }
        for _ in 0..60 {
            let damaged = disk.after_kill();
            let place = damaged.flip(&mut dice);
            let context = || format!("seed {seed}, closed {closed}, flipped {place:?}");
            match open(&damaged) {
                Err(error) => {
                    refused += 1;
                    let told = error.to_string();
                    assert!(told.contains("a disk in memory") && told.contains("backup"), "{}: {told}", context());
                }
                Ok(store) => {
                    harmless += 1;
                    assert_eq!(held(&store), meant, "{}", context());
                    go_on(&store, &damaged, &mut dice).await.unwrap_or_else(|why| panic!("{}: {why}", context()));
                }
            }
        }
    }
    assert!(refused > 20 && harmless > 20, "{refused} were refused, {harmless} did no harm");
}

/// Writes on, and looks whether all of it is there after the next start.
async fn go_on(store: &Store, disk: &Disk, dice: &mut Dice) -> Result<(), String> {
    let meant = write(store, disk, dice, 3).await.pop().expect("the last").held;
    store.close().await.map_err(|error| error.to_string())?;
    match open(&disk.after_kill()) {
        Ok(again) if held(&again) == meant => Ok(()),
        Ok(_) => Err("something is lost after the next start".to_owned()),
        // Met late, and not served.
        Err(_) => Ok(()),
    }
}

/// Whichever fsync fails under many writers: what was answered is there after the next start, whether the machine went on or the
/// power went too, and nothing is answered after it.
pub async fn any_fsync_may_fail_under_many_writers() {
    const WRITERS: usize = 8;
    let first = seed();
    for (n, seed) in (0..24).zip(first..) {
        let disk = Disk::new();
        let store = open(&disk).expect("opens");
        disk.fail(Fault::Sync(n));
        let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(until_it_fails(store.clone(), writer))).collect();
        let mut answers: BTreeMap<String, u64> = BTreeMap::new();
        for writer in writers {
            answers.extend(writer.await.expect("no panic"));
        }
        assert!(store.failed().await.contains("injected fault"));
        assert_eq!(disk.syncs_after_failure(), 0, "seed {seed}: an fsync is never tried again");
        for (after, what) in [(disk.after_kill(), "killed"), (disk.after_power_cut(seed), "power cut")] {
            let again = open(&after).unwrap_or_else(|error| panic!("seed {seed}, {what}: {error}"));
            let found = held(&again);
            for (key, revision) in &answers {
                let now = found.get(key).map_or(0, |(revision, _)| *revision);
                assert!(now >= *revision, "seed {seed}, {what}: {key} was answered at {revision} and is at {now}");
            }
        }
    }
}

/// The last answer for each key.
async fn until_it_fails(store: Store, writer: usize) -> BTreeMap<String, u64> {
    let mut answers = BTreeMap::new();
    for n in 0.. {
        let key = pod(&format!("default/{writer}-{}", n % 3));
        let op = Op::Put { key: key.clone(), expect: Expect::Any, draft: draft("x") };
        match store.commit(vec![op]).await {
            Ok(committed) => drop(answers.insert(key.to_string(), committed.revision)),
            Err(Error::Failed(_)) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    answers
}
