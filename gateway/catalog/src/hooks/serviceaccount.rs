//! ServiceAccount. Upstream: `pkg/registry/core/serviceaccount/strategy.go`.

use model::json::json;
use model::{Value, meta};

use super::Hooks;
use super::rules::get;

const ENFORCE_MOUNTABLE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";

pub(super) const HOOKS: Hooks = Hooks {
    prepare_create: Some(clean_secrets),
    prepare_update: Some(|new, _old| clean_secrets(new)),
    warnings: Some(warnings),
    ..Hooks::NONE
};

/// Of each reference only the name is kept.
fn clean_secrets(object: &mut Value) {
    for secret in get::list_mut(object, "secrets") {
        *secret = match get::string(secret, "name") {
            Some(name) => json!({"name": name}),
            None => json!({}),
        };
    }
}

fn warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let set = |object: &Value| meta::annotation(object, ENFORCE_MOUNTABLE_SECRETS).is_some();
    if old.is_some_and(set) || !set(new) {
        return Vec::new();
    }
    vec![format!(
        "metadata.annotations[{ENFORCE_MOUNTABLE_SECRETS}]: deprecated in v1.32+; \
         prefer separate namespaces to isolate access to mounted secrets"
    )]
}
