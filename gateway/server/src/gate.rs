//! What all requests share: the parts that the binary puts together from its flags. Holds no state of a request.

use std::sync::Arc;
use std::time::Duration;

use model::{Clock, Status};

use crate::endpoints::Endpoints;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::row::Row;
use crate::served::Served;

/// The server's parts.
pub struct Gate {
    /// Every resource, and what clients read of it.
    pub served: Served,
    /// Every object.
    pub store: store::Store,
    /// Who asks.
    pub authn: authn::Chain,
    /// Whether they may.
    pub authz: Arc<authz::Chain>,
    /// What must hold for a write.
    pub admission: admission::Chain,
    /// Webhooks that are called.
    pub client: crate::client::Client,
    /// Extension servers.
    pub aggregation: crate::aggregation::Aggregation,
    /// What policies say of what is stored.
    pub policies: Option<Arc<admission::policy::Policies>>,
    /// What is recorded.
    pub audit: audit::Log,
    /// Whose turn it is.
    pub flow: flow::Seats,
    /// Under which flow schema a request falls.
    pub flow_schemas: flow::Schemas,
    /// What admission looked at lately.
    pub looked: crate::looked::Looked,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Signs tokens of service accounts; without it `serviceaccounts/token` is not served.
    pub tokens: Option<Tokens>,
    /// Health, version, metrics and the like.
    pub endpoints: Endpoints,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether the server is about to end.
    pub lifecycle: Lifecycle,
    /// Components of the cluster that this process is itself: they are well as long as it answers.
    pub components: &'static [&'static str],
    /// Limits that flags set.
    pub limits: Limits,
}

/// How tokens of service accounts are issued.
pub struct Tokens {
    /// Signs.
    pub issuer: authn::service_account::Issuer,
    /// `--api-audiences`: for whom a token is that names nobody.
    pub audiences: Vec<String>,
    /// `--service-account-max-token-expiration`, in seconds.
    pub lifetime_s_max: Option<i64>,
    /// `--service-account-extend-token-expiration`.
    pub extend: bool,
}

/// Limits that flags set.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `--request-timeout`: how long a request may take that is not long-running.
    pub request: Duration,
    /// `--min-request-timeout`: a watch without a wish of its own lasts this long, up to twice as long.
    pub watch_min: Duration,
    /// `--event-ttl`, in seconds.
    pub event_ttl_s: u32,
    /// How long a read of a revision that is not there yet waits for it.
    pub revision_wait: Duration,
}

/// As long as upstream's watch cache waits: who heard of the revision elsewhere sees it here a moment later.
const REVISION_WAIT: Duration = Duration::from_secs(3);

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(60),
            watch_min: Duration::from_secs(1800),
            event_ttl_s: 3600,
            revision_wait: REVISION_WAIT,
        }
    }
}

impl Gate {
    /// Where objects of a row are read.
    pub fn store_of(&self, row: &Row) -> &store::Store {
        match &self.policies {
            Some(policies) if row.is_computed() => policies.reports().store(),
            _ => &self.store,
        }
    }

    /// What a failure of the store is for the client who asked for `operation`. A conflict is none of these.
    pub fn store_failed(&self, resource: &model::GroupResource, operation: &str, error: &store::Error) -> Status {
        match error {
            store::Error::Overloaded => Status::too_many_requests("the server's write queue is full, please try again later", 1),
            store::Error::Closed => Status::unavailable("apiserver is shutting down"),
            store::Error::Invalid { reason, .. } => Status::too_large(reason),
            // A cluster that cannot be reached is waited for, in vain.
            store::Error::Refused(reason) | store::Error::Unknown(reason) if **reason == *store::DEADLINE => {
                tracing::error!(%resource, operation, %error, "storage did not answer in time");
                Status::timeout(format_args!("request did not complete within requested timeout - {reason}"), 0)
            }
            // Upstream passes on what etcd says, as a failure without a reason: whether a write happened is not known then.
            store::Error::Refused(reason) | store::Error::Unknown(reason) => {
                tracing::error!(%resource, operation, %error, "storage did not answer as it should");
                Status::new(500, "", reason.as_ref())
            }
            store::Error::Conflict { .. } | store::Error::Failed(_) => {
                tracing::error!(%resource, operation, %error, "store failed");
                Status::server_timeout(resource, operation, 2)
            }
        }
    }
}
