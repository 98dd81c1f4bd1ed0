//! What serving must know of a few resources and upstream's tables do not say: which expire, how they speak of unknown
//! fields; and what the files that configure plugins and encryption look like.

use std::collections::HashSet;
use std::sync::LazyLock;

use schema::types::{ParseError, Types};

/// Older versions in which upstream takes bodies of a kind. Group, kind, version; the fields are the same.
static ALSO_TAKEN: &[(&str, &str, &str)] = &[("policy", "Eviction", "v1beta1")];

/// Whether bodies of a kind may be of this version, which is not the one served.
pub fn takes_version(group: &str, kind: &str, version: &str) -> bool {
    ALSO_TAKEN.contains(&(group, kind, version))
}

/// Whether upstream has such a kind and serves it nowhere.
pub fn is_unserved(api_version: &str, kind: &str) -> bool {
    static KINDS: LazyLock<HashSet<(&str, &str)>> = LazyLock::new(|| {
        let lines = include_str!("../data/unserved.txt").lines();
        let words = lines.filter_map(|line| line.strip_prefix("kind ")).map(|line| line.split(' '));
        words.filter_map(|mut words| Some((words.next()?, words.next()?))).collect()
    });
    KINDS.contains(&(api_version, kind))
}

/// The types of files that configure admission and encryption.
///
/// # Errors
/// A committed table that cannot be read.
pub fn configuration_types() -> Result<Types, ParseError> {
    Types::parse(&[include_str!("../data/configuration.txt")])
}

/// Whether objects of a resource go away by themselves after `--event-ttl`.
pub fn expires(group: &str, plural: &str) -> bool {
    matches!((group, plural), ("" | "events.k8s.io", "events"))
}

/// What every answer about a resource warns of. Upstream: `APILifecycleDeprecated` of the types.
pub fn deprecation(group: &str, plural: &str) -> Option<&'static str> {
    match (group, plural) {
        ("", "endpoints") => Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"),
        ("", "componentstatuses") => Some("v1 ComponentStatus is deprecated in v1.19+"),
        _ => None,
    }
}

/// Whether finalizers must be Kubernetes' own or carry a domain. Upstream's kinds that judge their metadata by apimachinery
/// alone do not ask that; nor do custom resources.
pub fn qualifies_finalizers(group: &str, plural: &str) -> bool {
    let own = group.is_empty() || !group.contains('.') || group.ends_with(".k8s.io");
    let lenient = matches!(group, "admissionregistration.k8s.io" | "apiextensions.k8s.io" | "apiregistration.k8s.io");
    own && !lenient
        && !matches!(plural, "leases" | "poddisruptionbudgets" | "runtimeclasses")
        && (group, plural) != ("", "events")
}

/// What a kind with selectable fields of its own says of one that it lacks.
pub fn unselectable(kind: &str, field: &str) -> String {
    match kind {
        "Job" => format!("field label {field:?} not supported for Job"),
        "ResourceSlice" => format!("field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: {field}"),
        _ => format!("field label not supported: {field}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_old_are_known() {
        assert!(is_unserved("apps/v1beta1", "Deployment"));
        assert!(!is_unserved("apps/v1", "Deployment") && !is_unserved("apps/v1beta1", "Pod"));
        assert!(takes_version("policy", "Eviction", "v1beta1") && !takes_version("policy", "Eviction", "v1beta2"));
    }
}
