//! How often policies were called, with what outcome, and how long it took. Does not format (`server`).

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// Upper bounds of the histogram's buckets in microseconds.
pub const BUCKETS_US: [u64; 12] = [5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 25_000, 100_000, 1_000_000];

/// Pairs of binding and outcome that are counted; bindings come and go, and a scrape must stay small.
const SERIES_MAX: usize = 10_000;

/// Calls of one binding that ended in one way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// How many.
    pub count: u64,
    /// Their time together.
    pub sum_us: u64,
    /// How many took at most [`BUCKETS_US`], cumulative.
    pub buckets: [u64; BUCKETS_US.len()],
}

/// All series, by binding and outcome: `allowed`, `refused`, `changed`, `unchanged`, or a failure's reason.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<BTreeMap<(String, &'static str), Series>>);

impl Metrics {
    /// Counts one call.
    pub fn observe(&self, binding: &str, outcome: &'static str, took: Duration) {
        let mut all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let key = (binding.to_owned(), outcome);
        if all.len() >= SERIES_MAX && !all.contains_key(&key) {
            return;
        }
        let series = all.entry(key).or_default();
        let us = took.as_micros() as u64;
        series.count += 1;
        series.sum_us += us;
        for (bucket, bound) in series.buckets.iter_mut().zip(BUCKETS_US) {
            *bucket += u64::from(us <= bound);
        }
    }

    /// Forgets a binding that is gone.
    pub fn forget(&self, binding: &str) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).retain(|(name, _), _| name != binding);
    }

    /// Everything counted so far.
    pub fn snapshot(&self) -> Vec<(String, &'static str, Series)> {
        let all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.iter().map(|((name, outcome), series)| (name.clone(), *outcome, series.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let metrics = Metrics::default();
        metrics.observe("a", "allowed", Duration::from_micros(7));
        metrics.observe("a", "allowed", Duration::from_micros(30));
        let (name, outcome, series) = metrics.snapshot().remove(0);
        assert_eq!((name.as_str(), outcome, series.count, series.sum_us), ("a", "allowed", 2, 37));
        assert_eq!(series.buckets[..4], [0, 1, 1, 2]);
        metrics.forget("a");
        assert!(metrics.snapshot().is_empty());
    }
}
