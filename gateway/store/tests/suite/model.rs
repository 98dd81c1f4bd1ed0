//! Random operations against a plain map, and many writers at once against what they were answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use store::{Error, Event, Expect, Interest, Kind, Op};

use crate::bed::{Bed, body, draft, pod};

/// How an operation is to be made.
#[derive(Clone, Debug)]
enum Step {
    Create(usize),
    Update(usize, Aim),
    Upsert(usize),
    Delete(usize, Aim),
    Pair(usize, usize),
}

/// Whether the expected revision is right.
#[derive(Clone, Copy, Debug)]
enum Aim {
    Current,
    Stale,
}

const NAMES: usize = 6;
const CASES: usize = 12;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let aim = || prop_oneof![3 => Just(Aim::Current), 1 => Just(Aim::Stale)];
    let step = prop_oneof![
        (0..NAMES).prop_map(Step::Create),
        (0..NAMES, aim()).prop_map(|(name, aim)| Step::Update(name, aim)),
        (0..NAMES).prop_map(Step::Upsert),
        (0..NAMES, aim()).prop_map(|(name, aim)| Step::Delete(name, aim)),
        (0..NAMES, 0..NAMES).prop_map(|(a, b)| Step::Pair(a, b)),
    ];
    prop::collection::vec(step, 1..60)
}

/// What the store should hold: value and revision by name.
type Model = BTreeMap<usize, (String, u64)>;

pub async fn random_operations_match_a_map(bed: Bed) {
    let mut runner = TestRunner::deterministic();
    let (mut model, start, mut serial) = (Model::new(), bed.store.revision(), 0);
    let mut revision = start;
    for _ in 0..CASES {
        let steps = steps().new_tree(&mut runner).expect("a value").current();
        for step in steps {
            serial += 1;
            let ops = ops(&step, &model, &serial.to_string());
            let expected = expect(&ops, &model);
            let result = bed.store.commit(ops.clone()).await;
            assert_eq!(result.is_ok(), expected, "{step:?} on {model:?} gave {result:?}");
            match result {
                Ok(committed) => {
                    let first = revision + 1;
                    for (at, (op, entry)) in ops.iter().zip(&committed.entries).enumerate() {
                        revision = if bed.is_etcd() { first } else { first + at as u64 };
                        assert_eq!(entry.revision, revision);
                        record(op, &mut model, &serial.to_string(), revision);
                    }
                }
                Err(error) => assert!(matches!(error, Error::Conflict { .. } | Error::Invalid { .. }), "{error:?}"),
            }
            compare(&bed, &model);
        }
    }
    // The log, played from the start, leads to the same.
    let mut watcher = bed.pods().watch(start, Interest::all()).expect("remembered");
    let mut played = BTreeMap::new();
    loop {
        let events = watcher.try_batch().expect("open");
        if events.is_empty() {
            break;
        }
        events.iter().for_each(|event| play(event, &mut played));
    }
    let held: BTreeMap<_, _> = bed.pods().snapshot().iter().map(|entry| (entry.key.to_string(), entry.revision)).collect();
    assert_eq!(played, held);
}

fn ops(step: &Step, model: &Model, value: &str) -> Vec<Op> {
    let aimed = |name: &usize, aim: &Aim| match aim {
        Aim::Current => Expect::Revision(model.get(name).map_or(1, |(_, revision)| *revision)),
        Aim::Stale => Expect::Revision(1),
    };
    let key = |name: &usize| pod(&format!("default/{name}"));
    let put = |name: &usize, expect| Op::Put { key: key(name), expect, draft: draft(value) };
    match step {
        Step::Create(name) => vec![put(name, Expect::Absent)],
        Step::Update(name, aim) => vec![put(name, aimed(name, aim))],
        Step::Upsert(name) => vec![put(name, Expect::Any)],
        Step::Delete(name, aim) => vec![Op::Delete { key: key(name), expect: aimed(name, aim) }],
        Step::Pair(a, b) => vec![put(a, Expect::Any), Op::Delete { key: key(b), expect: Expect::Any }],
    }
}

fn name_of(op: &Op) -> usize {
    op.key().name().parse().expect("a number")
}

/// Whether a transaction should happen.
fn expect(ops: &[Op], model: &Model) -> bool {
    let twice = ops.len() == 2 && name_of(&ops[0]) == name_of(&ops[1]);
    !twice
        && ops.iter().all(|op| {
            let current = model.get(&name_of(op)).map(|(_, revision)| *revision);
            match op {
                Op::Put { expect: Expect::Absent, .. } => current.is_none(),
                Op::Put { expect: Expect::Any, .. } => true,
                Op::Put { expect: Expect::Revision(revision), .. } | Op::Delete { expect: Expect::Revision(revision), .. } => {
                    current == Some(*revision)
                }
                Op::Delete { .. } => current.is_some(),
            }
        })
}

fn record(op: &Op, model: &mut Model, value: &str, revision: u64) {
    match op {
        Op::Put { .. } => drop(model.insert(name_of(op), (value.to_owned(), revision))),
        Op::Delete { .. } => drop(model.remove(&name_of(op))),
    }
}

fn compare(bed: &Bed, model: &Model) {
    let snapshot = bed.pods().snapshot();
    let held: Vec<_> = snapshot.iter().map(|entry| (entry.key.name().to_owned(), entry.body.clone())).collect();
    let meant: Vec<_> = model.iter().map(|(name, (value, revision))| (name.to_string(), body(value, *revision))).collect();
    assert_eq!(held, meant);
}

fn play(event: &Event, played: &mut BTreeMap<String, u64>) {
    let key = event.entry.key.to_string();
    match event.kind {
        Kind::Added => assert!(played.insert(key, event.revision()).is_none()),
        Kind::Modified => assert!(played.insert(key, event.revision()).is_some()),
        Kind::Deleted => assert!(played.remove(&key).is_some()),
    }
}

/// Each writer increments counters by compare-and-put; no increment may be lost, and a watcher must see each once.
pub async fn concurrent_writers_match_their_answers(bed: Bed) {
    const WRITERS: usize = 16;
    const INCREMENTS: usize = 25;
    let bed = Arc::new(bed);
    let mut watcher = bed.watch(Interest::all());
    let writers: Vec<_> =
        (0..WRITERS).map(|n| tokio::spawn(increment(bed.clone(), format!("default/{}", n % 3), INCREMENTS))).collect();
    let mut seen = 0;
    let mut last = 0;
    while seen < WRITERS * INCREMENTS {
        for event in watcher.next_batch().await.expect("open") {
            assert!(event.revision() > last, "ordered and unique");
            last = event.revision();
            seen += 1;
        }
    }
    for writer in writers {
        writer.await.expect("no panic");
    }
    let total: usize = bed.pods().snapshot().iter().map(|entry| count(&entry.body)).sum();
    assert_eq!(total, WRITERS * INCREMENTS);
    assert_eq!(watcher.progress(), Some(bed.store.revision()), "nothing more than that happened");
}

/// What an informer relies on: a list and the events after its revision make the present, whenever it listed.
pub async fn a_list_and_its_watch_make_the_present(bed: Bed) {
    const WRITERS: usize = 8;
    let bed = Arc::new(bed);
    let writers: Vec<_> = (0..WRITERS).map(|n| tokio::spawn(churn(bed.clone(), n))).collect();
    let mut informers = Vec::new();
    let done = || writers.iter().all(tokio::task::JoinHandle::is_finished);
    while !done() {
        let snapshot = bed.pods().snapshot();
        assert!(snapshot.iter().all(|entry| entry.revision <= snapshot.revision()), "nothing from after its revision");
        let watcher = bed.pods().watch(snapshot.revision(), Interest::all()).expect("remembered");
        while bed.store.revision() == snapshot.revision() && !done() {
            tokio::task::yield_now().await;
        }
        informers.push((snapshot, watcher));
    }
    for writer in writers {
        writer.await.expect("no panic");
    }
    let present: BTreeMap<_, _> = bed.pods().snapshot().iter().map(|entry| (entry.key.to_string(), entry.revision)).collect();
    for (snapshot, mut watcher) in informers {
        let mut played: BTreeMap<_, _> = snapshot.iter().map(|entry| (entry.key.to_string(), entry.revision)).collect();
        while let Some(events) = watcher.try_batch().ok().filter(|events| !events.is_empty()) {
            events.iter().for_each(|event| play(event, &mut played));
        }
        assert_eq!(played, present, "listed at {}", snapshot.revision());
    }
}

async fn churn(bed: Arc<Bed>, writer: usize) {
    for n in 0..40 {
        let name = format!("default/{writer}-{}", n % 5);
        if n % 3 == 2 && bed.pods().get(&pod(&name)).is_some() {
            bed.unset(&name).await;
        } else {
            bed.set(&name, "x").await;
        }
    }
}

async fn increment(bed: Arc<Bed>, name: String, times: usize) {
    let key = pod(&name);
    for _ in 0..times {
        loop {
            let current = bed.pods().get(&key);
            let expect = current.as_ref().map_or(Expect::Absent, |entry| Expect::Revision(entry.revision));
            let next = current.as_ref().map_or(0, |entry| count(&entry.body)) + 1;
            match bed.put(&key, expect, draft(&next.to_string())).await {
                Ok(_) => break,
                Err(Error::Conflict { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

fn count(body: &[u8]) -> usize {
    let text = std::str::from_utf8(body).expect("text");
    let value = text.rsplit_once(":\"").expect("a value").1;
    value.trim_end_matches("\"}").parse().expect("a number")
}
