//! Structs as the messages of errors show them: upstream prints the JSON of its internal types, which has Go's field names
//! and every zero value. Only for structs that an error shows as its bad value.

use model::{Map, Value};
use serde_json::json;

/// What a field holds when it is absent.
#[derive(Clone, Copy)]
pub(crate) enum Zero {
    /// A pointer, slice or map.
    Null,
    /// A string.
    Text,
    /// A number.
    Number,
    /// A boolean.
    Bool,
    /// A struct by value, with its own fields.
    Struct(&'static [Field]),
    /// A pointer to a struct, with its own fields.
    Pointer(&'static [Field]),
    /// A slice of structs.
    Slice(&'static [Field]),
}

/// Go's name, the JSON name, and what it is.
pub(crate) type Field = (&'static str, &'static str, Zero);

/// `core.PodResourceClaim`.
pub(crate) const POD_RESOURCE_CLAIM: &[Field] = &[
    ("Name", "name", Zero::Text),
    ("ResourceClaimName", "resourceClaimName", Zero::Null),
    ("ResourceClaimTemplateName", "resourceClaimTemplateName", Zero::Null),
];

/// `core.SeccompProfile`, and `core.AppArmorProfile`, which has the same fields.
pub(crate) const PROFILE: &[Field] = &[("Type", "type", Zero::Text), ("LocalhostProfile", "localhostProfile", Zero::Null)];

/// `core.Toleration`.
pub(crate) const TOLERATION: &[Field] = &[
    ("Key", "key", Zero::Text),
    ("Operator", "operator", Zero::Text),
    ("Value", "value", Zero::Text),
    ("Effect", "effect", Zero::Text),
    ("TolerationSeconds", "tolerationSeconds", Zero::Null),
];

/// `core.PersistentVolumeClaimSpec`.
pub(crate) const CLAIM_SPEC: &[Field] = &[
    ("AccessModes", "accessModes", Zero::Null),
    ("Selector", "selector", Zero::Null),
    ("Resources", "resources", Zero::Struct(&[("Limits", "limits", Zero::Null), ("Requests", "requests", Zero::Null)])),
    ("VolumeName", "volumeName", Zero::Text),
    ("StorageClassName", "storageClassName", Zero::Null),
    ("VolumeMode", "volumeMode", Zero::Null),
    ("DataSource", "dataSource", Zero::Pointer(REFERENCE)),
    (
        "DataSourceRef",
        "dataSourceRef",
        Zero::Pointer(&[
            ("APIGroup", "apiGroup", Zero::Null),
            ("Kind", "kind", Zero::Text),
            ("Name", "name", Zero::Text),
            ("Namespace", "namespace", Zero::Null),
        ]),
    ),
    ("VolumeAttributesClassName", "volumeAttributesClassName", Zero::Null),
];

const REFERENCE: &[Field] = &[("APIGroup", "apiGroup", Zero::Null), ("Kind", "kind", Zero::Text), ("Name", "name", Zero::Text)];

/// `certificates.PodCertificateRequestSpec`.
pub(crate) const POD_CERTIFICATE_REQUEST_SPEC: &[Field] = &[
    ("SignerName", "signerName", Zero::Text),
    ("PodName", "podName", Zero::Text),
    ("PodUID", "podUID", Zero::Text),
    ("ServiceAccountName", "serviceAccountName", Zero::Text),
    ("ServiceAccountUID", "serviceAccountUID", Zero::Text),
    ("NodeName", "nodeName", Zero::Text),
    ("NodeUID", "nodeUID", Zero::Text),
    ("MaxExpirationSeconds", "maxExpirationSeconds", Zero::Null),
    ("PKIXPublicKey", "pkixPublicKey", Zero::Null),
    ("ProofOfPossession", "proofOfPossession", Zero::Null),
    ("StubPKCS10Request", "stubPKCS10Request", Zero::Null),
    ("UnverifiedUserAnnotations", "unverifiedUserAnnotations", Zero::Null),
];

/// `certificates.CertificateSigningRequestCondition`.
pub(crate) const CERTIFICATE_CONDITION: &[Field] = &[
    ("Type", "type", Zero::Text),
    ("Status", "status", Zero::Text),
    ("Reason", "reason", Zero::Text),
    ("Message", "message", Zero::Text),
    ("LastUpdateTime", "lastUpdateTime", Zero::Null),
    ("LastTransitionTime", "lastTransitionTime", Zero::Null),
];

/// `core.Taint`.
pub(crate) const TAINT: &[Field] = &[
    ("Key", "key", Zero::Text),
    ("Value", "value", Zero::Text),
    ("Effect", "effect", Zero::Text),
    ("TimeAdded", "timeAdded", Zero::Null),
];

/// `core.NodeAddress`.
pub(crate) const NODE_ADDRESS: &[Field] = &[("Type", "type", Zero::Text), ("Address", "address", Zero::Text)];

/// `core.ObjectReference`.
pub(crate) const OBJECT_REFERENCE: &[Field] = &[
    ("Kind", "kind", Zero::Text),
    ("Namespace", "namespace", Zero::Text),
    ("Name", "name", Zero::Text),
    ("UID", "uid", Zero::Text),
    ("APIVersion", "apiVersion", Zero::Text),
    ("ResourceVersion", "resourceVersion", Zero::Text),
    ("FieldPath", "fieldPath", Zero::Text),
];

/// `core.EventSource`.
pub(crate) const EVENT_SOURCE: &[Field] = &[("Component", "component", Zero::Text), ("Host", "host", Zero::Text)];

/// `core.VolumeNodeAffinity`.
pub(crate) const VOLUME_NODE_AFFINITY: &[Field] =
    &[("Required", "required", Zero::Pointer(&[("NodeSelectorTerms", "nodeSelectorTerms", Zero::Slice(NODE_SELECTOR_TERM))]))];

/// `storage.CSINodeDriver`.
pub(crate) const CSI_NODE_DRIVER: &[Field] = &[
    ("Name", "name", Zero::Text),
    ("NodeID", "nodeID", Zero::Text),
    ("TopologyKeys", "topologyKeys", Zero::Null),
    ("Allocatable", "allocatable", Zero::Null),
];

/// `core.IP` lists of a pod's status.
pub(crate) const IP: &[Field] = &[("IP", "ip", Zero::Text)];

/// `batch.PodFailurePolicy`.
pub(crate) const POD_FAILURE_POLICY: &[Field] = &[(
    "Rules",
    "rules",
    Zero::Slice(&[
        ("Action", "action", Zero::Text),
        (
            "OnExitCodes",
            "onExitCodes",
            Zero::Pointer(&[
                ("ContainerName", "containerName", Zero::Null),
                ("Operator", "operator", Zero::Text),
                ("Values", "values", Zero::Null),
            ]),
        ),
        ("OnPodConditions", "onPodConditions", Zero::Slice(&[("Type", "type", Zero::Text), ("Status", "status", Zero::Text)])),
    ]),
)];

/// `batch.SuccessPolicy`.
pub(crate) const SUCCESS_POLICY: &[Field] = &[(
    "Rules",
    "rules",
    Zero::Slice(&[("SucceededIndexes", "succeededIndexes", Zero::Null), ("SucceededCount", "succeededCount", Zero::Null)]),
)];

/// `batch.UncountedTerminatedPods`.
pub(crate) const UNCOUNTED: &[Field] = &[("Succeeded", "succeeded", Zero::Null), ("Failed", "failed", Zero::Null)];

/// `core.NodeSelectorTerm`.
pub(crate) const NODE_SELECTOR_TERM: &[Field] = &[
    ("MatchExpressions", "matchExpressions", Zero::Slice(REQUIREMENT)),
    ("MatchFields", "matchFields", Zero::Slice(REQUIREMENT)),
];

const REQUIREMENT: &[Field] =
    &[("Key", "key", Zero::Text), ("Operator", "operator", Zero::Text), ("Values", "values", Zero::Null)];

/// `core.ClusterTrustBundleProjection`; the label selector is a public type.
pub(crate) const TRUST_BUNDLE: &[Field] = &[
    ("Name", "name", Zero::Null),
    ("SignerName", "signerName", Zero::Null),
    ("LabelSelector", "labelSelector", Zero::Null),
    ("Optional", "optional", Zero::Null),
    ("Path", "path", Zero::Text),
    ("User", "user", Zero::Null),
];

/// `core.SecurityContext`.
pub(crate) const SECURITY_CONTEXT: &[Field] = &[
    ("Capabilities", "capabilities", Zero::Pointer(&[("Add", "add", Zero::Null), ("Drop", "drop", Zero::Null)])),
    ("Privileged", "privileged", Zero::Null),
    (
        "SELinuxOptions",
        "seLinuxOptions",
        Zero::Pointer(&[
            ("User", "user", Zero::Text),
            ("Role", "role", Zero::Text),
            ("Type", "type", Zero::Text),
            ("Level", "level", Zero::Text),
        ]),
    ),
    (
        "WindowsOptions",
        "windowsOptions",
        Zero::Pointer(&[
            ("GMSACredentialSpecName", "gmsaCredentialSpecName", Zero::Null),
            ("GMSACredentialSpec", "gmsaCredentialSpec", Zero::Null),
            ("RunAsUserName", "runAsUserName", Zero::Null),
            ("HostProcess", "hostProcess", Zero::Null),
        ]),
    ),
    ("RunAsUser", "runAsUser", Zero::Null),
    ("RunAsGroup", "runAsGroup", Zero::Null),
    ("RunAsNonRoot", "runAsNonRoot", Zero::Null),
    ("ReadOnlyRootFilesystem", "readOnlyRootFilesystem", Zero::Null),
    ("AllowPrivilegeEscalation", "allowPrivilegeEscalation", Zero::Null),
    ("ProcMount", "procMount", Zero::Null),
    ("SeccompProfile", "seccompProfile", Zero::Pointer(PROFILE)),
    ("AppArmorProfile", "appArmorProfile", Zero::Pointer(PROFILE)),
];

/// `apps.DeploymentStrategy`.
pub(crate) const DEPLOYMENT_STRATEGY: &[Field] =
    &[("Type", "type", Zero::Text), ("RollingUpdate", "rollingUpdate", Zero::Pointer(ROLLING_UPDATE))];

const ROLLING_UPDATE: &[Field] = &[("MaxUnavailable", "maxUnavailable", Zero::Null), ("MaxSurge", "maxSurge", Zero::Null)];

/// `apps.StatefulSetUpdateStrategy`.
pub(crate) const STATEFUL_SET_STRATEGY: &[Field] =
    &[("Type", "type", Zero::Text), ("RollingUpdate", "rollingUpdate", Zero::Pointer(ROLLING_PARTITION))];

/// `apps.RollingUpdateStatefulSetStrategy`.
pub(crate) const ROLLING_PARTITION: &[Field] =
    &[("Partition", "partition", Zero::Null), ("MaxUnavailable", "maxUnavailable", Zero::Null)];

/// `flowcontrol.FlowDistinguisherMethod`.
pub(crate) const DISTINGUISHER: &[Field] = &[("Type", "type", Zero::Text)];

/// `flowcontrol.FlowSchemaSpec`.
pub(crate) const FLOW_SCHEMA: &[Field] = &[
    ("PriorityLevelConfiguration", "priorityLevelConfiguration", Zero::Struct(NAMED)),
    ("MatchingPrecedence", "matchingPrecedence", Zero::Number),
    ("DistinguisherMethod", "distinguisherMethod", Zero::Pointer(DISTINGUISHER)),
    ("Rules", "rules", Zero::Slice(FLOW_RULE)),
];

const NAMED: &[Field] = &[("Name", "name", Zero::Text)];

const FLOW_RULE: &[Field] = &[
    (
        "Subjects",
        "subjects",
        Zero::Slice(&[
            ("Kind", "kind", Zero::Text),
            ("User", "user", Zero::Pointer(NAMED)),
            ("Group", "group", Zero::Pointer(NAMED)),
            (
                "ServiceAccount",
                "serviceAccount",
                Zero::Pointer(&[("Namespace", "namespace", Zero::Text), ("Name", "name", Zero::Text)]),
            ),
        ]),
    ),
    (
        "ResourceRules",
        "resourceRules",
        Zero::Slice(&[
            ("Verbs", "verbs", Zero::Null),
            ("APIGroups", "apiGroups", Zero::Null),
            ("Resources", "resources", Zero::Null),
            ("ClusterScope", "clusterScope", Zero::Bool),
            ("Namespaces", "namespaces", Zero::Null),
        ]),
    ),
    (
        "NonResourceRules",
        "nonResourceRules",
        Zero::Slice(&[("Verbs", "verbs", Zero::Null), ("NonResourceURLs", "nonResourceURLs", Zero::Null)]),
    ),
];

/// `flowcontrol.PriorityLevelConfigurationSpec`.
pub(crate) const PRIORITY_LEVEL: &[Field] = &[
    ("Type", "type", Zero::Text),
    (
        "Limited",
        "limited",
        Zero::Pointer(&[
            ("NominalConcurrencyShares", "nominalConcurrencyShares", Zero::Number),
            ("LimitResponse", "limitResponse", Zero::Struct(LIMIT_RESPONSE)),
            ("LendablePercent", "lendablePercent", Zero::Null),
            ("BorrowingLimitPercent", "borrowingLimitPercent", Zero::Null),
        ]),
    ),
    (
        "Exempt",
        "exempt",
        Zero::Pointer(&[
            ("NominalConcurrencyShares", "nominalConcurrencyShares", Zero::Null),
            ("LendablePercent", "lendablePercent", Zero::Null),
        ]),
    ),
];

const LIMIT_RESPONSE: &[Field] = &[
    ("Type", "type", Zero::Text),
    (
        "Queuing",
        "queuing",
        Zero::Pointer(&[
            ("Queues", "queues", Zero::Number),
            ("HandSize", "handSize", Zero::Number),
            ("QueueLengthLimit", "queueLengthLimit", Zero::Number),
        ]),
    ),
];

/// The struct as an error shows it.
pub(crate) fn show(value: &Value, fields: &[Field]) -> Value {
    let shown = fields.iter().map(|(go, name, zero)| {
        let given = value.get(*name).filter(|v| !v.is_null());
        let shown = match (zero, given) {
            (Zero::Null | Zero::Text | Zero::Number | Zero::Bool, Some(given)) => given.clone(),
            (Zero::Pointer(fields) | Zero::Struct(fields), Some(given)) => show(given, fields),
            (Zero::Struct(fields), None) => show(&Value::Null, fields),
            (Zero::Number, None) => json!(0),
            (Zero::Bool, None) => json!(false),
            (Zero::Slice(fields), Some(given)) => show_each(given, fields),
            (Zero::Text, None) => json!(""),
            (_, None) => Value::Null,
        };
        ((*go).to_owned(), shown)
    });
    Value::Object(shown.collect::<Map<_, _>>())
}

/// A slice of structs as an error shows it.
pub(crate) fn show_each(list: &Value, fields: &[Field]) -> Value {
    match list.as_array() {
        Some(items) => items.iter().map(|item| show(item, fields)).collect(),
        None => Value::Null,
    }
}

/// A map as Go prints it: by key, `null` when absent.
pub(crate) fn sorted(map: &Value) -> Value {
    let Some(entries) = map.as_object() else { return Value::Null };
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(key, _)| key.as_str());
    Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// A label selector, which is a public type with JSON names.
pub(crate) fn label_selector(selector: &Value) -> Value {
    if !selector.is_object() {
        return Value::Null;
    }
    let mut shown = Map::new();
    if let Some(labels) = selector.get("matchLabels").filter(|labels| labels.as_object().is_some_and(|map| !map.is_empty())) {
        shown.insert("matchLabels".to_owned(), sorted(labels));
    }
    let requirements: Vec<Value> = super::get::list(selector, "matchExpressions")
        .iter()
        .map(|requirement| {
            let fields = ["key", "operator", "values"];
            Value::Object(
                fields.iter().filter_map(|field| Some(((*field).to_owned(), requirement.get(*field)?.clone()))).collect(),
            )
        })
        .collect();
    if !requirements.is_empty() {
        shown.insert("matchExpressions".to_owned(), Value::Array(requirements));
    }
    Value::Object(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_prints_every_field() {
        assert_eq!(
            show(&json!({"name": "a", "resourceClaimName": "b"}), POD_RESOURCE_CLAIM).to_string(),
            r#"{"Name":"a","ResourceClaimName":"b","ResourceClaimTemplateName":null}"#
        );
        assert_eq!(
            show(&json!({"matchFields": [{"key": "k", "operator": "In", "values": ["v"]}]}), NODE_SELECTOR_TERM).to_string(),
            r#"{"MatchExpressions":null,"MatchFields":[{"Key":"k","Operator":"In","Values":["v"]}]}"#
        );
    }
}
