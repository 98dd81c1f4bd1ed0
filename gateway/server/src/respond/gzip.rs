//! Compression of large answers, for clients that accept it. An answer of many objects is assembled from blocks: each object
//! compressed by itself, once, so that a list costs little more than the copying of what it holds.
//! Follows `k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/writers.go` in when it compresses and how hard.

use std::io::Write;

use bytes::Bytes;
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, Crc, FlushCompress};

use crate::call::Call;

/// Answers up to this size are sent as they are, as upstream.
pub(crate) const THRESHOLD_BYTES: usize = 128 * 1024;
/// Objects from this size on are compressed by themselves. Of smaller ones most is what their neighbours say too: by themselves
/// they would take up twice the room and more.
pub(super) const BLOCK_BYTES_MIN: usize = 4 * 1024;
/// Text between blocks up to this size is not compressed.
const STORED_BYTES_MAX: usize = 64;
/// Upstream's level: what matters is the server's CPU.
const LEVEL: Compression = Compression::new(1);
/// RFC 1952: the magic number, deflate, no flags, no time, fastest, an unknown system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// Whether the client accepts it.
pub(crate) fn accepted(call: &Call) -> bool {
    call.header("accept-encoding").split(',').any(|coding| coding.split(';').next().is_some_and(|name| name.trim() == "gzip"))
}

/// All at once.
pub(super) fn whole(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), LEVEL);
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}

/// A gzip stream that is put together from blocks which were made before, and text around them.
pub(super) struct Assembly {
    encoder: Compress,
    begun: bool,
    /// The encoder holds text that is not out yet, or that later text may refer to.
    open: bool,
    crc: Crc,
}

impl Assembly {
    pub(super) fn begin() -> Self {
        Self { encoder: Compress::new(LEVEL, false), begun: false, open: false, crc: Crc::new() }
    }

    /// Appends text.
    pub(super) fn text(&mut self, text: &[u8], out: &mut Vec<u8>) {
        self.note(text, out);
        if self.open || text.len() > STORED_BYTES_MAX {
            self.open = true;
            deflate(&mut self.encoder, text, FlushCompress::None, out);
        } else {
            stored(text, false, out);
        }
    }

    /// Appends a block of these bytes. `kept` finds it, or keeps what the function that it is handed makes.
    pub(super) fn block(&mut self, bytes: &[u8], kept: impl FnOnce(&mut dyn FnMut() -> Bytes) -> Bytes, out: &mut Vec<u8>) {
        self.note(bytes, out);
        self.close(out);
        let encoder = &mut self.encoder;
        let block = kept(&mut || {
            let mut block = Vec::with_capacity(bytes.len() / 2);
            deflate(encoder, bytes, FlushCompress::Sync, &mut block);
            encoder.reset();
            block.into_boxed_slice().into()
        });
        out.extend_from_slice(&block);
    }

    /// Appends what ends the stream.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        self.note(&[], out);
        self.close(out);
        stored(&[], true, out);
        out.extend_from_slice(&self.crc.sum().to_le_bytes());
        // The length modulo 2^32, as the format has it.
        out.extend_from_slice(&self.crc.amount().to_le_bytes());
    }

    fn note(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            out.extend_from_slice(&HEAD);
        }
        self.crc.update(bytes);
    }

    /// Ends the text at a byte. No text behind a block may refer to text before it: it would count the block's bytes wrong.
    fn close(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.open) {
            deflate(&mut self.encoder, &[], FlushCompress::Sync, out);
            self.encoder.reset();
        }
    }
}

/// A block of deflate that is not compressed (RFC 1951, 3.2.4); it must begin at a byte.
fn stored(text: &[u8], is_last: bool, out: &mut Vec<u8>) {
    // At most STORED_BYTES_MAX.
    let length = text.len() as u16;
    out.push(u8::from(is_last));
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(text);
}

fn deflate(encoder: &mut Compress, mut bytes: &[u8], flush: FlushCompress, out: &mut Vec<u8>) {
    let mut was_full = false;
    loop {
        out.reserve(bytes.len() / 4 + 1024);
        let before = encoder.total_in();
        // There is room; that nothing was to do is no error here.
        let _ = encoder.compress_vec(bytes, out, flush);
        bytes = &bytes[(encoder.total_in() - before) as usize..];
        let is_full = out.len() == out.capacity();
        // A call after one that ran out of room may only hand over what that one left, and flush nothing yet.
        if bytes.is_empty() && !is_full && !was_full {
            return;
        }
        was_full = is_full;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn unpacked(packed: &[u8]) -> Vec<u8> {
        let (mut reader, mut bytes) = (flate2::read::GzDecoder::new(packed), Vec::new());
        reader.read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// Bytes that compress well, badly, or hardly fill a buffer.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            prop::collection::vec(0u8..4, 0..20_000),
            prop::collection::vec(any::<u8>(), 0..20_000),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_put_together_comes_back(parts in prop::collection::vec((any::<bool>(), bytes()), 0..12)) {
            let mut kept = Vec::new();
            for _ in 0..2 {
                let (mut assembly, mut out) = (Assembly::begin(), Vec::new());
                for (at, (is_block, bytes)) in parts.iter().enumerate() {
                    if !is_block {
                        assembly.text(bytes, &mut out);
                        continue;
                    }
                    let find = |make: &mut dyn FnMut() -> Bytes| match kept.iter().find(|(n, _)| *n == at) {
                        Some((_, block)) => Bytes::clone(block),
                        None => {
                            kept.push((at, make()));
                            kept.last().unwrap().1.clone()
                        }
                    };
                    assembly.block(bytes, find, &mut out);
                }
                assembly.end(&mut out);
                prop_assert_eq!(unpacked(&out), parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn what_lies_between_blocks_takes_up_little() {
        let bytes = "a word and another ".repeat(500);
        let (mut assembly, mut out) = (Assembly::begin(), Vec::new());
        assembly.block(bytes.as_bytes(), |make| make(), &mut out);
        let one = out.len() - HEAD.len();
        assembly.text(b",", &mut out);
        assembly.block(bytes.as_bytes(), |make| make(), &mut out);
        assert_eq!(out.len(), HEAD.len() + one + 6 + one);
        assert!(one < bytes.len() / 20, "{one}");
    }
}
