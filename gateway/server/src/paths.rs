//! Requests about no resource: discovery, OpenAPI, and what `endpoints` serves (health, version, metrics).
//! The documents are the catalog's; here they are found and sent.

use bytes::Bytes;
use catalog::Catalog;
use catalog::discovery::{Discovery, Document};
use catalog::openapi::OpenApi;
use codec::negotiate::{self, Endpoint, Media};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, LOCATION, VARY};
use http::{Method, Response, StatusCode};
use model::Status;
use serde_json::json;

use crate::answer::{Answer, Content, method_not_allowed};
use crate::call::Call;
use crate::gate::Gate;

/// Serves a request that is about no resource.
pub fn run(gate: &Gate, call: &mut Call) -> Result<Answer, Status> {
    if call.info.path == "/version" {
        only_reads(call)?;
        negotiate::route(call.header("accept"), &[Media::Json.as_str()])?;
    }
    let query = call.uri.split_once('?').map_or("", |(_, query)| query);
    if let Some(response) = gate.endpoints.answer(&gate.metrics, &call.method, &call.info.path, query) {
        return Ok(Answer::new(response.status().as_u16(), Content::Response(response)));
    }
    let path = call.info.path.trim_matches('/').to_owned();
    let segments: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
    let served = gate.served.snapshot();
    let discovery = &served.discovery;
    let document = match segments[..] {
        [] => Some(index(&served.catalog)),
        ["api"] => return aggregated(call, discovery.aggregated_core(), core_versions(discovery, call)),
        ["apis"] => return aggregated(call, discovery.aggregated_groups(), discovery.groups().body.clone()),
        ["api", version] => discovery.version("", version).map(|document| document.body.clone()),
        ["openapi", "v2"] => return openapi_v2(&served.openapi, call),
        ["openapi", "v3"] => return openapi(call, served.openapi.index()),
        ["openapi", "v3", ..] => match served.openapi.v3(&segments[2..].join("/")) {
            Some(document) => return openapi(call, document),
            None => None,
        },
        ["apis", group] => discovery.group(group).map(|document| document.body.clone()),
        ["apis", group, version] => discovery.version(group, version).map(|document| document.body.clone()),
        _ => None,
    };
    match (document, &segments[..]) {
        (None, ["api", ..]) => crate::verbs::nothing_served(&served.catalog, ""),
        (None, ["apis", group, ..]) => crate::verbs::nothing_served(&served.catalog, group),
        (None, _) => Ok(Answer::not_found()),
        (Some(document), _) => plain(call, document),
    }
}

fn core_versions(discovery: &Discovery, call: &Call) -> Bytes {
    // Whatever address the client came by works for it.
    discovery.core_versions(call.header("host"))
}

fn plain(call: &mut Call, document: Bytes) -> Result<Answer, Status> {
    only_reads(call)?;
    call.output = negotiate::output(call.header("accept"), Endpoint::Plain)?;
    Ok(Answer::new(200, Content::Json(document)))
}

/// `/api` and `/apis` have a form that holds everything, for clients that ask for it.
fn aggregated(call: &mut Call, whole: &Document, plain: Bytes) -> Result<Answer, Status> {
    only_reads(call)?;
    call.output = negotiate::output(call.header("accept"), Endpoint::Discovery)?;
    let Some(convert) = call.output.convert.take() else { return Ok(Answer::new(200, Content::Json(plain))) };
    let content_type = format!("{};g={};v={};as={}", Media::Json.as_str(), convert.group, convert.version, convert.kind);
    let mut response = tagged(call, whole.body.clone(), whole, &content_type);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public"));
    Ok(Answer::new(response.status().as_u16(), Content::Response(response)))
}

/// A document with the hash of its content in its address may be kept for long.
fn openapi(call: &Call, document: &Document) -> Result<Answer, Status> {
    only_reads(call)?;
    let hash = document.etag.trim_matches('"');
    if call.query.get("hash").is_some_and(|asked| asked != hash) {
        return moved(call, hash);
    }
    let mut response = tagged(call, document.body.clone(), document, Media::Json.as_str());
    if call.query.get("hash").is_some() {
        // The address changes with the content, as upstream says.
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
    }
    Ok(Answer::new(response.status().as_u16(), Content::Response(response)))
}

/// Whoever asks for a content that is not current is sent to the one that is.
fn moved(call: &Call, hash: &str) -> Result<Answer, Status> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(place) = HeaderValue::from_str(&format!("{}?hash={hash}", call.info.path)) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(Answer::new(301, Content::Response(response)))
}

/// JSON only: the protobuf form, which kubectl asks for first, is not written yet.
fn openapi_v2(documents: &OpenApi, call: &Call) -> Result<Answer, Status> {
    let accept = call.header("accept");
    let json = ["application/json", "*/*", "application/*"].iter().any(|media| accept.contains(media));
    if !accept.is_empty() && !json {
        return Err(Status::not_acceptable(&[Media::Json.as_str()]));
    }
    openapi(call, documents.v2())
}

/// A response with its entity tag, or 304 for a client that has it.
fn tagged(call: &Call, body: Bytes, document: &Document, content_type: &str) -> Response<Bytes> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    for (name, value) in [(ETAG, document.etag.as_str()), (CONTENT_TYPE, content_type)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    if call.headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == document.etag.as_bytes()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Bytes::new();
    }
    response
}

/// `/`: every path there is.
fn index(catalog: &Catalog) -> Bytes {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned(), "/apis/".to_owned()];
    for group in catalog.groups().iter().filter(|group| !group.name.is_empty()) {
        paths.push(format!("/apis/{}", group.name));
        paths.extend(group.versions.iter().map(|version| format!("/apis/{}", group.api_version(version))));
    }
    paths.extend(["/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"].map(str::to_owned));
    paths.sort();
    crate::respond::line(&json!({"paths": paths}))
}

fn only_reads(call: &Call) -> Result<(), Status> {
    if matches!(call.method, Method::GET | Method::HEAD) { Ok(()) } else { Err(method_not_allowed()) }
}
