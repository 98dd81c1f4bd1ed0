//! What serving must know of a few resources and upstream's tables do not say: which have no effect yet, which expire, how
//! they speak of unknown fields.

/// Resources whose effect is not built: a client must not believe that one of them works. Group, plural, why.
static UNBUILT: &[(&str, &str, &str)] = &[
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations", "admission webhooks are not called"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "admission webhooks are not called"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies", "CEL admission policies are not evaluated"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings", "CEL admission policies are not evaluated"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies", "CEL admission policies are not evaluated"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings", "CEL admission policies are not evaluated"),
    ("apiregistration.k8s.io", "apiservices", "requests are not passed on to extension servers"),
];

/// Why a resource refuses to be created or changed by clients, when it does.
pub fn unbuilt(group: &str, plural: &str) -> Option<&'static str> {
    UNBUILT.iter().find(|(g, p, _)| *g == group && *p == plural).map(|(_, _, why)| *why)
}

/// Whether objects of a resource go away by themselves after `--event-ttl`.
pub fn expires(group: &str, plural: &str) -> bool {
    matches!((group, plural), ("" | "events.k8s.io", "events"))
}

/// What a kind with selectable fields of its own says of one that it lacks.
pub fn unselectable(kind: &str, field: &str) -> String {
    match kind {
        "Job" => format!("field label {field:?} not supported for Job"),
        "ResourceSlice" => format!("field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: {field}"),
        _ => format!("field label not supported: {field}"),
    }
}
