//! What artifacts look like: a component with its configuration, and the signatures over it. Sends nothing.

use bytes::Bytes;
use model::Value;
use model::json::json;
use wasm::Runtime;

use admission::policy::registry::Signature;

use super::reference::is_digest;

/// The manifest of an artifact.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Every kind of manifest that is understood.
pub(super) const MANIFESTS: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const COMPONENT: &str = "application/wasm";
/// What Kubewarden and older tools call it.
const COMPONENT_BEFORE: &str = "application/vnd.wasm.content.layer.v1+wasm";
const SIGNATURES_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const SIGNED: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// When it was made is said nowhere else either: the same component is the same artifact whenever it is pushed.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// What a component says of itself.
#[derive(Clone, Debug, Default)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is for.
    pub description: String,
    /// What it imports.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
}

/// One blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its digest.
    pub digest: String,
    /// Its size.
    pub size: u64,
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Runtime::digest(bytes), "size": bytes.len()})
}

/// The configuration and the manifest of a component.
pub(super) fn of(component: &[u8], described: &Described) -> (Bytes, Bytes) {
    let config = json!({
        "created": CREATED,
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [Runtime::digest(component)],
        "component": {"exports": described.exports, "imports": described.imports},
    });
    let config = Bytes::from(config.to_string());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &config),
        "layers": [descriptor(COMPONENT, component)],
        "annotations": {
            "org.opencontainers.image.title": described.name,
            "org.opencontainers.image.version": described.version,
            "org.opencontainers.image.description": described.description,
        },
    });
    (config, Bytes::from(manifest.to_string()))
}

/// The component of a manifest: its only layer of that kind.
pub fn component_of(manifest: &[u8]) -> Result<Blob, String> {
    let manifest: Value = serde_json::from_slice(manifest).map_err(|error| format!("the manifest is not JSON: {error}"))?;
    if manifest.get("manifests").is_some() {
        return Err("it is an index of several artifacts; name one of them by its digest".to_owned());
    }
    let layers = manifest.get("layers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_component = |layer: &&Value| [COMPONENT, COMPONENT_BEFORE].iter().any(|kind| layer["mediaType"] == *kind);
    let found: Vec<Blob> = layers.iter().filter(is_component).filter_map(blob).collect();
    match <[Blob; 1]>::try_from(found) {
        Ok([component]) => Ok(component),
        Err(found) => Err(format!("the artifact has {} layers of the type {COMPONENT}, and a policy has one", found.len())),
    }
}

fn blob(layer: &Value) -> Option<Blob> {
    let digest = layer["digest"].as_str().filter(|digest| is_digest(digest))?.to_owned();
    Some(Blob { digest, size: layer["size"].as_u64()? })
}

/// Where the signatures of an artifact are: a tag made of its digest.
pub(super) fn signature_tag(digest: &str) -> String {
    format!("{}.sig", digest.replacen(':', "-", 1))
}

/// The configuration and the manifest of an artifact of signatures.
pub(super) fn of_signatures(all: &[Signature]) -> (Bytes, Bytes) {
    let payloads: Vec<String> = all.iter().map(|signature| Runtime::digest(&signature.payload)).collect();
    let config = json!({"architecture": "", "created": CREATED, "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": payloads}});
    let config = Bytes::from(config.to_string());
    let layers = all.iter().map(|signature| {
        let mut layer = descriptor(SIGNED, &signature.payload);
        layer["annotations"] = json!({ SIGNATURE: signature.signature });
        layer
    });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(SIGNATURES_CONFIG, &config),
        "layers": layers.collect::<Vec<_>>(),
    });
    (config, Bytes::from(manifest.to_string()))
}

/// What a manifest of signatures lists: digests of what is signed, and the signature over each.
pub(super) fn signed(manifest: &[u8]) -> Vec<(String, String)> {
    let manifest: Value = serde_json::from_slice(manifest).unwrap_or_default();
    let layers = manifest.get("layers").and_then(Value::as_array).cloned().unwrap_or_default();
    let pair = |layer: &Value| Some((blob(layer)?.digest, layer["annotations"][SIGNATURE].as_str()?.to_owned()));
    layers.iter().filter(|layer| layer["mediaType"] == SIGNED).filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_found_again() {
        let described = Described { name: "labels".to_owned(), ..Described::default() };
        let (config, manifest) = of(b"component", &described);
        let digest = Runtime::digest(b"component");
        assert_eq!(component_of(&manifest), Ok(Blob { digest: digest.clone(), size: 9 }));
        let config: Value = serde_json::from_slice(&config).unwrap_or_default();
        assert_eq!(config["layerDigests"], json!([digest]));
        assert_eq!(of(b"component", &described).1, manifest, "the same component is the same artifact");
    }

    #[test]
    fn what_holds_no_single_component_is_refused() {
        let two = json!({"layers": [descriptor(COMPONENT, b"a"), descriptor(COMPONENT_BEFORE, b"b")]});
        let told = |manifest: Value| component_of(manifest.to_string().as_bytes()).err().unwrap_or_default();
        assert!(told(two).contains("has 2 layers"));
        assert!(told(json!({"layers": [{"mediaType": COMPONENT, "digest": "../..", "size": 1}]})).contains("has 0 layers"));
        assert!(told(json!({"manifests": []})).contains("is an index"));
        assert!(component_of(b"no").is_err());
    }

    #[test]
    fn signatures_are_found_again() {
        let signature = |payload: &str, signature: &str| Signature { payload: payload.into(), signature: signature.to_owned() };
        let (_, manifest) = of_signatures(&[signature("one", "AQ=="), signature("two", "Ag==")]);
        let found: Vec<String> = signed(&manifest).into_iter().map(|(_, signature)| signature).collect();
        assert_eq!(found, ["AQ==", "Ag=="]);
        assert_eq!(signature_tag("sha256:0a"), "sha256-0a.sig");
    }
}
