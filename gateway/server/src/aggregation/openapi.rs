//! What an extension server says of its kinds: where its OpenAPI v3 documents are, and its v2 document. Fetches nothing
//! (`refresh`), joins nothing (`catalog::openapi`).
//! Follows `k8s.io/kube-aggregator/pkg/controllers/{openapi,openapiv3}/aggregator`.

use bytes::Bytes;
use catalog::services::Specification;
use http::{Response, StatusCode, header};
use model::Value;
use model::json::json;
use sha2::{Digest, Sha256};

use super::{Route, text};

/// The documents of an index that are about the version: a server does not describe what others serve.
pub(super) fn index(document: &Value, route: &Route) -> Vec<(String, Value)> {
    let own = format!("apis/{}/{}", route.group, route.version);
    let found = document.get("paths").and_then(|paths| paths.get(&own)).map(|of| text(of, "serverRelativeURL"));
    // Where it is said to be must be where requests for it are passed on.
    let place = format!("/openapi/v3/{own}");
    let found = found.filter(|url| url.split('?').next() == Some(&place));
    found.map(|url| (own, json!({ "serverRelativeURL": url }))).into_iter().collect()
}

/// A v2 document, with the tag that its server gave it or one that changes with the content.
pub(super) fn specification(answer: &Response<Bytes>) -> Option<Specification> {
    if answer.status() != StatusCode::OK {
        return None;
    }
    let document: Value = serde_json::from_slice(answer.body()).ok()?;
    let given = answer.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or("");
    let tag = if given.is_empty() { format!("{OWN_TAG}{:X}", Sha256::digest(answer.body())) } else { given.to_owned() };
    Some(Specification { tag: tag.into(), document: document.into() })
}

/// Tags that were made here mean nothing to the server.
const OWN_TAG: &str = "own-";

/// The tag by which the server knows a document that it gave.
pub(super) fn known_tag(known: Option<&Specification>) -> &str {
    known.map_or("", |known| &known.tag).strip_prefix(OWN_TAG).map_or_else(|| known.map_or("", |known| &known.tag), |_| "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_describes_its_own_version_alone() {
        let route = Route {
            name: "v1.g".to_owned(),
            group: "g".into(),
            version: "v1".into(),
            is_available: true,
            side: Err("nobody".to_owned()),
        };
        let at = |url: &str| json!({ "serverRelativeURL": url });
        let own = at("/openapi/v3/apis/g/v1?hash=A");
        let whole = json!({"paths": {"api/v1": at("/openapi/v3/api/v1?hash=B"), "apis/g/v1": own, "apis/g/v2": at("x")}});
        assert_eq!(index(&whole, &route), [("apis/g/v1".to_owned(), own)]);
        let elsewhere = json!({"paths": {"apis/g/v1": at("https://example.com/openapi/v3/apis/g/v1")}});
        assert!(index(&elsewhere, &route).is_empty());
    }

    #[test]
    fn a_document_without_a_tag_gets_one() {
        let answer = |etag: &str| {
            let mut answer = Response::new(Bytes::from_static(b"{\"swagger\":\"2.0\"}"));
            if !etag.is_empty() {
                answer.headers_mut().insert(header::ETAG, etag.parse().expect("a tag"));
            }
            specification(&answer).expect("a document")
        };
        let (own, given) = (answer(""), answer("\"A\""));
        assert_eq!((known_tag(Some(&own)), known_tag(Some(&given)), known_tag(None)), ("", "\"A\"", ""));
        assert!(own == answer("") && own != given);
    }
}
