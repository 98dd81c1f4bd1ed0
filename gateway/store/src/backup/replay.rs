//! Writes a saved store into one that is there and empty, object by object: how a store gets from one engine to another.
//! Makes no store (`backup`).

use std::io::Read;

use bytes::Bytes;
use futures::StreamExt;
use model::Clock;

use super::{BackupError, Saved, Stream};
use crate::entry::decimal_len;
use crate::{Draft, Entry, Expect, Op, Store};

/// Writes under way at once: what one etcd takes before it only queues them.
const AT_ONCE: usize = 32;

/// Reads a whole stream and checks everything in it.
pub fn check(input: &mut dyn Read) -> Result<Saved, BackupError> {
    let mut stream = Stream { input, objects: 0 };
    let saved = stream.head()?;
    while stream.next()?.is_some() {}
    stream.complete(saved)
}

/// Writes everything of a stream, after raising the store's revision beyond the stream's, so that no client sees an object
/// under a revision that is older than one it knows. `told` hears of each object that is written.
pub async fn replay(input: &mut dyn Read, store: &Store, clock: &dyn Clock, told: impl Fn(u64)) -> Result<Saved, BackupError> {
    let mut stream = Stream { input, objects: 0 };
    let saved = stream.head()?;
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
        if let Some((_, entry, _)) = next
            && let Some(draft) = draft(&entry, now_s)
        {
            under_way.push(store.commit(vec![Op::Put { key: entry.key.clone(), expect: Expect::Absent, draft }]));
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

/// What was written once, to be written again; nothing of what has expired since.
fn draft(entry: &Entry, now_s: u64) -> Option<Draft> {
    let ttl_s = match entry.expires_s {
        None => None,
        Some(expires_s) => Some(u32::try_from(expires_s.checked_sub(now_s).filter(|left_s| *left_s > 0)?).unwrap_or(u32::MAX)),
    };
    let at = entry.revision_at as usize;
    let body = [&entry.body[..at], &entry.body[at + decimal_len(entry.revision)..]].concat();
    Some(Draft { header: entry.header.clone(), body: Bytes::from(body), revision_at: at, ttl_s })
}
