//! Pods: each rule as a change to a valid pod and the errors it makes, word for word. Cases are those of upstream's tests
//! in `pkg/apis/core/validation`, written anew and shortened.

use serde_json::json;

use super::*;

/// Merges a change into an object: maps by field, `null` removes, anything else replaces.
pub(in super::super) fn merge(object: &mut Value, change: &Value) {
    let (Some(fields), Some(map)) = (change.as_object(), object.as_object_mut()) else {
        *object = change.clone();
        return;
    };
    for (field, inner) in fields {
        if inner.is_null() {
            map.shift_remove(field);
        } else {
            merge(map.entry(field).or_insert(json!({})), inner);
        }
    }
}

pub(in super::super) fn texts(errors: &Errors) -> Vec<String> {
    errors.0.iter().map(ToString::to_string).collect()
}

/// The spec of a pod that has been through defaults.
pub(in super::super) fn valid_spec() -> Value {
    json!({
        "volumes": [{"name": "vol", "emptyDir": {}}, {"name": "disk", "persistentVolumeClaim": {"claimName": "c"}}],
        "containers": [container("ctr")],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": true,
    })
}

fn container(name: &str) -> Value {
    json!({
        "name": name, "image": "image:1", "imagePullPolicy": "IfNotPresent", "resources": {},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
    })
}

fn valid() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod", "namespace": "ns", "labels": {"app": "a"}}, "spec": valid_spec()})
}

fn pod(change: Value) -> Value {
    let mut pod = valid();
    merge(&mut pod, &change);
    pod
}

/// A pod whose only container is changed.
fn with_container(change: Value) -> Value {
    let mut pod = valid();
    merge(&mut pod["spec"]["containers"][0], &change);
    pod
}

fn created(pod: &Value) -> Vec<String> {
    let mut errors = Errors::new();
    validate_create(pod, &mut errors);
    texts(&errors)
}

/// Each change to the spec, and the errors with `spec.` left out.
fn spec_cases(cases: &[(Value, &[&str])]) {
    for (change, expected) in cases {
        let found = created(&pod(json!({"spec": change})));
        let found: Vec<&str> = found.iter().map(|error| error.strip_prefix("spec.").unwrap_or(error)).collect();
        assert_eq!(&found, expected, "{change}");
    }
}

/// Each change to the container, and the errors with `spec.containers[0].` left out.
fn container_cases(cases: &[(Value, &[&str])]) {
    for (change, expected) in cases {
        let found = created(&with_container(change.clone()));
        let found: Vec<&str> = found.iter().map(|error| error.strip_prefix("spec.containers[0].").unwrap_or(error)).collect();
        assert_eq!(&found, expected, "{change}");
    }
}

#[test]
fn a_valid_pod_has_no_errors_and_no_warnings() {
    assert_eq!(created(&valid()), Vec::<String>::new());
    assert_eq!(warnings(&valid(), None), Vec::<String>::new());
}

#[test]
fn containers() {
    let label = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
    container_cases(&[
        (json!({"name": ""}), &["name: Required value"]),
        (json!({"name": "A"}), &[&format!("name: Invalid value: \"A\": {label}")]),
        (json!({"image": ""}), &["image: Required value"]),
        (json!({"image": " a"}), &["image: Invalid value: \" a\": must not have leading or trailing whitespace"]),
        (
            json!({"imagePullPolicy": "Often"}),
            &["imagePullPolicy: Unsupported value: \"Often\": supported values: \"Always\", \"IfNotPresent\", \"Never\""],
        ),
        (json!({"imagePullPolicy": null}), &["imagePullPolicy: Required value"]),
        (
            json!({"terminationMessagePolicy": "X"}),
            &["terminationMessagePolicy: Unsupported value: \"X\": supported values: \"File\", \"FallbackToLogsOnError\""],
        ),
        (
            json!({"restartPolicyRules": [{}]}),
            &[
                "restartPolicy: Required value: must specify restartPolicy when restart rules are used",
                "restartPolicyRules[0].action: Unsupported value: \"\": supported values: \"Restart\", \"RestartAllContainers\"",
                "restartPolicyRules[0].exitCodes: Required value: must be specified",
            ],
        ),
        (
            json!({"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}, {"resourceName": "cpu", "restartPolicy": "Maybe"}]}),
            &[
                "resizePolicy[1]: Duplicate value: \"cpu\"",
                "resizePolicy: Unsupported value: \"Maybe\": supported values: \"NotRequired\", \"RestartContainer\"",
            ],
        ),
    ]);
    spec_cases(&[
        (json!({"containers": []}), &["containers: Required value"]),
        (json!({"containers": [container("a"), container("a")]}), &["containers[1].name: Duplicate value: \"a\""]),
        (json!({"initContainers": [container("ctr")]}), &["initContainers[0].name: Duplicate value: \"ctr\""]),
        (json!({"ephemeralContainers": [container("debug")]}), &["ephemeralContainers: Forbidden: cannot be set on create"]),
    ]);
}

#[test]
fn init_and_sidecar_containers() {
    let with = |change: Value| {
        let mut init = container("init");
        merge(&mut init, &change);
        json!({"initContainers": [init]})
    };
    let probe = json!({"exec": {"command": ["true"]}, "successThreshold": 1});
    spec_cases(&[
        (with(json!({"restartPolicy": "Always", "livenessProbe": probe})), &[]),
        (
            with(json!({"livenessProbe": probe})),
            &["initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"],
        ),
        (
            with(json!({"lifecycle": {"preStop": {"exec": {"command": ["a"]}}}})),
            &["initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always"],
        ),
        (
            with(json!({"restartPolicyRules": [{}]})),
            &["initContainers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used"],
        ),
        (
            with(json!({"restartPolicy": "Sometimes"})),
            &[
                "initContainers[0].restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"Never\", \"OnFailure\"",
            ],
        ),
        (
            with(json!({"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]})),
            &[
                "initContainers[0].resizePolicy[0].restartPolicy: Invalid value: \"RestartContainer\": must not be set to 'RestartContainer' for non-sidecar initContainers",
            ],
        ),
    ]);
}

#[test]
fn ports() {
    let port = |change: Value| {
        let mut port = json!({"containerPort": 80, "protocol": "TCP"});
        merge(&mut port, &change);
        json!({"ports": [port]})
    };
    container_cases(&[
        (port(json!({"containerPort": 0})), &["ports[0].containerPort: Required value"]),
        (
            port(json!({"containerPort": 65536})),
            &["ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive"],
        ),
        (port(json!({"hostPort": -1})), &["ports[0].hostPort: Invalid value: -1: must be between 1 and 65535, inclusive"]),
        (
            port(json!({"protocol": "ICMP"})),
            &["ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", \"TCP\", \"UDP\""],
        ),
        (port(json!({"protocol": null})), &["ports[0].protocol: Required value"]),
        (
            port(json!({"name": "a-name-that-is-long"})),
            &["ports[0].name: Invalid value: \"a-name-that-is-long\": must be no more than 15 characters"],
        ),
        (
            json!({"ports": [{"name": "p", "containerPort": 80, "protocol": "TCP"}, {"name": "p", "containerPort": 81, "protocol": "TCP"}]}),
            &["ports[1].name: Duplicate value: \"p\""],
        ),
        (
            json!({"ports": [{"containerPort": 80, "hostPort": 8, "protocol": "TCP"}, {"containerPort": 81, "hostPort": 8, "protocol": "TCP"}]}),
            &["ports[1].hostPort: Duplicate value: \"TCP//8\""],
        ),
    ]);
    let mut host = with_container(port(json!({"hostPort": 81})));
    host["spec"]["hostNetwork"] = json!(true);
    assert_eq!(
        created(&host),
        ["spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true"]
    );
}

#[test]
fn variables() {
    let from = |source: Value| json!({"env": [{"name": "A", "valueFrom": source}]});
    container_cases(&[
        (json!({"env": [{"name": ""}]}), &["env[0].name: Required value"]),
        (
            json!({"env": [{"name": "a=b"}]}),
            &[
                "env[0].name: Invalid value: \"a=b\": a valid environment variable name must consist only of printable ASCII characters other than '='",
            ],
        ),
        (
            from(json!({})),
            &[
                "env[0].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
            ],
        ),
        (from(json!({"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels['a/b']"}})), &[]),
        (
            from(json!({"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels"}})),
            &[
                "env[0].valueFrom.fieldRef.fieldPath: Unsupported value: \"metadata.labels\": supported values: \"metadata.name\", \"metadata.namespace\", \"metadata.uid\", \"spec.nodeName\", \"spec.serviceAccountName\", \"status.hostIP\", \"status.hostIPs\", \"status.podIP\", \"status.podIPs\"",
            ],
        ),
        (
            from(json!({"fieldRef": {"apiVersion": "v1", "fieldPath": "nope"}})),
            &[
                "env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"nope\": error converting fieldPath: field label not supported: nope",
            ],
        ),
        (
            from(json!({"resourceFieldRef": {"resource": "limits.gpu"}})),
            &[
                "env[0].valueFrom.resourceFieldRef.resource: Unsupported value: \"limits.gpu\": supported values: \"limits.cpu\", \"limits.ephemeral-storage\", \"limits.memory\", \"requests.cpu\", \"requests.ephemeral-storage\", \"requests.memory\"",
            ],
        ),
        (
            from(json!({"resourceFieldRef": {"resource": "limits.cpu", "divisor": "2"}})),
            &[
                "env[0].valueFrom.resourceFieldRef.divisor: Invalid value: \"limits.cpu\": only divisor's values 1m and 1 are supported with the cpu resource",
            ],
        ),
        (from(json!({"configMapKeyRef": {"name": "c", "key": ""}})), &["env[0].valueFrom.configMapKeyRef.key: Required value"]),
        (
            from(json!({"fileKeyRef": {"key": "K", "volumeName": "disk", "path": "f"}})),
            &["env[0].valueFrom.fileKeyRef.volumeName: Invalid value: \"disk\": referenced volume must be of type emptyDir"],
        ),
        (
            json!({"env": [{"name": "A", "value": "v", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}),
            &["env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty"],
        ),
        (json!({"envFrom": [{}]}), &["envFrom: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`"]),
        (json!({"envFrom": [{"configMapRef": {"name": ""}}]}), &["envFrom[0].configMapRef.name: Required value"]),
    ]);
}

#[test]
fn mounts() {
    let mount = |change: Value| {
        let mut mount = json!({"name": "vol", "mountPath": "/a"});
        merge(&mut mount, &change);
        json!({"volumeMounts": [mount]})
    };
    container_cases(&[
        (mount(json!({})), &[]),
        (mount(json!({"name": "other"})), &["volumeMounts[0].name: Not found: \"other\""]),
        (mount(json!({"mountPath": ""})), &["volumeMounts[0].mountPath: Required value"]),
        (mount(json!({"subPath": "../b"})), &["volumeMounts.subPath: Invalid value: \"../b\": must not contain '..'"]),
        (
            mount(json!({"subPath": "a", "subPathExpr": "b"})),
            &["volumeMounts[0].subPathExpr: Invalid value: \"b\": subPathExpr and subPath are mutually exclusive"],
        ),
        (
            mount(json!({"mountPropagation": "Bidirectional"})),
            &[
                "volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers",
            ],
        ),
        (
            mount(json!({"recursiveReadOnly": "Enabled"})),
            &["volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true"],
        ),
        (
            json!({"volumeMounts": [{"name": "vol", "mountPath": "/a"}, {"name": "vol", "mountPath": "/a"}]}),
            &["volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique"],
        ),
        (json!({"volumeDevices": [{"name": "disk", "devicePath": "/dev/a"}]}), &[]),
        (
            json!({"volumeDevices": [{"name": "vol", "devicePath": "/dev/../a"}]}),
            &[
                "volumeDevices[0].name: Invalid value: \"vol\": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
                "volumeDevices[0].devicePath: Invalid value: \"/dev/../a\": can not contain backsteps ('..')",
            ],
        ),
    ]);
}

#[test]
fn probes_and_handlers() {
    let probe = |change: Value| {
        let mut probe = json!({"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}, "successThreshold": 1});
        merge(&mut probe, &change);
        json!({"livenessProbe": probe})
    };
    container_cases(&[
        (probe(json!({})), &[]),
        (probe(json!({"successThreshold": 2})), &["livenessProbe.successThreshold: Invalid value: 2: must be 1"]),
        (
            probe(json!({"periodSeconds": -1})),
            &["livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (
            probe(json!({"terminationGracePeriodSeconds": 0})),
            &["livenessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0"],
        ),
        (
            probe(json!({"tcpSocket": {"port": 1}})),
            &["livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"],
        ),
        (probe(json!({"httpGet": null})), &["livenessProbe: Required value: must specify a handler type"]),
        (
            probe(json!({"httpGet": {"port": "--"}})),
            &[
                "livenessProbe.httpGet.port: Invalid value: \"--\": must contain at least one letter (a-z)",
                "livenessProbe.httpGet.port: Invalid value: \"--\": must not contain consecutive hyphens",
                "livenessProbe.httpGet.port: Invalid value: \"--\": must not begin or end with a hyphen",
            ],
        ),
        (
            probe(json!({"httpGet": {"scheme": "FTP"}})),
            &["livenessProbe.httpGet.scheme: Unsupported value: \"FTP\": supported values: \"HTTP\", \"HTTPS\""],
        ),
        (
            json!({"readinessProbe": {"exec": {"command": ["a"]}, "terminationGracePeriodSeconds": 3}}),
            &["readinessProbe.terminationGracePeriodSeconds: Invalid value: 3: must not be set for readinessProbes"],
        ),
        (json!({"startupProbe": {"exec": {}, "successThreshold": 1}}), &["startupProbe.exec.command: Required value"]),
        (
            json!({"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}}),
            &[
                "lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)",
            ],
        ),
        (json!({"lifecycle": {"postStart": {}}}), &["lifecycle.postStart: Required value: must specify a handler type"]),
    ]);
}

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
            json!({"securityContext": {"privileged": true, "allowPrivilegeEscalation": false}}),
            &[
                "securityContext: Invalid value: {\"Capabilities\":null,\"Privileged\":true,\"SELinuxOptions\":null,\"WindowsOptions\":null,\"RunAsUser\":null,\"RunAsGroup\":null,\"RunAsNonRoot\":null,\"ReadOnlyRootFilesystem\":null,\"AllowPrivilegeEscalation\":false,\"ProcMount\":null,\"SeccompProfile\":null,\"AppArmorProfile\":null}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
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
            &["hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers"],
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

fn updated(change: Value) -> Vec<String> {
    updated_from(json!({}), change)
}

fn updated_from(before: Value, change: Value) -> Vec<String> {
    let old = pod(before);
    let mut new = old.clone();
    merge(&mut new, &change);
    let mut errors = Errors::new();
    update::validate(&new, &old, &mut errors);
    texts(&errors)
}

#[test]
fn updates() {
    let none = Vec::<String>::new();
    let mut image = container("ctr");
    image["image"] = json!("image:2");
    assert_eq!(updated(json!({"spec": {"containers": [image]}})), none);
    assert_eq!(updated(json!({"spec": {"activeDeadlineSeconds": 5}})), none);
    assert_eq!(updated(json!({"spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}})), none);
    assert_eq!(
        updated(json!({"spec": {"containers": [container("ctr"), container("b")]}})),
        ["spec.containers: Forbidden: pod updates may not add or remove containers"]
    );
    let found = updated(json!({"spec": {"nodeName": "other"}}));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with(
        "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n@@ "
    ));
    assert!(found[0].contains("\n+ \"nodeName\": \"other\"\n"), "{}", found[0]);
    let deadline = json!({"spec": {"activeDeadlineSeconds": 5}});
    assert_eq!(
        updated_from(deadline.clone(), json!({"spec": {"activeDeadlineSeconds": 6}})),
        ["spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"]
    );
    assert_eq!(
        updated_from(deadline, json!({"spec": {"activeDeadlineSeconds": null}})),
        ["spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"]
    );
    let tolerant = json!({"spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}});
    assert_eq!(
        updated_from(tolerant, json!({"spec": {"tolerations": null}})),
        ["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"]
    );
    let mirror = json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}, "spec": {"nodeName": "n"}});
    assert_eq!(
        updated_from(mirror, json!({"metadata": {"annotations": null}})),
        ["metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not remove or update mirror pod annotation"]
    );
}

#[test]
fn gated_pods_may_be_told_more() {
    let gated = json!({"spec": {"schedulingGates": [{"name": "g"}], "nodeSelector": {"a": "1"}}});
    assert_eq!(
        updated_from(gated.clone(), json!({"spec": {"nodeSelector": {"b": "2"}, "schedulingGates": null}})),
        Vec::<String>::new()
    );
    assert_eq!(
        updated_from(gated.clone(), json!({"spec": {"nodeSelector": {"a": "2"}}})),
        [
            "spec.nodeSelector: Invalid value: {\"a\":\"2\"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        ]
    );
    assert_eq!(
        updated_from(gated, json!({"spec": {"schedulingGates": [{"name": "g"}, {"name": "h"}]}})),
        ["spec.schedulingGates[1].name: Forbidden: only deletion is allowed, but found new scheduling gate 'h'"]
    );
    let affinity = |terms: Value| json!({"spec": {"schedulingGates": [{"name": "g"}], "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}});
    let exists = |key: &str| json!({"key": key, "operator": "Exists"});
    assert_eq!(
        updated_from(
            affinity(json!([{"matchExpressions": [exists("a")]}])),
            affinity(json!([{"matchExpressions": [exists("a"), exists("b")]}]))
        ),
        Vec::<String>::new()
    );
    assert_eq!(
        updated_from(
            affinity(json!([{"matchExpressions": [exists("a")]}])),
            affinity(json!([{"matchExpressions": [exists("b")]}]))
        ),
        [
            "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]: Invalid value: {\"MatchExpressions\":[{\"Key\":\"b\",\"Operator\":\"Exists\",\"Values\":null}],\"MatchFields\":null}: only additions are allowed (no mutations or deletions)"
        ]
    );
}

#[test]
fn what_is_stored_wrong_may_stay() {
    let bad = json!({"spec": {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"a b": "c"}}}]}});
    assert_eq!(created(&pod(bad.clone())).len(), 1);
    assert_eq!(updated_from(bad, json!({"spec": {"activeDeadlineSeconds": 5}})), Vec::<String>::new());
}

#[test]
fn created_pods_are_pending_with_a_class() {
    let mut pod = pod(json!({
        "metadata": {"creationTimestamp": "2030-01-01T00:00:00Z", "annotations": {"container.apparmor.security.beta.kubernetes.io/ctr": "runtime/default"}},
        "spec": {"schedulingGates": [{"name": "g"}], "topologySpreadConstraints": [{"labelSelector": {}, "matchLabelKeys": ["app", "none"]}]},
        "status": {"phase": "Running"},
    }));
    prepare::create(&mut pod);
    assert_eq!(
        pod["status"],
        json!({
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "False", "lastTransitionTime": "2030-01-01T00:00:00Z", "reason": "SchedulingGated", "message": "Scheduling is blocked due to non-empty scheduling gates"}],
            "qosClass": "BestEffort",
        })
    );
    assert_eq!(
        pod["spec"]["topologySpreadConstraints"][0]["labelSelector"],
        json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a"]}]})
    );
    assert_eq!(pod["spec"]["containers"][0]["securityContext"], json!({"appArmorProfile": {"type": "RuntimeDefault"}}));
}

#[test]
fn statuses() {
    let of = |old: Value, new: Value| {
        let old = pod(old);
        let mut changed = old.clone();
        merge(&mut changed, &new);
        status::prepare(&mut changed, &old);
        let mut errors = Errors::new();
        status::validate(&changed, &old, &mut errors);
        texts(&errors)
    };
    let none = Vec::<String>::new();
    assert_eq!(
        of(json!({"status": {"qosClass": "BestEffort"}}), json!({"status": {"qosClass": null, "phase": "Running"}})),
        none
    );
    assert_eq!(
        of(json!({"status": {"qosClass": "BestEffort"}}), json!({"status": {"qosClass": "Burstable"}})),
        ["status.qosClass: Invalid value: \"Burstable\": field is immutable"]
    );
    assert_eq!(
        of(json!({}), json!({"status": {"podIP": "1.1.1.1"}})),
        ["status.podIPs: Invalid value: null: podIP and podIPs must either both be set or both be unset"]
    );
    assert_eq!(
        of(json!({}), json!({"status": {"podIP": "1.1.1.1", "podIPs": [{"ip": "1.1.1.1"}, {"ip": "2.2.2.2"}]}})),
        [
            "status.podIPs: Invalid value: [{\"IP\":\"1.1.1.1\"},{\"IP\":\"2.2.2.2\"}]: may specify no more than one IP for each IP family"
        ]
    );
    let ended = |policy: &str| {
        let status = |state: Value| json!({"status": {"containerStatuses": [{"name": "ctr", "state": state}]}});
        let mut old = status(json!({"terminated": {"exitCode": 0}}));
        old["spec"] = json!({"restartPolicy": policy});
        of(old, status(json!({"terminated": null, "running": {}})))
    };
    assert_eq!(ended("Always"), none);
    assert_eq!(
        ended("OnFailure"),
        ["status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"]
    );
    assert_eq!(
        of(json!({}), json!({"status": {"resourceClaimStatuses": [{"name": "x"}]}})),
        ["status.resourceClaimStatuses[0].name: Invalid value: \"x\": must match the name of an entry in `spec.resourceClaims`"]
    );
}

#[test]
fn ephemeral_containers_are_only_added() {
    let debug = |image: &str| {
        let mut debug = container("debug");
        debug["image"] = json!(image);
        debug
    };
    let of = |old: Value, new: Value| {
        let old = pod(json!({"spec": {"ephemeralContainers": old}}));
        let mut changed = old.clone();
        changed["spec"]["ephemeralContainers"] = new;
        changed["spec"]["nodeName"] = json!("ignored");
        ephemeral_containers::prepare(&mut changed, &old);
        let mut errors = Errors::new();
        ephemeral_containers::validate(&changed, &old, &mut errors);
        texts(&errors)
    };
    assert_eq!(of(json!([]), json!([debug("a")])), Vec::<String>::new());
    assert_eq!(
        of(json!([debug("a")]), json!([])),
        ["spec.ephemeralContainers: Forbidden: existing ephemeral containers \"debug\" may not be removed\n"]
    );
    assert!(
        of(json!([debug("a")]), json!([debug("b")]))[0]
            .starts_with("spec.ephemeralContainers: Forbidden: existing ephemeral containers \"debug\" may not be changed\n@@")
    );
    let mut ports = debug("a");
    ports["ports"] = json!([{"containerPort": 1, "protocol": "TCP"}]);
    ports["targetContainerName"] = json!("nobody");
    assert_eq!(
        of(json!([]), json!([ports])),
        [
            "spec.ephemeralContainers[0].targetContainerName: Not found: \"nobody\"",
            "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container"
        ]
    );
}

#[test]
fn resizes() {
    let with = |resources: Value| {
        let mut pod = with_container(json!({"resources": resources}));
        prepare::create(&mut pod);
        pod
    };
    let of = |old: Value, new: Value| {
        let (old, mut new) = (with(old), with(new));
        resize::prepare(&mut new, &old);
        let mut errors = Errors::new();
        resize::validate(&new, &old, &mut errors);
        texts(&errors)
    };
    let cpu = |cpu: &str| json!({"requests": {"cpu": cpu}});
    assert_eq!(of(cpu("1"), cpu("2")), Vec::<String>::new());
    assert_eq!(
        of(cpu("1"), json!({"requests": {"cpu": "1", "ephemeral-storage": "1Gi"}})),
        ["spec: Forbidden: only cpu and memory resources are mutable"]
    );
    assert_eq!(
        of(json!({"requests": {"cpu": "1", "memory": "1Gi"}}), cpu("1")),
        ["spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"]
    );
    assert_eq!(
        of(json!({}), cpu("1")),
        ["spec: Invalid value: \"BestEffort\": Pod QOS Class may not change as a result of resizing"]
    );
}

#[test]
fn grace_of_a_delete() {
    let scheduled = |status: Value| pod(json!({"spec": {"nodeName": "n"}, "status": status}));
    assert_eq!(grace(&valid(), None), Some(0));
    assert_eq!(grace(&scheduled(json!({})), None), Some(30));
    assert_eq!(grace(&scheduled(json!({})), Some(5)), Some(5));
    assert_eq!(grace(&scheduled(json!({})), Some(-5)), Some(1));
    assert_eq!(grace(&scheduled(json!({"phase": "Failed"})), Some(5)), Some(0));
}

#[test]
fn fields_to_select() {
    let pod = pod(json!({"spec": {"nodeName": "n"}, "status": {"phase": "Running", "podIPs": [{"ip": "1.1.1.1"}]}}));
    let values: Vec<(&str, String)> = HOOKS.selectable.iter().map(|field| (field.field, (field.value)(&pod))).collect();
    let expected = [
        ("spec.nodeName", "n"),
        ("spec.restartPolicy", "Always"),
        ("spec.schedulerName", "default-scheduler"),
        ("spec.serviceAccountName", "default"),
        ("spec.hostNetwork", "false"),
        ("status.phase", "Running"),
        ("status.podIP", "1.1.1.1"),
        ("status.nominatedNodeName", ""),
    ];
    assert_eq!(values, expected.map(|(field, value)| (field, value.to_owned())));
}

#[test]
fn warnings_on_create() {
    let of = |change: Value| warnings(&pod(change), None);
    assert!(of(json!({"metadata": {"name": "a.b"}}))[0].starts_with("metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]"));
    assert_eq!(
        of(json!({"spec": {"nodeSelector": {"beta.kubernetes.io/os": "linux"}}})),
        ["spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead"]
    );
    assert_eq!(
        of(json!({"metadata": {"annotations": {"scheduler.alpha.kubernetes.io/critical-pod": ""}}})),
        [
            "metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the \"priorityClassName\" field instead"
        ]
    );
    assert_eq!(
        of(json!({"spec": {"volumes": [{"name": "g", "gitRepo": {"repository": "r"}}]}})),
        ["spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+"]
    );
    assert_eq!(
        of(json!({"spec": {"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}})),
        ["spec.imagePullSecrets[1].name: duplicate name \"a\""]
    );
    assert_eq!(
        of(json!({"spec": {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z"}]}})),
        ["spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod"]
    );
    let of = |change: Value| warnings(&with_container(change), None);
    assert_eq!(
        of(json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]})),
        ["spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using apply"]
    );
    assert_eq!(
        of(json!({"resources": {"limits": {"memory": "1m"}}})),
        ["spec.containers[0].resources.limits[memory]: fractional byte value \"1m\" is invalid, must be an integer"]
    );
    assert_eq!(
        of(
            json!({"ports": [{"name": "a", "containerPort": 80, "protocol": "TCP"}, {"name": "a", "containerPort": 80, "protocol": "TCP"}]})
        ),
        [
            "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]",
            "spec.containers[0].ports[1]: duplicate port name \"a\" with spec.containers[0].ports[0], services and probes that select ports by name will use spec.containers[0].ports[0]",
        ]
    );
    assert_eq!(
        warnings(
            &pod(
                json!({"spec": {"volumes": [{"name": "v", "configMap": {"name": "c", "items": [{"key": "a", "path": "p"}, {"key": "b", "path": "p/q"}]}}]}})
            ),
            None
        ),
        ["volume \"v\" (ConfigMap \"c\"): overlapping paths: \"p/q\" with \"p\""]
    );
}
