//! An entry as it lies on disk: a small fixed head, the header's text, the body, all under a checksum of its own.
//! Does not store it (`disk`).

pub(crate) mod sealed;

use std::sync::Arc;

use bytes::Bytes;
use model::Revision;

use crate::entry::{Parts, decimal_len};
use crate::header::{Header, Pairs};
use crate::{Draft, Entry, Key};

/// Version of this layout, the first byte of every record.
pub(crate) const LAYOUT: u8 = 1;

/// Layout byte and checksum.
const CHECKED_FROM: usize = 1 + 4;
/// Revision, created, expiry (0 = never), prefix length, revision offset, body length.
const HEAD_BYTES: usize = CHECKED_FROM + 8 + 8 + 8 + 2 + 4 + 4;

/// Why a record cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It ends too early or its lengths contradict each other.
    #[error("its length does not fit its content")]
    Length,
    /// The checksum differs from the one computed over key and content.
    #[error("its checksum does not match")]
    Checksum,
    /// A layout that this version does not know.
    #[error("its layout is {0}, this version reads {LAYOUT}")]
    Layout(u8),
    /// The checksum is right and yet the content makes no sense: written by something else.
    #[error("its content is malformed")]
    Content,
}

/// Makes the entry that a draft becomes and its record. The body is copied once: the entry's body is a part of the record.
pub(crate) fn encode(
    key: &Key,
    draft: &Draft,
    revision: Revision,
    created: Revision,
    expires_s: Option<u64>,
) -> (Arc<Entry>, Bytes) {
    let digits = revision.to_string();
    let (before, after) = draft.body.split_at(draft.revision_at);
    let revision_at = draft.revision_at as u32;
    let head = Head { key, revision, created, expires_s, revision_at, header: &draft.header };
    let (record, body_at) = write(&head, [before, digits.as_bytes(), after]);
    let entry = Entry::new(Parts {
        key: key.clone(),
        revision,
        created,
        header: draft.header.clone(),
        body: record.slice(body_at..),
        expires_s,
        revision_at,
    });
    (Arc::new(entry), record)
}

/// The record of an entry that exists.
pub(crate) fn encode_again(entry: &Entry) -> Bytes {
    let Entry { key, revision, created, header, body, expires_s, revision_at, .. } = entry;
    let head = Head { key, revision: *revision, created: *created, expires_s: *expires_s, revision_at: *revision_at, header };
    write(&head, [body, b"", b""]).0
}

/// How long the record of an entry is, unless it is encrypted.
pub(crate) fn len(entry: &Entry) -> usize {
    let pairs = [&entry.header.labels, &entry.header.fields];
    HEAD_BYTES + pairs.iter().map(|pairs| pairs_len(pairs)).sum::<usize>() + entry.body.len()
}

/// Whether a record is what was written, without reading it.
pub(crate) fn check(key: &str, record: &[u8]) -> Result<(), Damage> {
    match record.first_chunk::<CHECKED_FROM>() {
        None => Err(Damage::Length),
        Some([_, sum @ ..]) if u32::from_le_bytes(*sum) == checksum(key, record) => Ok(()),
        Some(_) => Err(Damage::Checksum),
    }
}

/// Revision and length of the key's prefix in a record, encrypted or not; they stand at one place in both.
pub(crate) fn place(record: &[u8]) -> Option<(Revision, u16)> {
    let mut rest = Reader(record.get(CHECKED_FROM..)?);
    let revision = rest.u64().ok()?;
    let (_created, _expires_s) = (rest.u64().ok()?, rest.u64().ok()?);
    Some((revision, rest.u16().ok()?))
}

fn pairs_len(pairs: &Pairs) -> usize {
    8 + pairs.ends().len() * 4 + pairs.text().len()
}

/// Everything of a record but the body.
struct Head<'a> {
    key: &'a Key,
    revision: Revision,
    created: Revision,
    expires_s: Option<u64>,
    revision_at: u32,
    header: &'a Header,
}

/// The record, and where its body begins.
fn write(head: &Head<'_>, body: [&[u8]; 3]) -> (Bytes, usize) {
    let body_len = body.iter().map(|part| part.len()).sum::<usize>();
    let pairs = [&head.header.labels, &head.header.fields];
    let pairs_len = pairs.iter().map(|pairs| pairs_len(pairs)).sum::<usize>();
    let mut out = Vec::with_capacity(HEAD_BYTES + pairs_len + body_len);
    out.push(LAYOUT);
    out.extend_from_slice(&[0; 4]);
    for number in [head.revision, head.created, head.expires_s.unwrap_or(0)] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&(head.key.prefix().len() as u16).to_le_bytes());
    out.extend_from_slice(&head.revision_at.to_le_bytes());
    out.extend_from_slice(&(body_len as u32).to_le_bytes());
    pairs.into_iter().for_each(|pairs| put_pairs(pairs, &mut out));
    let body_at = out.len();
    body.into_iter().for_each(|part| out.extend_from_slice(part));
    let sum = checksum(head.key, &out);
    out[1..CHECKED_FROM].copy_from_slice(&sum.to_le_bytes());
    (out.into(), body_at)
}

/// Reads a record back, checking everything.
pub(crate) fn decode(key: &str, record: &[u8]) -> Result<Entry, Damage> {
    let (&layout, _) = record.split_first().ok_or(Damage::Length)?;
    if layout != LAYOUT {
        return Err(Damage::Layout(layout));
    }
    if record.len() < HEAD_BYTES {
        return Err(Damage::Length);
    }
    let mut rest = Reader(&record[1..]);
    if rest.u32()? != checksum(key, record) {
        return Err(Damage::Checksum);
    }
    let (revision, created, expires_s) = (rest.u64()?, rest.u64()?, rest.u64()?);
    let (prefix_len, revision_at, body_len) = (rest.u16()?, rest.u32()?, rest.u32()? as usize);
    let header = Header { labels: rest.pairs()?, fields: rest.pairs()? };
    let body = rest.0;
    if body.len() != body_len || (revision_at as usize) + decimal_len(revision) > body_len {
        return Err(Damage::Length);
    }
    Ok(Entry::new(Parts {
        key: Key::from_parts(key, prefix_len).ok_or(Damage::Content)?,
        revision,
        created,
        header,
        body: Bytes::copy_from_slice(body),
        expires_s: (expires_s != 0).then_some(expires_s),
        revision_at,
    }))
}

/// Over the key too, so that a record that turns up under another key is found out.
fn checksum(key: &str, record: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(key.as_bytes());
    sum.update(&record[CHECKED_FROM..]);
    sum.finalize()
}

fn put_pairs(pairs: &Pairs, out: &mut Vec<u8>) {
    out.extend_from_slice(&(pairs.ends().len() as u32).to_le_bytes());
    out.extend_from_slice(&(pairs.text().len() as u32).to_le_bytes());
    for end in pairs.ends() {
        out.extend_from_slice(&end.to_le_bytes());
    }
    out.extend_from_slice(pairs.text().as_bytes());
}

/// Takes little-endian numbers off the front.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(Damage::Length)?;
        self.0 = tail;
        Ok(*head)
    }

    fn u16(&mut self) -> Result<u16, Damage> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, Damage> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Damage> {
        self.array().map(u64::from_le_bytes)
    }

    fn pairs(&mut self) -> Result<Pairs, Damage> {
        let (count, len) = (self.u32()? as usize, self.u32()? as usize);
        if count.saturating_mul(4).saturating_add(len) > self.0.len() {
            return Err(Damage::Length);
        }
        let ends = (0..count).map(|_| self.u32()).collect::<Result<Box<[u32]>, _>>()?;
        let (text, tail) = self.0.split_at(len);
        self.0 = tail;
        let text = std::str::from_utf8(text).map_err(|_| Damage::Content)?;
        Pairs::from_parts(text, ends).ok_or(Damage::Content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Key, Arc<Entry>, Bytes) {
        let key = Key::new("/registry/pods/", "default/web");
        let draft = Draft {
            header: Header {
                labels: [("app", "shop"), ("tier", "web")].into_iter().collect(),
                fields: [("spec.nodeName", "node-1")].into_iter().collect(),
            },
            body: Bytes::from_static(br#"{"metadata":{"resourceVersion":""}}"#),
            revision_at: 32,
            ttl_s: None,
        };
        let (entry, record) = encode(&key, &draft, 1234, 7, Some(99));
        (key, entry, record)
    }

    #[test]
    fn comes_back_as_it_went() {
        let (key, entry, record) = sample();
        assert_eq!(entry.body, &br#"{"metadata":{"resourceVersion":"1234"}}"#[..]);
        let back = decode(&key, &record).expect("sound");
        assert_eq!((back.key.prefix(), back.key.rest()), (key.prefix(), key.rest()));
        assert_eq!((back.revision, back.created, back.expires_s), (1234, 7, Some(99)));
        assert_eq!((&back.header, &back.body), (&entry.header, &entry.body));
        assert_eq!(encode_again(&back), record);
        assert_eq!((len(&back), check(&key, &record)), (record.len(), Ok(())));
        assert_eq!(place(&record), Some((1234, 15)));
        assert_eq!(back.at_revision(5).body, &br#"{"metadata":{"resourceVersion":"5"}}"#[..]);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let (key, _, record) = sample();
        for at in 0..record.len() {
            for bit in 0..8 {
                let mut damaged = record.to_vec();
                damaged[at] ^= 1 << bit;
                assert!(decode(&key, &damaged).is_err(), "bit {bit} of byte {at}");
            }
            assert!(decode(&key, &record[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_record_under_another_key_is_found() {
        let (_, _, record) = sample();
        assert_eq!(decode("/registry/pods/default/other", &record).expect_err("moved"), Damage::Checksum);
    }
}
