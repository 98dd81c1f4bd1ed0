//! What containers may say: each rule as a change and the errors it makes.

use model::json::json;

use super::*;

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
