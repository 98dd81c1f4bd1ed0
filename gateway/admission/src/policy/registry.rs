//! What is asked of registries, by whoever may reach them (`server`). Connects to nobody and judges no signature.

use model::Value;

/// One artifact that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Artifact {
    /// Registry, repository, and a tag or a digest.
    pub reference: String,
    /// Certificates in PEM that the registry is trusted by; the system's when empty.
    pub ca_bundle: Vec<u8>,
    /// Speak HTTP.
    pub is_insecure: bool,
    /// The digest that its component must have.
    pub digest: Option<String>,
    /// Its signatures are wanted too.
    pub is_signed: bool,
    /// What was kept of it is not good enough.
    pub is_fresh: bool,
}

/// One signature that lies beside an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// What was signed: JSON that names the artifact.
    pub payload: Vec<u8>,
    /// The signature, in base64.
    pub signature: String,
}

/// An artifact as a registry gave it; its digests were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Its manifest, which names the component.
    pub manifest: Vec<u8>,
    /// The component.
    pub component: Vec<u8>,
    /// Signatures beside it.
    pub signatures: Vec<Signature>,
}

/// Why there is no artifact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// For people.
    pub message: String,
    /// Asking once more leads to the same.
    pub is_final: bool,
}

impl Failure {
    /// One that stays until somebody changes what was asked for.
    pub fn last(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_final: true }
    }

    /// One that may pass.
    pub fn later(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_final: false }
    }
}

/// Whoever reaches registries.
#[async_trait::async_trait]
pub trait Registry: Send + Sync {
    /// Reads an artifact. The component has the digest that was asked for, and is what the manifest names.
    async fn pull(&self, artifact: &Artifact) -> Result<Pulled, Failure>;
}

impl Artifact {
    /// What a PolicyModule names under `spec.source.oci`.
    pub(super) fn of(object: &Value, ca_bundle: Vec<u8>) -> Self {
        let spec = object.get("spec").unwrap_or(&Value::Null);
        let oci = spec.pointer("/source/oci").unwrap_or(&Value::Null);
        let text = |holder: &Value, field: &str| holder.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
        Self {
            reference: text(oci, "reference"),
            ca_bundle,
            is_insecure: oci.get("insecure") == Some(&Value::Bool(true)),
            digest: Some(text(spec, "digest")).filter(|digest| !digest.is_empty()),
            is_signed: spec.pointer("/signature/publicKeys").and_then(Value::as_array).is_some_and(|keys| !keys.is_empty()),
            is_fresh: false,
        }
    }
}
