//! The queue of keys that a controller works off: a key waits at most once, is never worked on twice at a time, and comes
//! back later and later while it fails. Follows `k8s.io/client-go/util/workqueue`. Does not do the work (`runtime`).

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// First wait after a failure.
const BACKOFF_MS_MIN: u64 = 5;
/// Longest wait between two tries of a key that keeps failing; upstream's 1000 s.
const BACKOFF_MS_MAX: u64 = 1_000_000;

/// What happened in a queue since it was made.
#[derive(Debug, Default)]
pub struct Counters {
    /// Keys added, for `workqueue_adds_total`.
    pub adds: AtomicU64,
    /// Keys added again after a failure, for `workqueue_retries_total`.
    pub retries: AtomicU64,
    /// Keys worked off, well or not.
    pub done: AtomicU64,
    /// Keys whose work failed.
    pub errors: AtomicU64,
}

struct State<K> {
    ready: VecDeque<K>,
    /// What is in `ready`, or must go there once its work in progress is done.
    dirty: HashSet<K>,
    working: HashSet<K>,
    /// By time and order of arrival. A key may wait more than once; adding it twice does no harm.
    waiting: BTreeMap<(Instant, u64), K>,
    failures: HashMap<K, u32>,
    arrivals: u64,
    closed: bool,
}

/// A queue of keys.
pub struct Queue<K> {
    state: Mutex<State<K>>,
    changed: Notify,
    /// What happened so far.
    pub counters: Counters,
}

impl<K: Clone + Eq + Hash + Send> Default for Queue<K> {
    fn default() -> Self {
        let state = State {
            ready: VecDeque::new(),
            dirty: HashSet::new(),
            working: HashSet::new(),
            waiting: BTreeMap::new(),
            failures: HashMap::new(),
            arrivals: 0,
            closed: false,
        };
        Self { state: Mutex::new(state), changed: Notify::new(), counters: Counters::default() }
    }
}

impl<K: Clone + Eq + Hash + Send> Queue<K> {
    fn lock(&self) -> MutexGuard<'_, State<K>> {
        // Every change under the lock is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keys that are ready or waiting.
    pub fn depth(&self) -> usize {
        let state = self.lock();
        state.ready.len() + state.waiting.len()
    }

    /// Adds a key to be worked on now.
    pub fn add(&self, key: K) {
        self.counters.adds.fetch_add(1, Ordering::Relaxed);
        if self.lock().admit(key) {
            self.changed.notify_one();
        }
    }

    /// Adds a key to be worked on after a while.
    pub fn add_after(&self, key: K, after: Duration) {
        if after.is_zero() {
            return self.add(key);
        }
        let mut state = self.lock();
        state.arrivals += 1;
        let place = (Instant::now() + after, state.arrivals);
        state.waiting.insert(place, key);
        drop(state);
        self.changed.notify_one();
    }

    /// Adds a key that failed; each failure in a row doubles the wait.
    pub fn retry(&self, key: K) {
        self.counters.retries.fetch_add(1, Ordering::Relaxed);
        let failures = {
            let mut state = self.lock();
            let failures = state.failures.entry(key.clone()).or_default();
            *failures = failures.saturating_add(1);
            *failures
        };
        let doublings = (failures - 1).min(30);
        let wait_ms = (BACKOFF_MS_MIN << doublings).min(BACKOFF_MS_MAX);
        self.add_after(key, Duration::from_millis(wait_ms));
    }

    /// Forgets that a key ever failed.
    pub fn forget(&self, key: &K) {
        self.lock().failures.remove(key);
    }

    /// Waits for a key to work on; `None` once the queue is closed. [`Queue::done`] must follow.
    pub async fn next(&self) -> Option<K> {
        loop {
            let changed = self.changed.notified();
            let due = {
                let mut state = self.lock();
                if state.closed {
                    // Whoever is on their way to sleep must hear of it too.
                    self.changed.notify_one();
                    return None;
                }
                state.ripen(Instant::now());
                if let Some(key) = state.ready.pop_front() {
                    state.dirty.remove(&key);
                    state.working.insert(key.clone());
                    if !state.ready.is_empty() || !state.waiting.is_empty() {
                        // Another worker takes the next one, or minds the clock.
                        self.changed.notify_one();
                    }
                    return Some(key);
                }
                state.waiting.first_key_value().map(|((due, _), _)| *due)
            };
            match due {
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, changed).await;
                }
                None => changed.await,
            }
        }
    }

    /// Says that the work on a key is over; if it was added meanwhile, it is ready again.
    pub fn done(&self, key: &K) {
        self.counters.done.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        state.working.remove(key);
        if state.dirty.contains(key) {
            state.ready.push_back(key.clone());
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Ends every [`Queue::next`].
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
        self.changed.notify_one();
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    /// Whether the key became ready.
    fn admit(&mut self, key: K) -> bool {
        if !self.dirty.insert(key.clone()) || self.working.contains(&key) {
            return false;
        }
        self.ready.push_back(key);
        true
    }

    fn ripen(&mut self, now: Instant) {
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let key = entry.remove();
            self.admit(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_waits_once_and_runs_alone() {
        let queue = Queue::default();
        queue.add("a");
        queue.add("a");
        queue.add("b");
        assert_eq!(queue.next().await, Some("a"));
        queue.add("a");
        assert_eq!(queue.next().await, Some("b"), "a is being worked on");
        queue.done(&"a");
        assert_eq!(queue.next().await, Some("a"));
        assert_eq!(queue.depth(), 0);
    }

    #[tokio::test]
    async fn failures_wait_and_success_forgets() {
        let queue = Queue::default();
        for failures in 1..=3 {
            queue.retry("a");
            assert_eq!(queue.lock().failures[&"a"], failures);
            assert_eq!(queue.next().await, Some("a"));
            queue.done(&"a");
        }
        queue.forget(&"a");
        assert!(queue.lock().failures.is_empty());
    }

    #[tokio::test]
    async fn closing_ends_the_wait() {
        let queue = std::sync::Arc::new(Queue::<&str>::default());
        queue.add_after("later", Duration::from_secs(3600));
        let waiter = tokio::spawn({
            let queue = queue.clone();
            async move { queue.next().await }
        });
        tokio::task::yield_now().await;
        queue.close();
        assert_eq!(waiter.await.unwrap(), None);
    }
}
