//! The question "may this user do that?", as a trait so that lower parts can ask it.
//! Does not answer it (`authz`).

use crate::User;
use crate::selector::field::Requirement;

/// What is being asked, as upstream's `authorizer.Attributes`.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// Who asks.
    pub user: User,
    /// Verb: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, or a special one such as `bind`.
    pub verb: String,
    /// API group of the resource, empty for core.
    pub group: String,
    /// API version of the resource.
    pub version: String,
    /// Plural resource name; empty for a path request.
    pub resource: String,
    /// Subresource or empty.
    pub subresource: String,
    /// Namespace or empty.
    pub namespace: String,
    /// Object name or empty.
    pub name: String,
    /// Whether this is about a resource rather than a path.
    pub resource_request: bool,
    /// URL path of a path request.
    pub path: String,
    /// What a list, watch or deletecollection selects by fields; none when the selector cannot be read.
    pub fields: Vec<Requirement>,
}

/// The answer, with a reason for people where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Allowed; the reason is written to the audit annotation.
    Allow(String),
    /// Refused for good: no later authorizer is asked.
    Deny(String),
    /// Not known here: ask the next one; refused when nobody allows.
    NoOpinion(String),
}

impl Decision {
    /// Whether the answer is yes.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }

    /// The reason given.
    pub fn reason(&self) -> &str {
        match self {
            Self::Allow(reason) | Self::Deny(reason) | Self::NoOpinion(reason) => reason,
        }
    }
}

/// Decides whether a user may do something.
#[async_trait::async_trait]
pub trait Authorizer: Send + Sync {
    /// Decides one question.
    async fn authorize(&self, attributes: &Attributes) -> Decision;
}
