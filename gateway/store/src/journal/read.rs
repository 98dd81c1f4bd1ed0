//! Reads a log from its end to its beginning, so that of each key the first that comes is what counts. Tells a commit that a power
//! cut interrupted from one that has rotted since: the one was never acknowledged, of the other somebody must hear.
//! Changes nothing but that segments are removed which the log did without already.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use model::Revision;

use super::content::{Operation, Operations, Start};
use super::frame::{Found, Place, find, is_zero};
use super::{MAGIC, SUFFIX, name};
use crate::OpenError;
use crate::folder::Folder;
use crate::record;

/// What was found.
pub(super) struct Log {
    /// The last segment, where its frames end, how long its file is, and whether anything lies behind them.
    pub(super) number: u64,
    pub(super) end: usize,
    pub(super) len: usize,
    pub(super) torn: bool,
    /// How it begins.
    pub(super) start: Start,
    /// Those before it, oldest first, with their bytes.
    pub(super) closed: VecDeque<(u64, u64)>,
    pub(super) removed: BTreeMap<String, Revision>,
}

/// A segment that was read: its frames and how it begins.
struct Segment {
    start: Start,
    frames: Vec<(usize, usize)>,
    end: usize,
}

/// What is read from.
struct Source<'a> {
    folder: &'a dyn Folder,
    path: &'a Path,
}

/// Reads everything.
pub(super) fn all(
    folder: &dyn Folder,
    path: &Path,
    told: &mut dyn FnMut(Operation<'_>) -> Result<(), OpenError>,
) -> Result<Log, OpenError> {
    let from = Source { folder, path };
    let mut numbers = from.numbers()?;
    let (bytes, last, number) = from.last(&mut numbers)?;
    let torn = bytes.get(last.end..).is_some_and(|rest| !is_zero(rest));
    let mut log = Log {
        number,
        end: last.end,
        len: bytes.len(),
        torn,
        start: last.start,
        closed: VecDeque::new(),
        removed: BTreeMap::new(),
    };
    let mut oldest = last.start.oldest;
    let (mut segment, mut bytes) = (last, bytes);
    let mut number = number;
    loop {
        tell(&bytes, &segment, &mut |operation| {
            match operation {
                Operation::Oldest(needed) => oldest = needed.max(oldest),
                Operation::Removed(prefix, revision) if log.removed.get(prefix).is_none_or(|last| *last < revision) => {
                    log.removed.insert(prefix.to_owned(), revision);
                }
                _ => {}
            }
            told(operation)
        })?;
        number -= 1;
        if number < oldest {
            break;
        }
        if numbers.pop() != Some(number) {
            return Err(from.damaged(number, "it is missing"));
        }
        bytes = from.read(number)?;
        let ends = segment.start.before_ends as usize;
        segment = from.parse(&bytes, number, Some(ends))?.ok_or_else(|| from.damaged(number, "it has no beginning"))?;
        log.closed.push_front((number, segment.end as u64));
    }
    for number in numbers {
        // They were to be removed when the process ended.
        let io = |source| OpenError::Io { step: "remove", path: path.join(name(number)), source };
        folder.remove(&name(number)).map_err(io)?;
    }
    Ok(log)
}

/// The operations of a segment, the last first.
fn tell(bytes: &[u8], segment: &Segment, told: &mut dyn FnMut(Operation<'_>) -> Result<(), OpenError>) -> Result<(), OpenError> {
    for (from, to) in segment.frames.iter().rev() {
        let operations: Vec<_> = Operations(&bytes[*from..*to]).collect();
        for operation in operations.into_iter().rev() {
            told(operation)?;
        }
    }
    Ok(())
}

impl Source<'_> {
    /// The segments there are, in order.
    fn numbers(&self) -> Result<Vec<u64>, OpenError> {
        let names = self.folder.names().map_err(|source| OpenError::Io { step: "list", path: self.path.to_owned(), source })?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| name.strip_suffix(SUFFIX)?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn read(&self, number: u64) -> Result<Vec<u8>, OpenError> {
        let io = |source| OpenError::Io { step: "read", path: self.path.join(name(number)), source };
        self.folder.read(&name(number)).map_err(io)
    }

    fn damaged(&self, number: u64, reason: &str) -> OpenError {
        OpenError::Damaged { file: self.path.join(name(number)), reason: reason.to_owned() }
    }

    /// The last segment; one whose beginning never became durable is removed, because nothing was acknowledged in it.
    fn last(&self, numbers: &mut Vec<u64>) -> Result<(Vec<u8>, Segment, u64), OpenError> {
        let first = numbers.first().copied();
        while let Some(number) = numbers.pop() {
            let bytes = self.read(number)?;
            match self.parse(&bytes, number, None)? {
                Some(segment) => return Ok((bytes, segment, number)),
                None if Some(number) == first => break,
                None => {
                    let io = |source| OpenError::Io { step: "remove", path: self.path.join(name(number)), source };
                    // Durably: the next segment has its name.
                    self.folder.remove(&name(number)).and_then(|()| self.folder.sync()).map_err(io)?;
                }
            }
        }
        Err(OpenError::Damaged { file: self.path.to_owned(), reason: "it has no segment that can be read".to_owned() })
    }

    /// Finds the frames of a segment, up to where it is known to end. `None` when it was never begun.
    fn parse(&self, bytes: &[u8], segment: u64, ends: Option<usize>) -> Result<Option<Segment>, OpenError> {
        let mut at = MAGIC.len();
        let first = find(bytes, Place { segment, at });
        if first == Found::Nothing && ends.is_none() {
            return Ok(None);
        }
        self.check_magic(bytes, segment)?;
        let mut frames = Vec::new();
        while ends.is_none_or(|ends| at < ends) {
            match find(bytes, Place { segment, at }) {
                Found::Frame(frame) => {
                    frames.push(frame.content);
                    at = frame.end;
                }
                Found::Nothing if ends.is_none() => break,
                Found::Nothing => return Err(self.damaged(segment, "commits are missing at its end")),
                Found::Damaged(content) => return Err(self.damage(bytes, segment, at, content)),
            }
        }
        let first = frames.first().and_then(|(from, to)| Operations(&bytes[*from..*to]).next());
        let Some(Operation::Start(start)) = first else { return Err(self.damaged(segment, "it does not say how it begins")) };
        Ok(Some(Segment { start, frames, end: at }))
    }

    fn check_magic(&self, bytes: &[u8], segment: u64) -> Result<(), OpenError> {
        let file = || self.path.join(name(segment));
        match bytes.first_chunk::<{ MAGIC.len() }>() {
            Some(magic) if magic == MAGIC => Ok(()),
            Some(magic) if magic[..15] == MAGIC[..15] && magic[15].is_ascii_digit() => {
                Err(OpenError::Format { file: file(), found: u64::from(magic[15] - b'0') })
            }
            _ => Err(self.damaged(segment, "it does not begin as a segment of a store")),
        }
    }

    /// Names the record that is damaged, where one can be blamed.
    fn damage(&self, bytes: &[u8], segment: u64, at: usize, content: Option<(usize, usize)>) -> OpenError {
        let operations = content.map(|(from, to)| Operations(&bytes[from..to])).into_iter().flatten();
        let faults = operations.filter_map(|operation| match operation {
            Operation::Put(key, record) => Some((key.to_owned(), record::check(key, record).err()?)),
            _ => None,
        });
        match faults.into_iter().next() {
            Some((key, damage)) => OpenError::Record { file: self.path.join(name(segment)), key, damage },
            None => self.damaged(segment, &format!("the commit at byte {at} is not what was written")),
        }
    }
}
