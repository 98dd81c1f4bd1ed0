//! Compression of large answers, for clients that accept it.
//! Follows `k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/writers.go`.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::call::Call;

/// Answers up to this size are sent as they are, as upstream.
pub(crate) const THRESHOLD_BYTES: usize = 128 * 1024;
/// Upstream's level: what matters is the server's CPU.
const LEVEL: Compression = Compression::new(1);

/// Whether the client accepts it.
pub(crate) fn accepted(call: &Call) -> bool {
    call.header("accept-encoding").split(',').any(|coding| coding.split(';').next().is_some_and(|name| name.trim() == "gzip"))
}

/// Enough pieces to tell whether the answer is large, and whether it is.
pub(super) fn gather(pieces: &mut impl Iterator<Item = Bytes>) -> (Vec<Bytes>, bool) {
    let (mut gathered, mut bytes) = (Vec::new(), 0);
    while bytes <= THRESHOLD_BYTES {
        let Some(piece) = pieces.next() else { break };
        bytes += piece.len();
        gathered.push(piece);
    }
    (gathered, bytes > THRESHOLD_BYTES)
}

/// All at once.
pub(super) fn whole(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), LEVEL);
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}

/// Piece by piece.
pub(super) struct Compressed<I> {
    pieces: I,
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl<I: Iterator<Item = Bytes>> Compressed<I> {
    pub(super) fn new(pieces: I) -> Self {
        Self { pieces, encoder: Some(GzEncoder::new(Vec::new(), LEVEL)) }
    }
}

impl<I: Iterator<Item = Bytes>> Iterator for Compressed<I> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        loop {
            let Some(piece) = self.pieces.next() else {
                return self.encoder.take().and_then(|encoder| encoder.finish().ok()).map(Bytes::from);
            };
            let encoder = self.encoder.as_mut()?;
            // Writing to memory does not fail.
            let _ = encoder.write_all(&piece);
            if !encoder.get_ref().is_empty() {
                return Some(std::mem::take(encoder.get_mut()).into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn pieces_come_back_together() {
        let pieces = vec![Bytes::from_static(b"begin"), Bytes::from("a".repeat(200_000)), Bytes::from_static(b"end")];
        let packed: Vec<u8> = Compressed::new(pieces.into_iter()).flatten().collect();
        let mut text = String::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
        assert!(text.starts_with("begina") && text.ends_with("aend"));
        assert_eq!(text.len(), 200_008);
    }

    #[test]
    fn no_more_is_gathered_than_tells_whether_an_answer_is_large() {
        let pieces = |count: usize| std::iter::repeat_n(Bytes::from(vec![0; 50_000]), count);
        assert_eq!(gather(&mut pieces(2)), (pieces(2).collect(), false));
        let mut many = pieces(9);
        assert_eq!(gather(&mut many), (pieces(3).collect(), true));
        assert_eq!(many.count(), 6);
    }
}
