//! What lies on a disk in memory, what was done to it since its last fsync, and what a crash leaves. Arms no fault by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::Fault;

/// What a file system gives out at once, and a disk writes at once.
const BLOCK_BYTES: usize = 4096;
const SECTOR_BYTES: usize = 512;
/// Writes to a file that is never synced of which any may be lost; older ones are on the disk.
const UNSYNCED_MAX: usize = 16;

/// Files by name.
type Files = BTreeMap<String, Vec<u8>>;

/// One thing that was done.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Create(String),
    Remove(String),
    Write(String, usize, Vec<u8>),
    Resize(String, usize),
    /// Of a file's content.
    Sync(String),
    /// Of which files there are.
    SyncNames,
}

impl Act {
    pub(super) fn is_sync(&self) -> bool {
        matches!(self, Self::Sync(_) | Self::SyncNames)
    }

    /// Whether a sync makes this certain.
    fn is_settled_by(&self, sync: &Self) -> bool {
        match (self, sync) {
            (Self::Create(_) | Self::Remove(_), Self::SyncNames) => true,
            (Self::Write(name, ..) | Self::Resize(name, _), Self::Sync(synced)) => name == synced,
            _ => false,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Platter {
    /// What a reader sees.
    pub(super) seen: Files,
    /// What survives a crash for certain: files under their names, and of those whose names may not, the content.
    synced: Files,
    /// What was done and is not certain, in order.
    pending: Vec<Act>,
    /// Blocks that were ever written.
    blocks: BTreeSet<(String, usize)>,
    /// The files when it began to remember, and what was done since.
    history: Option<(Files, Vec<Act>)>,
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
        match act.is_sync() {
            true => self.fail_sync()?,
            false => self.fail_write(&act)?,
        }
        if let Some((_, history)) = &mut self.history {
            history.push(act.clone());
        }
        if act.is_sync() {
            self.sync(&act);
            return Ok(());
        }
        match &act {
            Act::Write(name, at, data) => self.blocks.extend(blocks(*at, data.len()).map(|block| (name.clone(), block))),
            Act::Remove(name) => self.blocks.retain(|(other, _)| other != name),
            Act::Resize(name, len) => {
                let kept = len.div_ceil(BLOCK_BYTES);
                self.blocks.retain(|(other, block)| other != name || *block < kept);
            }
            _ => {}
        }
        apply(&mut self.seen, &act);
        self.pending.push(act);
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
        if let (Some(limit), Act::Write(name, at, data)) = (self.limit_bytes, act) {
            let fresh = blocks(*at, data.len()).filter(|block| !self.blocks.contains(&(name.clone(), *block))).count();
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

    fn sync(&mut self, sync: &Act) {
        self.syncs += 1;
        // The content of a file may be certain before its name is.
        let (settled, open): (Vec<_>, Vec<_>) = self.pending.drain(..).partition(|act| act.is_settled_by(sync));
        settled.iter().for_each(|act| apply(&mut self.synced, act));
        let old = open.len().saturating_sub(UNSYNCED_MAX);
        let (old, open) = open.split_at(old);
        old.iter().for_each(|act| apply(&mut self.synced, act));
        self.pending = open.to_vec();
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
        let mut nameless: BTreeSet<&str> = BTreeSet::new();
        for act in &self.pending {
            match (act, dice.roll(4)) {
                (Act::Create(name), 0) => drop(nameless.insert(name)),
                (_, 0) => {}
                (Act::Write(name, at, data), 1) => {
                    let kept = dice.roll(data.len() + 1);
                    apply(&mut files, &Act::Write(name.clone(), *at, data[..kept].to_vec()));
                }
                (Act::Write(name, at, data), 2) => {
                    for (at, sector) in sectors(*at, data).into_iter().filter(|_| dice.roll(2) == 0).collect::<Vec<_>>() {
                        apply(&mut files, &Act::Write(name.clone(), at, sector.to_vec()));
                    }
                }
                (act, _) => apply(&mut files, act),
            }
        }
        files.retain(|name, _| !nameless.contains(name.as_str()));
        Self::holding(files)
    }

    /// What the end of the process leaves.
    pub(super) fn kept(&self) -> Self {
        Self::holding(self.seen.clone())
    }

    fn holding(files: Files) -> Self {
        let mut used = BTreeSet::new();
        for (name, bytes) in &files {
            let written = bytes.chunks(BLOCK_BYTES).enumerate().filter(|(_, block)| block.iter().any(|byte| *byte != 0));
            used.extend(written.map(|(block, _)| (name.clone(), block)));
        }
        Self { seen: files.clone(), synced: files, blocks: used, ..Self::default() }
    }

    pub(super) fn flip(&mut self, dice: &mut Dice) -> (String, usize, u32) {
        // One flip in eight in the smallest file: it has a few bytes only.
        let smallest = self.seen.iter().min_by_key(|(_, bytes)| bytes.len()).map(|(name, bytes)| (name.clone(), bytes.len()));
        let (name, at) = match smallest.filter(|(_, len)| *len > 0 && dice.roll(8) == 0) {
            Some((name, len)) => (name, dice.roll(len)),
            None => {
                let block = self.blocks.iter().nth(dice.roll(self.blocks.len().max(1))).cloned().unwrap_or_default();
                (block.0, block.1 * BLOCK_BYTES + dice.roll(BLOCK_BYTES))
            }
        };
        let bit = dice.roll(8) as u32;
        for files in [&mut self.seen, &mut self.synced] {
            if let Some(byte) = files.get_mut(&name).and_then(|bytes| bytes.get_mut(at)) {
                *byte ^= 1 << bit;
            }
        }
        (name, at, bit)
    }
}

/// A write in pieces that each lie in one sector.
fn sectors(at: usize, data: &[u8]) -> Vec<(usize, &[u8])> {
    let (mut pieces, mut from) = (Vec::new(), 0);
    while from < data.len() {
        let to = data.len().min((at + from + 1).next_multiple_of(SECTOR_BYTES) - at);
        pieces.push((at + from, &data[from..to]));
        from = to;
    }
    pieces
}

fn blocks(at: usize, len: usize) -> std::ops::Range<usize> {
    at / BLOCK_BYTES..(at + len).div_ceil(BLOCK_BYTES)
}

fn apply(files: &mut Files, act: &Act) {
    match act {
        Act::Sync(_) | Act::SyncNames => {}
        Act::Create(name) => drop(files.entry(name.clone()).or_default()),
        Act::Remove(name) => drop(files.remove(name)),
        Act::Resize(name, len) => files.entry(name.clone()).or_default().resize(*len, 0),
        Act::Write(name, at, data) => {
            // A write may survive without what was done before it; the file system extends the file then.
            let (bytes, end) = (files.entry(name.clone()).or_default(), at + data.len());
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
