//! The last revision that was acknowledged, in a small file beside the log. A log that lost its end as a whole, or one of last
//! week, is sound in itself; this file knows better. It is written after each fsync and before the answers, and is never synced itself: after a power cut it may be
//! behind, which claims less; after the process was killed it is exact.

use std::io;

use model::Revision;

use crate::folder::{Folder, Medium};

/// Two places, written in turn, so that a write that was torn leaves the one before.
const PLACES: u64 = 2;
/// Apart by a sector: no write touches both.
const PLACE_BYTES: u64 = 512;
/// A revision and its checksum.
const CLAIM_BYTES: usize = 12;

/// The open file.
pub(crate) struct Witness {
    file: Box<dyn Medium>,
    place: u64,
}

impl Witness {
    /// Reads what it says; nothing of a new or a damaged one.
    pub(crate) fn open(folder: &dyn Folder, name: &str) -> io::Result<(Self, Option<Revision>)> {
        let file = folder.open(name)?;
        let found = folder.read(name)?;
        if found.len() as u64 != PLACES * PLACE_BYTES {
            file.set_len(PLACES * PLACE_BYTES)?;
        }
        let claim = |place: u64| found.get((place * PLACE_BYTES) as usize..)?.first_chunk().and_then(read);
        let last = (0..PLACES).filter_map(|place| Some((claim(place)?, place))).max();
        Ok((Self { file, place: last.map_or(0, |(_, place)| place) }, last.map(|(revision, _)| revision)))
    }

    /// Says that everything up to a revision is durable.
    pub(crate) fn note(&mut self, revision: Revision) -> io::Result<()> {
        self.place = (self.place + 1) % PLACES;
        self.file.write(self.place * PLACE_BYTES, &claim(revision))
    }
}

fn claim(revision: Revision) -> [u8; CLAIM_BYTES] {
    let mut claim = [0; CLAIM_BYTES];
    let (number, sum) = claim.split_at_mut(size_of::<Revision>());
    number.copy_from_slice(&revision.to_le_bytes());
    sum.copy_from_slice(&crc32fast::hash(number).to_le_bytes());
    claim
}

fn read(bytes: &[u8; CLAIM_BYTES]) -> Option<Revision> {
    let (number, _) = bytes.split_first_chunk()?;
    let revision = Revision::from_le_bytes(*number);
    (revision > 0 && claim(revision) == *bytes).then_some(revision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Dice, Disk};

    fn open(disk: &Disk) -> (Witness, Option<Revision>) {
        Witness::open(disk, "acknowledged").expect("reads")
    }

    #[test]
    fn says_what_was_noted_last() {
        let disk = Disk::new();
        assert_eq!(open(&disk).1, None);
        for revision in [3, 4, 9] {
            open(&disk).0.note(revision).expect("writes");
            assert_eq!(open(&disk).1, Some(revision));
        }
    }

    #[test]
    fn a_torn_or_lost_note_claims_less_and_never_more() {
        for seed in 0..200 {
            let disk = Disk::new();
            let (mut witness, _) = open(&disk);
            for revision in 1..=5 {
                witness.note(revision).expect("writes");
            }
            let (_, claimed) = open(&disk.after_power_cut(seed));
            assert!(claimed.is_none_or(|revision| revision <= 5), "seed {seed}: {claimed:?}");
            disk.flip(&mut Dice::new(seed));
            assert!(matches!(open(&disk).1, Some(4 | 5)), "seed {seed}");
        }
    }
}
