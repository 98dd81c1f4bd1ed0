//! What serving must know of a few resources and upstream's tables do not say: which have no effect yet, which expire, how
//! they speak of unknown fields.

/// Resources whose effect is not built: a client must not believe that one of them works. Group, plural, why.
static UNBUILT: &[(&str, &str, &str)] =
    &[("apiregistration.k8s.io", "apiservices", "requests are not passed on to extension servers")];

/// Why a resource refuses to be created or changed by clients, when it does.
pub fn unbuilt(group: &str, plural: &str) -> Option<&'static str> {
    UNBUILT.iter().find(|(g, p, _)| *g == group && *p == plural).map(|(_, _, why)| *why)
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
