//! What a request asks for, read off its method, path and query.
//! Follows `k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`. Does not know which resources exist.

use std::fmt;

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

/// What a request asks for. Path segments are percent-decoded and were checked against `..` and `%2f`.
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
