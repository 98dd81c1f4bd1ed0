//! A rendered document: its bytes, the tag that changes with them, and a compressed copy once somebody took one.
//! Knows neither what it says nor who reads it.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha512};

/// A document that changes only with the catalog. Clones share everything.
#[derive(Clone, Debug)]
pub struct Document {
    /// As it is.
    pub body: Bytes,
    /// Quoted entity tag.
    pub etag: Arc<str>,
    packed: Arc<OnceLock<Bytes>>,
}

impl Document {
    /// Under a tag that is known, without its quotes.
    pub fn new(body: impl Into<Bytes>, tag: impl std::fmt::Display) -> Self {
        Self { body: body.into(), etag: format!("\"{tag}\"").into(), packed: Arc::default() }
    }

    /// Under the hash of its content.
    pub(crate) fn hashed(body: String) -> Self {
        let tag = format!("{:X}", Sha512::digest(body.as_bytes()));
        Self::new(body, tag)
    }

    /// The tag without its quotes.
    pub fn tag(&self) -> &str {
        self.etag.trim_matches('"')
    }

    /// In gzip, which is work the first time: for a thread that may block.
    pub fn packed(&self) -> Bytes {
        self.packed.get_or_init(|| gzip(&self.body)).clone()
    }
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 8), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}
