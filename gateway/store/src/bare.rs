//! The log of the engine `disk` without a store around it: for who compares it with other engines (`compare`, a program of its
//! own). Nothing of a server uses it.

use std::path::Path;

use model::Revision;

use crate::folder::Directory;
use crate::journal::{Journal, Operation};
use crate::{FIRST_REVISION, Limits};

/// An open log.
pub struct Log(Journal);

impl Log {
    /// Opens or makes the log in a folder; `told` hears of each key what it held last, first of all of what it holds: the newest
    /// comes first. Fails with what an operator would read.
    pub fn open(folder: &Path, mut told: impl FnMut(&str, Option<&[u8]>)) -> Result<Self, String> {
        let directory = || Box::new(Directory(folder.to_owned()));
        let is_new = std::fs::read_dir(folder).map_err(|error| error.to_string())?.next().is_none();
        if is_new {
            drop(Journal::create(directory(), Limits::DEFAULT, FIRST_REVISION).map_err(|error| error.to_string())?);
        }
        let journal = Journal::open(directory(), Limits::DEFAULT, folder, &mut |operation| {
            match operation {
                Operation::Put(key, record) => told(key, Some(record)),
                Operation::Delete(key) => told(key, None),
                _ => {}
            }
            Ok(())
        });
        Ok(Self(journal.map_err(|error| error.to_string())?))
    }

    /// Adds a write of a key, or its removal, to the next commit.
    pub fn append(&mut self, key: &str, record: Option<&[u8]>) {
        self.0.append(&record.map_or(Operation::Delete(key), |record| Operation::Put(key, record)));
    }

    /// Cleans as the engine does that holds so many bytes: `needed` says whether a key holds this record.
    pub fn clean(&mut self, held_bytes: u64, mut needed: impl FnMut(&str, &[u8]) -> bool) {
        if self.0.bytes() > 2 * held_bytes + Limits::DEFAULT.clean_from_bytes {
            let bytes = crate::disk::clean_bytes(self.0.appended());
            self.0.clean(bytes, &mut needed);
        }
    }

    /// Makes durable what was appended.
    pub fn commit(&mut self, revision: Revision) -> Result<(), String> {
        self.0.commit(revision).map_err(|failure| failure.to_string())
    }
}
