//! From settings to a running server and to its end: store, identity, gate, listener, drain. Reads from the top.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use model::Clock;
use model::clock::SystemClock;
use server::accounts::Accounts;
use server::endpoints::Endpoints;
use server::health::Health;
use server::lifecycle::{Lifecycle, Stage};
use server::{listen, tls};
use store::Store;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, Engine};
use crate::identity::Identity;

/// How long the audit log may take to write what is left, at the very end.
const AUDIT_FLUSH_MAX: Duration = Duration::from_secs(10);

/// Serves until asked to end. Fails when something cannot be set up.
pub(crate) fn run(config: Config) -> Result<(), Box<dyn Error>> {
    raise_file_limit();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), Box<dyn Error>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let lifecycle = Lifecycle::default();
    let asked_to_end = end_on_signal(lifecycle.clone(), config.shutdown_delay)?;
    let store = open_store(&config)?;
    let identity = Identity::prepare(&config, Arc::new(Accounts::new(&store)), clock.now())?;
    let audit = open_audit(&config, clock.clone())?;
    let listener = listen::bind(config.serving.address, config.serving.sharing)?;
    let address = listener.local_addr()?;
    let kubeconfig = config.data_dir.join("admin.kubeconfig");
    let told = identity.own.write_kubeconfig(&kubeconfig, address)?;
    let tls = tls::server_config(tls::Settings {
        certificates: identity.certificates.clone(),
        client_roots: identity.told_roots.clone(),
        lowest: config.serving.lowest,
        cipher_suites: config.serving.cipher_suites.clone(),
        protocols: if config.serving.http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] },
    })?;
    tokio::spawn(identity.reloads.run());
    let metrics = server::metrics::Metrics::new()?;
    let endpoints = Arc::new(Endpoints::new(Health::new(Vec::new(), lifecycle.clone()), identity.discovery));
    let app = move |_peer: Arc<listen::Peer>, request: http::Request<hyper::body::Incoming>| {
        let answer = endpoints.answer(&metrics, request.method(), request.uri().path(), request.uri().query().unwrap_or(""));
        let answer = answer.unwrap_or_else(|| http::Response::new(model::Status::page_not_found().to_object().to_string().into()));
        async move { answer.map(http_body_util::Full::new) }
    };
    tracing::info!(%address, kubeconfig = %if told { kubeconfig.display().to_string() } else { "none".into() }, "serving");
    let serving = tokio::spawn(listen::serve(listener, listen::Settings { tls, streams_max: config.serving.streams_max, deadlines: listen::Deadlines::default() }, lifecycle.clone(), app));
    asked_to_end.await?;
    lifecycle.reached(Stage::Draining).await;
    let patience = config.requests.timeout.max(config.watch_grace);
    if tokio::time::timeout(patience, serving).await.is_err() {
        tracing::warn!("connections still open are cut");
    }
    if tokio::time::timeout(AUDIT_FLUSH_MAX, audit.flush()).await.is_err() {
        tracing::error!("the audit log could not be written to its end");
    }
    tracing::info!("ended");
    Ok(())
}

/// SIGTERM and SIGINT: not ready at once, draining after the delay; a second signal ends the delay.
fn end_on_signal(lifecycle: Lifecycle, delay: Duration) -> std::io::Result<tokio::task::JoinHandle<()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::spawn(async move {
        let mut asked = async || tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        };
        asked().await;
        tracing::info!("asked to end");
        lifecycle.advance(Stage::ShuttingDown);
        tokio::select! {
            () = tokio::time::sleep(delay) => (),
            () = asked() => (),
        }
        lifecycle.advance(Stage::Draining);
    }))
}

fn open_store(config: &Config) -> std::io::Result<Store> {
    match config.engine {
        Engine::Memory | Engine::Disk => Store::memory(),
    }
}

fn open_audit(config: &Config, clock: Arc<dyn Clock>) -> Result<audit::Log, Box<dyn Error>> {
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

/// Every connection is a file; the soft limit of most systems, 1024, would be reached by a small cluster.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "limit of open files not raised");
    }
}
