//! A bearer token among the protocols that a WebSocket offers: browsers let a page set no other header.
//! Judges no token (`chain`). Follows `k8s.io/apiserver/pkg/authentication/request/websocket`.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, UPGRADE};

const PROTOCOL: HeaderName = HeaderName::from_static("sec-websocket-protocol");
const PREFIX: &str = "base64url.bearer.authorization.k8s.io.";

/// The token, if a WebSocket is asked for and offers one; why what it offers is none.
pub(crate) fn token(headers: &HeaderMap) -> Result<Option<String>, &'static str> {
    if !is_websocket(headers) {
        return Ok(None);
    }
    let (tokens, others): (Vec<&str>, Vec<&str>) = offered(headers).partition(|one| one.starts_with(PREFIX));
    let encoded = match tokens[..] {
        [] => return Ok(None),
        [one] => one.strip_prefix(PREFIX).unwrap_or(one),
        _ => return Err("multiple base64.bearer.authorization tokens specified"),
    };
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_| "invalid base64.bearer.authorization token encoding")?;
    let token = String::from_utf8(decoded).map_err(|_| "invalid base64.bearer.authorization token")?;
    match (token.is_empty(), others.is_empty()) {
        (true, _) => Ok(None),
        // One must be left to be answered with: the token never is.
        (false, true) => Err("missing additional subprotocol"),
        (false, false) => Ok(Some(token)),
    }
}

/// Takes tokens from among the protocols, so that nothing later passes one on or answers with it.
pub(crate) fn clear(headers: &mut HeaderMap) {
    if !offered(headers).any(|one| one.starts_with(PREFIX)) {
        return;
    }
    let others: Vec<&str> = offered(headers).filter(|one| !one.starts_with(PREFIX)).collect();
    let others = HeaderValue::from_str(&others.join(","));
    headers.remove(PROTOCOL);
    if let Ok(others) = others.map_err(drop).and_then(|others| if others.is_empty() { Err(()) } else { Ok(others) }) {
        headers.insert(PROTOCOL, others);
    }
}

fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

fn is_websocket(headers: &HeaderMap) -> bool {
    let says = |name: HeaderName, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    says(UPGRADE, "websocket") && says(CONNECTION, "upgrade")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offering(protocols: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        headers.insert(PROTOCOL, protocols.parse().expect("a value"));
        headers
    }

    #[test]
    fn a_token_stands_beside_a_protocol_to_answer_with() {
        let secret = "base64url.bearer.authorization.k8s.io.c2VjcmV0";
        let read = |protocols: &str| token(&offering(protocols));
        assert_eq!(read(&format!("{secret}, base64.binary.k8s.io")), Ok(Some("secret".to_owned())));
        assert_eq!(read("base64.binary.k8s.io"), Ok(None));
        assert_eq!(read(secret), Err("missing additional subprotocol"));
        assert_eq!(read(&format!("{secret},{secret},a")), Err("multiple base64.bearer.authorization tokens specified"));
        assert_eq!(read("base64url.bearer.authorization.k8s.io.!,a"), Err("invalid base64.bearer.authorization token encoding"));
        let mut plain = offering(&format!("{secret}, a"));
        plain.remove(UPGRADE);
        assert_eq!(token(&plain), Ok(None), "only a WebSocket brings one");
    }

    #[test]
    fn a_token_goes_no_further() {
        let mut headers = offering("base64url.bearer.authorization.k8s.io.c2VjcmV0, a, b");
        clear(&mut headers);
        assert_eq!(headers[PROTOCOL], "a,b");
        let mut alone = offering("base64url.bearer.authorization.k8s.io.c2VjcmV0");
        clear(&mut alone);
        assert!(!alone.contains_key(PROTOCOL));
    }
}
