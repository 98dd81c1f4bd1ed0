//! What a request for a token attests about webhooks. Tokens that are bound to a webhook's configuration are off by default
//! upstream, but what is asked for is judged before anybody looks at that. Follows `pkg/apis/authentication/validation`.

use model::field::{Errors, Path};
use model::{Value, name};

/// What is said of tokens for webhooks.
pub(super) const OFF: &str = " (feature gate APIServerWebhookAuthenticationToken is disabled)";

/// The only thing that can be attested.
const GROUPS: &str = "admissionReviewAPIGroups";

/// Whether a reference is to the configuration of a webhook.
pub(super) fn is_webhook(reference: &Value) -> bool {
    matches!(reference["kind"].as_str(), Some("ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration"))
        && reference["apiVersion"] == "admissionregistration.k8s.io/v1"
}

/// Judges the attestations of a request's spec. Those that have no place in it are all that is told of.
pub(super) fn validate(spec: &Value, path: &Path, errors: &mut Errors) {
    let (attestations, at) = (&spec["attestations"], path.child("attestations"));
    let pairs: Vec<_> = attestations.as_object().into_iter().flatten().collect();
    if !is_webhook(&spec["boundObjectRef"]) {
        if !pairs.is_empty() {
            *errors = Errors::new();
            let why = "attestations may only be specified with a webhook bound object reference";
            errors.invalid(&at, attestations.clone(), why);
        }
        return;
    }
    let audiences = &spec["audiences"];
    if audiences.as_array().is_none_or(|list| list.len() != 1) {
        errors.invalid(&path.child("audiences"), audiences.clone(), "must be length 1 when bound to a webhook config");
    }
    match pairs[..] {
        [(key, values)] => validate_pair(key, values, &at.key(key), errors),
        _ => {
            let why = "webhook bound requests require exactly one admissionReviewAPIGroups attestation";
            errors.invalid(&at, attestations.clone(), why);
        }
    }
}

fn validate_pair(key: &str, values: &Value, path: &Path, errors: &mut Errors) {
    if key != GROUPS {
        errors.not_supported(path, key, &[GROUPS]);
        return;
    }
    let group = match values.as_array().map(Vec::as_slice) {
        Some([group]) => group.as_str().unwrap_or(""),
        _ => return errors.invalid(path, values.clone(), "must specify a single value"),
    };
    let path = path.index(0);
    match group {
        "" => errors.invalid(&path, group, "may not be an empty string"),
        "*" => {}
        _ => {
            for fault in name::is_dns1123_subdomain(group) {
                errors.invalid(&path, group, format!("must specify a valid API Group: {fault}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    fn faults(kind: &str, attestations: Value) -> Vec<String> {
        let reference = json!({"kind": kind, "apiVersion": "admissionregistration.k8s.io/v1", "name": "a"});
        let spec = json!({"audiences": ["a"], "boundObjectRef": reference, "attestations": attestations});
        let mut errors = Errors::new();
        validate(&spec, &Path::new("spec"), &mut errors);
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn webhooks_need_one_group_and_others_none() {
        let webhook = |attestations| faults("MutatingWebhookConfiguration", attestations);
        assert_eq!(webhook(json!({GROUPS: ["*"]})), [""; 0]);
        assert_eq!(webhook(json!({GROUPS: ["apps"]})), [""; 0]);
        assert_eq!(
            webhook(Value::Null),
            [
                "spec.attestations: Invalid value: null: webhook bound requests require exactly one admissionReviewAPIGroups attestation"
            ]
        );
        assert_eq!(
            webhook(json!({GROUPS: [""]})),
            ["spec.attestations[admissionReviewAPIGroups][0]: Invalid value: \"\": may not be an empty string"]
        );
        assert_eq!(webhook(json!({GROUPS: []})).len(), 1);
        assert_eq!(
            webhook(json!({"other": ["apps"]})),
            ["spec.attestations[other]: Unsupported value: \"other\": supported values: \"admissionReviewAPIGroups\""]
        );
        assert_eq!(faults("Pod", Value::Null), [""; 0]);
        assert_eq!(faults("Pod", json!({GROUPS: ["apps"]})).len(), 1);
    }
}
