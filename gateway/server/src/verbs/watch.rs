//! Follows changes: the present objects where asked for, then events as they happen, bookmarks between them.
//! Follows `k8s.io/apiserver/pkg/endpoints/handlers/watch.go` and the watch cache's rules for revisions.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use codec::negotiate::{self, Media};
use codec::shape;
use model::{Clock, Revision, Status};
use rand::Rng;
use store::{Entry, Event, Kind, ResourceCache, Snapshot, WatchError, Watcher};
use tokio::time::{Instant, sleep_until};

use super::websocket;
use crate::answer::{Answer, Content};
use crate::body;
use crate::call::Call;
use crate::conversion;
use crate::gate::Gate;
use crate::lifecycle::{Lifecycle, Stage};
use crate::metrics::{Running, Watches};
use crate::options::list::ListOptions;
use crate::options::storage_revision;
use crate::respond::{BookmarkEnd, Shape, bookmark, line, protobuf};
use crate::row::Row;
use crate::select::Selection;
use crate::unread;

/// How often a silent watch tells how far it is, as upstream.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// How long before the end of a watch its last bookmark is sent, as upstream does.
const BOOKMARK_BEFORE_END: Duration = Duration::from_secs(2);
/// A piece of the answer grows to this size before it is handed on.
const PIECE_BYTES: usize = 64 * 1024;

/// Serves a watch. An answer of 200 begins at once, so whatever goes wrong later is an event.
pub(super) async fn run(gate: &Arc<Gate>, call: &mut Call, row: &Row) -> Result<Answer, Status> {
    let mut options = ListOptions::parse(&call.query, &call.info)?;
    let selection = Selection::new(row, &call.info.namespace, &mut options)?;
    let from = storage_revision(&options.resource_version)?;
    let resource = gate.store_of(row).resource(row.prefix());
    unread::refuse(&row.group_resource(), &resource.snapshot())?;
    if options.send_initial_events == Some(true) {
        super::arrival(gate, &resource, from).await;
    }
    negotiate::streamed(&call.output)?;
    let mut frames = Frames::new(row, Shape::of(call), call.output.media, gate);
    frames.of_lists = call.output.convert.as_ref().is_some_and(|convert| convert.is_meta("PartialObjectMetadataList"));
    let converter = row.asks_converter().then(|| (gate.clone(), row.clone()));
    let content_type = frames.content_type();
    let opened = open(&resource, selection, &options, from);
    let lasting = options.timeout.unwrap_or_else(|| random_lasting(gate));
    let stream = match opened {
        Ok(opened) => Watching { converter, ..Watching::new(gate, frames, opened, &options, lasting) }.stream(),
        Err(status) => ended(frames.error(&status)),
    };
    if websocket::is_wanted(call) {
        return Ok(websocket::serve(gate, call, call.output.media, stream));
    }
    Ok(Answer::new(200, Content::Stream(content_type, body::stream(stream))))
}

/// Watches without a wish of their own end at different times, so that they do not all come back at once.
fn random_lasting(gate: &Gate) -> Duration {
    gate.limits.watch_min.mul_f64(1.0 + rand::rng().random::<f64>())
}

struct Opened {
    present: Option<(Snapshot, Selection)>,
    watcher: Watcher,
}

fn open(resource: &Arc<ResourceCache>, selection: Selection, options: &ListOptions, from: Revision) -> Result<Opened, Status> {
    let snapshot = resource.snapshot();
    // A zero that is spelt otherwise, and the older paths: what is there comes, and nothing marks its end.
    let present = options.send_initial_events.unwrap_or(from == 0);
    if present && from > snapshot.revision() {
        return Err(Status::too_large_revision(from, snapshot.revision()));
    }
    let start = if present || from == 0 { snapshot.revision() } else { from };
    let watcher = resource.watch(start, selection.interest.clone()).map_err(|error| too_old(start, error))?;
    Ok(Opened { present: present.then_some((snapshot, selection)), watcher })
}

fn too_old(from: Revision, error: WatchError) -> Status {
    match error {
        WatchError::Gone { oldest } => Status::expired(format!("too old resource version: {from} ({oldest})")),
        WatchError::Slow | WatchError::Closed => Status::unavailable("apiserver is shutting down"),
    }
}

/// How events become bytes for one watcher.
struct Frames {
    row: Row,
    type_meta: String,
    shape: Shape,
    media: Media,
    clock: Arc<dyn Clock>,
    first: bool,
    /// Whether events should be lists, which none of them can be: the watch ends at the first one, without a word, as upstream's.
    of_lists: bool,
}

impl Frames {
    fn new(row: &Row, shape: Shape, media: Media, gate: &Gate) -> Self {
        let row = if row.asks_converter() { row.of_converted() } else { row.clone() };
        Self { type_meta: row.type_meta(), row, shape, media, clock: gate.clock.clone(), first: true, of_lists: false }
    }

    fn content_type(&self) -> &'static str {
        // Upstream names the stream for protobuf only.
        if self.media == Media::Protobuf { "application/vnd.kubernetes.protobuf;stream=watch" } else { Media::Json.as_str() }
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        // Only what is the same for every watcher is shared: a Table's first frame has columns, and ages pass.
        let form = match self.shape {
            Shape::Plain => self.row.frame_form(&event.entry),
            _ => None,
        };
        match (self.media, form) {
            (Media::Protobuf, _) if self.shape == Shape::Plain => {
                let frame = |kind: Kind, entry: &Entry| protobuf::event(&self.row, &self.shape, kind.as_str(), entry);
                out.extend_from_slice(&event.frame(self.row.protobuf_form(), frame));
            }
            (Media::Json, Some(form)) => out.extend_from_slice(&event.json_frame(form, &self.type_meta)),
            _ => self.write(event.kind, &event.entry, out),
        }
    }

    fn write(&mut self, kind: Kind, entry: &Entry, out: &mut Vec<u8>) {
        if self.media == Media::Protobuf {
            return out.extend_from_slice(&protobuf::event(&self.row, &self.shape, kind.as_str(), entry));
        }
        let first = std::mem::take(&mut self.first);
        out.extend_from_slice(&shape::event_head(kind.as_str()));
        self.shape.event_object(&self.row, entry, self.clock.now(), first, out);
        out.extend_from_slice(shape::EVENT_TAIL);
    }

    fn bookmark(&self, revision: Revision, end: BookmarkEnd) -> Bytes {
        match self.media {
            Media::Protobuf => protobuf::bookmark(&self.row, &self.shape, revision, end),
            _ => bookmark(&self.row, &self.shape, revision, end),
        }
    }

    fn error(&self, status: &Status) -> Bytes {
        if self.media == Media::Protobuf {
            return protobuf::error(self.row.form().types(), status);
        }
        let mut out = shape::event_head("ERROR");
        out.extend_from_slice(line(&status.to_object()).trim_ascii_end());
        out.extend_from_slice(shape::EVENT_TAIL);
        out.into()
    }
}

/// Every minute, and shortly before the watch ends: its client begins anew where the last bookmark was.
fn next_bookmark(now: Instant, ends: Instant) -> Option<Instant> {
    let last = ends.checked_sub(BOOKMARK_BEFORE_END)?;
    let next = last.min(now + BOOKMARK_EVERY);
    (next > now).then_some(next)
}

/// Pieces of the answer, each of whole events.
pub(super) type Pieces = futures::stream::BoxStream<'static, std::io::Result<Bytes>>;

fn ended(last: Bytes) -> Pieces {
    Box::pin(futures::stream::iter([Ok(last)]))
}

/// A watch that is being served.
struct Watching {
    frames: Frames,
    /// Converts objects before they are shown, where somebody must be asked.
    converter: Option<(Arc<Gate>, Row)>,
    watcher: Watcher,
    present: Option<Present>,
    /// When a bookmark is due; never where none are welcome, or the end is too near.
    bookmark_at: Option<Instant>,
    ends: Instant,
    lifecycle: Lifecycle,
    told: Revision,
    done: bool,
    counted: Watches,
    _registered: Running,
}

/// The objects that are there when the watch begins.
struct Present {
    snapshot: Snapshot,
    selection: Selection,
    after: Option<String>,
    ready: VecDeque<Arc<Entry>>,
    marks_end: bool,
}

impl Watching {
    fn new(gate: &Gate, frames: Frames, opened: Opened, options: &ListOptions, lasting: Duration) -> Self {
        let (now, ends) = (Instant::now(), Instant::now() + lasting);
        let marks_end = options.is_watch_list();
        let counted = gate.metrics.watches(frames.row.gvr());
        let present = opened.present.map(|(snapshot, selection)| Present {
            snapshot,
            selection,
            after: None,
            ready: VecDeque::new(),
            marks_end,
        });
        Self {
            frames,
            converter: None,
            watcher: opened.watcher,
            present,
            bookmark_at: if options.allow_bookmarks { next_bookmark(now, ends) } else { None },
            ends,
            lifecycle: gate.lifecycle.clone(),
            told: 0,
            done: false,
            _registered: counted.running(),
            counted,
        }
    }

    fn stream(self) -> Pieces {
        Box::pin(futures::stream::unfold(self, |mut watching| async move {
            let piece = watching.next().await?;
            Some((Ok(piece), watching))
        }))
    }

    /// The next bytes; nothing when the watch is over.
    async fn next(&mut self) -> Option<Bytes> {
        if self.done {
            return None;
        }
        let piece = self.frame().await;
        if self.frames.of_lists && !self.done {
            self.done = true;
            return None;
        }
        piece
    }

    async fn frame(&mut self) -> Option<Bytes> {
        if let Some(piece) = self.next_present().await {
            return Some(piece);
        }
        enum Woken {
            Batch(Result<Vec<Event>, WatchError>),
            Bookmark,
            Over,
        }
        loop {
            let bookmark_at = self.bookmark_at;
            let bookmark_due = async {
                match bookmark_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let woken = tokio::select! {
                batch = self.watcher.next_batch() => Woken::Batch(batch),
                () = bookmark_due => Woken::Bookmark,
                () = sleep_until(self.ends) => Woken::Over,
                () = self.lifecycle.reached(Stage::Draining) => Woken::Over,
                // The client begins anew, with what the definition says now.
                () = self.frames.row.ended() => Woken::Over,
            };
            let piece = match woken {
                Woken::Batch(batch) => self.batch(batch).await,
                Woken::Bookmark => self.bookmark(),
                Woken::Over => {
                    self.done = true;
                    None
                }
            };
            if piece.is_some() || self.done {
                return piece;
            }
        }
    }

    async fn next_present(&mut self) -> Option<Bytes> {
        self.present.as_ref()?;
        let mut out = Vec::with_capacity(PIECE_BYTES);
        while out.len() < PIECE_BYTES {
            let Some(present) = self.present.as_mut() else { break };
            let Some(entry) = present.next() else {
                let revision = present.snapshot.revision();
                if present.marks_end {
                    out.extend_from_slice(&self.frames.bookmark(revision, BookmarkEnd::InitialEvents));
                    self.told = revision;
                }
                self.present = None;
                break;
            };
            match self.converted(&entry).await {
                Ok(entry) => self.frames.write(Kind::Added, &entry, &mut out),
                Err(status) => {
                    self.done = true;
                    out.extend_from_slice(&self.frames.error(&status));
                    break;
                }
            }
        }
        (!out.is_empty()).then(|| out.into())
    }

    /// An object as it is shown.
    async fn converted(&self, entry: &Arc<Entry>) -> Result<Arc<Entry>, Status> {
        let Some((gate, row)) = &self.converter else { return Ok(entry.clone()) };
        let converted = conversion::entries(gate, row, vec![entry.clone()]).await?;
        Ok(converted.into_iter().next().unwrap_or_else(|| entry.clone()))
    }

    /// The frames of events whose objects somebody must be asked to convert, all at once.
    async fn convert(&mut self, events: &[Event], out: &mut Vec<u8>) {
        let Some((gate, row)) = &self.converter else { return };
        match conversion::entries(gate, row, events.iter().map(|event| event.entry.clone()).collect()).await {
            Ok(entries) => {
                for (event, entry) in events.iter().zip(entries) {
                    self.frames.write(event.kind, &entry, out);
                }
            }
            Err(status) => {
                self.done = true;
                out.extend_from_slice(&self.frames.error(&status));
            }
        }
    }

    async fn batch(&mut self, batch: Result<Vec<Event>, WatchError>) -> Option<Bytes> {
        match batch {
            Ok(events) => {
                let mut out = Vec::with_capacity(events.iter().map(|event| event.entry.body.len() + 64).sum());
                self.convert(&events, &mut out).await;
                for event in &events {
                    if self.converter.is_none() {
                        self.frames.event(event, &mut out);
                    }
                    self.told = event.revision();
                }
                self.counted.sent(events.len(), out.len());
                Some(out.into())
            }
            Err(error) => {
                self.done = true;
                match error {
                    WatchError::Gone { .. } => Some(self.frames.error(&too_old(self.told, error))),
                    // Without an error the client resumes from what it saw last.
                    WatchError::Slow | WatchError::Closed => None,
                }
            }
        }
    }

    /// How far the watch is; nothing when the client knows already.
    fn bookmark(&mut self) -> Option<Bytes> {
        self.bookmark_at = next_bookmark(Instant::now(), self.ends);
        let revision = self.watcher.progress().filter(|revision| *revision > self.told)?;
        self.told = revision;
        Some(self.frames.bookmark(revision, BookmarkEnd::None))
    }
}

impl Present {
    /// Objects taken from the snapshot at once.
    const PAGE: usize = 256;

    fn next(&mut self) -> Option<Arc<Entry>> {
        loop {
            while let Some(entry) = self.ready.pop_front() {
                if self.selection.matches(&entry) {
                    return Some(entry);
                }
            }
            let page = self.snapshot.page(self.after.as_deref(), &self.selection.under, Self::PAGE);
            self.after = Some(page.last()?.key.as_str().to_owned());
            self.ready = page.into();
        }
    }
}
