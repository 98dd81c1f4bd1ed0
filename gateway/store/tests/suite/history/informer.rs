//! What an informer does: lists, follows, resumes from what it saw last, lists anew when it must. It checks as it goes that events
//! come in order, once, with the right state before them, and that no bookmark promised too much.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use store::fault::Dice;
use store::{Event, Interest, Kind, WatchError};

use super::Ground;
use crate::bed::{PODS, body};

/// How long it waits for events before it looks at its bookmark; nothing is concluded from it.
const PATIENCE: Duration = Duration::from_millis(2);

/// What it saw: each event, and whether it is all that there was since the first list.
#[derive(Debug, Default)]
pub struct Seen {
    pub from: u64,
    pub events: Vec<(u64, Kind, String, bytes::Bytes)>,
    pub relisted: bool,
}

/// What it holds, and up to where.
struct Informer {
    held: BTreeMap<String, u64>,
    last: u64,
    seen: Seen,
}

/// Until everything was written and seen.
pub async fn run(ground: Ground, mut dice: Dice) -> Seen {
    let pods = ground.store.resource(PODS);
    let mut informer = Informer { held: BTreeMap::new(), last: 0, seen: Seen::default() };
    informer.list(&ground);
    informer.seen.from = informer.last;
    loop {
        let mut watcher = match pods.watch(informer.last, Interest::all()) {
            Ok(watcher) => watcher,
            Err(WatchError::Gone { .. }) => {
                informer.list(&ground);
                informer.seen.relisted = true;
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        // Some of them go away by themselves and come back.
        for _ in 0..=dice.roll(30) {
            match tokio::time::timeout(PATIENCE, watcher.next_batch()).await {
                Ok(Ok(events)) => events.iter().for_each(|event| informer.take(event)),
                Ok(Err(WatchError::Slow)) => break,
                Ok(Err(error)) => panic!("{error}"),
                Err(_) => {}
            }
            if let Some(bookmark) = watcher.progress() {
                assert!(bookmark >= informer.last, "a bookmark goes back from {} to {bookmark}", informer.last);
                informer.last = bookmark;
            }
        }
        if ground.ended.load(Ordering::SeqCst) && informer.last >= pods.revision() {
            let present: BTreeMap<_, _> = pods.snapshot().iter().map(|e| (e.key.to_string(), e.revision)).collect();
            assert_eq!(informer.held, present, "an informer and the store hold the same");
            return informer.seen;
        }
    }
}

impl Informer {
    fn list(&mut self, ground: &Ground) {
        let snapshot = ground.store.resource(PODS).snapshot();
        assert!(snapshot.revision() >= self.last, "a list goes back from {} to {}", self.last, snapshot.revision());
        self.held = snapshot.iter().map(|entry| (entry.key.to_string(), entry.revision)).collect();
        self.last = snapshot.revision();
    }

    fn take(&mut self, event: &Event) {
        let (key, revision) = (event.entry.key.to_string(), event.revision());
        assert!(revision > self.last, "event {revision} comes after {} was promised", self.last);
        self.last = revision;
        let before = match event.kind {
            Kind::Deleted => self.held.remove(&key),
            _ => self.held.insert(key.clone(), revision),
        };
        assert_eq!(before, event.previous().map(|entry| entry.revision), "the state before {key} at {revision}");
        assert_eq!(event.kind == Kind::Added, before.is_none(), "{:?} of {key} at {revision}", event.kind);
        // Of a deletion the last body comes under the new revision.
        if let Some(previous) = event.previous().filter(|_| event.kind == Kind::Deleted) {
            let text = String::from_utf8_lossy(&previous.body).into_owned();
            let value = text.rsplit('"').nth(1).unwrap_or_default().to_owned();
            assert_eq!(event.entry.body, body(&value, revision));
        }
        self.seen.events.push((revision, event.kind, key, event.entry.body.clone()));
    }
}
