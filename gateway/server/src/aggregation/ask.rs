//! Requests of the server's own to extension servers, answered whole. Does not know what the answers mean.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Limited};
use model::User;

use super::headers;
use crate::body;
use crate::client::Endpoint;
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

/// Gets a document. Fails with a text in the manner of Go's client.
pub(super) async fn get(gate: &Gate, side: &Arc<Endpoint>, ask: &Ask<'_>) -> Result<Response<Bytes>, String> {
    match tokio::time::timeout(ask.within, exchange(gate, side, ask)).await {
        Ok(answer) => answer,
        Err(_) => Err("context deadline exceeded".to_owned()),
    }
}

async fn exchange(gate: &Gate, side: &Arc<Endpoint>, ask: &Ask<'_>) -> Result<Response<Bytes>, String> {
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
    *request.method_mut() = Method::GET;
    *request.uri_mut() = ask.path.parse().map_err(|error| format!("{error}"))?;
    *request.headers_mut() = sent;
    let (head, body) = side.pass(&target, request).await?.into_parts();
    let whole = Limited::new(body, ask.bytes_max).collect().await.map_err(|error| error.to_string())?;
    Ok(Response::from_parts(head, whole.to_bytes()))
}
