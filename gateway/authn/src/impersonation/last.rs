//! In which mode somebody last impersonated: that mode is tried first, as upstream does. Clients see it, for the first mode that is
//! refused gives the refusal its words, and the first that is allowed gives its groups. Asks nobody.

use std::hash::{BuildHasher, RandomState};

use model::recent::Recent;
use parking_lot::Mutex;

use super::Attempt;

/// Names in each of two generations: together as many as upstream remembers.
const NAMES_MAX: usize = 5_000;

/// The modes of those who impersonated lately: what constrains an attempt, by the hash of a requestor's name. That two may share
/// one changes nothing but an order.
pub struct Last {
    hasher: RandomState,
    modes: Mutex<Recent<u64, &'static str>>,
}

impl Default for Last {
    fn default() -> Self {
        Self { hasher: RandomState::new(), modes: Mutex::new(Recent::new(NAMES_MAX)) }
    }
}

impl Last {
    /// Puts the attempt in front that succeeded last for this requestor, if it is among them.
    pub fn first(&self, requestor: &str, attempts: &mut [Attempt]) {
        let Some(mode) = self.modes.lock().get(self.hasher.hash_one(requestor)) else { return };
        if let Some(at) = attempts.iter().position(|attempt| attempt.constraint == mode) {
            attempts[..=at].rotate_right(1);
        }
    }

    /// Remembers which attempt succeeded.
    pub fn succeeded(&self, requestor: &str, attempt: &Attempt) {
        self.modes.lock().put(self.hasher.hash_one(requestor), attempt.constraint, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(constraint: &'static str) -> Attempt {
        Attempt { checks: Vec::new(), user: model::User::default(), constraint }
    }

    fn order(last: &Last, name: &str) -> Vec<&'static str> {
        let mut attempts = ["a", "b", ""].map(attempt);
        last.first(name, &mut attempts);
        attempts.iter().map(|attempt| attempt.constraint).collect()
    }

    #[test]
    fn what_succeeded_last_is_tried_first() {
        let last = Last::default();
        assert_eq!(order(&last, "jane"), ["a", "b", ""]);
        last.succeeded("jane", &attempt(""));
        assert_eq!(order(&last, "jane"), ["", "a", "b"]);
        assert_eq!(order(&last, "joe"), ["a", "b", ""]);
        last.succeeded("jane", &attempt("elsewhere"));
        assert_eq!(order(&last, "jane"), ["a", "b", ""]);
    }

    #[test]
    fn who_is_seen_again_stays_known_and_nobody_else_does() {
        let last = Last::default();
        last.succeeded("jane", &attempt("b"));
        last.succeeded("joe", &attempt("b"));
        for number in 0..3 * NAMES_MAX {
            last.succeeded(&number.to_string(), &attempt("a"));
            assert_eq!(order(&last, "jane"), ["b", "a", ""]);
        }
        assert_eq!(order(&last, "joe"), ["a", "b", ""]);
        assert!(last.modes.lock().len() <= 2 * NAMES_MAX);
    }
}
