//! Which secrets a pod refers to that its service account does not: the half of plugin ServiceAccount that an annotation
//! on the account turns on, and what mirror pods may not refer to at all.

use model::{Value, meta};

use crate::builtin::{items, text};

const ENFORCE: &str = "kubernetes.io/enforce-mountable-secrets";

/// Why a new pod may not use the secrets it names, if the account insists.
pub(super) fn refusal(pod: &Value, account: &Value) -> Option<String> {
    let spec = pod.get("spec").filter(|_| enforces(account))?;
    let (name, allowed) = (meta::name(account), names(account, "secrets"));
    let volumes = items(spec, "volumes").iter().filter_map(|v| v.pointer("/secret/secretName")?.as_str());
    if let Some(secret) = volumes.into_iter().find(|secret| !allowed.contains(secret)) {
        return Some(format!(
            "volume with secret.secretName=\"{secret}\" is not allowed because service account {name} does not reference that secret"
        ));
    }
    container_refusal(spec, "initContainers", "init container", &allowed, name)
        .or_else(|| container_refusal(spec, "containers", "container", &allowed, name))
        .or_else(|| pull_refusal(spec, account))
}

/// The same for the ephemeral containers of a running pod.
pub(super) fn ephemeral_refusal(pod: &Value, account: &Value) -> Option<String> {
    let spec = pod.get("spec").filter(|_| enforces(account))?;
    container_refusal(spec, "ephemeralContainers", "ephemeral container", &names(account, "secrets"), meta::name(account))
}

/// Why a mirror pod is refused: it may name neither accounts nor secrets.
pub(super) fn mirror_refusal(pod: &Value) -> Option<&'static str> {
    let spec = pod.get("spec")?;
    if !text(spec, "serviceAccountName").is_empty() {
        return Some("a mirror pod may not reference service accounts");
    }
    if names_secrets(spec) {
        return Some("a mirror pod may not reference secrets");
    }
    let projections = items(spec, "volumes").iter().filter_map(|v| v.get("projected")).flat_map(|p| items(p, "sources"));
    projections
        .into_iter()
        .any(|source| source.get("serviceAccountToken").is_some_and(|t| !t.is_null()))
        .then_some("a mirror pod may not use ServiceAccountToken volume projections")
}

/// Whether a pod refers to any secret.
pub(super) fn names_secrets(spec: &Value) -> bool {
    let mut found = false;
    walk(spec, &mut |key, value| {
        let named = matches!(key, "secretRef" | "secretKeyRef" | "nodePublishSecretRef") && !text(value, "name").is_empty();
        let volume =
            matches!(key, "secret" | "azureFile") && !(text(value, "secretName").is_empty() && text(value, "name").is_empty());
        let pulled = key == "imagePullSecrets" && value.as_array().is_some_and(|s| !s.is_empty());
        found |= named || volume || pulled;
    });
    found
}

/// Whether a pod refers to any ConfigMap.
pub(super) fn names_config_maps(spec: &Value) -> bool {
    let mut found = false;
    walk(spec, &mut |key, value| {
        found |= matches!(key, "configMap" | "configMapRef" | "configMapKeyRef") && !text(value, "name").is_empty();
    });
    found
}

fn enforces(account: &Value) -> bool {
    // The spellings of Go's ParseBool.
    matches!(meta::annotation(account, ENFORCE), Some("1" | "t" | "T" | "true" | "TRUE" | "True"))
}

fn names<'a>(account: &'a Value, field: &str) -> Vec<&'a str> {
    items(account, field).iter().map(|secret| text(secret, "name")).collect()
}

fn container_refusal(spec: &Value, list: &str, what: &str, allowed: &[&str], account: &str) -> Option<String> {
    let because = |secret: &str| {
        format!(
            "referencing secret.secretName=\"{secret}\" is not allowed because service account {account} does not reference that secret"
        )
    };
    for container in items(spec, list) {
        let name = text(container, "name");
        for env in items(container, "env") {
            let Some(secret) = env.pointer("/valueFrom/secretKeyRef").map(|r| text(r, "name")) else { continue };
            if !allowed.contains(&secret) {
                return Some(format!("{what} {name} with envVar {} {}", text(env, "name"), because(secret)));
            }
        }
        for from in items(container, "envFrom") {
            let Some(secret) = from.get("secretRef").map(|r| text(r, "name")) else { continue };
            if !allowed.contains(&secret) {
                return Some(format!("{what} {name} with envFrom {}", because(secret)));
            }
        }
    }
    None
}

fn pull_refusal(spec: &Value, account: &Value) -> Option<String> {
    let allowed = names(account, "imagePullSecrets");
    let (at, secret) = names(spec, "imagePullSecrets").into_iter().enumerate().find(|(_, secret)| !allowed.contains(secret))?;
    Some(format!(
        "imagePullSecrets[{at}].name=\"{secret}\" is not allowed because service account {} does not reference that imagePullSecret",
        meta::name(account)
    ))
}

fn walk(value: &Value, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                visit(key, value);
                walk(value, visit);
            }
        }
        Value::Array(list) => list.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}
