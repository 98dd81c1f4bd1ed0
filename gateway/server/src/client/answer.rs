//! What an answer means: its body, or why it is none. Upstream: `NewGenericServerResponse` and what the REST client does
//! with a body that is a `Status`.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use model::Value;
use model::field::quote;

use super::Failure;

/// How much of an answer's text is told; upstream's as much.
const TEXT_BYTES_MAX: usize = 2048;

/// The body of an answer that succeeded.
pub(super) fn judge(answer: Response<Bytes>) -> Result<Bytes, Failure> {
    let code = answer.status();
    let failure = |message: String| Err(Failure { code: code.as_u16(), message });
    if !(StatusCode::OK..=StatusCode::PARTIAL_CONTENT).contains(&code) {
        return failure(status_message(answer.body()).unwrap_or_else(|| generic(&answer)));
    }
    if answer.body().is_empty() {
        let kind = content_type(&answer);
        return failure(format!("0-length response with status code: {} and content type: {kind}", code.as_u16()));
    }
    Ok(answer.into_body())
}

/// The message of a body that is a failed `Status`.
fn status_message(body: &[u8]) -> Option<String> {
    let status: Value = serde_json::from_slice(body).ok()?;
    let text = |field: &str| status.get(field).and_then(Value::as_str).unwrap_or("");
    (text("kind") == "Status" && text("apiVersion") == "v1" && text("status") == "Failure").then(|| text("message").to_owned())
}

fn content_type(answer: &Response<Bytes>) -> &str {
    answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("")
}

fn generic(answer: &Response<Bytes>) -> String {
    let body = answer.body();
    let kind = content_type(answer);
    let text = if kind.is_empty() || kind.trim_start().to_ascii_lowercase().starts_with("text/") {
        String::from_utf8_lossy(&body[..body.len().min(TEXT_BYTES_MAX)]).trim().to_owned()
    } else {
        "unknown".to_owned()
    };
    let known = match answer.status().as_u16() {
        400 => "the server rejected our request for an unknown reason",
        401 => "the server has asked for the client to provide credentials",
        403 | 415 => return text,
        404 => "the server could not find the requested resource",
        405 => "the server does not allow this method on the requested resource",
        406 if text.is_empty() || text == "unknown" => {
            "the server was unable to respond with a content type that the client supports"
        }
        406 => return text,
        409 => "the server reported a conflict",
        422 => "the server rejected our request due to an error in our request",
        429 => "the server has received too many requests and has asked us to try again later",
        503 => "the server is currently unable to handle the request",
        504 => "the server was unable to return a response in the time allotted, but may still be processing the request",
        code if code >= 500 => {
            return format!("an error on the server ({}) has prevented the request from succeeding", quote(&text));
        }
        code => return format!("the server responded with the status code {code} but did not return more information"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: u16, kind: &str, body: &str) -> Result<String, Failure> {
        let answer = Response::builder().status(code).header(header::CONTENT_TYPE, kind);
        let answer = answer.body(Bytes::from(body.to_owned())).expect("an answer");
        judge(answer).map(|body| String::from_utf8_lossy(&body).into_owned())
    }

    #[test]
    fn a_redirect_is_no_answer() {
        let message = "the server responded with the status code 302 but did not return more information".to_owned();
        assert_eq!(told(302, "text/plain", ""), Err(Failure { code: 302, message }));
        assert_eq!(told(200, "application/json", "{}"), Ok("{}".to_owned()));
    }

    #[test]
    fn failures_are_told_in_the_words_of_the_rest_client() {
        let message = |code, kind, body| told(code, kind, body).expect_err("a failure").message;
        assert_eq!(
            message(500, "text/plain; charset=utf-8", "broken\n"),
            "an error on the server (\"broken\") has prevented the request from succeeding"
        );
        assert_eq!(
            message(500, "application/json", "{}"),
            "an error on the server (\"unknown\") has prevented the request from succeeding"
        );
        assert_eq!(message(404, "text/plain", "no"), "the server could not find the requested resource");
        assert_eq!(message(403, "text/plain", "not you"), "not you");
        let status = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no luck"}"#;
        assert_eq!(message(503, "application/json", status), "no luck");
        assert_eq!(message(200, "text/plain", ""), "0-length response with status code: 200 and content type: text/plain");
    }
}
