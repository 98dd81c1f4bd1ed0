//! A disk in memory that fails when it is told to and forgets what was not synced: for tests of this crate and of whole
//! servers. Not a disk to keep anything on.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use redb::{BackendError, StorageBackend};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The write after so many more fails, and all after it.
    Write(usize),
    /// The fsync after so many more fails; the ones after it would succeed, as on Linux, where the pages that could not be
    /// written are dropped.
    Sync(usize),
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    /// What a reader sees.
    seen: Vec<u8>,
    /// What survives a crash for certain.
    synced: Vec<u8>,
    /// What was done since the last sync, in order.
    pending: Vec<Pending>,
    fault: Option<Fault>,
    syncs: usize,
    syncs_after_failure: usize,
    failed: bool,
}

#[derive(Clone, Debug)]
enum Pending {
    Write(usize, Vec<u8>),
    Resize(usize),
}

impl Disk {
    /// An empty disk without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Arms a fault.
    pub fn fail(&self, fault: Fault) {
        self.0.lock().fault = Some(fault);
    }

    /// Fsyncs that succeeded.
    pub fn syncs(&self) -> usize {
        self.0.lock().syncs
    }

    /// Fsyncs attempted after one failed; there must be none.
    pub fn syncs_after_failure(&self) -> usize {
        self.0.lock().syncs_after_failure
    }

    /// The disk after a power cut: what was synced, and of what was not, an arbitrary part in arbitrary pieces, chosen by
    /// `seed`. The faults are gone.
    pub fn after_power_cut(&self, seed: u64) -> Self {
        let platter = self.0.lock();
        let mut bytes = platter.synced.clone();
        let mut dice = Dice(seed | 1);
        for pending in &platter.pending {
            match (pending, dice.roll(3)) {
                (_, 0) => {}
                (Pending::Write(at, data), 1) => {
                    apply(&mut bytes, &Pending::Write(*at, data[..dice.roll(data.len() + 1)].to_vec()))
                }
                (pending, _) => apply(&mut bytes, pending),
            }
        }
        Self(Arc::new(Mutex::new(Platter { seen: bytes.clone(), synced: bytes, ..Platter::default() })))
    }
}

/// A small generator of numbers that look arbitrary (xorshift), so that a failing test can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % sides
    }
}

fn apply(bytes: &mut Vec<u8>, pending: &Pending) {
    match pending {
        Pending::Resize(len) => bytes.resize(*len, 0),
        Pending::Write(at, data) => {
            // A write may survive without the resize before it; the file system extends the file then.
            let end = at + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at..end].copy_from_slice(data);
        }
    }
}

impl Platter {
    fn write(&mut self, pending: Pending) -> Result<(), BackendError> {
        if let Some(Fault::Write(left)) = &mut self.fault {
            if *left == 0 {
                self.failed = true;
                return Err(broken("write"));
            }
            *left -= 1;
        }
        apply(&mut self.seen, &pending);
        self.pending.push(pending);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), BackendError> {
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
        self.syncs += 1;
        self.synced = self.seen.clone();
        self.pending.clear();
        Ok(())
    }
}

fn broken(what: &str) -> BackendError {
    io::Error::other(format!("injected fault: {what}")).into()
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.0.lock().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let platter = self.0.lock();
        let from = offset as usize;
        let bytes = platter.seen.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        Ok(self.0.lock().write(Pending::Resize(len as usize))?)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        Ok(self.0.lock().sync()?)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        Ok(self.0.lock().write(Pending::Write(offset as usize, data.to_vec()))?)
    }
}
