//! Brings a store of format 1, one file of redb, into the log. The old file stays until the new log was opened; whatever ends the
//! process before that, the next start does it again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use model::Revision;
use redb::{Builder, ReadableDatabase, ReadableTable, TableDefinition};

use super::{OpenError, begin_unfinished, finish};
use crate::{Damage, FIRST_REVISION, record};

/// The store's file of format 1.
pub(super) const FILE: &str = "store.redb";
const FORMAT: u64 = 1;

const OBJECTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("objects");
/// Numbers with a checksum each, see [`sealed`].
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const META_FORMAT: &str = "format";
const META_FLOOR: &str = "floor";
/// With a resource's prefix after it: revision of the last removal there.
const META_REMOVED: &str = "removed ";
/// Bytes of records in one commit of the new log.
const COMMIT_BYTES: usize = 1 << 20;

/// Makes the log.
pub(super) fn run(dir: &Path) -> Result<(), OpenError> {
    let path = dir.join(FILE);
    // redb panics on some damage instead of reporting it.
    let copied = catch_unwind(AssertUnwindSafe(|| Old::open(&path)?.copy(dir)));
    let objects = copied.unwrap_or_else(|_| Err(damaged(&path, &"its pages contradict each other")))?;
    finish(dir)?;
    tracing::info!(objects, "the store was brought from format 1 to format {}", super::FORMAT);
    Ok(())
}

/// Removes the old file, once the log has been opened.
pub(super) fn remove_old(dir: &Path) -> Result<(), OpenError> {
    let path = dir.join(FILE);
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(OpenError::Io { step: "remove", path, source }),
        _ => Ok(()),
    }
}

/// The old file.
struct Old {
    path: PathBuf,
    database: redb::Database,
}

impl Old {
    fn open(path: &Path) -> Result<Self, OpenError> {
        let opened = Builder::new().set_check_integrity_on_open(true).open(path);
        Ok(Self { path: path.to_owned(), database: opened.map_err(|error| damaged(path, &error))? })
    }

    fn copy(&self, dir: &Path) -> Result<usize, OpenError> {
        let fault = |error: redb::Error| damaged(&self.path, &error);
        let read = self.database.begin_read().map_err(|error| fault(error.into()))?;
        let meta = read.open_table(META).map_err(|error| fault(error.into()))?;
        match self.number(&meta, META_FORMAT)? {
            Some(FORMAT) => {}
            found => return Err(OpenError::Format { file: self.path.clone(), found: found.unwrap_or(0) }),
        }
        let mut made = begin_unfinished(dir, self.number(&meta, META_FLOOR)?.unwrap_or(FIRST_REVISION))?;
        let write = |failure: crate::ledger::Failure| damaged(&dir.join(super::UNFINISHED), &failure);
        for row in meta.iter().map_err(|error| fault(error.into()))? {
            let (name, _) = row.map_err(|error| fault(error.into()))?;
            let Some(prefix) = name.value().strip_prefix(META_REMOVED) else { continue };
            let removed: Option<Revision> = self.number(&meta, name.value())?;
            made.fill(std::iter::empty(), removed.map(|removed| (prefix, removed)).into_iter()).map_err(write)?;
        }
        let objects = read.open_table(OBJECTS).map_err(|error| fault(error.into()))?;
        let (mut batch, mut bytes, mut count) = (Vec::new(), 0, 0);
        let mut fill = |batch: &mut Vec<(String, Vec<u8>)>| {
            let records = batch.iter().map(|(key, record)| (key.as_str(), record.as_slice()));
            let filled = made.fill(records, std::iter::empty()).map_err(write);
            batch.clear();
            filled
        };
        for row in objects.iter().map_err(|error| fault(error.into()))? {
            let (key, record) = row.map_err(|error| fault(error.into()))?;
            let (key, record) = (key.value(), record.value());
            record::check(key, record).map_err(|damage| self.damaged_record(key, damage))?;
            bytes += record.len();
            count += 1;
            batch.push((key.to_owned(), record.to_vec()));
            if bytes >= COMMIT_BYTES {
                fill(&mut batch)?;
                bytes = 0;
            }
        }
        fill(&mut batch)?;
        Ok(count)
    }

    fn number(&self, meta: &impl ReadableTable<&'static str, &'static [u8]>, name: &str) -> Result<Option<u64>, OpenError> {
        let Some(row) = meta.get(name).map_err(|error| damaged(&self.path, &error))? else { return Ok(None) };
        let (number, _) = row.value().split_first_chunk().ok_or_else(|| self.damaged_record(name, Damage::Length))?;
        let number = u64::from_le_bytes(*number);
        let sound = row.value() == sealed(name, number);
        if sound { Ok(Some(number)) } else { Err(self.damaged_record(name, Damage::Checksum)) }
    }

    fn damaged_record(&self, key: &str, damage: Damage) -> OpenError {
        OpenError::Record { file: self.path.clone(), key: key.to_owned(), damage }
    }
}

/// A number with a checksum over its name and itself.
fn sealed(name: &str, number: u64) -> Vec<u8> {
    let number = number.to_le_bytes();
    let mut sum = crc32fast::Hasher::new();
    sum.update(name.as_bytes());
    sum.update(&number);
    [&number[..], &sum.finalize().to_le_bytes()].concat()
}

fn damaged(path: &Path, reason: &dyn std::fmt::Display) -> OpenError {
    OpenError::Damaged { file: path.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use model::clock::SystemClock;

    use super::*;
    use crate::{Draft, Header, Key, Limits, Store};

    /// A store of format 1 with some objects, of which one is removed.
    fn old(dir: &Path, format: u64) {
        std::fs::create_dir_all(dir).expect("made");
        let database = redb::Database::create(dir.join(FILE)).expect("made");
        let write = database.begin_write().expect("begins");
        {
            let mut meta = write.open_table(META).expect("opens");
            let removed = format!("{META_REMOVED}/registry/pods/");
            for (name, number) in [(META_FORMAT, format), (META_FLOOR, 1), (&removed, 90)] {
                meta.insert(name, &*sealed(name, number)).expect("inserts");
            }
            let mut objects = write.open_table(OBJECTS).expect("opens");
            for n in 0..50_u64 {
                let key = Key::new("/registry/pods/", &format!("default/{n}"));
                let body = Bytes::from_static(br#"{"metadata":{"resourceVersion":""}}"#);
                let draft = Draft { header: Header::default(), body, revision_at: 32, ttl_s: None };
                let (_, record) = record::encode(&key, &draft, n + 10, n + 10, None);
                objects.insert(key.as_str(), &record[..]).expect("inserts");
            }
        }
        write.commit().expect("commits");
    }

    fn open(dir: &Path) -> Result<Store, OpenError> {
        Store::disk(dir, Arc::new(SystemClock), Limits::default())
    }

    #[tokio::test]
    async fn a_store_of_format_1_goes_on_as_it_was() {
        let dir = tempfile::tempdir().expect("a directory");
        old(dir.path(), FORMAT);
        // An attempt that was cut short.
        std::fs::create_dir(dir.path().join(super::super::UNFINISHED)).expect("made");
        for _ in 0..2 {
            let store = open(dir.path()).expect("opens");
            assert_eq!((store.revision(), store.resource("/registry/pods/").snapshot().len()), (90, 50));
            let entry = store.resource("/registry/pods/").get("/registry/pods/default/7").expect("there");
            assert_eq!((entry.revision, &entry.body[..]), (17, &br#"{"metadata":{"resourceVersion":"17"}}"#[..]));
            store.close().await.expect("closes");
            assert!(!dir.path().join(FILE).exists(), "there is one store in a directory");
        }
    }

    #[test]
    fn another_format_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        old(dir.path(), 7);
        let refused = open(dir.path()).err().expect("refused").to_string();
        assert!(refused.contains("store.redb has format 7"), "{refused}");
        assert!(dir.path().join(FILE).exists(), "it is left as it is");
    }
}
