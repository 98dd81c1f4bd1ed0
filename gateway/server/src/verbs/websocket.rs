//! Watches over WebSocket: each event is a message of its own, text for JSON and binary for protobuf; what the client sends is
//! read and ignored until it closes. Makes no event (`watch`).
//! Follows `HandleWS` in `k8s.io/apiserver/pkg/endpoints/handlers/watch.go` and `golang.org/x/net/websocket` below it, RFC 6455.

mod frame;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use codec::negotiate::Media;
use futures::StreamExt;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;

use self::frame::{Opcode, Received};
use super::watch::Pieces;
use crate::answer::{Answer, Content};
use crate::body;
use crate::call::Call;
use crate::gate::Gate;

const KEY: HeaderName = HeaderName::from_static("sec-websocket-key");
const VERSION: HeaderName = HeaderName::from_static("sec-websocket-version");
const PROTOCOL: HeaderName = HeaderName::from_static("sec-websocket-protocol");
const ACCEPT: HeaderName = HeaderName::from_static("sec-websocket-accept");
/// What the accepted key is made from beside the client's (RFC 6455, section 1.3).
const ACCEPTED: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Whoever speaks another version is told which one is spoken here.
const BAD_VERSION: &str = "missing or bad WebSocket Version";
/// A client that takes nothing for so long is gone.
const WRITE_MAX: Duration = Duration::from_secs(60);
/// Pings that wait for their answer: a client that sends more than it reads answers for gets none for the rest.
const PINGS_MAX: usize = 4;

/// Whether a watch is to be served over WebSocket: only a connection of HTTP/1.1 can become one.
pub(super) fn is_wanted(call: &Call) -> bool {
    let says = |name: HeaderName, word: &str| {
        let values = call.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    call.upgrade.is_some() && says(header::UPGRADE, "websocket") && says(header::CONNECTION, "upgrade")
}

/// Answers with a WebSocket that carries these pieces, each of whole events.
pub(super) fn serve(gate: &Arc<Gate>, call: &mut Call, media: Media, pieces: Pieces) -> Answer {
    let (protocol, accepted) = match handshake(call) {
        Ok(agreed) => agreed,
        Err((code, why)) => return refused(code, why),
    };
    let Some(upgrade) = call.upgrade.take() else { return refused(StatusCode::BAD_REQUEST, "not websocket protocol") };
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(ACCEPT, accepted);
    protocol.and_then(|protocol| headers.insert(PROTOCOL, protocol));
    // The request lasts as long as the connection, which the server does not see any more.
    let mut record = std::mem::replace(&mut call.record, audit::Record::none());
    record.started(StatusCode::SWITCHING_PROTOCOLS.as_u16(), gate.clock.now());
    let kept = (record, crate::count::running(gate, call));
    tokio::spawn(async move {
        let _kept = kept;
        if let Err(error) = carry(upgrade, media, pieces).await {
            tracing::debug!(%error, "a watch over WebSocket ended");
        }
    });
    Answer::new(101, Content::Passed(response))
}

/// What both sides agree on: the protocol, if any, and the proof that the key was read. Fails in the words of upstream's library.
fn handshake(call: &Call) -> Result<(Option<HeaderValue>, HeaderValue), (StatusCode, &'static str)> {
    if call.method != Method::GET {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "bad method"));
    }
    let key = call.header(KEY.as_str());
    if key.is_empty() {
        return Err((StatusCode::BAD_REQUEST, "mismatch challenge/response"));
    }
    if call.header(VERSION.as_str()) != "13" {
        return Err((StatusCode::BAD_REQUEST, BAD_VERSION));
    }
    // Browsers say where a page came from; upstream's library lets nobody in who does not.
    if call.header(header::ORIGIN.as_str()).is_empty() {
        return Err((StatusCode::FORBIDDEN, ""));
    }
    let offered: Vec<&str> = call.header(PROTOCOL.as_str()).split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
    let protocol = match offered[..] {
        [] => None,
        [one] => HeaderValue::from_str(one).ok(),
        _ => return Err((StatusCode::BAD_REQUEST, "")),
    };
    let accepted = HeaderValue::from_str(&accept(key)).map_err(|_| (StatusCode::BAD_REQUEST, "mismatch challenge/response"))?;
    Ok((protocol, accepted))
}

fn accept(key: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{ACCEPTED}").as_bytes());
    BASE64_STANDARD.encode(digest)
}

fn refused(code: StatusCode, why: &'static str) -> Answer {
    let mut response = Response::new(body::full(why));
    *response.status_mut() = code;
    if why == BAD_VERSION {
        response.headers_mut().insert(VERSION, HeaderValue::from_static("13"));
    }
    Answer::new(code.as_u16(), Content::Passed(response))
}

/// Sends what comes until there is no more or the client has closed.
async fn carry(upgrade: OnUpgrade, media: Media, mut pieces: Pieces) -> std::io::Result<()> {
    let (reader, mut writer) = tokio::io::split(TokioIo::new(upgrade.await.map_err(std::io::Error::other)?));
    let (pings, mut pinged) = mpsc::channel(PINGS_MAX);
    let closed = read(reader, pings);
    tokio::pin!(closed);
    let mut code = frame::NORMAL;
    loop {
        tokio::select! {
            ended = &mut closed => {
                code = ended;
                break;
            }
            Some(ping) = pinged.recv() => send(&mut writer, Opcode::Pong, &ping).await?,
            piece = pieces.next() => match piece {
                Some(piece) => for message in messages(media, &piece?) {
                    let opcode = if media == Media::Protobuf { Opcode::Binary } else { Opcode::Text };
                    send(&mut writer, opcode, message).await?;
                },
                None => break,
            },
        }
    }
    send(&mut writer, Opcode::Close, &code.to_be_bytes()).await?;
    writer.shutdown().await
}

async fn send(writer: &mut WriteHalf<TokioIo<Upgraded>>, opcode: Opcode, payload: &[u8]) -> std::io::Result<()> {
    let write = async {
        writer.write_all(&frame::head(opcode, payload.len())).await?;
        writer.write_all(payload).await?;
        writer.flush().await
    };
    tokio::time::timeout(WRITE_MAX, write).await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

/// Reads until the client has closed or breaks the rules; gives the code with which to close.
async fn read(mut reader: ReadHalf<TokioIo<Upgraded>>, pings: mpsc::Sender<Bytes>) -> u16 {
    loop {
        match frame::receive(&mut reader).await {
            Ok(Received::Ping(payload)) => drop(pings.try_send(payload)),
            Ok(Received::Other) => {}
            Ok(Received::Close) => return frame::NORMAL,
            Ok(Received::Broken) => return frame::PROTOCOL_ERROR,
            // It is gone; nobody reads what is sent now.
            Err(_) => return frame::NORMAL,
        }
    }
}

/// The events of a piece: lines of JSON, or messages behind their length.
fn messages(media: Media, piece: &[u8]) -> Vec<&[u8]> {
    if media != Media::Protobuf {
        return piece.split_inclusive(|byte| *byte == b'\n').collect();
    }
    let (mut all, mut rest) = (Vec::new(), piece);
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX).min(after.len());
        let (message, others) = after.split_at(length);
        all.push(message);
        rest = others;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_accepted_as_the_specification_shows() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn every_event_is_a_message() {
        assert_eq!(messages(Media::Json, b"{\"a\":1}\n{\"b\":2}\n"), [&b"{\"a\":1}\n"[..], b"{\"b\":2}\n"]);
        assert_eq!(messages(Media::Protobuf, b"\0\0\0\x02ab\0\0\0\x01c"), [&b"ab"[..], b"c"]);
        assert!(messages(Media::Json, b"").is_empty());
    }
}
