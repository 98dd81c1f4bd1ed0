//! Components of policies in OCI registries: pulled and pushed in the layout that the CNCF describes for wasm, with their
//! signatures where cosign looks for them. Follows a redirect only where it may, and never with credentials to another host.
//! Does not load what it pulls and trusts no signature (`admission`).
//! Protocol: <https://github.com/opencontainers/distribution-spec>; layout: <https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/>.

mod cache;
mod challenge;
mod credentials;
mod layout;
mod place;
mod reference;
mod session;

use std::path::PathBuf;
use std::time::Duration;

use admission::policy::registry::{Artifact, Failure, Pulled, Registry, Signature};
use bytes::Bytes;
use http::{Method, StatusCode};
use wasm::Runtime;
use wasm::limits::MODULE_BYTES_MAX;

use crate::client::Trust;

pub use layout::{Described, component_of};
pub use place::Reach;
pub use reference::Reference;

use cache::Cache;
use place::Place;
use session::{Ask, Session};

/// A pull or a push as a whole. A module has some MiB; a registry that needs longer is as good as absent.
const EXCHANGE_MAX: Duration = Duration::from_secs(60);
/// A manifest; registries take no larger ones.
const MANIFEST_BYTES_MAX: usize = 4 << 20;
/// What one signature is about: a few lines of JSON.
const PAYLOAD_BYTES_MAX: usize = 64 << 10;
/// Signatures of one artifact that are read.
const SIGNATURES_MAX: usize = 16;

/// Registries as one program sees them.
pub struct Registries {
    reach: Reach,
    /// A file of credentials as `docker login` writes it; read anew each time, because it changes. It may name helpers.
    credentials: Option<PathBuf>,
    cache: Option<Cache>,
}

impl Registries {
    /// Those that `reach` allows.
    pub fn new(reach: Reach, credentials: Option<PathBuf>) -> Self {
        Self { reach, credentials, cache: None }
    }

    /// Keeps what was pulled in a folder, so that a restart needs no registry.
    #[must_use]
    pub fn keeping(self, folder: PathBuf) -> Self {
        Self { cache: Some(Cache::new(folder)), ..self }
    }

    /// Reads a component with its signatures.
    pub async fn pull_from(&self, artifact: &Artifact) -> Result<Pulled, Failure> {
        let reference = Reference::parse(&artifact.reference).map_err(Failure::last)?;
        // Also of what is kept: who may no longer be asked is no longer believed.
        self.reach.check(&Place::of_registry(&reference.registry, artifact.is_insecure)?)?;
        let cache = self.cache.as_ref().filter(|_| !artifact.is_fresh);
        if let Some(kept) = cache.and_then(|cache| cache.get(artifact, &reference)) {
            return Ok(kept);
        }
        let pulled = within(async {
            let mut session = self.session(&reference, artifact).await?;
            let manifest = manifest(&mut session, &reference).await?;
            let component = layout::component_of(&manifest).map_err(Failure::last)?;
            if let Some(wanted) = artifact.digest.as_ref().filter(|wanted| **wanted != component.digest) {
                // A tag may come to mean what is wanted.
                return Err(Failure::later(format!(
                    "the component of {reference} is {}, where {wanted} is demanded",
                    component.digest
                )));
            }
            let bytes = blob(&mut session, &reference, &component).await?;
            let signatures = match artifact.is_signed {
                true => signatures(&mut session, &reference, &Runtime::digest(&manifest)).await?,
                false => Vec::new(),
            };
            Ok(Pulled { manifest: manifest.to_vec(), component: bytes.to_vec(), signatures })
        });
        let pulled = pulled.await?;
        if let Some(cache) = &self.cache {
            cache.put(&pulled);
        }
        Ok(pulled)
    }

    /// Writes a component; answers with the artifact's digest.
    pub async fn push(&self, artifact: &Artifact, component: Bytes, described: &Described) -> Result<String, Failure> {
        let reference = Reference::parse(&artifact.reference).map_err(Failure::last)?;
        let name = reference.tag.clone().ok_or_else(|| Failure::last(format!("{reference} has no tag to push to")))?;
        let (config, manifest) = layout::of(&component, described);
        within(async {
            let mut session = self.session(&reference, artifact).await?;
            upload(&mut session, &reference, component).await?;
            upload(&mut session, &reference, config).await?;
            put_manifest(&mut session, &reference, &name, manifest).await
        })
        .await
    }

    /// Reads an artifact's manifest; answers with its bytes.
    pub async fn manifest(&self, artifact: &Artifact) -> Result<Bytes, Failure> {
        let reference = Reference::parse(&artifact.reference).map_err(Failure::last)?;
        within(async { manifest(&mut self.session(&reference, artifact).await?, &reference).await }).await
    }

    /// Writes one more signature of an artifact, where cosign writes and looks for them.
    pub async fn sign(&self, artifact: &Artifact, digest: &str, signature: Signature) -> Result<String, Failure> {
        let reference = Reference::parse(&artifact.reference).map_err(Failure::last)?;
        within(async {
            let mut session = self.session(&reference, artifact).await?;
            let mut all = signatures(&mut session, &reference, digest).await?;
            all.retain(|other| *other != signature);
            all.push(signature);
            let (config, manifest) = layout::of_signatures(&all);
            upload(&mut session, &reference, config).await?;
            for signature in &all {
                upload(&mut session, &reference, Bytes::from(signature.payload.clone())).await?;
            }
            put_manifest(&mut session, &reference, &layout::signature_tag(digest), manifest).await
        })
        .await
    }

    async fn session(&self, reference: &Reference, artifact: &Artifact) -> Result<Session<'_>, Failure> {
        let trust = Trust::new(&artifact.ca_bundle).map_err(|why| Failure::last(format!("caBundle: {why}")))?;
        let (file, registry) = (self.credentials.clone(), reference.registry.clone());
        let read = tokio::task::spawn_blocking(move || credentials::read(file.as_deref(), &registry)).await;
        let credentials = read.unwrap_or_else(|error| Err(error.to_string())).map_err(Failure::later)?;
        Session::open(&self.reach, reference, artifact.is_insecure, trust, credentials)
    }
}

#[async_trait::async_trait]
impl Registry for Registries {
    async fn pull(&self, artifact: &Artifact) -> Result<Pulled, Failure> {
        self.pull_from(artifact).await
    }
}

async fn within<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let cut = |_| Err(Failure::later(format!("the registry did not answer within {} s", EXCHANGE_MAX.as_secs())));
    tokio::time::timeout(EXCHANGE_MAX, work).await.unwrap_or_else(cut)
}

async fn manifest(session: &mut Session<'_>, reference: &Reference) -> Result<Bytes, Failure> {
    let path = format!("/v2/{}/manifests/{}", reference.repository, reference.name());
    let ask = Ask { accept: layout::MANIFESTS, bytes_max: MANIFEST_BYTES_MAX, ..Ask::of(Method::GET, &path) };
    let body = session.expect(&ask, &[StatusCode::OK]).await?.into_body();
    let digest = Runtime::digest(&body);
    match &reference.digest {
        Some(wanted) if *wanted != digest => {
            Err(Failure::later(format!("the registry gave the artifact {digest} for {reference}")))
        }
        _ => Ok(body),
    }
}

async fn blob(session: &mut Session<'_>, reference: &Reference, wanted: &layout::Blob) -> Result<Bytes, Failure> {
    if wanted.size > MODULE_BYTES_MAX as u64 {
        return Err(Failure::last(format!("the component has {} bytes, more than {MODULE_BYTES_MAX}", wanted.size)));
    }
    read(session, reference, &wanted.digest, MODULE_BYTES_MAX).await
}

async fn read(session: &mut Session<'_>, reference: &Reference, digest: &str, bytes_max: usize) -> Result<Bytes, Failure> {
    let path = format!("/v2/{}/blobs/{digest}", reference.repository);
    let body = session.expect(&Ask { bytes_max, ..Ask::of(Method::GET, &path) }, &[StatusCode::OK]).await?.into_body();
    match Runtime::digest(&body) {
        read if read == digest => Ok(body),
        read => Err(Failure::later(format!("the registry gave {read} for the blob {digest}"))),
    }
}

/// The signatures of an artifact; none where the registry has none.
async fn signatures(session: &mut Session<'_>, reference: &Reference, digest: &str) -> Result<Vec<Signature>, Failure> {
    let path = format!("/v2/{}/manifests/{}", reference.repository, layout::signature_tag(digest));
    let ask = Ask { accept: layout::MANIFESTS, bytes_max: MANIFEST_BYTES_MAX, ..Ask::of(Method::GET, &path) };
    let answer = session.expect(&ask, &[StatusCode::OK, StatusCode::NOT_FOUND]).await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for (digest, signature) in layout::signed(answer.body()).into_iter().take(SIGNATURES_MAX) {
        let payload = read(session, reference, &digest, PAYLOAD_BYTES_MAX).await?.to_vec();
        all.push(Signature { payload, signature });
    }
    Ok(all)
}

/// Writes a blob unless the registry has it.
async fn upload(session: &mut Session<'_>, reference: &Reference, bytes: Bytes) -> Result<(), Failure> {
    let (digest, blobs) = (Runtime::digest(&bytes), format!("/v2/{}/blobs", reference.repository));
    let there = format!("{blobs}/{digest}");
    let answer = session.expect(&Ask::of(Method::HEAD, &there), &[StatusCode::OK, StatusCode::NOT_FOUND]).await?;
    if answer.status() == StatusCode::OK {
        return Ok(());
    }
    let begin = format!("{blobs}/uploads/");
    let begun = session.expect(&Ask::of(Method::POST, &begin), &[StatusCode::ACCEPTED]).await?;
    let place = session.upload_place(&begun)?;
    let joint = if place.contains('?') { '&' } else { '?' };
    let path = format!("{place}{joint}digest={digest}");
    let ask = Ask { content_type: "application/octet-stream", body: bytes, ..Ask::of(Method::PUT, &path) };
    session.expect(&ask, &[StatusCode::CREATED]).await.map(drop)
}

async fn put_manifest(session: &mut Session<'_>, reference: &Reference, name: &str, manifest: Bytes) -> Result<String, Failure> {
    let path = format!("/v2/{}/manifests/{name}", reference.repository);
    let digest = Runtime::digest(&manifest);
    let ask = Ask { content_type: layout::MANIFEST, body: manifest, ..Ask::of(Method::PUT, &path) };
    session.expect(&ask, &[StatusCode::CREATED, StatusCode::OK]).await?;
    Ok(digest)
}
