//! What the spec of a pod may say beside its containers: each rule as a change and the errors it makes.

use model::json::json;

use super::*;

#[test]
fn resources() {
    let both = |requests: Value, limits: Value| json!({"resources": {"requests": requests, "limits": limits}});
    container_cases(&[
        (
            both(json!({"cpu": "2"}), json!({"cpu": "1"})),
            &["resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"],
        ),
        (
            both(json!({"cpu": "-1"}), json!({})),
            &["resources.requests[cpu]: Invalid value: \"-1\": must be greater than or equal to 0"],
        ),
        (
            both(json!({"batteries": "1"}), json!({})),
            &[
                "resources.requests[batteries]: Invalid value: \"batteries\": must be a standard resource type or fully qualified",
                "resources.requests[batteries]: Invalid value: \"batteries\": must be a standard resource for containers",
            ],
        ),
        (
            both(json!({"example.com/gpu": "1"}), json!({"example.com/gpu": "2"})),
            &["resources.requests: Invalid value: \"1\": must be equal to example.com/gpu limit of 2"],
        ),
        (
            both(json!({"example.com/gpu": "1"}), json!({})),
            &["resources.limits: Required value: Limit must be set for non overcommitable resources"],
        ),
        (
            both(json!({}), json!({"example.com/gpu": "500m"})),
            &["resources.limits[example.com/gpu]: Invalid value: \"500m\": must be an integer"],
        ),
        (
            both(json!({"hugepages-2Mi": "3Mi"}), json!({"hugepages-2Mi": "3Mi"})),
            &[
                "resources.limits[hugepages-2Mi]: Invalid value: \"3Mi\": 3Mi is not positive integer multiple of hugepages-2Mi",
                "resources.requests[hugepages-2Mi]: Invalid value: \"3Mi\": 3Mi is not positive integer multiple of hugepages-2Mi",
                "resources: Forbidden: HugePages require cpu or memory",
            ],
        ),
        (
            json!({"resources": {"claims": [{"name": "x"}]}}),
            &["resources.claims[0]: Not found: \"x\": must be one of the names in pod.spec.resourceClaims which is empty"],
        ),
    ]);
    spec_cases(&[
        (
            json!({"resources": {"requests": {"storage": "1Gi"}}}),
            &[
                "resources.requests[storage]: Unsupported value: \"storage\": supported values: \"cpu\", \"hugepages-\", \"memory\"",
            ],
        ),
        (
            json!({"resourceClaims": [{"name": "a"}]}),
            &[
                "resourceClaims[0]: Invalid value: {\"Name\":\"a\",\"ResourceClaimName\":null,\"ResourceClaimTemplateName\":null}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            ],
        ),
        (
            json!({"overhead": {"cpu": "-1"}}),
            &["overhead.limits[cpu]: Invalid value: \"-1\": must be greater than or equal to 0"],
        ),
    ]);
}

#[test]
fn volumes() {
    let with = |source: Value| json!({"volumes": [source]});
    let subdomain = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    spec_cases(&[
        (with(json!({"name": "a"})), &["volumes[0]: Required value: must specify a volume type"]),
        (with(json!({"name": "", "emptyDir": {}})), &["volumes[0].name: Required value"]),
        (
            with(json!({"name": "a", "emptyDir": {}, "hostPath": {"path": "/"}})),
            &["volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
        ),
        (
            with(json!({"name": "a", "emptyDir": {"sizeLimit": "-1"}})),
            &["volumes[0].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity"],
        ),
        (
            with(json!({"name": "a", "hostPath": {"path": "/a/../b", "type": "Pipe"}})),
            &[
                "volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
                "volumes[0].hostPath.type: Unsupported value: \"Pipe\": supported values: \"\", \"BlockDevice\", \"CharDevice\", \"Directory\", \"DirectoryOrCreate\", \"File\", \"FileOrCreate\", \"Socket\"",
            ],
        ),
        (
            with(json!({"name": "a", "secret": {"defaultMode": 512}})),
            &[
                "volumes[0].secret.secretName: Required value",
                "volumes[0].secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive",
            ],
        ),
        (
            with(json!({"name": "a", "configMap": {"name": "c", "items": [{"key": "k", "path": "..x"}]}})),
            &["volumes[0].configMap.items[0].path: Invalid value: \"..x\": must not start with '..'"],
        ),
        (
            with(json!({"name": "a", "nfs": {"server": "s", "path": "p"}})),
            &["volumes[0].nfs.path: Invalid value: \"p\": must be an absolute path"],
        ),
        (
            with(json!({"name": "a", "iscsi": {"targetPortal": "t", "iqn": "x", "lun": 300}})),
            &[
                "volumes[0].iscsi.iqn: Invalid value: \"x\": must be valid format starting with iqn, eui, or naa",
                "volumes[0].iscsi.lun: Invalid value: 300: must be between 0 and 255, inclusive",
            ],
        ),
        (
            with(json!({"name": "a", "downwardAPI": {"items": [{"path": "p"}]}})),
            &["volumes[0].downwardAPI: Required value: one of fieldRef and resourceFieldRef is required"],
        ),
        (with(json!({"name": "a", "csi": {"driver": ""}})), &["volumes[0].csi.driver: Required value"]),
        (
            with(json!({"name": "a", "azureDisk": {"diskName": "d", "diskURI": "u", "kind": "Managed"}})),
            &[
                "volumes[0].azureDisk.diskURI: Unsupported value: \"u\": supported values: \"/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}\"",
            ],
        ),
        (with(json!({"name": "a", "image": {"pullPolicy": "Always"}})), &["volumes[0].image.reference: Required value"]),
        (with(json!({"name": "a", "ephemeral": {}})), &["volumes[0].ephemeral.volumeClaimTemplate: Required value"]),
        (
            with(
                json!({"name": "a", "projected": {"sources": [{"secret": {"name": "s", "items": [{"key": "k", "path": "p"}]}}, {"configMap": {"name": "c", "items": [{"key": "k", "path": "p"}]}}]}}),
            ),
            &["volumes[0].projected: Invalid value: \"c\": conflicting duplicate paths"],
        ),
        (
            with(
                json!({"name": "a", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 1}}]}}),
            ),
            &[
                "volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes",
            ],
        ),
        (
            json!({"serviceAccountName": null, "serviceAccount": null, "volumes": [{"name": "a", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}]}}]}),
            &[
                "volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set",
            ],
        ),
        (
            with(json!({"name": "a", "storageos": {"volumeName": "v", "secretRef": {}}})),
            &["volumes[0].storageos.secretRef.name: Required value"],
        ),
        (
            json!({"volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": "pod-b"}}, {"name": "b", "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}}]}),
            &[
                "volumes[0].persistentVolumeClaim.claimName: Invalid value: \"pod-b\": must not reference a PVC that gets created for an ephemeral volume",
            ],
        ),
        (
            json!({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "a", "emptyDir": {}}]}),
            &["volumes[1].name: Duplicate value: \"a\""],
        ),
        (json!({"nodeName": "A"}), &[&format!("nodeName: Invalid value: \"A\": {subdomain}")]),
    ]);
}

#[test]
fn security() {
    container_cases(&[
        (
            json!({"securityContext": {"runAsUser": -1}}),
            &["securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
        ),
        (
            json!({"securityContext": {"procMount": "Unmasked"}}),
            &["securityContext.procMount: Invalid value: \"Unmasked\": `hostUsers` must be false to use `Unmasked`"],
        ),
        (
            json!({"securityContext": {"seccompProfile": {"type": "Localhost"}}}),
            &["securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"],
        ),
        (
            json!({"securityContext": {"seccompProfile": {"type": "Unconfined", "localhostProfile": "p"}}}),
            &[
                "securityContext.seccompProfile.localhostProfile: Invalid value: {\"Type\":\"Unconfined\",\"LocalhostProfile\":\"p\"}: can only be set when seccomp type is Localhost",
            ],
        ),
        (
            json!({"securityContext": {"appArmorProfile": {"type": "Localhost", "localhostProfile": " x"}}}),
            &["securityContext.appArmorProfile.localhostProfile: Invalid value: \" x\": must not be padded with whitespace"],
        ),
        (
            json!({"securityContext": {"privileged": true, "allowPrivilegeEscalation": false, "runAsUser": -1}}),
            &[
                "securityContext.privileged: Forbidden: disallowed by cluster policy",
                "securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive",
                "securityContext: Invalid value: {\"Capabilities\":null,\"Privileged\":true,\"SELinuxOptions\":null,\"WindowsOptions\":null,\"RunAsUser\":-1,\"RunAsGroup\":null,\"RunAsNonRoot\":null,\"ReadOnlyRootFilesystem\":null,\"AllowPrivilegeEscalation\":false,\"ProcMount\":null,\"SeccompProfile\":null,\"AppArmorProfile\":null}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
            ],
        ),
    ]);
    spec_cases(&[
        (
            json!({"securityContext": {"fsGroup": -1}}),
            &["securityContext.fsGroup: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
        ),
        (
            json!({"securityContext": {"sysctls": [{"name": "a"}, {"name": "a"}]}}),
            &["securityContext.sysctls[1].name: Duplicate value: \"a\""],
        ),
        (
            json!({"hostNetwork": true, "securityContext": {"sysctls": [{"name": "net.a"}]}}),
            &["securityContext.sysctls[0].name: Invalid value: \"net.a\": may not be specified when 'hostNetwork' is true"],
        ),
        (
            json!({"securityContext": {"fsGroupChangePolicy": "X"}}),
            &["securityContext.fsGroupChangePolicy: Unsupported value: \"X\": supported values: \"Always\", \"OnRootMismatch\""],
        ),
        (json!({"hostUsers": false, "hostPID": true}), &["HostPID: Forbidden: when `hostUsers` is false"]),
        (
            json!({"hostPID": true, "shareProcessNamespace": true}),
            &["shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled"],
        ),
        (json!({"os": {"name": "beos"}}), &["os: Unsupported value: \"beos\": supported values: \"linux\", \"windows\""]),
        (
            json!({"os": {"name": "windows"}, "hostPID": true, "securityContext": {"runAsUser": 1}}),
            &[
                "securityContext.runAsUser: Forbidden: cannot be set for a windows pod",
                "hostPID: Forbidden: cannot be set for a windows pod",
            ],
        ),
        (
            json!({"securityContext": {"windowsOptions": {"hostProcess": true}}}),
            &[
                "hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers",
                "spec: Forbidden: hostProcess containers are disallowed by cluster policy",
            ],
        ),
    ]);
}

#[test]
fn scheduling() {
    let term = |term: Value| json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}});
    let spread = |change: Value| {
        let mut constraint = json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"});
        merge(&mut constraint, &change);
        json!({"topologySpreadConstraints": [constraint]})
    };
    spec_cases(&[
        (
            json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}}),
            &[
                "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term",
            ],
        ),
        (
            json!({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 101, "preference": {"matchExpressions": [{"key": "k", "operator": "Gt", "values": ["1", "2"]}]}}]}}}),
            &[
                "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: must be in the range 1-100",
                "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].values: Required value: must be specified single value when `operator` is 'Lt' or 'Gt'",
            ],
        ),
        (
            term(json!({"topologyKey": "k", "labelSelector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}})),
            &[
                "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchExpressions[0].operator: Invalid value: \"Near\": not a valid selector operator",
            ],
        ),
        (
            term(json!({"topologyKey": "k", "matchLabelKeys": ["a"]})),
            &[
                "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set",
            ],
        ),
        (
            json!({"tolerations": [{"operator": "Equal"}]}),
            &[
                "tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            ],
        ),
        (
            json!({"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}),
            &["tolerations[0].operator: Invalid value: \"b\": value must be empty when `operator` is 'Exists'"],
        ),
        (
            json!({"tolerations": [{"key": "a", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 1}]}),
            &["tolerations[0].effect: Invalid value: \"NoSchedule\": effect must be 'NoExecute' when `tolerationSeconds` is set"],
        ),
        (
            json!({"tolerations": [{"key": "a", "effect": "Never"}]}),
            &[
                "tolerations[0].effect: Unsupported value: \"Never\": supported values: \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\"",
            ],
        ),
        (spread(json!({"maxSkew": 0})), &["topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero"]),
        (
            spread(json!({"minDomains": 2, "whenUnsatisfiable": "ScheduleAnyway"})),
            &[
                "topologySpreadConstraints[0].minDomains: Invalid value: 2: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
            ],
        ),
        (
            json!({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}, {"maxSkew": 2, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]}),
            &["topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: \"{z, DoNotSchedule}\""],
        ),
        (json!({"schedulingGates": [{"name": "g"}, {"name": "g"}]}), &["schedulingGates[1]: Duplicate value: \"g\""]),
        (
            json!({"nodeName": "n", "schedulingGates": [{"name": "g"}]}),
            &["nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"],
        ),
    ]);
}

#[test]
fn names_dns_and_the_rest() {
    spec_cases(&[
        (
            json!({"restartPolicy": "Maybe"}),
            &["restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"OnFailure\", \"Never\""],
        ),
        (json!({"dnsPolicy": "None"}), &["dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"]),
        (
            json!({"dnsConfig": {"nameservers": ["1.1.1.1", "2.2.2.2", "3.3.3.3", "4"]}}),
            &[
                "dnsConfig.nameservers: Invalid value: [\"1.1.1.1\",\"2.2.2.2\",\"3.3.3.3\",\"4\"]: must not have more than 3 nameservers",
                "dnsConfig.nameservers[3]: Invalid value: \"4\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            ],
        ),
        (
            json!({"hostAliases": [{"ip": "x"}]}),
            &["hostAliases[0].ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"],
        ),
        (
            json!({"activeDeadlineSeconds": 0}),
            &["activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
        ),
        (
            json!({"terminationGracePeriodSeconds": -1}),
            &["terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (json!({"terminationGracePeriodSeconds": null}), &["terminationGracePeriodSeconds: Required value"]),
        (
            json!({"preemptionPolicy": "X"}),
            &["preemptionPolicy: Unsupported value: \"X\": supported values: \"PreemptLowerPriority\", \"Never\""],
        ),
        (json!({"hostname": "a.b"}), &["hostname: Invalid value: \"a.b\": must not contain dots"]),
        (
            json!({"serviceAccount": "other"}),
            &["deprecatedServiceAccount: Invalid value: \"other\": must be the same as serviceAccountName: \"default\""],
        ),
        (
            json!({"hostnameOverride": "h", "hostNetwork": true}),
            &["hostnameOverride: Forbidden: may not be specified when hostNetwork is true"],
        ),
    ]);
    let annotated = |key: &str, value: &str| created(&pod(json!({"metadata": {"annotations": {key: value}}})));
    assert_eq!(
        annotated("kubernetes.io/config.mirror", "x"),
        [
            "metadata.annotations[kubernetes.io/config.mirror]: Invalid value: \"x\": must set spec.nodeName if mirror pod annotation is set"
        ]
    );
    assert_eq!(
        annotated("controller.kubernetes.io/pod-deletion-cost", "+1"),
        ["metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: \"+1\": must be a 32bit integer"]
    );
    assert_eq!(
        annotated("container.apparmor.security.beta.kubernetes.io/x", "unconfined"),
        ["metadata.annotations[container.apparmor.security.beta.kubernetes.io/x]: Invalid value: \"x\": container not found"]
    );
}
