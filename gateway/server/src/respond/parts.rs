//! An answer of many objects in the parts that it is put together from, so that what was made of an object for one answer serves
//! the next. Does not know what is in them.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use store::{Entry, Form};

use super::gzip;
use super::gzip::Assembly;
use crate::body;

/// One part.
pub(crate) enum Part {
    /// What is said around the objects, or of them for this answer alone.
    Text(Cow<'static, [u8]>),
    /// An object, whose entry keeps the bytes compressed in a form.
    Object(Bytes, Arc<Entry>, Form),
}

impl Part {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            Self::Object(bytes, ..) => bytes,
        }
    }
}

/// Enough parts to tell whether the answer is large, and whether it is.
pub(super) fn gather(parts: &mut impl Iterator<Item = Part>) -> (Vec<Part>, bool) {
    let (mut gathered, mut bytes) = (Vec::new(), 0);
    while bytes <= gzip::THRESHOLD_BYTES {
        let Some(part) = parts.next() else { break };
        bytes += part.bytes().len();
        gathered.push(part);
    }
    (gathered, bytes > gzip::THRESHOLD_BYTES)
}

/// All at once.
pub(super) fn joined(parts: impl Iterator<Item = Part>) -> Bytes {
    let mut all = Vec::new();
    parts.for_each(|part| all.extend_from_slice(part.bytes()));
    all.into()
}

/// Piece by piece.
pub(super) fn plain(mut parts: impl Iterator<Item = Part>) -> impl Iterator<Item = Bytes> {
    body::cut(move |out| {
        let part = parts.next();
        if let Some(part) = &part {
            out.extend_from_slice(part.bytes());
        }
        part.is_some()
    })
}

/// Piece by piece, compressed.
pub(super) fn compressed(mut parts: impl Iterator<Item = Part>) -> impl Iterator<Item = Bytes> {
    let mut assembly = Assembly::begin();
    body::cut(move |out| {
        let part = parts.next();
        match &part {
            Some(Part::Object(bytes, entry, form)) if bytes.len() >= gzip::BLOCK_BYTES_MIN => {
                assembly.block(bytes, |make| entry.rendering(*form, |_| make()), out);
            }
            Some(part) => assembly.text(part.bytes(), out),
            None => assembly.end(out),
        }
        part.is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_gathered_than_tells_whether_an_answer_is_large() {
        let parts = |count: usize| std::iter::repeat_n((), count).map(|()| Part::Text(vec![0; 50_000].into()));
        let (few, is_large) = gather(&mut parts(2));
        assert_eq!((few.len(), is_large), (2, false));
        let mut many = parts(9);
        let (some, is_large) = gather(&mut many);
        assert_eq!((some.len(), is_large, many.count()), (3, true, 6));
    }

    #[test]
    fn an_answer_is_the_same_at_once_and_in_pieces() {
        let parts =
            || ["begin", &"a".repeat(200_000), "end"].map(|text| Part::Text(text.to_owned().into_bytes().into())).into_iter();
        let pieces: Vec<u8> = plain(parts()).flatten().collect();
        assert_eq!(pieces, joined(parts()));
        assert_eq!(pieces.len(), 200_008);
    }
}
