//! Answers that policies gave, by all that they were shown: who cannot tell two calls apart is not called twice. Bounded in
//! bytes, with what was asked for lately kept. Does not know what makes calls alike (`wasm`).

use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use model::recent::Recent;
use parking_lot::Mutex;
use wasm::{Mutation, Verdict};

use super::set::Entry;

/// Bytes of all answers of one world that are kept: some hundred thousand verdicts that have nothing to say.
const BYTES_MAX: usize = 32 << 20;
/// Bytes of one answer; longer ones are rare, and asked for again cheaply enough.
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// Parts with a lock each, so that requests on several processors rarely wait for one another.
const PARTS: usize = 16;
/// What one answer takes beyond its texts: its place in a table that is half empty.
const PLACE_BYTES: usize = 160;

/// What two calls have in common that are alike: 128 bits made with keys that nobody outside knows, so that nobody can make two
/// calls that only seem so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Likeness(u64, u64);

/// What can be kept.
pub(super) trait Kept: Clone {
    /// Bytes of its texts.
    fn bytes(&self) -> usize;
}

impl Kept for Verdict {
    fn bytes(&self) -> usize {
        let violation = |v: &wasm::Violation| {
            size_of::<wasm::Violation>() + v.rule.len() + v.message.len() + v.field.len() + v.code.as_ref().map_or(0, String::len)
        };
        self.violations.iter().map(violation).sum::<usize>() + texts(&self.warnings)
    }
}

impl Kept for Mutation {
    fn bytes(&self) -> usize {
        self.patch.as_ref().map_or(0, Vec::len) + texts(&self.warnings)
    }
}

fn texts(texts: &[String]) -> usize {
    texts.iter().map(|text| size_of::<String>() + text.len()).sum()
}

/// The answers of all policies.
pub(super) struct Remembered<T> {
    keys: (RandomState, RandomState),
    parts: [Mutex<Recent<Likeness, T>>; PARTS],
    given: AtomicU64,
}

impl<T: Kept> Default for Remembered<T> {
    fn default() -> Self {
        let part = |_| Mutex::new(Recent::new(BYTES_MAX / PARTS / 2));
        Self { keys: Default::default(), parts: std::array::from_fn(part), given: AtomicU64::new(0) }
    }
}

impl<T: Kept> Remembered<T> {
    /// What a call of a binding has in common with those that are alike; nothing where no two of it are.
    pub(super) fn likeness(&self, entry: &Entry, call: &wasm::Call<'_>) -> Option<Likeness> {
        let policy = entry.policy.as_ref().ok()?;
        let mut state = Both(self.keys.0.build_hasher(), self.keys.1.build_hasher());
        state.write_u64(entry.number);
        policy.tell(call, &mut state).then(|| Likeness(state.0.finish(), state.1.finish()))
    }

    /// The answer to a call that was alike.
    pub(super) fn get(&self, likeness: Likeness) -> Option<T> {
        let answer = self.part(likeness).lock().get(likeness)?;
        self.given.fetch_add(1, Ordering::Relaxed);
        Some(answer)
    }

    /// How many answers were given again.
    pub(super) fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }

    /// Keeps an answer for calls that are alike.
    pub(super) fn put(&self, likeness: Likeness, answer: &T) {
        let bytes = answer.bytes();
        if bytes <= ANSWER_BYTES_MAX {
            self.part(likeness).lock().put(likeness, answer.clone(), PLACE_BYTES + bytes);
        }
    }

    fn part(&self, likeness: Likeness) -> &Mutex<Recent<Likeness, T>> {
        &self.parts[likeness.1 as usize % PARTS]
    }
}

/// Two hashes of the same.
struct Both(DefaultHasher, DefaultHasher);

impl Hasher for Both {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
        self.1.write(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(text: &str) -> Verdict {
        Verdict { violations: Vec::new(), warnings: vec![text.to_owned()] }
    }

    fn said(remembered: &Remembered<Verdict>, n: u64) -> Option<String> {
        remembered.get(Likeness(n, n)).map(|verdict| verdict.warnings[0].clone())
    }

    #[test]
    fn what_was_asked_for_lately_stays_and_the_rest_goes() {
        let remembered = Remembered::default();
        let text = "x".repeat(8 << 10);
        remembered.put(Likeness(0, 0), &warning("first"));
        assert_eq!(said(&remembered, 0).as_deref(), Some("first"));
        let (mut most, all) = (0, 4 * (BYTES_MAX / text.len()) as u64);
        for n in 1..all {
            remembered.put(Likeness(n, n), &warning(&text));
            assert_eq!(said(&remembered, 0).as_deref(), Some("first"), "asked for all the time");
            most = most.max(remembered.parts[0].lock().weight());
        }
        assert!(most <= BYTES_MAX / PARTS / 2);
        assert_eq!(said(&remembered, 1), None, "nobody asked");
        assert!(said(&remembered, all - 1).is_some());
        let kept: usize = remembered.parts.iter().map(|part| part.lock().len()).sum();
        assert!(kept * text.len() <= BYTES_MAX);
    }

    #[test]
    fn long_answers_are_not_kept_and_the_same_is_counted_once() {
        let remembered = Remembered::default();
        remembered.put(Likeness(1, 1), &warning(&"x".repeat(ANSWER_BYTES_MAX)));
        assert_eq!(said(&remembered, 1), None);
        remembered.put(Likeness(2, 1), &warning("a"));
        let once = remembered.parts[1].lock().weight();
        remembered.put(Likeness(2, 1), &warning("a"));
        assert_eq!(remembered.parts[1].lock().weight(), once);
    }
}
