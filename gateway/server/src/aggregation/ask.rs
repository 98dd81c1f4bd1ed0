//! Requests of the server's own to extension servers, most of them answered whole. Does not know what the answers mean.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Limited};
use model::User;

use super::headers;
use crate::body;
use crate::client::{Endpoint, Over, Passing};
use crate::gate::Gate;

/// What is asked for.
pub(super) struct Ask<'a> {
    pub(super) path: &'a str,
    /// Whom the server knows as asking.
    pub(super) user: User,
    pub(super) accept: &'static str,
    /// The tag of what is known already, or empty.
    pub(super) etag: &'a str,
    pub(super) within: Duration,
    /// The most that is read of the answer.
    pub(super) bytes_max: usize,
}

/// What is sent along.
pub(super) struct Sent {
    pub(super) method: Method,
    pub(super) media: &'static str,
    pub(super) body: Bytes,
}

/// Gets a document. Fails with a text in the manner of Go's client.
pub(super) async fn get(gate: &Gate, side: &Arc<Endpoint>, ask: &Ask<'_>) -> Result<Response<Bytes>, String> {
    exchange(gate, side, ask, None).await
}

/// The same, or with what is sent, where something is.
pub(super) async fn exchange(
    gate: &Gate,
    side: &Arc<Endpoint>,
    ask: &Ask<'_>,
    sent: Option<Sent>,
) -> Result<Response<Bytes>, String> {
    let answer = async {
        let (head, body) = send(gate, side, ask, sent).await?.into_parts();
        let whole = Limited::new(body, ask.bytes_max).collect().await.map_err(|error| error.to_string())?;
        Ok(Response::from_parts(head, whole.to_bytes()))
    };
    in_time(ask, answer).await
}

/// Sends a request; the answer's body is read by whom it is for, which no time limits.
pub(super) async fn begin(
    gate: &Gate,
    side: &Arc<Endpoint>,
    ask: &Ask<'_>,
    along: Option<Sent>,
) -> Result<Response<Passing>, String> {
    in_time(ask, send(gate, side, ask, along)).await
}

/// What is there before the time of a request is over.
async fn in_time<T>(ask: &Ask<'_>, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::time::timeout(ask.within, work).await.unwrap_or_else(|_| Err("context deadline exceeded".to_owned()))
}

async fn send(gate: &Gate, side: &Arc<Endpoint>, ask: &Ask<'_>, along: Option<Sent>) -> Result<Response<Passing>, String> {
    let target = side.place(gate)?;
    let mut sent = HeaderMap::new();
    headers::identify(&mut sent, &ask.user).map_err(|unfit| unfit.to_string())?;
    let value = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());
    sent.insert(header::HOST, value(&target.authority)?);
    sent.insert(header::ACCEPT, HeaderValue::from_static(ask.accept));
    sent.insert(header::USER_AGENT, HeaderValue::from_static(concat!("gatehouse/", env!("CARGO_PKG_VERSION"))));
    if !ask.etag.is_empty() {
        sent.insert(header::IF_NONE_MATCH, value(ask.etag)?);
    }
    let mut request = Request::new(body::empty());
    if let Some(Sent { method, media, body }) = along {
        sent.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        *request.method_mut() = method;
        *request.body_mut() = body::full(body);
    }
    *request.uri_mut() = ask.path.parse().map_err(|error| format!("{error}"))?;
    *request.headers_mut() = sent;
    side.pass(&target, request, Over::Any).await
}
