//! The log in which the engine `disk` keeps everything: one frame a commit, made durable by one fsync, in segments that are
//! begun when the one before is full. What is still needed of the oldest segment is written again at the end, a little with each
//! commit, and then the segment is removed: so the log is never much longer than what it holds, and nobody waits for that.
//! Knows keys and records, and nothing of what is in them; does not decide how much to write again (`disk`).

mod clean;
mod content;
mod frame;
mod read;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;

use model::Revision;

use self::clean::Cleaner;
pub(crate) use self::content::{Operation, Start};
use self::frame::Place;
use crate::folder::{Folder, Medium};
use crate::ledger::Failure;
use crate::{Limits, OpenError};

/// The first bytes of each segment; the last of them is the version of the layout.
const MAGIC: &[u8; 16] = b"gatehouse-store2";
const SUFFIX: &str = ".log";

/// An open log.
pub(crate) struct Journal {
    folder: Box<dyn Folder>,
    limits: Limits,
    active: Segment,
    /// Those before, oldest first: number and bytes.
    closed: VecDeque<(u64, u64)>,
    floor: Revision,
    /// Revision of the last removal by prefix of the resource.
    removed: BTreeMap<String, Revision>,
    /// Those of the next commit.
    removing: Vec<(String, Revision)>,
    /// The frame that is being made.
    frame: Vec<u8>,
    cleaner: Option<Cleaner>,
}

/// The segment that is written to.
struct Segment {
    number: u64,
    file: Box<dyn Medium>,
    ahead_bytes: usize,
    /// Where the next frame begins.
    at: usize,
    /// Up to where the file was ever written.
    filled: usize,
}

fn name(number: u64) -> String {
    format!("{number:010}{SUFFIX}")
}

impl Journal {
    /// A new log in a folder that has none. Its files are durable when this returns.
    pub(crate) fn create(folder: Box<dyn Folder>, limits: Limits, floor: Revision) -> io::Result<Self> {
        let start = Start { floor, oldest: 1, before_ends: 0 };
        let active = Segment::begin(&*folder, limits.ahead_bytes, (1, start), &BTreeMap::new())?;
        let (closed, removed) = (VecDeque::new(), BTreeMap::new());
        Ok(Self { folder, limits, active, closed, floor, removed, removing: Vec::new(), frame: Vec::new(), cleaner: None })
    }

    /// Opens a log; `told` hears of every operation, the newest first. What a power cut left of a commit that was not durable is
    /// removed.
    pub(crate) fn open(
        folder: Box<dyn Folder>,
        limits: Limits,
        path: &Path,
        told: &mut dyn FnMut(Operation<'_>) -> Result<(), OpenError>,
    ) -> Result<Self, OpenError> {
        let found = read::all(&*folder, path, told)?;
        let io = |step| move |source| OpenError::Io { step, path: path.join(name(found.number)), source };
        let file = folder.open(&name(found.number)).map_err(io("open"))?;
        let mut filled = found.len;
        if found.torn {
            file.set_len(found.end as u64).and_then(|()| file.sync()).map_err(io("cut what was not finished off"))?;
            filled = found.end;
        }
        let active = Segment { number: found.number, file, ahead_bytes: limits.ahead_bytes, at: found.end, filled };
        let (floor, removed, closed) = (found.start.floor, found.removed, found.closed);
        Ok(Self { folder, limits, active, closed, floor, removed, removing: Vec::new(), frame: Vec::new(), cleaner: None })
    }

    /// The revision from which the store's history begins.
    pub(crate) fn floor(&self) -> Revision {
        self.floor
    }

    /// Last removals by prefix.
    pub(crate) fn removed(&self) -> &BTreeMap<String, Revision> {
        &self.removed
    }

    /// Bytes of all segments.
    pub(crate) fn bytes(&self) -> u64 {
        self.closed.iter().map(|(_, bytes)| bytes).sum::<u64>() + self.active.at as u64
    }

    /// Adds an operation to the next commit.
    pub(crate) fn append(&mut self, operation: &Operation<'_>) {
        if self.frame.is_empty() {
            frame::begin(&mut self.frame);
        }
        if let Operation::Removed(prefix, revision) = *operation {
            self.removing.push((prefix.to_owned(), revision));
        }
        content::append(&mut self.frame, operation);
    }

    /// Bytes of the next commit so far.
    pub(crate) fn appended(&self) -> usize {
        self.frame.len()
    }

    /// Makes durable what was appended. When the disk is full it has no effect, and the log may go on.
    pub(crate) fn commit(&mut self, revision: Revision) -> Result<(), Failure> {
        let outcome = self.write(revision);
        self.frame.clear();
        let removed = std::mem::take(&mut self.removing);
        if outcome.is_ok() {
            // Revisions rise, so the last one is the highest.
            self.removed.extend(removed);
        }
        match (&outcome, self.cleaner.take()) {
            (Ok(()), Some(cleaner)) => self.cleaner = cleaner.kept(|segment| self.drop_segment(segment)),
            (Err(_), Some(cleaner)) => self.cleaner = Some(cleaner.undone()),
            (_, None) => {}
        }
        outcome
    }

    fn write(&mut self, revision: Revision) -> Result<(), Failure> {
        if self.frame.is_empty() || frame::is_empty(&self.frame) {
            return Ok(());
        }
        if self.active.at >= self.limits.segment_bytes {
            match self.begin_segment() {
                // The full one is written to for as long as there is no room for another.
                Ok(()) | Err(Failure::Full) => {}
                Err(failure) => return Err(failure),
            }
        }
        frame::end(&mut self.frame, self.active.place(), revision);
        self.active.write(&mut self.frame)
    }

    fn begin_segment(&mut self) -> Result<(), Failure> {
        let number = self.active.number + 1;
        let oldest = self.closed.front().map_or(self.active.number, |(oldest, _)| *oldest);
        let start = Start { floor: self.floor, oldest, before_ends: self.active.at as u64 };
        match Segment::begin(&*self.folder, self.limits.ahead_bytes, (number, start), &self.removed) {
            Ok(begun) => {
                let full = std::mem::replace(&mut self.active, begun);
                self.closed.push_back((full.number, full.at as u64));
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                // Whatever there is of it would be taken for one that rotted.
                match self.folder.remove(&name(number)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(broken("remove a segment", &error)),
                    _ => Err(Failure::Full),
                }
            }
            Err(error) => Err(broken("begin a segment", &error)),
        }
    }

    /// Writes again what is still needed of the oldest segment, as far as about so many bytes of it go: with the next commit.
    /// `needed` says of a key and its record whether they are.
    pub(crate) fn clean(&mut self, bytes: usize, needed: &mut dyn FnMut(&str, &[u8]) -> bool) {
        let Some((oldest, end)) = self.closed.front().copied() else { return };
        let mut cleaner = match self.cleaner.take() {
            Some(cleaner) => cleaner,
            None => match self.folder.read(&name(oldest)) {
                Ok(read) => Cleaner::new(oldest, read, end as usize),
                Err(error) => return tracing::error!(segment = oldest, %error, "a segment cannot be read and is kept"),
            },
        };
        cleaner.step(bytes, needed, &mut |operation| self.append(operation));
        self.cleaner = Some(cleaner);
    }

    /// A segment that the log, durably, does without.
    fn drop_segment(&mut self, segment: u64) {
        self.closed.retain(|(number, _)| *number != segment);
        if let Err(error) = self.folder.remove(&name(segment)) {
            tracing::warn!(segment, %error, "a segment that is not needed cannot be removed");
        }
    }
}

impl Segment {
    /// A new segment that is durable with its name.
    fn begin(
        folder: &dyn Folder,
        ahead_bytes: usize,
        (number, start): (u64, Start),
        removed: &BTreeMap<String, Revision>,
    ) -> io::Result<Self> {
        let mut first = Vec::new();
        frame::begin(&mut first);
        content::append(&mut first, &Operation::Start(start));
        for (prefix, revision) in removed {
            content::append(&mut first, &Operation::Removed(prefix, *revision));
        }
        frame::end(&mut first, Place { segment: number, at: MAGIC.len() }, start.floor);
        let mut bytes = [&MAGIC[..], &first].concat();
        let at = bytes.len();
        bytes.resize(ahead_bytes.max(at), 0);
        let file = folder.open(&name(number))?;
        file.write(0, &bytes)?;
        file.sync()?;
        folder.sync()?;
        Ok(Self { number, file, ahead_bytes, at, filled: bytes.len() })
    }

    fn place(&self) -> Place {
        Place { segment: self.number, at: self.at }
    }

    /// Writes a frame and makes it durable; on a full disk it is as if nothing had been tried.
    fn write(&mut self, frame: &mut Vec<u8>) -> Result<(), Failure> {
        let len = frame.len();
        if self.at + len > self.filled {
            frame.resize(len + self.ahead_bytes, 0);
        }
        let mut written = self.file.write(self.at as u64, frame);
        if is_full(&written) && frame.len() > len {
            frame.truncate(len);
            written = self.file.write(self.at as u64, frame);
        }
        if is_full(&written) {
            self.file.set_len(self.at as u64).map_err(|error| broken("undo a commit", &error))?;
            self.filled = self.at;
            return Err(Failure::Full);
        }
        written.map_err(|error| broken("write", &error))?;
        self.filled = self.filled.max(self.at + frame.len());
        self.file.sync().map_err(|error| broken("make durable", &error))?;
        self.at += len;
        Ok(())
    }
}

fn is_full(written: &io::Result<()>) -> bool {
    written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::StorageFull)
}

fn broken(step: &str, error: &io::Error) -> Failure {
    Failure::Broken(format!("{step}: {error}"))
}
