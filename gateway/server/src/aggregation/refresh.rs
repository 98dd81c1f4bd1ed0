//! Asks extension servers what they serve, each again after a while, so that no client's request waits for that.
//! Follows `discoveryManager` and the OpenAPI aggregation controllers of `k8s.io/kube-aggregator`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catalog::services::{Freshness, Remote};
use http::{Response, StatusCode, header};
use model::user::MASTERS;
use model::{User, Value};

use super::ask::{self, Ask};
use super::{Route, discovery, openapi};
use crate::client::Endpoint;
use crate::gate::Gate;

/// How often a server that answers is asked. As upstream.
const EVERY: Duration = Duration::from_secs(60);
/// The first wait after a failure; each further one doubles it, up to [`EVERY`].
const RETRY: Duration = Duration::from_millis(500);
/// How long discovery may take.
const DISCOVERY_MAX: Duration = Duration::from_secs(5);
/// How long a document may take: some are large. As upstream.
const DOCUMENT_MAX: Duration = Duration::from_secs(60);
/// Discovery of a version with a thousand resources is a megabyte.
const DISCOVERY_BYTES_MAX: usize = 8 << 20;
/// Kubernetes' own document, the largest known, is four megabytes.
const DOCUMENT_BYTES_MAX: usize = 32 << 20;

const JSON: &str = "application/json";

/// Ends with the task that asks one server.
struct Asking(tokio::task::JoinHandle<()>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks every server that there is, for as long as it is there.
pub(super) async fn run(gate: Arc<Gate>) {
    let mut changes = gate.aggregation.changes.subscribe();
    let mut asking: HashMap<String, (Arc<Route>, Asking)> = HashMap::new();
    loop {
        let mut routes = gate.aggregation.all();
        asking.retain(|name, (known, _)| routes.get(name).is_some_and(|route| Arc::ptr_eq(route, known)));
        routes.retain(|name, _| !asking.contains_key(name));
        for (name, route) in routes {
            let task = tokio::spawn(follow(gate.clone(), route.clone()));
            asking.insert(name, (route, Asking(task)));
        }
        // The sender lives as long as the gate.
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn follow(gate: Arc<Gate>, route: Arc<Route>) {
    let (mut retry, mut tag) = (RETRY, String::new());
    loop {
        let (found, outcome) = look(&gate, &route, &mut tag).await;
        gate.aggregation.found(&gate, &route, found);
        let wait = match outcome {
            Ok(()) => {
                retry = RETRY;
                EVERY
            }
            Err(why) => {
                tracing::debug!(service = route.name, why, "an extension server did not say what it serves");
                let wait = retry;
                retry = (retry * 2).min(EVERY);
                wait
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// What is known of a server now, and what was in the way of knowing it.
async fn look(gate: &Gate, route: &Route, tag: &mut String) -> (Remote, Result<(), String>) {
    let mut found = gate.aggregation.last(route);
    let side = match &route.side {
        Ok(side) => side,
        Err(why) => return (Remote { freshness: Freshness::Stale, resources: Arc::default(), ..found }, Err(why.clone())),
    };
    let resources = resources(gate, (side, route), tag).await;
    let told = match resources {
        Ok(resources) => {
            found.freshness = Freshness::Current;
            if let Some(resources) = resources {
                found.resources = Arc::new(resources);
            }
            Ok(())
        }
        // As upstream, nothing is told of a version whose server cannot be asked, but that there is one.
        Err(why) => {
            tag.clear();
            (found.freshness, found.resources) = (Freshness::Stale, Arc::default());
            Err(why)
        }
    };
    if !route.is_available {
        return (found, told);
    }
    let described = describe(gate, (side, route), &mut found).await;
    (found, told.and(described))
}

/// Its resources; `None` where nothing changed.
async fn resources(gate: &Gate, (side, route): (&Arc<Endpoint>, &Route), tag: &mut String) -> Result<Option<Vec<Value>>, String> {
    let asked =
        |path, user, accept, etag| Ask { path, user, accept, etag, within: DISCOVERY_MAX, bytes_max: DISCOVERY_BYTES_MAX };
    let user = User::new("system:kube-aggregator", &[MASTERS]);
    let answer = ask::get(gate, side, &asked("/apis", user, discovery::AGGREGATED, tag)).await?;
    match answer.status() {
        StatusCode::NOT_MODIFIED if !tag.is_empty() => return Ok(None),
        StatusCode::SERVICE_UNAVAILABLE => return Err("the server said that it is unavailable".to_owned()),
        StatusCode::OK if discovery::is_aggregated(said(&answer, header::CONTENT_TYPE)) => {
            let document = parse(&answer)?;
            *tag = said(&answer, header::ETAG).to_owned();
            return Ok(Some(discovery::of_aggregated(&document, &route.group, &route.version)));
        }
        _ => {}
    }
    let path = format!("/apis/{}/{}", route.group, route.version);
    let answer = ask::get(gate, side, &asked(&path, User::new("system:kube-aggregator", &[]), JSON, "")).await?;
    match answer.status() {
        StatusCode::OK => Ok(Some(discovery::of_list(&parse(&answer)?))),
        code => Err(format!("{path} was answered with {code}")),
    }
}

/// Its OpenAPI documents. A server that has none is none the worse for it.
async fn describe(gate: &Gate, (side, route): (&Arc<Endpoint>, &Route), found: &mut Remote) -> Result<(), String> {
    let known = found.v2.clone();
    let asked = |path, etag| Ask {
        path,
        user: User::new("system:aggregator", &[]),
        accept: JSON,
        etag,
        within: DOCUMENT_MAX,
        bytes_max: DOCUMENT_BYTES_MAX,
    };
    let answer = ask::get(gate, side, &asked("/openapi/v3", "")).await?;
    found.v3 = match answer.status() {
        StatusCode::OK => Arc::new(openapi::index(&parse(&answer)?, route)),
        _ => Arc::default(),
    };
    let answer = ask::get(gate, side, &asked("/openapi/v2", openapi::known_tag(known.as_ref()))).await?;
    if answer.status() != StatusCode::NOT_MODIFIED {
        found.v2 = openapi::specification(&answer);
    }
    Ok(())
}

fn parse(answer: &Response<Bytes>) -> Result<Value, String> {
    serde_json::from_slice(answer.body()).map_err(|error| error.to_string())
}

fn said(answer: &Response<Bytes>, name: header::HeaderName) -> &str {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}
