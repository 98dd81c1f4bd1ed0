//! One commit as it lies in a segment: a head with the checksums of both, what was done, and padding that is never zero. A
//! segment is zeros before it is written to, so what a power cut left of a frame and what has rotted since can be told apart: of
//! the one something is missing, of the other nothing is. Reads and writes no file.

/// A sector is on the disk wholly or not at all; a head never spans two.
pub(super) const SECTOR_BYTES: usize = 512;
/// Frames begin at multiples of this.
const ALIGN_BYTES: usize = 8;
/// Magic number, length of the content, its checksum, revision, checksum of the head and of where it stands.
const HEAD_BYTES: usize = 24;
const MAGIC: &[u8; 4] = b"ghF2";
const PADDING: u8 = 0xff;

/// Where a frame stands: a copy of it anywhere else is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) at: usize,
}

/// A frame that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where its content begins and ends in the segment.
    pub(super) content: (usize, usize),
    /// Where the next begins.
    pub(super) end: usize,
}

/// What stands at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Frame(Frame),
    /// Nothing was ever acknowledged from here on.
    Nothing,
    /// A frame that was whole once; of its content this is known.
    Damaged(Option<(usize, usize)>),
}

/// Begins a frame in an empty buffer; its content is appended by the caller.
pub(super) fn begin(out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&[0; HEAD_BYTES]);
}

/// Ends it: fills in its head and its padding.
pub(super) fn end(out: &mut Vec<u8>, place: Place, revision: u64) {
    let len = out.len() - HEAD_BYTES;
    let sum = crc32fast::hash(&out[HEAD_BYTES..]);
    // A commit is limited to a few MiB.
    let head = head(place, len as u32, sum, revision);
    out[..HEAD_BYTES].copy_from_slice(&head);
    out.resize(end_of(place.at, len) - place.at, PADDING);
}

/// Whether a buffer that was begun has no content.
pub(super) fn is_empty(out: &[u8]) -> bool {
    out.len() <= HEAD_BYTES
}

fn head(place: Place, len: u32, sum: u32, revision: u64) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(MAGIC);
    head[4..8].copy_from_slice(&len.to_le_bytes());
    head[8..12].copy_from_slice(&sum.to_le_bytes());
    head[12..20].copy_from_slice(&revision.to_le_bytes());
    let mut check = crc32fast::Hasher::new();
    check.update(&head[..20]);
    check.update(&place.segment.to_le_bytes());
    check.update(&(place.at as u64).to_le_bytes());
    head[20..].copy_from_slice(&check.finalize().to_le_bytes());
    head
}

/// Where a frame of so much content ends: at least one byte of padding, and room for a head in the sector there.
fn end_of(at: usize, len: usize) -> usize {
    let end = (at + HEAD_BYTES + len) / ALIGN_BYTES * ALIGN_BYTES + ALIGN_BYTES;
    if end % SECTOR_BYTES > SECTOR_BYTES - HEAD_BYTES { end.next_multiple_of(SECTOR_BYTES) } else { end }
}

/// The head at a place: length and checksum of the content.
fn head_at(bytes: &[u8], place: Place) -> Option<(usize, u32)> {
    let found: &[u8; HEAD_BYTES] = bytes.get(place.at..)?.first_chunk()?;
    if &found[..4] != MAGIC {
        return None;
    }
    let number = |at: usize| u32::from_le_bytes([found[at], found[at + 1], found[at + 2], found[at + 3]]);
    let mut revision = [0; 8];
    revision.copy_from_slice(&found[12..20]);
    let (len, sum) = (number(4), number(8));
    (head(place, len, sum, u64::from_le_bytes(revision)) == *found).then_some((len as usize, sum))
}

/// Looks for the frame at a place.
pub(super) fn find(bytes: &[u8], place: Place) -> Found {
    let Some((len, sum)) = head_at(bytes, place) else { return without_head(bytes, place) };
    let content = (place.at + HEAD_BYTES, place.at + HEAD_BYTES + len);
    let end = end_of(place.at, len);
    match bytes.get(content.0..content.1) {
        Some(found) if crc32fast::hash(found) == sum => Found::Frame(Frame { content, end }),
        _ if is_torn(bytes, place.at, end) && !follows(bytes, place) => Found::Nothing,
        _ => Found::Damaged(Some((content.0, content.1.min(bytes.len())))),
    }
}

/// The next commit is only begun when this one is durable, so what is behind a torn frame was never written.
fn without_head(bytes: &[u8], place: Place) -> Found {
    let (head, rest) = bytes.get(place.at..).unwrap_or(&[]).split_at_checked(HEAD_BYTES).unwrap_or((&[], &[]));
    // Its sector is missing, or it was cut short within the head.
    let torn = is_zero(head) || is_zero(rest);
    if torn && !follows(bytes, place) { Found::Nothing } else { Found::Damaged(None) }
}

/// Whether something of a frame never reached the disk: its end, or what it has in some sector.
fn is_torn(bytes: &[u8], from: usize, to: usize) -> bool {
    if bytes.get(to - 1).is_none_or(|last| *last == 0) {
        return true;
    }
    let mut at = from;
    while at < to {
        let next = (at + 1).next_multiple_of(SECTOR_BYTES).min(to);
        if is_zero(&bytes[at..next]) {
            return true;
        }
        at = next;
    }
    false
}

/// Whether any frame stands behind a place.
fn follows(bytes: &[u8], Place { segment, at }: Place) -> bool {
    (at + ALIGN_BYTES..bytes.len()).step_by(ALIGN_BYTES).any(|at| head_at(bytes, Place { segment, at }).is_some())
}

pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: u64 = 7;

    fn place(at: usize) -> Place {
        Place { segment: SEGMENT, at }
    }

    /// A segment with frames of some lengths, and where each begins.
    fn segment(lens: &[usize]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut starts, mut frame) = (vec![1; 16], Vec::new(), Vec::new());
        for len in lens {
            starts.push(bytes.len());
            begin(&mut frame);
            frame.extend(std::iter::repeat_n(b'x', *len));
            end(&mut frame, place(bytes.len()), 5);
            bytes.extend_from_slice(&frame);
        }
        starts.push(bytes.len());
        bytes.resize(bytes.len() + 3000, 0);
        (bytes, starts)
    }

    #[test]
    fn frames_of_every_length_follow_each_other() {
        let lens: Vec<usize> = (1..1100).collect();
        let (bytes, starts) = segment(&lens);
        for (n, len) in lens.iter().enumerate() {
            let Found::Frame(frame) = find(&bytes, place(starts[n])) else { panic!("{len}") };
            assert_eq!((frame.content.1 - frame.content.0, frame.end), (*len, starts[n + 1]));
            assert!(starts[n] % SECTOR_BYTES <= SECTOR_BYTES - HEAD_BYTES);
        }
        assert_eq!(find(&bytes, place(starts[lens.len()])), Found::Nothing);
    }

    #[test]
    fn whatever_a_power_cut_leaves_of_the_last_frame_is_nothing() {
        let (bytes, starts) = segment(&[100, 1700]);
        let (from, to) = (starts[1], starts[2]);
        for cut in from..to - 8 {
            let mut torn = bytes.clone();
            torn[cut..].fill(0);
            assert_eq!(find(&torn, place(from)), Found::Nothing, "cut at {cut}");
            torn.truncate(cut);
            assert_eq!(find(&torn, place(from)), Found::Nothing, "ends at {cut}");
        }
        for sector in from / SECTOR_BYTES..=(to - 1) / SECTOR_BYTES {
            let mut torn = bytes.clone();
            torn[(sector * SECTOR_BYTES).max(from)..((sector + 1) * SECTOR_BYTES).min(to)].fill(0);
            assert_eq!(find(&torn, place(from)), Found::Nothing, "without sector {sector}");
        }
    }

    #[test]
    fn a_turned_bit_is_never_taken_for_a_power_cut() {
        let (bytes, starts) = segment(&[100, 1700]);
        for (at, to) in [(starts[0], starts[1]), (starts[1], starts[2])] {
            for bit in at * 8..to * 8 {
                let mut rotten = bytes.clone();
                rotten[bit / 8] ^= 1 << (bit % 8);
                match find(&rotten, place(at)) {
                    Found::Frame(frame) => assert!(bit / 8 >= frame.content.1, "bit {bit} is in what is checked"),
                    found => assert!(matches!(found, Found::Damaged(_)), "bit {bit}: {found:?}"),
                }
            }
        }
    }

    #[test]
    fn what_is_missing_before_another_frame_is_damage() {
        let (mut bytes, starts) = segment(&[1700, 100]);
        bytes[starts[0]..starts[0] + 600].fill(0);
        assert_eq!(find(&bytes, place(starts[0])), Found::Damaged(None));
    }
}
