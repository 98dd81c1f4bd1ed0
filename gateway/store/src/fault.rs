//! A disk in memory that fails when it is told to and forgets what was not synced: for tests of this crate and of whole
//! servers. Not a disk to keep anything on. What lies on it and what a crash leaves of that is `platter`'s.

mod platter;

use std::io;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use self::platter::{Act, Platter};
use crate::folder::{Folder, Medium};
use crate::room::Volume;

pub use self::platter::Dice;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The write after so many more fails, and all after it.
    Write(usize),
    /// The fsync after so many more fails; the ones after it would succeed, as on Linux, where the pages that could not be
    /// written are dropped.
    Sync(usize),
}

/// A disk in memory with the files of a store. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    platter: Mutex<Platter>,
    /// Whether fsyncs hang, and those that wait for their end.
    hangs: Mutex<bool>,
    goes_on: Condvar,
}

impl Disk {
    /// An empty disk without faults.
    pub fn new() -> Self {
        Self::default()
    }

    fn of(platter: Platter) -> Self {
        Self(Arc::new(Shared { platter: Mutex::new(platter), ..Shared::default() }))
    }

    /// Remembers from now on everything that is done to it, for [`Disk::cuts`], and counts fsyncs anew.
    pub fn record(&self) {
        self.0.platter.lock().record();
    }

    /// Arms a fault.
    pub fn fail(&self, fault: Fault) {
        self.0.platter.lock().fault = Some(fault);
    }

    /// Lets every fsync hang until [`Disk::go_on`].
    pub fn hang(&self) {
        *self.0.hangs.lock() = true;
    }

    /// Lets fsyncs end again.
    pub fn go_on(&self) {
        *self.0.hangs.lock() = false;
        self.0.goes_on.notify_all();
    }

    /// Says how many bytes may lie on the disk; what was never written takes none. `None` for as many as there is memory.
    pub fn limit(&self, bytes: Option<u64>) {
        self.0.platter.lock().limit_bytes = bytes;
    }

    /// Bytes that lie on it.
    pub fn used_bytes(&self) -> u64 {
        self.0.platter.lock().used_bytes()
    }

    /// Fsyncs that succeeded.
    pub fn syncs(&self) -> usize {
        self.0.platter.lock().syncs
    }

    /// Fsyncs attempted after one failed; there must be none.
    pub fn syncs_after_failure(&self) -> usize {
        self.0.platter.lock().syncs_after_failure
    }

    /// The disk after a power cut: what was synced, and of what was not, an arbitrary part in arbitrary pieces, chosen by
    /// `seed`. The faults are gone.
    pub fn after_power_cut(&self, seed: u64) -> Self {
        Self::of(self.0.platter.lock().cut(&mut Dice::new(seed)))
    }

    /// The disk as it is after the process was killed: everything that was written is there.
    pub fn after_kill(&self) -> Self {
        Self::of(self.0.platter.lock().kept())
    }

    /// For each fsync since [`Disk::record`], in order, the disk as a power cut in the middle of it leaves it.
    pub fn cuts(&self, seed: u64) -> Vec<Self> {
        let Some((mut platter, history)) = self.0.platter.lock().history() else { return Vec::new() };
        let (mut dice, mut cuts) = (Dice::new(seed), Vec::new());
        for act in history {
            if act.is_sync() {
                cuts.push(Self::of(platter.cut(&mut dice)));
            }
            // Nothing fails here: no fault is armed.
            let _ = platter.act(act);
        }
        cuts
    }

    /// Turns one bit, chosen among those of the blocks in use; says in which file and where.
    pub fn flip(&self, dice: &mut Dice) -> (String, usize, u32) {
        self.0.platter.lock().flip(dice)
    }

    /// Whether there is no file on it.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.platter.lock().seen.is_empty()
    }

    fn act(&self, act: Act) -> Result<(), io::Error> {
        if act.is_sync() {
            let mut hangs = self.0.hangs.lock();
            self.0.goes_on.wait_while(&mut hangs, |hangs| *hangs);
        }
        self.0.platter.lock().act(act)
    }
}

impl Folder for Disk {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.platter.lock().seen.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.0.platter.lock().seen.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn Medium>> {
        if !self.0.platter.lock().seen.contains_key(name) {
            self.act(Act::Create(name.to_owned()))?;
        }
        Ok(Box::new(Open { disk: self.clone(), name: name.to_owned() }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.act(Act::Remove(name.to_owned()))
    }

    fn sync(&self) -> io::Result<()> {
        self.act(Act::SyncNames)
    }
}

/// An open file.
struct Open {
    disk: Disk,
    name: String,
}

impl Medium for Open {
    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.act(Act::Write(self.name.clone(), at as usize, bytes.to_vec()))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.act(Act::Resize(self.name.clone(), len as usize))
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.act(Act::Sync(self.name.clone()))
    }
}

impl Volume for Disk {
    fn free_bytes(&self) -> io::Result<u64> {
        let platter = self.0.platter.lock();
        Ok(platter.limit_bytes.map_or(u64::MAX, |limit| limit.saturating_sub(platter.used_bytes())))
    }
}
