//! Creating, replacing, deleting, and what stands in the way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::future::join_all;
use store::{Error, Expect, Key, Op};

use crate::bed::{Bed, body, draft, pod};

pub async fn created_once(bed: Bed) {
    let first = bed.put(&pod("default/a"), Expect::Absent, draft("one")).await.expect("absent");
    assert_eq!(first.body, body("one", first.revision));
    assert_eq!(first.created, first.revision);
    let current = conflict(bed.put(&pod("default/a"), Expect::Absent, draft("two")).await);
    assert_eq!(current.expect("it exists").revision, first.revision);
}

pub async fn replaced_only_at_the_expected_revision(bed: Bed) {
    let first = bed.set("default/a", "one").await;
    let second = bed.put(&pod("default/a"), Expect::Revision(first.revision), draft("two")).await.expect("current");
    assert!(second.revision > first.revision);
    assert_eq!(second.created, first.revision, "the revision of its creation stays");
    let current = conflict(bed.put(&pod("default/a"), Expect::Revision(first.revision), draft("three")).await);
    assert_eq!(current.expect("it exists").body, body("two", second.revision));
    assert!(conflict(bed.put(&pod("default/b"), Expect::Revision(1), draft("one")).await).is_none());
    assert_eq!(bed.store.revision(), second.revision, "a conflict takes no revision");
}

pub async fn deleted_only_at_the_expected_revision(bed: Bed) {
    assert!(conflict(bed.delete(&pod("default/a"), Expect::Any).await).is_none());
    let first = bed.set("default/a", "one").await;
    let second = bed.set("default/a", "two").await;
    let current = conflict(bed.delete(&pod("default/a"), Expect::Revision(first.revision)).await);
    assert_eq!(current.expect("it exists").revision, second.revision);
    let gone = bed.delete(&pod("default/a"), Expect::Revision(second.revision)).await.expect("current");
    assert!(gone.revision > second.revision);
    assert_eq!(gone.body, body("two", gone.revision), "the last body with the revision of the delete");
    assert!(bed.pods().get(&pod("default/a")).is_none());
    let again = bed.set("default/a", "three").await;
    assert_eq!(again.created, again.revision, "a new object");
}

pub async fn reads_its_own_writes(bed: Bed) {
    let pods = bed.pods();
    for n in 0..50 {
        let entry = bed.set("default/a", &n.to_string()).await;
        let read = pods.get(&entry.key).expect("just written");
        assert_eq!((read.revision, &read.body), (entry.revision, &entry.body));
        assert_eq!(pods.snapshot().revision(), entry.revision);
        assert_eq!(bed.store.revision(), entry.revision);
    }
}

pub async fn all_of_a_transaction_or_nothing(bed: Bed) {
    let put = |key: Key, expect| Op::Put { key, expect, draft: draft("x") };
    let (a, b, other) = (pod("default/a"), pod("default/b"), Key::new("/registry/configmaps/", "default/c"));
    let committed =
        bed.store.commit(vec![put(a.clone(), Expect::Absent), put(other.clone(), Expect::Absent)]).await.expect("absent");
    assert_eq!(committed.entries.iter().map(|entry| entry.key.clone()).collect::<Vec<_>>(), [a.clone(), other.clone()]);
    assert_eq!(committed.revision, committed.entries[1].revision);
    let apart = committed.entries[1].revision - committed.entries[0].revision;
    assert_eq!(apart, u64::from(!bed.is_etcd()), "each object has a revision of its own, but in etcd");

    let before = bed.store.revision();
    let refused = bed.store.commit(vec![put(b.clone(), Expect::Absent), put(a.clone(), Expect::Absent)]).await;
    assert!(matches!(refused, Err(Error::Conflict { key, .. }) if key == a));
    assert!(bed.pods().get(&b).is_none(), "nothing of it happened");
    assert_eq!(bed.store.revision(), before);

    let mixed = vec![Op::Delete { key: a.clone(), expect: Expect::Any }, put(b.clone(), Expect::Absent)];
    bed.store.commit(mixed).await.expect("both hold");
    assert!(bed.pods().get(&a).is_none() && bed.pods().get(&b).is_some());
}

pub async fn unsound_transactions_are_refused(bed: Bed) {
    let twice = vec![Op::Put { key: pod("default/a"), expect: Expect::Any, draft: draft("x") }; 2];
    assert!(matches!(bed.store.commit(twice).await, Err(Error::Invalid { .. })));
    let mut misplaced = draft("x");
    misplaced.revision_at += 1;
    assert!(matches!(bed.put(&pod("default/a"), Expect::Any, misplaced).await, Err(Error::Invalid { .. })));
    assert!(matches!(bed.put(&pod(""), Expect::Any, draft("x")).await, Err(Error::Invalid { .. })));
    assert!(bed.pods().snapshot().is_empty());
}

pub async fn one_of_many_creators_wins(bed: Bed) {
    let bed = Arc::new(bed);
    let creators = (0..32).map(|n| {
        let bed = bed.clone();
        tokio::spawn(async move { bed.put(&pod("default/a"), Expect::Absent, draft(&n.to_string())).await })
    });
    let results: Vec<_> = join_all(creators).await.into_iter().map(|result| result.expect("no panic")).collect();
    let winners: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
    assert_eq!(winners.len(), 1);
    for loser in results.iter().filter_map(|result| result.as_ref().err()) {
        assert!(matches!(loser, Error::Conflict { current: Some(current), .. } if current.revision == winners[0].revision));
    }
}

pub async fn every_write_has_a_revision_of_its_own(bed: Bed) {
    let names: Vec<String> = (0..200).map(|n| format!("default/{n}")).collect();
    let entries = join_all(names.iter().map(|name| bed.set(name, "x"))).await;
    let mut revisions: Vec<_> = entries.iter().map(|entry| entry.revision).collect();
    revisions.sort_unstable();
    revisions.dedup();
    assert_eq!(revisions.len(), 200);
    let metrics = bed.store.cache().metrics();
    assert_eq!(metrics.records.load(Ordering::Relaxed), 200);
    assert_eq!(metrics.transactions.load(Ordering::Relaxed), 200);
    let commits = metrics.commits.load(Ordering::Relaxed);
    assert_eq!(commits, metrics.commit_buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum::<u64>());
}

pub async fn a_closed_store_refuses(bed: Bed) {
    bed.set("default/a", "x").await;
    bed.store.close().await.expect("closes");
    assert!(matches!(bed.put(&pod("default/b"), Expect::Any, draft("x")).await, Err(Error::Closed)));
    assert!(bed.pods().get(&pod("default/a")).is_some(), "reading goes on");
}

fn conflict<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<Arc<store::Entry>> {
    match result {
        Err(Error::Conflict { current, .. }) => current,
        other => panic!("expected a conflict, got {other:?}"),
    }
}
