//! The paths that are no resources: health, version, metrics, and how tokens are verified elsewhere.
//! Decides nothing about who may read them; the path has done so before.

use authn::service_account::discovery;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::health::Health;
use crate::metrics::Metrics;
use crate::version;

const PLAIN: &str = "text/plain; charset=utf-8";

/// What answers on these paths.
pub struct Endpoints {
    health: Health,
    version: Bytes,
    configuration: Bytes,
    jwks: Bytes,
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
    pub fn new(health: Health, tokens: TokenDiscovery) -> Self {
        // Upstream indents this document, and people read it with curl.
        let version = format!("{:#}", version::document());
        Self { health, version: version.into(), configuration: tokens.configuration, jwks: tokens.jwks }
    }

    /// Answers a request, if its path is one of these.
    pub fn answer(&self, metrics: &Metrics, method: &Method, path: &str, query: &str) -> Option<Response<Bytes>> {
        if let Some(text) = self.health.answer(path, query) {
            let mut answer = response(StatusCode::from_u16(text.code).unwrap_or(StatusCode::OK), PLAIN, text.body.into());
            answer.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
            return Some(answer);
        }
        let answer = match path {
            "/version" | "/version/" => response(StatusCode::OK, "application/json", self.version.clone()),
            "/metrics" => response(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", metrics.text().into()),
            discovery::CONFIGURATION_PATH if !self.configuration.is_empty() => cached("application/json", &self.configuration),
            discovery::JWKS_PATH if !self.jwks.is_empty() => cached(discovery::JWKS_MEDIA_TYPE, &self.jwks),
            _ => return None,
        };
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Some(response(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "405: Method Not Allowed".into()));
        }
        Some(answer)
    }
}

fn cached(media_type: &'static str, body: &Bytes) -> Response<Bytes> {
    let mut answer = response(StatusCode::OK, media_type, body.clone());
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(discovery::CACHE_CONTROL));
    answer
}

fn response(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}
