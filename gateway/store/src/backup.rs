//! A store in one stream: written from a running one, made into a new one. What `gatehouse snapshot` saves and restores.
//! Does not decide where the stream goes.

mod replay;

use std::io::{self, Read, Write};
use std::path::Path;

use bytes::Bytes;
use model::Revision;

use crate::ledger::Failure;
use crate::{Damage, Entry, FIRST_REVISION, Snapshot, disk, record};

pub use replay::{check, replay};

/// First bytes of the stream, with its version.
const MAGIC: &[u8; 16] = b"gatehouse-store1";
/// After the last record, so that a stream that was cut short is noticed.
const END: u32 = u32::MAX;
/// Longest record or key accepted from a stream: a body and as much again for what comes before it.
const PIECE_BYTES_MAX: usize = 2 * crate::BODY_BYTES_MAX;
/// How far a restored store's revision lies beyond that of the stream. Clients may have seen later revisions than the stream
/// holds; they must never meet those again with another meaning. etcd's documentation advises the same number.
pub const RESTORE_REVISION_STEP: Revision = 1_000_000_000;
/// Records made durable at once while restoring; bounds memory.
const RESTORE_BATCH: usize = 1000;

/// What a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The revision at which it was taken.
    pub revision: Revision,
    /// Objects in it.
    pub objects: u64,
}

/// Why a store cannot be saved or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The stream cannot be written or read.
    #[error("cannot {step} the backup")]
    Io {
        /// What was tried.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The stream is none of ours.
    #[error("this is no backup of a store, or one of another version")]
    Foreign,
    /// The stream was damaged or cut short.
    #[error("the backup is damaged after {objects} objects: {reason}")]
    Damaged {
        /// Objects read before.
        objects: u64,
        /// What is wrong.
        reason: String,
    },
    /// The directory holds a store already.
    #[error("{0} holds a store already; restore into an empty directory")]
    Occupied(String),
    /// The new store cannot be made.
    #[error("cannot make the new store")]
    Open(#[from] disk::OpenError),
    /// The new store cannot be written.
    #[error("cannot write the new store: {0}")]
    Write(String),
}

/// Writes what [`Store::snapshot`](crate::Store::snapshot) gave. Writers go on meanwhile; what they replace is kept until the snapshots are dropped.
/// Blocks while it writes.
pub fn save(resources: &[Snapshot], out: &mut dyn Write) -> Result<Saved, BackupError> {
    let revision = resources.iter().map(Snapshot::revision).max().unwrap_or(FIRST_REVISION);
    let objects: u64 = resources.iter().map(|resource| resource.len() as u64).sum();
    let saved = Saved { revision, objects };
    let write = |source| BackupError::Io { step: "write", source };
    out.write_all(&saved.head()).map_err(write)?;
    for entry in resources.iter().flat_map(Snapshot::iter) {
        put(out, entry).map_err(write)?;
    }
    out.write_all(&END.to_le_bytes()).and_then(|()| out.flush()).map_err(write)?;
    Ok(saved)
}

impl Saved {
    /// The stream's first bytes.
    fn head(&self) -> Vec<u8> {
        let mut head = [&MAGIC[..], &self.revision.to_le_bytes(), &self.objects.to_le_bytes()].concat();
        head.extend(crc32fast::hash(&head).to_le_bytes());
        head
    }
}

fn put(out: &mut dyn Write, entry: &Entry) -> io::Result<()> {
    let record = record::encode_again(entry);
    for piece in [entry.key.as_bytes(), &record] {
        // Both are limited to a few MiB.
        out.write_all(&(piece.len() as u32).to_le_bytes())?;
        out.write_all(piece)?;
    }
    Ok(())
}

/// Makes a new store in a directory that holds none. The store appears there only when it is complete.
pub fn restore(input: &mut dyn Read, dir: &Path) -> Result<Saved, BackupError> {
    if disk::exists(dir) {
        return Err(BackupError::Occupied(dir.display().to_string()));
    }
    let io = |step| move |source| BackupError::Io { step, source };
    let saved = fill(input, dir)?;
    // What was acknowledged of a store that was there before says nothing of this one.
    match std::fs::remove_file(dir.join(disk::ACKNOWLEDGED_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io("remove what is left of an earlier store")(error));
        }
        _ => {}
    }
    disk::finish(dir)?;
    Ok(saved)
}

fn fill(input: &mut dyn Read, dir: &Path) -> Result<Saved, BackupError> {
    let mut stream = Stream { input, objects: 0 };
    let saved = stream.head()?;
    let mut disk = disk::open_unfinished(dir, saved.revision.saturating_add(RESTORE_REVISION_STEP))?;
    let failed = |failure: Failure| BackupError::Write(failure.to_string());
    let mut batch: Vec<(String, Bytes)> = Vec::new();
    loop {
        let next = stream.next()?;
        let done = next.is_none();
        batch.extend(next.map(|(key, _, record)| (key, record)));
        if done || batch.len() == RESTORE_BATCH {
            let records = batch.iter().map(|(key, record)| (key.as_str(), &record[..]));
            disk.fill(records, std::iter::empty()).map_err(failed)?;
            batch.clear();
        }
        if done {
            return stream.complete(saved);
        }
    }
}

/// Reads a stream piece by piece.
struct Stream<'a> {
    input: &'a mut dyn Read,
    objects: u64,
}

impl Stream<'_> {
    fn head(&mut self) -> Result<Saved, BackupError> {
        if self.array::<16>().map_err(|_| BackupError::Foreign)? != *MAGIC {
            return Err(BackupError::Foreign);
        }
        let saved = Saved { revision: u64::from_le_bytes(self.array()?), objects: u64::from_le_bytes(self.array()?) };
        let sum: [u8; 4] = self.array()?;
        if saved.head().ends_with(&sum) { Ok(saved) } else { Err(self.damaged(Damage::Checksum.to_string())) }
    }

    /// That as many objects came as were told.
    fn complete(&self, saved: Saved) -> Result<Saved, BackupError> {
        if self.objects == saved.objects { Ok(saved) } else { Err(self.damaged(format!("it should hold {}", saved.objects))) }
    }

    /// The next object, checked, or `None` after the last.
    fn next(&mut self) -> Result<Option<(String, Entry, Bytes)>, BackupError> {
        let Some(key) = self.piece()? else { return Ok(None) };
        let key = String::from_utf8(key).map_err(|_| self.damaged(Damage::Content.to_string()))?;
        let record = self.piece()?.ok_or_else(|| self.damaged(Damage::Length.to_string()))?;
        let entry = record::decode(&key, &record).map_err(|damage| self.damaged(format!("{key}: {damage}")))?;
        self.objects += 1;
        Ok(Some((key, entry, record.into())))
    }

    fn piece(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        let len = u32::from_le_bytes(self.array()?);
        if len == END {
            return Ok(None);
        }
        if len as usize > PIECE_BYTES_MAX {
            return Err(self.damaged(Damage::Length.to_string()));
        }
        let mut piece = vec![0; len as usize];
        self.fill(&mut piece)?;
        Ok(Some(piece))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.input.read_exact(bytes).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("it ends too early".into()),
            _ => BackupError::Io { step: "read", source },
        })
    }

    fn damaged(&self, reason: String) -> BackupError {
        BackupError::Damaged { objects: self.objects, reason }
    }
}
