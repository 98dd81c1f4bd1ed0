//! Where a commit becomes durable: the one thing in which the embedded engines differ.
//! Does not order writes (`sequencer`).

use crate::batch::Batch;

/// Makes commits durable, one after the other. Called by the sequencer's thread only.
pub(crate) trait Ledger: Send {
    /// Writes everything, or nothing where the disk is full; any other error is for good, and it is never called again.
    fn commit(&mut self, batch: &Batch<'_>) -> Result<(), Failure>;

    /// How many bytes of new objects there is room for now.
    fn room_bytes(&mut self) -> u64 {
        u64::MAX
    }

    /// Closes the storage in good order; not called after an error.
    fn close(self: Box<Self>) -> Result<(), Failure>;

    /// Leaves the storage alone after an error: no further write and no further fsync, not even in closing it.
    fn abandon(self: Box<Self>);
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// There is no room on the disk; the storage is as it was.
    #[error("the disk is full")]
    Full,
    /// The storage failed, in words for the log. What it did nobody knows.
    #[error("{0}")]
    Broken(String),
}

/// Remembers nothing: the engine `memory`.
pub(crate) struct Nowhere;

impl Ledger for Nowhere {
    fn commit(&mut self, _batch: &Batch<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(())
    }

    fn abandon(self: Box<Self>) {}
}
