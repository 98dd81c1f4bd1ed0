//! Whether there is room to write: a full disk must be met before a write begins, because of one that fails half-way nobody
//! knows what it left. Deletes go on, and so does what replaces an object by one of its size. Does not refuse by itself
//! (`sequencer`).

use std::io;
use std::path::PathBuf;

/// What must be free for new objects to be written: what one commit may need at most, a segment of the log that is begun, and a
/// rest for deletes and for what cleaning writes again before it gives space back.
pub(crate) const RESERVE_BYTES: u64 = 16 << 20;
/// Of what was deleted one part in so many may be written again: the space comes back only as the log is cleaned.
const GIVEN_BACK_SHARE: u64 = 4;

/// Where a store's files lie.
pub(crate) trait Volume: Send {
    /// Bytes that this process may still write.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// The file system under a directory.
pub(crate) struct FileSystem(pub(crate) PathBuf);

impl Volume for FileSystem {
    fn free_bytes(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.0)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// How a store stands with its volume.
#[derive(Default)]
pub(crate) struct Room {
    volume: Option<Box<dyn Volume>>,
    /// Bytes of objects deleted, less those written, since the disk was full.
    given_back_bytes: u64,
    full: bool,
}

impl Room {
    /// On a volume; without one there is always room.
    pub(crate) fn on(volume: Box<dyn Volume>) -> Self {
        Self { volume: Some(volume), ..Self::default() }
    }

    /// How many bytes of new objects may be written now. A volume that does not say how full it is counts as empty.
    pub(crate) fn bytes(&mut self) -> u64 {
        let Some(volume) = &self.volume else { return u64::MAX };
        let free = volume.free_bytes().unwrap_or(u64::MAX);
        let full = free < RESERVE_BYTES;
        if full != self.full {
            self.full = full;
            self.given_back_bytes = 0;
            match full {
                true => tracing::error!(free_bytes = free, "the disk is full: only deletes and replacements are stored"),
                false => tracing::info!(free_bytes = free, "the disk has room again"),
            }
        }
        if full { self.given_back_bytes / GIVEN_BACK_SHARE } else { u64::MAX }
    }

    /// Whether the disk was full when that was asked last.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Counts what a commit took and gave back.
    pub(crate) fn committed(&mut self, written_bytes: u64, removed_bytes: u64) {
        if self.full {
            self.given_back_bytes = (self.given_back_bytes + removed_bytes).saturating_sub(written_bytes * GIVEN_BACK_SHARE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    struct Gauge(Arc<AtomicU64>);

    impl Volume for Gauge {
        fn free_bytes(&self) -> io::Result<u64> {
            Ok(self.0.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn a_part_of_what_was_deleted_may_be_written_on_a_full_disk() {
        let free = Arc::new(AtomicU64::new(RESERVE_BYTES));
        let mut room = Room::on(Box::new(Gauge(free.clone())));
        assert_eq!(room.bytes(), u64::MAX);
        free.store(RESERVE_BYTES - 1, Ordering::Relaxed);
        assert_eq!(room.bytes(), 0);
        room.committed(0, 4000);
        assert_eq!(room.bytes(), 1000);
        room.committed(600, 0);
        assert_eq!(room.bytes(), 400);
        free.store(RESERVE_BYTES, Ordering::Relaxed);
        assert_eq!(room.bytes(), u64::MAX, "without a restart");
        free.store(0, Ordering::Relaxed);
        assert_eq!(room.bytes(), 0, "what was given back then is spent");
    }

    #[test]
    fn a_directory_says_how_much_is_free() {
        let here = FileSystem(std::env::temp_dir());
        assert!(here.free_bytes().is_ok_and(|bytes| bytes > 0));
        assert!(FileSystem("/nowhere/at/all".into()).free_bytes().is_err());
    }
}
