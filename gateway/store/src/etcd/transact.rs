//! A transaction in a cluster: what is compared, what is put, and what its answer says of each operation.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::Revision;
use tokio::time::timeout;
use tonic::Code;

use super::client::Failure;
use super::wire::{self, Compare, KeyValue, Operand, Request, RequestOp, Response};
use super::{Cluster, Etcd, TXN, WRITE_MAX};
use crate::batch::holds;
use crate::unread::{Step, Unread};
use crate::{Cache, Committed, Draft, Entry, Error, Expect, Key, Op, record};

/// How long a write that is durable waits to come back with the watch. Beyond that it is answered all the same: the client
/// must learn that it happened, and who reads next waits for the cache by itself.
const VISIBLE_MAX: Duration = Duration::from_secs(15);

/// The cluster that all operations are about.
pub(super) fn cluster_of<'e>(engine: &'e Etcd, ops: &[Op]) -> Result<&'e Arc<Cluster>, Error> {
    let mut clusters = ops.iter().filter_map(|op| engine.cluster(op.key().prefix()));
    let first = clusters.next().or(engine.clusters.first()).ok_or(Error::Closed)?;
    match ops.iter().zip(std::iter::once(first).chain(clusters)).find(|(_, cluster)| !Arc::ptr_eq(cluster, first)) {
        None => Ok(first),
        Some((op, _)) => Err(Error::Invalid { key: op.key().clone(), reason: "the transaction spans two etcd clusters" }),
    }
}

/// Carries out a transaction.
pub(super) async fn run(cluster: &Cluster, cache: &Cache, ops: &[Op]) -> Result<Committed, Error> {
    match attempt(cluster, cache, ops).await {
        // The lease that was to be used again has ended, or belonged to a cluster that was restored since.
        Err(Refusal::NoLease) => {
            cluster.form.leases.forget().await;
            attempt(cluster, cache, ops).await.map_err(Refusal::error)
        }
        outcome => outcome.map_err(Refusal::error),
    }
}

enum Refusal {
    NoLease,
    Other(Error),
}

impl Refusal {
    fn error(self) -> Error {
        match self {
            Self::NoLease => Error::Refused("etcdserver: requested lease not found".into()),
            Self::Other(error) => error,
        }
    }
}

/// What is under way is noted, so that it need not be decoded when it comes back; the note ends with this.
struct Noted<'c>(&'c Cluster, Vec<(Key, Bytes)>);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.1.iter().for_each(|(key, value)| self.0.form.forget(key, value));
    }
}

async fn attempt(cluster: &Cluster, cache: &Cache, ops: &[Op]) -> Result<Committed, Refusal> {
    let mut noted = Noted(cluster, Vec::new());
    let mut request = wire::TxnRequest::default();
    let before: Vec<_> = ops.iter().map(|op| cache.resource(op.key().prefix()).get(op.key())).collect();
    for op in ops {
        let key = cluster.form.outside(op.key());
        request.compare.extend(compare(op, &key));
        let range = wire::RangeRequest { key: key.clone(), ..Default::default() };
        request.failure.push(RequestOp { request: Some(Request::Range(range)) });
        let change = match op {
            Op::Put { key: inside, draft, .. } => Request::Put(put(cluster, inside, key, draft, &mut noted).await?),
            Op::Delete { .. } => Request::Delete(wire::DeleteRangeRequest { key, prev_kv: true }),
        };
        request.success.push(RequestOp { request: Some(change) });
    }
    let answer: wire::TxnResponse = cluster.client.write(TXN, &request, WRITE_MAX).await.map_err(refusal)?;
    let revision = wire::revision(answer.header.as_ref());
    if timeout(VISIBLE_MAX, cluster.progress.reached(revision)).await.is_err() {
        tracing::warn!(revision, "what was written to etcd has not come back yet");
    }
    if answer.succeeded {
        Ok(Committed { revision, entries: entries(cluster, cache, (ops, &before), answer, revision).await })
    } else {
        Err(Refusal::Other(conflict(cluster, ops, answer).await))
    }
}

fn refusal(failure: Failure) -> Refusal {
    match failure {
        Failure::Refused(status) if status.code() == Code::NotFound && status.message().contains("lease not found") => {
            Refusal::NoLease
        }
        failure => Refusal::Other(failure.into()),
    }
}

async fn put(
    cluster: &Cluster,
    inside: &Key,
    key: Bytes,
    draft: &Draft,
    noted: &mut Noted<'_>,
) -> Result<wire::PutRequest, Refusal> {
    let (lease, expires_s) = match draft.ttl_s {
        None => (0, None),
        Some(ttl_s) => {
            let lease = cluster.form.leases.get(&cluster.client, u64::from(ttl_s)).await.map_err(refusal)?;
            let ends_s = cluster.form.leases.ends_s(&cluster.client, lease).await;
            (lease, ends_s.or_else(|| Some(u64::try_from(cluster.clock.now().as_second()).unwrap_or(0) + u64::from(ttl_s))))
        }
    };
    let value = cluster.form.value(inside, draft).await.map_err(|reason| Refusal::Other(Error::Refused(reason.into())))?;
    cluster.form.note(inside, &value, draft, expires_s);
    noted.1.push((inside.clone(), value.clone()));
    Ok(wire::PutRequest { key, value, lease })
}

/// What must hold; nothing for a put whatever is there.
fn compare(op: &Op, key: &Bytes) -> Option<Compare> {
    let (result, revision) = match (op.expect(), op) {
        (Expect::Absent, _) => (wire::EQUAL, 0),
        (Expect::Revision(revision), _) => (wire::EQUAL, i64::try_from(revision).unwrap_or(i64::MAX)),
        (Expect::Any, Op::Delete { .. }) => (wire::GREATER, 0),
        (Expect::Any, Op::Put { .. }) => return None,
    };
    Some(Compare { result, target: wire::MOD, key: key.clone(), operand: Some(Operand::ModRevision(revision)) })
}

/// What each operation led to. An entry that is in the cache is taken from there, so that what is rendered of it is shared.
async fn entries(
    cluster: &Cluster,
    cache: &Cache,
    (ops, before): (&[Op], &[Option<Arc<Entry>>]),
    answer: wire::TxnResponse,
    revision: Revision,
) -> Vec<Arc<Entry>> {
    let mut entries = Vec::with_capacity(ops.len());
    for ((op, before), response) in ops.iter().zip(before).zip(answer.responses) {
        entries.push(match op {
            Op::Put { key, draft, .. } => match cache.resource(key.prefix()).get(key).filter(|now| now.revision == revision) {
                Some(now) => now,
                None => {
                    let created = before.as_ref().map_or(revision, |before| before.created);
                    record::encode(key, draft, revision, created, None).0
                }
            },
            Op::Delete { key, .. } => removed(cluster, key, before.as_ref(), response).await.at_revision(revision),
        });
    }
    entries
}

/// The state that was deleted.
async fn removed(cluster: &Cluster, key: &Key, before: Option<&Arc<Entry>>, response: wire::ResponseOp) -> Arc<Entry> {
    let pair = match response.response {
        Some(Response::Delete(delete)) => delete.prev_kvs.into_iter().next(),
        _ => None,
    };
    if let (Some(before), Some(pair)) = (before, &pair)
        && i64::try_from(before.revision) == Ok(pair.mod_revision)
    {
        return before.clone();
    }
    match (pair, before) {
        (Some(pair), _) => cluster.form.entry(key, &pair).await,
        (None, Some(before)) => before.clone(),
        // A delete that took nothing away was refused.
        (None, None) => {
            let unread = Unread { step: Step::Decode, reason: "it was not told".to_owned(), stored: Bytes::new() };
            Arc::new(Entry::unreadable(key.clone(), (1, 1), None, unread))
        }
    }
}

/// Which condition did not hold.
async fn conflict(cluster: &Cluster, ops: &[Op], answer: wire::TxnResponse) -> Error {
    for (op, response) in ops.iter().zip(answer.responses) {
        let pair: Option<KeyValue> = match response.response {
            Some(Response::Range(range)) => range.kvs.into_iter().next(),
            _ => None,
        };
        let current = match &pair {
            Some(pair) => Some(cluster.form.entry(op.key(), pair).await),
            None => None,
        };
        if !holds(op, current.as_deref()) {
            return Error::Conflict { key: op.key().clone(), current };
        }
    }
    Error::Refused("etcd refused a transaction whose conditions hold".into())
}
