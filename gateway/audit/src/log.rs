//! The way from records to the sink: a queue in memory and one thread that writes.
//! A full queue makes requests wait; nothing is dropped. What one event says is `event`'s, where it goes is `file`'s.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use model::Clock;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::file::{self, Rotated};
use crate::policy::Policy;
use crate::record::{Arrival, Record};

/// Bytes of events that may wait for the disk before requests wait with them: a burst of some ten thousand events.
const QUEUE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes written at once; more only delays the first of them.
const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Pause before a failed write is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Where events go.
pub enum Sink {
    /// Standard output (`--audit-log-path=-`).
    Stdout,
    /// A file that is rotated.
    File(file::Settings),
}

/// The audit log of a server.
pub struct Log(Option<On>);

struct On {
    policy: Policy,
    shared: Arc<Shared>,
}

/// What records and the writer share.
pub(crate) struct Shared {
    lines: mpsc::UnboundedSender<Message>,
    pending_bytes: AtomicUsize,
    room: Notify,
    clock: Arc<dyn Clock>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    events: AtomicU64,
    failures: AtomicU64,
}

enum Message {
    Line(Vec<u8>),
    Flush(oneshot::Sender<()>),
}

impl Log {
    /// Records nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// Records as `policy` says. Fails when the file cannot be opened.
    pub fn open(policy: Policy, sink: Sink, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let (lines, queue) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            lines,
            pending_bytes: AtomicUsize::new(0),
            room: Notify::new(),
            clock: clock.clone(),
            counts: Counts::default(),
        });
        let output = match sink {
            Sink::Stdout => Output::Stdout,
            Sink::File(settings) => Output::File(Rotated::open(settings, clock)?),
        };
        let writer = Writer { queue, output, shared: shared.clone() };
        std::thread::Builder::new().name("audit".into()).spawn(move || writer.run())?;
        Ok(Self(Some(On { policy, shared })))
    }

    /// Whether anything can be recorded at all.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Opens the record of a request.
    pub fn record(&self, arrival: &Arrival<'_>) -> Record {
        match &self.0 {
            Some(on) => Record::open(&on.shared, on.policy.verdict(arrival.request, arrival.user), arrival),
            None => Record::none(),
        }
    }

    /// Waits until everything recorded so far is written.
    pub async fn flush(&self) {
        let Some(on) = &self.0 else { return };
        let (done, written) = oneshot::channel();
        if on.shared.lines.send(Message::Flush(done)).is_ok() {
            // The writer only ends after its last sender, which `on` holds.
            let _ = written.await;
        }
    }

    /// Events written or waiting so far, and writes that failed and were tried again.
    pub fn counts(&self) -> (u64, u64) {
        self.0.as_ref().map_or((0, 0), |on| {
            (on.shared.counts.events.load(Ordering::Relaxed), on.shared.counts.failures.load(Ordering::Relaxed))
        })
    }
}

impl Shared {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn write(&self, line: Vec<u8>) {
        self.pending_bytes.fetch_add(line.len(), Ordering::Relaxed);
        self.counts.events.fetch_add(1, Ordering::Relaxed);
        if self.lines.send(Message::Line(line)).is_err() {
            tracing::error!("audit event lost: the audit thread has ended");
        }
    }

    pub(crate) async fn wait_for_room(&self) {
        loop {
            let room = self.room.notified();
            if self.pending_bytes.load(Ordering::Relaxed) <= QUEUE_BYTES_MAX {
                return;
            }
            room.await;
        }
    }
}

enum Output {
    Stdout,
    File(Rotated),
}

struct Writer {
    queue: mpsc::UnboundedReceiver<Message>,
    output: Output,
    shared: Arc<Shared>,
}

impl Writer {
    fn run(mut self) {
        while let Some(first) = self.queue.blocking_recv() {
            let mut lines = Vec::new();
            let mut flushes = Vec::new();
            let mut bytes = 0;
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Line(line) => {
                        bytes += line.len();
                        lines.push(line);
                    }
                    Message::Flush(done) => flushes.push(done),
                }
                next = if bytes < BATCH_BYTES_MAX { self.queue.try_recv().ok() } else { None };
            }
            self.write(&lines);
            self.shared.pending_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.shared.room.notify_waiters();
            for done in flushes {
                // Whoever asked may have stopped waiting.
                let _ = done.send(());
            }
        }
    }

    fn write(&mut self, lines: &[Vec<u8>]) {
        match &mut self.output {
            Output::Stdout => write_all(&mut io::stdout().lock(), &lines.concat(), &self.shared.counts),
            Output::File(file) => {
                let mut rest = lines;
                while !rest.is_empty() {
                    let fitting = file.fitting(rest);
                    let (now, later) = rest.split_at(fitting);
                    write_all(file, &now.concat(), &self.shared.counts);
                    rest = later;
                    if !rest.is_empty() {
                        file.rotate();
                    }
                }
            }
        }
    }
}

/// Writes every byte, trying again where it stopped for as long as it takes: an audit event must not be lost to a full disk.
fn write_all(output: &mut impl Write, mut bytes: &[u8], counts: &Counts) {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(written) if written > 0 => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            failed => {
                counts.failures.fetch_add(1, Ordering::Relaxed);
                let error = failed.err().map_or_else(|| "nothing was written".to_owned(), |e| e.to_string());
                tracing::error!(error, "audit events wait: the audit log cannot be written");
                std::thread::sleep(RETRY);
            }
        }
    }
    while let Err(error) = output.flush() {
        tracing::error!(%error, "audit log cannot be flushed");
        std::thread::sleep(RETRY);
    }
}

#[cfg(test)]
mod tests;
