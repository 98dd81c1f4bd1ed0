//! `gatehouse policy manifest`: a PolicyModule with the component inside, or with its place in a registry, and the policy's
//! binding.yaml; of a policy in CEL what its author wrote, in the order in which it can be applied.

use std::fs;
use std::io::Write;
use std::path::Path;

use admission::policy::registry::Artifact;
use codec::go_base64;
use flate2::Compression;
use flate2::write::GzEncoder;
use model::json::{Value, json};
use wasm::Runtime;

use super::arguments::Arguments;
use super::{Outcome, build, cel, document, remote, subject};

/// The binding beside a policy's manifest.
const BINDING: &str = "binding.yaml";

/// Room for a component in the body of a request, beside the rest of a module.
const INLINE_BYTES_MAX: usize = server::body::BODY_BYTES_MAX - (64 << 10);
/// And in the annotation in which `kubectl apply` keeps what it has applied, all others included.
const APPLIED_BYTES_MAX: usize = (256 << 10) - (8 << 10);

/// Options that say where a component is and whose.
const OF_COMPONENTS: &[&str] = &["from", "key", "signature"];

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let place = arguments.folder();
    if !build::is_package(&place) && cel::read(&place)?.is_some() {
        if let Some(option) = OF_COMPONENTS.iter().find(|option| arguments.has(option)) {
            return Err(format!("--{option} is for components; a policy in CEL is applied as it is"));
        }
        println!("{}", cel::documents(&place)?.join("\n---\n"));
        return Ok(());
    }
    let runtime = subject::runtime()?;
    let built = subject::one(&runtime, &place)?;
    let source = match arguments.option("from") {
        Some(reference) => from(arguments, reference)?,
        None => json!({"inline": inline(&built.component)?}),
    };
    let mut module = json!({
        "apiVersion": "policy.gatehouse.dev/v1alpha1",
        "kind": "PolicyModule",
        "metadata": {"name": built.name},
        "spec": {"digest": Runtime::digest(&built.component), "source": source},
    });
    for (option, field) in [("key", "publicKeys"), ("signature", "signatures")] {
        let texts = arguments.all(option).iter().map(|file| fs::read_to_string(file).map_err(|error| format!("{file}: {error}")));
        let texts = texts.map(|text| text.map(|text| text.trim_end().to_owned())).collect::<Result<Vec<_>, _>>()?;
        if !texts.is_empty() {
            module["spec"]["signature"][field] = texts.into();
        }
    }
    let path = built.folder.join(BINDING);
    let hint = "it says for which requests the policy is asked, and kubectl explain clusterpolicybinding.spec what it may hold";
    let binding = fs::read_to_string(&path).map_err(|error| format!("{}: {error}; {hint}", path.display()))?;
    print!("{}---\n{binding}", codec::yaml::print(&module));
    Ok(())
}

/// A place in a registry.
fn from(arguments: &Arguments, reference: &str) -> Result<Value, String> {
    let Artifact { reference, ca_bundle, is_insecure, .. } = remote::artifact(arguments, reference)?;
    let mut oci = json!({"reference": reference});
    if !ca_bundle.is_empty() {
        oci["caBundle"] = go_base64::encode(&ca_bundle).into();
    }
    if is_insecure {
        oci["insecure"] = true.into();
    }
    Ok(json!({ "oci": oci }))
}

/// The component as text. Whoever pipes it into kubectl is told what that cannot do.
fn inline(component: &[u8]) -> Result<String, String> {
    let text = go_base64::encode(&packed(component)?);
    if let Some(hint) = hint(text.len()) {
        eprintln!("{hint}");
    }
    Ok(text)
}

/// Whether a component is more than a request holds, and what to do then. What is no larger unpacked is not packed to see.
pub(super) fn beyond_a_request(component: &[u8]) -> Option<String> {
    let bytes = if component.len() > INLINE_BYTES_MAX { go_base64::encode(&packed(component).ok()?).len() } else { 0 };
    (bytes > INLINE_BYTES_MAX).then(|| too_large(bytes))
}

fn too_large(bytes: usize) -> String {
    let kib = bytes.div_ceil(1024);
    format!(
        "{kib} KB are more than a request to a cluster holds: gatehouse policy push REFERENCE, then manifest --from REFERENCE"
    )
}

fn hint(bytes: usize) -> Option<String> {
    let kib = bytes.div_ceil(1024);
    match bytes {
        _ if bytes > INLINE_BYTES_MAX => Some(too_large(bytes)),
        _ if bytes > APPLIED_BYTES_MAX => {
            Some(format!("{kib} KB are more than kubectl apply keeps beside an object: kubectl apply --server-side"))
        }
        _ => None,
    }
}

/// By gzip: kubectl keeps a copy of what it applies in an annotation of at most 256 KiB.
fn packed(component: &[u8]) -> Result<Vec<u8>, String> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    let packed = packer.write_all(component).and_then(|()| packer.finish());
    packed.map_err(|error| format!("pack the component: {error}"))
}

/// The binding beside a policy; null when there is none.
pub(super) fn binding(folder: &Path) -> Result<Value, String> {
    let path = folder.join(BINDING);
    if path.exists() { document::one(&path.display().to_string()) } else { Ok(Value::Null) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubectl_cannot_do_is_told_before_it_fails() {
        assert_eq!(hint(100 << 10), None);
        assert!(hint(300 << 10).is_some_and(|hint| hint.starts_with("300 KB") && hint.ends_with("--server-side")));
        assert_eq!(beyond_a_request(&vec![0; 16 << 20]), None);
        assert!(hint(3 << 20).is_some_and(|hint| hint.ends_with("--from REFERENCE")));
    }
}
