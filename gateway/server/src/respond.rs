//! Turns an outcome into a response: encoding, headers, compression, the end of the audit record.
//! Decides nothing about the request.

pub(crate) mod gzip;
mod parts;
pub mod protobuf;
mod render;

use std::sync::Arc;

use bytes::Bytes;
use codec::go_json;
use codec::negotiate::{self, Endpoint, Media, Output};
use flow::Seat;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, VARY, WARNING,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Response, StatusCode};
use model::{Status, Value};

use crate::answer::{Answer, Content};
use crate::body::{self, Body};
use crate::call::{Call, Unreadable};
use crate::gate::Gate;
use crate::verbs::list::Listing;

pub(crate) use parts::Part;
pub use render::{BookmarkEnd, Shape, bookmark};

const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");
const FLOW_SCHEMA_UID: HeaderName = HeaderName::from_static("x-kubernetes-pf-flowschema-uid");
const PRIORITY_LEVEL_UID: HeaderName = HeaderName::from_static("x-kubernetes-pf-prioritylevel-uid");
const PLAIN: &str = "text/plain; charset=utf-8";
/// Characters of all warnings together, as upstream.
const WARNING_CHARACTERS_MAX: usize = 4 * 1024;

/// Turns the outcome of a request into its response and closes its audit record.
pub async fn send(gate: &Arc<Gate>, mut call: Call, outcome: Result<Answer, Status>) -> Response<Body> {
    annotate(&mut call);
    let outcome = match outcome {
        Ok(answer) => answer.converted(gate).await,
        Err(status) => Err(status),
    };
    let answer = match outcome.and_then(|answer| convertible(&call, answer)) {
        Ok(answer) => answer,
        Err(status) => return failed(gate, call, &status).await,
    };
    let (code, seat) = (answer.code, answer.seat);
    let mut response = match answer.content {
        Content::Raw(content_type, bytes) => whole(code, content_type, bytes),
        Content::Response(response) => packed(&call, response),
        Content::Passed(response) if call.is_long_running() => {
            call.record.started(code, gate.clock.now());
            let record = std::mem::replace(&mut call.record, audit::Record::none());
            let kept = (record, crate::count::running(gate, &call), seat);
            response.map(|body| body::holding(body, kept))
        }
        Content::Passed(response) => response.map(|body| body::within(body, seat, call.limit)),
        Content::Stream(content_type, body) => {
            call.record.started(code, gate.clock.now());
            let mut response = whole(code, content_type, Bytes::new());
            let record = std::mem::replace(&mut call.record, audit::Record::none());
            *response.body_mut() = body::holding(body, (record, crate::count::running(gate, &call)));
            response
        }
        Content::List(listing) => list(gate, &mut call, code, (*listing, seat)).await,
        content => object(gate, &mut call, code, content),
    };
    headers(&call, &mut response);
    close(gate, &mut call, code).await;
    response
}

/// Closes the audit record of a request from inside the process, whose answer nobody reads as bytes.
pub(crate) async fn record(gate: &Gate, mut call: Call, outcome: Result<Answer, Status>) {
    annotate(&mut call);
    let answer = match outcome {
        Ok(answer) => answer.converted(gate).await,
        Err(status) => Err(status),
    };
    let code = match answer {
        Ok(Answer { code, content, .. }) => {
            if call.record.wants_response_object() || matches!(content, Content::Status(_)) {
                told(&mut call, content);
            }
            code
        }
        Err(status) => {
            call.record.failed(&status);
            call.record.response_object(line(&status.to_object()));
            status.code
        }
    };
    call.record.close(code, gate.clock.now()).await;
}

/// What was noted on the way goes into the audit record.
fn annotate(call: &mut Call) {
    for (key, value) in std::mem::take(&mut call.notes.annotations) {
        call.record.annotate(&key, value);
    }
    for (key, value) in std::mem::take(&mut call.notes.request_annotations) {
        call.record.annotate_request(&key, value);
    }
}

/// Metadata of one object cannot be had from a list, nor a list of it from one object. Fails with upstream's 406, which
/// names the type that its program holds the object in.
fn convertible(call: &Call, answer: Answer) -> Result<Answer, Status> {
    let Some(convert) = call.output.convert.as_ref().filter(|convert| convert.is_partial()) else { return Ok(answer) };
    let wants_list = convert.kind.ends_with("List");
    let why = match &answer.content {
        Content::Entry(row, _) | Content::Object(row, _) if wants_list => format!("not a list ({})", row.go_type("")),
        Content::List(listing) if !wants_list => format!("a list ({})", listing.row().go_type("List")),
        _ => return Ok(answer),
    };
    let message = format!("you requested {}, but the requested object is {why}", convert.kind);
    Err(Status::new(406, "NotAcceptable", message))
}

/// The response when a request took longer than it may. Upstream writes this one past its encoders, which would say of which
/// kind it is.
pub fn late(id: &str) -> Response<Body> {
    let mut status = timed_out().to_object();
    if let Some(fields) = status.as_object_mut() {
        fields.shift_remove("kind");
        fields.shift_remove("apiVersion");
    }
    past_handlers(whole(504, PLAIN, line(&status)), id)
}

fn timed_out() -> Status {
    Status::timeout("request did not complete within the allotted timeout", 0)
}

/// The same of one that goes no further, which its audit record tells.
pub async fn given_up(gate: &Gate, mut call: Call) -> Response<Body> {
    let status = timed_out();
    call.record.failed(&status);
    close(gate, &mut call, status.code).await;
    late(&call.id)
}

/// Closes the audit record of a request and counts its answer.
async fn close(gate: &Gate, call: &mut Call, code: u16) {
    let record = std::mem::replace(&mut call.record, audit::Record::none());
    record.close(code, gate.clock.now()).await;
    crate::count::answered(gate, call, code);
}

/// The response when serving a request panicked.
pub fn panicked(id: &str) -> Response<Body> {
    let mut response = whole(500, PLAIN, "This request caused apiserver to panic. Look in the logs for details.\n".into());
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    past_handlers(response, id)
}

/// What the outermost layers say with every answer.
fn past_handlers(mut response: Response<Body>, id: &str) -> Response<Body> {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    audit_id(id, response.headers_mut());
    response
}

/// A response to what cannot be told to be a request.
pub fn unreadable(what: &Unreadable) -> Response<Body> {
    match what {
        Unreadable::Path(status) => {
            let mut response = whole(status.code, Media::Json.as_str(), line(&status.to_object()));
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
            response
        }
        Unreadable::Request { id, why } => {
            let mut response = whole(500, PLAIN, format!("Internal Server Error: {why}\n").into());
            response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            audit_id(id, response.headers_mut());
            response
        }
    }
}

/// No two requests share it, so that HTTP/2 need not remember it for the next answer, in which all else is the same.
fn audit_id(id: &str, headers: &mut HeaderMap) {
    if let Ok(mut id) = HeaderValue::from_str(id) {
        id.set_sensitive(true);
        headers.insert(AUDIT_ID, id);
    }
}

async fn failed(gate: &Gate, mut call: Call, status: &Status) -> Response<Body> {
    let json = line(&status.to_object());
    let (media, bytes) = match negotiate::output(call.header("accept"), Endpoint::Failure) {
        Ok(output) => {
            call.record.failed(status);
            call.record.response_object(json.clone());
            encode(gate, &call, &output, json)
        }
        // Whatever the client accepts, an error must reach it; upstream writes it like this, past its record.
        Err(_) => (Media::Json, go_json::indent(json.trim_ascii_end()).into()),
    };
    let mut response = whole(status.code, media.as_str(), bytes);
    if let Some(seconds) = status.retry_after_seconds() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    headers(&call, &mut response);
    close(gate, &mut call, status.code).await;
    response
}

/// One object, in whatever form the client accepts.
fn object(gate: &Gate, call: &mut Call, code: u16, content: Content) -> Response<Body> {
    if let (true, Content::Entry(row, entry)) = (is_kept(call), &content) {
        let bytes = protobuf::entry(row, &Shape::of(call), entry).into();
        return compressed(call, whole(code, Media::Protobuf.as_str(), Bytes::new()), bytes);
    }
    let json = told(call, content);
    let (media, bytes) = encode(gate, call, &call.output, json);
    compressed(call, whole(code, media.as_str(), Bytes::new()), bytes)
}

/// One object as JSON, of which the audit record is told.
fn told(call: &mut Call, content: Content) -> Bytes {
    let shape = Shape::of(call);
    let json = match content {
        Content::Entry(row, entry) => shape.single(&row, &row.body(&entry), || row.request_value(&entry).ok(), call.now),
        Content::Object(row, value) => shape.single(&row, &row.encode_body(&value), || Some(value.clone()), call.now),
        Content::Status(value) => {
            let json = line(&value);
            call.record.status(value);
            json
        }
        Content::Json(bytes) => bytes,
        // The caller has dealt with the others.
        _ => Bytes::new(),
    };
    call.record.response_object(json.clone());
    json
}

async fn list(gate: &Gate, call: &mut Call, code: u16, (listing, seat): (Listing, Option<Seat>)) -> Response<Body> {
    let recorded = call.record.wants_response_object();
    if is_kept(call) {
        return streamed(
            call,
            whole(code, Media::Protobuf.as_str(), Bytes::new()),
            (listing.messages(gate.served.types(), &Shape::of(call)), seat),
        );
    }
    let parts = listing.parts(Shape::of(call), call.now);
    if call.output.media == Media::Json && !pretty(call, &call.output) && !recorded {
        return streamed(call, whole(code, Media::Json.as_str(), Bytes::new()), (parts, seat));
    }
    let json = parts::joined(parts);
    call.record.response_object(json.clone());
    let (media, bytes) = encode(gate, call, &call.output, json);
    compressed(call, whole(code, media.as_str(), Bytes::new()), bytes)
}

/// Whether the answer is made of the protobuf that is kept with stored objects; the audit log wants JSON. Tables have none.
fn is_kept(call: &Call) -> bool {
    call.output.media == Media::Protobuf && !call.record.wants_response_object()
}

fn streamed(
    call: &Call,
    mut response: Response<Body>,
    (mut parts, seat): (impl Iterator<Item = Part> + Send + 'static, Option<Seat>),
) -> Response<Body> {
    let (first, is_large) = parts::gather(&mut parts);
    let parts = first.into_iter().chain(parts);
    if !is_large {
        *response.body_mut() = body::full(parts::joined(parts));
    } else if gzip::accepted(call) {
        mark_compressed(&mut response);
        *response.body_mut() = body::pieces(parts::compressed(parts), seat, call.limit);
    } else {
        *response.body_mut() = body::pieces(parts::plain(parts), seat, call.limit);
    }
    response
}

fn compressed(call: &Call, mut response: Response<Body>, bytes: Bytes) -> Response<Body> {
    let bytes = if bytes.len() > gzip::THRESHOLD_BYTES && gzip::accepted(call) {
        mark_compressed(&mut response);
        gzip::whole(&bytes)
    } else {
        bytes
    };
    *response.body_mut() = body::full(bytes);
    response
}

/// A document that stands ready; the large ones are worth compressing, if they are not yet.
fn packed(call: &Call, response: Response<Bytes>) -> Response<Body> {
    let (parts, bytes) = response.into_parts();
    if parts.headers.contains_key(CONTENT_ENCODING) || parts.headers.contains_key(CONTENT_RANGE) {
        return Response::from_parts(parts, body::full(bytes));
    }
    compressed(call, Response::from_parts(parts, body::empty()), bytes)
}

fn mark_compressed(response: &mut Response<Body>) {
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.headers_mut().append(VARY, HeaderValue::from_static("Accept-Encoding"));
}

/// JSON as the client wants it written, and how that is; what protobuf or YAML cannot write stays JSON.
pub(crate) fn encode(gate: &Gate, call: &Call, output: &Output, json: Bytes) -> (Media, Bytes) {
    let other = match output.media {
        Media::Yaml => codec::yaml::from_json(&json).ok().map(Bytes::from),
        Media::Protobuf => protobuf::object(gate.served.types(), &json),
        Media::Json if pretty(call, output) => Some(go_json::indent(&json).into()),
        Media::Json => None,
    };
    other.map_or((Media::Json, json), |bytes| (output.media, bytes))
}

fn pretty(call: &Call, output: &Output) -> bool {
    output.pretty || negotiate::wants_pretty(call.query.get("pretty"), call.header("user-agent"))
}

/// A value on one line.
pub(crate) fn line(value: &Value) -> Bytes {
    let mut out = Vec::with_capacity(256);
    go_json::write(value, &mut out);
    out.push(b'\n');
    out.into()
}

fn whole(code: u16, content_type: &'static str, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(body::full(bytes));
    // Every code here is one of HTTP's.
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn headers(call: &Call, response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache, private"));
    audit_id(&call.id, headers);
    if call.denied {
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    if let Some(flow) = &call.flow {
        for (name, uid) in [(FLOW_SCHEMA_UID, &flow.schema_uid), (PRIORITY_LEVEL_UID, &flow.level_uid)] {
            if let Ok(uid) = HeaderValue::from_str(uid) {
                headers.insert(name, uid);
            }
        }
    }
    let mut characters = 0;
    for warning in &call.notes.warnings {
        characters += warning.chars().count();
        if characters > WARNING_CHARACTERS_MAX {
            break;
        }
        if let Some(value) = warning_header(warning) {
            headers.append(WARNING, value);
        }
    }
}

/// `299 - "text"`; nothing for a text that no header can carry.
fn warning_header(text: &str) -> Option<HeaderValue> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return None;
    }
    let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
    HeaderValue::from_bytes(format!("299 - \"{quoted}\"").as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_become_headers() {
        assert_eq!(warning_header("a \"b\"").unwrap(), r#"299 - "a \"b\"""#);
        assert!(warning_header("a\nb").is_none());
    }
}
