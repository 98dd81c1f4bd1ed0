//! Calls to an etcd cluster: one connection at a time, to the next server when one does not answer. A call that changes
//! nothing is tried again; of one that does it is told apart whether it certainly did not happen or nobody can tell.
//! Knows no key and no meaning of what it sends (`wire`).

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::Stream;
use http::uri::PathAndQuery;
use prost::Message;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::client::Grpc;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, ConnectError, Status, Streaming};
use tonic_prost::ProstCodec;

use super::wire;

/// How long a connection may take to be made: upstream's, which slow machines need for TLS.
const CONNECT_MAX: Duration = Duration::from_secs(20);
/// A connection on which nothing has come for so long is asked whether it is alive, as upstream does.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);
const KEEPALIVE_MAX: Duration = Duration::from_secs(10);
/// How much an etcd may send before it is told to go on: enough for lists. A window that adapts itself sends pings, and after
/// a few of those that come faster than its policy allows etcd closes the connection, with whatever is under way on it.
const WINDOW_BYTES: u32 = 8 << 20;
/// What a member says that is cut off.
const NO_LEADER: &str = "etcdserver: no leader";
/// What is said of a call that took too long.
pub const DEADLINE: &str = "context deadline exceeded";
/// Pauses between attempts: short at first, because a leader is elected within a second.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Where an etcd cluster is and how it is spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Servers {
    /// `--etcd-servers`: URLs with scheme.
    pub urls: Vec<String>,
    /// `--etcd-cafile`: who may have signed the servers' certificates; without it, whom the system trusts.
    pub ca: Option<PathBuf>,
    /// `--etcd-certfile`: what is shown to the servers.
    pub certificate: Option<PathBuf>,
    /// `--etcd-keyfile`: its key.
    pub key: Option<PathBuf>,
}

/// Why a cluster cannot be spoken to at all.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file of the TLS settings cannot be read.
    #[error("read {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A server's URL is of no kind that etcd is reached by.
    #[error("etcd server {0:?}: the scheme must be http, https or unix")]
    Scheme(String),
    /// A server's URL or the TLS settings make no sense.
    #[error("etcd server {url:?}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong.
        source: tonic::transport::Error,
    },
}

/// Why a call did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// It certainly had no effect.
    Refused(Status),
    /// Nobody can tell whether it had.
    Unknown(Status),
}

impl Failure {
    pub(super) fn status(&self) -> &Status {
        match self {
            Self::Refused(status) | Self::Unknown(status) => status,
        }
    }

    /// In etcd's own words. Where it was not reached, those of upstream's client, which waits for a connection as long as it may.
    pub(super) fn message(&self) -> &str {
        match self.status() {
            unsent if is_unsent(unsent) => DEADLINE,
            status => status.message(),
        }
    }

    /// The same for who operates the server: also why etcd was not reached.
    pub(super) fn cause(&self) -> String {
        match self.status() {
            unsent if is_unsent(unsent) => dialing("tcp", unsent),
            status => status.message().to_owned(),
        }
    }
}

/// A cluster. Cheap to share.
pub(super) struct Client {
    servers: Vec<Channel>,
    /// Which of them is asked now.
    current: AtomicUsize,
}

impl Client {
    /// Connects when it is first used; needs a runtime.
    pub(super) fn new(servers: &Servers) -> Result<Self, SettingsError> {
        let tls = tls(servers)?;
        let channel = |given: &String| {
            let url = url(given, servers)?;
            let fault = |source| SettingsError::Url { url: url.clone(), source };
            let mut endpoint = Endpoint::from_shared(url.clone()).map_err(fault)?;
            if url.starts_with("https:") {
                endpoint = endpoint.tls_config(tls.clone()).map_err(fault)?;
            }
            let endpoint = endpoint
                .connect_timeout(CONNECT_MAX)
                .http2_keep_alive_interval(KEEPALIVE_EVERY)
                .keep_alive_timeout(KEEPALIVE_MAX)
                .keep_alive_while_idle(true)
                .initial_stream_window_size(WINDOW_BYTES)
                .initial_connection_window_size(WINDOW_BYTES);
            Ok(endpoint.connect_lazy())
        };
        let servers = servers.urls.iter().map(channel).collect::<Result<_, _>>()?;
        Ok(Self { servers, current: AtomicUsize::new(0) })
    }

    /// Asks something that changes nothing, again and again until the deadline.
    pub(super) async fn read<Q: Message + Clone + 'static, A: Message + Default + 'static>(
        &self,
        path: &'static str,
        request: &Q,
        patience: Duration,
    ) -> Result<A, Failure> {
        self.ask(path, request, patience, |failure| is_passing(failure.status())).await
    }

    /// Asks something that may have an effect: once, or again only where it certainly has not had one.
    pub(super) async fn write<Q: Message + Clone + 'static, A: Message + Default + 'static>(
        &self,
        path: &'static str,
        request: &Q,
        patience: Duration,
    ) -> Result<A, Failure> {
        self.ask(path, request, patience, |failure| matches!(failure, Failure::Refused(status) if is_passing(status))).await
    }

    /// Asks, with growing pauses, as long as what failed may be tried again.
    async fn ask<Q: Message + Clone + 'static, A: Message + Default + 'static>(
        &self,
        path: &'static str,
        request: &Q,
        patience: Duration,
        again: fn(&Failure) -> bool,
    ) -> Result<A, Failure> {
        let deadline = Instant::now() + patience;
        let mut pause = RETRY_FIRST;
        loop {
            match self.call(path, request.clone(), deadline).await {
                Err(failure) if again(&failure) && Instant::now() + pause < deadline => {
                    sleep(pause).await;
                    pause = (pause * 2).min(RETRY_MAX);
                }
                answer => return answer,
            }
        }
    }

    async fn call<Q: Message + 'static, A: Message + Default + 'static>(
        &self,
        path: &'static str,
        request: Q,
        deadline: Instant,
    ) -> Result<A, Failure> {
        let at = self.current.load(Ordering::Relaxed);
        let answered = async {
            let mut grpc = self.grpc(at).await?;
            grpc.unary(led(request), PathAndQuery::from_static(path), ProstCodec::<Q, A>::default()).await
        };
        let late = || Err(Status::deadline_exceeded(DEADLINE));
        match timeout_at(deadline, answered).await.unwrap_or_else(|_| late()) {
            Ok(response) => Ok(response.into_inner()),
            Err(status) => {
                if is_passing(&status) {
                    self.leave(at);
                }
                Err(judged(status))
            }
        }
    }

    /// Opens a watch: what `requests` yields is sent, what comes is streamed.
    pub(super) async fn watch(
        &self,
        requests: impl Stream<Item = wire::WatchRequest> + Send + 'static,
    ) -> Result<Streaming<wire::WatchResponse>, Status> {
        const PATH: &str = "/etcdserverpb.Watch/Watch";
        let at = self.current.load(Ordering::Relaxed);
        let opened = async {
            let mut grpc = self.grpc(at).await?;
            let codec = ProstCodec::<wire::WatchRequest, wire::WatchResponse>::default();
            grpc.streaming(led(requests), PathAndQuery::from_static(PATH), codec).await
        };
        opened.await.map(tonic::Response::into_inner).inspect_err(|_| self.leave(at))
    }

    async fn grpc(&self, at: usize) -> Result<Grpc<Channel>, Status> {
        let channel = self.servers.get(at).cloned().ok_or_else(|| Status::unavailable("no etcd server is known"))?;
        // An object may be larger than gRPC's default; etcd's own limit counts.
        let mut grpc = Grpc::new(channel).max_decoding_message_size(usize::MAX).max_encoding_message_size(usize::MAX);
        grpc.ready().await.map_err(|error| Status::from_error(Box::new(error)))?;
        Ok(grpc)
    }

    /// Goes on with the next server, unless somebody has done so already.
    pub(super) fn leave(&self, at: usize) {
        let next = (at + 1) % self.servers.len().max(1);
        let _ = self.current.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The server that is asked now.
    pub(super) fn current(&self) -> usize {
        self.current.load(Ordering::Relaxed)
    }
}

/// A request to a member that has a leader: one that is cut off from its cluster must say so instead of being silent.
fn led<T>(message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("hasleader", tonic::metadata::MetadataValue::from_static("true"));
    request
}

/// A server as it is connected to. Where no scheme is told etcd's own client goes by whether there are TLS settings.
fn url(given: &str, servers: &Servers) -> Result<String, SettingsError> {
    match given.split_once("://") {
        Some(("http" | "https" | "unix", _)) => Ok(given.to_owned()),
        Some(_) => Err(SettingsError::Scheme(given.to_owned())),
        None => {
            let secure = servers.ca.is_some() || servers.certificate.is_some();
            Ok(format!("{}://{given}", if secure { "https" } else { "http" }))
        }
    }
}

fn tls(servers: &Servers) -> Result<ClientTlsConfig, SettingsError> {
    let read = |path: &PathBuf| std::fs::read(path).map_err(|source| SettingsError::File { path: path.clone(), source });
    let mut tls = ClientTlsConfig::new();
    tls = match &servers.ca {
        Some(ca) => tls.ca_certificate(Certificate::from_pem(read(ca)?)),
        None => tls.with_native_roots(),
    };
    if let (Some(certificate), Some(key)) = (&servers.certificate, &servers.key) {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    Ok(tls)
}

/// Whether it may go better at another time or with another server.
pub(super) fn is_passing(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Internal | Code::Cancelled)
}

/// Of what etcd itself refused the effect is known, and of what was never sent.
fn judged(status: Status) -> Failure {
    // A member asks itself for its leader before it looks at what it was sent.
    if is_unsent(&status) || status.message() == NO_LEADER || !is_passing(&status) {
        Failure::Refused(status)
    } else {
        Failure::Unknown(status)
    }
}

/// Whether there was no connection on which it could have been sent.
pub(crate) fn is_unsent(status: &Status) -> bool {
    std::error::Error::source(status).is_some_and(never_connected)
}

/// Why there was no connection to what lies at a place, as Go's gRPC says it.
pub(crate) fn dialing(place: &str, status: &Status) -> String {
    let why = deepest(status);
    let mut words = why.split(" (os error").next().unwrap_or_default().to_owned();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    format!("connection error: desc = \"transport: Error while dialing: dial {place}: connect: {words}\"")
}

/// What all others were caused by.
fn deepest(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), deepest)
}

fn never_connected(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<ConnectError>() || error.source().is_some_and(never_connected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_etcd_refused_had_no_effect_and_what_it_lost_may_have() {
        let refused = |status: Status| matches!(judged(status), Failure::Refused(_));
        assert!(refused(Status::invalid_argument("etcdserver: request is too large")));
        assert!(refused(Status::resource_exhausted("etcdserver: mvcc: database space exceeded")));
        assert!(refused(Status::unavailable("etcdserver: no leader")));
        assert!(!refused(Status::unavailable("etcdserver: request timed out")));
        assert!(!refused(Status::unavailable("etcdserver: leader changed")));
        assert!(!refused(Status::deadline_exceeded("context deadline exceeded")));
    }

    #[test]
    fn a_server_may_be_told_without_a_scheme() {
        let plain = Servers::default();
        let secure = Servers { ca: Some("/ca".into()), ..Servers::default() };
        assert_eq!(url("127.0.0.1:2379", &plain).ok().as_deref(), Some("http://127.0.0.1:2379"));
        assert_eq!(url("127.0.0.1:2379", &secure).ok().as_deref(), Some("https://127.0.0.1:2379"));
        assert_eq!(url("https://a:1", &plain).ok().as_deref(), Some("https://a:1"));
        assert!(matches!(url("ftp://a", &plain), Err(SettingsError::Scheme(_))));
    }

    #[tokio::test]
    async fn what_was_never_sent_had_no_effect() {
        let urls = vec!["unix:///nowhere/a.sock".to_owned(), "unix:///nowhere/b.sock".to_owned()];
        let client = Client::new(&Servers { urls, ..Servers::default() }).expect("sound");
        let request = wire::CompactionRequest { revision: 1 };
        let answer: Result<wire::CompactionResponse, _> =
            client.call("/etcdserverpb.KV/Compact", request, Instant::now() + Duration::from_secs(60)).await;
        assert!(matches!(answer, Err(Failure::Refused(_))), "{answer:?}");
        assert_eq!(client.current(), 1, "the next server is tried");
    }
}
