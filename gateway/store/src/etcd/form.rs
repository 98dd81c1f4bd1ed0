//! How entries lie in a cluster: keys under the configured prefix, values through the transcoder and the transformer.
//! Asks the cluster nothing but when a lease ends.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use model::Revision;
use parking_lot::Mutex;

use super::client::Client;
use super::lease::Leases;
use super::wire::KeyValue;
use crate::encryption::{ENCRYPTED, ENCRYPTED_REFUSED};
use crate::unread::{Step, Unread};
use crate::{Draft, Entry, Key, Transcoder, Transformer, record};

/// Where every key begins within this program; a cluster may have another prefix.
const REGISTRY: &str = "/registry";

/// Keys and values of one cluster.
pub(super) struct Form {
    /// `--etcd-prefix`, with a slash before and none after.
    prefix: String,
    transcoder: Arc<dyn Transcoder>,
    transformer: Option<Arc<dyn Transformer>>,
    pub(super) leases: Leases,
    client: Arc<Client>,
    /// What this process is writing: it comes back with the watch, and need not be decoded then.
    own: Mutex<HashMap<Key, Own>>,
}

struct Own {
    value: Bytes,
    draft: Draft,
    expires_s: Option<u64>,
}

impl Form {
    pub(super) fn new(
        prefix: &str,
        transcoder: Arc<dyn Transcoder>,
        transformer: Option<Arc<dyn Transformer>>,
        leases: Leases,
        client: Arc<Client>,
    ) -> Self {
        let prefix = format!("/{}", prefix.trim_matches('/'));
        Self { prefix, transcoder, transformer, leases, client, own: Mutex::default() }
    }

    /// The range of all objects: its first key and the first one after it.
    pub(super) fn range(&self) -> (Bytes, Bytes) {
        self.range_of(&format!("{REGISTRY}/"))
    }

    /// The range of a resource's objects, by its prefix.
    pub(super) fn range_of(&self, prefix: &str) -> (Bytes, Bytes) {
        let start = self.outside(prefix);
        let mut end = start.to_vec();
        if let Some(last) = end.last_mut() {
            // The byte after a slash.
            *last = b'0';
        }
        (start, end.into())
    }

    /// The key that a health check reads.
    pub(super) fn health_key(&self) -> Bytes {
        format!("{}/health", self.prefix.trim_end_matches('/')).into()
    }

    /// A key as the cluster has it.
    pub(super) fn outside(&self, key: &str) -> Bytes {
        let rest = key.strip_prefix(REGISTRY).unwrap_or(key);
        format!("{}{rest}", self.prefix.trim_end_matches('/')).into()
    }

    /// A key of the cluster; `None` for what is no object.
    pub(super) fn inside(&self, outside: &[u8]) -> Option<Key> {
        let rest = std::str::from_utf8(outside).ok()?.strip_prefix(self.prefix.trim_end_matches('/'))?;
        let text = format!("{REGISTRY}{rest}");
        let prefix_len = u16::try_from(self.transcoder.prefix_len(&text)?).ok()?;
        Key::from_parts(&text, prefix_len)
    }

    /// The value that a draft becomes.
    pub(super) async fn value(&self, key: &Key, draft: &Draft) -> Result<Bytes, String> {
        let stored = self.transcoder.encode(key.prefix(), &draft.body)?;
        let outside = self.outside(key);
        match &self.transformer {
            None => Ok(stored.into()),
            Some(transformer) => {
                Ok(transformer.write_storage(key.prefix(), &String::from_utf8_lossy(&outside), stored).await?.into())
            }
        }
    }

    /// Notes what is about to be written.
    pub(super) fn note(&self, key: &Key, value: &Bytes, draft: &Draft, expires_s: Option<u64>) {
        self.own.lock().insert(key.clone(), Own { value: value.clone(), draft: draft.clone(), expires_s });
    }

    /// Forgets what was written or was not.
    pub(super) fn forget(&self, key: &Key, value: &Bytes) {
        let mut own = self.own.lock();
        if own.get(key).is_some_and(|own| own.value.as_ptr() == value.as_ptr()) {
            own.remove(key);
        }
    }

    /// The entry that a pair is: where nobody can read it, one that says so.
    pub(super) async fn entry(&self, key: &Key, kv: &KeyValue) -> Arc<Entry> {
        let (revision, created) = (number(kv.mod_revision), number(kv.create_revision));
        if let Some(own) = self.own.lock().get(key).filter(|own| own.value == kv.value) {
            return self.marked(record::encode(key, &own.draft, revision, created, own.expires_s).0, &kv.value);
        }
        let expires_s = self.leases.ends_s(&self.client, kv.lease).await;
        let entry = self.read(key, &kv.value, (revision, created), expires_s).await;
        if let Some(unread) = entry.unread() {
            tracing::error!(%key, reason = unread.reason, "an object in etcd cannot be read");
        }
        entry
    }

    /// What could not be read, read once more.
    pub(super) async fn again(&self, entry: Arc<Entry>) -> Arc<Entry> {
        match entry.unread() {
            Some(unread) => self.read(&entry.key, &unread.stored, (entry.revision, entry.created), entry.expires_s).await,
            None => entry,
        }
    }

    async fn read(
        &self,
        key: &Key,
        stored: &Bytes,
        (revision, created): (Revision, Revision),
        expires_s: Option<u64>,
    ) -> Arc<Entry> {
        match self.decode(key, stored).await {
            Ok(draft) => self.marked(record::encode(key, &draft, revision, created, expires_s).0, stored),
            Err((step, reason)) => {
                let unread = Unread { step, reason, stored: stored.clone() };
                Arc::new(Entry::unreadable(key.clone(), (revision, created), expires_s, unread))
            }
        }
    }

    fn marked(&self, entry: Arc<Entry>, value: &[u8]) -> Arc<Entry> {
        entry.set_mark(self.transformer.as_ref().map_or(0, |transformer| transformer.mark(value)));
        entry
    }

    /// Whether an entry would be stored with another key now.
    pub(super) fn is_stale(&self, entry: &Entry) -> bool {
        self.transformer.as_ref().is_some_and(|transformer| transformer.is_stale(entry.key.prefix(), entry.mark()))
    }

    /// Whether these bytes are what a draft becomes, but for the key that they may be encrypted with.
    pub(super) async fn is_of(&self, key: &Key, stored: &Bytes, draft: &Draft) -> bool {
        match (self.clear(key, stored).await, self.transcoder.encode(key.prefix(), &draft.body)) {
            (Ok(lies), Ok(would)) => lies == would,
            _ => false,
        }
    }

    async fn clear(&self, key: &Key, stored: &Bytes) -> Result<Bytes, String> {
        match &self.transformer {
            // Upstream's, where nothing is configured.
            None if stored.starts_with(ENCRYPTED) => Err(ENCRYPTED_REFUSED.to_owned()),
            None => Ok(stored.clone()),
            Some(transformer) => {
                let outside = self.outside(key);
                transformer.read_storage(key.prefix(), &String::from_utf8_lossy(&outside), stored.clone()).await
            }
        }
    }

    async fn decode(&self, key: &Key, stored: &Bytes) -> Result<Draft, (Step, String)> {
        let clear = self.clear(key, stored).await.map_err(|reason| (Step::Transform, reason))?;
        let decoded = self.transcoder.decode(key.prefix(), &clear).map_err(|reason| (Step::Decode, reason))?;
        Ok(Draft { header: decoded.header, body: decoded.body, revision_at: decoded.revision_at, ttl_s: None })
    }
}

fn number(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or(0)
}
