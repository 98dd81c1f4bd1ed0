//! Calls whose answers are passed on as they come: watches, large lists, connections that become something else. What one call
//! leaves of its connection serves the next. Reads neither body (`aggregation` says whose they are).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::connection::{Connection, Lost, Unsent, secure};
use super::shared::{Shared, Turn};
use super::trust::HTTP2;
use super::{Endpoint, IDLE_MAX, Idle, Target};
use crate::body::Body;
use crate::gate::Gate;

/// How long connecting may take, handshake and all; upstream's transport gives up dialing after as long.
const CONNECT_MAX: Duration = Duration::from_secs(30);

/// What a call may be made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Whatever the other side likes best.
    Any,
    /// HTTP/1.1: a connection of the call's own, which can become something else.
    Http1,
}

/// A connection to call over.
enum Opened {
    Shared(Shared),
    Alone(Connection),
}

impl Endpoint {
    /// Where the service is now: address and port are told as they are connected to. Fails in upstream's words.
    pub(crate) fn place(&self, gate: &Gate) -> Result<Target, String> {
        let target = self.address.resolve(gate)?.into_owned();
        let host = if target.host.contains(':') { format!("[{}]", target.host) } else { target.host.clone() };
        Ok(Target { authority: format!("{host}:{}", target.port), ..target })
    }

    /// Sends a request; the answer's body may come for as long as it likes. Fails with a text in the manner of Go's client.
    pub(crate) async fn pass(
        self: &Arc<Self>,
        target: &Target,
        request: Request<Body>,
        over: Over,
    ) -> Result<Response<Passing>, String> {
        let mut request = request;
        while let Some(known) = self.known(target, over) {
            let again = repeatable(&request);
            match self.begin(known, request).await {
                Ok(answer) => return Ok(answer),
                // It was closed while it waited: nothing arrived, or nothing that must not arrive twice.
                Err(Unsent { why: Lost::Closed, request: kept }) => match kept.or(again) {
                    Some(kept) => request = kept,
                    None => return Err("EOF".to_owned()),
                },
                Err(Unsent { why: Lost::Failed(why), .. }) => return Err(why),
            }
        }
        let opened = tokio::time::timeout(CONNECT_MAX, self.open(target, over)).await;
        let opened = opened.unwrap_or_else(|_| Err(format!("dial tcp {}: i/o timeout", target.authority)))?;
        self.begin(opened, request).await.map_err(|unsent| match unsent.why {
            Lost::Closed => "EOF".to_owned(),
            Lost::Failed(why) => why,
        })
    }

    /// A connection that is there and has room.
    fn known(&self, target: &Target, over: Over) -> Option<Opened> {
        if over == Over::Any {
            let mut all = self.shared.lock();
            all.retain(Shared::is_open);
            if let Some(shared) = all.iter().find(|shared| shared.is_for(target) && shared.has_room()) {
                return Some(Opened::Shared(shared.clone()));
            }
        }
        self.waiting(target).map(Opened::Alone)
    }

    /// A new one, in what the other side likes best.
    async fn open(&self, target: &Target, over: Over) -> Result<Opened, String> {
        if over == Over::Http1 {
            return Connection::open(target, &self.trust).await.map(Opened::Alone);
        }
        let stream = secure(target, self.trust.offering_http2()).await?;
        if stream.get_ref().1.alpn_protocol() != Some(HTTP2) {
            return Connection::over(stream, target).await.map(Opened::Alone);
        }
        let shared = Shared::over(stream, target).await?;
        self.shared.lock().push(shared.clone());
        Ok(Opened::Shared(shared))
    }

    /// What failed once is not tried again, whether it knows already that it is closed or not.
    fn forget(&self, shared: &Shared) {
        self.shared.lock().retain(|other| !other.is(shared));
    }

    async fn begin(self: &Arc<Self>, over: Opened, request: Request<Body>) -> Result<Response<Passing>, Unsent> {
        match over {
            Opened::Shared(shared) => {
                let turn = shared.turn();
                let answer = shared.clone().begin(request).await.inspect_err(|_| self.forget(&shared))?;
                Ok(answer.map(|body| Passing { body, held: Some(Held::Turn(turn)) }))
            }
            Opened::Alone(connection) => {
                let (answer, connection) = connection.begin(request).await?;
                Ok(answer.map(|body| Passing { body, held: Some(Held::Connection(self.clone(), connection)) }))
            }
        }
    }

    async fn take_back(&self, connection: Connection) {
        let Some(connection) = connection.again().await else { return };
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_MAX {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }
}

/// A copy of a request that can be sent once more without harm: one that only reads and carries nothing.
fn repeatable(request: &Request<Body>) -> Option<Request<Body>> {
    if !request.method().is_safe() || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(crate::body::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// The body of an answer. Given up before its end it ends the connection, or its part of a shared one, which is how the other
/// side learns of it.
pub(crate) struct Passing {
    body: Incoming,
    held: Option<Held>,
}

/// What must live as long as an answer is read.
enum Held {
    /// It serves the next call then.
    Connection(Arc<Endpoint>, Connection),
    Turn(#[expect(dead_code, reason = "it counts as long as it lives")] Turn),
}

impl Passing {
    fn release(&mut self) {
        if let Some(Held::Connection(endpoint, connection)) = self.held.take() {
            tokio::spawn(async move { endpoint.take_back(connection).await });
        }
    }
}

impl http_body::Body for Passing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(None) => self.release(),
            Poll::Ready(Some(Ok(_))) if self.body.is_end_stream() => self.release(),
            _ => {}
        }
        polled.map(|frame| frame.map(|frame| frame.map_err(io::Error::other)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
