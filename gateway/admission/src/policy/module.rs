//! A PolicyModule as it was written: where its bytes come from. Does not compile them (`wasm`).

use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use model::Value;

use super::registry::Artifact;
use super::signature::Demand;

/// How gzip data begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Where the bytes of a module are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the object.
    Inline(Vec<u8>),
    /// In a file below the directory for modules.
    File(PathBuf),
    /// In a registry.
    Registry(Artifact),
}

/// Reads `spec.source`. Fails in words for the module's status.
pub fn source(object: &Value) -> Result<Source, String> {
    let source = object.pointer("/spec/source").unwrap_or(&Value::Null);
    let text = |field: &str| source.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (text("inline"), text("file")) {
        (Some(inline), None) => {
            let bytes = STANDARD.decode(inline).map_err(|error| format!("spec.source.inline is not base64: {error}"))?;
            Ok(Source::Inline(bytes))
        }
        (None, Some(file)) => relative(file).map(Source::File),
        (None, None) if source.get("oci").is_some_and(Value::is_object) => {
            let bundle = source.pointer("/oci/caBundle").and_then(Value::as_str).unwrap_or("");
            let bundle = STANDARD.decode(bundle).map_err(|error| format!("spec.source.oci.caBundle is not base64: {error}"))?;
            Ok(Source::Registry(Artifact::of(object, bundle)))
        }
        _ => Err("spec.source: exactly one of file, inline and oci must be set".to_owned()),
    }
}

/// A path that stays below the directory it is joined to.
fn relative(file: &str) -> Result<PathBuf, String> {
    let path = Path::new(file);
    if path.components().all(|part| matches!(part, Component::Normal(_))) {
        Ok(path.to_owned())
    } else {
        Err(format!("spec.source.file: {file:?} must be a relative path without .."))
    }
}

/// The module's bytes, checked against `spec.digest` and `spec.signature`. Reads files: never on a request's path. What is in
/// a registry is read by whoever may reach one.
pub fn bytes(object: &Value, directory: Option<&Path>) -> Result<Vec<u8>, String> {
    let bytes = match source(object)? {
        Source::Inline(bytes) => bytes,
        Source::File(file) => read(&file, directory)?,
        Source::Registry(artifact) => return Err(format!("{} is in a registry", artifact.reference)),
    };
    let bytes = unpacked(bytes)?;
    let wanted = object.pointer("/spec/digest").and_then(Value::as_str).unwrap_or("");
    let digest = wasm::Runtime::digest(&bytes);
    if !wanted.is_empty() && wanted != digest {
        return Err(format!("spec.digest is {wanted}, but the module's is {digest}"));
    }
    Demand::of(object).check(&bytes)?;
    Ok(bytes)
}

/// A module may be packed by gzip: kubectl keeps a copy of what it applies in an annotation of at most 256 KiB.
/// The digest is that of the component itself.
fn unpacked(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if !bytes.starts_with(&GZIP) {
        return Ok(bytes);
    }
    let mut module = Vec::new();
    // One byte more than a module may have, so that the loader says what is wrong with it and nothing grows beyond.
    let limit = wasm::limits::MODULE_BYTES_MAX as u64 + 1;
    let read = GzDecoder::new(bytes.as_slice()).take(limit).read_to_end(&mut module);
    read.map_err(|error| format!("spec.source: the gzip data is damaged: {error}"))?;
    Ok(module)
}

/// How a file is told from what it was: when it was written, and its size; nothing where there is none.
pub type Stamp = Option<(SystemTime, u64)>;

/// What a module's file looks like now.
pub fn stamp(file: &Path, directory: Option<&Path>) -> Stamp {
    let found = std::fs::metadata(directory?.join(file)).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// Links may lead elsewhere, so it is the file's true place that must lie below the directory.
fn read(file: &Path, directory: Option<&Path>) -> Result<Vec<u8>, String> {
    let directory = directory.ok_or("spec.source.file: this server has no --policy-module-dir")?;
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("spec.source.file {}: there is no such file in the server's --policy-module-dir", file.display())
        }
        _ => format!("spec.source.file {}: {error}", file.display()),
    };
    let (root, path) = (directory.canonicalize().map_err(failed)?, directory.join(file).canonicalize().map_err(failed)?);
    if !path.starts_with(&root) {
        return Err(format!("spec.source.file {} leads out of the directory for modules", file.display()));
    }
    let size = std::fs::metadata(&path).map_err(failed)?.len();
    if size > wasm::limits::MODULE_BYTES_MAX as u64 {
        return Err(format!(
            "spec.source.file {} has {size} bytes, more than {}",
            file.display(),
            wasm::limits::MODULE_BYTES_MAX
        ));
    }
    std::fs::read(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;
    use std::io::Write;

    fn of(source: Value) -> Value {
        json!({"spec": {"source": source}})
    }

    #[test]
    fn a_file_stays_below_its_directory() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("modules");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(outer.path().join("secret"), "s").unwrap();
        std::fs::write(inner.join("a.wasm"), "a").unwrap();
        std::os::unix::fs::symlink(outer.path().join("secret"), inner.join("link")).unwrap();
        let read = |file: &str| bytes(&of(json!({"file": file})), Some(&inner));
        assert_eq!(read("a.wasm").unwrap(), b"a");
        for file in ["../secret", "/etc/hostname", "./a.wasm", "a/../../secret"] {
            assert!(read(file).unwrap_err().contains("must be a relative path"), "{file}");
        }
        assert!(read("link").unwrap_err().contains("leads out"));
        assert!(read("none").unwrap_err().contains("no such file in the server's --policy-module-dir"));
        assert!(bytes(&of(json!({"file": "a.wasm"})), None).unwrap_err().contains("--policy-module-dir"));
    }

    #[test]
    fn packed_modules_are_unpacked_and_a_bomb_is_cut() {
        let pack = |bytes: &[u8]| {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(bytes).unwrap();
            of(json!({"inline": STANDARD.encode(out.finish().unwrap())}))
        };
        let mut object = pack(b"component");
        object["spec"]["digest"] = wasm::Runtime::digest(b"component").into();
        assert_eq!(bytes(&object, None).unwrap(), b"component");
        let bomb = bytes(&pack(&vec![0; 4 * wasm::limits::MODULE_BYTES_MAX]), None).unwrap();
        assert_eq!(bomb.len(), wasm::limits::MODULE_BYTES_MAX + 1);
        assert!(bytes(&of(json!({"inline": STANDARD.encode([0x1f, 0x8b, 8, 0, 1])})), None).unwrap_err().contains("damaged"));
    }

    #[test]
    fn exactly_one_source_and_the_digest_must_fit() {
        assert!(source(&of(json!({}))).is_err());
        assert!(source(&of(json!({"inline": "YQ==", "file": "a"}))).is_err());
        assert!(source(&of(json!({"inline": "%"}))).unwrap_err().contains("not base64"));
        let mut object = of(json!({"inline": "YQ=="}));
        assert_eq!(bytes(&object, None).unwrap(), b"a");
        object["spec"]["digest"] = "sha256:00".into();
        assert!(bytes(&object, None).unwrap_err().contains("but the module's is sha256:ca97"));
    }
}
