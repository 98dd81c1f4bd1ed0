//! What must be as it was when the store is opened again.

use store::{Draft, Expect, Interest, Key, WatchError};

use crate::bed::{Bed, draft, marked, pod};

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
    let refused = bed.pods().watch(first, Interest::all()).err();
    assert_eq!(refused, Some(WatchError::Gone { oldest: last }));
    let never_seen = bed.store.resource("/registry/configmaps/").watch(first, Interest::all()).err();
    assert_eq!(never_seen, Some(WatchError::Gone { oldest: last }), "what was deleted before the restart is not known");
    assert!(bed.pods().watch(last, Interest::all()).is_ok());
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
