//! Snapshots that continue tokens refer to, kept for a while. Does not make tokens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::Revision;

use crate::snapshot::State;
use crate::{Limits, Snapshot};

/// The pinned snapshots of one resource.
///
/// What a pin keeps alive is what was replaced or deleted since it was made, so its cost is the difference of one
/// counter. Younger pins keep a part of what the oldest keeps: bounding each bounds all.
#[derive(Default)]
pub(crate) struct Pins {
    pins: BTreeMap<Revision, Pin>,
    /// Bytes replaced or deleted in this resource since the start.
    replaced_bytes: u64,
}

struct Pin {
    state: Arc<State>,
    since: Instant,
    replaced_bytes_then: u64,
}

impl Pins {
    pub(crate) fn insert(&mut self, snapshot: &Snapshot, now: Instant, limits: &Limits) {
        let replaced_bytes_then = self.replaced_bytes;
        let pin = Pin { state: snapshot.state().clone(), since: now, replaced_bytes_then };
        self.pins.entry(snapshot.revision()).and_modify(|pin| pin.since = now).or_insert(pin);
        self.trim(now, limits);
    }

    pub(crate) fn get(&mut self, revision: Revision, now: Instant, limits: &Limits) -> Option<Snapshot> {
        self.trim(now, limits);
        let pin = self.pins.get(&revision)?;
        Some(Snapshot::new(revision, pin.state.clone()))
    }

    /// Counts what a commit replaced, and lets go of pins that have become too dear.
    pub(crate) fn replaced(&mut self, bytes: usize, now: Instant, limits: &Limits) {
        self.replaced_bytes += bytes as u64;
        if !self.pins.is_empty() {
            self.trim(now, limits);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.pins.len()
    }

    fn trim(&mut self, now: Instant, limits: &Limits) {
        let (kept, replaced) = (Duration::from_secs(limits.pin_s_max), self.replaced_bytes);
        self.pins.retain(|_, pin| {
            now.saturating_duration_since(pin.since) <= kept && replaced - pin.replaced_bytes_then <= limits.pin_bytes_max as u64
        });
        while self.pins.len() > limits.pins_max {
            self.pins.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(revision: Revision) -> Snapshot {
        Snapshot::new(revision, Arc::default())
    }

    #[test]
    fn kept_for_a_time() {
        let (mut pins, limits, start) = (Pins::default(), Limits { pin_s_max: 10, ..Limits::default() }, Instant::now());
        pins.insert(&snapshot(5), start, &limits);
        assert!(pins.get(5, start + Duration::from_secs(10), &limits).is_some());
        assert!(pins.get(4, start, &limits).is_none());
        assert!(pins.get(5, start + Duration::from_secs(11), &limits).is_none());
    }

    #[test]
    fn let_go_when_too_dear() {
        let (mut pins, limits, now) = (Pins::default(), Limits { pin_bytes_max: 100, ..Limits::default() }, Instant::now());
        pins.insert(&snapshot(5), now, &limits);
        pins.replaced(60, now, &limits);
        pins.insert(&snapshot(6), now, &limits);
        pins.replaced(60, now, &limits);
        assert!(pins.get(5, now, &limits).is_none(), "120 bytes replaced since");
        assert!(pins.get(6, now, &limits).is_some(), "60 bytes replaced since");
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let (mut pins, limits, now) = (Pins::default(), Limits { pins_max: 2, ..Limits::default() }, Instant::now());
        for revision in [5, 6, 7] {
            pins.insert(&snapshot(revision), now, &limits);
        }
        assert!(pins.get(5, now, &limits).is_none());
        assert!(pins.get(6, now, &limits).is_some() && pins.get(7, now, &limits).is_some());
    }
}
