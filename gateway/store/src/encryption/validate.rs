//! What an `EncryptionConfiguration` may say, in upstream's words. Follows `validation_encryption.go` in
//! `apiserver/pkg/apis/apiserver/validation`. Builds nothing; what one rule hides from another is seen when they are built.

use std::collections::HashSet;

use codec::go_url;
use model::field::{Errors, Path};
use model::json::{Value, json};
use model::time;

use super::cipher::{self, AES_SECRET_BYTES, SECRETBOX_SECRET_BYTES};
use super::{Pattern, list, set, text};

/// Providers with keys, in the order in which they are looked at.
const KEYED: [(&str, &[usize]); 3] =
    [("aesgcm", AES_SECRET_BYTES), ("aescbc", AES_SECRET_BYTES), ("secretbox", SECRETBOX_SECRET_BYTES)];
/// What is stored and no resource of the API.
const WITHOUT_API: [&str; 3] = ["apiserveripinfo", "serviceipallocations", "servicenodeportallocations"];

/// Fails with all that is wrong.
pub(super) fn all(configuration: &Value) -> Result<(), Vec<String>> {
    let (mut errors, root) = (Errors::new(), Path::new("resources"));
    let entries = list(configuration, "resources");
    if entries.is_empty() {
        at_least_one(&root, &root.to_string(), &mut errors);
    }
    let mut plugins = HashSet::new();
    for (at, entry) in entries.iter().enumerate() {
        let at = root.index(at);
        resources(entry, &at.child("resources"), &mut errors);
        providers(entry, &at.child("providers"), &mut plugins, &mut errors);
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.0.iter().map(ToString::to_string).collect()) }
}

fn at_least_one(path: &Path, what: &str, errors: &mut Errors) {
    errors.required(path, format!("at least one {what} is required"));
}

fn mandatory(field: &str, of: &str) -> String {
    format!("{field} is a mandatory field for a {of}")
}

fn resources(entry: &Value, path: &Path, errors: &mut Errors) {
    let named: Vec<&str> = list(entry, "resources").iter().map(|name| name.as_str().unwrap_or("")).collect();
    if named.is_empty() {
        at_least_one(path, &path.to_string(), errors);
    }
    overlaps(&named, path, errors);
    for (at, name) in named.iter().enumerate() {
        if let Some(why) = name_fault(name) {
            errors.invalid(&path.index(at), *name, why);
        }
    }
}

/// Resources of one list that are there twice, or of which one takes in the other. Of each the first is told.
fn overlaps(named: &[&str], path: &Path, errors: &mut Errors) {
    let patterns: Vec<Pattern> = named.iter().map(|name| Pattern::of(name)).collect();
    let everything = Pattern::new("*", "*");
    let (mut duplicate, mut overlap) = (false, false);
    for (at, one) in patterns.iter().enumerate() {
        for (_, other) in patterns.iter().enumerate().filter(|(other, _)| *other != at) {
            if one == other && !duplicate {
                duplicate = true;
            } else {
                let takes_in = one.group == other.group && (one.plural == "*" || other.plural == "*");
                overlap |= *one == everything || takes_in;
            }
        }
    }
    if duplicate {
        errors.invalid(path, json!(named), "the same resource cannot be specified multiple times");
    }
    if overlap {
        errors.invalid(
            path,
            json!(named),
            "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked",
        );
    }
}

fn name_fault(name: &str) -> Option<&'static str> {
    let pattern = Pattern::of(name);
    Some(match name {
        _ if name.to_lowercase() != name => "resource name should not contain capital letters",
        "*" => "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources",
        _ if WITHOUT_API.contains(&name) => "resources which do not have REST API/s cannot be encrypted",
        _ => match &*pattern.group {
            "events.k8s.io" => {
                "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file"
            }
            "extensions" => "'extensions' group has been removed and cannot be used for encryption",
            "*" if pattern.plural != "*" => "encrypting the same resource across groups is not supported",
            _ => return None,
        },
    })
}

fn providers<'v>(entry: &'v Value, path: &Path, plugins: &mut HashSet<&'v str>, errors: &mut Errors) {
    let providers = list(entry, "providers");
    if providers.is_empty() {
        at_least_one(path, &path.to_string(), errors);
    }
    for (at, provider) in providers.iter().enumerate() {
        let path = path.index(at);
        only_one(provider, &path, errors);
        if let Some(settings) = set(provider, "kms") {
            kms(settings, &path.child("kms"), plugins, errors);
        } else if let Some((kind, lengths, settings)) =
            KEYED.iter().find_map(|(kind, lengths)| Some((*kind, *lengths, set(provider, kind)?)))
        {
            keys(settings, lengths, &path.child(kind).child("keys"), errors);
        }
    }
}

fn only_one(provider: &Value, path: &Path, errors: &mut Errors) {
    let found = ["kms", "aesgcm", "aescbc", "secretbox", "identity"].iter().filter(|kind| set(provider, kind).is_some()).count();
    let why = match found {
        0 => "provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity",
        1 => return,
        _ => "more than one provider specified in a single element, should split into different list elements",
    };
    errors.invalid(path, shown(provider), why);
}

/// A provider as upstream's internal type shows it, but for its secrets, which are nobody's who reads a log.
fn shown(provider: &Value) -> Value {
    let keyed = |kind: &str| {
        let keys = |settings| -> Vec<Value> {
            list(settings, "keys").iter().map(|key| json!({"Name": text(key, "name"), "Secret": "REDACTED"})).collect()
        };
        set(provider, kind).map(|settings| json!({"Keys": set(settings, "keys").map(|_| keys(settings))}))
    };
    let kms = set(provider, "kms").map(|settings| {
        json!({"APIVersion": api_version(settings), "Name": text(settings, "name"), "CacheSize": cache_size(settings),
            "Endpoint": text(settings, "endpoint"), "Timeout": set(settings, "timeout").cloned().unwrap_or_else(|| json!("3s"))})
    });
    json!({"AESGCM": keyed("aesgcm"), "AESCBC": keyed("aescbc"), "Secretbox": keyed("secretbox"),
        "Identity": set(provider, "identity").map(|_| json!({})), "KMS": kms})
}

fn keys(settings: &Value, lengths: &[usize], path: &Path, errors: &mut Errors) {
    let keys = list(settings, "keys");
    if keys.is_empty() {
        at_least_one(path, "keys", errors);
    }
    keys.iter().enumerate().for_each(|(at, one)| key(one, lengths, &path.index(at), errors));
}

fn key(key: &Value, lengths: &[usize], path: &Path, errors: &mut Errors) {
    if text(key, "name").is_empty() {
        errors.required(&path.child("name"), mandatory("name", "key"));
    }
    let path = path.child("secret");
    let secret = match text(key, "secret") {
        "" => return errors.required(&path, mandatory("secret", "key")),
        secret => cipher::secret(secret),
    };
    match secret.map(|secret| secret.len()) {
        None => errors.invalid(&path, "REDACTED", "secrets must be base64 encoded"),
        Some(bytes) if !lengths.contains(&bytes) => {
            let lengths: Vec<String> = lengths.iter().map(ToString::to_string).collect();
            let expected = format!("expected one of [{}]", lengths.join(" "));
            errors.invalid(&path, "REDACTED", format!("secret is not of the expected length, got {bytes}, {expected}"));
        }
        Some(_) => {}
    }
}

fn api_version(settings: &Value) -> &str {
    Some(text(settings, "apiVersion")).filter(|said| !said.is_empty()).unwrap_or("v1")
}

/// Defaulted for the first version alone.
fn cache_size(settings: &Value) -> Option<Value> {
    set(settings, "cachesize").cloned().or_else(|| (api_version(settings) == "v1").then(|| json!(1000)))
}

fn kms<'v>(settings: &'v Value, path: &Path, plugins: &mut HashSet<&'v str>, errors: &mut Errors) {
    let (name, version) = (text(settings, "name"), api_version(settings));
    plugin_name(name, version, &path.child("name"), plugins, errors);
    plugins.insert(name);
    let timeout = set(settings, "timeout").and_then(Value::as_str).unwrap_or("3s");
    if time::parse_duration(timeout).is_ok_and(|nanos| nanos <= 0) {
        errors.invalid_named(&path.child("timeout"), timeout, "timeout should be a positive value");
    }
    endpoint(text(settings, "endpoint"), &path.child("endpoint"), errors);
    match cache_size(settings) {
        Some(size) if version != "v1" => errors.invalid(&path.child("cachesize"), size, "cachesize is not supported in v2"),
        Some(size) if size.as_i64() == Some(0) => {
            errors.invalid(&path.child("cachesize"), size, "cachesize should be a positive value, or negative to disable");
        }
        _ => {}
    }
    if !["v1", "v2"].contains(&version) {
        let why = "unsupported apiVersion apiVersion for KMS provider, only v1 and v2 are supported";
        errors.invalid(&path.child("apiVersion"), version, why);
    }
}

fn plugin_name(name: &str, version: &str, path: &Path, plugins: &HashSet<&str>, errors: &mut Errors) {
    if name.is_empty() {
        errors.required(path, mandatory("name", "provider"));
    }
    // One of the first version is refused for its version, whatever its name.
    if version == "v1" {
        return;
    }
    if name.contains(':') {
        errors.invalid(path, name, format!("invalid KMS provider name {name}, must not contain ':'"));
    }
    if plugins.contains(name) {
        errors.invalid(path, name, format!("duplicate KMS provider name {name}, names must be unique"));
    }
}

fn endpoint(endpoint: &str, path: &Path, errors: &mut Errors) {
    if endpoint.is_empty() {
        return errors.invalid(path, "", mandatory("endpoint", "kms"));
    }
    let why = match (go_url::fault(endpoint), go_url::scheme(endpoint)) {
        (Some(fault), _) => format!("invalid endpoint for kms provider, error: {fault}"),
        (None, Ok((scheme, _))) if scheme.eq_ignore_ascii_case("unix") => return,
        (None, scheme) => {
            let scheme = model::field::quote(&scheme.map_or("", |(scheme, _)| scheme).to_ascii_lowercase());
            format!("unsupported scheme {scheme} for KMS provider, only unix is supported")
        }
    };
    errors.invalid(path, endpoint, why);
}

#[cfg(test)]
mod tests;
