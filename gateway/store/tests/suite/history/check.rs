//! Whether a history is linearizable. Every write that happened has a revision of its own, so the order is known, and what is left
//! is to see that it explains every answer and contradicts no clock. Runs nothing.

use std::collections::{BTreeMap, HashMap};

use store::{Expect, Kind, Snapshot};

use super::informer::Seen;
use crate::bed::body;

/// A write and what it was told.
#[derive(Clone, Debug)]
pub struct Write {
    pub key: String,
    pub expect: Expect,
    /// What was put; nothing for a deletion.
    pub value: Option<String>,
    pub began: u64,
    pub ended: u64,
    pub outcome: Outcome,
}

/// What a write was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done(u64),
    /// The revision that was there instead.
    Conflict(Option<u64>),
    Unknown,
}

/// A read of one object.
#[derive(Debug)]
pub struct Read {
    pub key: String,
    pub found: Option<u64>,
    pub began: u64,
    pub ended: u64,
}

/// A list of all.
#[derive(Debug)]
pub struct Listed {
    pub revision: u64,
    pub held: BTreeMap<String, u64>,
    pub began: u64,
    pub ended: u64,
}

/// All that happened from a revision on.
pub struct History {
    start: u64,
    pub writes: Vec<Write>,
    pub reads: Vec<Read>,
    pub lists: Vec<Listed>,
    pub informers: Vec<Seen>,
}

/// One write in the order: its revision, and when it was under way.
#[derive(Clone, Debug)]
struct Step {
    revision: u64,
    began: u64,
    ended: u64,
    write: Write,
}

impl History {
    pub fn new(start: u64) -> Self {
        Self { start, writes: Vec::new(), reads: Vec::new(), lists: Vec::new(), informers: Vec::new() }
    }

    /// Panics with what does not fit.
    pub fn check(&self, end: &Snapshot) {
        let steps = self.steps(end);
        assert!(steps.len() > 20, "{} writes happened", steps.len());
        contradicts_no_clock(&steps);
        let versions = self.replay(&steps);
        for write in &self.writes {
            if let Outcome::Conflict(found) = write.outcome {
                assert!(!holds(write, found), "{write:?} met what it expected");
                explains(&versions, &write.key, found, (write.began, write.ended));
            }
        }
        for read in &self.reads {
            explains(&versions, &read.key, read.found, (read.began, read.ended));
        }
        self.lists.iter().for_each(|list| explains_list(&steps, list));
        self.informers.iter().for_each(|seen| explains_events(&steps, seen));
    }

    /// Every write that happened, in order. One whose outcome nobody could tell happened if somebody saw its value.
    fn steps(&self, end: &Snapshot) -> Vec<Step> {
        let mut seen: HashMap<String, u64> = HashMap::new();
        let informed = self.informers.iter().flat_map(|seen| &seen.events);
        let bodies = informed.filter(|event| event.1 != Kind::Deleted).map(|(revision, _, _, body)| (*revision, body.clone()));
        for (revision, body) in bodies.chain(end.iter().map(|entry| (entry.revision, entry.body.clone()))) {
            seen.insert(String::from_utf8_lossy(&body).rsplit('"').nth(1).unwrap_or_default().to_owned(), revision);
        }
        let step = |write: &Write| {
            let (revision, ended) = match (write.outcome, &write.value) {
                (Outcome::Done(revision), _) => (revision, write.ended),
                (Outcome::Unknown, Some(value)) => (*seen.get(value)?, u64::MAX),
                _ => return None,
            };
            Some(Step { revision, began: write.began, ended, write: write.clone() })
        };
        let mut steps: Vec<_> = self.writes.iter().filter_map(step).collect();
        steps.extend(self.deletions_nobody_was_told_of(&steps));
        steps.sort_by_key(|step| step.revision);
        assert!(steps.windows(2).all(|two| two[0].revision < two[1].revision), "two writes have one revision");
        assert!(steps.iter().all(|step| step.revision > self.start));
        steps
    }

    /// A deletion of unknown outcome that somebody saw happen.
    fn deletions_nobody_was_told_of(&self, steps: &[Step]) -> Vec<Step> {
        let mut found: BTreeMap<u64, Step> = BTreeMap::new();
        for (revision, kind, key, _) in self.informers.iter().flat_map(|seen| &seen.events) {
            if *kind != Kind::Deleted || steps.iter().any(|step| step.revision == *revision) {
                continue;
            }
            let unknown = |write: &&Write| write.outcome == Outcome::Unknown && write.value.is_none() && write.key == *key;
            let write = self.writes.iter().find(unknown).unwrap_or_else(|| panic!("nobody deleted {key} at {revision}"));
            let write = Write { expect: Expect::Any, ..write.clone() };
            found.insert(*revision, Step { revision: *revision, began: 0, ended: u64::MAX, write });
        }
        found.into_values().collect()
    }

    /// The versions of each key, checking that each write met what it expected.
    fn replay<'s>(&self, steps: &'s [Step]) -> HashMap<&'s str, Vec<&'s Step>> {
        let mut versions: HashMap<&str, Vec<&Step>> = HashMap::new();
        for step in steps {
            let of = versions.entry(&step.write.key).or_default();
            let before = of.last().filter(|last| last.write.value.is_some()).map(|last| last.revision);
            assert!(holds(&step.write, before), "{:?} happened over {before:?}", step.write);
            of.push(step);
        }
        versions
    }
}

/// Whether a write's condition holds over a revision.
fn holds(write: &Write, found: Option<u64>) -> bool {
    match write.expect {
        Expect::Absent => found.is_none(),
        Expect::Revision(revision) => found == Some(revision),
        Expect::Any => found.is_some() || write.value.is_some(),
    }
}

/// No write comes before one that had ended when it began.
fn contradicts_no_clock(steps: &[Step]) {
    let mut ended_first = u64::MAX;
    for step in steps.iter().rev() {
        assert!(step.began < ended_first, "a later revision had been answered before {:?} began", step.write);
        ended_first = ended_first.min(step.ended);
    }
}

/// Whether a key had a version (none: was absent) at some moment of an interval.
fn explains(versions: &HashMap<&str, Vec<&Step>>, key: &str, found: Option<u64>, (began, ended): (u64, u64)) {
    let of = versions.get(key).map_or(&[][..], Vec::as_slice);
    // Before the first version the key is absent.
    let fits = |at: usize| {
        let current = at.checked_sub(1).map(|at| of[at]);
        let holds = current.filter(|step| step.write.value.is_some()).map(|step| step.revision);
        holds == found && current.is_none_or(|step| step.began < ended) && of.get(at).is_none_or(|next| next.ended > began)
    };
    assert!((0..=of.len()).any(fits), "{key} was {found:?} between {began} and {ended}: {of:#?}");
}

/// A list is the state at its revision, which is neither older than what had ended nor newer than what had begun.
fn explains_list(steps: &[Step], list: &Listed) {
    let mut held = BTreeMap::new();
    for step in steps.iter().filter(|step| step.revision <= list.revision) {
        assert!(step.began < list.ended, "{list:?} tells the future {step:?}");
        match step.write.value {
            Some(_) => held.insert(step.write.key.clone(), step.revision),
            None => held.remove(&step.write.key),
        };
    }
    assert_eq!(held, list.held, "the list of {}", list.revision);
    let missed = steps.iter().find(|step| step.revision > list.revision && step.ended < list.began);
    assert!(missed.is_none(), "{list:?} is older than {missed:?}");
}

/// What an informer saw is what happened; all of it, unless it had to list anew.
fn explains_events(steps: &[Step], seen: &Seen) {
    let mut steps = steps.iter().filter(|step| step.revision > seen.from).peekable();
    for (revision, kind, key, told) in &seen.events {
        while seen.relisted && steps.next_if(|step| step.revision < *revision).is_some() {}
        let step = steps.next().unwrap_or_else(|| panic!("event {revision} of {key} is no write"));
        assert_eq!((step.revision, &step.write.key), (*revision, key), "an event was lost or came twice");
        assert_eq!(*kind == Kind::Deleted, step.write.value.is_none());
        if let Some(value) = &step.write.value {
            assert_eq!(*told, body(value, *revision));
        }
    }
    assert!(seen.relisted || steps.next().is_none(), "an event was lost at the end");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(value: &str, (began, ended): (u64, u64), revision: u64) -> Step {
        let outcome = Outcome::Done(revision);
        let write = Write { key: "k".into(), expect: Expect::Any, value: Some(value.into()), began, ended, outcome };
        Step { revision, began, ended, write }
    }

    fn versions(steps: &[Step]) -> HashMap<&str, Vec<&Step>> {
        HashMap::from([("k", steps.iter().collect())])
    }

    #[test]
    fn a_read_may_tell_either_side_of_a_write_that_is_under_way() {
        let steps = [write("one", (0, 1), 5), write("two", (4, 8), 6)];
        for (found, at) in [(Some(5), (2, 3)), (Some(5), (5, 6)), (Some(6), (5, 6)), (Some(6), (9, 10))] {
            explains(&versions(&steps), "k", found, at);
        }
    }

    #[test]
    #[should_panic(expected = "k was Some(5) between 9 and 10")]
    fn a_stale_read_is_met() {
        explains(&versions(&[write("one", (0, 1), 5), write("two", (4, 8), 6)]), "k", Some(5), (9, 10));
    }

    #[test]
    #[should_panic(expected = "a later revision had been answered")]
    fn an_order_that_no_clock_allows_is_met() {
        contradicts_no_clock(&[write("one", (6, 7), 5), write("two", (0, 1), 6)]);
    }

    #[test]
    #[should_panic(expected = "an event was lost or came twice")]
    fn a_lost_event_is_met() {
        let steps = [write("one", (0, 1), 5), write("two", (2, 3), 6)];
        let seen = Seen { from: 4, events: vec![(6, Kind::Added, "k".into(), body("two", 6))], relisted: false };
        explains_events(&steps, &seen);
    }

    #[test]
    #[should_panic(expected = "the list of 6")]
    fn a_list_that_is_no_state_is_met() {
        let steps = [write("one", (0, 1), 5), write("two", (2, 3), 6)];
        explains_list(&steps, &Listed { revision: 6, held: BTreeMap::from([("k".into(), 5)]), began: 4, ended: 5 });
    }
}
