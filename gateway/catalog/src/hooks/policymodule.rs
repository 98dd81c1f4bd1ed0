//! PolicyModule. No upstream. What only loading can tell (is it a component, does its digest fit) goes to its status.

use std::path::{Component, Path as FilePath};

use model::Value;
use model::field::{Errors, Path};

use super::Hooks;
use super::rules::{bag, get, text};

/// Size of a component inside an object. Objects are kept in memory and told to every watcher; a larger component comes
/// from a file.
const INLINE_BYTES_MAX: usize = 2 << 20;

const DIGEST_PREFIX: &str = "sha256:";
const DIGEST_HEX: usize = 64;

pub(super) const HOOKS: Hooks = Hooks { validate: Some(validate), validate_update: Some(validate_update), ..Hooks::NONE };

fn validate(object: &Value, errors: &mut Errors) {
    component(object, errors);
    demand(object, errors);
}

/// Without a key nobody could have signed: a demand that names none is a mistake.
fn demand(object: &Value, errors: &mut Errors) {
    let spec = Path::new("spec");
    let signature = spec.child("signature");
    if get::object(get::at(object, "spec"), "signature").is_some_and(|signature| get::list(signature, "publicKeys").is_empty()) {
        errors.required(&signature.child("publicKeys"), "by whom the component must be signed");
    }
}

fn component(object: &Value, errors: &mut Errors) {
    let spec = Path::new("spec");
    let source = get::at(object, "spec.source");
    let path = spec.child("source");
    let oci = get::object(source, "oci");
    match (get::text(source, "inline"), get::text(source, "file"), oci) {
        ("", "", None) => errors.required(&path, "one of file, inline and oci must be set"),
        ("", "", Some(oci)) => registry(object, oci, &path.child("oci"), errors),
        (inline, "", None) => {
            let bytes = bag::decoded_bytes(inline);
            if bytes > INLINE_BYTES_MAX {
                errors.too_long(&path.child("inline"), INLINE_BYTES_MAX);
            }
        }
        ("", file, None) => {
            if !FilePath::new(file).components().all(|part| matches!(part, Component::Normal(_))) {
                errors.invalid(&path.child("file"), file, "must be a relative path without '..'");
            }
        }
        _ => errors.forbidden(&path, "only one of file, inline and oci may be set"),
    }
    let digest = get::text(get::at(object, "spec"), "digest");
    let is_digest = |hex: &str| hex.len() == DIGEST_HEX && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !digest.is_empty() && !digest.strip_prefix(DIGEST_PREFIX).is_some_and(is_digest) {
        errors.invalid(&spec.child("digest"), digest, "must be 'sha256:' and 64 lower-case hexadecimal digits");
    }
}

/// A tag may come to mean something else, so the digest says what is meant. That the reference can be read is judged
/// where it is used (`admission`).
fn registry(object: &Value, oci: &Value, path: &Path, errors: &mut Errors) {
    let reference = get::text(oci, "reference");
    text::required(reference, &path.child("reference"), errors);
    let digest = get::text(get::at(object, "spec"), "digest");
    if !reference.is_empty() && !reference.contains("@sha256:") && digest.is_empty() {
        errors.required(
            &Path::new("spec").child("digest"),
            "a tag may move: name the component's digest, or the artifact's in the reference",
        );
    }
}

/// Who changes something else of a module is not held up by what its demand was before this was asked.
fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    component(new, errors);
    if get::at(new, "spec.signature") != get::at(old, "spec.signature") {
        demand(new, errors);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn faults(spec: &Value) -> Vec<String> {
        let mut errors = Errors::new();
        validate(&json!({"spec": spec}), &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn has_one_source_that_stays_in_its_place() {
        assert_eq!(faults(&json!({"source": {"file": "a/b.wasm"}})), Vec::<String>::new());
        assert_eq!(faults(&json!({"source": {"inline": "AGFzbQ=="}})), Vec::<String>::new());
        assert_eq!(faults(&json!({})), ["spec.source: Required value: one of file, inline and oci must be set"]);
        assert_eq!(faults(&json!({"source": {"file": "a", "inline": "AA=="}})).len(), 1);
        for file in ["/etc/passwd", "../a", "a/../b"] {
            assert_eq!(faults(&json!({"source": {"file": file}})).len(), 1, "{file}");
        }
    }

    #[test]
    fn what_stands_in_an_object_is_small() {
        let inline = |bytes: usize| faults(&json!({"source": {"inline": "AAAA".repeat(bytes / 3)}}));
        assert_eq!(inline(INLINE_BYTES_MAX - 3), Vec::<String>::new());
        let refused = inline(INLINE_BYTES_MAX + 3);
        assert!(refused.len() == 1 && refused[0].starts_with("spec.source.inline: Too long: "), "{refused:?}");
    }

    #[test]
    fn what_comes_from_a_registry_is_named_by_digest() {
        let oci = |reference: &str| json!({"source": {"oci": {"reference": reference}}});
        let digest = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(faults(&oci(&format!("registry.example/policies/labels@{digest}"))), Vec::<String>::new());
        let mut tagged = oci("registry.example/policies/labels:v1");
        assert_eq!(faults(&tagged).len(), 1);
        tagged["digest"] = digest.into();
        assert_eq!(faults(&tagged), Vec::<String>::new());
        assert_eq!(faults(&json!({"source": {"oci": {"reference": ""}}})), ["spec.source.oci.reference: Required value"]);
    }

    #[test]
    fn who_demands_a_signature_says_whose() {
        let signed = |signature: Value| faults(&json!({"source": {"file": "a"}, "signature": signature}));
        assert_eq!(signed(json!({"publicKeys": ["a key"]})), Vec::<String>::new());
        let words = "spec.signature.publicKeys: Required value: by whom the component must be signed";
        for signature in [json!({}), json!({"publicKeys": []}), json!({"publicKey": ["a key"]}), json!({"signatures": ["AA=="]})]
        {
            assert_eq!(signed(signature.clone()), [words], "{signature}");
        }
        let stored = json!({"spec": {"source": {"file": "a"}, "signature": {}}});
        let mut errors = Errors::new();
        validate_update(&stored, &stored, &mut errors);
        assert!(errors.0.is_empty());
        validate_update(&stored, &json!({"spec": {"source": {"file": "a"}}}), &mut errors);
        assert_eq!(errors.0.len(), 1);
    }

    #[test]
    fn a_digest_is_one() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(faults(&json!({"source": {"file": "a"}, "digest": digest})), Vec::<String>::new());
        for digest in ["abc", "sha256:00", "md5:00"] {
            assert_eq!(faults(&json!({"source": {"file": "a"}, "digest": digest})).len(), 1, "{digest}");
        }
    }
}
