//! A record that is encrypted: what the engine must know is in front in the clear, the rest is whatever the transformer made of
//! it. The checksum lies over what is stored, so that damage is told apart from a key that is not known.

use bytes::Bytes;
use model::Revision;

use super::{CHECKED_FROM, Damage, Reader, checksum, put_pairs};
use crate::entry::{Parts, decimal_len};
use crate::unread::Unread;
use crate::{Entry, Header, Key};

/// Version of this layout, the first byte of such a record.
pub(super) const LAYOUT: u8 = 2;

/// An encrypted record whose checksum is right.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) key: Key,
    pub(crate) revision: Revision,
    created: Revision,
    expires_s: Option<u64>,
    /// What the transformer made.
    pub(crate) bytes: Bytes,
}

/// What is encrypted of an object: its body with an empty revision, where that goes, and the header.
pub(crate) fn clear(header: &Header, body: &[u8], revision_at: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 64);
    out.extend_from_slice(&revision_at.to_le_bytes());
    put_pairs(&header.labels, &mut out);
    put_pairs(&header.fields, &mut out);
    out.extend_from_slice(body);
    out
}

/// The record of an entry of which `sealed` is what was encrypted.
pub(crate) fn encode(entry: &Entry, sealed: &[u8]) -> Bytes {
    let mut out = vec![LAYOUT, 0, 0, 0, 0];
    for number in [entry.revision, entry.created, entry.expires_s.unwrap_or(0)] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&(entry.key.prefix().len() as u16).to_le_bytes());
    out.extend_from_slice(sealed);
    let sum = checksum(&entry.key, &out);
    out[1..CHECKED_FROM].copy_from_slice(&sum.to_le_bytes());
    out.into()
}

/// Reads a record, `None` when it is not encrypted.
pub(crate) fn decode(key: &str, record: &[u8]) -> Result<Option<Sealed>, Damage> {
    let Some(rest) = record.strip_prefix(&[LAYOUT]) else { return Ok(None) };
    let mut rest = Reader(rest);
    if rest.u32()? != checksum(key, record) {
        return Err(Damage::Checksum);
    }
    let (revision, created, expires_s) = (rest.u64()?, rest.u64()?, rest.u64()?);
    let key = Key::from_parts(key, rest.u16()?).ok_or(Damage::Content)?;
    let bytes = Bytes::copy_from_slice(rest.0);
    Ok(Some(Sealed { key, revision, created, expires_s: (expires_s != 0).then_some(expires_s), bytes }))
}

impl Sealed {
    /// The record of an entry that could not be read, as it lies there.
    pub(crate) fn of(entry: &Entry) -> Option<Self> {
        let Entry { key, revision, created, expires_s, .. } = entry;
        let bytes = entry.unread()?.stored.clone();
        Some(Self { key: key.clone(), revision: *revision, created: *created, expires_s: *expires_s, bytes })
    }

    /// The entry, given what `bytes` were made from; the record again where that is no entry.
    pub(crate) fn open(self, clear: &[u8]) -> Result<Entry, (Self, Damage)> {
        let parts = |rest: &mut Reader<'_>| {
            let revision_at = rest.u32()?;
            let header = Header { labels: rest.pairs()?, fields: rest.pairs()? };
            let (before, after) = rest.0.split_at_checked(revision_at as usize).ok_or(Damage::Length)?;
            let mut body = Vec::with_capacity(rest.0.len() + decimal_len(self.revision));
            body.extend_from_slice(before);
            body.extend_from_slice(self.revision.to_string().as_bytes());
            body.extend_from_slice(after);
            Ok((revision_at, header, body.into()))
        };
        match parts(&mut Reader(clear)) {
            Ok((revision_at, header, body)) => {
                let Self { key, revision, created, expires_s, .. } = self;
                Ok(Entry::new(Parts { key, revision, created, header, body, expires_s, revision_at }))
            }
            Err(damage) => Err((self, damage)),
        }
    }

    /// The entry of a record that cannot be read.
    pub(crate) fn unread(self, unread: Unread) -> Entry {
        Entry::unreadable(self.key, (self.revision, self.created), self.expires_s, unread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Draft;

    fn sample() -> (Draft, Entry, Bytes) {
        let header =
            Header { labels: [("app", "shop")].into_iter().collect(), fields: [("type", "Opaque")].into_iter().collect() };
        let body = Bytes::from_static(br#"{"metadata":{"resourceVersion":""},"data":{}}"#);
        let draft = Draft { header, body, revision_at: 32, ttl_s: None };
        let (entry, _) = super::super::encode(&Key::new("/registry/secrets/", "default/a"), &draft, 1234, 7, Some(99));
        let record = encode(&entry, &clear(&draft.header, &draft.body, 32));
        (draft, entry.with_body(entry.body.clone()), record)
    }

    #[test]
    fn comes_back_as_it_went() {
        let (draft, entry, record) = sample();
        let sealed = decode(&entry.key, &record).expect("sound").expect("sealed");
        let clear = clear(&draft.header, &draft.body, 32);
        assert_eq!(sealed.bytes, clear);
        let back = sealed.open(&clear).map_err(|(_, damage)| damage).expect("opens");
        assert_eq!((back.revision, back.created, back.expires_s, back.revision_at), (1234, 7, Some(99), 32));
        assert_eq!((&back.body, &back.header), (&entry.body, &entry.header));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let (_, entry, record) = sample();
        for at in 0..record.len() {
            for bit in 0..8 {
                let mut damaged = record.to_vec();
                damaged[at] ^= 1 << bit;
                let found = decode(&entry.key, &damaged);
                // Another layout is for the other reader to refuse.
                assert!(matches!(found, Err(_) | Ok(None)) && (at == 0 || found.is_err()), "bit {bit} of byte {at}");
                assert!(super::super::decode(&entry.key, &damaged).is_err(), "bit {bit} of byte {at}");
            }
            assert!(at == 0 || decode(&entry.key, &record[..at]).is_err(), "cut at {at}");
        }
    }
}
