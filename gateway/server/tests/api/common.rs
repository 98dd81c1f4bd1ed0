//! A whole server in the process, spoken to without a socket.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use admission::Plugin;
use bytes::Bytes;
use catalog::Catalog;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use model::clock::SystemClock;
use model::{Clock, Value};
use server::body::{self, Body};
use server::endpoints::{Endpoints, TokenDiscovery};
use server::gate::{Gate, Limits};
use server::health::Health;
use server::lifecycle::Lifecycle;
use server::listen::Peer;
use server::metrics::Metrics;
use server::pages::Process;
use server::served::Served;
use tempfile::TempDir;

/// What came back.
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or("").to_owned()
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.headers.get_all("warning").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    /// The answer, if it has this code.
    pub(crate) fn ok(self, code: u16) -> Self {
        assert_eq!(self.code, code, "{}", self.text());
        self
    }
}

/// A server, and the folder that it has of its own.
pub(crate) struct Server(pub(crate) Arc<Gate>, #[expect(dead_code, reason = "it goes when the server does")] Option<TempDir>);

/// What a test changes of the usual server.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) plugins: Vec<Box<dyn Plugin>>,
    pub(crate) store: store::Limits,
    /// The store, where it is not an empty one.
    pub(crate) opened: Option<store::Store>,
    pub(crate) audit: Option<audit::Log>,
    /// How long reads wait for a revision of the future: not at all, unless told.
    pub(crate) revision_wait: Duration,
}

/// A server without admission.
pub(crate) fn server() -> Server {
    server_with(Setup::default())
}

pub(crate) fn server_with(setup: Setup) -> Server {
    let catalog = Arc::new(Catalog::builtin().expect("the committed tables are readable"));
    let (store, folder) = match setup.opened {
        Some(store) => (store, None),
        None => empty(setup.store),
    };
    let rbac = Arc::new(authz::Rbac::new(authz::Live::new(&store)));
    let lifecycle = Lifecycle::default();
    let authn = authn::Chain {
        tokens: Some(
            authn::token_file::Tokens::parse("secret,admin,1,system:masters\nweak,nobody,2").expect("the token file is readable"),
        ),
        ..authn::Chain::default()
    };
    let gate = Arc::new(Gate {
        served: Served::new(catalog, SystemClock.now()),
        components: &[],
        flow_schemas: flow::Schemas::new(&store),
        looked: server::looked::Looked::default(),
        store,
        authn,
        authz: Arc::new(authz::Chain::new(&[authz::Mode::Rbac], rbac)),
        admission: admission::Chain::new(setup.plugins),
        client: server::client::Client::default(),
        aggregation: server::aggregation::Aggregation::new(None, server::aggregation::Redirects::Refused),
        policies: None,
        audit: setup.audit.unwrap_or_else(audit::Log::off),
        flow: flow::Seats::new(0, 0),
        clock: Arc::new(SystemClock),
        tokens: None,
        endpoints: Endpoints::new(
            Health::new(Vec::new(), lifecycle.clone()),
            TokenDiscovery::default(),
            Process::new(SystemClock.now()),
        ),
        metrics: Metrics::new().expect("no two metrics have one name"),
        lifecycle,
        limits: Limits { revision_wait: setup.revision_wait, ..Limits::default() },
    });
    Server(gate, folder)
}

/// An empty store, and the folder that it lies in if it does.
fn empty(limits: store::Limits) -> (store::Store, Option<TempDir>) {
    if !crate::ON_DISK {
        return (store::Store::memory_with(Arc::new(SystemClock), limits).expect("a thread can be started"), None);
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let store = store::Store::disk(folder.path(), Arc::new(SystemClock), limits).expect("a store can be made in it");
    (store, Some(folder))
}

/// An audit log in a folder, of all that there is to tell.
pub(crate) fn audit_log(folder: &Path) -> audit::Log {
    let policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: RequestResponse\n";
    let path = folder.join("audit.log");
    let settings = audit::file::Settings { path, size_max_mb: 0, age_max_days: 0, backups_max: 0, compress: false };
    let policy = audit::Policy::parse(policy).expect("a policy");
    audit::Log::open(policy, audit::log::Sink::File(settings), Arc::new(SystemClock)).expect("a file can be made")
}

/// What it holds by now.
pub(crate) async fn events(server: &Server, folder: &Path) -> Vec<Value> {
    server.0.audit.flush().await;
    let text = std::fs::read_to_string(folder.join("audit.log")).expect("the log is there");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is an event")).collect()
}

impl Server {
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let response = self.open(method, path, headers, body).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the body ends well").to_bytes();
        Answer { code: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// The response with its body still to come.
    pub(crate) async fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> http::Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header("authorization", "Bearer secret");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body::full(body)).expect("the request is well-formed");
        let address: SocketAddr = "127.0.0.1:1".parse().expect("an address");
        let peer = Arc::new(Peer::new(address, authn::Certificates::default()));
        server::path::run(self.0.clone(), peer, request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, object: Value) -> Answer {
        self.send("POST", path, &[], object.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, object: Value) -> Answer {
        self.send("PUT", path, &[], object.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, kind: &str, patch: Value) -> Answer {
        let content_type = format!("application/{kind}");
        self.send("PATCH", path, &[("content-type", &content_type)], patch.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], "").await
    }
}
