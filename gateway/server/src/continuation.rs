//! The token by which a limited list goes on: a revision and the key to start from.
//! Follows `k8s.io/apiserver/pkg/storage/continue.go`. Does not read the list.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{DecodeError, Engine};
use model::json::json;
use model::{Revision, Status, Value};

use crate::options::go_kind;

const VERSION: &str = "meta.k8s.io/v1";
/// Upstream's words for a token whose revision is gone while another one may take its place.
const INCONSISTENT: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    /// At which revision; `None` means the latest one, whatever that is.
    pub revision: Option<Revision>,
    /// The first key to show.
    pub key: String,
}

/// The token for what follows `last_key`.
pub fn after(last_key: &str, prefix: &str, revision: Option<Revision>) -> String {
    // Upstream's cache gives it a prefix that ends before the slash.
    encode(&format!("/{}\0", rest(last_key, prefix)), revision)
}

fn rest<'a>(key: &'a str, prefix: &str) -> &'a str {
    key.strip_prefix(prefix).unwrap_or(key)
}

fn encode(start: &str, revision: Option<Revision>) -> String {
    let revision = revision.map_or(json!(-1), |revision| json!(revision));
    let token = json!({"v": VERSION, "rv": revision, "start": start});
    URL_SAFE_NO_PAD.encode(token.to_string())
}

/// Reads a token. Fails with upstream's 400.
pub fn decode(token: &str, prefix: &str) -> Result<Continuation, Status> {
    read(token, prefix).map_err(|why| Status::bad_request(format!("invalid continue token: {why}")))
}

fn read(token: &str, prefix: &str) -> Result<Continuation, String> {
    const INVALID: &str = "continue key is not valid";
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|error| format!("{INVALID}: {}", corrupt(&error, token)))?;
    let token = codec::json::parse(&bytes).map_err(|error| format!("{INVALID}: {error}"))?.value;
    if let Some(why) = no_token(&token) {
        return Err(format!("{INVALID}: json: cannot unmarshal {why}"));
    }
    let version = token.get("v").and_then(Value::as_str).unwrap_or("");
    if version != VERSION {
        return Err(format!("{INVALID}: server does not recognize this encoded version {version}"));
    }
    let revision = token.get("rv").and_then(Value::as_i64).unwrap_or(0);
    if revision == 0 {
        return Err(format!("{INVALID}: incorrect encoded start resourceVersion (version meta.k8s.io/v1)"));
    }
    let start = token.get("start").and_then(Value::as_str).unwrap_or("");
    if start.is_empty() {
        return Err(format!("{INVALID}: encoded start key empty (version meta.k8s.io/v1)"));
    }
    // A start that climbs out of the prefix would read another resource.
    let clean = start.trim_start_matches('/').split('/').all(|segment| !matches!(segment, "" | "." | ".."));
    if !clean || start.starts_with("//") {
        return Err(format!("{INVALID}: {start}"));
    }
    Ok(Continuation { revision: Revision::try_from(revision).ok(), key: format!("{prefix}{}", start.trim_start_matches('/')) })
}

/// The words of Go for a value that is not the token's type.
fn no_token(token: &Value) -> Option<String> {
    if !token.is_object() && !token.is_null() {
        return Some(format!("{} into Go value of type storage.continueToken", go_kind(token)));
    }
    [("v", "string"), ("rv", "int64"), ("start", "string")].into_iter().find_map(|(field, wanted)| {
        let value = token.get(field).filter(|value| !value.is_null())?;
        let fits = if wanted == "int64" { value.as_i64().is_some() } else { value.is_string() };
        (!fits).then(|| format!("{} into Go struct field continueToken.{field} of type {wanted}", go_kind(value)))
    })
}

/// The words of Go's decoder, which counts bytes.
fn corrupt(error: &DecodeError, token: &str) -> String {
    let at = match error {
        DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => *at,
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => token.len().saturating_sub(1),
    };
    format!("illegal base64 data at input byte {at}")
}

/// 410 for a token whose revision is gone, with the token that goes on at the latest one.
pub fn expired(continuation: &Continuation, prefix: &str) -> Status {
    // It is upstream's storage that says so, whose prefix ends with the slash.
    Status::expired(INCONSISTENT).with_continuation(encode(rest(&continuation.key, prefix), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let token = after("/registry/pods/a/b", "/registry/pods/", Some(7));
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(&token).unwrap()).unwrap();
        assert_eq!(text, "{\"v\":\"meta.k8s.io/v1\",\"rv\":7,\"start\":\"/a/b\\u0000\"}");
        let want = Continuation { revision: Some(7), key: "/registry/pods/a/b\0".to_owned() };
        assert_eq!(decode(&token, "/registry/pods/").unwrap(), want);
        let status = expired(&want, "/registry/pods/");
        let shown = status.to_object();
        let again = shown["metadata"]["continue"].as_str().unwrap();
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(again).unwrap()).unwrap();
        assert_eq!(text, "{\"v\":\"meta.k8s.io/v1\",\"rv\":-1,\"start\":\"a/b\\u0000\"}");
        assert_eq!(decode(again, "/registry/pods/").unwrap(), Continuation { revision: None, ..want });
        assert_eq!(shown.get("details"), None);
    }

    #[test]
    fn no_token_reads_another_resource() {
        const PREFIX: &str = "/registry/pods/";
        let tokens = ["/registry/pods/a/b", "/registry/secrets/a/b", "/registry/pods", ""].map(|key| after(key, PREFIX, Some(7)));
        let texts = tokens.iter().map(|token| URL_SAFE_NO_PAD.decode(token).unwrap()).collect::<Vec<_>>();
        let seeds: Vec<&[u8]> = tokens.iter().map(String::as_bytes).chain(texts.iter().map(Vec::as_slice)).collect();
        crate::mutate::each(&seeds, 20_000, |input| {
            let forged = [String::from_utf8_lossy(input).into_owned(), URL_SAFE_NO_PAD.encode(input)];
            for token in forged {
                let Ok(read) = decode(&token, PREFIX) else { continue };
                let start = read.key.strip_prefix(PREFIX).expect("below the resource");
                assert!(start.split('/').all(|segment| !matches!(segment, "" | "." | "..")), "{start}");
                assert!(read.revision.is_none_or(|revision| i64::try_from(revision).is_ok_and(|revision| revision > 0)));
                assert_eq!(decode(&encode(start, read.revision), PREFIX).as_ref(), Ok(&read));
            }
        });
    }

    #[test]
    fn refuses_what_upstream_refuses() {
        let token = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let message = |token: &str| decode(token, "/registry/pods/").unwrap_err().message;
        for (text, why) in [
            ("[]", "array into Go value of type storage.continueToken"),
            (r#"{"v":"meta.k8s.io/v1","rv":"1","start":"a"}"#, "string into Go struct field continueToken.rv of type int64"),
        ] {
            assert_eq!(
                message(&token(text)),
                format!("invalid continue token: continue key is not valid: json: cannot unmarshal {why}")
            );
        }
        assert!(message("%").starts_with("invalid continue token: continue key is not valid: "));
        assert_eq!(
            message(&token(r#"{"v":"v2","rv":1,"start":"a"}"#)),
            "invalid continue token: continue key is not valid: server does not recognize this encoded version v2"
        );
        assert_eq!(
            message(&token(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"../secrets/a"}"#)),
            "invalid continue token: continue key is not valid: ../secrets/a"
        );
        assert_eq!(
            message(&token(r#"{"v":"meta.k8s.io/v1","start":"a"}"#)),
            "invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)"
        );
    }
}
