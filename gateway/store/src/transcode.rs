//! How an object lies in a storage that others read too: the seam through which the engine `etcd` is handed what it must know
//! of kinds, and what stands between the object's bytes and the storage (encryption). Knows neither itself.

use async_trait::async_trait;
use bytes::Bytes;

use crate::Header;

/// Makes of an object's bytes in the cache those that other API servers read, and back.
pub trait Transcoder: Send + Sync {
    /// How long the resource's prefix in a full key (`/registry/pods/default/web`) is, with its last slash. `None` for what is
    /// no object: another server's own records.
    fn prefix_len(&self, key: &str) -> Option<usize>;

    /// The stored form of a body as [`Draft`](crate::Draft) has it.
    fn encode(&self, prefix: &str, body: &[u8]) -> Result<Vec<u8>, String>;

    /// Reads a stored form.
    fn decode(&self, prefix: &str, stored: &[u8]) -> Result<Decoded, String>;
}

/// A stored object as the cache wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Labels and selectable fields.
    pub header: Header,
    /// The body, with an empty revision.
    pub body: Bytes,
    /// Where the revision goes.
    pub revision_at: usize,
}

/// Stands between the stored form and the storage: encryption at rest.
#[async_trait]
pub trait Transformer: Send + Sync {
    /// What is stored of an object under a resource's prefix. `key` is the storage's full key, to which the bytes are bound.
    async fn write_storage(&self, prefix: &str, key: &str, stored: Vec<u8>) -> Result<Vec<u8>, String>;

    /// What it was made from.
    async fn read_storage(&self, prefix: &str, key: &str, bytes: Bytes) -> Result<Bytes, String>;

    /// With what bytes were stored, as a number: whatever is stored with the same key has the same. 0 is in the clear.
    fn mark(&self, bytes: &[u8]) -> u32;

    /// Whether an object with such a mark would be stored with another key now.
    fn is_stale(&self, prefix: &str, mark: u32) -> bool;

    /// How the plugins are that it depends on; `None` where there are none.
    fn health(&self) -> Option<Result<(), String>> {
        None
    }
}
