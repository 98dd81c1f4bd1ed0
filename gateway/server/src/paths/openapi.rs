//! `/openapi/v2` and `/openapi/v3`, found, negotiated and sent as `k8s.io/kube-openapi/pkg/handler` and `handler3` do.
//! Rendered on a thread that may block.

use std::sync::Arc;

use bytes::Bytes;
use catalog::Document;
use catalog::openapi::Form;
use codec::negotiate;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, EXPIRES, HeaderValue, LOCATION, VARY};
use http::{HeaderName, Response, StatusCode};
use jiff::ToSpan;
use model::Status;

use crate::answer::{Answer, Content};
use crate::call::Call;
use crate::documents::{self, packed};
use crate::respond::gzip;
use crate::served::Snapshot;

const JSON: &str = "application/json";
/// What is accepted, and what an answer in it is called: the names with `@` are those that clients used first.
const V2: [(&str, &str, Form); 3] = [
    (JSON, JSON, Form::Json),
    (
        "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
        Form::Protobuf,
    ),
    (
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
        Form::Protobuf,
    ),
];
const V3: [(&str, &str, Form); 3] = [
    (JSON, JSON, Form::Json),
    (
        "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
        "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
        Form::Protobuf,
    ),
    (
        "application/com.github.proto-openapi.spec.v3@v1.0+protobuf",
        "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
        Form::Protobuf,
    ),
];

/// Serves a path below `/openapi`; any method, as upstream.
pub(super) async fn run(served: &Arc<Snapshot>, call: &Call) -> Result<Answer, Status> {
    let response = match call.info.path.as_str() {
        "/openapi/v2" => v2(served, call).await?,
        "/openapi/v3" => index(served, call).await?,
        path => match path.strip_prefix("/openapi/v3/") {
            Some(version) => v3(served, call, version).await?,
            None => return Ok(Answer::not_found()),
        },
    };
    Ok(Answer::new(response.status().as_u16(), Content::Response(response)))
}

async fn v2(served: &Arc<Snapshot>, call: &Call) -> Result<Response<Bytes>, Status> {
    // Whoever compresses tells so of what is not compressed too.
    let vary = |mut response: Response<Bytes>| {
        response.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        response.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
        response
    };
    let Some((content_type, form)) = pick(call, &V2) else { return Ok(vary(bare(StatusCode::NOT_ACCEPTABLE))) };
    let document = rendered(served, call, move |served| Some(served.openapi.v2(form).clone())).await?;
    Ok(vary(document.map_or_else(|| bare(StatusCode::NOT_FOUND), |found| found.serve(served, call, content_type))))
}

/// Upstream puts it together for each reader: of this moment, no tag, and a media type that its first bytes look like.
async fn index(served: &Arc<Snapshot>, call: &Call) -> Result<Response<Bytes>, Status> {
    let document = rendered(served, call, |served| Some(served.openapi.index().clone())).await?;
    let Some(Rendered { document, packed }) = document else { return Ok(bare(StatusCode::NOT_FOUND)) };
    let content_type = "text/plain; charset=utf-8";
    Ok(documents::serve(call, documents::Content { document, packed, content_type, tagged: false, made: call.now }))
}

async fn v3(served: &Arc<Snapshot>, call: &Call, version: &str) -> Result<Response<Bytes>, Status> {
    let picked = pick(call, &V3);
    let (path, form) = (version.to_owned(), picked.map_or(Form::Json, |(_, form)| form));
    let document = rendered(served, call, move |served| served.openapi.v3(&path, form).cloned()).await?;
    let mut response = match (document, picked) {
        (None, _) => return Ok(bare(StatusCode::NOT_FOUND)),
        (Some(_), None) => bare(StatusCode::NOT_ACCEPTABLE),
        (Some(found), Some((content_type, _))) => match call.query.text("hash") {
            "" => found.serve(served, call, content_type),
            hash if hash == found.document.tag() => lasting(found.serve(served, call, content_type), call),
            _ => moved(call, &found.document, content_type),
        },
    };
    response.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

fn pick(call: &Call, offered: &[(&'static str, &'static str, Form); 3]) -> Option<(&'static str, Form)> {
    let accepted = negotiate::pick(call.header("accept"), &offered.map(|(accepted, _, _)| accepted))?;
    offered.iter().find(|(name, _, _)| *name == accepted).map(|(_, content_type, form)| (*content_type, *form))
}

/// A document, with its compressed bytes if this client takes them.
struct Rendered {
    document: Document,
    packed: Option<Bytes>,
}

async fn rendered(
    served: &Arc<Snapshot>,
    call: &Call,
    of: impl FnOnce(&Snapshot) -> Option<Document> + Send + 'static,
) -> Result<Option<Rendered>, Status> {
    let (served, accepted) = (served.clone(), gzip::accepted(call));
    let work = move || of(&served).map(|document| Rendered { packed: packed(&document, accepted), document });
    tokio::task::spawn_blocking(work).await.map_err(|error| Status::internal(format_args!("render OpenAPI: {error}")))
}

impl Rendered {
    fn serve(self, served: &Snapshot, call: &Call, content_type: &'static str) -> Response<Bytes> {
        let Self { document, packed } = self;
        documents::serve(call, documents::Content { document, packed, content_type, tagged: true, made: served.since })
    }
}

/// The address changes with the content, so what lies there may be kept for as long as HTTP knows.
fn lasting(mut response: Response<Bytes>, call: &Call) -> Response<Bytes> {
    let year = call.now.to_zoned(jiff::tz::TimeZone::UTC).checked_add(1.year());
    let expires = year.map(|then| then.strftime("%a, %d %b %Y %H:%M:%S UTC").to_string()).unwrap_or_default();
    for (name, value) in [(CACHE_CONTROL, "public, immutable"), (EXPIRES, expires.as_str())] {
        set(&mut response, name, value);
    }
    response
}

/// Whoever asks for a content that is not current is sent to the one that is.
fn moved(call: &Call, document: &Document, content_type: &str) -> Response<Bytes> {
    let mut response = bare(StatusCode::MOVED_PERMANENTLY);
    let place = format!("{}?hash={}", call.info.path, document.tag());
    for (name, value) in [(LOCATION, place.as_str()), (CONTENT_TYPE, content_type), (http::header::ETAG, &*document.etag)] {
        set(&mut response, name, value);
    }
    response
}

fn bare(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

fn set(response: &mut Response<Bytes>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
