//! PodSecurity, as far as it judges namespaces: their labels must name levels and versions that exist. Pods are not judged
//! by them. Follows `k8s.io/pod-security-admission/{admission,api}`.

use model::field::{Errors, Path};
use model::{GroupVersionResource, Status, Value, meta};

use crate::builtin::is;
use crate::{Notes, Operation, Plugin, Review};

/// The labels in the order in which upstream reads them, each with the check of its value.
const LABELS: [(&str, Check); 6] = [
    ("pod-security.kubernetes.io/enforce", level),
    ("pod-security.kubernetes.io/enforce-version", version),
    ("pod-security.kubernetes.io/audit", level),
    ("pod-security.kubernetes.io/audit-version", version),
    ("pod-security.kubernetes.io/warn", level),
    ("pod-security.kubernetes.io/warn-version", version),
];

/// What is wrong with a value, if anything.
type Check = fn(&str) -> Option<&'static str>;

fn level(value: &str) -> Option<&'static str> {
    let known = matches!(value, "privileged" | "baseline" | "restricted");
    (!known).then_some("must be one of privileged, baseline, restricted")
}

fn version(value: &str) -> Option<&'static str> {
    let is_minor = |minor: &str| {
        let digits = !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit());
        digits && (minor.len() == 1 || !minor.starts_with('0')) && minor.parse::<i64>().is_ok()
    };
    let known = value == "latest" || value.strip_prefix("v1.").is_some_and(is_minor);
    (!known).then_some("must be \"latest\" or \"v1.x\"")
}

fn faults(namespace: &Value) -> Errors {
    let mut errors = Errors::new();
    let path = Path::new("metadata.labels");
    for (label, check) in LABELS {
        let Some((_, value)) = meta::labels(namespace).find(|(name, _)| *name == label) else { continue };
        if let Some(why) = check(value) {
            errors.invalid(&path.key(label), value, why);
        }
    }
    errors
}

pub(super) struct PodSecurity;

#[async_trait::async_trait]
impl Plugin for PodSecurity {
    fn name(&self) -> &'static str {
        "PodSecurity"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        matches!(operation, Operation::Create | Operation::Update) && is(resource, "", "namespaces") && subresource.is_empty()
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let errors = object.map(faults).unwrap_or_default();
        // What an older server let in may stay as it is.
        if errors.is_empty() || review.old.is_some_and(|old| faults(old).0 == errors.0) {
            return Ok(());
        }
        Err(Status::invalid(&review.kind.group_kind(), review.name, &errors))
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn labels_name_what_exists() {
        let told = |labels: Value| {
            let errors = faults(&json!({"metadata": {"labels": labels}}));
            errors.0.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let (enforce, since) = ("pod-security.kubernetes.io/enforce", "pod-security.kubernetes.io/warn-version");
        for good in ["latest", "v1.0", "v1.37"] {
            assert_eq!(told(json!({enforce: "baseline", since: good})), [""; 0]);
        }
        for bad in ["v1", "v1.", "v1.01", "v2.1", "1.37", ""] {
            let [fault] = &told(json!({since: bad}))[..] else { panic!("{bad}") };
            assert!(fault.ends_with("must be \"latest\" or \"v1.x\""), "{fault}");
        }
        assert_eq!(
            told(json!({since: "x", enforce: "odd"})),
            [
                "metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"odd\": must be one of privileged, baseline, restricted",
                "metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: \"x\": must be \"latest\" or \"v1.x\""
            ]
        );
    }
}
