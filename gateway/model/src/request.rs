//! What a request asks for, read off its method, path and query.
//! Follows `k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`. Does not know which resources exist.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::content;
use crate::query::{Query, decode_path};
use crate::selector::field;

/// The API verbs, as authorization and audit spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Verb {
    /// Read one object.
    #[default]
    Get,
    /// Read many.
    List,
    /// Follow changes.
    Watch,
    /// Make one.
    Create,
    /// Replace one.
    Update,
    /// Change one.
    Patch,
    /// Delete one.
    Delete,
    /// Delete many.
    DeleteCollection,
    /// Reach through to a node, pod or service.
    Proxy,
    /// Another HTTP method on a path that is no resource, or one that resources do not know.
    Other(&'static str),
}

impl Verb {
    /// The verb in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::Proxy => "proxy",
            Self::Other(verb) => verb,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a request asks for. The path is percent-decoded before it is split, so that `%2f` separates segments here, in
/// authorization and in routing alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// Whether this is about a resource; otherwise only `path` and `verb` speak.
    pub resource_request: bool,
    /// URL path, without the query.
    pub path: String,
    /// The verb.
    pub verb: Verb,
    /// `api` or `apis`.
    pub api_prefix: String,
    /// API group, empty for core.
    pub group: String,
    /// API version.
    pub version: String,
    /// Namespace or empty.
    pub namespace: String,
    /// Plural resource name.
    pub resource: String,
    /// Subresource or empty.
    pub subresource: String,
    /// Object name or empty.
    pub name: String,
    /// Every segment after the version (and the namespace), for proxies.
    pub parts: Vec<String>,
    /// `fieldSelector` of list, watch and deletecollection.
    pub field_selector: String,
    /// `labelSelector` of list, watch and deletecollection.
    pub label_selector: String,
}

/// Subresources of `namespaces`, which tell `namespaces/x/status` from a resource in namespace `x`.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

impl RequestInfo {
    /// Reads what a request asks for. `path` is as sent, still encoded. Fails with upstream's words when the path starts
    /// like a resource and ends too early.
    pub fn parse(method: &str, path: &str, query: &Query) -> Result<Self, String> {
        let decoded = decode_path(path).ok_or_else(|| format!("invalid URL escape in {path}"))?;
        let mut info = Self { path: decoded, verb: path_verb(method), ..Self::default() };
        let path = info.path.clone();
        let mut parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        if parts.len() < 3 || !matches!(parts[0], "api" | "apis") {
            return Ok(info);
        }
        if parts[0] == "apis" && parts.len() < 4 {
            info.api_prefix = "apis".to_owned();
            return Ok(info);
        }
        info.resource_request = true;
        info.api_prefix = parts.remove(0).to_owned();
        if info.api_prefix == "apis" {
            info.group = parts.remove(0).to_owned();
        }
        info.version = parts.remove(0).to_owned();
        let verb_in_path = matches!(parts[0], "proxy" | "watch");
        if verb_in_path && parts.len() < 2 {
            return Err(format!("unable to determine kind and namespace from url, {path}"));
        }
        info.verb = if !verb_in_path {
            resource_verb(method)
        } else if parts.remove(0) == "watch" {
            Verb::Watch
        } else {
            Verb::Proxy
        };
        info.place(&parts);
        info.collection_verb(query);
        if !verb_in_path && matches!(info.verb, Verb::List | Verb::Watch | Verb::DeleteCollection) {
            info.field_selector = query.text("fieldSelector").to_owned();
            info.label_selector = query.text("labelSelector").to_owned();
        }
        Ok(info)
    }

    /// Namespace, resource, name and subresource from the segments after the version.
    fn place(&mut self, parts: &[&str]) {
        let mut parts = parts;
        if parts[0] == "namespaces" && parts.len() > 1 {
            self.namespace = parts[1].to_owned();
            if parts.len() > 2 && !NAMESPACE_SUBRESOURCES.contains(&parts[2]) {
                parts = &parts[2..];
            }
        }
        let part = |at: usize| parts.get(at).copied().unwrap_or("").to_owned();
        self.resource = part(0);
        self.name = part(1);
        if self.verb != Verb::Proxy {
            self.subresource = part(2);
        }
        self.parts = parts.iter().map(|part| (*part).to_owned()).collect();
    }

    /// A get or delete without a name is about many.
    fn collection_verb(&mut self, query: &Query) {
        if !self.name.is_empty() {
            return;
        }
        match self.verb {
            Verb::Get => {
                self.verb = if query.flag("watch").unwrap_or(false) { Verb::Watch } else { Verb::List };
                // A list of one name is authorized like a read of that object.
                let selector = field::Selector::parse(query.text("fieldSelector"));
                if let Some(name) = selector.ok().as_ref().and_then(|selector| selector.exact("metadata.name"))
                    && content::path_segment_name(name).is_empty()
                {
                    self.name = name.to_owned();
                }
            }
            Verb::Delete => self.verb = Verb::DeleteCollection,
            _ => {}
        }
    }
}

/// Of a path the method is the verb, whatever case it is written in.
fn path_verb(method: &str) -> Verb {
    match &*method.to_ascii_lowercase() {
        "get" => Verb::Get,
        "patch" => Verb::Patch,
        "delete" => Verb::Delete,
        "head" => Verb::Other("head"),
        "post" => Verb::Other("post"),
        "put" => Verb::Other("put"),
        "options" => Verb::Other("options"),
        "connect" => Verb::Other("connect"),
        "trace" => Verb::Other("trace"),
        other => Verb::Other(made_up(other)),
    }
}

/// Methods that no standard knows, remembered by name: so many that whoever allows one by a rule can rely on it, and no more,
/// because clients think of them.
const MADE_UP_MAX: usize = 64;

fn made_up(method: &str) -> &'static str {
    static KNOWN: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    match known.iter().find(|known| **known == method) {
        Some(known) => known,
        None if known.len() < MADE_UP_MAX => {
            let remembered: &'static str = Box::leak(method.into());
            known.push(remembered);
            remembered
        }
        None => "unknown",
    }
}

fn resource_verb(method: &str) -> Verb {
    match method {
        "GET" | "HEAD" => Verb::Get,
        "POST" => Verb::Create,
        "PUT" => Verb::Update,
        "PATCH" => Verb::Patch,
        "DELETE" => Verb::Delete,
        _ => Verb::Other(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(method: &str, url: &str) -> RequestInfo {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        RequestInfo::parse(method, path, &Query::parse(query)).unwrap()
    }

    /// method, url, verb, group, namespace, resource, subresource, name
    type Case = (&'static str, &'static str, [&'static str; 6]);

    #[test]
    fn resources_as_upstream_reads_them() {
        let cases: &[Case] = &[
            ("GET", "/api/v1/namespaces", ["list", "", "", "namespaces", "", ""]),
            ("GET", "/api/v1/namespaces/other", ["get", "", "other", "namespaces", "", "other"]),
            ("GET", "/api/v1/namespaces/other/pods", ["list", "", "other", "pods", "", ""]),
            ("GET", "/api/v1/namespaces/other/pods/foo", ["get", "", "other", "pods", "", "foo"]),
            ("HEAD", "/api/v1/namespaces/other/pods/foo", ["get", "", "other", "pods", "", "foo"]),
            ("GET", "/api/v1/pods", ["list", "", "", "pods", "", ""]),
            ("PUT", "/api/v1/namespaces/other/finalize", ["update", "", "other", "namespaces", "finalize", "other"]),
            ("GET", "/api/v1/namespaces/other/status/", ["get", "", "other", "namespaces", "status", "other"]),
            ("GET", "/api/v1/watch/pods", ["watch", "", "", "pods", "", ""]),
            ("GET", "/api/v1/pods?watch=true", ["watch", "", "", "pods", "", ""]),
            ("GET", "/api/v1/pods?watch=1", ["watch", "", "", "pods", "", ""]),
            ("GET", "/api/v1/pods?watch=false", ["list", "", "", "pods", "", ""]),
            ("GET", "/api/v1/watch/namespaces/other/pods", ["watch", "", "other", "pods", "", ""]),
            ("GET", "/api/v1/namespaces/other/pods?watch=1", ["watch", "", "other", "pods", "", ""]),
            ("GET", "/api/v1/proxy/namespaces/other/pods/foo", ["proxy", "", "other", "pods", "", "foo"]),
            ("PUT", "/api/v1/namespaces/other/pods/foo/status", ["update", "", "other", "pods", "status", "foo"]),
            ("DELETE", "/api/v1/namespaces/other/pods", ["deletecollection", "", "other", "pods", "", ""]),
            ("POST", "/apis/apps/v1/namespaces/other/deployments", ["create", "apps", "other", "deployments", "", ""]),
            ("PATCH", "/apis/apps/v1/namespaces/o/deployments/d/scale", ["patch", "apps", "o", "deployments", "scale", "d"]),
            ("GET", "/api/v1/pods?fieldSelector=metadata.name%3Dfoo", ["list", "", "", "pods", "", "foo"]),
            ("GET", "/api/v1/pods?fieldSelector=metadata.name%3D..", ["list", "", "", "pods", "", ""]),
            ("GET", "/api/v1/namespaces/o/pods/a%2Fb", ["get", "", "o", "pods", "b", "a"]),
            ("OPTIONS", "/api/v1/pods", ["", "", "", "pods", "", ""]),
        ];
        for (method, url, want) in cases {
            let i = info(method, url);
            let got = [i.verb.as_str(), &i.group, &i.namespace, &i.resource, &i.subresource, &i.name];
            assert_eq!(&got, want, "{method} {url}");
            assert!(i.resource_request, "{url}");
        }
    }

    #[test]
    fn paths_are_no_resources() {
        for url in ["/", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "/healthz", "/version/x/y", "//"] {
            assert!(!info("GET", url).resource_request, "{url}");
        }
        for (method, verb) in [("POST", "post"), ("gEt", "get"), ("BREW", "brew"), ("BREW", "brew")] {
            assert_eq!(info(method, "/healthz").verb.as_str(), verb);
        }
        for number in 0..2 * MADE_UP_MAX {
            info(&format!("M{number}"), "/healthz");
        }
        assert_eq!(info("ANOTHER", "/healthz").verb.as_str(), "unknown");
        let error = RequestInfo::parse("GET", "/api/v1/watch", &Query::default()).unwrap_err();
        assert_eq!(error, "unable to determine kind and namespace from url, /api/v1/watch");
        assert!(RequestInfo::parse("GET", "/api/v1/pods/%zz", &Query::default()).is_err());
    }

    #[test]
    fn selectors_only_where_they_count() {
        let selectors = |method, url| {
            let i = info(method, url);
            (i.label_selector, i.field_selector)
        };
        let both = ("a=b".to_owned(), "c=d".to_owned());
        assert_eq!(selectors("GET", "/api/v1/pods?labelSelector=a%3Db&fieldSelector=c%3Dd"), both);
        assert_eq!(selectors("DELETE", "/api/v1/pods?labelSelector=a%3Db&fieldSelector=c%3Dd"), both);
        assert_eq!(selectors("GET", "/api/v1/pods/x?labelSelector=a%3Db"), Default::default());
        assert_eq!(selectors("GET", "/api/v1/watch/pods?labelSelector=a%3Db"), Default::default());
    }
}
