//! Requests about no resource: discovery, OpenAPI (`openapi`), what `endpoints` serves (health, version, metrics) and what
//! `pages` tell of the process. The documents are the catalog's; here they are found and sent.

mod openapi;

use bytes::Bytes;
use catalog::Document;
use codec::negotiate::{self, Endpoint};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, VARY};
use http::{Method, Response, StatusCode};
use model::Status;
use model::json::json;

use crate::answer::{Answer, Content, method_not_allowed};
use crate::call::Call;
use crate::gate::Gate;
use crate::served::Snapshot;

/// Serves a request that is about no resource.
pub async fn run(gate: &Gate, call: &mut Call) -> Result<Answer, Status> {
    if let Some(answer) = gate.endpoints.answer(&gate.metrics, call) {
        let response = answer?;
        return Ok(Answer::new(response.status().as_u16(), Content::Response(response)));
    }
    let served = gate.served.snapshot();
    if let Some(answer) = gate.endpoints.process.answer(call, || paths(gate, &served)) {
        return answer;
    }
    if matches!(&*call.info.path, "" | "/" | "/index.html") {
        return Ok(index(gate, &served));
    }
    let path = call.info.path.trim_matches('/').to_owned();
    let segments: Vec<&str> = path.split('/').collect();
    let discovery = &served.discovery;
    let document = match segments[..] {
        ["openapi", ..] => return openapi::run(&served, call).await,
        ["api"] => {
            let versions = discovery.core_versions(gate.endpoints.address(call));
            routed(call)?;
            return aggregated(gate, call, discovery.aggregated_core(), versions);
        }
        // The aggregator's own paths, which look at no method.
        ["apis"] => return aggregated(gate, call, discovery.aggregated_groups(), discovery.groups().body.clone()),
        ["apis", group] => discovery.group(group).map(|document| document.body),
        ["api", version] => discovery.version("", version).map(|document| document.body.clone()),
        ["apis", group, version] => discovery.version(group, version).map(|document| document.body.clone()),
        _ => None,
    };
    let Some(document) = document else { return crate::verbs::nothing_served(&served.catalog, &call.info.path) };
    if !matches!(segments[..], ["apis", _]) {
        routed(call)?;
    }
    plain(call, document)
}

fn plain(call: &mut Call, document: Bytes) -> Result<Answer, Status> {
    call.output = negotiate::output(call.header("accept"), Endpoint::Plain)?;
    Ok(Answer::new(200, Content::Json(document)))
}

/// `/api` and `/apis` have a form that holds everything, for clients that ask for it.
fn aggregated(gate: &Gate, call: &mut Call, whole: &Document, plain: Bytes) -> Result<Answer, Status> {
    call.output = negotiate::output(call.header("accept"), Endpoint::Discovery)?;
    let Some(convert) = call.output.convert.take() else { return Ok(Answer::new(200, Content::Json(plain))) };
    let (media, body) = crate::respond::encode(gate, call, &call.output, whole.body.clone());
    let content_type = format!("{};g={};v={};as={}", media.as_str(), convert.group, convert.version, convert.kind);
    let mut response = tagged(call, body, whole, &content_type);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public"));
    Ok(Answer::new(response.status().as_u16(), Content::Response(response)))
}

/// A response with its entity tag, or 304 for a client that has it.
fn tagged(call: &Call, body: Bytes, document: &Document, content_type: &str) -> Response<Bytes> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    for (name, value) in [(ETAG, &*document.etag), (CONTENT_TYPE, content_type)] {
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

/// `/`: every path there is, indented, whatever is asked for.
fn index(gate: &Gate, served: &Snapshot) -> Answer {
    let text = format!("{:#}", json!({"paths": paths(gate, served)}));
    let mut response = Response::new(Bytes::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Answer::new(200, Content::Response(response))
}

fn paths(gate: &Gate, served: &Snapshot) -> Vec<String> {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned(), "/apis/".to_owned()];
    for group in served.catalog.groups().iter().filter(|group| !group.name.is_empty()) {
        paths.push(format!("/apis/{}", group.name));
        paths.extend(group.versions.iter().map(|version| format!("/apis/{}", group.api_version(version))));
    }
    paths.extend(["/flagz", "/openapi/v2", "/openapi/v3", "/openapi/v3/", "/statusz"].map(str::to_owned));
    paths.extend(gate.endpoints.paths());
    paths.extend(served.discovery.paths_elsewhere());
    paths.sort();
    paths.dedup();
    paths
}

/// Upstream's router knows GET only where it serves documents.
fn routed(call: &Call) -> Result<(), Status> {
    if call.method == Method::GET { Ok(()) } else { Err(method_not_allowed()) }
}
