//! How long the calls of one policy took lately. Decides nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A mean of nanoseconds in which each call weighs an eighth, so that one which the machine held up is soon forgotten and one
/// quick call among slow ones does not make a policy quick.
pub(crate) struct Pace(AtomicU64);

/// No call was made yet.
const UNKNOWN: u64 = u64::MAX;

impl Default for Pace {
    fn default() -> Self {
        Self(AtomicU64::new(UNKNOWN))
    }
}

impl Pace {
    /// Takes in how long a call took. Of two at once one may be lost.
    pub(crate) fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(UNKNOWN - 1);
        let mean = match self.0.load(Ordering::Relaxed) {
            UNKNOWN => took,
            mean => mean - mean / 8 + took / 8,
        };
        self.0.store(mean, Ordering::Relaxed);
    }

    /// The mean, once there was a call.
    pub(crate) fn mean(&self) -> Option<Duration> {
        Some(self.0.load(Ordering::Relaxed)).filter(|mean| *mean != UNKNOWN).map(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_call_is_forgotten_and_one_quick_call_is_not_believed() {
        let (quick, slow, limit) = (Duration::from_micros(20), Duration::from_millis(5), Duration::from_micros(500));
        let pace = Pace::default();
        assert_eq!(pace.mean(), None);
        pace.note(quick);
        assert_eq!(pace.mean(), Some(quick));
        pace.note(slow);
        assert!(pace.mean() > Some(limit));
        (0..8).for_each(|_| pace.note(quick));
        assert!(pace.mean() < Some(limit));
        (0..40).for_each(|_| pace.note(slow));
        pace.note(quick);
        assert!(pace.mean() > Some(limit));
    }
}
