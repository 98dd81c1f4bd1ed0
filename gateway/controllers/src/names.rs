//! Which controllers run: `--controllers` as kube-controller-manager spells it. Knows no controller.

/// Every controller of kube-controller-manager 1.37: what `--controllers` may name, served here or not.
pub const UPSTREAM: &[&str] = &[
    "serviceaccount-token-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    "replicationcontroller-controller",
    "pod-garbage-collector-controller",
    "resourcequota-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "garbage-collector-controller",
    "daemonset-controller",
    "job-controller",
    "deployment-controller",
    "replicaset-controller",
    "horizontal-pod-autoscaler-controller",
    "disruption-controller",
    "statefulset-controller",
    "cronjob-controller",
    "certificatesigningrequest-signing-controller",
    "certificatesigningrequest-approving-controller",
    "certificatesigningrequest-cleaner-controller",
    "podcertificaterequest-cleaner-controller",
    "ttl-controller",
    "bootstrap-signer-controller",
    "token-cleaner-controller",
    "node-ipam-controller",
    "node-lifecycle-controller",
    "taint-eviction-controller",
    "device-taint-eviction-controller",
    "persistentvolume-binder-controller",
    "persistentvolume-attach-detach-controller",
    "persistentvolume-expander-controller",
    "clusterrole-aggregation-controller",
    "persistentvolumeclaim-protection-controller",
    "persistentvolume-protection-controller",
    "podgroup-protection-controller",
    "ttl-after-finished-controller",
    "root-ca-certificate-publisher-controller",
    "kube-apiserver-serving-clustertrustbundle-publisher-controller",
    "ephemeral-volume-controller",
    "storageversion-garbage-collector-controller",
    "resourceclaim-controller",
    "resourcepoolstatusrequest-controller",
    "legacy-serviceaccount-token-cleaner-controller",
    "validatingadmissionpolicy-status-controller",
    "volumeattributesclass-protection-controller",
    "service-cidr-controller",
    "storage-version-migrator-controller",
    "selinux-warning-controller",
    "cloud-node-lifecycle-controller",
    "service-lb-controller",
    "node-route-controller",
];

/// Names of old whose new form is not the old one with `-controller`.
const ALIASES: &[(&str, &str)] = &[
    ("garbagecollector", "garbage-collector-controller"),
    ("root-ca-cert-publisher", "root-ca-certificate-publisher-controller"),
    ("podgc", "pod-garbage-collector-controller"),
    ("horizontalpodautoscaling", "horizontal-pod-autoscaler-controller"),
    ("csrsigning", "certificatesigningrequest-signing-controller"),
    ("csrapproving", "certificatesigningrequest-approving-controller"),
    ("csrcleaner", "certificatesigningrequest-cleaner-controller"),
    ("bootstrapsigner", "bootstrap-signer-controller"),
    ("tokencleaner", "token-cleaner-controller"),
    ("nodeipam", "node-ipam-controller"),
    ("nodelifecycle", "node-lifecycle-controller"),
    ("persistentvolume-binder", "persistentvolume-binder-controller"),
    ("attachdetach", "persistentvolume-attach-detach-controller"),
    ("persistentvolume-expander", "persistentvolume-expander-controller"),
    ("pvc-protection", "persistentvolumeclaim-protection-controller"),
    ("pv-protection", "persistentvolume-protection-controller"),
    ("ttl-after-finished", "ttl-after-finished-controller"),
    ("storage-version-gc", "storageversion-garbage-collector-controller"),
    ("cloud-node-lifecycle", "cloud-node-lifecycle-controller"),
    ("service", "service-lb-controller"),
    ("route", "node-route-controller"),
];

/// Whether a controller runs. `spec` is the flag's list: `*` is all that are on by default, `foo` turns one on, `-foo` one
/// off, whichever comes first; without a `*` nothing else runs, so `-*` turns off all.
pub fn is_enabled(name: &str, default: Default, spec: &[String]) -> bool {
    for word in spec {
        if is_name(word, name) {
            return true;
        }
        if word.strip_prefix('-').is_some_and(|word| is_name(word, name)) {
            return false;
        }
    }
    default == Default::On && spec.iter().any(|word| word == "*")
}

/// Whether `*` includes a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// It does.
    On,
    /// It must be named.
    Off,
}

/// The words of a spec that name no controller, of upstream's or our own.
pub fn unknown(spec: &[String]) -> Vec<&str> {
    let bare = spec.iter().map(|word| word.strip_prefix('-').unwrap_or(word));
    bare.filter(|word| *word != "*" && !UPSTREAM.iter().any(|name| is_name(word, name))).collect()
}

/// kube-controller-manager still accepts the names of old, without `-controller`.
fn is_name(word: &str, name: &str) -> bool {
    word == name || ALIASES.contains(&(word, name)) || name.strip_suffix("-controller") == Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_reads_as_upstream() {
        let enabled = |spec: &str, default| {
            let spec: Vec<String> = spec.split(',').map(str::to_owned).collect();
            is_enabled("namespace-controller", default, &spec)
        };
        assert!(enabled("*", Default::On));
        assert!(!enabled("*", Default::Off));
        assert!(!enabled("*,-namespace-controller", Default::On));
        assert!(!enabled("-namespace,*", Default::On));
        assert!(enabled("*,namespace-controller", Default::Off));
        assert!(enabled("namespace", Default::Off));
        assert!(!enabled("other", Default::On));
        assert!(!enabled("-*", Default::On));
    }

    #[test]
    fn strangers_are_found() {
        let spec = ["*", "-*", "namespace", "-bootstrapsigner", "-nonsense"].map(str::to_owned);
        assert_eq!(unknown(&spec), ["nonsense"]);
    }
}
