//! Flags of storage, of what the cluster is, and those that only Gatehouse has.

use super::{Flag, SWITCH, TEXT, accepted, refused, supported};

const NO_ETCD: &str = "the etcd engine does not exist yet; without this flag objects are kept under --data-dir";

pub(super) const STORAGE: &[Flag] = &[
    accepted("default-watch-cache-size", TEXT, "100", "Events kept for each resource; the log here grows and shrinks by itself."),
    accepted("delete-collection-workers", TEXT, "1", "Objects deleted at once by a deletecollection."),
    accepted(
        "enable-garbage-collector",
        SWITCH,
        "true",
        "Must be as kube-controller-manager's; the collector here is a controller, see --controllers.",
    ),
    refused("encryption-provider-config", TEXT, "", "objects would be stored in the clear although encryption was asked for"),
    accepted("encryption-provider-config-automatic-reload", SWITCH, "false", "Read that configuration again when it changes."),
    refused("etcd-cafile", TEXT, "", NO_ETCD),
    refused("etcd-certfile", TEXT, "", NO_ETCD),
    accepted("etcd-compaction-interval", TEXT, "5m0s", "How often old revisions are dropped."),
    accepted("etcd-count-metric-poll-period", TEXT, "1m0s", "How often objects are counted; here whenever metrics are read."),
    accepted("etcd-db-metric-poll-interval", TEXT, "30s", "How often the size of the database is measured."),
    accepted("etcd-healthcheck-timeout", TEXT, "2s", "How long a health check of storage may take."),
    refused("etcd-keyfile", TEXT, "", NO_ETCD),
    accepted("etcd-prefix", TEXT, "/registry", "Prefix of all keys."),
    accepted("etcd-readycheck-timeout", TEXT, "2s", "How long a readiness check of storage may take."),
    refused("etcd-servers", TEXT, "", NO_ETCD),
    refused("etcd-servers-overrides", TEXT, "", NO_ETCD),
    accepted("lease-reuse-duration-seconds", TEXT, "60", "How long an etcd lease is used again."),
    refused("storage-backend", TEXT, "", NO_ETCD),
    accepted("storage-media-type", TEXT, "application/vnd.kubernetes.protobuf", "How objects are written to etcd."),
    accepted("watch-cache", SWITCH, "true", "Serve reads from memory; always so."),
    accepted("watch-cache-sizes", TEXT, "", "Events kept, by resource."),
];

pub(super) const MISC: &[Flag] = &[
    accepted("aggregator-reject-forwarding-redirect", SWITCH, "true", "Do not pass on redirects of extension servers."),
    accepted("allow-privileged", SWITCH, "false", "Let containers be privileged."),
    accepted("apiserver-count", TEXT, "1", "Number of servers of the cluster."),
    accepted("coordinated-leadership-lease-duration", TEXT, "15s", "Life of a leader's lease."),
    accepted("coordinated-leadership-renew-deadline", TEXT, "10s", "When a leader gives up renewing."),
    accepted("coordinated-leadership-retry-period", TEXT, "2s", "Pause between attempts to lead."),
    accepted("enable-aggregator-routing", SWITCH, "false", "Reach extension servers by their endpoints."),
    accepted("enable-logs-handler", SWITCH, "false", "Serve /logs."),
    accepted("endpoint-reconciler-type", TEXT, "lease", "How the kubernetes Service's endpoints are kept."),
    supported("event-ttl", TEXT, "1h0m0s", "How long events are kept."),
    accepted("kubelet-certificate-authority", TEXT, "", "Authorities of kubelets' certificates."),
    accepted("kubelet-client-certificate", TEXT, "", "Certificate shown to kubelets."),
    accepted("kubelet-client-key", TEXT, "", "Its key."),
    accepted("kubelet-port", TEXT, "10250", "Port of kubelets that do not tell theirs."),
    accepted(
        "kubelet-preferred-address-types",
        TEXT,
        "Hostname,InternalDNS,InternalIP,ExternalDNS,ExternalIP",
        "Which of a node's addresses to connect to.",
    ),
    accepted("kubelet-read-only-port", TEXT, "10255", "Port of kubelets without authentication."),
    accepted("kubelet-timeout", TEXT, "5s", "How long a kubelet may take."),
    accepted("kubernetes-service-node-port", TEXT, "0", "Node port of the kubernetes Service."),
    accepted("max-connection-bytes-per-sec", TEXT, "0", "Bytes a second of one user's connection."),
    accepted("peer-advertise-ip", TEXT, "", "Address told to other servers of the cluster."),
    accepted("peer-advertise-port", TEXT, "", "Port told to other servers of the cluster."),
    accepted("peer-ca-file", TEXT, "", "Authorities of other servers of the cluster."),
    accepted("proxy-client-cert-file", TEXT, "", "Certificate shown to extension servers."),
    accepted("proxy-client-key-file", TEXT, "", "Its key."),
    refused(
        "service-account-signing-endpoint",
        TEXT,
        "",
        "an external signer is not asked yet; give --service-account-signing-key-file",
    ),
    supported("service-account-signing-key-file", TEXT, "", "Key that signs tokens, instead of the one made here."),
    supported(
        "service-cluster-ip-range",
        TEXT,
        "",
        "Addresses of Services, one range or one of each family; 10.0.0.0/24 by default.",
    ),
    supported("service-node-port-range", TEXT, "30000-32767", "Ports of Services on every node."),
];

pub(super) const GATEHOUSE: &[Flag] = &[
    supported(
        "controllers",
        TEXT,
        "*",
        "Controllers to run, as kube-controller-manager spells them: *, name, -name; none when called kube-apiserver.",
    ),
    supported(
        "data-dir",
        TEXT,
        "gatehouse-data",
        "Folder of everything this server keeps: objects, keys, admin.kubeconfig, compiled policies.",
    ),
    supported(
        "policy-dir",
        TEXT,
        "",
        "Folder of policies that hold before the first request and cannot be changed over the API.",
    ),
    supported("policy-module-dir", TEXT, "", "Folder in which a PolicyModule's spec.source.file is looked for."),
    supported("storage-engine", TEXT, "disk", "disk, or memory: nothing outlives the process."),
];
