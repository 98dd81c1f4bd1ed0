//! The settings of a server, read off its command line once. Every flag is read before the first fault is reported.
//! Opens no file: that is `identity`'s and `run`'s.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use controllers::bootstrap::Reconciler;
use server::aggregation::Redirects;
use server::client::Routing;
use server::listen::{STREAMS_MAX, Sharing};
use server::tls::{Lowest, Source};

use crate::flags::Parsed;
use crate::flags::value::Values;
use crate::guests;
use crate::program::Program;

mod storage;

pub(crate) use storage::{Engine, Etcd, Rereading};

/// The issuer of tokens when none is given: kubeadm's.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// Upstream's range of Service addresses.
const SERVICE_RANGE: &str = "10.0.0.0/24";
/// Shortest `--service-account-max-token-expiration`, as upstream requires.
const TOKEN_LIFE_MIN: Duration = Duration::from_secs(3600);

/// Everything that was set.
#[derive(Debug)]
pub(crate) struct Config {
    /// Every flag with the value that holds, as `/flagz` tells them.
    pub(crate) flags: Vec<(String, String)>,
    pub(crate) data_dir: PathBuf,
    pub(crate) policy_dir: Option<PathBuf>,
    pub(crate) policy_module_dir: Option<PathBuf>,
    /// What runs policies in processes of their own; this process does without.
    pub(crate) policy_guests: Option<wasm::Program>,
    pub(crate) policy_compile_limit: Duration,
    pub(crate) policy_registries: Vec<String>,
    pub(crate) policy_registry_config: Option<PathBuf>,
    pub(crate) engine: Engine,
    /// How what is stored is encrypted.
    pub(crate) encryption: Option<(PathBuf, Rereading)>,
    pub(crate) controllers: Vec<String>,
    pub(crate) serving: Serving,
    pub(crate) identity: Identity,
    pub(crate) audit: Option<Audit>,
    pub(crate) authorization: Vec<authz::Mode>,
    pub(crate) admission: Admission,
    /// `--allow-privileged`: what the rules of pods let be.
    pub(crate) privileged: bool,
    pub(crate) network: Network,
    pub(crate) requests: Requests,
    pub(crate) shutdown_delay: Duration,
    pub(crate) watch_grace: Duration,
    pub(crate) event_ttl: Duration,
}

/// How connections are taken.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    pub(crate) sharing: Sharing,
    pub(crate) http2: bool,
    pub(crate) streams_max: u32,
    pub(crate) lowest: Lowest,
    pub(crate) cipher_suites: Vec<String>,
    pub(crate) pki: PathBuf,
    /// Given certificate and key; made here when absent.
    pub(crate) certificate: Option<Source>,
    /// Whether a pair found in `pki`, made by somebody else, is served: upstream's meaning of `--cert-dir`.
    pub(crate) adopt: bool,
    pub(crate) by_name: Vec<Source>,
}

/// Who is believed.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) client_ca: Option<PathBuf>,
    pub(crate) front_proxy: FrontProxy,
    /// `--proxy-client-cert-file` and `--proxy-client-key-file`: who this server is to extension servers.
    pub(crate) proxy_client: Option<Source>,
    /// `--aggregator-reject-forwarding-redirect`.
    pub(crate) redirects: Redirects,
    /// `--enable-aggregator-routing`.
    pub(crate) routing: Routing,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) anonymous: bool,
    pub(crate) bootstrap_tokens: bool,
    pub(crate) issuers: Vec<String>,
    pub(crate) audiences: Vec<String>,
    pub(crate) verifying_keys: Vec<PathBuf>,
    pub(crate) signing_key: Option<PathBuf>,
    pub(crate) jwks_uri: Option<String>,
    pub(crate) token_life_max: Option<Duration>,
    pub(crate) extend_tokens: bool,
}

/// `--requestheader-*`.
#[derive(Debug)]
pub(crate) struct FrontProxy {
    pub(crate) ca: Option<PathBuf>,
    pub(crate) names: Vec<String>,
    pub(crate) usernames: Vec<String>,
    pub(crate) uids: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) extras: Vec<String>,
}

/// What is recorded, and where.
#[derive(Debug)]
pub(crate) struct Audit {
    pub(crate) policy: PathBuf,
    /// `-` means standard output.
    pub(crate) path: PathBuf,
    pub(crate) size_max_mb: u64,
    pub(crate) age_max_days: u32,
    pub(crate) backups_max: usize,
    pub(crate) compress: bool,
}

/// Built-in admission.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) enable: Vec<String>,
    pub(crate) disable: Vec<String>,
    /// What plugins are configured with.
    pub(crate) file: Option<PathBuf>,
    pub(crate) not_ready_s: i64,
    pub(crate) unreachable_s: i64,
}

/// Addresses of the cluster.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) advertise: Option<IpAddr>,
    pub(crate) service_ranges: Vec<Range>,
    pub(crate) node_ports: (u16, u16),
    pub(crate) reconciler: Reconciler,
}

/// A range of addresses such as `10.0.0.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) address: IpAddr,
    pub(crate) prefix: u8,
}

/// Limits of requests.
#[derive(Debug)]
pub(crate) struct Requests {
    pub(crate) read_only_max: usize,
    pub(crate) mutating_max: usize,
    pub(crate) timeout: Duration,
    pub(crate) watch_min: Duration,
}

impl Config {
    /// Reads the settings. Fails with everything that is wrong, in the order of reading.
    pub(crate) fn read(parsed: &Parsed, program: Program) -> Result<Self, Vec<String>> {
        let mut flags = Values::new(parsed);
        let data_dir = data_dir(&flags, program);
        let modes = authorization(&mut flags);
        let config = Self {
            flags: parsed.in_force(),
            policy_dir: path(&flags, "policy-dir"),
            policy_module_dir: path(&flags, "policy-module-dir"),
            policy_guests: policy_guests(&mut flags),
            policy_compile_limit: flags.duration("policy-compile-limit"),
            policy_registries: flags.list("policy-registries"),
            policy_registry_config: path(&flags, "policy-registry-config"),
            engine: storage::engine(&mut flags),
            encryption: storage::encryption(&flags),
            controllers: controllers(&flags, program),
            serving: serving(&mut flags, &data_dir, program),
            identity: identity(&mut flags, &modes),
            audit: audit(&mut flags),
            authorization: modes,
            admission: Admission {
                enable: flags.list("enable-admission-plugins"),
                disable: flags.list("disable-admission-plugins"),
                file: path(&flags, "admission-control-config-file"),
                not_ready_s: flags.number("default-not-ready-toleration-seconds"),
                unreachable_s: flags.number("default-unreachable-toleration-seconds"),
            },
            privileged: flags.switch("allow-privileged"),
            network: network(&mut flags),
            requests: Requests {
                read_only_max: flags.number("max-requests-inflight"),
                mutating_max: flags.number("max-mutating-requests-inflight"),
                timeout: flags.duration("request-timeout"),
                watch_min: Duration::from_secs(flags.number("min-request-timeout")),
            },
            shutdown_delay: flags.duration("shutdown-delay-duration"),
            watch_grace: flags.duration("shutdown-watch-termination-grace-period"),
            event_ttl: flags.duration("event-ttl"),
            data_dir,
        };
        if flags.errors.is_empty() { Ok(config) } else { Err(flags.errors) }
    }
}

/// Called by the other's name it keeps what is its own beside the keys, so that nothing appears in the folder in which it is started.
fn data_dir(flags: &Values<'_>, program: Program) -> PathBuf {
    let default = flags.text("data-dir");
    match path(flags, "cert-dir") {
        Some(keys) if program == Program::KubeApiserver && !flags.is_given("data-dir") => keys.join(default),
        _ => PathBuf::from(default),
    }
}

fn path(flags: &Values<'_>, name: &str) -> Option<PathBuf> {
    flags.optional(name).map(PathBuf::from)
}

/// kube-apiserver runs none: a kube-controller-manager beside it does.
fn controllers(flags: &Values<'_>, program: Program) -> Vec<String> {
    match program {
        _ if flags.is_given("controllers") => flags.list("controllers"),
        Program::Gatehouse => vec!["*".to_owned()],
        Program::KubeApiserver => Vec::new(),
    }
}

fn serving(flags: &mut Values<'_>, data_dir: &std::path::Path, program: Program) -> Serving {
    let everywhere = program == Program::KubeApiserver || flags.is_given("bind-address");
    let ip = if everywhere { flags.parsed("bind-address", "an IP address") } else { Some(IpAddr::V4(Ipv4Addr::LOCALHOST)) };
    let port = flags.number("secure-port");
    let streams: u32 = flags.number("http2-max-streams-per-connection");
    let certificate = match (path(flags, "tls-cert-file"), path(flags, "tls-private-key-file")) {
        (Some(certificate), Some(key)) => Some(Source { certificate, key, names: Vec::new() }),
        (None, None) => None,
        _ => {
            flags.errors.push("--tls-cert-file and --tls-private-key-file must be given together".to_owned());
            None
        }
    };
    Serving {
        address: SocketAddr::new(ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port),
        sharing: if flags.switch("permit-port-sharing") { Sharing::Port } else { Sharing::None },
        http2: !flags.switch("disable-http2-serving"),
        streams_max: if streams == 0 { STREAMS_MAX } else { streams },
        lowest: lowest(flags),
        cipher_suites: flags.list("tls-cipher-suites"),
        pki: path(flags, "cert-dir").unwrap_or_else(|| data_dir.join("pki")),
        certificate,
        adopt: program == Program::KubeApiserver,
        by_name: by_name(flags),
    }
}

fn lowest(flags: &mut Values<'_>) -> Lowest {
    match flags.text("tls-min-version") {
        "" | "VersionTLS12" => Lowest::V12,
        "VersionTLS13" => Lowest::V13,
        "VersionTLS10" | "VersionTLS11" => {
            flags.wrong("tls-min-version", "TLS 1.0 and 1.1 are broken and not spoken; choose VersionTLS12 or VersionTLS13");
            Lowest::V12
        }
        other => {
            let reason = format!("unknown tls version {other:?}");
            flags.wrong("tls-min-version", &reason);
            Lowest::V12
        }
    }
}

/// `certificate,key` or `certificate,key:name,name`.
fn by_name(flags: &mut Values<'_>) -> Vec<Source> {
    let mut sources = Vec::new();
    for text in flags.each("tls-sni-cert-key") {
        let (files, names) = text.split_once(':').unwrap_or((&text, ""));
        match files.split_once(',') {
            Some((certificate, key)) => sources.push(Source {
                certificate: certificate.into(),
                key: key.into(),
                names: names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            }),
            None => flags.errors.push(format!(
                "invalid argument {text:?} for \"--tls-sni-cert-key\" flag: expected comma separated certificate and key file paths"
            )),
        }
    }
    sources
}

fn identity(flags: &mut Values<'_>, modes: &[authz::Mode]) -> Identity {
    let mut issuers = flags.each("service-account-issuer");
    if issuers.is_empty() {
        issuers.push(ISSUER.to_owned());
    }
    let mut audiences = flags.list("api-audiences");
    if audiences.is_empty() {
        audiences.clone_from(&issuers);
    }
    let life = flags.duration("service-account-max-token-expiration");
    if life != Duration::ZERO && life < TOKEN_LIFE_MIN {
        flags.wrong("service-account-max-token-expiration", "at least an hour is needed: kubelets ask for that");
    }
    Identity {
        client_ca: path(flags, "client-ca-file"),
        front_proxy: front_proxy(flags),
        proxy_client: proxy_client(flags),
        redirects: match flags.switch("aggregator-reject-forwarding-redirect") {
            true => Redirects::Refused,
            false => Redirects::PassedOn,
        },
        routing: if flags.switch("enable-aggregator-routing") { Routing::Endpoints } else { Routing::ClusterIp },
        token_file: path(flags, "token-auth-file"),
        // Where everything is allowed, only who is known is let in: `BuiltInAuthenticationOptions.ApplyAuthorization`.
        anonymous: flags.switch("anonymous-auth") && !modes.contains(&authz::Mode::AlwaysAllow),
        bootstrap_tokens: flags.switch("enable-bootstrap-token-auth"),
        issuers,
        audiences,
        verifying_keys: flags.each("service-account-key-file").into_iter().map(PathBuf::from).collect(),
        signing_key: path(flags, "service-account-signing-key-file"),
        jwks_uri: flags.optional("service-account-jwks-uri").map(str::to_owned),
        token_life_max: (life != Duration::ZERO).then_some(life),
        extend_tokens: flags.switch("service-account-extend-token-expiration"),
    }
}

fn policy_guests(flags: &mut Values<'_>) -> Option<wasm::Program> {
    match flags.text("policy-isolation") {
        "none" => None,
        "process" => Some(guests::program()),
        _ => {
            flags.wrong("policy-isolation", "choose none or process");
            None
        }
    }
}

/// Without an authority of its own the front proxy made here is trusted, with the headers that kubeadm sets.
fn front_proxy(flags: &mut Values<'_>) -> FrontProxy {
    let ca = path(flags, "requestheader-client-ca-file");
    let or = |name: &str, own: &str| match (&ca, flags.list(name)) {
        (None, given) if given.is_empty() => vec![own.to_owned()],
        (_, given) => given,
    };
    FrontProxy {
        names: or("requestheader-allowed-names", "front-proxy-client"),
        usernames: or("requestheader-username-headers", "X-Remote-User"),
        uids: or("requestheader-uid-headers", "X-Remote-Uid"),
        groups: or("requestheader-group-headers", "X-Remote-Group"),
        extras: or("requestheader-extra-headers-prefix", "X-Remote-Extra-"),
        ca,
    }
}

/// Upstream shows nothing when one of the two is missing; here that is told.
fn proxy_client(flags: &mut Values<'_>) -> Option<Source> {
    match (path(flags, "proxy-client-cert-file"), path(flags, "proxy-client-key-file")) {
        (Some(certificate), Some(key)) => Some(Source { certificate, key, names: Vec::new() }),
        (None, None) => None,
        _ => {
            flags.errors.push("--proxy-client-cert-file and --proxy-client-key-file need each other".to_owned());
            None
        }
    }
}

fn audit(flags: &mut Values<'_>) -> Option<Audit> {
    if flags.text("audit-log-format") != "json" {
        flags.wrong("audit-log-format", "only json is written");
    }
    if flags.text("audit-log-version") != "audit.k8s.io/v1" {
        flags.wrong("audit-log-version", "only audit.k8s.io/v1 is written");
    }
    if !["batch", "blocking", "blocking-strict"].contains(&flags.text("audit-log-mode")) {
        flags.wrong("audit-log-mode", "choose batch, blocking or blocking-strict");
    }
    let settings = Audit {
        policy: path(flags, "audit-policy-file").unwrap_or_default(),
        path: path(flags, "audit-log-path").unwrap_or_default(),
        size_max_mb: flags.number("audit-log-maxsize"),
        age_max_days: flags.number("audit-log-maxage"),
        backups_max: flags.number("audit-log-maxbackup"),
        compress: flags.switch("audit-log-compress"),
    };
    match (settings.policy.as_os_str().is_empty(), settings.path.as_os_str().is_empty()) {
        (false, false) => Some(settings),
        (true, true) => None,
        // Upstream logs nothing in both cases, and says so in its log.
        (true, false) => {
            flags.errors.push("--audit-log-path records nothing without --audit-policy-file".to_owned());
            None
        }
        (false, true) => {
            flags.errors.push("--audit-policy-file records nothing without --audit-log-path".to_owned());
            None
        }
    }
}

fn authorization(flags: &mut Values<'_>) -> Vec<authz::Mode> {
    let names = flags.list("authorization-mode");
    if names.is_empty() {
        // Upstream's own default, AlwaysAllow, is no default for a server that people start by hand.
        return vec![authz::Mode::Rbac];
    }
    let mut modes = Vec::new();
    for name in &names {
        match name.parse() {
            Ok(mode) if modes.contains(&mode) => {
                let listed: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
                flags.errors.push(format!("authorization-mode [{}] has mode specified more than once", listed.join(" ")));
                break;
            }
            Ok(mode) => modes.push(mode),
            Err(authz::UnknownMode(_)) => flags.errors.push(format!(
                "invalid argument {name:?} for \"--authorization-mode\" flag: choose from AlwaysAllow, AlwaysDeny, Node, RBAC"
            )),
        }
    }
    modes
}

fn network(flags: &mut Values<'_>) -> Network {
    let mut service_ranges: Vec<Range> = Vec::new();
    let given = flags.list("service-cluster-ip-range");
    let texts = if given.is_empty() { vec![SERVICE_RANGE.to_owned()] } else { given };
    for text in &texts {
        match text.parse() {
            Ok(range) => service_ranges.push(range),
            Err(reason) => {
                flags.errors.push(format!("invalid argument {text:?} for \"--service-cluster-ip-range\" flag: {reason}"))
            }
        }
    }
    if service_ranges.len() > 2
        || (service_ranges.len() == 2 && service_ranges[0].address.is_ipv4() == service_ranges[1].address.is_ipv4())
    {
        flags.wrong("service-cluster-ip-range", "give one range, or one of each address family");
    }
    let node_ports = node_ports(flags.text("service-node-port-range")).unwrap_or_else(|| {
        flags.wrong("service-node-port-range", "write first-last or first+count");
        (30000, 32767)
    });
    let reconciler = reconciler(flags);
    Network { advertise: flags.parsed("advertise-address", "an IP address"), service_ranges, node_ports, reconciler }
}

/// Only in etcd can there be other servers than this.
fn reconciler(flags: &mut Values<'_>) -> Reconciler {
    let count: i64 = flags.number("apiserver-count");
    if count <= 0 {
        flags.errors.push(format!("--apiserver-count should be a positive number, but value '{count}' provided"));
    }
    let alone = flags.list("etcd-servers").is_empty();
    match flags.text("endpoint-reconciler-type") {
        "none" => Reconciler::None,
        "lease" | "master-count" if alone => Reconciler::Alone,
        "lease" => Reconciler::Lease,
        "master-count" => Reconciler::MasterCount(usize::try_from(count).unwrap_or(1)),
        other => {
            flags.errors.push(format!("unknown endpoint reconciler type: {other:?}"));
            Reconciler::None
        }
    }
}

fn node_ports(text: &str) -> Option<(u16, u16)> {
    let (first, last) = match (text.split_once('-'), text.split_once('+')) {
        (Some((first, last)), _) => (first.parse().ok()?, last.parse().ok()?),
        (None, Some((first, count))) => {
            let first: u16 = first.parse().ok()?;
            (first, first.checked_add(count.parse().ok()?)?)
        }
        (None, None) => (text.parse().ok()?, text.parse().ok()?),
    };
    (first > 0 && first <= last).then_some((first, last))
}

impl std::str::FromStr for Range {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = text.split_once('/').ok_or("write an address and a prefix length, such as 10.0.0.0/24")?;
        let address: IpAddr = address.parse().map_err(|_| "the address does not parse")?;
        let prefix: u8 = prefix.parse().map_err(|_| "the prefix length is no number")?;
        let (widest, longest) = if address.is_ipv4() { (12, 30) } else { (64, 126) };
        if prefix > longest {
            return Err("the range has no room for Services");
        }
        // Upstream's allocator holds at most 2^20 addresses.
        if prefix < widest {
            return Err("the range is too large: at most 20 bits may vary in IPv4, 64 in IPv6");
        }
        Ok(Self { address, prefix })
    }
}

impl Range {
    /// The first address after the network's own: that of the `kubernetes` Service.
    pub(crate) fn first(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(ip) => IpAddr::from(((u32::from(ip) & (u32::MAX << (32 - self.prefix))) + 1).to_be_bytes()),
            IpAddr::V6(ip) => IpAddr::from(((u128::from(ip) & (u128::MAX << (128 - self.prefix))) + 1).to_be_bytes()),
        }
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests;
