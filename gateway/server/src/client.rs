//! Calls webhooks and extension servers: over TLS to an address that was settled before, over connections that are kept for
//! the next call. Never follows a redirect, never looks for another address, and knows no kind: whom to call and what for is
//! said by `conversion`, `webhooks` and `aggregation`.
//! Follows `k8s.io/apiserver/pkg/util/webhook/client.go` and the REST client below it for the wording.

mod address;
mod answer;
mod connection;
mod credentials;
mod kubeconfig;
mod passing;
mod pinned;
mod shared;
mod trust;
mod unverified;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use model::Value;
use parking_lot::Mutex;
use rustls::client::ResolvesClientCert;

use crate::body::{self, Body};
use crate::gate::Gate;

use address::Address;
pub use address::{Routing, Target};
pub(crate) use connection::{Connection, Lost};
pub use credentials::Credentials;
pub(crate) use passing::{Over, Passing};
use shared::Shared;
pub use trust::{Terms, Trust};

/// Endpoints that are kept with their connections; upstream's client manager keeps as many.
const ENDPOINTS_MAX: usize = 200;
/// Connections that wait for the next call of one endpoint; upstream's transport keeps as many.
const IDLE_MAX: usize = 25;
/// How long a connection waits; upstream's as long.
const IDLE_LIFE: Duration = Duration::from_secs(90);

/// Everybody who is called.
#[derive(Default)]
pub struct Client {
    endpoints: Mutex<HashMap<String, Arc<Endpoint>>>,
    clock: AtomicU64,
    routing: Routing,
}

/// One who is called: where it is, whom it must prove to be, and the connections to it.
pub struct Endpoint {
    address: Address,
    trust: Trust,
    /// What it is told of who calls.
    authorization: Option<HeaderValue>,
    idle: Mutex<Vec<Idle>>,
    /// Connections of HTTP/2 to it.
    shared: Mutex<Vec<Shared>>,
    /// When it was last asked for, in calls of the client.
    used: AtomicU64,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// Why a call led to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The answer's status code; 503 where there was none.
    pub code: u16,
    /// In the manner of Go's client.
    pub message: String,
}

impl Client {
    /// One that reaches services so.
    pub fn routed(routing: Routing) -> Self {
        Self { routing, ..Self::default() }
    }

    /// Another number each time.
    fn turn(&self) -> usize {
        // What does not fit begins anew.
        self.clock.fetch_add(1, Ordering::Relaxed) as usize
    }

    /// Who is meant by a `clientConfig`. The same configuration has the same connections. Fails with the reason.
    pub fn endpoint(&self, config: &Value) -> Result<Arc<Endpoint>, String> {
        self.endpoint_shown(config, &Arc::default())
    }

    /// The same, where it is shown who calls.
    pub(crate) fn endpoint_shown(&self, config: &Value, credentials: &Arc<Credentials>) -> Result<Arc<Endpoint>, String> {
        // Connections over which one thing was shown are not used for another.
        let shown_by = if credentials.is_empty() { std::ptr::null() } else { Arc::as_ptr(credentials) };
        let (key, now) = (format!("{shown_by:?} {config}"), self.clock.fetch_add(1, Ordering::Relaxed));
        let mut endpoints = self.endpoints.lock();
        let endpoint = match endpoints.get(&key) {
            Some(known) => known.clone(),
            None => {
                let endpoint = Arc::new(Endpoint::of(config, credentials)?);
                if endpoints.len() >= ENDPOINTS_MAX {
                    let oldest = endpoints.iter().min_by_key(|(_, e)| e.used.load(Ordering::Relaxed)).map(|(key, _)| key.clone());
                    oldest.map(|key| endpoints.remove(&key));
                }
                endpoints.insert(key, endpoint.clone());
                endpoint
            }
        };
        endpoint.used.store(now, Ordering::Relaxed);
        Ok(endpoint)
    }
}

impl Endpoint {
    /// The side that a reference to a service means: `namespace`, `name` and `port`.
    pub(crate) fn of_service(service: &Value, trust: Trust) -> Self {
        Self::made(Address::of_service(service), trust, None)
    }

    fn made(address: Address, trust: Trust, authorization: Option<HeaderValue>) -> Self {
        let (idle, shared, used) = Default::default();
        Self { address, trust, authorization, idle, shared, used }
    }

    fn of(config: &Value, credentials: &Credentials) -> Result<Self, String> {
        let bundle = config.get("caBundle").and_then(Value::as_str).unwrap_or("");
        let bundle = BASE64_STANDARD.decode(bundle).unwrap_or_default();
        let address = Address::of(config)?;
        let shown = credentials.of(address.server_name(), address.port());
        let certificate = shown.certificate.map(|certificate| certificate as Arc<dyn ResolvesClientCert>);
        let trust = Trust::of(Terms { bundle: &bundle, shown: certificate, ..Terms::default() })?;
        Ok(Self::made(address, trust, shown.authorization))
    }

    /// Posts JSON and gives the answer's body. The other side is told how long its answer is waited for, in whole seconds.
    pub async fn post(&self, gate: &Gate, body: Bytes, limit: Duration) -> Result<Bytes, Failure> {
        let path = self.address.path_within(limit);
        let named =
            |why: String| Failure { code: 503, message: format!("Post \"https://{}{path}\": {why}", self.address.authority()) };
        match tokio::time::timeout(limit, self.exchange(gate, &path, body)).await {
            Ok(Ok(answer)) => answer::judge(answer),
            Ok(Err(why)) => Err(named(why)),
            Err(_) => Err(named("context deadline exceeded".to_owned())),
        }
    }

    async fn exchange(&self, gate: &Gate, path: &str, body: Bytes) -> Result<http::Response<Bytes>, String> {
        let target = self.address.resolve(gate)?;
        let request = || -> Result<Request<Body>, String> {
            let mut request = Request::builder()
                .method(Method::POST)
                .uri(path)
                .header(header::HOST, &target.authority)
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::ACCEPT, "application/json, */*")
                .header(header::USER_AGENT, concat!("gatehouse/", env!("CARGO_PKG_VERSION")))
                .body(body::full(body.clone()))
                .map_err(|error| error.to_string())?;
            if let Some(authorization) = &self.authorization {
                request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
            }
            Ok(request)
        };
        while let Some(connection) = self.waiting(&target) {
            match connection.send(request()?).await {
                Ok(answer) => return Ok(self.keep(answer)),
                // It was closed while it waited: what was sent did not arrive.
                Err(Lost::Closed) => {}
                Err(Lost::Failed(why)) => return Err(why),
            }
        }
        let connection = Connection::open(&target, &self.trust).await?;
        match connection.send(request()?).await {
            Ok(answer) => Ok(self.keep(answer)),
            Err(Lost::Closed) => Err("EOF".to_owned()),
            Err(Lost::Failed(why)) => Err(why),
        }
    }

    /// A connection to exactly this target that waits for a call.
    fn waiting(&self, target: &Target) -> Option<Connection> {
        let mut idle = self.idle.lock();
        idle.retain(|idle| idle.since.elapsed() < IDLE_LIFE && idle.connection.is_open());
        let at = idle.iter().rposition(|idle| idle.connection.leads_to(target))?;
        Some(idle.remove(at).connection)
    }

    fn keep(&self, (answer, connection): (http::Response<Bytes>, Option<Connection>)) -> http::Response<Bytes> {
        let mut idle = self.idle.lock();
        if let Some(connection) = connection.filter(|_| idle.len() < IDLE_MAX) {
            idle.push(Idle { connection, since: Instant::now() });
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn the_same_configuration_is_the_same_endpoint() {
        let client = Client::default();
        let of = |path: &str| client.endpoint(&json!({"url": format!("https://127.0.0.1:9443{path}")})).expect("an address");
        let first = of("/a");
        assert!(Arc::ptr_eq(&first, &of("/a")) && !Arc::ptr_eq(&first, &of("/b")));
        for other in 0..ENDPOINTS_MAX {
            of("/a");
            of(&format!("/{other}"));
        }
        assert_eq!(client.endpoints.lock().len(), ENDPOINTS_MAX);
        assert!(Arc::ptr_eq(&first, &of("/a")), "who is called again and again stays");
    }

    #[test]
    fn what_is_no_certificate_is_told() {
        let refused =
            |bundle: &str| Endpoint::of(&json!({"url": "https://127.0.0.1", "caBundle": bundle}), &Credentials::default()).err();
        assert_eq!(refused("Cg=="), None, "an empty bundle means the system's");
        assert_eq!(refused("eHl6"), Some("unable to load root certificates: unable to parse bytes as PEM block".to_owned()));
    }
}
