//! From settings to a running server and to its end: store, identity, gate, listener, controllers, drain.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use admission::Kinds;
use admission::policy::{self, Policies};
use controllers::{bootstrap, client, identity_lease};
use model::clock::{SteadyClock, SystemClock};
use model::{Clock, User};
use server::gate::Gate;
use server::lifecycle::{Lifecycle, Stage};
use server::registry::{Reach, Registries};
use server::world::{LocalWorld, Slot};
use server::{aggregation, body, customs, kinds, listen, path, tls, webhooks};
use tokio::signal::unix::{SignalKind, signal};

use crate::build::{self, AdmissionPolicies, Parts};
use crate::config::{Config, Engine};
use crate::identity::{Identity, Own};
use crate::{compile, snapshot, storage, trust};

/// How long the audit log may take to write what is left, at the very end.
const AUDIT_FLUSH_MAX: Duration = Duration::from_secs(10);
/// How long it may take to tell others that this server is gone: upstream's bound.
const LEASE_RELEASE_MAX: Duration = Duration::from_secs(10);
/// How often certificates made here are looked at; they last a year and are renewed a month before.
const RENEW_EVERY: Duration = Duration::from_secs(12 * 60 * 60);

/// Serves until asked to end. Fails when something cannot be set up, or when storage fails for good.
pub(crate) fn run(config: Config) -> Result<(), Box<dyn Error>> {
    raise_file_limit();
    catalog::hooks::allow_privileged(config.privileged);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let policies = Policies::start(policy_options(&config))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(config, clock, policies));
    // Whatever still runs must not hold up the end: it was given its time while draining.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn serve(config: Config, clock: Arc<dyn Clock>, policies: Arc<Policies>) -> Result<(), Box<dyn Error>> {
    let lifecycle = Lifecycle::default();
    end_on_signal(lifecycle.clone(), config.shutdown_delay)?;
    let (catalog, slot) = (Arc::new(catalog::Catalog::builtin()?), Slot::default());
    // What expires in the store does so after its time, whatever becomes of the wall clock.
    let store = storage::open(&config, &catalog, &slot, Arc::new(SteadyClock::since(clock.now()))).await?;
    if config.engine == Engine::Disk {
        let (store, data_dir) = (store.clone(), config.data_dir.clone());
        tokio::spawn(async move {
            if let Err(error) = snapshot::serve(store, &data_dir).await {
                tracing::warn!(%error, "no snapshot can be taken of this server while it runs");
            }
        });
    }
    let identity = Identity::prepare(&config, Arc::new(server::accounts::Accounts::new(&store)), clock.now())?;
    let Identity { certificates, told_roots, authn, issuer, discovery, reloads, own, shown } = identity;
    let settings = build::settings(&config)?;
    let hooks = build::webhooks(&slot, &settings)?;
    let kinds = kinds::Served(slot.clone());
    let admission_policies = AdmissionPolicies::new(&slot);
    let signer = issuer.clone();
    let parts = Parts {
        store: store.clone(),
        catalog,
        authn,
        issuer,
        discovery,
        shown,
        clock: clock.clone(),
        lifecycle: lifecycle.clone(),
        slot,
        policies: policies.clone(),
        webhooks: hooks.clone(),
        settings,
        admission_policies: admission_policies.clone(),
    };
    let gate = build::gate(&config, parts)?;
    tokio::spawn(customs::start(&gate));
    tokio::spawn(webhooks::start(&gate, &hooks));
    tokio::spawn(aggregation::start(&gate));
    admission_policies.follow(&gate);
    let listener = listen::bind(config.serving.address, config.serving.sharing)
        .map_err(|e| format!("listen on {}: {e}", config.serving.address))?;
    let address = listener.local_addr()?;
    let upkeep = build::upkeep(&config, address);
    gate.endpoints.reached_at(SocketAddr::new(upkeep.advertise_address, upkeep.secure_port));
    let world = Arc::new(LocalWorld::new(&gate, User::loopback()));
    let producer = Arc::new(LocalWorld::new(&gate, User::loopback()).owning_as(bootstrap::PRODUCER));
    bootstrap::run(world.as_ref(), producer.as_ref(), &upkeep, clock.now()).await?;
    trust::publish(world.as_ref(), &own.client_ca, &own.proxy_ca, &config.identity.front_proxy).await?;
    // What guards the cluster is in force before anybody can ask for anything.
    policies.load().await;
    tokio::spawn(policies.follow());
    let root_ca: Arc<str> = String::from_utf8_lossy(&own.server_ca).into();
    let named = build::lease_identity(&upkeep);
    let served: controllers::Served = Arc::new(move || kinds.catalog());
    let sign: controllers::Sign =
        Arc::new(move |account, secret| signer.issue_legacy(account, secret).map_err(|error| error.to_string()));
    let manager = world.acting_as(client::program(), client::PROGRAM, "shared-informers");
    let context = controllers::Context {
        world: world.clone(),
        clients: clients(&manager),
        clock: clock.clone(),
        served,
        shares_storage: matches!(config.engine, Engine::Etcd(_)),
        root_ca,
        sign,
    };
    let lease = identity_lease::start(context.clone(), named.clone()).await;
    let context = controllers::Context { world: Arc::new(manager), ..context };
    let check = build::check(&gate);
    let kept = controllers::Upkeep { settings: upkeep.clone(), world: world.clone(), producer, check };
    let controllers = controllers::start(context, &config.controllers, Some(kept));
    gate.metrics.also(controllers.meter());
    let tls = tls::server_config(tls::Settings {
        certificates,
        client_roots: told_roots,
        lowest: config.serving.lowest,
        cipher_suites: config.serving.cipher_suites.clone(),
        protocols: if config.serving.http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] },
    })?;
    let settings = listen::Settings { tls, streams_max: config.serving.streams_max, deadlines: listen::Deadlines::default() };
    let serving = tokio::spawn(listen::serve(listener, settings, lifecycle.clone(), service(gate.clone())));
    let kubeconfig = config.data_dir.join("admin.kubeconfig");
    let told = own.write_kubeconfig(&kubeconfig, address)?;
    tracing::info!(%address, kubeconfig = %if told { kubeconfig.display().to_string() } else { "none".into() }, "serving");
    tokio::spawn(reloads.run());
    tokio::spawn(renew(own, kubeconfig, address, clock));
    tokio::select! {
        () = lifecycle.reached(Stage::Draining) => {}
        reason = store.engine().failed() => return Err(format!("storage failed, so nothing more can be acknowledged: {reason}").into()),
    }
    drop((controllers, lease));
    leave(&world, &upkeep, &named).await;
    drain(&config, &gate, serving).await;
    store.engine().close().await?;
    tracing::info!("ended");
    Ok(())
}

type Answer = std::pin::Pin<Box<dyn Future<Output = http::Response<body::Body>> + Send>>;

fn service(
    gate: Arc<Gate>,
) -> impl Fn(Arc<listen::Peer>, http::Request<hyper::body::Incoming>) -> Answer + Clone + Send + Sync + 'static {
    move |peer, request| {
        let gate = gate.clone();
        Box::pin(async move { path::run(gate, peer, request.map(body::incoming)).await })
    }
}

/// The controllers' clients of the same server.
fn clients(manager: &LocalWorld) -> client::Clients {
    let manager = manager.clone();
    Arc::new(move |client| Arc::new(manager.acting_as(client.user(), client::PROGRAM, &client.part())))
}

/// Tells others that this server is gone; what cannot be told ends by itself.
async fn leave(world: &LocalWorld, upkeep: &bootstrap::Settings, named: &identity_lease::Identity) {
    if tokio::time::timeout(LEASE_RELEASE_MAX, identity_lease::release(world, named)).await.is_err() {
        tracing::warn!("the identity lease stays until it expires");
    }
    match tokio::time::timeout(LEASE_RELEASE_MAX, bootstrap::release(world, upkeep)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the kubernetes Service leads here until others notice"),
        Err(_) => tracing::warn!("the kubernetes Service leads here until others notice"),
    }
}

/// Waits for what is being served, then for the audit log.
async fn drain(config: &Config, gate: &Gate, serving: tokio::task::JoinHandle<()>) {
    let patience = config.requests.timeout.max(config.watch_grace);
    if tokio::time::timeout(patience, serving).await.is_err() {
        tracing::warn!("connections still open are cut");
    }
    if tokio::time::timeout(AUDIT_FLUSH_MAX, gate.audit.flush()).await.is_err() {
        tracing::error!("the audit log could not be written to its end");
    }
}

/// SIGTERM and SIGINT: not ready at once, draining after the delay; a second signal ends the delay.
fn end_on_signal(lifecycle: Lifecycle, delay: Duration) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let mut asked = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        asked().await;
        tracing::info!("asked to end");
        lifecycle.advance(Stage::ShuttingDown);
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = asked() => {}
        }
        lifecycle.advance(Stage::Draining);
    });
    Ok(())
}

async fn renew(own: Own, kubeconfig: PathBuf, address: SocketAddr, clock: Arc<dyn Clock>) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        let renewed = own.ensure(clock.now()).and_then(|()| own.write_kubeconfig(&kubeconfig, address));
        if let Err(error) = renewed {
            tracing::error!(error = %crate::chain(&error), "certificates not renewed; tried again later");
        }
    }
}

fn policy_options(config: &Config) -> policy::Options {
    let reach = Reach::Listed(config.policy_registries.clone());
    let registries = Registries::new(reach, config.policy_registry_config.clone()).keeping(config.data_dir.join("registry"));
    policy::Options {
        policy_dir: config.policy_dir.clone(),
        module_dir: config.policy_module_dir.clone(),
        artifacts: Some(config.data_dir.join("wasm")),
        threads: 0,
        compiler: Some(compile::compiler(config.policy_compile_limit)),
        guests: config.policy_guests.clone(),
        registry: (!config.policy_registries.is_empty()).then(|| Arc::new(registries) as Arc<dyn policy::registry::Registry>),
    }
}

/// Every connection is a file; the soft limit of most systems, 1024, would be reached by a small cluster.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "limit of open files not raised");
    }
}
