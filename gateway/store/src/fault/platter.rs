//! What lies on a disk in memory, what was done to it since its last fsync, and what a crash leaves. Arms no fault by itself.

use std::collections::BTreeSet;
use std::io;

use super::Fault;

/// The store's file.
pub(super) const STORE: usize = 0;
/// The small file beside it, which is never synced.
pub(super) const BESIDE: usize = 1;
const FILES: usize = 2;

/// What a file system gives out at once, and a disk writes at once.
const BLOCK_BYTES: usize = 4096;
const SECTOR_BYTES: usize = 512;
/// Writes to the file that is never synced of which any may be lost; older ones are on the disk.
const UNSYNCED_MAX: usize = 16;

/// The second file of a disk.
#[derive(Debug)]
pub(crate) struct Beside<D>(pub(super) D);

/// One thing that was done to a file.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Write(usize, usize, Vec<u8>),
    Resize(usize, usize),
    /// Of the store's file.
    Sync,
}

#[derive(Debug, Default)]
pub(super) struct Platter {
    /// What a reader sees of each file.
    pub(super) seen: [Vec<u8>; FILES],
    /// What survives a crash for certain.
    synced: [Vec<u8>; FILES],
    /// What was done since the last sync, in order.
    pending: Vec<Act>,
    /// Blocks of the store's file that were ever written.
    blocks: BTreeSet<usize>,
    /// The files when it began to remember, and what was done since.
    history: Option<([Vec<u8>; FILES], Vec<Act>)>,
    pub(super) fault: Option<Fault>,
    pub(super) limit_bytes: Option<u64>,
    pub(super) syncs: usize,
    pub(super) syncs_after_failure: usize,
    failed: bool,
}

impl Platter {
    pub(super) fn record(&mut self) {
        self.history = Some((self.seen.clone(), Vec::new()));
        self.syncs = 0;
    }

    /// As it was when it began to remember, and what was done since.
    pub(super) fn history(&self) -> Option<(Self, Vec<Act>)> {
        let (files, acts) = self.history.clone()?;
        Some((Self::holding(files), acts))
    }

    pub(super) fn act(&mut self, act: Act) -> io::Result<()> {
        match &act {
            Act::Sync => self.fail_sync()?,
            Act::Write(..) | Act::Resize(..) => self.fail_write(&act)?,
        }
        if let Some((_, history)) = &mut self.history {
            history.push(act.clone());
        }
        match act {
            Act::Sync => self.sync(),
            act => {
                if let Act::Write(STORE, at, data) = &act {
                    self.blocks.extend(blocks(*at, data.len()));
                }
                apply(&mut self.seen, &act);
                self.pending.push(act);
            }
        }
        Ok(())
    }

    fn fail_write(&mut self, act: &Act) -> io::Result<()> {
        if let Some(Fault::Write(left)) = &mut self.fault {
            if *left == 0 {
                self.failed = true;
                return Err(broken("write"));
            }
            *left -= 1;
        }
        if let (Some(limit), Act::Write(STORE, at, data)) = (self.limit_bytes, act) {
            let fresh = blocks(*at, data.len()).filter(|block| !self.blocks.contains(block)).count();
            if fresh > 0 && self.used_bytes() + (fresh * BLOCK_BYTES) as u64 > limit {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        Ok(())
    }

    fn fail_sync(&mut self) -> io::Result<()> {
        self.syncs_after_failure += usize::from(self.failed);
        match &mut self.fault {
            Some(Fault::Sync(0)) => {
                self.fault = None;
                self.failed = true;
                return Err(broken("fsync"));
            }
            Some(Fault::Sync(left)) => *left -= 1,
            _ => {}
        }
        Ok(())
    }

    fn sync(&mut self) {
        self.syncs += 1;
        self.synced[STORE].clone_from(&self.seen[STORE]);
        self.pending.retain(|act| matches!(act, Act::Write(BESIDE, ..) | Act::Resize(BESIDE, ..)));
        let old = self.pending.len().saturating_sub(UNSYNCED_MAX);
        for act in self.pending.drain(..old) {
            apply(&mut self.synced, &act);
        }
    }

    pub(super) fn used_bytes(&self) -> u64 {
        (self.blocks.len() * BLOCK_BYTES) as u64
    }

    /// What a power cut leaves: of each thing that was not synced all, nothing, its beginning, or some of its sectors; now and
    /// then of all things all.
    pub(super) fn cut(&self, dice: &mut Dice) -> Self {
        if dice.roll(4) == 0 {
            return self.kept();
        }
        let mut files = self.synced.clone();
        for act in &self.pending {
            match (act, dice.roll(4)) {
                (_, 0) => {}
                (Act::Write(file, at, data), 1) => {
                    let kept = dice.roll(data.len() + 1);
                    apply(&mut files, &Act::Write(*file, *at, data[..kept].to_vec()));
                }
                (Act::Write(file, at, data), 2) => {
                    for (n, sector) in data.chunks(SECTOR_BYTES).enumerate().filter(|_| dice.roll(2) == 0).collect::<Vec<_>>() {
                        apply(&mut files, &Act::Write(*file, at + n * SECTOR_BYTES, sector.to_vec()));
                    }
                }
                (act, _) => apply(&mut files, act),
            }
        }
        Self::holding(files)
    }

    /// What the end of the process leaves.
    pub(super) fn kept(&self) -> Self {
        Self::holding(self.seen.clone())
    }

    fn holding(files: [Vec<u8>; FILES]) -> Self {
        let used = |block: &usize| files[STORE][block * BLOCK_BYTES..].iter().take(BLOCK_BYTES).any(|byte| *byte != 0);
        let blocks = (0..files[STORE].len().div_ceil(BLOCK_BYTES)).filter(used).collect();
        Self { seen: files.clone(), synced: files, blocks, ..Self::default() }
    }

    pub(super) fn flip(&mut self, dice: &mut Dice) -> (usize, usize, u32) {
        let beside = self.seen[BESIDE].len();
        // One flip in eight in the small file: it has a few bytes only.
        let (file, at) = if beside > 0 && dice.roll(8) == 0 {
            (BESIDE, dice.roll(beside))
        } else {
            let block = self.blocks.iter().nth(dice.roll(self.blocks.len().max(1))).copied().unwrap_or(0);
            (STORE, block * BLOCK_BYTES + dice.roll(BLOCK_BYTES))
        };
        let bit = dice.roll(8) as u32;
        for files in [&mut self.seen, &mut self.synced] {
            if let Some(byte) = files[file].get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        (file, at, bit)
    }
}

fn blocks(at: usize, len: usize) -> std::ops::Range<usize> {
    at / BLOCK_BYTES..(at + len).div_ceil(BLOCK_BYTES)
}

fn apply(files: &mut [Vec<u8>; FILES], act: &Act) {
    match act {
        Act::Sync => {}
        Act::Resize(file, len) => files[*file].resize(*len, 0),
        Act::Write(file, at, data) => {
            // A write may survive without the resize before it; the file system extends the file then.
            let (bytes, end) = (&mut files[*file], at + data.len());
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at..end].copy_from_slice(data);
        }
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::other(format!("injected fault: {what}"))
}

/// A small generator of numbers that look arbitrary (xorshift), so that a failing test can be repeated.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall as the seed says.
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds must not begin alike, and the state must not be 0.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % sides
    }
}
