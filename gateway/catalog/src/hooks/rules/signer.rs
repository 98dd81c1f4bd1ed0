//! Names of certificate signers and trust bundles. Follows `pkg/apis/core/validation/names.go`.

use model::field::{Errors, Path, quote};
use model::name::{self, Prefix};

/// `IsKubernetesSignerName`: whether the project reserves it.
pub(crate) fn is_kubernetes(signer: &str) -> bool {
    let host = signer.split_once('/').map_or(signer, |(host, _)| host);
    host == "kubernetes.io" || host.ends_with(".kubernetes.io")
}

/// `ValidateSignerName`: `example.com/signer-name`.
pub(crate) fn name(signer: &str, path: &Path, errors: &mut Errors) {
    if signer.is_empty() {
        return errors.required(path, "");
    }
    let (domain, rest) = match signer.split_once('/') {
        Some((domain, rest)) if !rest.contains('/') => (domain, rest),
        _ => {
            return errors.invalid(
                path,
                signer,
                "must be a fully qualified domain and path of the form 'example.com/signer-name'",
            );
        }
    };
    if domain.len() > name::SUBDOMAIN_BYTES_MAX {
        errors.too_long(path, name::SUBDOMAIN_BYTES_MAX);
    }
    first_bad_label(domain, name::is_dns1123_label, path, errors);
    if !domain.contains('.') {
        errors.invalid(path, domain, "should be a domain with at least two segments separated by dots");
    }
    first_bad_label(rest, name::is_dns1123_subdomain, path, errors);
    let max = 2 * name::SUBDOMAIN_BYTES_MAX + name::LABEL_BYTES_MAX + 2;
    if signer.len() > max {
        errors.too_long(path, max);
    }
}

fn first_bad_label(segment: &str, rule: fn(&str) -> Vec<String>, path: &Path, errors: &mut Errors) {
    let bad = segment.split('.').map(|label| (label, rule(label))).find(|(_, wrong)| !wrong.is_empty());
    if let Some((label, wrong)) = bad {
        for message in wrong {
            errors.invalid(path, segment, format!("validating label {}: {message}", quote(label)));
        }
    }
}

/// `ValidateClusterTrustBundleName`, for the signer that the bundle names (empty for none).
pub(crate) fn trust_bundle_name(bundle: &str, signer: &str, prefix: Prefix) -> Vec<String> {
    if signer.is_empty() {
        if bundle.contains(':') {
            return vec!["ClusterTrustBundle without signer name must not have \":\" in its name".to_owned()];
        }
        return name::name_is_dns_subdomain(bundle, prefix);
    }
    let first = format!("{}:", signer.replace('/', ":"));
    match bundle.strip_prefix(&first) {
        Some(rest) => name::name_is_dns_subdomain(rest, prefix),
        None => vec![format!("ClusterTrustBundle for signerName {signer} must be named with prefix {first}")],
    }
}

/// The signer that a bundle's name speaks of, empty for none.
pub(crate) fn of_trust_bundle(bundle: &str) -> String {
    bundle.rsplit_once(':').map(|(signer, _)| signer.replace(':', "/")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signer_names() {
        let found = |signer: &str| {
            let mut errors = Errors::new();
            name(signer, &Path::new("signerName"), &mut errors);
            errors.0.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(found("example.com/a").is_empty());
        assert_eq!(found(""), ["signerName: Required value"]);
        assert_eq!(
            found("a/b/c"),
            [
                "signerName: Invalid value: \"a/b/c\": must be a fully qualified domain and path of the form 'example.com/signer-name'"
            ]
        );
        assert_eq!(
            found("localhost/a"),
            ["signerName: Invalid value: \"localhost\": should be a domain with at least two segments separated by dots"]
        );
        assert!(is_kubernetes("kubernetes.io/kubelet-serving") && !is_kubernetes("my-kubernetes.io/x"));
        assert_eq!(of_trust_bundle("example.com:a:root"), "example.com/a");
        assert!(trust_bundle_name("example.com:a:root", "example.com/a", Prefix::No).is_empty());
    }
}
