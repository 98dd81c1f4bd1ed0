//! Strings in fields: what [`model::name`] finds wrong becomes errors of a field. Sorts out no field itself.

use model::field::{Errors, Path, Spelling};
use model::name;

/// Every message is one `Invalid` error of the field.
pub(crate) fn invalid_each(value: &str, messages: Vec<String>, path: &Path, errors: &mut Errors) {
    for message in messages {
        errors.invalid(path, value, message);
    }
}

/// `ValidateDNS1123Label`.
pub(crate) fn dns_label(value: &str, path: &Path, errors: &mut Errors) {
    invalid_each(value, name::is_dns1123_label(value), path, errors);
}

/// `ValidateDNS1123Subdomain`, which is also the name rule of most kinds.
pub(crate) fn dns_subdomain(value: &str, path: &Path, errors: &mut Errors) {
    invalid_each(value, name::is_dns1123_subdomain(value), path, errors);
}

/// `ValidateQualifiedName`, `ValidateLabelName`.
pub(crate) fn qualified_name(value: &str, path: &Path, errors: &mut Errors) {
    invalid_each(value, name::is_qualified_name(value), path, errors);
}

/// `ValidatePortNumOrName` for an int-or-string.
pub(crate) fn port_num_or_name(port: &model::Value, path: &Path, errors: &mut Errors) {
    match port.as_str() {
        Some(port) => invalid_each(port, name::is_valid_port_name(port), path, errors),
        None => port_num(port.as_i64().unwrap_or(0), path, errors),
    }
}

/// `IsValidPortNum`.
pub(crate) fn port_num(port: i64, path: &Path, errors: &mut Errors) {
    for message in name::is_valid_port_num(port) {
        errors.invalid(path, port, message);
    }
}

/// `IsValidUserID` and `IsValidGroupID` of a pointer.
pub(crate) fn user_id(id: Option<i64>, path: &Path, errors: &mut Errors) {
    let Some(id) = id else { return };
    for message in name::is_valid_user_id(id) {
        errors.invalid(path, id, message);
    }
}

/// A value that must be one of `supported`, which the error lists as given. Returns whether it is.
pub(crate) fn one_of(value: &str, supported: &[&str], path: &Path, errors: &mut Errors) -> bool {
    let known = supported.contains(&value);
    if !known {
        errors.not_supported(path, value, supported);
    }
    known
}

/// Like [`one_of`], and an empty value is `Required`.
pub(crate) fn required_one_of(value: &str, supported: &[&str], path: &Path, errors: &mut Errors) {
    if value.is_empty() {
        errors.required(path, "");
    } else {
        one_of(value, supported, path, errors);
    }
}

/// One of a few texts that upstream keeps as plain strings.
pub(crate) fn plain_one_of(value: &str, supported: &[&str], path: &Path, errors: &mut Errors) {
    errors.spelt(Spelling::Go, |errors| {
        one_of(value, supported, path, errors);
    });
}

/// A string that must not be empty.
pub(crate) fn required(value: &str, path: &Path, errors: &mut Errors) {
    if value.is_empty() {
        errors.required(path, "");
    }
}

/// `IsDomainPrefixedKey`: `acme.io/foo`.
pub(crate) fn domain_prefixed_key(value: &str, path: &Path, errors: &mut Errors) {
    if value.is_empty() {
        return errors.required(path, "");
    }
    let wrong = name::is_qualified_name(value);
    if wrong.is_empty() && !value.contains('/') {
        errors.invalid(path, value, "must be a domain-prefixed key (such as \"acme.io/foo\")");
    }
    invalid_each(value, wrong, path, errors);
}
