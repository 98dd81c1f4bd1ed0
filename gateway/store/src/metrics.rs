//! What the store counts. Does not know how it is exported (`server`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the commit duration's buckets in microseconds; one more bucket holds the rest.
pub const COMMIT_BUCKETS_US: [u64; 12] = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 2_500_000];

/// Counters of one store. All but `watchers` only rise.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Commits made durable.
    pub commits: AtomicU64,
    /// Transactions answered with success.
    pub transactions: AtomicU64,
    /// Transactions refused: a condition did not hold, or they could not be stored.
    pub conflicts: AtomicU64,
    /// Objects written or deleted; divided by `commits` this is the size of a group commit.
    pub records: AtomicU64,
    /// Microseconds spent in making commits durable, fsync included.
    pub commit_us: AtomicU64,
    /// Commits by duration: see [`COMMIT_BUCKETS_US`]; not cumulative.
    pub commit_buckets: [AtomicU64; COMMIT_BUCKETS_US.len() + 1],
    /// Objects that expired.
    pub expired: AtomicU64,
    /// Events appended to logs.
    pub events: AtomicU64,
    /// Watchers there are now.
    pub watchers: AtomicU64,
}

impl Metrics {
    pub(crate) fn committed(&self, records: usize, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.records.fetch_add(records as u64, Ordering::Relaxed);
        self.commit_us.fetch_add(us, Ordering::Relaxed);
        self.commit_buckets[COMMIT_BUCKETS_US.partition_point(|bound| *bound < us)].fetch_add(1, Ordering::Relaxed);
    }
}
