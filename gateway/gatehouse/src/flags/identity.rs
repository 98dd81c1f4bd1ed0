//! Flags of authentication, authorization, admission and auditing.

use super::{Flag, SWITCH, TEXT, accepted, refused, supported};

const NO_OIDC: &str = "tokens of OpenID Connect issuers are not verified yet; users who rely on them would be locked out";
const NO_TOKEN_WEBHOOK: &str = "token webhooks are not asked yet; users who rely on one would be locked out";
const NO_WEBHOOK: &str = "authorization webhooks are not asked yet";
const NO_AUDIT_WEBHOOK: &str = "audit events go to a file only; a webhook that receives nothing would look like an idle cluster";

pub(super) const AUTHENTICATION: &[Flag] = &[
    supported("anonymous-auth", SWITCH, "true", "Let requests without any credential in as system:anonymous."),
    supported("api-audiences", TEXT, "", "What this server is called in tokens; the issuer by default."),
    refused("authentication-config", TEXT, "", "structured authentication configuration is not read yet"),
    accepted("authentication-token-webhook-cache-ttl", TEXT, "2m0s", "How long a token webhook's answers hold."),
    refused("authentication-token-webhook-config-file", TEXT, "", NO_TOKEN_WEBHOOK),
    accepted("authentication-token-webhook-version", TEXT, "v1beta1", "Version of the TokenReview sent to a webhook."),
    supported("client-ca-file", TEXT, "", "Authorities of client certificates, instead of the one made here."),
    supported("enable-bootstrap-token-auth", SWITCH, "false", "Let nodes join with the tokens of bootstrap Secrets."),
    refused("oidc-ca-file", TEXT, "", NO_OIDC),
    refused("oidc-client-id", TEXT, "", NO_OIDC),
    refused("oidc-groups-claim", TEXT, "", NO_OIDC),
    refused("oidc-groups-prefix", TEXT, "", NO_OIDC),
    refused("oidc-issuer-url", TEXT, "", NO_OIDC),
    refused("oidc-required-claim", TEXT, "", NO_OIDC),
    refused("oidc-signing-algs", TEXT, "RS256", NO_OIDC),
    refused("oidc-username-claim", TEXT, "sub", NO_OIDC),
    refused("oidc-username-prefix", TEXT, "", NO_OIDC),
    supported("requestheader-allowed-names", TEXT, "", "Common names of trusted front proxies; any when empty."),
    supported(
        "requestheader-client-ca-file",
        TEXT,
        "",
        "Authorities of front proxies' certificates, instead of the one made here.",
    ),
    supported("requestheader-extra-headers-prefix", TEXT, "", "Prefixes of headers with a user's extra values."),
    supported("requestheader-group-headers", TEXT, "", "Headers with a user's groups."),
    supported("requestheader-uid-headers", TEXT, "", "Headers with a user's uid."),
    supported("requestheader-username-headers", TEXT, "", "Headers with a user's name."),
    supported(
        "service-account-extend-token-expiration",
        SWITCH,
        "true",
        "Let tokens projected into pods live a year, for old clients.",
    ),
    supported("service-account-issuer", TEXT, "", "Name under which tokens are issued; given again, further names are accepted."),
    supported("service-account-jwks-uri", TEXT, "", "Where others find the keys that verify tokens."),
    supported("service-account-key-file", TEXT, "", "Keys that verify tokens; may be given again."),
    supported("service-account-lookup", SWITCH, "true", "Check that a token's account still exists; always so."),
    supported("service-account-max-token-expiration", TEXT, "0s", "Longest life of a token; a longer wish is cut."),
    supported("token-auth-file", TEXT, "", "File of static tokens: token,user,uid[,\"group,group\"]."),
];

pub(super) const AUTHORIZATION: &[Flag] = &[
    refused("authorization-config", TEXT, "", "structured authorization configuration is not read yet"),
    supported("authorization-mode", TEXT, "", "Modes asked in order: Node, RBAC, AlwaysAllow, AlwaysDeny."),
    refused("authorization-policy-file", TEXT, "", "ABAC policies are not read yet"),
    accepted("authorization-webhook-cache-authorized-ttl", TEXT, "5m0s", "How long a webhook's yes holds."),
    accepted("authorization-webhook-cache-unauthorized-ttl", TEXT, "30s", "How long a webhook's no holds."),
    refused("authorization-webhook-config-file", TEXT, "", NO_WEBHOOK),
    accepted("authorization-webhook-version", TEXT, "v1beta1", "Version of the SubjectAccessReview sent to a webhook."),
];

pub(super) const ADMISSION: &[Flag] = &[
    refused("admission-control", TEXT, "", "long deprecated; use --enable-admission-plugins and --disable-admission-plugins"),
    supported("admission-control-config-file", TEXT, "", "What plugins are configured with, as an AdmissionConfiguration."),
    supported("default-not-ready-toleration-seconds", TEXT, "300", "Seconds a pod tolerates a node that is not ready."),
    supported("default-unreachable-toleration-seconds", TEXT, "300", "Seconds a pod tolerates a node that is unreachable."),
    supported("disable-admission-plugins", TEXT, "", "Plugins to leave out although they are on by default."),
    supported(
        "enable-admission-plugins",
        TEXT,
        "",
        "Plugins to run beside those on by default; one that is not built yet is said in the log.",
    ),
];

pub(super) const AUDITING: &[Flag] = &[
    accepted(
        "audit-log-batch-buffer-size",
        TEXT,
        "10000",
        "Events waiting to be written; the queue here is bounded by bytes and loses none.",
    ),
    accepted("audit-log-batch-max-size", TEXT, "1", "Events written at once."),
    accepted("audit-log-batch-max-wait", TEXT, "0s", "How long a batch waits to fill."),
    accepted("audit-log-batch-throttle-burst", TEXT, "0", "Batches written at once at most."),
    accepted("audit-log-batch-throttle-enable", SWITCH, "false", "Slow batches down."),
    accepted("audit-log-batch-throttle-qps", TEXT, "0", "Batches a second at most."),
    supported("audit-log-compress", SWITCH, "false", "Compress files that were put aside."),
    supported("audit-log-format", TEXT, "json", "json."),
    supported("audit-log-maxage", TEXT, "366", "Days that files put aside are kept; 0 keeps them."),
    supported("audit-log-maxbackup", TEXT, "100", "Files put aside that are kept; 0 keeps all."),
    supported("audit-log-maxsize", TEXT, "100", "Megabytes after which a file is put aside."),
    supported(
        "audit-log-mode",
        TEXT,
        "blocking",
        "batch, blocking or blocking-strict: in each, a full queue makes requests wait and no event is lost.",
    ),
    supported("audit-log-path", TEXT, "", "File of audit events; - writes them to standard output."),
    accepted("audit-log-truncate-enabled", SWITCH, "false", "Cut events that are too large."),
    accepted("audit-log-truncate-max-batch-size", TEXT, "10485760", "Bytes of a batch at most."),
    accepted("audit-log-truncate-max-event-size", TEXT, "102400", "Bytes of an event at most."),
    supported("audit-log-version", TEXT, "audit.k8s.io/v1", "audit.k8s.io/v1."),
    supported("audit-policy-file", TEXT, "", "What is recorded, as a Policy of audit.k8s.io/v1."),
    accepted("audit-webhook-batch-buffer-size", TEXT, "10000", "Events waiting for the webhook."),
    accepted("audit-webhook-batch-initial-backoff", TEXT, "10s", "Pause before a webhook is tried again."),
    accepted("audit-webhook-batch-max-size", TEXT, "400", "Events sent at once."),
    accepted("audit-webhook-batch-max-wait", TEXT, "30s", "How long a batch waits to fill."),
    accepted("audit-webhook-batch-throttle-burst", TEXT, "15", "Batches sent at once at most."),
    accepted("audit-webhook-batch-throttle-enable", SWITCH, "true", "Slow batches down."),
    accepted("audit-webhook-batch-throttle-qps", TEXT, "10", "Batches a second at most."),
    refused("audit-webhook-config-file", TEXT, "", NO_AUDIT_WEBHOOK),
    accepted("audit-webhook-initial-backoff", TEXT, "10s", "Pause before a webhook is tried again."),
    accepted("audit-webhook-mode", TEXT, "batch", "How events are handed to the webhook."),
    accepted("audit-webhook-truncate-enabled", SWITCH, "false", "Cut events that are too large."),
    accepted("audit-webhook-truncate-max-batch-size", TEXT, "10485760", "Bytes of a batch at most."),
    accepted("audit-webhook-truncate-max-event-size", TEXT, "102400", "Bytes of an event at most."),
    accepted("audit-webhook-version", TEXT, "audit.k8s.io/v1", "Version of events sent to the webhook."),
];
