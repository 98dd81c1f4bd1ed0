//! What a name, a label key, a label value may look like, in upstream's words.
//! Follows `k8s.io/apimachinery/pkg/api/validate/content`. Knows no field and no kind: each function takes a text and
//! answers what is wrong with it, nothing when it is fine.

/// Longest DNS label, in bytes (RFC 1123).
pub const LABEL_BYTES_MAX: usize = 63;
/// Longest DNS subdomain, in bytes (RFC 1123).
pub const SUBDOMAIN_BYTES_MAX: usize = 253;

const DNS1123_LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const DNS1123_SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const DNS1035_LABEL: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const LABEL_KEY: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
const LABEL_CHARACTERS: &str =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

/// What is wrong with a lower-case RFC 1123 label.
pub fn dns1123_label(value: &str) -> Vec<String> {
    let mut faults = too_long(value, LABEL_BYTES_MAX);
    if !is_dns1123_label(value) {
        faults.push(if is_dns1123_subdomain(value) {
            "must not contain dots".to_owned()
        } else {
            pattern(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
                DNS1123_LABEL,
                &["my-name", "123-abc"],
            )
        });
    }
    faults
}

/// What is wrong with a lower-case RFC 1123 subdomain.
pub fn dns1123_subdomain(value: &str) -> Vec<String> {
    let mut faults = too_long(value, SUBDOMAIN_BYTES_MAX);
    if !is_dns1123_subdomain(value) {
        faults.push(pattern(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
            DNS1123_SUBDOMAIN,
            &["example.com"],
        ));
    }
    faults
}

/// What is wrong with an RFC 1035 label, which may not start with a digit.
pub fn dns1035_label(value: &str) -> Vec<String> {
    let mut faults = too_long(value, LABEL_BYTES_MAX);
    if !(value.starts_with(|c: char| c.is_ascii_lowercase()) && is_dns1123_label(value)) {
        faults.push(pattern(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
            DNS1035_LABEL,
            &["my-name", "abc-123"],
        ));
    }
    faults
}

/// What is wrong with a label key, also called a qualified name: `name` or `prefix/name`.
pub fn label_key(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let parts: Vec<&str> = value.split('/').collect();
    let name = match parts[..] {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                faults.push("prefix part must be non-empty".to_owned());
            } else {
                faults.extend(dns1123_subdomain(prefix).iter().map(|fault| format!("prefix part {fault}")));
            }
            name
        }
        _ => {
            let rule = pattern(LABEL_CHARACTERS, LABEL_KEY, &["MyName", "my.name", "123-abc"]);
            return vec![format!(
                "a valid label key {rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        faults.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_BYTES_MAX {
        faults.push(format!("name part must be no more than {LABEL_BYTES_MAX} bytes"));
    }
    if !is_label_name(name) {
        faults.push(format!("name part {}", pattern(LABEL_CHARACTERS, LABEL_KEY, &["MyName", "my.name", "123-abc"])));
    }
    faults
}

/// What is wrong with a label value.
pub fn label_value(value: &str) -> Vec<String> {
    let mut faults = too_long(value, LABEL_BYTES_MAX);
    if !(value.is_empty() || is_label_name(value)) {
        faults.push(pattern(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            LABEL_VALUE,
            &["MyValue", "my_value", "12345"],
        ));
    }
    faults
}

/// What is wrong with a name that must fit into one segment of a URL path.
pub fn path_segment_name(value: &str) -> Vec<String> {
    match value {
        "." | ".." => vec![format!("may not be '{value}'")],
        _ => path_segment_prefix(value),
    }
}

/// What is wrong with the beginning of such a name.
pub fn path_segment_prefix(value: &str) -> Vec<String> {
    ["/", "%"].iter().filter(|part| value.contains(**part)).map(|part| format!("may not contain '{part}'")).collect()
}

/// A `generateName` prefix as the rule for whole names may see it: its last dash will be followed by something.
pub fn mask_trailing_dash(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        // Upstream drops the character before the dash as well; the length check sees one byte less.
        Some(rest) if !rest.is_empty() => format!("{}a", rest.char_indices().next_back().map_or("", |(at, _)| &rest[..at])),
        _ => prefix.to_owned(),
    }
}

/// Upstream's words for a text that does not match a pattern.
pub fn pattern(message: &str, regex: &str, examples: &[&str]) -> String {
    if examples.is_empty() {
        return format!("{message} (regex used for validation is '{regex}')");
    }
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{message} (e.g. {}regex used for validation is '{regex}')", examples.join(" or "))
}

fn too_long(value: &str, bytes_max: usize) -> Vec<String> {
    if value.len() > bytes_max { vec![format!("must be no more than {bytes_max} bytes")] } else { Vec::new() }
}

pub(crate) fn is_dns1123_label(value: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    framed(value, inner, |c| inner(c) || c == b'-')
}

pub(crate) fn is_dns1123_subdomain(value: &str) -> bool {
    value.split('.').all(is_dns1123_label)
}

fn is_label_name(value: &str) -> bool {
    let inner = |c: u8| c.is_ascii_alphanumeric();
    framed(value, inner, |c| inner(c) || matches!(c, b'-' | b'_' | b'.'))
}

/// Not empty, first and last byte of one class, all bytes of another.
pub(crate) fn framed(value: &str, edge: impl Fn(u8) -> bool, middle: impl Fn(u8) -> bool) -> bool {
    let bytes = value.as_bytes();
    bytes.first().is_some_and(|c| edge(*c)) && bytes.last().is_some_and(|c| edge(*c)) && bytes.iter().all(|c| middle(*c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        assert!(dns1123_label("a-1").is_empty());
        assert_eq!(dns1123_label("a.b"), ["must not contain dots"]);
        assert_eq!(
            dns1123_label("A"),
            [
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            ]
        );
        assert_eq!(dns1123_label(&"a".repeat(64)), ["must be no more than 63 bytes"]);
        assert!(dns1035_label("a1").is_empty());
        assert_eq!(dns1035_label("1a").len(), 1);
    }

    #[test]
    fn keys_and_values() {
        assert!(label_key("app.kubernetes.io/name").is_empty());
        assert_eq!(label_key("/a"), ["prefix part must be non-empty"]);
        assert_eq!(label_key("a/").len(), 2);
        assert!(label_key("a/b/c")[0].starts_with("a valid label key must consist of"));
        assert!(label_value("").is_empty());
        assert!(label_value("a_b").is_empty());
        assert_eq!(label_value("a/b").len(), 1);
    }

    #[test]
    fn segments_and_prefixes() {
        assert_eq!(path_segment_name(".."), ["may not be '..'"]);
        assert_eq!(path_segment_name("a/%"), ["may not contain '/'", "may not contain '%'"]);
        assert_eq!(mask_trailing_dash("web-"), "wea");
        assert_eq!(mask_trailing_dash("-"), "-");
    }
}
