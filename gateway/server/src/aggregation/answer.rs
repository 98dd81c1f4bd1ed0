//! What this server itself says in place of an extension server: plain text, as Go's `http.Error` writes it.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};

use crate::answer::{Answer, Content};

/// Nobody can be asked.
pub(super) fn unavailable() -> Answer {
    error(StatusCode::SERVICE_UNAVAILABLE, "service unavailable")
}

/// Somebody was asked and did not answer.
pub(super) fn unreached(why: &str) -> Answer {
    error(StatusCode::SERVICE_UNAVAILABLE, &format!("error trying to reach service: {why}"))
}

/// A failure told in text.
pub(super) fn error(code: StatusCode, text: &str) -> Answer {
    let mut response = Response::new(Bytes::from(format!("{text}\n")));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Answer::new(code.as_u16(), Content::Response(response))
}
