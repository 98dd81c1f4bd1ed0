//! A store in one stream: written from a running one, made into a new one. What `gatehouse snapshot` saves and restores. What the
//! store encrypts is encrypted in the stream too, in the form in which the engine `disk` keeps it: bound to the object's key within
//! this program, which is the same on every engine.
//! Does not decide where the stream goes.

mod replay;

use std::io::{self, Read, Write};
use std::path::Path;

use bytes::Bytes;
use model::Revision;

use crate::ledger::Failure;
use crate::record::sealed::{self, Sealed};
use crate::{Damage, Entry, FIRST_REVISION, Snapshot, Transformer, disk, record};

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
    /// How many of them are encrypted.
    pub encrypted: u64,
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
    /// An object cannot be read, so that the stream would lose it.
    #[error("{key} cannot be read and would be lost: {reason}")]
    Unread {
        /// Where it lies.
        key: String,
        /// Why not.
        reason: String,
    },
    /// An object cannot be encrypted.
    #[error("{key} cannot be encrypted: {reason}")]
    Encrypt {
        /// Where it lies.
        key: String,
        /// Why not.
        reason: String,
    },
    /// An object of the stream is encrypted, and not with anything that is known.
    #[error("{key} is encrypted and cannot be read: {reason}")]
    Decrypt {
        /// Where it lay.
        key: String,
        /// Why not.
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

/// Writes what [`Store::snapshot`](crate::Store::snapshot) gave, encrypted as the store's engine encrypts. Writers go on meanwhile;
/// what they replace is kept until the snapshots are dropped. Blocks while it writes.
pub async fn save(
    resources: &[Snapshot],
    transformer: Option<&dyn Transformer>,
    out: &mut dyn Write,
) -> Result<Saved, BackupError> {
    if let Some(entry) = resources.iter().flat_map(Snapshot::unread).next() {
        let reason = entry.unread().map(|unread| unread.reason.clone()).unwrap_or_default();
        return Err(BackupError::Unread { key: entry.key.to_string(), reason });
    }
    let revision = resources.iter().map(Snapshot::revision).max().unwrap_or(FIRST_REVISION);
    let objects: u64 = resources.iter().map(|resource| resource.len() as u64).sum();
    let mut saved = Saved { revision, objects, encrypted: 0 };
    let write = |source| BackupError::Io { step: "write", source };
    out.write_all(&saved.head()).map_err(write)?;
    for entry in resources.iter().flat_map(Snapshot::iter) {
        let encrypted = encrypted(entry, transformer).await?;
        saved.encrypted += u64::from(encrypted.is_some());
        let record = encrypted.unwrap_or_else(|| record::encode_again(entry));
        [entry.key.as_bytes(), &record].into_iter().try_for_each(|piece| put(out, piece)).map_err(write)?;
    }
    out.write_all(&END.to_le_bytes()).and_then(|()| out.flush()).map_err(write)?;
    Ok(saved)
}

/// An entry's record encrypted; nothing where it is kept in the clear.
async fn encrypted(entry: &Entry, transformer: Option<&dyn Transformer>) -> Result<Option<Bytes>, BackupError> {
    let Some(transformer) = transformer else { return Ok(None) };
    let clear = sealed::clear(&entry.header, &entry.unrevised(), entry.revision_at);
    let fault = |reason| BackupError::Encrypt { key: entry.key.to_string(), reason };
    let stored = transformer.write_storage(entry.key.prefix(), &entry.key, clear).await.map_err(fault)?;
    Ok((transformer.mark(&stored) != 0).then(|| sealed::encode(entry, &stored)))
}

impl Saved {
    /// The stream's first bytes.
    fn head(&self) -> Vec<u8> {
        let mut head = [&MAGIC[..], &self.revision.to_le_bytes(), &self.objects.to_le_bytes()].concat();
        head.extend(crc32fast::hash(&head).to_le_bytes());
        head
    }
}

fn put(out: &mut dyn Write, piece: &[u8]) -> io::Result<()> {
    // Keys and records are limited to a few MiB.
    out.write_all(&(piece.len() as u32).to_le_bytes())?;
    out.write_all(piece)
}

/// Makes a new store in a directory that holds none. The store appears there only when it is complete. With a transformer, what it
/// encrypts is encrypted that lies in the clear in the stream, and it must be able to read all else.
pub async fn restore(input: &mut dyn Read, transformer: Option<&dyn Transformer>, dir: &Path) -> Result<Saved, BackupError> {
    if disk::exists(dir) {
        return Err(BackupError::Occupied(dir.display().to_string()));
    }
    let io = |step| move |source| BackupError::Io { step, source };
    let saved = fill(input, transformer, dir).await?;
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

async fn fill(input: &mut dyn Read, transformer: Option<&dyn Transformer>, dir: &Path) -> Result<Saved, BackupError> {
    let mut stream = Stream::of(input);
    let saved = stream.head()?;
    let mut disk = disk::open_unfinished(dir, saved.revision.saturating_add(RESTORE_REVISION_STEP))?;
    let failed = |failure: Failure| BackupError::Write(failure.to_string());
    let mut batch: Vec<(String, Bytes)> = Vec::new();
    loop {
        let next = stream.next()?;
        let done = next.is_none();
        if let Some(Record { key, content, bytes }) = next {
            let encrypted = match content {
                Content::Clear(entry) => encrypted(&entry, transformer).await?,
                Content::Sealed(sealed) => {
                    if let Some(transformer) = transformer {
                        open(sealed, transformer).await?;
                    }
                    None
                }
            };
            batch.push((key, encrypted.unwrap_or(bytes)));
        }
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

/// The entry of an encrypted record.
async fn open(sealed: Sealed, transformer: &dyn Transformer) -> Result<Entry, BackupError> {
    let key = sealed.key.clone();
    let fault = |reason| BackupError::Decrypt { key: key.to_string(), reason };
    let clear = transformer.read_storage(key.prefix(), &key, sealed.bytes.clone()).await.map_err(fault)?;
    sealed.open(&clear).map_err(|(_, damage)| fault(damage.to_string()))
}

/// An object of a stream.
struct Record {
    key: String,
    content: Content,
    /// As it came, and as the engine `disk` keeps it.
    bytes: Bytes,
}

enum Content {
    Clear(Entry),
    Sealed(Sealed),
}

/// Reads a stream piece by piece.
struct Stream<'a> {
    input: &'a mut dyn Read,
    objects: u64,
    encrypted: u64,
}

impl<'a> Stream<'a> {
    fn of(input: &'a mut dyn Read) -> Self {
        Self { input, objects: 0, encrypted: 0 }
    }

    fn head(&mut self) -> Result<Saved, BackupError> {
        if self.array::<16>().map_err(|_| BackupError::Foreign)? != *MAGIC {
            return Err(BackupError::Foreign);
        }
        let (revision, objects) = (u64::from_le_bytes(self.array()?), u64::from_le_bytes(self.array()?));
        let saved = Saved { revision, objects, encrypted: 0 };
        let sum: [u8; 4] = self.array()?;
        if saved.head().ends_with(&sum) { Ok(saved) } else { Err(self.damaged(Damage::Checksum.to_string())) }
    }

    /// That as many objects came as were told, and nothing after them: who unpacks the stream finds out at its very end whether it
    /// was whole.
    fn complete(&mut self, saved: Saved) -> Result<Saved, BackupError> {
        match self.input.read(&mut [0]) {
            Ok(0) => {}
            Ok(_) => return Err(self.damaged("something follows its end".to_owned())),
            Err(error) => return Err(self.damaged(error.to_string())),
        }
        match self.objects == saved.objects {
            true => Ok(Saved { encrypted: self.encrypted, ..saved }),
            false => Err(self.damaged(format!("it should hold {}", saved.objects))),
        }
    }

    /// The next object, checked, or `None` after the last.
    fn next(&mut self) -> Result<Option<Record>, BackupError> {
        let Some(key) = self.piece()? else { return Ok(None) };
        let key = String::from_utf8(key).map_err(|_| self.damaged(Damage::Content.to_string()))?;
        let record = self.piece()?.ok_or_else(|| self.damaged(Damage::Length.to_string()))?;
        let damaged = |damage| self.damaged(format!("{key}: {damage}"));
        let content = match sealed::decode(&key, &record).map_err(damaged)? {
            Some(sealed) => Content::Sealed(sealed),
            None => Content::Clear(record::decode(&key, &record).map_err(damaged)?),
        };
        self.objects += 1;
        self.encrypted += u64::from(matches!(content, Content::Sealed(_)));
        Ok(Some(Record { key, content, bytes: record.into() }))
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
