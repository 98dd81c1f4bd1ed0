//! What must be as it was when the store is opened again.

use store::{Draft, Expect, Interest, Key, WatchError};

use crate::bed::{Bed, draft, marked, pod, shorts};

pub async fn everything_is_kept(bed: Bed) {
    for n in 0..50 {
        bed.set(&format!("default/{n}"), "x").await;
    }
    let kept = marked("kept", &[("app", "shop"), ("tier", "web")], &[("spec.nodeName", "node-1"), ("status.phase", "Running")]);
    bed.put(&pod("default/kept"), Expect::Absent, kept).await.expect("absent");
    bed.put(&Key::new("/registry/services/specs/", "default/s"), Expect::Absent, draft("s")).await.expect("absent");
    bed.set("default/7", "changed").await;
    bed.unset("default/8").await;
    let all = |bed: &Bed| {
        let resources = bed.store.cache().resources();
        let entries = resources.iter().flat_map(|r| r.snapshot().iter().cloned().collect::<Vec<_>>()).collect::<Vec<_>>();
        let facts = |e: &store::Entry| {
            (e.key.clone(), e.key.prefix().to_owned(), e.revision, e.created, e.header.clone(), e.body.clone())
        };
        entries.iter().map(|e| facts(e)).collect::<Vec<_>>()
    };
    let before = all(&bed);
    assert_eq!(before.len(), 51);
    let bed = bed.reopened().await;
    assert_eq!(all(&bed), before);
    let kept = bed.pods().get(&pod("default/kept")).expect("kept");
    assert_eq!(kept.header.labels.get("tier"), Some("web"));
    assert_eq!(kept.header.fields.get("spec.nodeName"), Some("node-1"));
    // And it can be changed as before.
    bed.put(&pod("default/kept"), Expect::Revision(kept.revision), draft("changed")).await.expect("current");
}

pub async fn the_revision_never_falls(mut bed: Bed) {
    for round in 0..3 {
        bed.set("default/a", "x").await;
        let after_put = bed.store.revision();
        bed = bed.reopened().await;
        assert_eq!(bed.store.revision(), after_put, "round {round}");
        // The newest revision belongs to nothing that is left.
        bed.unset("default/a").await;
        let after_delete = bed.store.revision();
        assert!(after_delete > after_put);
        bed = bed.reopened().await;
        assert_eq!(bed.store.revision(), after_delete, "round {round}");
    }
}

pub async fn older_revisions_are_gone(bed: Bed) {
    let first = bed.set("default/a", "one").await.revision;
    let last = bed.set("default/a", "two").await.revision;
    let bed = bed.reopened().await;
    assert_eq!(bed.pods().watch(first, Interest::all()).err(), Some(WatchError::Gone { oldest: last }));
    assert!(bed.pods().snapshot_at(first).is_none());
    assert!(bed.pods().watch(last, Interest::all()).is_ok());
}

/// What has been quiet is known to have been: its watches and the pages of its lists go on over the restart.
pub async fn quiet_resources_lose_nothing(bed: Bed) {
    let elsewhere = Key::new("/registry/configmaps/", "default/a");
    bed.set("default/a", "one").await;
    bed.set("default/b", "one").await;
    let before = bed.store.revision();
    let removed = bed.unset("default/a").await.revision;
    for _ in 0..5 {
        bed.put(&elsewhere, Expect::Any, draft("x")).await.expect("written");
    }
    let now = bed.store.revision();
    let bed = bed.reopened().await;
    assert_eq!(
        bed.pods().watch(before, Interest::all()).err(),
        Some(WatchError::Gone { oldest: removed }),
        "it missed the removal"
    );
    assert!(bed.pods().snapshot_at(before).is_none());
    assert_eq!(bed.pods().snapshot_at(removed).map(|snapshot| snapshot.len()), Some(1));
    let mut resumed = bed.pods().watch(removed, Interest::all()).expect("nothing happened since");
    let never_used = bed.store.resource("/registry/secrets/");
    assert!(never_used.watch(before, Interest::all()).is_ok());
    assert!(bed.store.resource("/registry/configmaps/").watch(now - 1, Interest::all()).is_err());
    bed.set("default/c", "one").await;
    assert_eq!(shorts(&resumed.next_batch().await.expect("open")), ["ADDED default/c"]);

    // The last object of a resource goes; the resource is remembered.
    bed.unset("default/b").await;
    let emptied = bed.unset("default/c").await.revision;
    let bed = bed.reopened().await;
    assert_eq!(bed.pods().watch(emptied - 1, Interest::all()).err(), Some(WatchError::Gone { oldest: emptied }));
    assert!(bed.pods().watch(emptied, Interest::all()).is_ok());
}

pub async fn expiry_is_kept(bed: Bed) {
    bed.put(&pod("default/a"), Expect::Absent, Draft { ttl_s: Some(60), ..draft("x") }).await.expect("absent");
    bed.set("default/b", "x").await;
    let bed = bed.reopened().await;
    bed.pass_s(59);
    assert_eq!(bed.store.engine().expire().await.expect("works"), 0);
    bed.pass_s(1);
    assert_eq!(bed.store.engine().expire().await.expect("works"), 1);
    let bed = bed.reopened().await;
    assert!(bed.pods().get(&pod("default/a")).is_none() && bed.pods().get(&pod("default/b")).is_some());
}
