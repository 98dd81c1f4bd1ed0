//! Puts the gate together from settings: one function a part. Opens no socket (`run`).

use std::error::Error;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use admission::admissionpolicy::{self, ParamsAccess};
use admission::configuration::File;
use admission::policy::Policies;
use admission::webhook::{Caller, Endpoint, Nobody, Webhooks};
use admission::{Cluster, builtin};
use authn::service_account::Issuer;
use controllers::bootstrap;
use controllers::identity_lease::Identity;
use model::{Clock, User};
use server::aggregation::{self, Aggregation};
use server::client::Credentials;
use server::endpoints::{Endpoints, TokenDiscovery};
use server::following;
use server::gate::{Gate, Limits, Tokens};
use server::health::{Check, Health, Scope};
use server::kinds;
use server::lifecycle::Lifecycle;
use server::metrics::Metrics;
use server::pages::Process;
use server::served::Served;
use server::tls::Certificates;
use server::webhooks::Reach;
use server::world::{LocalWorld, Slot};
use store::Store;

use crate::config::{Config, Rereading};

/// What was made before the gate.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) catalog: Arc<catalog::Catalog>,
    pub(crate) authn: authn::Chain,
    pub(crate) issuer: Issuer,
    pub(crate) discovery: TokenDiscovery,
    /// The certificate by which extension servers know this server.
    pub(crate) shown: Option<Arc<Certificates>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lifecycle: Lifecycle,
    /// Where plugins that need the gate will find it.
    pub(crate) slot: Slot,
    pub(crate) policies: Arc<Policies>,
    pub(crate) webhooks: Arc<Webhooks>,
    /// What plugins are configured with.
    pub(crate) settings: builtin::Settings,
    pub(crate) admission_policies: AdmissionPolicies,
}

/// Admission policies in CEL, of both kinds.
#[derive(Clone)]
pub(crate) struct AdmissionPolicies {
    mutating: Arc<admissionpolicy::Policies>,
    validating: Arc<admissionpolicy::Policies>,
}

impl AdmissionPolicies {
    /// None yet; what is stored is told once the gate is there.
    pub(crate) fn new(slot: &Slot) -> Self {
        let of = |kind| admissionpolicy::Policies::new(kind, cluster(slot));
        Self { mutating: of(admissionpolicy::Kind::Mutating), validating: of(admissionpolicy::Kind::Validating) }
    }

    /// Puts in force what is stored now, and follows it.
    pub(crate) fn follow(&self, gate: &Arc<Gate>) {
        for (plural, followed) in self.mutating.follows().into_iter().chain(self.validating.follows()) {
            tokio::spawn(following::start(gate, ("admissionregistration.k8s.io", "v1", plural), followed));
        }
    }
}

/// The gate. Fails when a setting names something that cannot be had.
pub(crate) fn gate(config: &Config, parts: Parts) -> Result<Arc<Gate>, Box<dyn Error>> {
    let Parts {
        store,
        catalog,
        authn,
        issuer,
        discovery,
        shown,
        clock,
        lifecycle,
        slot,
        policies,
        webhooks,
        settings,
        admission_policies,
    } = parts;
    let metrics = Metrics::new()?;
    metrics.policies(policies.clone())?;
    let calls = webhooks.clone();
    metrics.also(move |out| calls.metrics().write(out));
    let rbac = Arc::new(authz::Rbac::new(authz::Live::new(&store)));
    let gate = Arc::new(Gate {
        served: Served::new(catalog, clock.now()),
        components: if controllers::runs_any(&config.controllers) { &["controller-manager"] } else { &[] },
        authz: Arc::new(authorizers(config, &store, rbac)),
        admission: admission::Chain::new(plugins(config, &slot, &policies, &clock, webhooks, admission_policies, settings)?),
        client: server::client::Client::routed(config.identity.routing),
        aggregation: Aggregation::new(shown, config.identity.redirects),
        policies: Some(policies.clone()),
        audit: audit_log(config, clock.clone())?,
        flow_schemas: flow::Schemas::new(&store),
        looked: server::looked::Looked::default(),
        flow: flow::Seats::new(config.requests.read_only_max, config.requests.mutating_max),
        tokens: Some(Tokens {
            issuer,
            audiences: config.identity.audiences.clone(),
            lifetime_s_max: config.identity.token_life_max.and_then(|life| i64::try_from(life.as_secs()).ok()),
            extend: config.identity.extend_tokens,
        }),
        endpoints: Endpoints::new(
            Health::new(storage_checks(&store, config), lifecycle.clone()),
            discovery,
            Process { started: clock.now(), flags: config.flags.clone() },
        ),
        limits: Limits {
            request: config.requests.timeout,
            watch_min: config.requests.watch_min,
            event_ttl_s: u32::try_from(config.event_ttl.as_secs()).unwrap_or(u32::MAX),
            ..Limits::default()
        },
        store,
        authn,
        clock,
        metrics,
        lifecycle,
    });
    slot.fill(&gate);
    count_at_reading(&gate);
    Ok(gate)
}

/// Asks extension servers whether they answer, for as long as the gate is there.
pub(crate) fn check(gate: &Arc<Gate>) -> controllers::apiservice::Check {
    let gate = Arc::downgrade(gate);
    Arc::new(move |service| {
        let gate = gate.upgrade();
        Box::pin(async move {
            match gate {
                Some(gate) => aggregation::check(&gate, &service).await,
                None => Err("the server is ending".to_owned()),
            }
        })
    })
}

/// Who is asked whether a user may do something. What nodes may do is what upstream's role for them says at the beginning.
fn authorizers(config: &Config, store: &Store, rbac: Arc<authz::Rbac>) -> authz::Chain {
    let chain = authz::Chain::new(&config.authorization, rbac);
    if !config.authorization.contains(&authz::Mode::Node) {
        return chain;
    }
    let roles = catalog::bootstrap::objects(catalog::bootstrap::RBAC, "clusterRoles");
    let role = roles.iter().find(|role| model::meta::name(role) == "system:node");
    chain.with_nodes(authz::Nodes::new(store, role.map(authz::PolicyRule::of_role).unwrap_or_default()))
}

/// The server, as plugins see it.
fn cluster(slot: &Slot) -> Cluster {
    Cluster {
        world: Arc::new(LocalWorld::of_slot(slot.clone(), User::loopback())),
        kinds: Arc::new(kinds::Served(slot.clone())),
        authorizer: Arc::new(kinds::Rules(slot.clone())),
    }
}

/// Admission webhooks; who is configured is told once the gate is there. Fails where a file of credentials cannot be read.
pub(crate) fn webhooks(slot: &Slot, settings: &builtin::Settings) -> Result<Arc<Webhooks>, Box<dyn Error>> {
    let reach = |kubeconfig: &Option<PathBuf>| -> Result<Arc<dyn Caller>, String> {
        let credentials = kubeconfig.as_deref().map(Credentials::read).transpose()?.unwrap_or_default();
        Ok(Arc::new(Reach::new(slot.clone(), credentials)))
    };
    let [mutating, validating] = &settings.webhook_kubeconfigs;
    Ok(Webhooks::new([reach(mutating)?, reach(validating)?], cluster(slot)))
}

/// Who judges images. Fails where a file that says so cannot be read.
fn image_policy(slot: &Slot, kubeconfig: Option<&Path>) -> Result<Arc<dyn Endpoint>, String> {
    Ok(match kubeconfig {
        Some(path) => Reach::one(slot, path)?,
        None => Arc::new(Nobody),
    })
}

/// What plugins are configured with. Fails in upstream's words.
pub(crate) fn settings(config: &Config) -> Result<builtin::Settings, Box<dyn Error>> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("open {}: {error}", path.display()));
    let admission = &config.admission;
    let file = admission.file.as_ref().map(|path| File::read(path, &read)).transpose()?.unwrap_or_default();
    let running = builtin::running(&admission.enable, &admission.disable)?;
    Ok(builtin::Settings::read(&file, &running, &read)?)
}

/// Policies come last: mutators see what the built-in plugins made, and nothing is judged that a plugin still changes.
fn plugins(
    config: &Config,
    slot: &Slot,
    policies: &Arc<Policies>,
    clock: &Arc<dyn Clock>,
    webhooks: Arc<Webhooks>,
    admission_policies: AdmissionPolicies,
    configured: builtin::Settings,
) -> Result<Vec<Box<dyn admission::Plugin>>, Box<dyn Error>> {
    let cluster = cluster(slot);
    let settings = &config.admission;
    policies.attach(cluster.clone(), clock.clone());
    let setup = builtin::Setup {
        world: cluster.world.clone(),
        cluster: cluster.clone(),
        mutating_policies: admission_policies.mutating,
        validating_policies: admission_policies.validating,
        webhooks,
        image_policy: image_policy(slot, configured.image_policy_kubeconfig())?,
        settings: configured,
        not_ready_toleration_s: settings.not_ready_s,
        unreachable_toleration_s: settings.unreachable_s,
    };
    let mut plugins = builtin::plugins(&settings.enable, &settings.disable, &setup)?;
    // What strategies ask last upstream comes before all that judges.
    plugins.insert(0, Box::new(ParamsAccess(cluster)));
    // Nor is anything charged that a policy refuses: quotas are last.
    let quotas = plugins.iter().position(|plugin| plugin.name() == "ResourceQuota").unwrap_or(plugins.len());
    plugins.insert(quotas, policies.plugin());
    Ok(plugins)
}

fn audit_log(config: &Config, clock: Arc<dyn Clock>) -> Result<audit::Log, Box<dyn Error>> {
    let Some(settings) = &config.audit else { return Ok(audit::Log::off()) };
    let path = settings.policy.display();
    let text = std::fs::read_to_string(&settings.policy).map_err(|e| format!("read {path}: {e}"))?;
    let policy = audit::Policy::parse(&text).map_err(|e| format!("{e}: from file {path}"))?;
    let sink = if settings.path.as_os_str() == "-" {
        audit::log::Sink::Stdout
    } else {
        audit::log::Sink::File(audit::file::Settings {
            path: settings.path.clone(),
            size_max_mb: settings.size_max_mb,
            age_max_days: settings.age_max_days,
            backups_max: settings.backups_max,
            compress: settings.compress,
        })
    };
    audit::Log::open(policy, sink, clock).map_err(|e| format!("open audit log {}: {e}", settings.path.display()).into())
}

/// Of each storage outside this process upstream's two; of KMS plugins one for all, which is there too where some may come.
fn storage_checks(store: &Store, config: &Config) -> Vec<Check> {
    let mut checks = match store.engine().health().len() {
        0 => vec![storage_check(store)],
        clusters => (0..clusters).flat_map(|at| etcd_checks(store, at)).collect(),
    };
    let reloads = config.encryption.as_ref().is_some_and(|(_, rereading)| *rereading == Rereading::OnChange);
    if let Some(transformer) = store.engine().transformer().filter(|known| reloads || known.health().is_some()) {
        checks.push(Check::new("kms-providers", Scope::NotLive, move || transformer.health().unwrap_or(Ok(()))));
    }
    checks
}

fn etcd_checks(store: &Store, at: usize) -> [Check; 2] {
    let check = |name: String, scope, group| {
        let engine = store.engine().clone();
        Check::new(name, scope, move || engine.health().into_iter().nth(at).unwrap_or(Ok(()))).of(group)
    };
    let name = |first: &str, other: &str| if at == 0 { first.to_owned() } else { format!("{other}-{}", at - 1) };
    [
        check(name("etcd", "etcd-override"), Scope::Everywhere, "etcd"),
        check(name("etcd-readiness", "etcd-override-readiness"), Scope::Ready, "etcd-readiness"),
    ]
}

/// Fails from the moment storage does until the process has ended. Probes exclude it by upstream's name, whatever is behind.
fn storage_check(store: &Store) -> Check {
    let reason = Arc::new(OnceLock::new());
    tokio::spawn({
        let (failed, reason) = (store.engine().failed(), reason.clone());
        async move { reason.set(failed.await) }
    });
    Check::new("etcd", Scope::Everywhere, move || reason.get().map_or(Ok(()), |reason: &Arc<str>| Err(reason.to_string())))
        .of("etcd")
}

/// Gauges and counters whose values other parts keep are filled when somebody reads metrics.
fn count_at_reading(gate: &Arc<Gate>) {
    let metrics = gate.metrics.clone();
    let gate = Arc::downgrade(gate);
    metrics.clone().before_reading(move || {
        let Some(gate) = gate.upgrade() else { return };
        let (read_only, mutating) = gate.flow.taken();
        metrics.inflight_read_only.set(i64::try_from(read_only).unwrap_or(i64::MAX));
        metrics.inflight_mutating.set(i64::try_from(mutating).unwrap_or(i64::MAX));
        metrics.refused.reset();
        metrics.refused.inc_by(gate.flow.refused());
        let (events, failures) = gate.audit.counts();
        metrics.audit_events.reset();
        metrics.audit_events.inc_by(events);
        metrics.audit_failures.reset();
        metrics.audit_failures.inc_by(failures);
        for resource in gate.store.cache().resources() {
            let name = resource.prefix().trim_start_matches("/registry/").trim_end_matches('/');
            metrics.storage_objects.with_label_values(&[name]).set(i64::try_from(resource.snapshot().len()).unwrap_or(i64::MAX));
        }
        let store = gate.store.cache().metrics();
        for (gauge, value) in
            metrics.store.iter().zip([&store.commits, &store.transactions, &store.conflicts, &store.records, &store.commit_us])
        {
            gauge.set(i64::try_from(value.load(Ordering::Relaxed)).unwrap_or(i64::MAX));
        }
    });
}

/// What a fresh cluster is told about its addresses.
pub(crate) fn upkeep(config: &Config, bound: SocketAddr) -> bootstrap::Settings {
    let (first, last) = config.network.node_ports;
    bootstrap::Settings {
        service_cidrs: config.network.service_ranges.iter().map(ToString::to_string).collect(),
        advertise_address: config.network.advertise.unwrap_or_else(|| advertised(bound.ip())),
        secure_port: bound.port(),
        node_ports: format!("{first}-{last}"),
        reconciler: config.network.reconciler,
    }
}

/// Who this server is among those of the cluster.
pub(crate) fn lease_identity(upkeep: &bootstrap::Settings) -> Identity {
    let machine = rustix::system::uname();
    let (hostname, process) = (machine.nodename().to_string_lossy(), uuid::Uuid::new_v4().to_string());
    Identity::new(&hostname, &process, upkeep.advertise_address, upkeep.secure_port)
}

/// The address endpoints tell: the one that is listened on, or the one from which this machine would reach others.
/// Endpoints may not name a loopback address, so it is told even when nothing listens there.
fn advertised(bound: IpAddr) -> IpAddr {
    if !bound.is_unspecified() && !bound.is_loopback() {
        return bound;
    }
    // Connecting a UDP socket sends nothing; it only asks the routing table. The address is one reserved for documentation.
    let outward = UdpSocket::bind(("0.0.0.0", 0)).and_then(|socket| {
        socket.connect(("192.0.2.1", 9))?;
        socket.local_addr()
    });
    outward.map_or(bound, |address| address.ip())
}
