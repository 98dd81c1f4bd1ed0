//! One connection over TLS to one target, on which calls follow each other. Does not choose whom to call; what calls share is
//! `shared`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Target;
use super::trust::{self, Trust};
use crate::body::Body;

/// An answer may be as large as a list of objects that a request may hold, and a little more for what surrounds them.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A connection that is ready for a call.
pub(crate) struct Connection {
    target: Target,
    sender: SendRequest<Body>,
    /// Drives the connection; ends with it.
    driver: Driver,
}

struct Driver(tokio::task::JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A call that found no answer.
pub(super) struct Unsent {
    pub(super) why: Lost,
    /// The request, if nothing of it was sent.
    pub(super) request: Option<Request<Body>>,
}

/// Why no answer came.
pub(crate) enum Lost {
    /// The connection was closed before anything was answered.
    Closed,
    /// The call failed.
    Failed(String),
}

impl Connection {
    /// Connects. Fails with a text in the manner of Go's client.
    pub(crate) async fn open(target: &Target, trust: &Trust) -> Result<Self, String> {
        Self::over(secure(target, trust.0.clone()).await?, target).await
    }

    /// Connects without TLS, for who has said that this is meant. Fails likewise.
    pub(crate) async fn open_plain(target: &Target) -> Result<Self, String> {
        Self::over(connect(target).await?, target).await
    }

    pub(super) async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        target: &Target,
    ) -> Result<Self, String> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let driver = Driver(tokio::spawn(async move { drop(connection.with_upgrades().await) }));
        Ok(Self { target: target.clone(), sender, driver })
    }

    /// Whether it is one to this target.
    pub(super) fn leads_to(&self, target: &Target) -> bool {
        self.target == *target
    }

    /// Whether it can be used once more.
    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed() && !self.driver.0.is_finished()
    }

    /// Makes one call; gives the connection back when it can be used once more.
    pub(super) async fn send(self, request: Request<Body>) -> Result<(Response<Bytes>, Option<Self>), Lost> {
        self.send_within(request, ANSWER_BYTES_MAX).await
    }

    /// The same, with another limit for the answer.
    pub(crate) async fn send_within(
        mut self,
        request: Request<Body>,
        bytes_max: usize,
    ) -> Result<(Response<Bytes>, Option<Self>), Lost> {
        self.sender.ready().await.map_err(|_| Lost::Closed)?;
        let answer = self.sender.send_request(request).await.map_err(|error| Lost::of(&error))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, bytes_max).collect().await.map_err(|error| Lost::Failed(error.to_string()))?;
        let reusable = self.sender.ready().await.is_ok();
        Ok((Response::from_parts(head, body.to_bytes()), reusable.then_some(self)))
    }

    /// Begins a call whose answer is read piece by piece, and gives the connection, which must live as long as that.
    pub(super) async fn begin(mut self, request: Request<Body>) -> Result<(Response<Incoming>, Self), Unsent> {
        if self.sender.ready().await.is_err() {
            return Err(Unsent { why: Lost::Closed, request: Some(request) });
        }
        match self.sender.try_send_request(request).await {
            Ok(answer) => Ok((answer, self)),
            Err(failed) => Err(Unsent::of(failed)),
        }
    }

    /// Waits until it can be used once more; nothing comes of one that cannot.
    pub(super) async fn again(mut self) -> Option<Self> {
        self.sender.ready().await.is_ok().then_some(self)
    }
}

impl Unsent {
    pub(super) fn of(mut failed: TrySendError<Request<Body>>) -> Self {
        let request = failed.take_message();
        let why = match Lost::of(failed.error()) {
            Lost::Closed => Lost::Closed,
            Lost::Failed(_) => Lost::Failed(cause(failed.error())),
        };
        Self { why, request }
    }
}

impl Lost {
    fn of(error: &hyper::Error) -> Self {
        let closed = error.is_canceled() || error.is_closed() || error.is_incomplete_message();
        if closed { Self::Closed } else { Self::Failed(error.to_string()) }
    }
}

/// The cause of a failure: what hyper wraps around it says only that there was one.
fn cause(error: &hyper::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// A stream over TLS to a target. Fails with a text in the manner of Go's client.
pub(super) async fn secure(target: &Target, config: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, String> {
    let stream = connect(target).await?;
    let name = ServerName::try_from(target.server_name.clone()).map_err(|error| error.to_string())?;
    let connected = TlsConnector::from(config).connect(name, stream).await;
    connected.map_err(|error| trust::words(&error, &target.server_name))
}

async fn connect(target: &Target) -> Result<TcpStream, String> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((target.host.as_str(), target.port))
        .await
        .map_err(|_| format!("dial tcp: lookup {}: no such host", target.host))?
        .collect();
    let mut last = format!("dial tcp: lookup {}: no such host", target.host);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = format!("dial tcp {address}: connect: {}", words(&error)),
        }
    }
    Err(last)
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network is unreachable".to_owned(),
        io::ErrorKind::HostUnreachable => "no route to host".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_there_is_told_as_go_tells_it() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let (authority, host) = (format!("127.0.0.1:{port}"), "127.0.0.1".to_owned());
        let target = Target { authority, server_name: host.clone(), host, port };
        let trust = Trust::new(b"").expect("no roots at all will do");
        let told = Connection::open(&target, &trust).await.err();
        assert_eq!(told, Some(format!("dial tcp 127.0.0.1:{port}: connect: connection refused")));
    }
}
