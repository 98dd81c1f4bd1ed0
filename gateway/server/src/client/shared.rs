//! Connections of HTTP/2, each of which many calls of one endpoint share: what a server is spoken to in where it offers that.
//! Chooses nobody to call, and opens no connection.
//! Follows what `k8s.io/apimachinery/pkg/util/net` sets of Go's transport.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Uri, uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Target;
use super::connection::{Lost, Unsent};
use crate::body::Body;

/// Calls of one connection at a time: what servers let through at least, as the protocol advises. Watches are calls that last.
const CALLS_MAX: usize = 100;
/// How long nothing may come before the other side is asked whether it is there, and how long it may take to say so; as upstream.
const SILENCE: Duration = Duration::from_secs(30);
const PING: Duration = Duration::from_secs(15);
/// What may come of one answer before it is read.
const STREAM_BYTES: u32 = 1 << 20;
/// The same of all: a client that reads slowly must not hold up the others. As Go's.
const CONNECTION_BYTES: u32 = 1 << 30;

/// A connection that calls share. It ends by itself once nobody holds it and nothing is read any more.
#[derive(Clone)]
pub(super) struct Shared {
    target: Target,
    sender: SendRequest<Body>,
    /// As many copies as there are calls, and this one.
    calls: Arc<()>,
}

/// A call that has not ended.
pub(super) struct Turn(#[expect(dead_code, reason = "it counts as long as it lives")] Arc<()>);

impl Shared {
    /// Speaks HTTP/2 over a stream.
    pub(super) async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        target: &Target,
    ) -> Result<Self, String> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(SILENCE)
            .keep_alive_timeout(PING)
            .initial_stream_window_size(STREAM_BYTES)
            .initial_connection_window_size(CONNECTION_BYTES);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a shared connection ended");
            }
        });
        Ok(Self { target: target.clone(), sender, calls: Arc::default() })
    }

    /// Whether both are the same connection.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.calls, &other.calls)
    }

    /// Whether it is open, and leads to this target.
    pub(super) fn is_for(&self, target: &Target) -> bool {
        self.target == *target && self.is_open()
    }

    /// Whether it can be used once more.
    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Whether another call has room.
    pub(super) fn has_room(&self) -> bool {
        Arc::strong_count(&self.calls) <= CALLS_MAX
    }

    /// A place among its calls.
    pub(super) fn turn(&self) -> Turn {
        Turn(self.calls.clone())
    }

    /// Begins a call whose answer is read piece by piece.
    pub(super) async fn begin(mut self, mut request: Request<Body>) -> Result<Response<Incoming>, Unsent> {
        let path = request.uri().clone();
        match whole(&path, &self.target.authority) {
            Ok(uri) => *request.uri_mut() = uri,
            Err(why) => return Err(Unsent { why: Lost::Failed(why), request: Some(request) }),
        }
        let back = |request: Option<Request<Body>>| {
            request.map(|mut request| {
                *request.uri_mut() = path.clone();
                request
            })
        };
        if self.sender.ready().await.is_err() {
            return Err(Unsent { why: Lost::Closed, request: back(Some(request)) });
        }
        match self.sender.try_send_request(request).await {
            Ok(answer) => Ok(answer),
            Err(failed) => {
                let failed = Unsent::of(failed);
                Err(Unsent { request: back(failed.request), ..failed })
            }
        }
    }
}

/// Where a path is, as HTTP/2 has to say it.
fn whole(path: &Uri, authority: &str) -> Result<Uri, String> {
    let mut parts = path.clone().into_parts();
    parts.scheme = Some(uri::Scheme::HTTPS);
    parts.authority = Some(authority.parse().map_err(|error| format!("{error}"))?);
    Uri::from_parts(parts).map_err(|error| error.to_string())
}
