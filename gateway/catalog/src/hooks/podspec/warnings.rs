//! What a client should know about a pod's spec that is not wrong: deprecated labels, annotations and volumes, duplicates.
//! Follows `pkg/api/pod/warnings.go` and its order. Containers are in `warnings_containers`, volumes in `warnings_volumes`.

use std::collections::HashSet;

use model::Value;
use model::field::{Path, quote};
use model::name;

use super::super::rules::{equal, get, ip, resource};
use super::{annotations, resources, visit_containers, warnings_containers, warnings_volumes};

/// Labels of nodes that got other names, and what to say about them.
const NODE_LABELS: &[(&str, &str)] = &[
    ("beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"),
    ("beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"),
    ("failure-domain.beta.kubernetes.io/region", "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"),
    ("failure-domain.beta.kubernetes.io/zone", "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"),
    ("beta.kubernetes.io/instance-type", "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"),
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    ("scheduler.alpha.kubernetes.io/preferAvoidPods", "deprecated since v1.22; use Taints and Tolerations instead"),
    ("node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead"),
];

const ANNOTATIONS: &[(&str, &str)] = &[
    ("scheduler.alpha.kubernetes.io/critical-pod", "non-functional in v1.16+; use the \"priorityClassName\" field instead"),
    ("security.alpha.kubernetes.io/sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
    ("security.alpha.kubernetes.io/unsafe-sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
];

/// Whether the spec is that of a pod or in a template, which warns of AppArmor annotations itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A pod.
    Pod,
    /// A template.
    Template,
}

/// `warningsForPodSpecAndMeta`; `holder` has `metadata` and `spec`, `path` is its own (the root for a pod).
pub(crate) fn of(holder: &Value, kind: Holder, path: &Path) -> Vec<String> {
    let (metadata, spec) = (get::at(holder, "metadata"), get::at(holder, "spec"));
    let at = path.child("spec");
    let mut warnings = Vec::new();
    node_selectors(spec, &at, &mut warnings);
    spread(spec, &at, &mut warnings);
    let notes = path.child("metadata.annotations");
    for (key, message) in ANNOTATIONS {
        if get::at(metadata, "annotations").get(*key).is_some() {
            warnings.push(format!("{}: {message}", notes.key(key)));
        }
    }
    warnings_volumes::of(spec, &at, &mut warnings);
    duplicates(spec, &at, &mut warnings);
    let overhead = at.child("overhead");
    for name in ["memory", "ephemeral-storage"] {
        fractional(get::at(spec, "overhead").get(name), &overhead.key(name), &mut warnings);
    }
    profiles(metadata, spec, &notes, &mut warnings);
    visit_containers(spec, &at, &mut |container, path| {
        container_profiles(metadata, spec, container, kind, &notes, &mut warnings);
        warnings_containers::amounts(container, path, &mut warnings);
        warnings_containers::variables(container, path, &mut warnings);
    });
    warnings_containers::ports(spec, &at, &mut warnings);
    if get::int(spec, "terminationGracePeriodSeconds").is_some_and(|grace_s| grace_s < 0) {
        warnings.push(format!(
            "{}: must be >= 0; negative values are invalid and will be treated as 1",
            at.child("terminationGracePeriodSeconds")
        ));
    }
    pod_affinity(spec, &at, &mut warnings);
    addresses(spec, &at, &mut warnings);
    warnings
}

/// `GetNodeLabelDeprecatedMessage`.
pub(crate) fn deprecated_node_label(key: &str) -> Option<&'static str> {
    NODE_LABELS.iter().find(|(label, _)| *label == key).map(|(_, message)| *message)
}

fn node_selectors(spec: &Value, path: &Path, warnings: &mut Vec<String>) {
    let selector = path.child("nodeSelector");
    for (key, _) in get::pairs(spec, "nodeSelector") {
        if let Some(message) = deprecated_node_label(key) {
            warnings.push(format!("{}: {message}", selector.key(key)));
        }
    }
    let affinity = get::at(spec, "affinity.nodeAffinity");
    let path = path.child("affinity.nodeAffinity");
    let required = path.child("requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
    let terms = get::list(get::at(affinity, "requiredDuringSchedulingIgnoredDuringExecution"), "nodeSelectorTerms");
    for (i, term) in terms.iter().enumerate() {
        node_term(term, Values::Judged, &required.index(i), warnings);
    }
    let preferred = path.child("preferredDuringSchedulingIgnoredDuringExecution");
    for (i, weighted) in get::list(affinity, "preferredDuringSchedulingIgnoredDuringExecution").iter().enumerate() {
        node_term(get::at(weighted, "preference"), Values::Unjudged, &preferred.index(i).child("preference"), warnings);
    }
}

/// Whether validation has already judged the values of a term.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// It has.
    Judged,
    /// It has not, so that bad ones are told of here.
    Unjudged,
}

/// `GetWarningsForNodeSelectorTerm`.
pub(crate) fn node_term(term: &Value, values: Values, path: &Path, warnings: &mut Vec<String>) {
    let list = path.child("matchExpressions");
    for (i, requirement) in get::list(term, "matchExpressions").iter().enumerate() {
        let path = list.index(i);
        let key = get::text(requirement, "key");
        if let Some(message) = deprecated_node_label(key) {
            warnings.push(format!("{}: {key} is {message}", path.child("key")));
        }
        if values == Values::Judged {
            continue;
        }
        let list = path.child("values");
        for (i, value) in get::strings(requirement, "values").enumerate() {
            for message in name::is_valid_label_value(value) {
                warnings.push(format!("{}: {value} is invalid, {message}", list.index(i)));
            }
        }
    }
}

fn spread(spec: &Value, path: &Path, warnings: &mut Vec<String>) {
    let list = path.child("topologySpreadConstraints");
    for (i, constraint) in get::list(spec, "topologySpreadConstraints").iter().enumerate() {
        let path = list.index(i);
        let key = get::text(constraint, "topologyKey");
        if let Some(message) = deprecated_node_label(key) {
            warnings.push(format!("{}: {key} is {message}", path.child("topologyKey")));
        }
        null_selector(constraint, &path, warnings);
    }
}

fn null_selector(holder: &Value, path: &Path, warnings: &mut Vec<String>) {
    if get::object(holder, "labelSelector").is_none() {
        warnings.push(format!("{}: a null labelSelector results in matching no pod", path.child("labelSelector")));
    }
}

fn pod_affinity(spec: &Value, path: &Path, warnings: &mut Vec<String>) {
    let path = path.child("affinity");
    for kind in ["podAffinity", "podAntiAffinity"] {
        let affinity = get::at(get::at(spec, "affinity"), kind);
        let path = path.child(kind);
        let required = path.child("requiredDuringSchedulingIgnoredDuringExecution");
        for (i, term) in get::list(affinity, "requiredDuringSchedulingIgnoredDuringExecution").iter().enumerate() {
            null_selector(term, &required.index(i), warnings);
        }
        let preferred = path.child("preferredDuringSchedulingIgnoredDuringExecution");
        for (i, term) in get::list(affinity, "preferredDuringSchedulingIgnoredDuringExecution").iter().enumerate() {
            null_selector(get::at(term, "podAffinityTerm"), &preferred.index(i).child("podAffinityTerm"), warnings);
        }
    }
}

fn duplicates(spec: &Value, path: &Path, warnings: &mut Vec<String>) {
    for (list, field) in [("hostAliases", "ip"), ("imagePullSecrets", "name")] {
        let path = path.child(list);
        let mut seen = HashSet::new();
        for (i, item) in get::list(spec, list).iter().enumerate() {
            let value = get::text(item, field);
            if !seen.insert(value) {
                warnings.push(format!("{}: duplicate {field} {}", path.index(i).child(field), quote(value)));
            }
        }
    }
    let secrets = path.child("imagePullSecrets");
    for (i, secret) in get::list(spec, "imagePullSecrets").iter().enumerate() {
        if get::text(secret, "name").is_empty() {
            warnings.push(format!("{}: invalid empty name \"\"", secrets.index(i).child("name")));
        }
    }
}

/// An amount of bytes that is no whole number.
pub(super) fn fractional(value: Option<&Value>, path: &Path, warnings: &mut Vec<String>) {
    let Some(value) = value else { return };
    let amount = resources::amount(value);
    if resource::is_fractional(&amount) {
        warnings.push(format!("{path}: fractional byte value {} is invalid, must be an integer", quote(&amount.to_string())));
    }
}

fn profiles(metadata: &Value, spec: &Value, notes: &Path, warnings: &mut Vec<String>) {
    let has_field = get::object(get::at(spec, "securityContext"), "seccompProfile").is_some();
    seccomp(metadata, annotations::SECCOMP_POD, has_field, notes, warnings);
}

fn seccomp(metadata: &Value, key: &str, has_field: bool, notes: &Path, warnings: &mut Vec<String>) {
    if !has_field && get::at(metadata, "annotations").get(key).is_some() {
        warnings.push(format!("{}: non-functional in v1.27+; use the \"seccompProfile\" field instead", notes.key(key)));
    }
}

fn container_profiles(metadata: &Value, spec: &Value, container: &Value, kind: Holder, notes: &Path, warnings: &mut Vec<String>) {
    if metadata.get("annotations").is_none() {
        return;
    }
    let (name, context) = (get::text(container, "name"), get::at(container, "securityContext"));
    let has_field = get::object(context, "seccompProfile").is_some();
    seccomp(metadata, &format!("{}{name}", annotations::SECCOMP_CONTAINER), has_field, notes, warnings);
    if kind == Holder::Pod || get::object(context, "appArmorProfile").is_some() {
        return;
    }
    let key = format!("{}{name}", annotations::APPARMOR);
    let Some(annotation) = get::string(get::at(metadata, "annotations"), &key) else { return };
    let of_pod = get::object(get::at(spec, "securityContext"), "appArmorProfile");
    let said = annotations::apparmor_field(annotation);
    if of_pod.is_none() || !equal::semantic("appArmorProfile", of_pod, said.as_ref()) {
        warnings.push(format!("{}: {APPARMOR_DEPRECATED}", notes.key(&key)));
    }
}

/// What is said of an AppArmor annotation.
pub(crate) const APPARMOR_DEPRECATED: &str = "deprecated since v1.30; use the \"appArmorProfile\" field instead";

fn addresses(spec: &Value, path: &Path, warnings: &mut Vec<String>) {
    let servers = path.child("dnsConfig.nameservers");
    for (i, server) in get::strings(get::at(spec, "dnsConfig"), "nameservers").enumerate() {
        warnings.extend(ip::warnings(server, &servers.index(i)));
    }
    let aliases = path.child("hostAliases");
    for (i, alias) in get::list(spec, "hostAliases").iter().enumerate() {
        warnings.extend(ip::warnings(get::text(alias, "ip"), &aliases.index(i).child("ip")));
    }
}
