//! Sends documents that stand ready as Go's `http.ServeContent` does: entity tags, dates, one range; compressed where the
//! client takes that. Of several ranges the whole is sent, as HTTP allows. Makes no document (`catalog`).

use std::ops::Range;

use bytes::Bytes;
use catalog::Document;
use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE, VARY,
};
use http::{HeaderName, Method, Response, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::call::Call;
use crate::respond::gzip;

/// How HTTP writes a date.
const DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// What is sent, and what is said of it.
pub(crate) struct Content {
    /// The bytes and their tag.
    pub(crate) document: Document,
    /// The compressed bytes, for a client that takes them.
    pub(crate) packed: Option<Bytes>,
    /// Its media type.
    pub(crate) content_type: &'static str,
    /// Whether its tag is told.
    pub(crate) tagged: bool,
    /// When it became what it is.
    pub(crate) made: Timestamp,
}

/// The compressed bytes, if this client takes them and they are worth it. For a thread that may block.
pub(crate) fn packed(document: &Document, accepted: bool) -> Option<Bytes> {
    (accepted && document.body.len() > gzip::THRESHOLD_BYTES).then(|| document.packed())
}

/// The answer to a request for a document.
pub(crate) fn serve(call: &Call, content: Content) -> Response<Bytes> {
    let etag = if content.tagged { &*content.document.etag } else { "" };
    let mut response = Response::new(Bytes::new());
    if let Some(refused) = precondition(call, etag, content.made) {
        *response.status_mut() = refused;
        set(&mut response, ETAG, etag);
        if etag.is_empty() && refused == StatusCode::NOT_MODIFIED {
            set(&mut response, LAST_MODIFIED, &date(content.made));
        }
        return response;
    }
    set(&mut response, CONTENT_TYPE, content.content_type);
    set(&mut response, ETAG, etag);
    set(&mut response, LAST_MODIFIED, &date(content.made));
    set(&mut response, ACCEPT_RANGES, "bytes");
    let body = &content.document.body;
    match span(range_wanted(call, etag, content.made), body.len()) {
        Span::Whole => match content.packed {
            Some(packed) => {
                set(&mut response, CONTENT_ENCODING, "gzip");
                response.headers_mut().append(VARY, HeaderValue::from_static("Accept-Encoding"));
                *response.body_mut() = packed;
            }
            None => *response.body_mut() = body.clone(),
        },
        Span::Part(part) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let told = format!("bytes {}-{}/{}", part.start, part.end.saturating_sub(1), body.len());
            set(&mut response, CONTENT_RANGE, &told);
            *response.body_mut() = body.slice(part);
        }
        Span::Outside(why) => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            set(&mut response, CONTENT_RANGE, &format!("bytes */{}", body.len()));
            set(&mut response, CONTENT_TYPE, "text/plain; charset=utf-8");
            *response.body_mut() = Bytes::from_static(why.as_bytes());
        }
    }
    response
}

fn set(response: &mut Response<Bytes>, name: HeaderName, value: &str) {
    if let Some(value) = HeaderValue::from_str(value).ok().filter(|value| !value.is_empty()) {
        response.headers_mut().insert(name, value);
    }
}

fn date(at: Timestamp) -> String {
    at.strftime(DATE).to_string()
}

/// Whether the client's copy is of this time or later; `None` when the header is absent or no date.
fn not_after(call: &Call, header: HeaderName, made: Timestamp) -> Option<bool> {
    let known = rfc2822::DateTimeParser::new().parse_timestamp(call.header(header.as_str())).ok()?;
    Some(made.as_second() <= known.as_second())
}

/// What is answered instead of the document, where the request says on which condition it wants it.
fn precondition(call: &Call, etag: &str, made: Timestamp) -> Option<StatusCode> {
    let reads = matches!(call.method, Method::GET | Method::HEAD);
    let named = |header: HeaderName| Some(call.header(header.as_str())).filter(|tags| !tags.is_empty());
    let holds = match named(IF_MATCH) {
        Some(tags) => lists(tags, etag, Comparison::Strong),
        None => not_after(call, IF_UNMODIFIED_SINCE, made).unwrap_or(true),
    };
    if !holds {
        return Some(StatusCode::PRECONDITION_FAILED);
    }
    match named(IF_NONE_MATCH) {
        Some(tags) if lists(tags, etag, Comparison::Weak) => {
            Some(if reads { StatusCode::NOT_MODIFIED } else { StatusCode::PRECONDITION_FAILED })
        }
        Some(_) => None,
        // A date has whole seconds. What has a tag is asked for by it; a copy of what has none is not trusted within its second, or
        // kubectl would keep an index without the resources that came a moment later.
        None if etag.is_empty() => None,
        None => (reads && not_after(call, IF_MODIFIED_SINCE, made) == Some(true)).then_some(StatusCode::NOT_MODIFIED),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// Tags that say of themselves that they are weak are equal to none.
    Strong,
    /// That is not looked at.
    Weak,
}

/// Whether a list of entity tags has this one.
fn lists(tags: &str, etag: &str, comparison: Comparison) -> bool {
    tags.split(',').map(str::trim).any(|tag| match tag.strip_prefix("W/") {
        _ if tag == "*" => true,
        Some(weak) => comparison == Comparison::Weak && weak == etag,
        None => !etag.is_empty() && tag == etag,
    })
}

/// The range that is asked for, unless it is of another state of the document.
fn range_wanted<'c>(call: &'c Call, etag: &str, made: Timestamp) -> &'c str {
    let condition = call.header(IF_RANGE.as_str());
    let same = condition.is_empty() || condition == etag || not_after(call, IF_RANGE, made) == Some(true);
    if same { call.header(RANGE.as_str()) } else { "" }
}

#[derive(Debug, PartialEq, Eq)]
enum Span {
    Whole,
    Part(Range<usize>),
    /// With Go's words.
    Outside(&'static str),
}

/// Which part of so many bytes a `Range` header means.
fn span(header: &str, size: usize) -> Span {
    if header.is_empty() || header.contains(',') {
        return Span::Whole;
    }
    const INVALID: Span = Span::Outside("invalid range\n");
    let ends = header.strip_prefix("bytes=").and_then(|ends| ends.trim().split_once('-'));
    let Some((start, end)) = ends else { return INVALID };
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let part = match (start.trim(), end.trim()) {
        ("", last) => number(last).map(|last| size.saturating_sub(last)..size),
        (start, "") => number(start).map(|start| start..size),
        (start, end) => number(start)
            .zip(number(end))
            .filter(|(start, end)| start <= end)
            .map(|(start, end)| start..size.min(end.saturating_add(1))),
    };
    match part {
        None => INVALID,
        Some(part) if part.start >= size => Span::Outside("invalid range: failed to overlap\n"),
        Some(part) => Span::Part(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_go_reads_them() {
        let overlap = Span::Outside("invalid range: failed to overlap\n");
        let invalid = || Span::Outside("invalid range\n");
        for (header, want) in [
            ("", Span::Whole),
            ("bytes=0-0", Span::Part(0..1)),
            ("bytes=2-", Span::Part(2..10)),
            ("bytes=-3", Span::Part(7..10)),
            ("bytes=-30", Span::Part(0..10)),
            ("bytes=5-99", Span::Part(5..10)),
            ("bytes=0-1,3-4", Span::Whole),
            ("bytes=10-", overlap),
            ("bytes=5-2", invalid()),
            ("bytes=a-b", invalid()),
            ("lines=0-1", invalid()),
        ] {
            assert_eq!(span(header, 10), want, "{header}");
        }
    }

    #[test]
    fn tags_are_compared_weakly_or_strongly() {
        assert!(lists("\"a\", \"b\"", "\"b\"", Comparison::Strong));
        assert!(lists("W/\"b\"", "\"b\"", Comparison::Weak));
        assert!(!lists("W/\"b\"", "\"b\"", Comparison::Strong));
        assert!(lists("*", "\"b\"", Comparison::Strong));
        assert!(!lists("\"c\"", "\"b\"", Comparison::Weak));
    }

    #[test]
    fn dates_go_out_and_in() {
        let at: Timestamp = "2026-11-27T11:05:29Z".parse().expect("a time");
        assert_eq!(date(at), "Fri, 27 Nov 2026 11:05:29 GMT");
        assert_eq!(rfc2822::DateTimeParser::new().parse_timestamp(date(at)).expect("a date"), at);
    }
}
