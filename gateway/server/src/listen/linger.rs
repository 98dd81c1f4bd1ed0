//! Reads on for a moment after a connection has said goodbye, as Go's server does: whoever had a request under way to it, which
//! nobody answers any more, learns that from the goodbye and asks again, where a connection that is gone would lose the request.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long: `goAwayTimeout` of Go's `golang.org/x/net/http2`.
const MOMENT: Duration = Duration::from_secs(1);

/// A connection that reads on, once it is asked to, before it is shut down.
pub(super) struct Lingering<C> {
    inner: C,
    asked: Arc<AtomicBool>,
    over: Option<Pin<Box<Sleep>>>,
}

impl<C> Lingering<C> {
    /// The connection, and what asks it.
    pub(super) fn new(inner: C) -> (Self, Arc<AtomicBool>) {
        let asked = Arc::new(AtomicBool::new(false));
        (Self { inner, asked: asked.clone(), over: None }, asked)
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Lingering<C> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, into)
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<C> {
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
        let this = &mut *self;
        if this.asked.load(Ordering::Relaxed) {
            let over = this.over.get_or_insert_with(|| Box::pin(sleep(MOMENT)));
            while over.as_mut().poll(context).is_pending() {
                let mut bytes = [0; 1 << 10];
                let mut into = ReadBuf::new(&mut bytes);
                match ready!(Pin::new(&mut this.inner).poll_read(context, &mut into)) {
                    Ok(()) if !into.filled().is_empty() => {}
                    // The other side is gone.
                    _ => break,
                }
            }
            this.asked.store(false, Ordering::Relaxed);
        }
        Pin::new(&mut this.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_still_comes_is_read_and_then_the_end_comes() {
        let (mut client, server) = duplex(8);
        let (mut server, asked) = Lingering::new(server);
        asked.store(true, Ordering::Relaxed);
        let (shut, ()) = tokio::join!(server.shutdown(), async {
            client.write_all(b"more than there is room for, were it not read").await.unwrap();
            assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        });
        shut.unwrap();
    }

    #[tokio::test]
    async fn nobody_is_waited_for_who_is_gone() {
        let (client, server) = duplex(8);
        let (mut server, asked) = Lingering::new(server);
        asked.store(true, Ordering::Relaxed);
        drop(client);
        server.shutdown().await.unwrap();
        assert!(server.over.is_some_and(|over| !over.is_elapsed()));
    }

    #[tokio::test]
    async fn who_is_not_asked_does_not_linger() {
        let (_client, server) = duplex(8);
        let (mut server, _) = Lingering::new(server);
        server.shutdown().await.unwrap();
        assert!(server.over.is_none());
    }
}
