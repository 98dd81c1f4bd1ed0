//! What names, keys and ports may look like, in upstream's words: each check returns what is wrong, nothing when all is
//! well. Follows `k8s.io/apimachinery/pkg/util/validation`, which counts characters where `content` counts bytes.
//! Does not know which rule a kind's name follows (`catalog`).

use crate::Status;
use crate::content::{self, framed, mask_trailing_dash};
pub use crate::content::{
    LABEL_BYTES_MAX, SUBDOMAIN_BYTES_MAX, label_key as is_qualified_name, label_value as is_valid_label_value,
    path_segment_name as is_valid_path_segment_name, path_segment_prefix as is_valid_path_segment_prefix, pattern as regex_error,
};
use crate::field::{Errors, Path, quote};

/// Longest port name in bytes (RFC 6335).
const PORT_NAME_BYTES_MAX: usize = 15;

const SUBDOMAIN_UNDERSCORE_FORMAT: &str = r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*";
const SUBDOMAIN_UNDERSCORE_MESSAGE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character";
const WILDCARD_FORMAT: &str = r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const WILDCARD_MESSAGE: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";

/// How the words of a kind's `metadata.name` are checked: upstream's `ValidateNameFunc`. With `prefix` the name is a
/// `generateName`, to which something will be appended.
pub type NameRule = fn(name: &str, prefix: Prefix) -> Vec<String>;

/// Whether a checked name is whole or a `generateName`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// Something will be appended.
    Yes,
    /// The name is whole.
    No,
}

/// A part of a key that comes from a path or another object must not lead out of its place. Fails with upstream's 400.
pub fn path_parameter(parameter: &str, value: &str) -> Result<(), Status> {
    match is_valid_path_segment_name(value) {
        faults if faults.is_empty() => Ok(()),
        faults => Err(Status::bad_request(format!("{parameter} parameter invalid: {}: {}", quote(value), faults.join(";")))),
    }
}

/// `NameIsDNSSubdomain`.
pub fn name_is_dns_subdomain(name: &str, prefix: Prefix) -> Vec<String> {
    is_dns1123_subdomain(&masked(name, prefix))
}

/// `NameIsDNSLabel`.
pub fn name_is_dns_label(name: &str, prefix: Prefix) -> Vec<String> {
    is_dns1123_label(&masked(name, prefix))
}

/// `NameIsDNS1035Label`.
pub fn name_is_dns1035_label(name: &str, prefix: Prefix) -> Vec<String> {
    is_dns1035_label(&masked(name, prefix))
}

/// `ValidatePathSegmentName`.
pub fn name_is_path_segment(name: &str, prefix: Prefix) -> Vec<String> {
    match prefix {
        Prefix::Yes => is_valid_path_segment_prefix(name),
        Prefix::No => is_valid_path_segment_name(name),
    }
}

fn masked(name: &str, prefix: Prefix) -> String {
    match prefix {
        Prefix::Yes => mask_trailing_dash(name),
        Prefix::No => name.to_owned(),
    }
}

/// `IsDomainPrefixedPath`: `acme.io/foo`. The only rule here that names parts of a value, so that it tells of a field.
pub fn domain_prefixed_path(value: &str, path: &Path, errors: &mut Errors) {
    if value.is_empty() {
        return errors.required(path, "");
    }
    let Some((host, rest)) = value.split_once('/').filter(|(host, rest)| !host.is_empty() && !rest.is_empty()) else {
        return errors.invalid(path, value, "must be a domain-prefixed path (such as \"acme.io/foo\")");
    };
    is_dns1123_subdomain(host).into_iter().for_each(|message| errors.invalid(path, host, message));
    const FORMAT: &str = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
    if !rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&b)) {
        errors.invalid(path, rest, regex_error("Invalid path", FORMAT, &[]));
    }
}

/// The message of a value that is too long.
pub fn max_len_error(max: usize) -> String {
    format!("must be no more than {max} characters")
}

/// The message of a number outside its range.
pub fn inclusive_range_error(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

fn is_lower_alphanumeric(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

/// Collects what is wrong: too long, or of the wrong form.
fn judge(value: &str, max: usize, fits: bool, otherwise: impl FnOnce() -> String) -> Vec<String> {
    let mut wrong = Vec::new();
    if value.len() > max {
        wrong.push(max_len_error(max));
    }
    if !fits {
        wrong.push(otherwise());
    }
    wrong
}

/// `IsDNS1123Label`: `my-name`.
pub fn is_dns1123_label(value: &str) -> Vec<String> {
    in_characters(content::dns1123_label(value))
}

/// `IsDNS1123Subdomain`: `example.com`.
pub fn is_dns1123_subdomain(value: &str) -> Vec<String> {
    in_characters(content::dns1123_subdomain(value))
}

/// `IsDNS1035Label`: a label that does not start with a digit.
pub fn is_dns1035_label(value: &str) -> Vec<String> {
    in_characters(content::dns1035_label(value))
}

/// The same faults as `util/validation` words them.
fn in_characters(faults: Vec<String>) -> Vec<String> {
    let reword = |fault: String| match fault.strip_suffix(" bytes") {
        Some(rest) => format!("{rest} characters"),
        None => fault,
    };
    faults.into_iter().map(reword).collect()
}

/// `IsDNS1123SubdomainWithUnderscore`: `_tcp.example.com`.
pub fn is_dns1123_subdomain_with_underscore(value: &str) -> Vec<String> {
    let label = |part: &str| {
        framed(part.strip_prefix('_').unwrap_or(part), is_lower_alphanumeric, |b| is_lower_alphanumeric(b) || b"-_".contains(&b))
    };
    judge(value, SUBDOMAIN_BYTES_MAX, value.split('.').all(label), || {
        regex_error(SUBDOMAIN_UNDERSCORE_MESSAGE, SUBDOMAIN_UNDERSCORE_FORMAT, &["example.com"])
    })
}

/// `IsWildcardDNS1123Subdomain`: `*.example.com`.
pub fn is_wildcard_dns1123_subdomain(value: &str) -> Vec<String> {
    let fits = value.strip_prefix("*.").is_some_and(content::is_dns1123_subdomain);
    judge(value, SUBDOMAIN_BYTES_MAX, fits, || regex_error(WILDCARD_MESSAGE, WILDCARD_FORMAT, &["*.example.com"]))
}

/// `IsCIdentifier`: `my_name`.
pub fn is_c_identifier(value: &str) -> Vec<String> {
    let fits = !value.is_empty()
        && !value.starts_with(|c: char| c.is_ascii_digit())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    judge(value, usize::MAX, fits, || {
        regex_error(
            "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
            "[A-Za-z_][A-Za-z0-9_]*",
            &["my_name", "MY_NAME", "MyName"],
        )
    })
}

/// `IsInRange`.
pub fn is_in_range(value: i64, low: i64, high: i64) -> Vec<String> {
    if (low..=high).contains(&value) { Vec::new() } else { vec![inclusive_range_error(low, high)] }
}

/// `IsValidPortNum`: 1 to 65535.
pub fn is_valid_port_num(port: i64) -> Vec<String> {
    is_in_range(port, 1, 65535)
}

/// `IsValidUserID` and `IsValidGroupID`: what Linux containers accept.
pub fn is_valid_user_id(id: i64) -> Vec<String> {
    is_in_range(id, 0, i64::from(i32::MAX))
}

/// `IsValidPortName`: `http-alt`.
pub fn is_valid_port_name(port: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if port.len() > PORT_NAME_BYTES_MAX {
        wrong.push(max_len_error(PORT_NAME_BYTES_MAX));
    }
    if port.is_empty() || !port.bytes().all(|b| is_lower_alphanumeric(b) || b == b'-') {
        wrong.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !port.bytes().any(|b| b.is_ascii_lowercase()) {
        wrong.push("must contain at least one letter (a-z)".to_owned());
    }
    if port.contains("--") {
        wrong.push("must not contain consecutive hyphens".to_owned());
    }
    if port.starts_with('-') || port.ends_with('-') {
        wrong.push("must not begin or end with a hyphen".to_owned());
    }
    wrong
}

/// `IsValidPercent`: `93%`.
pub fn is_valid_percent(value: &str) -> Vec<String> {
    let fits = value.strip_suffix('%').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    judge(value, usize::MAX, fits, || {
        regex_error("a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%", &["1%", "93%"])
    })
}

/// `IsHTTPHeaderName`: `X-Header-Name`.
pub fn is_http_header_name(value: &str) -> Vec<String> {
    let fits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    judge(value, usize::MAX, fits, || {
        regex_error("a valid HTTP header must consist of alphanumeric characters or '-'", "[-A-Za-z0-9]+", &["X-Header-Name"])
    })
}

/// `IsRelaxedEnvVarName`: printable ASCII without `=`.
pub fn is_relaxed_env_var_name(value: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if value.is_empty() {
        wrong.push("environment variable name must be non-empty".to_owned());
    }
    if value.chars().any(|c| !(' '..='~').contains(&c) || c == '=') {
        wrong.push("a valid environment variable name must consist only of printable ASCII characters other than '='".to_owned());
    }
    wrong
}

/// `IsEnvVarName`: `MY_ENV.NAME`.
pub fn is_env_var_name(value: &str) -> Vec<String> {
    let fits = !value.is_empty()
        && !value.starts_with(|c: char| c.is_ascii_digit())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let mut wrong = judge(value, usize::MAX, fits, || {
        regex_error(
            "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit",
            "[-._a-zA-Z][-._a-zA-Z0-9]*",
            &["my.env-name", "MY_ENV.NAME", "MyEnvName1"],
        )
    });
    wrong.extend(change_directory_error(value));
    wrong
}

/// `IsConfigMapKey`: a key of a ConfigMap or Secret, which becomes a file's name.
pub fn is_config_map_key(value: &str) -> Vec<String> {
    let fits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let mut wrong = judge(value, SUBDOMAIN_BYTES_MAX, fits, || {
        regex_error(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        )
    });
    wrong.extend(change_directory_error(value));
    wrong
}

fn change_directory_error(value: &str) -> Option<String> {
    match value {
        "." | ".." => Some(format!("must not be '{value}'")),
        _ if value.starts_with("..") => Some("must not start with '..'".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_subdomains() {
        for good in ["a", "a-b", "0", "1-a", &"a".repeat(63)] {
            assert_eq!(is_dns1123_label(good), Vec::<String>::new(), "{good}");
        }
        assert_eq!(is_dns1123_label("a.b"), ["must not contain dots"]);
        assert_eq!(is_dns1123_label(&"a".repeat(64)), ["must be no more than 63 characters"]);
        assert_eq!(
            is_dns1123_label("A"),
            [
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            ]
        );
        for bad in ["", "-a", "a-", "a..b", ".a", "a_b", "ä"] {
            assert_eq!(is_dns1123_subdomain(bad).len(), 1, "{bad}");
        }
        assert!(is_dns1035_label("0a")[0].starts_with("a DNS-1035 label"));
    }

    #[test]
    fn qualified_names() {
        for good in ["a", "A.b_c-d", "example.com/a", "k8s.io/0"] {
            assert_eq!(is_qualified_name(good), Vec::<String>::new(), "{good}");
        }
        assert_eq!(is_qualified_name("/a"), ["prefix part must be non-empty"]);
        assert!(
            is_qualified_name("a/b/c")[0].ends_with("with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")
        );
        assert_eq!(is_qualified_name("").len(), 2);
        assert_eq!(is_qualified_name(&"a".repeat(64)), ["name part must be no more than 63 bytes"]);
        assert!(is_valid_label_value("").is_empty());
        assert_eq!(is_valid_label_value("a b").len(), 1);
    }

    #[test]
    fn generate_name_may_end_in_a_dash() {
        assert!(name_is_dns_subdomain("web-", Prefix::Yes).is_empty());
        assert_eq!(name_is_dns_subdomain("web-", Prefix::No).len(), 1);
        assert_eq!(name_is_dns_label("-", Prefix::Yes).len(), 1);
    }

    #[test]
    fn path_segments() {
        assert_eq!(is_valid_path_segment_name(".."), ["may not be '..'"]);
        assert_eq!(is_valid_path_segment_name("a/b%"), ["may not contain '/'", "may not contain '%'"]);
        assert!(is_valid_path_segment_name("system:node").is_empty());
    }

    #[test]
    fn keys_and_ports() {
        assert_eq!(is_config_map_key("..a"), ["must not start with '..'"]);
        assert_eq!(is_config_map_key(".."), ["must not be '..'"]);
        assert_eq!(is_valid_port_name("--").len(), 3);
        assert_eq!(is_valid_port_num(0), ["must be between 1 and 65535, inclusive"]);
        assert!(is_env_var_name("1A").len() == 1 && is_env_var_name("A1").is_empty());
        assert!(is_valid_percent("%").len() == 1 && is_valid_percent("5%").is_empty());
    }
}
