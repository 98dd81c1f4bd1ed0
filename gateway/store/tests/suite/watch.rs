//! Watching: what is reported, to whom, from where, and when it ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::FutureExt;
use store::{Entry, Form, Interest, Kind, Limits, WatchError, Watcher};

use crate::bed::{Bed, body, short, shorts};

/// All that is there now.
fn drain(watcher: &mut Watcher) -> Vec<store::Event> {
    let mut all = Vec::new();
    loop {
        let batch = watcher.try_batch().expect("open");
        if batch.is_empty() {
            return all;
        }
        all.extend(batch);
    }
}

fn in_namespace(namespace: &str) -> Interest {
    Interest { namespace: Some(namespace.into()), ..Interest::default() }
}

fn on_node(node: &str) -> Interest {
    Interest { node: Some(node.into()), ..Interest::default() }
}

fn labelled(key: &'static str, value: &'static str) -> Interest {
    let selector = move |entry: &Entry| entry.header.labels.get(key) == Some(value);
    Interest { selector: Some(Arc::new(selector)), ..Interest::default() }
}

pub async fn ordered_unique_and_resumable(bed: Bed) {
    let start = bed.store.revision();
    let mut live = bed.watch(Interest::all());
    for n in 0..300 {
        let name = format!("default/{}", n % 7);
        if n % 5 == 4 && bed.pods().get(&crate::bed::pod(&name)).is_some() {
            bed.unset(&name).await;
        } else {
            bed.set(&name, &n.to_string()).await;
        }
    }
    let whole: Vec<_> = drain(&mut live).iter().map(short).collect();
    assert_eq!(whole.len(), 300);
    let mut replay = bed.pods().watch(start, Interest::all()).expect("remembered");
    let events = drain(&mut replay);
    assert_eq!(events.iter().map(short).collect::<Vec<_>>(), whole);
    assert!(events.windows(2).all(|pair| pair[0].revision() < pair[1].revision()));
    for (at, event) in events.iter().enumerate() {
        let mut resumed = bed.pods().watch(event.revision(), Interest::all()).expect("remembered");
        assert_eq!(drain(&mut resumed).iter().map(short).collect::<Vec<_>>(), whole[at + 1..], "resumed after event {at}");
    }
}

pub async fn previous_state_is_right(bed: Bed) {
    let mut watcher = bed.watch(Interest::all());
    let one = bed.set("default/a", "one").await;
    let two = bed.set("default/a", "two").await;
    bed.unset("default/a").await;
    bed.set("default/a", "three").await;
    let previous: Vec<_> = drain(&mut watcher).iter().map(|event| event.previous().map(|entry| entry.revision)).collect();
    assert_eq!(previous, [None, Some(one.revision), Some(two.revision), None]);
}

pub async fn deleted_carries_the_last_body_and_the_new_revision(bed: Bed) {
    let created = bed.set("default/a", "last words").await;
    let mut watcher = bed.watch(Interest::all());
    let gone = bed.unset("default/a").await;
    let events = drain(&mut watcher);
    assert_eq!(events[0].kind, Kind::Deleted);
    assert_eq!(events[0].entry.body, body("last words", gone.revision));
    assert_eq!(events[0].revision(), gone.revision);
    assert_eq!(events[0].previous().map(|entry| entry.body.clone()), Some(created.body.clone()));
}

pub async fn a_selector_sees_arrivals_and_departures(bed: Bed) {
    let mut watcher = bed.watch(labelled("app", "shop"));
    bed.mark("default/a", &[("app", "other")], &[]).await;
    bed.mark("default/a", &[("app", "shop")], &[]).await;
    bed.mark("default/a", &[("app", "shop"), ("x", "y")], &[]).await;
    let left = bed.mark("default/a", &[("app", "other")], &[]).await;
    bed.mark("default/a", &[("app", "third")], &[]).await;
    bed.unset("default/a").await;
    bed.mark("default/b", &[("app", "shop")], &[]).await;
    bed.unset("default/b").await;
    let events = drain(&mut watcher);
    let expected = ["ADDED default/a", "MODIFIED default/a", "DELETED default/a", "ADDED default/b", "DELETED default/b"];
    assert_eq!(shorts(&events), expected);
    let departure = &events[2];
    assert_eq!(departure.revision(), left.revision);
    assert_eq!(departure.entry.header.labels.get("app"), Some("shop"), "the state it was last seen in");
    let text = String::from_utf8_lossy(&departure.entry.body);
    let revision = format!("\"resourceVersion\":\"{}\"", left.revision);
    assert!(text.contains(&revision) && text.contains("shop"), "under the revision at which it left: {text}");
}

pub async fn only_what_it_asked_for(bed: Bed) {
    let named = |namespace: Option<&str>, name: &str| Interest {
        namespace: namespace.map(Into::into),
        name: Some(name.into()),
        ..Interest::default()
    };
    let mut namespace = bed.watch(in_namespace("one"));
    let mut name = bed.watch(named(None, "a"));
    let mut object = bed.watch(named(Some("one"), "a"));
    let mut both = bed.watch(Interest { namespace: Some("one".into()), ..labelled("app", "shop") });
    for key in ["one/a", "two/a", "one/b", "one-and-more/a"] {
        bed.mark(key, &[("app", if key == "one/b" { "shop" } else { "other" })], &[]).await;
    }
    assert_eq!(shorts(&drain(&mut namespace)), ["ADDED one/a", "ADDED one/b"]);
    assert_eq!(shorts(&drain(&mut name)), ["ADDED one/a", "ADDED two/a", "ADDED one-and-more/a"]);
    assert_eq!(shorts(&drain(&mut object)), ["ADDED one/a"]);
    assert_eq!(shorts(&drain(&mut both)), ["ADDED one/b"]);
}

pub async fn a_pod_moves_between_nodes(bed: Bed) {
    let (mut one, mut two) = (bed.watch(on_node("one")), bed.watch(on_node("two")));
    bed.mark("default/a", &[], &[("spec.nodeName", "")]).await;
    bed.mark("default/a", &[], &[("spec.nodeName", "one")]).await;
    bed.mark("default/a", &[("x", "y")], &[("spec.nodeName", "one")]).await;
    bed.mark("default/a", &[], &[("spec.nodeName", "two")]).await;
    bed.unset("default/a").await;
    assert_eq!(shorts(&drain(&mut one)), ["ADDED default/a", "MODIFIED default/a", "DELETED default/a"]);
    assert_eq!(shorts(&drain(&mut two)), ["ADDED default/a", "DELETED default/a"]);
}

/// The scheduler's watch.
pub async fn pods_without_a_node_are_found(bed: Bed) {
    let mut unassigned = bed.watch(on_node(""));
    bed.set("default/a", "").await;
    bed.mark("default/b", &[], &[("spec.nodeName", "")]).await;
    bed.mark("default/a", &[], &[("spec.nodeName", "one")]).await;
    bed.mark("default/c", &[], &[("spec.nodeName", "one")]).await;
    assert_eq!(shorts(&drain(&mut unassigned)), ["ADDED default/a", "ADDED default/b", "DELETED default/a"]);
}

pub async fn a_late_watcher_of_a_place_misses_nothing(bed: Bed) {
    let start = bed.store.revision();
    for n in 0..10 {
        bed.set(&format!("one/{n}"), "").await;
        bed.set(&format!("two/{n}"), "").await;
    }
    let middle = bed.store.revision();
    // The place becomes known late, then again from further back while somebody is there already.
    let mut first = bed.pods().watch(middle, in_namespace("one")).expect("remembered");
    bed.set("one/late", "").await;
    let mut second = bed.pods().watch(start, in_namespace("one")).expect("remembered");
    bed.set("one/later", "").await;
    bed.set("two/later", "").await;
    assert_eq!(shorts(&drain(&mut first)), ["ADDED one/late", "ADDED one/later"]);
    let mut expected: Vec<_> = (0..10).map(|n| format!("ADDED one/{n}")).collect();
    expected.extend(["ADDED one/late".to_owned(), "ADDED one/later".to_owned()]);
    assert_eq!(shorts(&drain(&mut second)), expected);
}

pub async fn sleeps_until_something_of_interest_happens(bed: Bed) {
    let mut watcher = bed.watch(in_namespace("one"));
    {
        let mut waiting = std::pin::pin!(watcher.next_batch());
        assert!(waiting.as_mut().now_or_never().is_none());
        bed.set("two/a", "").await;
        assert!(waiting.as_mut().now_or_never().is_none());
    }
    // A future that was dropped has taken nothing with it.
    bed.set("one/a", "").await;
    assert_eq!(shorts(&watcher.next_batch().await.expect("open")), ["ADDED one/a"]);
    let next = tokio::spawn(async move { watcher.next_batch().await.map(|events| shorts(&events)) });
    tokio::task::yield_now().await;
    bed.set("one/b", "").await;
    assert_eq!(next.await.expect("no panic"), Ok(vec!["ADDED one/b".to_owned()]));
}

fn short_log() -> Limits {
    Limits { log_events_max: 10, log_frames_max: 3, watch_batch_max: 4, ..Limits::default() }
}

pub async fn too_old_is_gone(bed: Bed) {
    let bed = bed.limited(short_log()).await;
    let start = bed.store.revision();
    let mut revisions = Vec::new();
    for n in 0..15 {
        revisions.push(bed.set("default/a", &n.to_string()).await.revision);
    }
    assert_eq!(bed.pods().log_len(), 10);
    let oldest = revisions[4];
    for old in [0, start, revisions[3]] {
        assert_eq!(bed.pods().watch(old, Interest::all()).err(), Some(WatchError::Gone { oldest }));
        assert_eq!(bed.pods().watch(old, in_namespace("default")).err(), Some(WatchError::Gone { oldest }));
    }
    let mut from_oldest = bed.pods().watch(oldest, Interest::all()).expect("remembered");
    let got: Vec<_> = drain(&mut from_oldest).iter().map(store::Event::revision).collect();
    assert_eq!(got, revisions[5..]);
    // A resource in which nothing happened forgets nothing.
    assert!(bed.store.resource("/registry/quiet/").watch(start, Interest::all()).is_ok());
}

pub async fn the_slow_are_closed(bed: Bed) {
    let bed = bed.limited(short_log()).await;
    let (mut all, mut one, mut two) =
        (bed.watch(Interest::all()), bed.watch(in_namespace("one")), bed.watch(in_namespace("two")));
    bed.set("one/a", "").await;
    for n in 0..10 {
        bed.set("two/a", &n.to_string()).await;
    }
    assert_eq!(all.try_batch().err(), Some(WatchError::Slow));
    assert_eq!(one.next_batch().await.err(), Some(WatchError::Slow), "the one event for it fell off");
    assert_eq!(drain(&mut two).len(), 10, "all that concerns it is still there");
    for n in 0..30 {
        bed.set("two/a", &n.to_string()).await;
        assert_eq!(drain(&mut two).len(), 1, "who keeps up is never closed");
    }
}

pub async fn bytes_bound_the_log(bed: Bed) {
    let bed = bed.limited(Limits { log_bytes_max: 100_000, ..Limits::default() }).await;
    let large = "x".repeat(10_000);
    for _ in 0..50 {
        bed.set("default/a", &large).await;
    }
    assert!((5..15).contains(&bed.pods().log_len()), "{}", bed.pods().log_len());
}

pub async fn progress_only_when_nothing_is_pending(bed: Bed) {
    let mut watcher = bed.watch(in_namespace("one"));
    let start = bed.store.revision();
    assert_eq!(watcher.progress(), Some(start));
    let elsewhere = bed.set("two/a", "").await.revision;
    assert_eq!(watcher.progress(), Some(elsewhere), "what does not concern it moves it on");
    bed.set("one/a", "").await;
    assert_eq!(watcher.progress(), None);
    drain(&mut watcher);
    assert_eq!(watcher.progress(), Some(bed.store.revision()));
    let mut all = bed.watch(Interest::all());
    bed.set("two/a", "").await;
    assert_eq!(all.progress(), None);
    drain(&mut all);
    assert_eq!(all.progress(), Some(bed.store.revision()));
}

pub async fn frames_are_rendered_once(bed: Bed) {
    let bed = bed.limited(short_log()).await;
    let (mut all, mut selected) = (bed.watch(Interest::all()), bed.watch(labelled("app", "shop")));
    let revision = bed.mark("default/a", &[("app", "shop")], &[]).await.revision;
    bed.mark("default/a", &[], &[]).await;
    let (all, selected) = (drain(&mut all), drain(&mut selected));
    let type_meta = r#""apiVersion":"v1","kind":"Pod","#;
    let frame = |event: &store::Event| event.json_frame(Form(1), type_meta);
    let expected = format!(
        "{{\"type\":\"ADDED\",\"object\":{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{{\"resourceVersion\":\"{revision}\"}},\"value\":\"\",\"labels\":{{\"app\":\"shop\"}},\"fields\":{{}}}}}}\n"
    );
    assert_eq!(frame(&all[0]), expected);
    assert_eq!(frame(&all[0]).as_ptr(), frame(&selected[0]).as_ptr(), "shared between watchers");
    assert!(frame(&all[1]).starts_with(br#"{"type":"MODIFIED""#));
    assert!(frame(&selected[1]).starts_with(br#"{"type":"DELETED""#), "one change is not the same to everybody");
    let other = all[0].frame(Form(2), |kind, entry| format!("{} {}", kind.as_str(), entry.key.name()).into());
    assert_eq!(other, "ADDED a");
    let again = all[0].frame(Form(2), |_, _| panic!("rendered twice"));
    assert_eq!(again, other);
    for _ in 0..3 {
        bed.set("default/b", "").await;
    }
    assert_eq!(all[0].frame(Form(2), |_, _| "anew".into()), "anew", "frames far behind the newest are let go");
}

pub async fn dropping_leaves_the_log(bed: Bed) {
    let watchers: Vec<_> = (0..10).map(|n| bed.watch(in_namespace(if n % 2 == 0 { "one" } else { "two" }))).collect();
    let gauge = || bed.store.cache().metrics().watchers.load(Ordering::Relaxed);
    assert_eq!(gauge(), 10);
    drop(watchers);
    assert_eq!(gauge(), 0);
    bed.set("one/a", "").await;
    let mut again = bed.watch(in_namespace("one"));
    bed.set("one/a", "").await;
    assert_eq!(shorts(&drain(&mut again)), ["MODIFIED one/a"]);
}

pub async fn ends_when_the_store_closes(bed: Bed) {
    let (mut all, mut one) = (bed.watch(Interest::all()), bed.watch(in_namespace("one")));
    let waiting = tokio::spawn(async move { one.next_batch().await.err() });
    tokio::task::yield_now().await;
    bed.set("two/a", "").await;
    bed.store.close().await.expect("closes");
    assert_eq!(waiting.await.expect("no panic"), Some(WatchError::Closed));
    assert_eq!(shorts(&all.next_batch().await.expect("what was there is still delivered")), ["ADDED two/a"]);
    assert_eq!(all.next_batch().await.err(), Some(WatchError::Closed));
}
