//! The heads of requests on a connection of HTTP/1.1: one that has begun must be there in time, while the connection may wait
//! longer for the next to begin. hyper has one limit for both. Follows Go's server, whose first head counts from the beginning.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Whether a request is being served; what is read meanwhile is no head.
#[derive(Clone, Default)]
pub(super) struct Serving(Arc<AtomicBool>);

impl Serving {
    /// A head was read.
    pub(super) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The answer, which ends with its body. A connection that becomes something else has no more heads.
    pub(super) fn until_answered<B>(&self, answer: Response<B>) -> Response<Answered<B>> {
        let ends = (answer.status() != StatusCode::SWITCHING_PROTOCOLS).then(|| Ended(self.clone()));
        answer.map(|body| Answered { body, _ends: ends })
    }
}

struct Ended(Serving);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Relaxed);
    }
}

/// A body with whose end the request ends.
pub(super) struct Answered<B> {
    body: B,
    _ends: Option<Ended>,
}

impl<B: Body + Unpin> Body for Answered<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose heads come in time.
pub(super) struct Heads<C> {
    inner: C,
    serving: Serving,
    within: Duration,
    /// When the head that has begun must be there.
    due: Option<Pin<Box<Sleep>>>,
}

impl<C> Heads<C> {
    /// The connection, and what is told of its requests.
    pub(super) fn new(inner: C, within: Duration) -> (Self, Serving) {
        let serving = Serving::default();
        (Self { inner, serving: serving.clone(), within, due: Some(Box::pin(sleep(within))) }, serving)
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Heads<C> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.serving.0.load(Ordering::Relaxed) {
            this.due = None;
            return Pin::new(&mut this.inner).poll_read(context, into);
        }
        if this.due.as_mut().is_some_and(|due| due.as_mut().poll(context).is_ready()) {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut)));
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(context, into))?;
        if this.due.is_none() && into.filled().len() > before {
            this.due = Some(Box::pin(sleep(this.within)));
        }
        Poll::Ready(Ok(()))
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Heads<C> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn only_a_head_that_has_begun_is_due() {
        let (mut client, server) = duplex(64);
        let (mut server, serving) = Heads::new(server, SHORT);
        assert_eq!(server.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::TimedOut, "the first is due at once");

        serving.begin();
        client.write_all(b"body").await.unwrap();
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 4);
        let silent = tokio::time::timeout(SHORT * 3, server.read(&mut [0; 8])).await;
        assert!(silent.is_err(), "who is served may be silent");

        drop(serving.until_answered(Response::new(())));
        let silent = tokio::time::timeout(SHORT * 3, server.read(&mut [0; 8])).await;
        assert!(silent.is_err(), "nothing has begun");
        client.write_all(b"GET ").await.unwrap();
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 4);
        assert_eq!(server.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn what_became_something_else_has_no_heads() {
        let (mut client, server) = duplex(64);
        let (mut server, serving) = Heads::new(server, SHORT);
        serving.begin();
        let mut answer = Response::new(());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        drop(serving.until_answered(answer));
        client.write_all(b"frame").await.unwrap();
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 5);
        assert!(tokio::time::timeout(SHORT * 3, server.read(&mut [0; 8])).await.is_err());
    }
}
