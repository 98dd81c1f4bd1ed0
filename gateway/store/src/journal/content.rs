//! What a frame says was done, operation by operation. Knows no file and no checksum (`frame`).

use model::Revision;

const PUT: u8 = 1;
const DELETE: u8 = 2;
const REMOVED: u8 = 3;
const OLDEST: u8 = 4;
const START: u8 = 5;

/// One operation. No tag is zero, so that the content of a frame never begins with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation<'a> {
    /// A key holds a record from here on.
    Put(&'a str, &'a [u8]),
    /// A key holds nothing any more.
    Delete(&'a str),
    /// Revision of the last removal in a resource, by its prefix.
    Removed(&'a str, Revision),
    /// Segments before this one are not needed any more.
    Oldest(u64),
    /// The first of each segment.
    Start(Start),
}

/// What a segment says of itself and of those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Start {
    /// The revision from which the store's history begins.
    pub(crate) floor: Revision,
    /// The first segment that was needed when this one was begun.
    pub(crate) oldest: u64,
    /// Where the frames of the segment before end.
    pub(crate) before_ends: u64,
}

/// Appends an operation.
pub(super) fn append(out: &mut Vec<u8>, operation: &Operation<'_>) {
    match *operation {
        Operation::Put(key, record) => {
            out.push(PUT);
            text(out, key);
            // An object is limited to a few MiB.
            out.extend_from_slice(&(record.len() as u32).to_le_bytes());
            out.extend_from_slice(record);
        }
        Operation::Delete(key) => {
            out.push(DELETE);
            text(out, key);
        }
        Operation::Removed(prefix, revision) => {
            out.push(REMOVED);
            text(out, prefix);
            out.extend_from_slice(&revision.to_le_bytes());
        }
        Operation::Oldest(segment) => {
            out.push(OLDEST);
            out.extend_from_slice(&segment.to_le_bytes());
        }
        Operation::Start(start) => {
            out.push(START);
            for number in [start.floor, start.oldest, start.before_ends] {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    // Keys are limited, see `KEY_BYTES_MAX`.
    out.extend_from_slice(&(text.len() as u16).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// The operations of a frame's content, in order; ends early where it makes no sense.
pub(super) struct Operations<'a>(pub(super) &'a [u8]);

impl<'a> Operations<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        let mut number = [0; 8];
        number[..bytes].copy_from_slice(self.take(bytes)?);
        Some(u64::from_le_bytes(number))
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = self.number(2)?;
        std::str::from_utf8(self.take(len as usize)?).ok()
    }
}

impl<'a> Iterator for Operations<'a> {
    type Item = Operation<'a>;

    fn next(&mut self) -> Option<Operation<'a>> {
        match self.number(1)? as u8 {
            PUT => {
                let key = self.text()?;
                let len = self.number(4)?;
                Some(Operation::Put(key, self.take(len as usize)?))
            }
            DELETE => Some(Operation::Delete(self.text()?)),
            REMOVED => Some(Operation::Removed(self.text()?, self.number(8)?)),
            OLDEST => Some(Operation::Oldest(self.number(8)?)),
            START => {
                let (floor, oldest, before_ends) = (self.number(8)?, self.number(8)?, self.number(8)?);
                Some(Operation::Start(Start { floor, oldest, before_ends }))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_went() {
        let operations = [
            Operation::Start(Start { floor: 1, oldest: 2, before_ends: 3 }),
            Operation::Put("/registry/pods/default/a", b"record"),
            Operation::Delete("/registry/pods/default/b"),
            Operation::Removed("/registry/pods/", 9),
            Operation::Oldest(4),
        ];
        let mut out = Vec::new();
        operations.iter().for_each(|operation| append(&mut out, operation));
        assert_eq!(Operations(&out).collect::<Vec<_>>(), operations);
        assert_eq!(Operations(&out[..out.len() - 1]).count(), 4, "what is cut short is not taken for whole");
    }
}
