//! What only a storage outside the process brings: others who write to it, connections that end, compaction, an end and a new
//! beginning.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::clock::SystemClock;
use store::{Draft, Encryption, Error, Expect, Interest, Key, Kind, Limits, Override, Step, Store, WatchError};

use crate::bed::{Bed, Medium, PODS, body, draft, marked, pod, seed, short};
use crate::encryption::{configuration, encryption};
use crate::etcd::{Etcd, plain, settings};
use crate::proxy::{Proxy, Way};

impl Bed {
    fn etcd_process(&mut self) -> &mut Etcd {
        match &mut self.medium {
            Medium::Etcd(etcd) => etcd,
            _ => panic!("no etcd"),
        }
    }

    /// Another store on the same etcd.
    async fn beside(&mut self) -> Store {
        open(&self.etcd_process().settings()).await
    }
}

async fn open(settings: &store::EtcdSettings) -> Store {
    Store::etcd(settings, plain(), None, Arc::new(SystemClock), Limits::default()).await.expect("opens")
}

fn put(name: &str, expect: Expect, draft: Draft) -> Vec<store::Op> {
    vec![store::Op::Put { key: pod(name), expect, draft }]
}

/// Waits until a store has seen what another was answered.
async fn fresh(store: &Store) {
    store.fresh(PODS).await.expect("etcd answers");
}

pub async fn others_see_what_was_answered(mut bed: Bed) {
    let other = bed.beside().await;
    let mut theirs = other.resource(PODS).watch(other.revision(), Interest::all()).expect("now");
    let marks = marked("one", &[("app", "shop")], &[("spec.nodeName", "n")]);
    let made = bed.put(&pod("default/a"), Expect::Absent, marks).await.expect("absent");
    fresh(&other).await;
    let seen = other.resource(PODS).get(&pod("default/a")).expect("fresh");
    assert_eq!((seen.revision, seen.created, &seen.body, &seen.header), (made.revision, made.created, &made.body, &made.header));

    let refused = other.commit(put("default/a", Expect::Absent, draft("two"))).await;
    assert!(matches!(refused, Err(Error::Conflict { current: Some(current), .. }) if current.revision == made.revision));
    let changed = other.commit(put("default/a", Expect::Revision(made.revision), draft("two"))).await.expect("current");
    let refused = bed.delete(&pod("default/a"), Expect::Revision(made.revision)).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
    assert_eq!(bed.pods().get(&pod("default/a")).expect("there").revision, changed.revision, "a conflict is seen with its cause");
    let gone = bed.unset("default/a").await;
    assert_eq!(gone.body, body("two", gone.revision));
    fresh(&other).await;
    let mut events = Vec::new();
    while events.len() < 3 {
        events.extend(theirs.next_batch().await.expect("open"));
    }
    let want = [("ADDED", made.revision), ("MODIFIED", changed.revision), ("DELETED", gone.revision)];
    assert_eq!(events.iter().map(short).collect::<Vec<_>>(), want.map(|(kind, revision)| format!("{kind} default/a {revision}")));
}

pub async fn what_happens_elsewhere_is_progress(mut bed: Bed) {
    let other = bed.beside().await;
    let watcher = other.resource(PODS).watch(other.revision(), Interest::all()).expect("now");
    let elsewhere = bed.put(&Key::new("/registry/configmaps/", "default/a"), Expect::Absent, draft("")).await.expect("absent");
    fresh(&other).await;
    assert_eq!(watcher.progress(), Some(elsewhere.revision));
    assert_eq!(other.engine().current_revision().await.expect("answers"), elsewhere.revision);
}

pub async fn a_lease_ends_with_an_event(mut bed: Bed) {
    let other = bed.beside().await;
    let mut watcher = other.resource(PODS).watch(other.revision(), Interest::all()).expect("now");
    for name in ["default/a", "default/b", "default/kept"] {
        bed.put(&pod(name), Expect::Absent, Draft { ttl_s: Some(1), ..draft("x") }).await.expect("absent");
    }
    bed.set("default/kept", "without an end").await;
    fresh(&other).await;
    assert!(other.resource(PODS).get(&pod("default/a")).is_none_or(|entry| entry.expires_s.is_some()));
    let mut gone = Vec::new();
    while gone.len() < 2 {
        let events = watcher.next_batch().await.expect("open");
        gone.extend(events.iter().filter(|event| event.kind == Kind::Deleted).map(|event| event.entry.key.name().to_owned()));
    }
    gone.sort();
    assert_eq!(gone, ["a", "b"]);
    fresh(&other).await;
    assert!(other.resource(PODS).get(&pod("default/kept")).is_some());
}

pub async fn goes_on_after_etcd_was_away(mut bed: Bed) {
    let first = bed.set("default/a", "one").await;
    let mut watcher = bed.watch(Interest::all());
    bed.etcd_process().kill();
    assert_eq!(bed.pods().get(&pod("default/a")).expect("reading goes on").revision, first.revision);
    let writing = {
        let store = bed.store.clone();
        tokio::spawn(async move { store.commit(put("default/a", Expect::Any, draft("two"))).await })
    };
    tokio::task::yield_now().await;
    bed.etcd_process().run();
    // What never reached anybody is tried again; what nobody can tell is told so.
    match writing.await.expect("no panic") {
        Ok(committed) => assert!(committed.revision > first.revision),
        Err(error) => assert!(matches!(error, Error::Unknown(_)), "{error:?}"),
    }
    let last = bed.set("default/a", "three").await;
    let mut seen = 0;
    while seen < last.revision {
        for event in watcher.next_batch().await.expect("open") {
            assert!(event.revision() > seen.max(first.revision), "no watch goes back");
            seen = event.revision();
        }
    }
}

pub async fn compacted_away_is_listed_anew(mut bed: Bed) {
    let proxy = Proxy::before(&bed.etcd_process().socket(), 1);
    let other = open(&settings(&proxy.socket())).await;
    let key = |n: usize| format!("default/{n}");
    for n in 0..10 {
        bed.set(&key(n), "one").await;
    }
    fresh(&other).await;
    let pods = other.resource(PODS);
    let quiet = pods.get(&pod(&key(7))).expect("there");
    let (before, mut watcher) = (other.revision(), pods.watch(other.revision(), Interest::all()).expect("now"));
    proxy.set(Way::Cut);
    bed.unset(&key(0)).await;
    bed.set(&key(1), "two").await;
    bed.set("default/new", "one").await;
    let compacting = store::EtcdSettings { compact_every: Duration::from_millis(20), ..bed.etcd_process().settings() };
    let compactor = open(&compacting).await;
    // The first turn only notes the revision; each later one compacts to that of the turn before.
    let noted = bed.store.revision();
    while bed.store.engine().current_revision().await.expect("answers") < noted + 4 {
        tokio::task::yield_now().await;
    }
    proxy.set(Way::Open);
    fresh(&other).await;
    let facts = |store: &Store| {
        let snapshot = store.resource(PODS).snapshot();
        snapshot.iter().map(|entry| (entry.key.to_string(), entry.revision, entry.body.clone())).collect::<Vec<_>>()
    };
    assert_eq!(facts(&other), facts(&bed.store));
    assert!(Arc::ptr_eq(&quiet, &pods.get(&pod(&key(7))).expect("there")), "what did not change was not read again");
    assert_eq!(watcher.next_batch().await.err(), Some(WatchError::Slow), "it is closed, to begin anew");
    assert!(matches!(pods.watch(before, Interest::all()).err(), Some(WatchError::Gone { .. })));
    compactor.close().await.expect("closes");
}

/// Connections that come late, end half-way or lose their end: nothing answered is lost, no watch goes back, and every
/// write's outcome is what it was told to be, where it was told.
pub async fn nothing_answered_is_lost_on_rough_ways(mut bed: Bed) {
    let proxy = Proxy::before(&bed.etcd_process().socket(), seed());
    let rough = open(&settings(&proxy.socket())).await;
    let mut watcher = rough.resource(PODS).watch(rough.revision(), Interest::all()).expect("now");
    proxy.set(Way::Rough);
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let store = rough.clone();
            tokio::spawn(async move {
                let mut answered = Vec::new();
                for n in 0..30 {
                    let value = format!("{writer}-{n}");
                    match store.commit(put(&format!("default/{writer}"), Expect::Any, draft(&value))).await {
                        Ok(committed) => answered.push((committed.revision, value)),
                        Err(Error::Unknown(_)) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
                answered
            })
        })
        .collect();
    let mut answered = BTreeMap::new();
    for writer in writers {
        answered.extend(writer.await.expect("no panic"));
    }
    proxy.set(Way::Open);
    fresh(&rough).await;
    fresh(&bed.store).await;
    let (theirs, ours) = (rough.resource(PODS).snapshot(), bed.pods().snapshot());
    let revisions = |snapshot: &store::Snapshot| snapshot.iter().map(|entry| entry.revision).collect::<Vec<_>>();
    assert_eq!(revisions(&theirs), revisions(&ours), "both are the cluster");
    let mut seen = BTreeMap::new();
    while let Some(events) = watcher.try_batch().ok().filter(|events| !events.is_empty()) {
        for event in events {
            let last = seen.last_key_value().map_or(0, |(revision, _)| *revision);
            assert!(event.revision() > last, "ordered and unique");
            seen.insert(event.revision(), event.entry.body.clone());
        }
    }
    for (revision, value) in &answered {
        assert_eq!(seen.get(revision), Some(&body(value, *revision)), "answered at {revision}");
    }
    assert!(answered.len() > 40, "{} of 120 were answered over {:?} cuts", answered.len(), proxy.cuts);
}

pub async fn a_cluster_of_its_own_fails_alone(mut bed: Bed) {
    const EVENTS: &str = "/registry/events/";
    let mut apart = Etcd::start();
    let own = Override { prefix: EVENTS.to_owned(), urls: apart.settings().servers.urls };
    let store = open(&store::EtcdSettings { overrides: vec![own], ..bed.etcd_process().settings() }).await;
    let event =
        |value: &str| vec![store::Op::Put { key: Key::new(EVENTS, "default/e"), expect: Expect::Any, draft: draft(value) }];
    let made = store.commit(event("one")).await.expect("written");
    store.commit(put("default/a", Expect::Absent, draft("one"))).await.expect("written");
    fresh(&bed.store).await;
    assert!(bed.store.resource(EVENTS).snapshot().is_empty(), "it lies elsewhere");
    assert_eq!(store.resource(EVENTS).snapshot().revision(), made.revision, "it counts for itself");
    let both = [event("x"), put("default/a", Expect::Any, draft("x"))].concat();
    assert!(matches!(store.commit(both).await, Err(Error::Invalid { .. })));

    apart.kill();
    store.commit(put("default/a", Expect::Any, draft("two"))).await.expect("the other shard does not care");
    fresh(&store).await;
    assert_eq!(store.resource(EVENTS).snapshot().len(), 1, "what was read is still known");
    apart.run();
    let again = store.commit(event("two")).await.expect("back");
    assert!(again.revision > made.revision);
}

pub async fn what_cannot_be_read_is_told_until_it_can(mut bed: Bed) {
    let settings = bed.etcd_process().settings();
    let open = async |encryption: Arc<Encryption>| {
        let opened = Store::etcd(&settings, plain(), Some(encryption), Arc::new(SystemClock), Limits::default()).await;
        opened.expect("opens")
    };
    let mut watcher = bed.pods().watch(bed.store.revision(), Interest::all()).expect("now");
    let theirs = open(encryption(&["one"])).await;
    let made = theirs.commit(put("default/a", Expect::Absent, draft("one"))).await.expect("absent");
    bed.put(&pod("default/b"), Expect::Absent, draft("two")).await.expect("absent");
    fresh(&bed.store).await;
    let snapshot = bed.pods().snapshot();
    let unread: Vec<_> = snapshot.unread().filter_map(|entry| Some((entry.key.rest(), entry.unread()?))).collect();
    assert_eq!(unread.len(), 1);
    let (name, why) = unread[0];
    assert_eq!((name, why.step), ("default/a", Step::Transform));
    assert_eq!(why.reason, "identity transformer tried to read encrypted data");
    assert!(matches!(watcher.next_batch().await, Err(WatchError::Slow)), "nobody can be shown what became of it");
    let taken = bed.put(&pod("default/a"), Expect::Absent, draft("three")).await;
    assert!(matches!(taken, Err(Error::Conflict { .. })), "{taken:?}");
    assert!(bed.pods().get(&pod("default/b")).is_some_and(|entry| entry.unread().is_none()), "the other can be read");

    let rotating = encryption(&["two"]);
    let rotated = open(rotating.clone()).await;
    let pods = rotated.resource(PODS);
    assert_eq!(pods.snapshot().unread().count(), 1, "so it is for who begins with it");
    let (version, mut watcher) = (pods.version(), pods.watch(pods.revision(), Interest::all()).expect("now"));
    rotating.replace(&configuration(&["two", "one"])).await.expect("sound");
    assert!(matches!(watcher.next_batch().await, Err(WatchError::Slow)), "it can be read without having been written");
    let read = pods.get(&pod("default/a")).expect("there");
    assert_eq!((read.revision, &read.body), (made.revision, &body("one", made.revision)));
    assert!(pods.version() > version && pods.snapshot().unread().next().is_none());

    bed.delete(&pod("default/a"), Expect::Revision(made.revision)).await.expect("it can be deleted");
    assert_eq!(bed.pods().snapshot().unread().count(), 0);
}

pub async fn what_lies_in_another_form_is_known_to(mut bed: Bed) {
    let theirs = bed.beside().await;
    let made = bed.put(&pod("default/a"), Expect::Absent, draft("one")).await.expect("absent");
    assert!(!bed.store.lies_otherwise(&made, &draft("one")).await.expect("answers"));
    assert!(bed.store.lies_otherwise(&made, &draft("two")).await.expect("answers"));
    theirs.commit(put("default/a", Expect::Any, draft("one"))).await.expect("written");
    assert!(bed.store.lies_otherwise(&made, &draft("one")).await.expect("answers"), "somebody else was faster");
}
