//! Time as an argument, so that a whole server runs in a test on a clock that stands still.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// Says what time it is.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Begins at some time and goes on evenly, whatever steps the machine's clock makes meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    began: Timestamp,
    since: Instant,
}

impl SteadyClock {
    /// From a time that is now.
    pub fn since(began: Timestamp) -> Self {
        Self { began, since: Instant::now() }
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        // Beyond the last time that can be told nothing moves any more.
        SignedDuration::try_from(self.since.elapsed())
            .ok()
            .and_then(|passed| self.began.checked_add(passed).ok())
            .unwrap_or(Timestamp::MAX)
    }
}

/// `metav1.Time`: RFC 3339 in UTC, whole seconds.
pub fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `metav1.MicroTime`: RFC 3339 in UTC with six digits of a second.
pub fn rfc3339_micro(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_clock_goes_on_from_where_it_began() {
        let began: Timestamp = "2026-11-27T11:00:00Z".parse().expect("a time");
        let clock = SteadyClock::since(began);
        let (first, second) = (clock.now(), clock.now());
        assert!(began <= first && first <= second);
        assert_eq!(SteadyClock::since(Timestamp::MAX).now(), Timestamp::MAX);
    }
}
