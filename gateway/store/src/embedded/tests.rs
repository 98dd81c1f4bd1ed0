//! What can only be seen with a ledger that stops when it is told to.

use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use futures::future::join_all;
use model::clock::SystemClock;

use super::*;
use crate::batch::Batch;
use crate::ledger::Failure;
use crate::{Draft, Expect, Header, Key};

/// Says when a commit begins, with its size, and waits for leave to end it.
struct Gated {
    begun: Sender<usize>,
    leave: Receiver<()>,
}

impl Ledger for Gated {
    fn commit(&mut self, batch: &Batch<'_>) -> Result<(), Failure> {
        let _ = self.begun.send(batch.writes.len());
        assert!(!batch.writes.contains_key("/registry/pods/panic"), "asked to");
        self.leave.recv().map_err(|_| Failure::Broken("the test ended".into()))
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(())
    }

    fn abandon(self: Box<Self>) {}
}

struct Gate {
    engine: Arc<Embedded>,
    begun: Receiver<usize>,
    leave: Sender<()>,
}

fn gate(limits: Limits) -> Gate {
    let ((begun_in, begun), (leave, leave_out)) = (channel(), channel());
    let ledger = Gated { begun: begun_in, leave: leave_out };
    let loaded = Loaded { floor: 1, ..Loaded::default() };
    let engine = Embedded::start(Box::new(ledger), loaded, Arc::new(SystemClock), limits).expect("a thread");
    Gate { engine: Arc::new(engine), begun, leave }
}

fn put(name: impl ToString) -> Vec<Op> {
    let body = Bytes::from_static(br#"{"r":""}"#);
    let draft = Draft { header: Header::default(), body, revision_at: 6, ttl_s: None };
    vec![Op::Put { key: Key::new("/registry/pods/", &name.to_string()), expect: Expect::Absent, draft }]
}

#[tokio::test]
async fn what_queues_during_a_commit_shares_the_next() {
    let gate = gate(Limits::default());
    let mut first = gate.engine.commit(put("first"));
    assert!((&mut first).now_or_never().is_none());
    assert_eq!(gate.begun.recv(), Ok(1));
    let mut others: Vec<_> = (0..32).map(|n| gate.engine.commit(put(n))).collect();
    assert!(others.iter_mut().all(|write| write.now_or_never().is_none()));
    gate.leave.send(()).expect("running");
    assert_eq!(gate.begun.recv(), Ok(32), "one commit for all that queued");
    assert!(first.await.is_ok(), "answered while the next is being written");
    let pods = gate.engine.cache.resource("/registry/pods/");
    assert!(pods.get("/registry/pods/7").is_none(), "not visible before it is durable");
    gate.leave.send(()).expect("running");
    assert!(join_all(others).await.iter().all(Result::is_ok));
    assert!(pods.get("/registry/pods/7").is_some());
}

#[tokio::test]
async fn a_conflict_with_what_is_not_yet_durable_waits_for_it() {
    let gate = gate(Limits::default());
    let (mut winner, mut loser) = (gate.engine.commit(put("a")), gate.engine.commit(put("a")));
    assert!((&mut winner).now_or_never().is_none() && (&mut loser).now_or_never().is_none());
    // Whether both came into one commit or not: the loser may not learn of an entry that could still be lost.
    assert_eq!(gate.begun.recv(), Ok(1));
    assert!((&mut loser).now_or_never().is_none());
    gate.leave.send(()).expect("running");
    assert!(winner.await.is_ok());
    assert!(matches!(loser.await, Err(Error::Conflict { current: Some(_), .. })));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let gate = gate(Limits { queue_transactions_max: 3, ..Limits::default() });
    let mut first = gate.engine.commit(put("first"));
    assert!((&mut first).now_or_never().is_none());
    assert_eq!(gate.begun.recv(), Ok(1));
    let mut queued: Vec<_> = (0..3).map(|n| gate.engine.commit(put(n))).collect();
    assert!(queued.iter_mut().all(|write| write.now_or_never().is_none()));
    assert!(matches!(gate.engine.commit(put("one too many")).await, Err(Error::Overloaded)));
    gate.leave.send(()).expect("running");
    gate.leave.send(()).expect("running");
    assert!(join_all(queued).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_commit_is_bounded() {
    let gate = gate(Limits { batch_transactions_max: 10, ..Limits::default() });
    let mut writes: Vec<_> = (0..26).map(|n| gate.engine.commit(put(n))).collect();
    assert!((&mut writes[0]).now_or_never().is_none());
    let first = gate.begun.recv().expect("begins");
    assert!(writes[1..].iter_mut().all(|write| write.now_or_never().is_none()));
    let mut sizes = vec![first];
    while sizes.iter().sum::<usize>() < 26 {
        gate.leave.send(()).expect("running");
        sizes.push(gate.begun.recv().expect("begins"));
    }
    assert_eq!(sizes, [1, 10, 10, 5]);
    gate.leave.send(()).expect("running");
    assert!(join_all(writes).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_failed_ledger_is_told_to_everyone() {
    let gate = gate(Limits::default());
    let mut writes: Vec<_> = (0..3).map(|n| gate.engine.commit(put(n))).collect();
    assert!(writes.iter_mut().all(|write| write.now_or_never().is_none()));
    drop(gate.leave);
    assert!(join_all(writes).await.iter().all(|answer| matches!(answer, Err(Error::Failed(_)))));
    assert_eq!(&*gate.engine.failed().await, "the test ended");
    assert!(matches!(gate.engine.commit(put("later")).await, Err(Error::Failed(_))));
    assert!(gate.engine.cache.resource("/registry/pods/").snapshot().is_empty());
}

#[tokio::test]
async fn a_dead_thread_is_a_failure() {
    let gate = gate(Limits::default());
    assert!(matches!(gate.engine.commit(put("panic")).await, Err(Error::Failed(_))));
    assert_eq!(&*gate.engine.failed().await, PANICKED);
    assert!(matches!(gate.engine.commit(put("later")).await, Err(Error::Failed(_))));
}

#[tokio::test]
async fn closing_is_no_failure() {
    let gate = gate(Limits::default());
    gate.engine.close().await.expect("closes");
    assert!(gate.engine.failed().now_or_never().is_none());
    assert!(matches!(gate.engine.commit(put("later")).await, Err(Error::Closed)));
}
