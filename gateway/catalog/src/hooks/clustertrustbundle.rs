//! ClusterTrustBundle. Upstream: `pkg/apis/certificates/validation`, `pkg/registry/certificates/clustertrustbundle`.

use std::collections::BTreeMap;

use model::Value;
use model::field::{Errors, Path};

use super::rules::pem::Blocks;
use super::rules::{get, number, signer, x509};
use super::{Hooks, Selectable};

/// `MaxTrustBundleSize`, in bytes.
const BUNDLE_BYTES_MAX: usize = 1024 * 1024;

pub(super) const HOOKS: Hooks = Hooks {
    name: Some(|object, name, prefix| signer::trust_bundle_name(name, get::text(get::at(object, "spec"), "signerName"), prefix)),
    validate: Some(|object, errors| {
        validate_signer(object, errors);
        validate_bundle(get::text(get::at(object, "spec"), "trustBundle"), &Path::new("spec.trustBundle"), errors);
    }),
    validate_update: Some(validate_update),
    selects_no_namespace: true,
    selectable: &[Selectable {
        field: "spec.signerName",
        value: |object| get::text(get::at(object, "spec"), "signerName").to_owned(),
    }],
    ..Hooks::NONE
};

fn validate_signer(object: &Value, errors: &mut Errors) {
    let name = get::text(get::at(object, "spec"), "signerName");
    if !name.is_empty() {
        signer::name(name, &Path::new("spec.signerName"), errors);
    }
}

/// `validateTrustBundle`: certificates of authorities, each once. Contents are not shown.
fn validate_bundle(bundle: &str, path: &Path, errors: &mut Errors) {
    if bundle.len() > BUNDLE_BYTES_MAX {
        return errors.too_long(path, BUNDLE_BYTES_MAX);
    }
    let mut wrong = |why: String| errors.invalid(path, "<value omitted>", why);
    let mut anchors: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
    let mut malformed = false;
    for (i, block) in Blocks(bundle).enumerate() {
        let fault = if block.label != "CERTIFICATE" {
            Some(format!("entry {i} has bad block type: {}", block.label))
        } else if block.has_headers {
            Some(format!("entry {i} has PEM block headers"))
        } else {
            match x509::certificate(&block.der) {
                None => Some(format!("entry {i} does not parse as X.509")),
                Some(certificate) if !certificate.is_ca() => Some(format!("entry {i} does not have the CA bit set")),
                Some(_) => None,
            }
        };
        match fault {
            Some(fault) => {
                malformed = true;
                wrong(fault);
            }
            None => anchors.entry(block.der).or_default().push(i),
        }
    }
    if malformed {
        return;
    }
    if anchors.is_empty() {
        wrong("at least one trust anchor must be provided".to_owned());
    }
    let mut repeated: Vec<&Vec<usize>> = anchors.values().filter(|entries| entries.len() > 1).collect();
    repeated.sort();
    for entries in repeated {
        let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
        wrong(format!("duplicate trust anchor (indices [{}])", entries.join(" ")));
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    let (spec, was) = (get::at(new, "spec"), get::at(old, "spec"));
    validate_signer(new, errors);
    let bundle = get::text(spec, "trustBundle");
    if bundle != get::text(was, "trustBundle") {
        validate_bundle(bundle, &Path::new("spec.trustBundle"), errors);
    }
    number::immutable_text(spec, was, "signerName", &Path::new("spec"), errors);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_has_a_limit() {
        let mut errors = Errors::new();
        validate_bundle(&"x".repeat(BUNDLE_BYTES_MAX + 1), &Path::new("b"), &mut errors);
        assert_eq!(errors.0[0].to_string(), "b: Too long: may not be more than 1048576 bytes");
    }
}
