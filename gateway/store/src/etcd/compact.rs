//! Lets go of old revisions, by upstream's rule: whoever wins the comparison of one key's version compacts to where the cluster
//! was an interval ago, so that of all API servers on a cluster one does it, once an interval.
//! Follows `compact.go` of upstream's etcd3 store.

use std::sync::Arc;
use std::time::Duration;

use super::client::{Client, Failure};
use super::wire::{self, Compare, Operand, PutRequest, RangeRequest, Request, RequestOp, Response};

/// Beside all prefixes, where upstream keeps it.
const KEY: &[u8] = b"compact_rev_key";

/// Compacts every interval, forever.
pub(super) async fn run(client: Arc<Client>, every: Duration) {
    let (mut time, mut revision) = (0, 0);
    loop {
        tokio::time::sleep(every).await;
        match turn(&client, time, revision).await {
            Ok(now) => (time, revision) = now,
            Err(failure) => tracing::warn!(error = failure.message(), "etcd was not compacted; tried again later"),
        }
    }
}

/// One attempt, knowing the version and the revision of the one before; gives those of now.
async fn turn(client: &Client, time: i64, revision: u64) -> Result<(i64, u64), Failure> {
    let key = bytes::Bytes::from_static(KEY);
    let op = |request| vec![RequestOp { request: Some(request) }];
    let request = wire::TxnRequest {
        compare: vec![Compare {
            result: wire::EQUAL,
            target: wire::VERSION,
            key: key.clone(),
            operand: Some(Operand::Version(time)),
        }],
        success: op(Request::Put(PutRequest { key: key.clone(), value: revision.to_string().into(), lease: 0 })),
        failure: op(Request::Range(RangeRequest { key, ..RangeRequest::default() })),
    };
    let answer: wire::TxnResponse = client.write(super::TXN, &request, super::WRITE_MAX).await?;
    let now = wire::revision(answer.header.as_ref());
    if !answer.succeeded {
        let found = answer.responses.into_iter().find_map(|response| match response.response {
            Some(Response::Range(range)) => range.kvs.into_iter().next(),
            _ => None,
        });
        return Ok((found.map_or(0, |kv| kv.version), now));
    }
    // Nothing is compacted at the first turn: nobody knows yet what others still read.
    if revision > 0 {
        let request = wire::CompactionRequest { revision: i64::try_from(revision).unwrap_or(i64::MAX) };
        let _: wire::CompactionResponse = client.write("/etcdserverpb.KV/Compact", &request, super::WRITE_MAX).await?;
        tracing::debug!(revision, "etcd compacted");
    }
    Ok((time + 1, now))
}
