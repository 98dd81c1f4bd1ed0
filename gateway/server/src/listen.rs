//! Connections: accept, shake hands, speak HTTP/1.1 or HTTP/2, drain.
//! Does not look into a request; what answers them is handed in.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use authn::Certificates;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::lifecycle::{Lifecycle, Stage};
use heads::Heads;
use linger::Lingering;
use streams::Streams;

/// Connections open at once; each costs some 50 KB, and a cluster of 5,000 nodes holds about three a node.
pub const CONNECTIONS_MAX: usize = 20_000;
/// A client that takes longer for its TLS handshake is not worth a connection.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// A client must send its headers within this, once it has begun to. As upstream.
pub const HEADER_READ_MAX: Duration = Duration::from_secs(32);
/// Bytes of all headers of a request: a token of a kilobyte and an impersonated user with many groups fit well.
pub const HEADER_BYTES_MAX: usize = 256 * 1024;
/// Number of headers of an HTTP/1.1 request.
pub const HEADERS_MAX: usize = 256;
/// Streams of one HTTP/2 connection, unless `--http2-max-streams-per-connection` says otherwise. As upstream.
pub const STREAMS_MAX: u32 = 100;
/// Body bytes in flight of one stream; nearly every object is smaller. As upstream.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// Body bytes in flight of one connection.
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Bytes of one stream that wait to be sent: few enough that those of many streams stay in the processor's cache.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// HTTP/2 connections are probed when they are silent for this long, and closed when no answer comes.
const PING_EVERY: Duration = Duration::from_secs(30);
/// How long an answer to such a probe may take, and one to a goodbye.
const PING_ANSWER_MAX: Duration = Duration::from_secs(15);
/// A connection that carries nothing for so long is ended, one of HTTP/2 with a goodbye. As upstream.
pub const IDLE_MAX: Duration = Duration::from_secs(90);
/// Pause after a failed accept, which mostly means that file descriptors ran out.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Who is at the other end of a connection.
#[derive(Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// What it showed in the handshake.
    pub certificates: Certificates,
    /// Told when the connection shall carry nothing more.
    leaving: Notify,
}

impl Peer {
    /// Of a connection that has just begun.
    pub fn new(address: SocketAddr, certificates: Certificates) -> Self {
        Self { address, certificates, leaving: Notify::new() }
    }

    /// Ends a connection of HTTP/2 once it is through with what it carries; one of HTTP/1.1 costs no more than its requests.
    pub fn end_connection(&self) {
        self.leaving.notify_one();
    }
}

/// How connections are served.
#[derive(Clone)]
pub struct Settings {
    /// Certificates and TLS versions.
    pub tls: Arc<ServerConfig>,
    /// Streams of one HTTP/2 connection.
    pub streams_max: u32,
    /// How long a client may take.
    pub deadlines: Deadlines,
}

/// How long a client may take for what it owes the server.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the headers of an HTTP/1.1 request.
    pub header_read: Duration,
    /// For the next stream of a connection of HTTP/2, or the next request of one of HTTP/1.1.
    pub idle: Duration,
    /// For going when such a connection is told goodbye, once none of its streams runs.
    pub goodbye: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { handshake: HANDSHAKE_MAX, header_read: HEADER_READ_MAX, idle: IDLE_MAX, goodbye: PING_ANSWER_MAX }
    }
}

/// Opens a listening socket. Port 0 picks a free one.
pub fn bind(address: SocketAddr, sharing: Sharing) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { tokio::net::TcpSocket::new_v4()? } else { tokio::net::TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(sharing == Sharing::Port)?;
    socket.bind(address)?;
    socket.listen(1024)
}

/// Whether another process may listen on the same port (`--permit-port-sharing`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// It may not.
    None,
    /// It may.
    Port,
}

/// Serves connections until the server drains, then waits for the open ones; whoever awaits this sets the deadline.
pub async fn serve<S, F, B>(listener: TcpListener, settings: Settings, lifecycle: Lifecycle, service: S)
where
    S: Fn(Arc<Peer>, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let acceptor = TlsAcceptor::from(settings.tls.clone());
    let mut draining = pin!(lifecycle.reached(Stage::Draining));
    loop {
        let (stream, address, permit) = tokio::select! {
            biased;
            () = &mut draining => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let (acceptor, settings, lifecycle, service) = (acceptor.clone(), settings.clone(), lifecycle.clone(), service.clone());
        tokio::spawn(async move {
            if let Some((peer, stream)) = handshake(acceptor, stream, address, settings.deadlines.handshake).await {
                connection(peer, stream, settings, lifecycle, service).await;
            }
            drop(permit);
        });
    }
    drop(listener);
    // Every permit back means every connection closed. The semaphore is never closed, so this cannot fail.
    let _ = room.acquire_many(CONNECTIONS_MAX as u32).await;
}

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else {
            // Nobody closes the semaphore; waiting forever would be right if somebody did.
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address, permit),
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn handshake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    address: SocketAddr,
    deadline: Duration,
) -> Option<(Arc<Peer>, TlsStream<TcpStream>)> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %address, "connection gone before its handshake");
        return None;
    }
    let stream = match timeout(deadline, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::info!(%error, %address, "TLS handshake failed");
            return None;
        }
        Err(_) => {
            tracing::info!(%address, "TLS handshake took too long");
            return None;
        }
    };
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificates = Certificates::new(chain.iter().map(|der| der.clone().into_owned()).collect());
    Some((Arc::new(Peer::new(address, certificates)), stream))
}

async fn connection<S, F, B>(peer: Arc<Peer>, stream: TlsStream<TcpStream>, settings: Settings, lifecycle: Lifecycle, service: S)
where
    S: Fn(Arc<Peer>, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let (address, other) = (peer.address, peer.clone());
    let draining = lifecycle.reached(Stage::Draining);
    let ended = if http2 {
        let answer = service_fn(move |request| {
            let answer = service(peer.clone(), request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let (streams, (stream, linger)) = (Streams::new(), Lingering::new(stream));
        let mut connection = pin!(http2_builder(&settings, streams.clone()).serve_connection(TokioIo::new(stream), answer));
        let leaving = async {
            tokio::select! {
                () = draining => {}
                () = other.leaving.notified() => {}
                () = streams.none_for(settings.deadlines.idle) => {}
            }
            linger.store(true, Ordering::Relaxed);
        };
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = leaving => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    // It waits for an answer to its goodbye, and nobody owes a stranger that patience.
                    () = streams.none_for(settings.deadlines.goodbye) => Ok(()),
                }
            }
        }
    } else {
        let (stream, serving) = Heads::new(stream, settings.deadlines.header_read);
        let answer = service_fn(move |request| {
            serving.begin();
            let (answer, serving) = (service(peer.clone(), request), serving.clone());
            async move { Ok::<_, Infallible>(serving.until_answered(answer.await)) }
        });
        let mut connection = pin!(http1_builder(&settings).serve_connection(TokioIo::new(stream), answer).with_upgrades());
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = draining => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %address, "connection ended");
    }
}

fn http2_builder(settings: &Settings, streams: Streams) -> hyper::server::conn::http2::Builder<Streams> {
    let mut builder = hyper::server::conn::http2::Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.streams_max)
        .max_header_list_size(HEADER_BYTES_MAX as u32)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWER_MAX);
    builder
}

fn http1_builder(settings: &Settings) -> hyper::server::conn::http1::Builder {
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // How long it waits for a head that has not begun, too; one that has is `Heads`' to end.
        .header_read_timeout(settings.deadlines.idle)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADER_BYTES_MAX);
    builder
}

mod heads;
mod linger;
mod streams;
#[cfg(test)]
mod tests;
