//! The engine `disk`: commits become durable in one redb file. All objects are read into memory when it is opened and
//! never read from the file again. Does not order writes (`sequencer`).
//!
//! Settings of redb, and why:
//! - `Durability::Immediate`: `commit` returns after fdatasync; that is the acknowledgement's whole worth.
//! - One-phase commit: redb writes the new root and syncs once, and after a crash takes the newer of two roots whose
//!   checksums hold. The second phase guards against someone who chooses which pages reach the disk; it doubles the
//!   fsyncs, and such a person could change the file anyway.
//! - No quick repair: it makes every commit dearer to save a walk over the file after a crash, and all of the file is
//!   read at start in any case.
//! - Integrity checked at every open: otherwise redb trusts a file that was closed in good order, and a damaged page
//!   could lose records silently or panic. Each record has a checksum of its own besides, which is what can name the
//!   damaged key.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Revision;
use redb::{Builder, Database, Durability, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};

use crate::batch::{Batch, Write};
use crate::embedded::Loaded;
use crate::ledger::{Failure, Ledger};
use crate::room::{FileSystem, Room, Volume};
use crate::witness::Witness;
use crate::{Damage, FIRST_REVISION, record};

/// The store's file in its directory.
pub const FILE: &str = "store.redb";
/// The file whose lock keeps a second process out.
pub const LOCK_FILE: &str = "lock";
/// The file that says up to which revision everything was acknowledged, see `witness`.
pub const ACKNOWLEDGED_FILE: &str = "acknowledged";
/// The store's file while it is being made.
pub(crate) const UNFINISHED: &str = "store.redb.unfinished";
/// Version of the file's layout: which tables there are and what they mean.
pub const FORMAT: u64 = 1;

/// redb's page cache. The objects themselves are in memory already; this is for the tree's inner pages and what one
/// commit writes.
const CACHE_BYTES: usize = 32 << 20;

const OBJECTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("objects");
/// Numbers with a checksum each, see [`sealed`].
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const META_FORMAT: &str = "format";
/// The revision from which this store's history begins: of a restored one, that from which it was restored.
pub(crate) const META_FLOOR: &str = "floor";
/// With a resource's prefix after it: revision of the last removal there. Together with the newest record's revision this
/// says when the resource changed last, so that watches of what has been quiet since go on over a restart; and the highest
/// of all these is the store's revision.
const META_REMOVED: &str = "removed ";

/// Why a store cannot be opened. No record is changed then.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be made or read.
    #[error("cannot {step} {}", path.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("the store in {} is in use by another process; stop that one or choose another directory", dir.display())]
    Locked {
        /// The store's directory.
        dir: PathBuf,
    },
    /// It was written by another version.
    #[error("{} has format {found}, this version reads {FORMAT}; use the version that wrote it", file.display())]
    Format {
        /// The store's file.
        file: PathBuf,
        /// Its format.
        found: u64,
    },
    /// A record is damaged.
    #[error("{}: the record of {key} is damaged: {damage}; restore the file from a backup", file.display())]
    Record {
        /// The store's file.
        file: PathBuf,
        /// Key of the first damaged record.
        key: String,
        /// What is wrong with it.
        damage: Damage,
    },
    /// It is sound, and yet not all of it.
    #[error(
        "{} ends at revision {found}, but {acknowledged} was acknowledged: its newest commits are lost; restore it from a backup, \
         or remove {} to go on without them", file.display(), witness.display()
    )]
    Behind {
        /// The store's file.
        file: PathBuf,
        /// Its last revision.
        found: Revision,
        /// The file that knows better.
        witness: PathBuf,
        /// What it says.
        acknowledged: Revision,
    },
    /// A record is encrypted, and cannot be read with what is known.
    #[error("{}: the record of {key} is encrypted and cannot be read: {reason}", dir.display())]
    Sealed {
        /// The store's directory.
        dir: PathBuf,
        /// Key of the first such record.
        key: String,
        /// Why not.
        reason: String,
    },
    /// The file is damaged where no single record can be blamed.
    #[error("{} is damaged: {reason}; restore the file from a backup", file.display())]
    Damaged {
        /// The store's file.
        file: PathBuf,
        /// What redb found.
        reason: String,
    },
}

/// An open redb file with what belongs to it, and the lock of its directory.
pub(crate) struct Disk {
    database: Database,
    witness: Option<Witness>,
    room: Room,
    _lock: Option<Lock>,
}

/// Opens or makes the store in a directory.
pub(crate) fn open(dir: &Path) -> Result<(Disk, Loaded), OpenError> {
    let lock = lock(dir)?;
    if !dir.join(FILE).exists() {
        make(dir)?;
    }
    let (disk, loaded) = open_named(dir, FILE)?;
    let path = dir.join(ACKNOWLEDGED_FILE);
    let disk = disk.beside(Box::new(file(&path)?), &path, &dir.join(FILE), &loaded)?;
    sync_directory(dir)?;
    let disk = disk.on(Box::new(FileSystem(dir.to_owned())));
    Ok((Disk { _lock: Some(lock), ..disk }, loaded))
}

/// Makes a new store under another name first: what a power cut leaves of a file that is just being made is no store, and could
/// not be told from a damaged one.
fn make(dir: &Path) -> Result<(), OpenError> {
    let (unfinished, finished) = (dir.join(UNFINISHED), dir.join(FILE));
    match std::fs::remove_file(&unfinished) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(OpenError::Io { step: "remove", path: unfinished, source });
        }
        _ => {}
    }
    let (made, _) = open_named(dir, UNFINISHED)?;
    Box::new(made).close().map_err(|failure| damaged(&unfinished, &failure.0))?;
    std::fs::rename(&unfinished, &finished).map_err(|source| OpenError::Io { step: "make", path: finished, source })?;
    sync_directory(dir)
}

/// A store in a directory under another file name, which is still being filled.
pub(crate) fn open_unfinished(dir: &Path) -> Result<(Disk, Loaded), OpenError> {
    let lock = lock(dir)?;
    let (disk, loaded) = open_named(dir, UNFINISHED)?;
    Ok((Disk { _lock: Some(lock), ..disk }, loaded))
}

fn open_named(dir: &Path, name: &str) -> Result<(Disk, Loaded), OpenError> {
    let path = dir.join(name);
    let opened = open_on(&path, &|| file(&path))?;
    // The names of new files are durable only once their directory is.
    sync_directory(dir)?;
    Ok(opened)
}

/// A file, made when there is none. Secrets lie in it.
fn file(path: &Path) -> Result<redb::backends::FileBackend, OpenError> {
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = options.map_err(|source| OpenError::Io { step: "open", path: path.to_owned(), source })?;
    redb::backends::FileBackend::new(file).map_err(|error| damaged(path, &error))
}

/// The store on a disk of a test.
pub(crate) fn open_test(disk: &crate::fault::Disk) -> Result<(Disk, Loaded), OpenError> {
    let path = Path::new("(a disk in memory)");
    let (opened, loaded) = open_on(path, &|| Ok(disk.clone()))?;
    let opened = opened.beside(Box::new(disk.beside()), Path::new(ACKNOWLEDGED_FILE), path, &loaded)?;
    Ok((opened.on(Box::new(disk.clone())), loaded))
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(dir: &Path) -> Result<(), OpenError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|source| OpenError::Io { step: "sync", path: dir.to_owned(), source })
}

/// Opens a store on whatever `backend` gives; it is asked again when damage has to be looked into.
pub(crate) fn open_on<B: StorageBackend>(
    path: &Path,
    backend: &dyn Fn() -> Result<B, OpenError>,
) -> Result<(Disk, Loaded), OpenError> {
    let first = backend()?;
    let opened = guarded(path, || {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
        let database = builder.create_with_backend(first).map_err(|error| damaged(path, &error))?;
        prepare(path, &database)?;
        let loaded = load(path, &database)?;
        Ok((Disk { database, witness: None, room: Room::default(), _lock: None }, loaded))
    });
    match opened {
        Err(error @ OpenError::Damaged { .. }) => Err(damaged_record_of(path, backend()?).unwrap_or(error)),
        opened => opened,
    }
}

/// Names the damaged record of a file that redb found damaged, if it is one. Reads only.
fn damaged_record_of(path: &Path, backend: impl StorageBackend) -> Option<OpenError> {
    let read = guarded(path, || {
        let database = Builder::new().open_read_only_with_backend(backend).map_err(|error| damaged(path, &error))?;
        load(path, &database)
    });
    read.err().filter(|error| matches!(error, OpenError::Record { .. }))
}

/// redb panics on some damage instead of reporting it.
fn guarded<T>(path: &Path, open: impl FnOnce() -> Result<T, OpenError>) -> Result<T, OpenError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| Err(damaged(path, &"its pages contradict each other")))
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

/// Makes the tables of a new file, or checks the format of an old one.
fn prepare(path: &Path, database: &Database) -> Result<(), OpenError> {
    let existing = database.begin_read().map_err(|error| damaged(path, &error))?;
    match existing.open_table(META) {
        Ok(meta) => {
            let found = number(path, &meta, META_FORMAT)?;
            return if found == Some(FORMAT) {
                Ok(())
            } else {
                Err(OpenError::Format { file: path.to_owned(), found: found.unwrap_or(0) })
            };
        }
        Err(redb::TableError::TableDoesNotExist(_)) => {}
        Err(error) => return Err(damaged(path, &error)),
    }
    let make = || -> Result<(), redb::Error> {
        let write = database.begin_write()?;
        write.open_table(OBJECTS)?;
        let mut meta = write.open_table(META)?;
        meta.insert(META_FORMAT, &*sealed(META_FORMAT, FORMAT))?;
        meta.insert(META_FLOOR, &*sealed(META_FLOOR, FIRST_REVISION))?;
        drop(meta);
        Ok(write.commit()?)
    };
    make().map_err(|error| damaged(path, &error))
}

/// Reads everything, checking every record.
fn load(path: &Path, database: &impl ReadableDatabase) -> Result<Loaded, OpenError> {
    let fault = |error: redb::Error| damaged(path, &error);
    let read = database.begin_read().map_err(|error| fault(error.into()))?;
    let meta = read.open_table(META).map_err(|error| fault(error.into()))?;
    let objects = read.open_table(OBJECTS).map_err(|error| fault(error.into()))?;
    let mut loaded = Loaded { floor: number(path, &meta, META_FLOOR)?.unwrap_or(FIRST_REVISION), ..Loaded::default() };
    for row in meta.iter().map_err(|error| fault(error.into()))? {
        let (name, _) = row.map_err(|error| fault(error.into()))?;
        let Some(prefix) = name.value().strip_prefix(META_REMOVED) else { continue };
        let removed = number(path, &meta, name.value())?.unwrap_or(loaded.floor);
        loaded.removed.push((prefix.to_owned(), removed));
    }
    for row in objects.iter().map_err(|error| fault(error.into()))? {
        let (key, value) = row.map_err(|error| fault(error.into()))?;
        let fault = |damage| damaged_record(path, key.value(), damage);
        match record::sealed::decode(key.value(), value.value()).map_err(fault)? {
            Some(sealed) => loaded.sealed.push(sealed),
            None => loaded.entries.push(Arc::new(record::decode(key.value(), value.value()).map_err(fault)?)),
        }
    }
    Ok(loaded)
}

/// A number with a checksum over its name and itself.
fn sealed(name: &str, number: u64) -> Vec<u8> {
    let number = number.to_le_bytes();
    let mut sum = crc32fast::Hasher::new();
    sum.update(name.as_bytes());
    sum.update(&number);
    [&number[..], &sum.finalize().to_le_bytes()].concat()
}

fn number(path: &Path, meta: &impl ReadableTable<&'static str, &'static [u8]>, name: &str) -> Result<Option<u64>, OpenError> {
    let Some(row) = meta.get(name).map_err(|error| damaged(path, &error))? else { return Ok(None) };
    let (number, _) = row.value().split_first_chunk().ok_or_else(|| damaged_record(path, name, Damage::Length))?;
    let number = u64::from_le_bytes(*number);
    if row.value() == sealed(name, number) { Ok(Some(number)) } else { Err(damaged_record(path, name, Damage::Checksum)) }
}

fn damaged(path: &Path, reason: &dyn std::fmt::Display) -> OpenError {
    OpenError::Damaged { file: path.to_owned(), reason: reason.to_string() }
}

fn damaged_record(path: &Path, key: &str, damage: Damage) -> OpenError {
    OpenError::Record { file: path.to_owned(), key: key.to_owned(), damage }
}

impl Disk {
    /// With the file that says what was acknowledged, which must not be more than was loaded.
    fn beside(self, file: Box<dyn StorageBackend>, witness: &Path, store: &Path, loaded: &Loaded) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { step: "read", path: witness.to_owned(), source };
        let (opened, acknowledged) = Witness::open(file).map_err(io)?;
        let found = loaded.revision();
        match acknowledged.filter(|acknowledged| *acknowledged > found) {
            None => Ok(Self { witness: Some(opened), ..self }),
            Some(acknowledged) => {
                let (file, witness) = (store.to_owned(), witness.to_owned());
                Err(OpenError::Behind { file, found, witness, acknowledged })
            }
        }
    }

    /// On a volume that may be full.
    fn on(self, volume: Box<dyn Volume>) -> Self {
        Self { room: Room::on(volume), ..self }
    }

    /// Makes writes durable, and with them numbers under names of [`META`].
    pub(crate) fn write<'a>(
        &mut self,
        writes: impl Iterator<Item = (&'a str, &'a Write)>,
        numbers: impl Iterator<Item = (String, u64)>,
    ) -> Result<(), Failure> {
        self.transact(writes, numbers).map_err(|error| Failure(format!("commit: {error}")))
    }

    fn transact<'a>(
        &mut self,
        writes: impl Iterator<Item = (&'a str, &'a Write)>,
        numbers: impl Iterator<Item = (String, u64)>,
    ) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        let mut objects = transaction.open_table(OBJECTS)?;
        for (key, write) in writes {
            match write {
                Write::Put(_, record) => drop(objects.insert(key, &record[..])?),
                Write::Delete => drop(objects.remove(key)?),
            }
        }
        drop(objects);
        // Most commits have none and are spared the second tree.
        let mut numbers = numbers.peekable();
        if numbers.peek().is_some() {
            let mut meta = transaction.open_table(META)?;
            for (name, number) in numbers {
                meta.insert(&*name, &*sealed(&name, number))?;
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Ledger for Disk {
    fn commit(&mut self, batch: &Batch<'_>) -> Result<(), Failure> {
        let removed = batch.changes.iter().filter_map(|(resource, changes)| {
            let last = changes.iter().rfind(|change| change.new.is_none())?;
            Some((format!("{META_REMOVED}{}", resource.prefix()), last.revision))
        });
        self.write(batch.writes.iter().map(|(key, write)| (key.as_str(), write)), removed)?;
        if let Some(witness) = &mut self.witness {
            witness.note(batch.revision).map_err(|error| Failure(format!("note what is durable: {error}")))?;
        }
        let changes = || batch.changes.iter().flat_map(|(_, changes)| changes);
        let bytes = |entry: &Option<Arc<crate::Entry>>| entry.as_ref().map_or(0, |entry| entry.body.len() as u64);
        self.room.committed(changes().map(|change| bytes(&change.new)).sum(), changes().map(|change| bytes(&change.old)).sum());
        Ok(())
    }

    fn room_bytes(&mut self) -> u64 {
        self.room.bytes()
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.database.close().map_err(|error| Failure(format!("close: {error}")))
    }

    fn abandon(self: Box<Self>) {
        // After a failed fsync the kernel may have dropped the pages it could not write; a second fsync would succeed and
        // lie. redb refuses to sync after an error today; what is never dropped cannot sync whatever it does tomorrow.
        std::mem::forget(self);
    }
}
