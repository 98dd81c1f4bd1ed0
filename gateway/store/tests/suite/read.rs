//! Snapshots, ranges, pages and pins.

use store::{Entry, Expect, Key, Limits, Snapshot};

use crate::bed::{Bed, PODS, body, draft, pod};

fn names<'a>(entries: impl IntoIterator<Item = &'a std::sync::Arc<Entry>>) -> Vec<&'a str> {
    entries.into_iter().map(|entry| entry.key.rest()).collect()
}

pub async fn in_order_of_full_key_bytes(bed: Bed) {
    // '-' and '.' sort before '/', so namespaces interleave with nothing but full keys: `a-b/x` comes before `a/x`.
    for name in ["a/x", "a-b/x", "a/B", "a/b", "a.b/x", "b/a", "a/b-1", "a/b.1"] {
        bed.set(name, "").await;
    }
    bed.put(&Key::new("/registry/pods.x/", "a/x"), Expect::Absent, draft("")).await.expect("another resource");
    let snapshot = bed.pods().snapshot();
    assert_eq!(names(snapshot.iter()), ["a-b/x", "a.b/x", "a/B", "a/b", "a/b-1", "a/b.1", "a/x", "b/a"]);
    let namespace = format!("{PODS}a/");
    assert_eq!(names(snapshot.range("", &namespace)), ["a/B", "a/b", "a/b-1", "a/b.1", "a/x"]);
    assert_eq!(names(snapshot.range(&pod("a/b"), &namespace)), ["a/b", "a/b-1", "a/b.1", "a/x"]);
    assert_eq!(names(snapshot.range(&pod("a/bb"), &namespace)), ["a/x"]);
    assert_eq!(names(snapshot.range(&pod("z"), &namespace)), [""; 0]);
}

pub async fn a_snapshot_stays_as_it_was(bed: Bed) {
    let first = bed.set("default/a", "one").await;
    bed.set("default/b", "one").await;
    let then = bed.pods().snapshot();
    bed.set("default/a", "two").await;
    bed.unset("default/b").await;
    bed.set("default/c", "one").await;
    assert_eq!(names(then.iter()), ["default/a", "default/b"]);
    assert_eq!(then.get(&pod("default/a")).expect("there then").body, body("one", first.revision));
    assert_eq!(names(bed.pods().snapshot().iter()), ["default/a", "default/c"]);
    assert!(then.revision() < bed.pods().snapshot().revision());
}

pub async fn pages_join_to_the_whole(bed: Bed) {
    for n in 0..25 {
        bed.set(&format!("default/{n:02}"), "").await;
        bed.set(&format!("other/{n:02}"), "").await;
    }
    let (snapshot, under) = (bed.pods().snapshot(), format!("{PODS}default/"));
    let (mut after, mut all) = (None::<Key>, Vec::new());
    loop {
        let page = snapshot.page(after.as_deref(), &under, 4);
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        all.extend(page);
    }
    assert_eq!(names(&all), names(snapshot.range("", &under)));
    assert_eq!(all.len(), 25);
}

pub async fn pinned_for_the_next_page(bed: Bed) {
    let bed = bed.limited(Limits { pin_bytes_max: 10_000, log_events_max: 8, ..Limits::default() }).await;
    bed.set("default/a", "one").await;
    let (pods, then) = (bed.pods(), bed.pods().snapshot());
    pods.pin(&then);
    bed.set("default/a", "two").await;
    let pinned = pods.snapshot_at(then.revision()).expect("pinned");
    assert_eq!(
        pinned.get(&pod("default/a")).map(|entry| entry.revision),
        then.get(&pod("default/a")).map(|entry| entry.revision)
    );
    assert!(pods.snapshot_at(pods.snapshot().revision() + 1).is_none(), "the future");
    for _ in 0..100 {
        bed.set("default/a", "what each write replaces is charged to the pin").await;
    }
    assert!(pods.snapshot_at(then.revision()).is_none(), "too dear");
    assert_eq!(pods.pins(), 0);
}

pub async fn what_the_log_remembers_needs_no_pin(bed: Bed) {
    let bed = bed.limited(Limits { log_events_max: 5, ..Limits::default() }).await;
    let mut past = vec![bed.pods().snapshot()];
    for (name, text) in
        [("a", Some("one")), ("b", Some("one")), ("a", Some("two")), ("b", None), ("c", Some("one")), ("b", Some("two"))]
    {
        match text {
            Some(text) => bed.set(&format!("default/{name}"), text).await.revision,
            None => bed.unset(&format!("default/{name}")).await.revision,
        };
        past.push(bed.pods().snapshot());
    }
    let seen = |snapshot: &Snapshot| snapshot.iter().map(|entry| (entry.key.clone(), entry.revision)).collect::<Vec<_>>();
    for then in &past[1..] {
        let again = bed.pods().snapshot_at(then.revision()).expect("in the log");
        assert_eq!((again.revision(), seen(&again)), (then.revision(), seen(then)));
    }
    assert!(bed.pods().snapshot_at(past[0].revision()).is_none(), "before the log");
    assert_eq!(bed.pods().pins(), 0);
}

pub async fn what_has_not_changed_needs_no_pin(bed: Bed) {
    bed.set("default/a", "one").await;
    let then = bed.pods().snapshot().revision();
    let later =
        bed.put(&Key::new("/registry/configmaps/", "default/a"), Expect::Absent, draft("")).await.expect("absent").revision;
    assert_eq!(bed.pods().snapshot().revision(), later, "a list answers the newest revision, not that of its last change");
    assert_eq!(bed.pods().snapshot_at(then).expect("unchanged since").revision(), then);
}
