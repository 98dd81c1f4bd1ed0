//! Secret. Upstream: `pkg/apis/core/validation` (`ValidateSecret`), `pkg/apis/core/v1/conversion.go` (`stringData`),
//! `pkg/registry/core/secret/strategy.go`. Never shows contents in a fault.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use codec::json;
use model::field::{Errors, Path};
use model::{Value, meta, name};

use super::rules::pem::Blocks;
use super::rules::{bag, get, number, text, x509};
use super::{Hooks, Selectable};

/// `MaxSecretSize`: all values of a Secret or ConfigMap together, in bytes. Keeps one object well below the store's limit.
pub(super) const DATA_BYTES_MAX: usize = 1024 * 1024;

pub(super) const HOOKS: Hooks = Hooks {
    default: Some(default),
    prepare_update: Some(prepare_update),
    validate: Some(validate),
    validate_update: Some(validate_update),
    warnings: Some(|new, _old| pair_fault(new).into_iter().collect()),
    selectable: &[Selectable { field: "type", value: |object| get::text(object, "type").to_owned() }],
    ..Hooks::NONE
};

/// `stringData` is for writing only: it overwrites `data` and is gone.
fn default(object: &mut Value) {
    let plain = get::raw(object, "stringData");
    get::remove(object, "stringData");
    let Some(plain) = plain.as_object().filter(|plain| !plain.is_empty()) else { return };
    let Some(data) = get::object_mut(object, "data") else { return };
    for (key, value) in plain {
        data.insert(key.clone(), STANDARD.encode(value.as_str().unwrap_or("")).into());
    }
}

fn prepare_update(new: &mut Value, old: &Value) {
    if get::text(new, "type").is_empty() {
        get::copy(new, old, "type");
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let path = Path::new("data");
    let mut bytes = 0;
    for (key, value) in get::pairs(object, "data") {
        text::invalid_each(key, name::is_config_map_key(key), &path.key(key), errors);
        bytes += bag::decoded_bytes(value);
    }
    if bytes > DATA_BYTES_MAX {
        errors.too_long(&path, DATA_BYTES_MAX);
    }
    by_type(object, &path, errors);
}

fn by_type(object: &Value, path: &Path, errors: &mut Errors) {
    let data = get::at(object, "data");
    let mut require = |key: &str| {
        if data.get(key).is_none() {
            errors.required(&path.key(key), "");
        }
    };
    match get::text(object, "type") {
        "kubernetes.io/service-account-token" => service_account_name(object, errors),
        "kubernetes.io/dockercfg" => json_map(data, ".dockercfg", path, errors),
        "kubernetes.io/dockerconfigjson" => json_map(data, ".dockerconfigjson", path, errors),
        // Either may be empty, but one must be there.
        "kubernetes.io/basic-auth" if data.get("username").is_none() && data.get("password").is_none() => {
            require("username");
            require("password");
        }
        "kubernetes.io/ssh-auth" => text::required(get::text(data, "ssh-privatekey"), &path.key("ssh-privatekey"), errors),
        "kubernetes.io/tls" => {
            require("tls.crt");
            require("tls.key");
        }
        _ => {}
    }
}

fn service_account_name(object: &Value, errors: &mut Errors) {
    const KEY: &str = "kubernetes.io/service-account.name";
    if meta::annotation(object, KEY).unwrap_or("").is_empty() {
        errors.required(&Path::new("metadata.annotations").key(KEY), "");
    }
}

fn json_map(data: &Value, key: &str, path: &Path, errors: &mut Errors) {
    let Some(value) = get::string(data, key) else { return errors.required(&path.key(key), "") };
    let decoded = STANDARD.decode(value).unwrap_or_default();
    let fault = match json::parse(&decoded) {
        Ok(parsed) if matches!(parsed.value, Value::Object(_) | Value::Null) => return,
        Ok(parsed) => {
            let what = json::type_word(&parsed.value);
            format!("json: cannot unmarshal {what} into Go value of type map[string]interface {{}}")
        }
        // It names a character at most.
        Err(why) => why.to_string(),
    };
    errors.invalid(&path.key(key), "<secret contents redacted>", fault);
}

/// `tls.X509KeyPair`: why a certificate and a key are no pair. Shows no contents.
fn pair_fault(object: &Value) -> Option<String> {
    if get::text(object, "type") != "kubernetes.io/tls" {
        return None;
    }
    let data = get::at(object, "data");
    let [certificates, key] = ["tls.crt", "tls.key"].map(|entry| {
        let bytes = STANDARD.decode(get::text(data, entry)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    pair(&certificates, &key).err()
}

fn pair(certificates: &str, key: &str) -> Result<(), String> {
    let mut skipped = Vec::new();
    let mut leaf = None;
    for block in Blocks(certificates) {
        if block.label == "CERTIFICATE" {
            leaf.get_or_insert(block.der);
        } else {
            skipped.push(block.label);
        }
    }
    let leaf = leaf.ok_or_else(|| match skipped[..] {
        [] => "tls: failed to find any PEM data in certificate input".to_owned(),
        [only] if only.ends_with("PRIVATE KEY") => "tls: failed to find certificate PEM data in certificate input, but did find a \
            private key; PEM inputs may have been switched"
            .to_owned(),
        _ => format!(
            "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of the following types: \
             [{}]",
            skipped.join(" ")
        ),
    })?;
    let key = private_key(key)?;
    let leaf = x509::certificate(&leaf).ok_or(x509::MALFORMED)?;
    let private = x509::private(&key).ok_or("tls: failed to parse private key")?;
    Ok(x509::belongs(&private, leaf.public_key())?)
}

fn private_key(pem: &str) -> Result<Vec<u8>, String> {
    let mut skipped = Vec::new();
    for block in Blocks(pem) {
        if block.label == "PRIVATE KEY" || block.label.ends_with(" PRIVATE KEY") {
            return Ok(block.der);
        }
        skipped.push(block.label);
    }
    Err(match skipped[..] {
        [] => "tls: failed to find any PEM data in key input".to_owned(),
        ["CERTIFICATE"] => "tls: found a certificate rather than a key in the PEM for the private key".to_owned(),
        _ => format!(
            "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping PEM blocks of the \
             following types: [{}]",
            skipped.join(" ")
        ),
    })
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    number::immutable_named(new, old, "type", &Path::default(), errors);
    bag::immutable(new, old, &["data"], errors);
    validate(new, errors);
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    fn faults(object: &Value) -> Vec<String> {
        let mut errors = Errors::new();
        validate(object, &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn string_data_becomes_data() {
        let mut object = json!({"data": {"a": "eA=="}, "stringData": {"a": "y", "b": "z"}});
        default(&mut object);
        assert_eq!(object, json!({"data": {"a": "eQ==", "b": "eg=="}}));
    }

    #[test]
    fn types_demand_their_keys() {
        assert_eq!(
            faults(&json!({"type": "kubernetes.io/tls", "data": {}})),
            ["data[tls.crt]: Required value", "data[tls.key]: Required value"]
        );
        assert_eq!(faults(&json!({"type": "kubernetes.io/basic-auth", "data": {"username": ""}})), Vec::<String>::new());
        assert_eq!(faults(&json!({"type": "Opaque"})), Vec::<String>::new());
        assert_eq!(
            faults(&json!({"type": "kubernetes.io/service-account-token"})),
            ["metadata.annotations[kubernetes.io/service-account.name]: Required value"]
        );
    }

    #[test]
    fn a_fault_shows_no_contents() {
        let told = |content: &str| {
            let data = json!({".dockerconfigjson": STANDARD.encode(content)});
            faults(&json!({"type": "kubernetes.io/dockerconfigjson", "data": data}))
        };
        for (content, fault) in [
            ("hunter2", "invalid character 'h' looking for beginning of value"),
            ("10.0.0.0/33", "invalid character '.' after top-level value"),
            ("1e3", "json: cannot unmarshal number into Go value of type map[string]interface {}"),
            ("", "unexpected end of JSON input"),
        ] {
            let whole = format!("data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": {fault}");
            assert_eq!(told(content), [whole]);
        }
        assert_eq!(told("null"), [""; 0]);
    }

    #[test]
    fn the_type_stays() {
        let (old, mut new) = (json!({"type": "a/b"}), json!({}));
        prepare_update(&mut new, &old);
        assert_eq!(new, old);
        let mut errors = Errors::new();
        validate_update(&json!({"type": "c/d"}), &old, &mut errors);
        assert_eq!(errors.0[0].to_string(), "type: Invalid value: \"c/d\": field is immutable");
    }
}
