//! Stands between a store and its etcd and hurts what passes, as the seed says. Knows no protocol.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// What becomes of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// They pass.
    Open,
    /// Those that are there end, new ones end at once.
    Cut,
    /// Each piece may come late, be cut in half, or lose its end, and the connection with it.
    Rough,
}

/// The proxy. It ends with this.
pub struct Proxy {
    dir: tempfile::TempDir,
    way: watch::Sender<Way>,
    pub cuts: Arc<AtomicUsize>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// A proxy before a socket.
    pub fn before(target: &Path, seed: u64) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(dir.path().join("socket")).expect("listens");
        let (way, ways) = watch::channel(Way::Open);
        let cuts = Arc::new(AtomicUsize::new(0));
        let accepting = tokio::spawn(accept(listener, target.to_owned(), ways, cuts.clone(), Arc::new(AtomicU64::new(seed | 1))));
        Self { dir, way, cuts, accepting }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: UnixListener,
    target: PathBuf,
    ways: watch::Receiver<Way>,
    cuts: Arc<AtomicUsize>,
    dice: Arc<AtomicU64>,
) {
    while let Ok((near, _)) = listener.accept().await {
        let Ok(far) = UnixStream::connect(&target).await else { continue };
        let (ways, cuts, dice) = (ways.clone(), cuts.clone(), dice.clone());
        tokio::spawn(async move {
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            // One direction's end is the connection's.
            tokio::select! {
                () = pass(near_in, far_out, ways.clone(), dice.clone()) => {}
                () = pass(far_in, near_out, ways, dice) => {}
            }
            cuts.fetch_add(1, Ordering::Relaxed);
        });
    }
}

async fn pass(
    mut from: tokio::net::unix::OwnedReadHalf,
    mut to: tokio::net::unix::OwnedWriteHalf,
    mut ways: watch::Receiver<Way>,
    dice: Arc<AtomicU64>,
) {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut piece) => read.unwrap_or(0),
            _ = ways.wait_for(|way| *way == Way::Cut) => return,
        };
        let way = *ways.borrow();
        let kept = match (way, roll(&dice, 40)) {
            _ if read == 0 => return,
            (Way::Cut, _) => return,
            (Way::Rough, 0) => read / 2,
            (Way::Rough, 1) => read - 1,
            (Way::Rough, 2..8) => {
                tokio::time::sleep(Duration::from_millis(roll(&dice, 20))).await;
                read
            }
            _ => read,
        };
        // What was cut ends the connection: a stream of bytes cannot go on behind a hole.
        if to.write_all(&piece[..kept]).await.is_err() || kept < read {
            return;
        }
    }
}

/// xorshift, shared by all connections.
fn roll(dice: &AtomicU64, sides: u64) -> u64 {
    let step = |mut state: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^ (state << 17)
    };
    let state = dice.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| Some(step(state))).unwrap_or(1);
    (step(state) >> 16) % sides
}
