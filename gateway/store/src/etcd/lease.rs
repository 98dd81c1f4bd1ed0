//! Leases of what goes away by itself. One lease is shared by all that is written within a while, because leases are dear in
//! etcd; follows `lease_manager.go` of upstream's etcd3 store, rule by rule, so that both wear the cluster alike.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::Clock;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::client::{Client, Failure};
use super::wire;

/// The share of its life for which a lease is used again, as upstream.
const REUSE_PERCENT: u64 = 5;
/// Objects on one lease: upstream's bound, beyond which its end would be one large deletion.
const OBJECTS_MAX: u64 = 1000;
/// Leases whose end is remembered; each belongs to up to a thousand objects, and beyond this they are asked for anew.
const KNOWN_MAX: usize = 4096;
/// How long a question about a lease may take. Its answer only tells when an object ends, which etcd sees to itself.
const ASK_MAX: Duration = Duration::from_secs(5);

/// The leases of one cluster.
pub(super) struct Leases {
    clock: Arc<dyn Clock>,
    /// `--lease-reuse-duration-seconds`.
    reuse_s: u64,
    last: tokio::sync::Mutex<Option<Lease>>,
    /// When a lease ends, in seconds since 1970.
    known: Mutex<HashMap<i64, u64>>,
}

struct Lease {
    id: i64,
    ends: Instant,
    objects: u64,
}

impl Leases {
    pub(super) fn new(clock: Arc<dyn Clock>, reuse_s: u64) -> Self {
        Self { clock, reuse_s, last: tokio::sync::Mutex::new(None), known: Mutex::new(HashMap::new()) }
    }

    /// A lease that lasts at least so long, and only a little longer.
    pub(super) async fn get(&self, client: &Client, ttl_s: u64) -> Result<i64, Failure> {
        let mut last = self.last.lock().await;
        let reuse_s = self.reuse_s.min(ttl_s * REUSE_PERCENT / 100);
        let now = Instant::now();
        if let Some(lease) = last.as_mut() {
            lease.objects += 1;
            let lasts = now + Duration::from_secs(ttl_s) < lease.ends;
            let ends_soon_after = now + Duration::from_secs(ttl_s + reuse_s) > lease.ends;
            if lasts && ends_soon_after && lease.objects <= OBJECTS_MAX {
                return Ok(lease.id);
            }
        }
        let ttl = ttl_s + reuse_s;
        let request = wire::LeaseGrantRequest { ttl: i64::try_from(ttl).unwrap_or(i64::MAX) };
        let granted: wire::LeaseGrantResponse =
            client.write("/etcdserverpb.Lease/LeaseGrant", &request, super::WRITE_MAX).await?;
        if !granted.error.is_empty() {
            return Err(Failure::Refused(tonic::Status::failed_precondition(granted.error)));
        }
        self.remember(granted.id, ttl);
        *last = Some(Lease { id: granted.id, ends: now + Duration::from_secs(ttl), objects: 1 });
        Ok(granted.id)
    }

    /// Uses no lease again that was given before: the cluster does not know it any more.
    pub(super) async fn forget(&self) {
        *self.last.lock().await = None;
    }

    /// When the objects of a lease go away, in seconds since 1970; `None` for no lease, or when nobody can tell.
    pub(super) async fn ends_s(&self, client: &Client, id: i64) -> Option<u64> {
        if id == 0 {
            return None;
        }
        if let Some(ends_s) = self.known.lock().get(&id) {
            return Some(*ends_s);
        }
        let request = wire::LeaseTimeToLiveRequest { id };
        let answer: Result<wire::LeaseTimeToLiveResponse, _> =
            client.read("/etcdserverpb.Lease/LeaseTimeToLive", &request, ASK_MAX).await;
        let left_s = u64::try_from(answer.ok()?.ttl).unwrap_or(0);
        Some(self.remember(id, left_s))
    }

    fn remember(&self, id: i64, left_s: u64) -> u64 {
        let ends_s = u64::try_from(self.clock.now().as_second()).unwrap_or(0) + left_s;
        let mut known = self.known.lock();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(id, ends_s);
        ends_s
    }
}
