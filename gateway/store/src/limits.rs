//! The bounds of queues, logs and pins, named, with their reasons. A test may shrink them.

/// The bounds that one store works within.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Transactions waiting for the sequencer. Far above the requests in flight that flow control allows; beyond it a
    /// write is refused at once instead of waiting past its deadline.
    pub queue_transactions_max: usize,
    /// Transactions in one commit. The gain from sharing an fsync is spent by then, and the first writer waits for all.
    pub batch_transactions_max: usize,
    /// Bytes of bodies in one commit, so that a few huge objects do not delay all others.
    pub batch_bytes_max: usize,
    /// Events kept per resource. Upstream keeps at least 75 seconds' worth; this is that at 400 writes a second.
    pub log_events_max: usize,
    /// Bytes kept per resource by events alone: previous bodies, which the map no longer holds, and deleted ones.
    pub log_bytes_max: usize,
    /// Newest events whose rendered frames are kept. A watcher that is further behind has its frames rendered again.
    pub log_frames_max: usize,
    /// Events handed to a watcher at once; more would hold memory for a client that does not read.
    pub watch_batch_max: usize,
    /// Snapshots pinned per resource for continue tokens.
    pub pins_max: usize,
    /// Bytes that one pinned snapshot may keep alive by itself before it is let go.
    pub pin_bytes_max: usize,
    /// Seconds for which a pinned snapshot is kept, upstream's compaction interval: a client that waits longer than that
    /// between two pages gets 410 from kube-apiserver too.
    pub pin_s_max: u64,
    /// Expired objects removed in one commit.
    pub expire_batch_max: usize,
    /// A segment of the log on the disk is full with so many bytes. Smaller ones would have more fsyncs of the directory, larger
    /// ones give space back later.
    pub segment_bytes: usize,
    /// How much of a segment is written ahead in zeros: an fsync that need not make a new length of the file durable too costs half.
    pub ahead_bytes: usize,
    /// The log is cleaned while it is longer than this and twice what it holds.
    pub clean_from_bytes: u64,
}

impl Limits {
    /// What a server works within.
    pub const DEFAULT: Self = Self {
        queue_transactions_max: 4096,
        batch_transactions_max: 256,
        batch_bytes_max: 4 << 20,
        log_events_max: 32_768,
        log_bytes_max: 48 << 20,
        log_frames_max: 1024,
        watch_batch_max: 128,
        pins_max: 64,
        pin_bytes_max: 32 << 20,
        pin_s_max: 300,
        expire_batch_max: 256,
        segment_bytes: 4 << 20,
        ahead_bytes: 512 << 10,
        clean_from_bytes: 8 << 20,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
