//! Goes through the oldest segment frame by frame and writes again what is still needed. Removes nothing itself.

use super::MAGIC;
use super::content::{Operation, Operations};
use super::frame::{Found, Place, find};

/// The segment that is gone through.
pub(super) struct Cleaner {
    segment: u64,
    bytes: Vec<u8>,
    end: usize,
    /// The next frame.
    at: usize,
    /// Where it stood when the last commit succeeded.
    kept: usize,
    /// It cannot be read: it is kept as it is, for whoever starts next to say so.
    damaged: bool,
}

impl Cleaner {
    pub(super) fn new(segment: u64, bytes: Vec<u8>, end: usize) -> Self {
        let at = MAGIC.len();
        Self { segment, bytes, end, at, kept: at, damaged: false }
    }

    /// Goes on for about so many bytes.
    pub(super) fn step(
        &mut self,
        bytes: usize,
        needed: &mut dyn FnMut(&str, &[u8]) -> bool,
        append: &mut dyn FnMut(&Operation<'_>),
    ) {
        let until = self.end.min(self.at + bytes);
        while self.at < until && !self.damaged {
            let Found::Frame(frame) = find(&self.bytes, Place { segment: self.segment, at: self.at }) else {
                tracing::error!(segment = self.segment, at = self.at, "a segment of the store is damaged on the disk");
                self.damaged = true;
                return;
            };
            for operation in Operations(&self.bytes[frame.content.0..frame.content.1]) {
                // What was deleted was deleted of this segment, there being none before; each segment begins with last removals.
                if let Operation::Put(key, record) = operation
                    && needed(key, record)
                {
                    append(&operation);
                }
            }
            self.at = frame.end;
        }
        if self.is_done() {
            append(&Operation::Oldest(self.segment + 1));
        }
    }

    fn is_done(&self) -> bool {
        self.at >= self.end
    }

    /// The commit with what was written again is durable. `remove` is told when the segment is not needed any more.
    pub(super) fn kept(mut self, mut remove: impl FnMut(u64)) -> Option<Self> {
        if self.is_done() {
            remove(self.segment);
            return None;
        }
        self.kept = self.at;
        Some(self)
    }

    /// The commit did not happen.
    pub(super) fn undone(self) -> Self {
        Self { at: self.kept, ..self }
    }
}
