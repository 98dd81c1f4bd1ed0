//! Tokens of service accounts: issued here, verified here, bound to objects that must still exist.
//! Follows `k8s.io/kubernetes/pkg/serviceaccount`. Reads no store: [`Lookup`] is handed in.

pub mod discovery;
pub mod issue;
pub mod keys;
pub mod legacy;
pub mod verify;

use jiff::Timestamp;
use model::json::Value;

pub use issue::{Issued, Issuer, Order};
pub use keys::{PrivateKey, PublicKey};
pub use legacy::Legacy;
pub use verify::Verifier;

/// Group of every service account.
pub const ALL: &str = "system:serviceaccounts";

/// The kinds of object a token may name, all of which must exist while it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// The account itself.
    ServiceAccount,
    /// A Pod.
    Pod,
    /// A Secret.
    Secret,
    /// A Node; it has no namespace.
    Node,
}

/// An object a token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
}

/// What is known of an object a token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.deletionTimestamp`.
    pub deleted: Option<Timestamp>,
}

/// Finds the objects tokens name. Answered from memory: it stands on the path of every request with a token.
pub trait Lookup: Send + Sync {
    /// The object, if it exists.
    fn find(&self, what: Bound, namespace: &str, name: &str) -> Option<Found>;
    /// The whole object, for the few tokens that it holds.
    fn object(&self, what: Bound, namespace: &str, name: &str) -> Option<Value>;
}

/// The user name of a service account.
pub fn user_name(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// The groups of a service account.
pub fn groups(namespace: &str) -> Vec<String> {
    vec![ALL.to_owned(), format!("{ALL}:{namespace}")]
}

#[cfg(test)]
mod tests;
