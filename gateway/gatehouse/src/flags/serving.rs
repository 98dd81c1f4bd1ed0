//! Flags of serving, its generic limits, and features.

use super::{Flag, SWITCH, TEXT, accepted, refused, supported};

pub(super) const GENERIC: &[Flag] = &[
    supported(
        "advertise-address",
        TEXT,
        "",
        "Address that the kubernetes Service's endpoints tell; the bind address when it is a real one, else this machine's.",
    ),
    accepted("cors-allowed-origins", TEXT, "", "Origins that browsers may call from."),
    accepted("emulated-version", TEXT, "", "Serve as an older version would."),
    accepted("emulation-forward-compatible", SWITCH, "false", "Serve newer APIs while emulating."),
    accepted("external-hostname", TEXT, "", "Host name told to clients outside."),
    accepted("feature-gates", TEXT, "", "Switches of features; the defaults of 1.37 hold."),
    accepted("goaway-chance", TEXT, "0", "Chance of asking an HTTP/2 client to connect anew."),
    accepted("livez-grace-period", TEXT, "0s", "How long a starting server counts as alive."),
    supported("max-mutating-requests-inflight", TEXT, "200", "Requests that change something, served at once; 0 means no limit."),
    supported("max-requests-inflight", TEXT, "400", "Requests that read, served at once; 0 means no limit."),
    accepted("min-compatibility-version", TEXT, "", "Oldest version to stay compatible with."),
    supported("min-request-timeout", TEXT, "1800", "Seconds a watch lasts at least, when it does not say."),
    supported("request-timeout", TEXT, "1m0s", "How long a request may take, long-running ones excepted."),
    accepted(
        "runtime-config-emulation-forward-compatible",
        SWITCH,
        "false",
        "Serve newer APIs named in --runtime-config while emulating.",
    ),
    supported("shutdown-delay-duration", TEXT, "0s", "How long to serve on, not ready any more, after being asked to end."),
    accepted("shutdown-send-retry-after", SWITCH, "false", "Tell late requests to try again instead of closing the socket."),
    supported("shutdown-watch-termination-grace-period", TEXT, "0s", "How long to wait for watches to end before leaving."),
    supported("storage-initialization-timeout", TEXT, "1m0s", "How long etcd may take to answer at the start."),
    accepted("strict-transport-security-directives", TEXT, "", "Value of the HSTS header."),
];

pub(super) const SECURE: &[Flag] = &[
    supported(
        "bind-address",
        TEXT,
        "0.0.0.0",
        "Address to listen on; `gatehouse serve` listens on 127.0.0.1 unless told otherwise.",
    ),
    supported("cert-dir", TEXT, "", "Folder of the keys and certificates made here; <data-dir>/pki by default."),
    supported("disable-http2-serving", SWITCH, "false", "Speak HTTP/1.1 only."),
    supported("http2-max-streams-per-connection", TEXT, "0", "Streams of one HTTP/2 connection; 0 means 100."),
    accepted("permit-address-sharing", SWITCH, "false", "Listen though a connection on the address is still closing; always so."),
    supported("permit-port-sharing", SWITCH, "false", "Let other processes listen on the same port."),
    supported("secure-port", TEXT, "6443", "Port to listen on; 0 picks a free one, and the kubeconfig says which."),
    supported("tls-cert-file", TEXT, "", "Serving certificate, with its chain, instead of one made here."),
    supported("tls-cipher-suites", TEXT, "", "Cipher suites of TLS 1.2, by name; every safe one by default."),
    accepted("tls-curve-preferences", TEXT, "", "Key exchanges, by number."),
    supported("tls-min-version", TEXT, "", "VersionTLS12 or VersionTLS13."),
    supported("tls-private-key-file", TEXT, "", "Key of --tls-cert-file."),
    supported("tls-sni-cert-key", TEXT, "", "certificate,key[:name,...]: a certificate for some names; may be given again."),
];

pub(super) const FEATURES: &[Flag] = &[
    accepted("contention-profiling", SWITCH, "false", "Profile the locks of a Go program."),
    accepted("debug-socket-path", TEXT, "", "Socket for profiles of a Go program."),
    accepted(
        "enable-priority-and-fairness",
        SWITCH,
        "true",
        "Queue requests fairly; always so, by user, until flow schemas take effect.",
    ),
    accepted("profiling", SWITCH, "true", "Profiles of a Go program."),
];

pub(super) const APIS: &[Flag] =
    &[accepted("runtime-config", TEXT, "", "APIs to serve or not; the defaults of 1.37 are served.")];

pub(super) const EGRESS: &[Flag] =
    &[refused("egress-selector-config-file", TEXT, "", "connections to the outside cannot be sent through a proxy yet")];

pub(super) const METRICS: &[Flag] = &[
    accepted("allow-metric-labels", TEXT, "", "Allowed values of metrics' labels."),
    accepted("allow-metric-labels-manifest", TEXT, "", "The same, from a file."),
    accepted("disabled-metrics", TEXT, "", "Metrics to leave out."),
    accepted("show-hidden-metrics-for-version", TEXT, "", "Metrics hidden since a version, shown again."),
];

pub(super) const LOGS: &[Flag] = &[
    accepted("log-flush-frequency", TEXT, "5s", "Longest time between flushes; lines are written at once."),
    accepted("log-json-info-buffer-size", TEXT, "0", "Buffer of the JSON log."),
    accepted("log-json-split-stream", SWITCH, "false", "Write errors to stderr and the rest to stdout."),
    accepted("log-text-info-buffer-size", TEXT, "0", "Buffer of the text log."),
    accepted("log-text-split-stream", SWITCH, "false", "Write errors to stderr and the rest to stdout."),
    supported("logging-format", TEXT, "text", "text or json."),
    supported("v", TEXT, "0", "How much is logged: 0 what matters, 2 single requests, 4 details, 6 everything."),
    accepted("vmodule", TEXT, "", "Log levels by source file of a Go program."),
];

pub(super) const TRACES: &[Flag] = &[refused("tracing-config-file", TEXT, "", "traces are not sent anywhere yet")];
