//! Headers of what is passed on: those of one connection alone stay behind, and who asks is told in ours, never the client's.
//! Follows Go's `httputil.ReverseProxy`, `k8s.io/apimachinery/pkg/util/proxy` and `client-go/transport.SetAuthProxyHeaders`.

use std::net::IpAddr;

use http::Uri;
use http::header::{self, HeaderMap, HeaderName, HeaderValue, InvalidHeaderName, InvalidHeaderValue};
use model::User;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");
/// Headers that concern one connection; what `Connection` names goes with them.
const OF_CONNECTION: [&str; 9] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// What is told of a body is told anew, from the body itself: two sides that understood these differently could be made to see
/// different requests.
const OF_FRAMING: [&str; 3] = ["content-length", "expect", "host"];
/// A browser that asked us must not be told whom somebody else lets ask.
const OF_ORIGINS: [&str; 4] = [
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
];
/// Through these a front proxy speaks.
const IDENTITY: &str = "x-remote-";

/// What stands before a request that is passed on.
pub(super) struct Onward<'a> {
    /// Who asks.
    pub(super) user: &'a User,
    /// From where.
    pub(super) client: IpAddr,
    /// Where it goes, as an address.
    pub(super) authority: &'a str,
    /// Path without its query.
    pub(super) path: &'a str,
    /// The request's number.
    pub(super) audit_id: &'a str,
    /// What the connection shall become, if anything.
    pub(super) upgrade: Option<HeaderValue>,
}

/// Something about the user fits into no header.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// The key of an extra value.
    #[error("net/http: invalid header field name")]
    Name(#[from] InvalidHeaderName),
    /// A name, group or value.
    #[error("net/http: invalid header field value")]
    Value(#[from] InvalidHeaderValue),
}

/// The headers of a request as they go on.
pub(super) fn onward(client: &HeaderMap, onward: Onward<'_>) -> Result<HeaderMap, Unfit> {
    let mut headers = client.clone();
    leave_behind(&mut headers);
    OF_FRAMING.iter().for_each(|name| drop(headers.remove(*name)));
    // Some servers take an underscore for a dash.
    let speaks = |name: &HeaderName| name.as_str().replace('_', "-").starts_with(IDENTITY);
    let own: Vec<HeaderName> = headers.keys().filter(|name| speaks(name)).cloned().collect();
    own.into_iter().for_each(|name| drop(headers.remove(name)));
    headers.remove(header::AUTHORIZATION);
    identify(&mut headers, onward.user)?;
    let before = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let passed: Vec<String> = before.map(str::to_owned).chain([onward.client.to_string()]).collect();
    headers.insert(FORWARDED_FOR, passed.join(", ").parse()?);
    for (name, value) in
        [("x-forwarded-host", onward.authority), ("x-forwarded-proto", "https"), ("x-forwarded-uri", onward.path)]
    {
        headers.insert(HeaderName::from_static(name), value.parse()?);
    }
    headers.insert(header::HOST, onward.authority.parse()?);
    headers.insert(AUDIT_ID, onward.audit_id.parse()?);
    if let Some(upgrade) = onward.upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, upgrade);
    }
    Ok(headers)
}

/// Says who asks.
pub(super) fn identify(headers: &mut HeaderMap, user: &User) -> Result<(), Unfit> {
    let value = |text: &str| HeaderValue::from_bytes(text.as_bytes());
    headers.insert(HeaderName::from_static("x-remote-user"), value(&user.name)?);
    if !user.uid.is_empty() {
        headers.insert(HeaderName::from_static("x-remote-uid"), value(&user.uid)?);
    }
    for group in &user.groups {
        headers.append(HeaderName::from_static("x-remote-group"), value(group)?);
    }
    for (key, values) in &user.extra {
        let name = HeaderName::from_bytes(format!("x-remote-extra-{}", escape(key)).as_bytes())?;
        for text in values {
            headers.append(name.clone(), value(text)?);
        }
    }
    Ok(())
}

/// The headers of an answer as they go back.
pub(super) fn back(headers: &mut HeaderMap) {
    leave_behind(headers);
    OF_ORIGINS.iter().for_each(|name| drop(headers.remove(*name)));
}

/// Leads a client that is sent to where only this server can go to the same place here.
pub(super) fn relocate(headers: &mut HeaderMap, authority: &str) {
    let Some(to) = headers.get(header::LOCATION).and_then(|to| to.to_str().ok()?.parse::<Uri>().ok()) else { return };
    let here = to.authority().filter(|there| there.as_str() == authority).and(to.path_and_query());
    if let Some(here) = here.and_then(|here| HeaderValue::from_str(here.as_str()).ok()) {
        headers.insert(header::LOCATION, here);
    }
}

fn leave_behind(headers: &mut HeaderMap) {
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|name| name.trim().to_ascii_lowercase()))
        .collect();
    named.iter().map(String::as_str).chain(OF_CONNECTION).for_each(|name| drop(headers.remove(name)));
}

/// What the connection shall become, where a request asks for that.
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut said = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let asked = said.any(|value| value.split(',').any(|word| word.trim().eq_ignore_ascii_case("upgrade")));
    headers.get(header::UPGRADE).filter(|_| asked).cloned()
}

/// A key as the name of a header can carry it.
fn escape(key: &str) -> String {
    key.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'!' | b'#' | b'$' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~' => {
                out.push(byte.into())
            }
            byte if byte.is_ascii_alphanumeric() => out.push(byte.into()),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_led_back_here_or_where_it_is_sent() {
        for (sent, led) in [
            ("https://10.0.0.5:443/a?b=c", "/a?b=c"),
            ("/a", "/a"),
            ("a", "a"),
            ("https://example.com/a", "https://example.com/a"),
        ] {
            let mut headers = HeaderMap::from_iter([(header::LOCATION, HeaderValue::from_static(sent))]);
            relocate(&mut headers, "10.0.0.5:443");
            assert_eq!(headers.get(header::LOCATION).and_then(|to| to.to_str().ok()), Some(led));
        }
    }

    fn sent(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn passed(client: &HeaderMap, user: &User) -> HeaderMap {
        let onward_ = Onward {
            user,
            client: [192, 0, 2, 7].into(),
            authority: "10.0.0.5:443",
            path: "/apis/g/v1",
            audit_id: "id",
            upgrade: None,
        };
        onward(client, onward_).expect("every value fits")
    }

    #[test]
    fn nobody_speaks_for_somebody_else() {
        let client = sent(&[
            ("x-remote-user", "admin"),
            ("x-remote-group", "system:masters"),
            ("x_remote_group", "system:masters"),
            ("x-remote-extra-scopes", "all"),
            ("x-remote-uid", "0"),
            ("authorization", "Bearer secret"),
            ("accept", "application/json"),
        ]);
        let mut user = User::new("jane", &["devs", "ops"]);
        user.extra.insert("example.com/Scope".to_owned(), vec!["a".to_owned(), "b".to_owned()]);
        let headers = passed(&client, &user);
        let all = |name: &str| headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("")).collect::<Vec<_>>();
        assert_eq!(all("x-remote-user"), ["jane"]);
        assert_eq!(all("x-remote-group"), ["devs", "ops"]);
        assert_eq!(all("x-remote-extra-example.com%2fscope"), ["a", "b"]);
        assert_eq!(all("accept"), ["application/json"]);
        for gone in ["x_remote_group", "x-remote-extra-scopes", "x-remote-uid", "authorization"] {
            assert!(all(gone).is_empty(), "{gone}");
        }
    }

    #[test]
    fn what_concerns_a_connection_stays_with_it() {
        let client = sent(&[
            ("connection", "close, X-Secret"),
            ("x-secret", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("te", "trailers"),
            ("host", "gate"),
            ("x-forwarded-for", "198.51.100.1"),
        ]);
        let headers = passed(&client, &User::new("jane", &[]));
        for gone in ["connection", "x-secret", "transfer-encoding", "content-length", "te"] {
            assert!(!headers.contains_key(gone), "{gone}");
        }
        assert_eq!(
            (&headers["host"], &headers["x-forwarded-for"]),
            (&"10.0.0.5:443".parse().expect("a value"), &"198.51.100.1, 192.0.2.7".parse().expect("a value"))
        );
    }

    #[test]
    fn a_name_that_would_begin_another_header_is_refused() {
        let mut headers = HeaderMap::new();
        assert!(identify(&mut headers, &User::new("jane\r\nx-remote-group: system:masters", &[])).is_err());
    }

    #[test]
    fn an_upgrade_must_be_asked_for_in_both_headers() {
        assert_eq!(
            upgrade(&sent(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")])),
            Some(HeaderValue::from_static("websocket"))
        );
        assert_eq!(upgrade(&sent(&[("upgrade", "websocket")])), None);
        assert_eq!(upgrade(&sent(&[("connection", "Upgrade")])), None);
    }
}
