//! The paths that are no resources: health, version, metrics, and how tokens are verified elsewhere.
//! Decides nothing about who may read them; the path has done so before.

use std::sync::OnceLock;

use authn::service_account::discovery;
use bytes::Bytes;
use codec::negotiate;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Response, StatusCode};
use model::Status;

use crate::answer::method_not_allowed;
use crate::call::Call;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::pages::Process;
use crate::version;

const PLAIN: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
const PROCESS_START: HeaderName = HeaderName::from_static("process-start-time-unix");

/// What answers on these paths.
pub struct Endpoints {
    health: Health,
    version: Bytes,
    tokens: TokenDiscovery,
    /// What is told of the process.
    pub process: Process,
    address: OnceLock<String>,
}

/// The documents by which others verify our tokens; empty ones are not served.
#[derive(Default)]
pub struct TokenDiscovery {
    /// `/.well-known/openid-configuration`.
    pub configuration: Bytes,
    /// `/openid/v1/jwks`.
    pub jwks: Bytes,
}

impl Endpoints {
    /// Prepares the answers that never change.
    pub fn new(health: Health, tokens: TokenDiscovery, process: Process) -> Self {
        // Upstream indents this document, and people read it with curl.
        let version = format!("{:#}", version::document());
        Self { health, version: version.into(), tokens, process, address: OnceLock::new() }
    }

    /// Tells where clients outside reach this server; the first one holds.
    pub fn reached_at(&self, address: impl std::fmt::Display) {
        self.address.get_or_init(|| address.to_string());
    }

    /// Where clients outside reach this server; until that is known, the address by which this one came.
    pub fn address<'a>(&'a self, call: &'a Call) -> &'a str {
        self.address.get().map_or_else(|| call.header("host"), String::as_str)
    }

    /// Answers a request, if its path is one of these. Fails as the routes among them do, for other methods than GET and for
    /// readers of something else.
    pub fn answer(&self, metrics: &Metrics, call: &Call) -> Option<Result<Response<Bytes>, Status>> {
        let (path, query) = (call.info.path.as_str(), call.uri.split_once('?').map_or("", |(_, query)| query));
        if let Some(text) = self.health.answer(path, query) {
            let mut answer = response(StatusCode::from_u16(text.code).unwrap_or(StatusCode::OK), PLAIN, text.body.into());
            // A single check that holds says so without the header, as upstream.
            if text.code != 200 || !path[1..].contains('/') {
                answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            }
            return Some(Ok(answer));
        }
        match path {
            "/version" | "/version/" => Some(routed(call, JSON).map(|()| response(StatusCode::OK, JSON, self.version.clone()))),
            "/metrics" if call.method == Method::DELETE => {
                metrics.reset();
                Some(Ok(response(StatusCode::OK, PLAIN, Bytes::from_static(b"metrics reset\n"))))
            }
            "/metrics" => Some(Ok(self.metrics(metrics.text()))),
            "/metrics/slis" if call.method == Method::DELETE => {
                self.health.reset_slis();
                Some(Ok(response(StatusCode::OK, PLAIN, Bytes::from_static(b"metrics reset\n"))))
            }
            "/metrics/slis" => Some(Ok(self.metrics((self.health.slis() + &self.start_time()).into_bytes()))),
            _ if path.starts_with("/version/") => Some(Err(Status::page_not_found())),
            _ => self.verifying(call, path),
        }
    }

    /// The paths that lie here, sorted.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = self.health.paths();
        paths.extend(["/metrics", "/metrics/slis", "/version"].map(str::to_owned));
        paths.extend(self.documents().map(|(path, ..)| path.to_owned()));
        paths.sort();
        paths
    }

    /// When the process began, as a metric.
    fn start_time(&self) -> String {
        const NAME: &str = "process_start_time_seconds";
        let seconds = self.process.started.as_duration().as_secs_f64();
        format!(
            "# HELP {NAME} [ALPHA] Start time of the process since unix epoch in seconds.\n# TYPE {NAME} gauge\n{NAME} {seconds}\n"
        )
    }

    fn metrics(&self, text: Vec<u8>) -> Response<Bytes> {
        let mut answer = response(StatusCode::OK, METRICS, text.into());
        answer.headers_mut().insert(PROCESS_START, HeaderValue::from(self.process.started.as_second()));
        answer
    }

    /// The documents by which others verify our tokens, as far as they are served.
    fn documents(&self) -> impl Iterator<Item = (&'static str, &'static str, &Bytes)> {
        let all = [
            (discovery::CONFIGURATION_PATH, JSON, &self.tokens.configuration),
            (discovery::JWKS_PATH, discovery::JWKS_MEDIA_TYPE, &self.tokens.jwks),
        ];
        all.into_iter().filter(|(.., body)| !body.is_empty())
    }

    /// Upstream's router has these, and says itself that nothing lies below them.
    fn verifying(&self, call: &Call, path: &str) -> Option<Result<Response<Bytes>, Status>> {
        let (below, (_, media_type, body)) =
            self.documents().find_map(|document| Some((path.strip_prefix(document.0)?, document)))?;
        match below {
            "" | "/" => Some(routed(call, media_type).map(|()| {
                let mut answer = response(StatusCode::OK, media_type, body.clone());
                answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(discovery::CACHE_CONTROL));
                answer
            })),
            below => below.starts_with('/').then(|| Err(Status::page_not_found())),
        }
    }
}

/// What upstream's router asks of a request to one of its routes.
fn routed(call: &Call, media_type: &str) -> Result<(), Status> {
    if call.method != Method::GET {
        return Err(method_not_allowed());
    }
    negotiate::route(call.header("accept"), &[media_type])
}

fn response(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}
