//! Writes a saved store into one that is there and empty, object by object: how a store gets from one engine to another.
//! Makes no store (`backup`).

use std::io::Read;

use bytes::Bytes;
use futures::StreamExt;
use model::Clock;

use super::{BackupError, Content, Record, Saved, Stream, open};
use crate::{Draft, Entry, Expect, Op, Store, Transformer};

/// Writes under way at once: what one etcd takes before it only queues them.
const AT_ONCE: usize = 32;

/// Reads a whole stream and checks everything in it; with a transformer also that it can read what is encrypted.
pub async fn check(input: &mut dyn Read, transformer: Option<&dyn Transformer>) -> Result<Saved, BackupError> {
    let mut stream = Stream::of(input);
    let saved = stream.head()?;
    while let Some(record) = stream.next()? {
        if let (Content::Sealed(sealed), Some(transformer)) = (record.content, transformer) {
            open(sealed, transformer).await?;
        }
    }
    stream.complete(saved)
}

/// Writes everything of a stream, after raising the store's revision beyond the stream's, so that no client sees an object
/// under a revision that is older than one it knows. `told` hears of each object that is written.
pub async fn replay(input: &mut dyn Read, store: &Store, clock: &dyn Clock, told: impl Fn(u64)) -> Result<Saved, BackupError> {
    let mut stream = Stream::of(input);
    let saved = stream.head()?;
    let transformer = store.engine().transformer();
    if let Some(resource) = store.cache().resources().iter().find(|resource| !resource.snapshot().is_empty()) {
        return Err(BackupError::Occupied(format!("the store, in {},", resource.prefix())));
    }
    let write = |error: crate::Error| BackupError::Write(error.to_string());
    store.engine().raise(saved.revision.saturating_add(1)).await.map_err(write)?;
    let now_s = u64::try_from(clock.now().as_second()).unwrap_or(0);
    let (mut under_way, mut done) = (futures::stream::FuturesUnordered::new(), 0);
    loop {
        let next = stream.next()?;
        let last = next.is_none();
        if let Some(record) = next {
            let entry = entry(record, transformer.as_deref()).await?;
            let put = |draft| Op::Put { key: entry.key.clone(), expect: Expect::Absent, draft };
            under_way.extend(draft(&entry, now_s).map(|draft| store.commit(vec![put(draft)])));
        }
        while under_way.len() >= AT_ONCE || last && !under_way.is_empty() {
            if let Some(written) = under_way.next().await {
                written.map_err(write)?;
                done += 1;
                told(done);
            }
        }
        if last {
            return stream.complete(saved);
        }
    }
}

async fn entry(record: Record, transformer: Option<&dyn Transformer>) -> Result<Entry, BackupError> {
    match (record.content, transformer) {
        (Content::Clear(entry), _) => Ok(entry),
        (Content::Sealed(sealed), Some(transformer)) => open(sealed, transformer).await,
        (Content::Sealed(_), None) => {
            Err(BackupError::Decrypt { key: record.key, reason: "no encryption is configured".to_owned() })
        }
    }
}

/// What was written once, to be written again; nothing of what has expired since.
fn draft(entry: &Entry, now_s: u64) -> Option<Draft> {
    let ttl_s = match entry.expires_s {
        None => None,
        Some(expires_s) => Some(u32::try_from(expires_s.checked_sub(now_s).filter(|left_s| *left_s > 0)?).unwrap_or(u32::MAX)),
    };
    let (header, body) = (entry.header.clone(), Bytes::from(entry.unrevised()));
    Some(Draft { header, body, revision_at: entry.revision_at as usize, ttl_s })
}
