//! The bounded log of a resource's changes and who waits for which of them.
//! Does not decide what a change means to a watcher (`change`, `watch`).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::Revision;
use tokio::sync::Notify;

use crate::Limits;
use crate::change::Change;
use crate::watch::WatchError;

/// The selectable field by which kubelets watch their pods.
pub(crate) const NODE_NAME: &str = "spec.nodeName";

/// By what a watcher is found when something changes; the narrowest that its interest allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Index {
    /// `namespace/name`, or the name of an object in no namespace.
    Object,
    /// The value of `spec.nodeName`.
    Node,
    /// `metadata.name`, in any namespace.
    Name,
    /// The namespace.
    Namespace,
}

const INDEXES: usize = 4;

/// How exactly the age of a revision is known.
const MARK_EVERY: Duration = Duration::from_secs(5);

/// A watcher's place: `None` for those who watch the whole resource.
pub(crate) type Place = Option<(Index, Box<str>)>;

/// Those to wake, shared so that waking happens outside the log's lock.
pub(crate) type Waiting = Arc<Vec<(u64, Arc<Notify>)>>;

/// Changes in order, each with a sequence number that is its position since the start; watchers are cursors of such
/// numbers.
pub(crate) struct Log {
    changes: VecDeque<Arc<Change>>,
    first_seq: u64,
    /// The log is complete for revisions above this one.
    oldest: Revision,
    cost_bytes: usize,
    /// When it was at which revision, once in a while: how old what was before that is.
    marks: VecDeque<(Instant, Revision)>,
    everyone: Group,
    groups: [HashMap<Box<str>, Group>; INDEXES],
    watcher_id: u64,
    batch: u64,
    closed: bool,
}

/// Watchers of one place, and the changes that concern it. Exists while somebody watches.
#[derive(Default)]
struct Group {
    /// Sequence numbers of the changes that concern this place, from `covers_from` on. Unused by `everyone`.
    seqs: VecDeque<u64>,
    covers_from: u64,
    /// Changes below this number that concern the place have fallen off the log.
    lost_below: u64,
    waiting: Waiting,
    woken_in_batch: u64,
}

impl Log {
    pub(crate) fn new(oldest: Revision) -> Self {
        Self {
            changes: VecDeque::new(),
            first_seq: 0,
            oldest,
            cost_bytes: 0,
            marks: VecDeque::new(),
            everyone: Group::default(),
            groups: Default::default(),
            watcher_id: 0,
            batch: 0,
            closed: false,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    /// Appends the changes of one commit; gives whom to wake, each once.
    pub(crate) fn append(&mut self, changes: &[Arc<Change>], limits: &Limits) -> Vec<Waiting> {
        self.batch += 1;
        let mut wake = Vec::new();
        self.everyone.wake(self.batch, &mut wake);
        for change in changes {
            let seq = self.next_seq();
            for (index, value) in places(change) {
                if let Some(group) = self.groups[index as usize].get_mut(value) {
                    if group.seqs.back() != Some(&seq) {
                        group.seqs.push_back(seq);
                    }
                    group.wake(self.batch, &mut wake);
                }
            }
            self.cost_bytes += change.cost_bytes();
            self.changes.push_back(change.clone());
            if let Some(old) = self.changes.len().checked_sub(limits.log_frames_max + 1) {
                self.changes[old].forget_frames();
            }
            self.trim(limits);
        }
        self.mark(Instant::now(), limits);
        wake
    }

    /// Notes how far the log is, and forgets marks that tell nothing that a younger one does not.
    fn mark(&mut self, now: Instant, limits: &Limits) {
        if self.marks.back().is_some_and(|(at, _)| now.saturating_duration_since(*at) < MARK_EVERY) {
            return;
        }
        let Some(last) = self.changes.back() else { return };
        self.marks.push_back((now, last.revision));
        while self.marks.get(1).is_some_and(|mark| is_past(mark, now, limits)) {
            self.marks.pop_front();
        }
    }

    /// What changed after a revision, the newest first; nothing when that is not remembered, or was not the truth for so long
    /// that a pin of it would have been let go.
    pub(crate) fn since(&self, revision: Revision, now: Instant, limits: &Limits) -> Option<Vec<Arc<Change>>> {
        let gone = self.marks.iter().rev().find(|mark| is_past(mark, now, limits)).map_or(0, |(_, revision)| *revision);
        if revision < self.oldest || revision < gone {
            return None;
        }
        let first = self.changes.partition_point(|change| change.revision <= revision);
        Some(self.changes.range(first..).rev().cloned().collect())
    }

    fn trim(&mut self, limits: &Limits) {
        while self.changes.len() > limits.log_events_max || self.cost_bytes > limits.log_bytes_max {
            let Some(change) = self.changes.pop_front() else { return };
            self.cost_bytes -= change.cost_bytes();
            self.oldest = change.revision;
            self.first_seq += 1;
            for (index, value) in places(&change) {
                if let Some(group) = self.groups[index as usize].get_mut(value) {
                    group.lose(self.first_seq);
                }
            }
        }
    }

    /// Adds a watcher that has seen everything up to `from`; gives its number and its cursor.
    pub(crate) fn subscribe(&mut self, place: &Place, from: Revision, signal: Arc<Notify>) -> Result<(u64, u64), WatchError> {
        if from < self.oldest {
            return Err(WatchError::Gone { oldest: self.oldest });
        }
        let next = self.first_seq + self.changes.partition_point(|change| change.revision <= from) as u64;
        self.watcher_id += 1;
        let (first_seq, end) = (self.first_seq, self.next_seq());
        let group = match place {
            None => &mut self.everyone,
            Some((index, value)) => {
                let fresh = || Group { covers_from: end, ..Group::default() };
                let group = self.groups[*index as usize].entry(value.clone()).or_insert_with(fresh);
                for seq in (next..group.covers_from).rev() {
                    let change = &self.changes[(seq - first_seq) as usize];
                    if places(change).any(|p| p == (*index, &**value)) {
                        group.seqs.push_front(seq);
                    }
                }
                group.covers_from = group.covers_from.min(next);
                group
            }
        };
        Arc::make_mut(&mut group.waiting).push((self.watcher_id, signal));
        Ok((self.watcher_id, next))
    }

    /// Removes a watcher.
    pub(crate) fn unsubscribe(&mut self, place: &Place, id: u64) {
        let Some((index, value)) = place else {
            self.everyone.leave(id);
            return;
        };
        let groups = &mut self.groups[*index as usize];
        if groups.get_mut(value).is_some_and(|group| group.leave(id)) {
            groups.remove(value);
        }
    }

    /// The next changes for a cursor, and where it stands then.
    pub(crate) fn read(&self, place: &Place, next: u64, max: usize) -> Result<(Vec<Arc<Change>>, u64), WatchError> {
        let at = |seq: u64| self.changes[(seq - self.first_seq) as usize].clone();
        let (changes, next) = match place {
            None if next < self.first_seq => return Err(WatchError::Slow),
            None => {
                let end = self.next_seq().min(next + max as u64);
                ((next..end).map(at).collect::<Vec<_>>(), end)
            }
            Some((index, value)) => {
                // The group lives as long as one of its watchers, and the caller is one.
                let Some(group) = self.groups[*index as usize].get(value) else { return Err(WatchError::Closed) };
                if next < group.lost_below {
                    return Err(WatchError::Slow);
                }
                let start = group.seqs.partition_point(|seq| *seq < next);
                let seqs = group.seqs.range(start..group.seqs.len().min(start + max));
                let end = seqs.clone().next_back().map_or(next, |last| last + 1);
                (seqs.map(|seq| at(*seq)).collect(), end)
            }
        };
        if changes.is_empty() && self.closed { Err(WatchError::Closed) } else { Ok((changes, next)) }
    }

    /// Whether a cursor has seen everything there is.
    pub(crate) fn is_drained(&self, place: &Place, next: u64) -> bool {
        match place {
            None => next == self.next_seq(),
            Some((index, value)) => {
                let last = self.groups[*index as usize].get(value).and_then(|group| group.seqs.back());
                last.is_none_or(|last| *last < next)
            }
        }
    }

    /// Forgets everything up to a revision: what led there is not known, and every watcher that there is must begin anew. Gives
    /// whom to wake.
    pub(crate) fn restart(&mut self, oldest: Revision) -> Vec<Waiting> {
        // One beyond every cursor.
        self.first_seq = self.next_seq() + 1;
        self.changes.clear();
        self.marks.clear();
        self.cost_bytes = 0;
        self.oldest = oldest;
        for group in self.groups.iter_mut().flat_map(|groups| groups.values_mut()) {
            group.seqs.clear();
            group.lost_below = self.first_seq;
            group.covers_from = self.first_seq;
        }
        self.everyone_waiting()
    }

    fn everyone_waiting(&self) -> Vec<Waiting> {
        let groups = self.groups.iter().flat_map(|groups| groups.values());
        groups.chain([&self.everyone]).map(|group| group.waiting.clone()).collect()
    }

    /// Ends every watch once it has read what there is; gives whom to wake.
    pub(crate) fn close(&mut self) -> Vec<Waiting> {
        self.closed = true;
        self.everyone_waiting()
    }

    fn next_seq(&self) -> u64 {
        self.first_seq + self.changes.len() as u64
    }
}

impl Group {
    fn wake(&mut self, batch: u64, wake: &mut Vec<Waiting>) {
        if self.woken_in_batch != batch && !self.waiting.is_empty() {
            self.woken_in_batch = batch;
            wake.push(self.waiting.clone());
        }
    }

    /// Forgets what lies below the log's new beginning.
    fn lose(&mut self, first_seq: u64) {
        while self.seqs.front().is_some_and(|seq| *seq < first_seq) {
            self.seqs.pop_front();
            self.lost_below = first_seq;
        }
        self.covers_from = self.covers_from.max(first_seq);
    }

    /// Removes a watcher; says whether nobody is left.
    fn leave(&mut self, id: u64) -> bool {
        let waiting = Arc::make_mut(&mut self.waiting);
        if let Some(at) = waiting.iter().position(|(i, _)| *i == id) {
            waiting.swap_remove(at);
        }
        waiting.is_empty()
    }
}

/// Whether what was replaced at a mark is longer gone than pins are kept.
fn is_past((at, _): &(Instant, Revision), now: Instant, limits: &Limits) -> bool {
    now.saturating_duration_since(*at) > Duration::from_secs(limits.pin_s_max)
}

/// Every place a change concerns. A pod that moves between nodes concerns both; the same place may come twice.
fn places(change: &Change) -> impl Iterator<Item = (Index, &str)> {
    let nodes = change.sides().filter_map(|entry| entry.header.fields.get(NODE_NAME)).map(|node| (Index::Node, node));
    let namespace = change.key.namespace().map(|namespace| (Index::Namespace, namespace));
    [(Index::Object, change.key.rest()), (Index::Name, change.key.name())].into_iter().chain(namespace).chain(nodes)
}
