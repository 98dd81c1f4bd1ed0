//! Identities asserted by a trusted proxy in headers, as an aggregating kube-apiserver does.
//! Follows `k8s.io/apiserver/pkg/authentication/request/headerrequest`.

use std::collections::BTreeMap;

use http::HeaderMap;
use jiff::Timestamp;
use model::User;

use crate::certificate::{self, Certificates, Use};
use crate::roots::Roots;

/// Which proxies are believed, and which headers they use (`--requestheader-*`).
#[derive(Clone, Debug, Default)]
pub struct FrontProxy {
    /// Authorities of the proxies' certificates.
    pub roots: Roots,
    /// Common names believed; all when empty.
    pub allowed_names: Vec<String>,
    /// Headers with the user name, tried in order.
    pub username_headers: Vec<String>,
    /// Headers with the uid, tried in order.
    pub uid_headers: Vec<String>,
    /// Headers with groups, all of them read.
    pub group_headers: Vec<String>,
    /// Prefixes of headers with extra values.
    pub extra_header_prefixes: Vec<String>,
}

/// Why a proxy is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Its certificate is not vouched for.
    #[error(transparent)]
    Certificate(#[from] certificate::Error),
    /// Its name is not among those believed.
    #[error("x509: subject with cn={0} is not in the allowed list")]
    Name(String),
}

impl FrontProxy {
    /// The identity asserted, if the client is a trusted proxy; `None` when no proxy speaks here.
    pub fn authenticate(&self, certificates: &Certificates, headers: &HeaderMap, now: Timestamp) -> Result<Option<User>, Error> {
        if certificates.is_empty() {
            return Ok(None);
        }
        let name = first(headers, &self.username_headers);
        if name.is_empty() {
            return Ok(None);
        }
        let proxy = certificates.verify(Use::FrontProxy, &self.roots, now)?;
        if !self.allowed_names.is_empty() && !self.allowed_names.contains(&proxy.common_name) {
            return Err(Error::Name(proxy.common_name.clone()));
        }
        let groups = self.group_headers.iter().flat_map(|header| all(headers, header)).filter(|g| !g.is_empty()).collect();
        let mut extra = BTreeMap::<String, Vec<String>>::new();
        for prefix in &self.extra_header_prefixes {
            for (key, values) in prefixed(headers, &prefix.to_ascii_lowercase()) {
                extra.entry(key).or_default().extend(values);
            }
        }
        Ok(Some(User { name, uid: first(headers, &self.uid_headers), groups, extra }))
    }

    /// Removes every header through which a proxy could speak, so that nothing after authentication reads one.
    pub fn clear(&self, headers: &mut HeaderMap) {
        for name in self.username_headers.iter().chain(&self.uid_headers).chain(&self.group_headers) {
            headers.remove(name.as_str());
        }
        for prefix in &self.extra_header_prefixes {
            remove_prefixed(headers, prefix);
        }
    }
}

/// Removes the standard headers of front proxies and the bearer token, which nothing after authentication may read.
pub fn clear_standard(headers: &mut HeaderMap) {
    for name in ["authorization", "x-remote-user", "x-remote-uid", "x-remote-group"] {
        headers.remove(name);
    }
    remove_prefixed(headers, "x-remote-extra-");
}

pub(crate) fn remove_prefixed(headers: &mut HeaderMap, prefix: &str) {
    let names: Vec<_> = headers.keys().filter(|name| begins(name.as_str(), prefix)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Names of headers are the same in small and large letters.
fn begins(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Values of headers that start with `prefix` (lower case), by the unescaped rest of the name, in the order of first sight.
pub(crate) fn prefixed(headers: &HeaderMap, prefix: &str) -> Vec<(String, Vec<String>)> {
    headers
        .keys()
        .filter_map(|name| Some((unescape(name.as_str().strip_prefix(prefix)?), all(headers, name.as_str()).collect())))
        .collect()
}

pub(crate) fn first(headers: &HeaderMap, names: &[String]) -> String {
    names.iter().filter_map(|name| all(headers, name).next()).find(|value| !value.is_empty()).unwrap_or_default()
}

pub(crate) fn all<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = String> + use<'h> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Decodes `%2f` and the like; a malformed escape leaves the whole text as it is, as upstream does.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let code = after.get(..2).and_then(|two| std::str::from_utf8(two).ok()).and_then(|two| u8::from_str_radix(two, 16).ok());
        let Some(code) = code else { return text.to_owned() };
        bytes.push(code);
        rest = &after[2..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unescapes_like_a_path() {
        assert_eq!(unescape("example.com%2fscope"), "example.com/scope");
        assert_eq!(unescape("100%"), "100%");
        assert_eq!(unescape("%zz%2f"), "%zz%2f");
    }

    #[test]
    fn without_a_certificate_no_header_is_believed() {
        let proxy = FrontProxy { username_headers: vec!["X-Remote-User".into()], ..FrontProxy::default() };
        let mut headers = HeaderMap::new();
        headers.insert("x-remote-user", "admin".parse().unwrap());
        assert_eq!(proxy.authenticate(&Certificates::default(), &headers, Timestamp::UNIX_EPOCH), Ok(None));
    }

    #[test]
    fn clears_what_a_proxy_may_say() {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "x-remote-user", "x-remote-extra-scopes", "accept"] {
            headers.insert(name, "x".parse().unwrap());
        }
        clear_standard(&mut headers);
        assert_eq!(headers.keys().map(|k| k.as_str()).collect::<Vec<_>>(), ["accept"]);
    }
}
