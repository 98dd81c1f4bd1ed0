//! Small objects that nearly every write looks at, parsed once for each of their revisions: its namespace, the service account and
//! the classes of a pod. Belongs to the server's own parts; what clients read is bytes (`store`).

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use model::{Revision, Status, Value};
use parking_lot::Mutex;
use store::{Entry, Key};

use crate::row::Row;

/// Parts of the memory, each with a lock of its own that is held for one look-up.
const SHARDS: usize = 16;
/// Objects in one part. A full part is emptied: who comes next fills it with what is looked at now.
const SHARD_OBJECTS_MAX: usize = 128;

/// Objects by their keys, each with the revision that it has.
type Shard = HashMap<Key, (Revision, Arc<Value>)>;

/// What was looked at lately.
#[derive(Default)]
pub struct Looked {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

impl Looked {
    /// An entry's object as its row shows it. Fails when it cannot be read.
    pub(crate) fn at(&self, row: &Row, entry: &Entry) -> Result<Arc<Value>, Status> {
        // One key has one value here, so that only what everybody sees as it is stored can be kept.
        if !row.shows_fields() || row.kind() != row.stored_kind() {
            return row.request_value(entry).map(Arc::new);
        }
        let shard = &self.shards[self.hasher.hash_one(&entry.key) as usize % SHARDS];
        if let Some((_, known)) = shard.lock().get(&entry.key).filter(|(revision, _)| *revision == entry.revision) {
            return Ok(known.clone());
        }
        let value = Arc::new(row.request_value(entry)?);
        let mut shard = shard.lock();
        if shard.len() >= SHARD_OBJECTS_MAX {
            shard.clear();
        }
        shard.insert(entry.key.clone(), (entry.revision, value.clone()));
        Ok(value)
    }
}
