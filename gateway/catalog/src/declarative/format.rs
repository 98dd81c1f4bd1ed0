//! What strings must look like, by the names that upstream's tags have for it. Follows `apimachinery/pkg/api/validate/strfmt.go`.

use model::field::{Errors, Path, quote};
use model::{content, name};

/// A resource that lives in a domain of its own: an extended resource is asked for under this prefix in quotas.
const QUOTA_PREFIX: &str = "requests.";
const OWN_DOMAIN: &str = "kubernetes.io/";
/// The name part of an attribute, in bytes.
const ATTRIBUTE_BYTES_MAX: usize = 32;
const UUID_BYTES: usize = 36;

/// Judges a string by a format; one that is unknown here judges nothing, which the test of the table would find.
pub(super) fn check(format: &str, value: &str, path: &Path<'_>, errors: &mut Errors) {
    let each = |messages: Vec<String>, errors: &mut Errors| {
        messages.into_iter().for_each(|message| errors.invalid(path, value, message));
    };
    match format {
        "short-name" => each(content::dns1123_label(value), errors),
        "long-name" => each(content::dns1123_subdomain(value), errors),
        "long-name-caseless" => each(caseless_subdomain(value), errors),
        "label-key" => each(content::label_key(value), errors),
        "prefixed-label-key" => each(prefixed_label_key(value), errors),
        "uuid" if !is_uuid(value) => errors.invalid(path, value, "must be a lowercase UUID in 8-4-4-4-12 format"),
        "resource-pool-name" => pool_name(value, path, errors),
        "extended-resource-name" => extended_resource(value, path, errors),
        "resource-fully-qualified-name" => fully_qualified(value, path, errors),
        _ => {}
    }
}

/// A subdomain with capitals allowed; upstream shows the pattern of lower-case ones all the same.
fn caseless_subdomain(value: &str) -> Vec<String> {
    let fault = |fault: String| {
        let fault =
            fault.replace("a lowercase RFC 1123 subdomain must consist of lower case", "an RFC 1123 subdomain must consist of");
        fault.replace("'example.com'", "'Example.com'")
    };
    content::dns1123_subdomain(&value.to_ascii_lowercase()).into_iter().map(fault).collect()
}

fn prefixed_label_key(value: &str) -> Vec<String> {
    let wrong = content::label_key(value);
    if wrong.is_empty() && !value.contains('/') {
        return vec!["must include a prefix (e.g. 'example.com/key')".to_owned()];
    }
    wrong
}

fn is_uuid(value: &str) -> bool {
    value.len() == UUID_BYTES
        && value.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

fn pool_name(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if value.len() > name::SUBDOMAIN_BYTES_MAX {
        errors.too_long(path, name::SUBDOMAIN_BYTES_MAX);
    }
    for (i, segment) in value.split('/').enumerate() {
        if segment.is_empty() {
            errors.invalid(path, value, format!("segment {i}: must not be empty"));
        }
        for message in content::dns1123_subdomain(segment).into_iter().filter(|_| !segment.is_empty()) {
            errors.invalid(path, segment, format!("segment {i}: {message}"));
        }
    }
}

fn extended_resource(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if !value.contains('/') {
        errors.invalid(path, value, "a name must be a domain-prefixed path, such as 'example.com/my-prop'");
    } else if value.contains(OWN_DOMAIN) {
        errors.invalid(path, value, format!("must not have {} domain", quote(OWN_DOMAIN)));
    }
    if value.starts_with(QUOTA_PREFIX) {
        errors.invalid(path, value, format!("must not have {} prefix", quote(QUOTA_PREFIX)));
    }
    for message in content::label_key(&format!("{QUOTA_PREFIX}{value}")) {
        errors.invalid(path, value, message);
    }
}

fn fully_qualified(value: &str, path: &Path<'_>, errors: &mut Errors) {
    match value.split('/').collect::<Vec<_>>().as_slice() {
        [id] => identifier(id, path, errors),
        [domain, id] => {
            if domain.is_empty() {
                errors.invalid(path, "", "prefix must not be empty");
            } else {
                if domain.len() > name::LABEL_BYTES_MAX {
                    errors.too_long(path, name::LABEL_BYTES_MAX);
                }
                for message in content::dns1123_subdomain(domain) {
                    errors.invalid(path, *domain, format!("prefix: {message}"));
                }
            }
            if id.is_empty() {
                errors.invalid(path, "", "name must not be empty");
            } else {
                identifier(id, path, errors);
            }
        }
        _ => {}
    }
    if !value.contains('/') {
        errors.invalid(path, value, "a fully qualified name must be a domain and a name separated by a slash");
    }
}

fn identifier(id: &str, path: &Path<'_>, errors: &mut Errors) {
    if id.len() > ATTRIBUTE_BYTES_MAX {
        errors.too_long(path, ATTRIBUTE_BYTES_MAX);
    }
    for message in name::is_c_identifier(id) {
        errors.invalid(path, id, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(format: &str, value: &str) -> Vec<String> {
        let mut errors = Errors::new();
        check(format, value, &Path::new("f"), &mut errors);
        errors.0.into_iter().map(|error| error.detail).collect()
    }

    #[test]
    fn formats() {
        let none: [&str; 0] = [];
        assert_eq!(found("uuid", "550e8400-e29b-41d4-a716-446655440000"), none);
        assert_eq!(found("uuid", "550E8400-e29b-41d4-a716-446655440000").len(), 1);
        assert_eq!(found("resource-pool-name", "a/b.c"), none);
        assert_eq!(found("resource-pool-name", "a//b"), ["segment 1: must not be empty"]);
        assert_eq!(found("resource-fully-qualified-name", "a.example.com/size"), none);
        assert_eq!(found("resource-fully-qualified-name", "/"), ["prefix must not be empty", "name must not be empty"]);
        assert_eq!(found("extended-resource-name", "x.kubernetes.io/a"), ["must not have \"kubernetes.io/\" domain"]);
        assert_eq!(found("prefixed-label-key", "a"), ["must include a prefix (e.g. 'example.com/key')"]);
    }
}
