//! Custom resources: what a CustomResourceDefinition makes of itself. Each of its served versions becomes a [`Resource`] like
//! any other. Does not say which definitions there are (`server::customs` follows them) and judges none (its hook does).
//! Follows `apiextensions-apiserver/pkg/apiserver/customresource_handler.go` and `pkg/registry/customresource`.

pub mod column;
pub mod definition;
pub mod jsonpath;
pub mod rules;
pub mod scale;

use std::io::{Read, Write};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use futures::channel::oneshot;
use futures::future::Shared;
use model::{GroupVersionKind, Revision, Value};
use schema::Structural;

use jsonpath::Path;

/// Resolves when what a definition says of stored objects changes, or it goes.
pub type Ends = Shared<oneshot::Receiver<()>>;

/// What all versions of one custom resource have in common.
pub struct Definition {
    /// Name of the definition: `crontabs.stable.example.com`.
    pub name: Arc<str>,
    /// Uid of the definition.
    pub uid: Arc<str>,
    /// Its `metadata.generation`: schemas and conversions change with it only.
    pub generation: i64,
    /// Objects last written at this revision or before may have been stored under another schema.
    pub since: Revision,
    /// Every version, served or not, as objects may be stored in any.
    pub versions: Arc<[Version]>,
    /// The kind in the version in which objects are stored.
    pub storage: GroupVersionKind,
    /// How objects get from one version to another.
    pub conversion: Conversion,
    /// Whether the definition is being deleted: then nothing new is made.
    pub terminating: bool,
    /// When watches through it end.
    pub ends: Ends,
}

/// One version of a definition, as far as reading stored objects needs it.
pub struct Version {
    /// `v1`.
    pub name: Arc<str>,
    /// Its schema.
    pub schema: Arc<Structural>,
    /// The text of the schema, deflated: only what publishes it reads it.
    published: Box<[u8]>,
}

/// How objects get from one version to another.
#[derive(Clone, Debug, PartialEq)]
pub enum Conversion {
    /// Only `apiVersion` changes.
    None,
    /// Somebody is asked: the `spec.conversion.webhook` of the definition.
    Webhook(Arc<Value>),
}

/// What is particular to one version of a custom resource, beside what its [`crate::Resource`] says.
pub struct Custom {
    /// Whose version it is.
    pub definition: Arc<Definition>,
    /// Values of its columns, but for the name.
    pub cells: Vec<column::Cell>,
    /// Fields for field selectors, as they spell them.
    pub selectable: Vec<(Arc<str>, Path)>,
    /// Where the scale subresource finds its numbers.
    pub scale: Option<scale::Paths>,
    /// What every answer warns of.
    pub warnings: Vec<Arc<str>>,
}

/// Whether a schema can be served. Fails with what makes it no structural one.
pub fn check(schema: &Value) -> Result<(), String> {
    Structural::parse(schema).map(drop)
}

/// Whether a text in base64 is a bundle of certificates.
pub fn is_ca_bundle(text: &str) -> bool {
    let Ok(bundle) = BASE64_STANDARD.decode(text) else { return false };
    let text = String::from_utf8_lossy(&bundle);
    let mut blocks = text.split("-----BEGIN CERTIFICATE-----").skip(1).peekable();
    let is_whole = |block: &str| block.split_once("-----END CERTIFICATE-----").is_some_and(|(body, _)| is_certificate(body));
    text.trim().is_empty() || blocks.peek().is_some() && blocks.all(is_whole)
}

/// Whether the body of a block is the DER of a sequence that ends with it.
fn is_certificate(body: &str) -> bool {
    let compact: String = body.split_whitespace().collect();
    let Ok(der) = BASE64_STANDARD.decode(compact) else { return false };
    let length = match der.get(1..) {
        Some([short, ..]) if *short < 0x80 => 2 + usize::from(*short),
        Some([0x81, one, ..]) => 3 + usize::from(*one),
        Some([0x82, one, two, ..]) => 4 + usize::from(u16::from_be_bytes([*one, *two])),
        _ => return false,
    };
    der.first() == Some(&0x30) && der.len() == length
}

impl Version {
    fn new(name: &str, schema: &Value) -> Result<Self, String> {
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
        // Memory takes what is written to it.
        let _ = packed.write_all(schema.to_string().as_bytes());
        let published = packed.finish().unwrap_or_default().into_boxed_slice();
        Ok(Self { name: name.into(), schema: Arc::new(Structural::parse(schema)?), published })
    }

    /// The schema as its author wrote it.
    pub fn published(&self) -> Value {
        let mut text = String::new();
        // What was packed here unpacks.
        let _ = DeflateDecoder::new(&*self.published).read_to_string(&mut text);
        serde_json::from_str(&text).unwrap_or_default()
    }
}

impl Definition {
    /// The schema of a version, served or not.
    pub fn schema(&self, version: &str) -> Option<&Arc<Structural>> {
        self.version(version).map(|version| &version.schema)
    }

    /// A version, served or not.
    pub fn version(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|version| &*version.name == name)
    }

    /// Whether two definitions make the same of stored objects, so that renderings of one serve the other.
    pub fn reads_as(&self, other: &Self) -> bool {
        (&self.uid, self.generation) == (&other.uid, other.generation)
    }
}

impl Custom {
    /// What field selectors can select by, in an object.
    pub fn fields(&self, object: &Value) -> impl Iterator<Item = (&str, String)> {
        self.selectable.iter().map(|(name, path)| {
            let found = path.find(object).unwrap_or_default();
            let value = found.first().filter(|value| !value.is_null()).map(jsonpath::print);
            (&**name, value.unwrap_or_default())
        })
    }
}
