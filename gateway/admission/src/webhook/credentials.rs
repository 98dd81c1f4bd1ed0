//! The configuration of the two plugins of webhooks: where the credentials lie that are shown to them. Reads no credential
//! (`server::client`). Follows `k8s.io/apiserver/pkg/admission/plugin/webhook/config`.

use std::path::{Path, PathBuf};

use model::Value;
use model::field::{Errors, Path as Field};

use crate::configuration::{self, Strictness};

const KINDS: [(&str, &str); 1] = [("apiserver.config.k8s.io/v1", "WebhookAdmissionConfiguration")];

/// The kubeconfig that a configuration names. Fails in upstream's words.
pub(crate) fn kubeconfig(text: &str) -> Result<Option<PathBuf>, String> {
    let document = configuration::document(text, &KINDS, Strictness::Strict)?;
    let said = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or("");
    let (file, manifests) = (said("kubeConfigFile"), said("staticManifestsDir"));
    let mut errors = Errors::new();
    if !file.is_empty() && !Path::new(file).is_absolute() {
        errors.invalid(&Field::new("kubeConfigFile"), file, "must be an absolute file path");
    } else if !manifests.is_empty() {
        let why = "staticManifestsDir requires the ManifestBasedAdmissionControlConfig feature gate to be enabled";
        errors.forbidden(&Field::new("staticManifestsDir"), why);
    }
    match configuration::aggregated(&errors) {
        Some(why) => Err(why),
        None => Ok(Some(file).filter(|file| !file.is_empty()).map(PathBuf::from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_paths_are_taken() {
        let read = |rest: &str| {
            kubeconfig(&format!("apiVersion: apiserver.config.k8s.io/v1\nkind: WebhookAdmissionConfiguration\n{rest}"))
        };
        assert_eq!(read("kubeConfigFile: /a/b"), Ok(Some("/a/b".into())));
        assert_eq!(read(""), Ok(None));
        assert_eq!(
            read("kubeConfigFile: a"),
            Err("kubeConfigFile: Invalid value: \"a\": must be an absolute file path".to_owned())
        );
        assert!(read("staticManifestsDir: /a").is_err_and(|why| why.starts_with("staticManifestsDir: Forbidden: ")));
    }
}
