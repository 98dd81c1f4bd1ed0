//! The bodies of requests and answers. Knows no media type (`codec`).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use model::Status;
use parking_lot::Mutex;

/// The body of a request or an answer. An error ends the connection without a proper end, which is how a client learns
/// that an answer is incomplete.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Largest body of a request, in bytes: upstream's limit, which is twice etcd's largest request.
pub const BODY_BYTES_MAX: usize = 3 << 20;

/// No bytes.
pub fn empty() -> Body {
    Empty::new().map_err(|never: std::convert::Infallible| match never {}).boxed_unsync()
}

/// Bytes that are at hand.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: std::convert::Infallible| match never {}).boxed_unsync()
}

/// Bytes that come piece by piece.
pub fn stream(pieces: impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    use futures::TryStreamExt;
    StreamBody::new(pieces.map_ok(http_body::Frame::data)).boxed_unsync()
}

/// Bytes of one piece of a long answer: a DATA frame of HTTP/2 with its head of 9 bytes then fills one TLS record of 16 KiB, and
/// what waits to be sent for many clients stays in the processor's cache.
pub const PIECE_BYTES: usize = 16 * 1024 - 9;

/// What is written bit by bit as pieces of [`PIECE_BYTES`]. `write` adds to the bytes at hand, and says whether there is more.
pub fn cut(mut write: impl FnMut(&mut Vec<u8>) -> bool) -> impl Iterator<Item = Bytes> {
    let (mut rest, mut more) = (Bytes::new(), true);
    std::iter::from_fn(move || {
        if more && rest.len() < PIECE_BYTES {
            let mut out = Vec::with_capacity(2 * PIECE_BYTES);
            out.extend_from_slice(&rest);
            while more && out.len() < PIECE_BYTES {
                more = write(&mut out);
            }
            rest = out.into();
        }
        let piece = rest.split_to(rest.len().min(PIECE_BYTES));
        (!piece.is_empty()).then_some(piece)
    })
}

/// Bytes that are made piece by piece, each when the one before is on its way. What they are made from, and what is
/// `kept` meanwhile, is let go at the end, and at the latest after `within`: then the body breaks off, because a client
/// that does not read must not hold old snapshots and the seats of others.
pub fn pieces(pieces: impl Iterator<Item = Bytes> + Send + 'static, kept: impl Send + 'static, within: Duration) -> Body {
    let held = Arc::new(Mutex::new(Some((pieces, kept))));
    let deadline = tokio::spawn({
        let held = Arc::downgrade(&held);
        async move {
            tokio::time::sleep(within).await;
            if let Some(held) = held.upgrade() {
                *held.lock() = None;
            }
        }
    });
    let ended = OnDrop(deadline.abort_handle());
    stream(futures::stream::iter(std::iter::from_fn(move || {
        let _ = &ended;
        match &mut *held.lock() {
            Some((pieces, _)) => pieces.next().map(Ok),
            None => Some(Err(io::Error::from(io::ErrorKind::TimedOut))),
        }
    })))
}

/// The same body, which keeps something until it is out, and breaks off after `within`.
pub fn within(body: Body, kept: impl Send + 'static, within: Duration) -> Body {
    let limited = Within { body, ends: Box::pin(tokio::time::sleep(within)) };
    holding(limited.boxed_unsync(), kept)
}

/// A body that must be out in time.
struct Within {
    body: Body,
    ends: Pin<Box<tokio::time::Sleep>>,
}

impl http_body::Body for Within {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<http_body::Frame<Bytes>>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => self.ends.as_mut().poll(context).map(|()| Some(Err(io::Error::from(io::ErrorKind::TimedOut)))),
            ready => ready,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// Ends a task with what it is for.
struct OnDrop(tokio::task::AbortHandle);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The same body, which keeps something until it is out or given up.
pub fn holding(body: Body, kept: impl Send + 'static) -> Body {
    body.map_frame(move |frame| {
        let _ = &kept;
        frame
    })
    .boxed_unsync()
}

/// A body as hyper hands it over.
pub fn incoming(body: hyper::body::Incoming) -> Body {
    body.map_err(io::Error::other).boxed_unsync()
}

/// The whole body of a request. Fails with upstream's 413 over [`BODY_BYTES_MAX`], 504 when it takes longer than
/// `within` (who stalls keeps a seat that others wait for), and 400 when the client stops sending.
pub async fn read(body: Body, within: Duration) -> Result<Bytes, Status> {
    let Ok(read) = tokio::time::timeout(within, Limited::new(body, BODY_BYTES_MAX).collect()).await else {
        return Err(Status::timeout("request did not complete within the allotted timeout", 0));
    };
    match read {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Status::too_large(format_args!("limit is {BODY_BYTES_MAX}")))
        }
        Err(error) => Err(Status::bad_request(format!("read the request body: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let begun = futures::stream::once(async { Ok(Bytes::from_static(b"{")) });
        let stalled = stream(begun.chain(futures::stream::pending()));
        let refused = read(stalled, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(
            (refused.code, refused.message.as_str()),
            (504, "Timeout: request did not complete within the allotted timeout")
        );
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_holds_nothing_for_long() {
        let (given_back, seat) = tokio::sync::oneshot::channel::<()>();
        let mut body = pieces(std::iter::repeat(Bytes::from_static(b"x")), given_back, Duration::from_millis(1));
        assert!(seat.await.is_err(), "the seat was dropped");
        assert!(body.frame().await.is_some_and(|frame| frame.is_err()), "the client learns that the answer is incomplete");
        let (given_back, seat) = tokio::sync::oneshot::channel::<()>();
        let whole = pieces(std::iter::once(Bytes::from_static(b"x")), given_back, Duration::from_secs(60));
        assert_eq!(whole.collect().await.unwrap().to_bytes(), "x");
        assert!(seat.await.is_err());
    }

    #[test]
    fn what_is_written_is_cut_into_even_pieces() {
        for sizes in [vec![], vec![1], vec![PIECE_BYTES], vec![5, 4 * PIECE_BYTES, 0, 7, PIECE_BYTES - 12]] {
            let mut written = sizes.iter();
            let cut: Vec<Bytes> = cut(|out| match written.next() {
                Some(size) => {
                    out.resize(out.len() + size, b'x');
                    true
                }
                None => false,
            })
            .collect();
            let total = sizes.iter().sum::<usize>();
            assert_eq!(cut.len(), total.div_ceil(PIECE_BYTES));
            assert!(cut.iter().rev().skip(1).all(|piece| piece.len() == PIECE_BYTES));
            assert_eq!(cut.iter().map(Bytes::len).sum::<usize>(), total);
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_the_clients_fault() {
        let broken = stream(futures::stream::iter([Ok(Bytes::from_static(b"{")), Err(io::Error::other("reset"))]));
        assert_eq!(read(broken, Duration::from_secs(60)).await.unwrap_err().code, 400);
    }
}
