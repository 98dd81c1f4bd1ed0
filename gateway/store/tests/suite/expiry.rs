//! Objects that go away by themselves.

use std::sync::atomic::Ordering;

use store::{Draft, Expect, Interest, Limits};

use crate::bed::{Bed, body, draft, pod, short, shorts};

fn lasting(ttl_s: u32) -> Draft {
    Draft { ttl_s: Some(ttl_s), ..draft("x") }
}

pub async fn expires_with_an_event(bed: Bed) {
    let entry = bed.put(&pod("default/a"), Expect::Absent, lasting(60)).await.expect("absent");
    bed.set("default/b", "x").await;
    let mut watcher = bed.watch(Interest::all());
    bed.pass_s(59);
    assert_eq!(bed.store.engine().expire().await.expect("works"), 0);
    assert!(bed.pods().get(&entry.key).is_some());
    bed.pass_s(1);
    assert_eq!(bed.store.engine().expire().await.expect("works"), 1);
    let revision = bed.store.revision();
    assert!(revision > entry.revision + 1, "a real revision");
    let events = watcher.next_batch().await.expect("open");
    assert_eq!(events.iter().map(short).collect::<Vec<_>>(), [format!("DELETED default/a {revision}")]);
    assert_eq!(events[0].entry.body, body("x", revision));
    assert!(bed.pods().get(&entry.key).is_none() && bed.pods().get(&pod("default/b")).is_some());
}

pub async fn a_write_begins_the_time_anew(bed: Bed) {
    for name in ["default/longer", "default/forever", "default/gone"] {
        bed.put(&pod(name), Expect::Absent, lasting(60)).await.expect("absent");
    }
    bed.pass_s(50);
    bed.put(&pod("default/longer"), Expect::Any, lasting(60)).await.expect("there");
    bed.put(&pod("default/forever"), Expect::Any, draft("x")).await.expect("there");
    bed.unset("default/gone").await;
    bed.set("default/gone", "again, without an end").await;
    bed.pass_s(59);
    assert_eq!(bed.store.engine().expire().await.expect("works"), 0);
    bed.pass_s(1);
    assert_eq!(bed.store.engine().expire().await.expect("works"), 1);
    assert!(bed.pods().get(&pod("default/longer")).is_none());
    assert_eq!(bed.pods().snapshot().len(), 2);
}

pub async fn many_expire_in_bounded_commits(bed: Bed) {
    let bed = bed.limited(Limits { expire_batch_max: 10, ..Limits::default() }).await;
    for n in 0..25 {
        bed.put(&pod(&format!("default/{n:02}")), Expect::Absent, lasting(n + 1)).await.expect("absent");
    }
    let mut watcher = bed.watch(Interest::all());
    let before = bed.store.cache().metrics().commits.load(Ordering::Relaxed);
    bed.pass_s(100);
    assert_eq!(bed.store.engine().expire().await.expect("works"), 25);
    assert_eq!(bed.store.cache().metrics().commits.load(Ordering::Relaxed) - before, 3);
    let expected: Vec<_> = (0..25).map(|n| format!("DELETED default/{n:02}")).collect();
    assert_eq!(shorts(&watcher.next_batch().await.expect("open")), expected, "soonest first");
}

/// The machine's clock goes back by days, over a restart too, and forth again: revisions rise, nothing is lost, and what expires
/// does so when its time has come by the clock that there is.
pub async fn a_clock_that_steps_loses_nothing(bed: Bed) {
    const DAYS_S: i64 = 300_000;
    let before = bed.put(&pod("default/before"), Expect::Absent, lasting(60)).await.expect("absent").revision;
    bed.set("default/kept", "x").await;
    bed.pass_s(-DAYS_S);
    let after = bed.put(&pod("default/after"), Expect::Absent, lasting(60)).await.expect("absent").revision;
    assert!(after > before + 1, "{before}, {after}");
    assert_eq!(bed.store.engine().expire().await.expect("works"), 0);
    let bed = bed.reopened().await;
    assert_eq!((bed.store.revision(), bed.pods().snapshot().len()), (after, 3));
    bed.pass_s(60);
    assert_eq!(bed.store.engine().expire().await.expect("works"), 1);
    bed.pass_s(DAYS_S);
    assert_eq!(bed.store.engine().expire().await.expect("works"), 1);
    let bed = bed.reopened().await;
    let left: Vec<_> = bed.pods().snapshot().iter().map(|entry| entry.key.rest().to_owned()).collect();
    assert_eq!(left, ["default/kept"]);
    assert!(bed.set("default/kept", "y").await.revision > after + 2);
}
