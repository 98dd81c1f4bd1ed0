//! What was pulled, kept on disk by digest, so that a server starts without its registries. What is read back is checked as
//! if it came over the network; signatures are judged anew by whoever asked (`admission`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use admission::policy::registry::{Artifact, Pulled, Signature};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use model::Value;
use model::json::json;
use wasm::Runtime;
use wasm::folder::{keep_newest, used};

use super::layout;
use super::reference::Reference;

/// What is kept, of artifacts of up to 32 MiB.
const BYTES_MAX: u64 = 1 << 30;

/// A folder of artifacts.
pub(super) struct Cache(PathBuf);

impl Cache {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// What the digests name that were asked for. Without signatures, where they are wanted, it is not enough: they may
    /// have been made since.
    pub(super) fn get(&self, artifact: &Artifact, reference: &Reference) -> Option<Pulled> {
        let key = reference.digest.as_ref().or(artifact.digest.as_ref())?;
        let told: Value = serde_json::from_slice(&fs::read(self.path(key, "json")).ok()?).ok()?;
        let manifest = told["manifest"].as_str()?.as_bytes().to_vec();
        let digest = layout::component_of(&manifest).ok()?.digest;
        let component = fs::read(self.path(&digest, "wasm")).ok()?;
        let fits = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let is_it = fits(&reference.digest, &Runtime::digest(&manifest)) && fits(&artifact.digest, &digest);
        if !is_it || Runtime::digest(&component) != digest {
            return None;
        }
        [self.path(key, "json"), self.path(&digest, "wasm")].iter().for_each(|path| used(path));
        let signatures: Vec<Signature> = told["signatures"].as_array()?.iter().filter_map(signature).collect();
        (!artifact.is_signed || !signatures.is_empty()).then_some(Pulled { manifest, component, signatures })
    }

    /// Keeps what was pulled. A failure costs only a pull at the next start, so it is logged and no more.
    pub(super) fn put(&self, pulled: &Pulled) {
        if let Err(error) = self.write(pulled).and_then(|()| keep_newest(&self.0, BYTES_MAX, "")) {
            tracing::warn!(%error, folder = %self.0.display(), "what was pulled could not be kept");
        }
    }

    fn write(&self, pulled: &Pulled) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let signatures: Vec<Value> = pulled
            .signatures
            .iter()
            .map(|signature| json!({"payload": BASE64_STANDARD.encode(&signature.payload), "signature": signature.signature}))
            .collect();
        let told = json!({"manifest": String::from_utf8_lossy(&pulled.manifest), "signatures": signatures}).to_string();
        let component = Runtime::digest(&pulled.component);
        replace(&self.path(&component, "wasm"), &pulled.component)?;
        replace(&self.path(&component, "json"), told.as_bytes())?;
        replace(&self.path(&Runtime::digest(&pulled.manifest), "json"), told.as_bytes())
    }

    fn path(&self, digest: &str, ending: &str) -> PathBuf {
        self.0.join(format!("{}.{ending}", digest.replacen(':', "-", 1)))
    }
}

/// Never half a file: whoever reads sees the old one or the new one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    fs::write(&new, bytes)?;
    fs::rename(new, path)
}

fn signature(told: &Value) -> Option<Signature> {
    let payload = BASE64_STANDARD.decode(told["payload"].as_str()?).ok()?;
    Some(Signature { payload, signature: told["signature"].as_str()?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_given_only_while_it_is_what_its_digest_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(folder.path().to_owned());
        let (_, manifest) = layout::of(b"component", &layout::Described::default());
        let (component, digest) = (Runtime::digest(b"component"), Runtime::digest(&manifest));
        let pulled = Pulled { manifest: manifest.to_vec(), component: b"component".to_vec(), signatures: Vec::new() };
        let by = |reference: &str, digest: Option<&String>| {
            let artifact = Artifact { reference: reference.to_owned(), digest: digest.cloned(), ..Artifact::default() };
            cache.get(&artifact, &Reference::parse(reference).expect("a name"))
        };
        let (tagged, named) = ("r.example/a:1", format!("r.example/a@{digest}"));
        assert_eq!(by(tagged, Some(&component)), None);
        cache.put(&pulled);
        assert_eq!(by(tagged, Some(&component)), Some(pulled.clone()));
        assert_eq!(by(&named, None), Some(pulled));
        assert_eq!(by(&named, Some(&digest)), None, "another component was meant");
        assert_eq!(by(tagged, None), None, "a tag may have moved");
        fs::write(cache.path(&component, "wasm"), "another").expect("a file");
        assert_eq!(by(&named, None), None);
    }
}
