//! The streams of one connection of HTTP/2: counted while they run, so that a connection that carries none is noticed.
//! Runs them and ends nothing.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use hyper::rt::Executor;
use tokio::time::{Instant, sleep};

/// The streams of a connection. A stream runs until the last of its answer has been handed on, as a watch's is for hours.
#[derive(Clone)]
pub(super) struct Streams(Arc<Count>);

struct Count {
    begun: Instant,
    running: AtomicUsize,
    /// When the last one ended, in milliseconds from the beginning.
    ended_ms: AtomicU64,
}

impl Streams {
    /// Of a connection that begins now.
    pub(super) fn new() -> Self {
        Self(Arc::new(Count { begun: Instant::now(), running: AtomicUsize::new(0), ended_ms: AtomicU64::new(0) }))
    }

    /// Waits until there has been no stream for so long, from now on. Costs a stream nothing but its counting.
    pub(super) async fn none_for(&self, long: Duration) {
        let from = self.0.begun.elapsed();
        loop {
            if self.0.running.load(Ordering::Acquire) > 0 {
                // Whatever ends meanwhile ends after now, so that this is not too late for it.
                sleep(long).await;
                continue;
            }
            let ended = Duration::from_millis(self.0.ended_ms.load(Ordering::Relaxed));
            let free = self.0.begun.elapsed().saturating_sub(ended.max(from));
            if free >= long {
                return;
            }
            sleep(long - free).await;
        }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        self.0.running.fetch_add(1, Ordering::Relaxed);
        let running = Running(self.0.clone());
        tokio::spawn(async move {
            stream.await;
            drop(running);
        });
    }
}

/// One that runs.
struct Running(Arc<Count>);

impl Drop for Running {
    fn drop(&mut self) {
        let now_ms = u64::try_from(self.0.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.ended_ms.fetch_max(now_ms, Ordering::Relaxed);
        self.0.running.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_connection_is_idle_once_its_last_stream_is_over() {
        let (streams, long) = (Streams::new(), Duration::from_millis(20));
        streams.none_for(long).await;
        let (release, held) = oneshot::channel::<()>();
        streams.execute(async move { drop(held.await) });
        let mut idle = pin!(streams.none_for(long));
        let (other, quiet) = (Streams::new(), long * 3);
        tokio::select! {
            () = &mut idle => panic!("a stream runs"),
            () = other.none_for(quiet) => {}
        }
        let over = Instant::now();
        drop(release);
        idle.await;
        assert!(over.elapsed() + Duration::from_millis(1) >= long, "it counts from the end of the stream");
    }
}
