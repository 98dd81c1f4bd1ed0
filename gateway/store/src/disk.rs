//! The engine `disk`: commits become durable in a log of its own (`journal`). All objects are read into memory when it is opened
//! and never read from the log again. Does not order writes (`sequencer`).
//! A directory holds the log, its lock, and a file that says what was acknowledged (`witness`).

mod error;
mod upgrade;

use std::collections::HashSet;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Revision;

pub use self::error::OpenError;
use crate::batch::{Batch, Write};
use crate::embedded::Loaded;
use crate::folder::{Directory, Folder};
use crate::journal::{Journal, Operation};
use crate::ledger::{Failure, Ledger};
use crate::room::{FileSystem, Room, Volume};
use crate::witness::Witness;
use crate::{Entry, FIRST_REVISION, Key, Limits, record};

/// The log's folder in the store's directory.
pub const FILE: &str = "journal";
/// The file whose lock keeps a second process out.
pub const LOCK_FILE: &str = "lock";
/// The file that says up to which revision everything was acknowledged, see `witness`.
pub const ACKNOWLEDGED_FILE: &str = "acknowledged";
/// The log's folder while it is being made.
pub(crate) const UNFINISHED: &str = "journal.unfinished";
/// Version of the layout. The first was a file of redb, see `upgrade`.
pub const FORMAT: u64 = 2;

/// How much of the oldest segment is gone through with a commit: some, and so many times what the commit brought, so that
/// cleaning keeps ahead of writing.
const CLEAN_STEP_BYTES: usize = 128 << 10;
const CLEAN_SHARE: usize = 4;

/// How many bytes are gone through with a commit of so many.
pub(crate) fn clean_bytes(appended: usize) -> usize {
    CLEAN_STEP_BYTES + appended * CLEAN_SHARE
}

/// An open log with what belongs to it, and the lock of its directory.
pub(crate) struct Disk {
    journal: Journal,
    limits: Limits,
    /// Bytes of the records that are needed.
    held_bytes: u64,
    witness: Option<Witness>,
    room: Room,
    _lock: Option<Lock>,
}

/// Whether a directory holds a store, in whatever format.
pub fn exists(dir: &Path) -> bool {
    dir.join(FILE).exists() || dir.join(upgrade::FILE).exists()
}

/// Opens or makes the store in a directory.
pub(crate) fn open(dir: &Path, limits: Limits) -> Result<(Disk, Loaded), OpenError> {
    let lock = lock(dir)?;
    if !dir.join(FILE).exists() {
        match dir.join(upgrade::FILE).exists() {
            true => upgrade::run(dir)?,
            false => make(dir)?,
        }
    }
    let path = dir.join(FILE);
    let (disk, loaded) = open_on(Box::new(Directory(path.clone())), limits, &path)?;
    let disk = disk.beside(&Directory(dir.to_owned()), &path, &loaded)?;
    sync_directory(dir)?;
    upgrade::remove_old(dir)?;
    let disk = disk.on(Box::new(FileSystem(dir.to_owned())));
    Ok((Disk { _lock: Some(lock), ..disk }, loaded))
}

/// Makes a new store under another name first: what a power cut leaves of one that is just being made is no store, and could
/// not be told from a damaged one.
fn make(dir: &Path) -> Result<(), OpenError> {
    drop(begin_unfinished(dir, FIRST_REVISION)?);
    finish(dir)
}

/// A new log in a directory under another name, which is still being filled. What an earlier attempt left there goes.
fn begin_unfinished(dir: &Path, floor: Revision) -> Result<Disk, OpenError> {
    let path = dir.join(UNFINISHED);
    let io = |step| {
        let path = path.clone();
        move |source| OpenError::Io { step, path, source }
    };
    match std::fs::remove_dir_all(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => return Err(io("remove")(source)),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&path).map_err(io("create"))?;
    let journal = Journal::create(Box::new(Directory(path.clone())), Limits::default(), floor).map_err(io("make"))?;
    Ok(Disk { journal, limits: Limits::default(), held_bytes: 0, witness: None, room: Room::default(), _lock: None })
}

/// The same with the directory's lock.
pub(crate) fn open_unfinished(dir: &Path, floor: Revision) -> Result<Disk, OpenError> {
    let lock = lock(dir)?;
    Ok(Disk { _lock: Some(lock), ..begin_unfinished(dir, floor)? })
}

/// Gives a log that is complete its name.
pub(crate) fn finish(dir: &Path) -> Result<(), OpenError> {
    let (unfinished, finished) = (dir.join(UNFINISHED), dir.join(FILE));
    std::fs::rename(&unfinished, &finished).map_err(|source| OpenError::Io { step: "make", path: finished, source })?;
    sync_directory(dir)
}

/// The store on a disk of a test.
pub(crate) fn open_test(disk: &crate::fault::Disk, limits: Limits) -> Result<(Disk, Loaded), OpenError> {
    let path = Path::new("(a disk in memory)");
    let io = |source| OpenError::Io { step: "make", path: path.to_owned(), source };
    if disk.is_empty() {
        drop(Journal::create(Box::new(disk.clone()), limits, FIRST_REVISION).map_err(io)?);
    }
    let (opened, loaded) = open_on(Box::new(disk.clone()), limits, path)?;
    let opened = opened.beside(disk, path, &loaded)?;
    Ok((opened.on(Box::new(disk.clone())), loaded))
}

/// Makes the names in a directory durable.
fn sync_directory(dir: &Path) -> Result<(), OpenError> {
    Directory(dir.to_owned()).sync().map_err(|source| OpenError::Io { step: "sync", path: dir.to_owned(), source })
}

/// Opens the log in a folder and reads everything, checking every record.
fn open_on(folder: Box<dyn Folder>, limits: Limits, path: &Path) -> Result<(Disk, Loaded), OpenError> {
    let (mut loaded, mut seen, mut held_bytes) = (Loaded::default(), HashSet::<Arc<str>>::new(), 0);
    let journal = Journal::open(folder, limits, path, &mut |operation| {
        match operation {
            Operation::Put(key, record) if !seen.contains(key) => {
                held_bytes += (key.len() + record.len()) as u64;
                let damaged = |damage| OpenError::Record { file: path.to_owned(), key: key.to_owned(), damage };
                match record::sealed::decode(key, record).map_err(damaged)? {
                    Some(sealed) => {
                        seen.insert(sealed.key.shared().clone());
                        loaded.sealed.push(sealed);
                    }
                    None => {
                        let entry = record::decode(key, record).map_err(damaged)?;
                        seen.insert(entry.key.shared().clone());
                        loaded.entries.push(Arc::new(entry));
                    }
                }
            }
            Operation::Delete(key) if !seen.contains(key) => drop(seen.insert(key.into())),
            _ => {}
        }
        Ok(())
    })?;
    loaded.floor = journal.floor();
    loaded.removed = journal.removed().iter().map(|(prefix, revision)| (prefix.clone(), *revision)).collect();
    Ok((Disk { journal, limits, held_bytes, witness: None, room: Room::default(), _lock: None }, loaded))
}

/// Keeps others out of a directory until it is dropped. Closing the file would not do: a program that is just being started
/// holds it too for a moment, with the lock.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing it is left, and does the same a moment later.
        let _ = self.0.unlock();
    }
}

/// Makes the directory where there is none, and keeps others out of it.
fn lock(dir: &Path) -> Result<Lock, OpenError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| OpenError::Io { step: "create", path: dir.to_owned(), source })?;
    let path = dir.join(LOCK_FILE);
    let io = |step| {
        let path = path.clone();
        move |source| OpenError::Io { step, path, source }
    };
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(io("open"))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io("lock")(source)),
    }
}

impl Disk {
    /// With the file that says what was acknowledged, which must not be more than was loaded.
    fn beside(self, folder: &dyn Folder, store: &Path, loaded: &Loaded) -> Result<Self, OpenError> {
        let witness = PathBuf::from(store).with_file_name(ACKNOWLEDGED_FILE);
        let io = |source| OpenError::Io { step: "read", path: witness.clone(), source };
        let (opened, acknowledged) = Witness::open(folder, ACKNOWLEDGED_FILE).map_err(io)?;
        let found = loaded.revision();
        match acknowledged.filter(|acknowledged| *acknowledged > found) {
            None => Ok(Self { witness: Some(opened), ..self }),
            Some(acknowledged) => Err(OpenError::Behind { file: store.to_owned(), found, witness, acknowledged }),
        }
    }

    /// On a volume that may be full.
    fn on(self, volume: Box<dyn Volume>) -> Self {
        Self { room: Room::on(volume), ..self }
    }

    /// Makes records durable that are in nobody's cache yet.
    pub(crate) fn fill<'a>(
        &mut self,
        records: impl Iterator<Item = (&'a str, &'a [u8])>,
        removed: impl Iterator<Item = (&'a str, Revision)>,
    ) -> Result<(), Failure> {
        records.for_each(|(key, record)| self.journal.append(&Operation::Put(key, record)));
        removed.for_each(|(prefix, revision)| self.journal.append(&Operation::Removed(prefix, revision)));
        self.journal.commit(self.journal.floor())
    }

    fn append(&mut self, batch: &Batch<'_>) {
        for (key, write) in &batch.writes {
            self.journal.append(&match write {
                Write::Put(_, record) => Operation::Put(key, record),
                Write::Delete => Operation::Delete(key),
            });
        }
        for (resource, changes) in &batch.changes {
            if let Some(last) = changes.iter().rfind(|change| change.new.is_none()) {
                self.journal.append(&Operation::Removed(resource.prefix(), last.revision));
            }
        }
    }

    /// Writes again some of what lies in the oldest segment, where the log is much longer than what it holds.
    fn clean(&mut self, batch: &Batch<'_>) {
        // On a full disk it is kept closer to what it holds.
        let tolerated = if self.room.is_full() { self.held_bytes / 8 } else { self.held_bytes };
        if self.journal.bytes() > self.held_bytes + tolerated + self.limits.clean_from_bytes {
            self.journal.clean(clean_bytes(self.journal.appended()), &mut |key, record| is_needed(batch, key, record));
        }
    }

    /// Counts what a commit brought and took away.
    fn count(&mut self, batch: &Batch<'_>) {
        let len = |entry: &Entry| (entry.key.len() + record::len(entry)) as u64;
        for (key, write) in &batch.writes {
            let before = batch.before(key).map_or(0, |entry| len(&entry));
            let now = match write {
                Write::Put(entry, _) => len(entry),
                Write::Delete => 0,
            };
            self.held_bytes = (self.held_bytes + now).saturating_sub(before);
        }
        let changes = || batch.changes.iter().flat_map(|(_, changes)| changes);
        let bytes = |entry: &Option<Arc<Entry>>| entry.as_ref().map_or(0, |entry| entry.body.len() as u64);
        self.room.committed(changes().map(|change| bytes(&change.new)).sum(), changes().map(|change| bytes(&change.old)).sum());
    }
}

/// Whether a record in the log is what its key holds, and goes on holding after this batch.
fn is_needed(batch: &Batch<'_>, key: &str, record: &[u8]) -> bool {
    let Some((revision, prefix_len)) = record::place(record) else { return false };
    let Some(key) = Key::from_parts(key, prefix_len) else { return false };
    !batch.writes.contains_key(&key) && batch.before(&key).is_some_and(|entry| entry.revision == revision)
}

impl Ledger for Disk {
    fn commit(&mut self, batch: &Batch<'_>) -> Result<(), Failure> {
        self.append(batch);
        self.clean(batch);
        match self.journal.commit(batch.revision) {
            // Without what cleaning brought there may be room.
            Err(Failure::Full) => {
                self.append(batch);
                self.journal.commit(batch.revision)?;
            }
            outcome => outcome?,
        }
        if let Some(witness) = &mut self.witness {
            witness.note(batch.revision).map_err(|error| Failure::Broken(format!("note what is durable: {error}")))?;
        }
        self.count(batch);
        Ok(())
    }

    fn room_bytes(&mut self) -> u64 {
        self.room.bytes()
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        // Everything that was answered is durable.
        Ok(())
    }

    fn abandon(self: Box<Self>) {
        // Closing a file syncs nothing: after a failed fsync the kernel may have dropped the pages it could not write, and a
        // second one would succeed and lie.
    }
}
