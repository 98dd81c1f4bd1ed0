//! What a policy may ask beyond what it is given: reads of the cluster (grant `cluster`) and what somebody may do (grant
//! `authorizer`). A component imports only what its policy calls. Natively nobody answers.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::bindings::validator::gatehouse::policy as contract;
use crate::bindings::validator::gatehouse::policy::types::GroupVersionResource;

/// Reads from the server's cache: what the binding names under `clusterReads`, for a namespaced binding only in its
/// namespace and with its author's rights. What a question costs is mostly the parsing of its answer, so name the `fields`
/// that you need (spelled as in `reads`; the whole object without any).
pub mod cluster {
    use super::*;

    /// One object; none when there is none. `namespace` is empty for what is not in one.
    pub fn get<T: DeserializeOwned>(of: &Resource, namespace: &str, name: &str, fields: &[&str]) -> Result<Option<T>, ReadError> {
        let text = host::get(&of.into(), namespace, name, &owned(fields)).map_err(|why| ReadError::of(of, why))?;
        text.map(|text| parse(of, &text)).transpose()
    }

    /// The objects of a namespace, or of all when it is empty, that fit a label selector (`app=web,tier!=db`, or empty), by
    /// namespace and name.
    pub fn list<T: DeserializeOwned>(
        of: &Resource,
        namespace: &str,
        selector: &str,
        fields: &[&str],
    ) -> Result<Vec<T>, ReadError> {
        let texts = host::list(&of.into(), namespace, selector, &owned(fields)).map_err(|why| ReadError::of(of, why))?;
        texts.iter().map(|text| parse(of, text)).collect()
    }

    fn owned(fields: &[&str]) -> Vec<String> {
        fields.iter().map(|field| (*field).to_owned()).collect()
    }

    fn parse<T: DeserializeOwned>(of: &Resource, text: &[u8]) -> Result<T, ReadError> {
        serde_json::from_slice(text).map_err(|error| ReadError { resource: of.resource, why: error.to_string() })
    }
}

/// Asks what somebody may do, as a SubjectAccessReview does.
pub mod authorizer {
    use super::*;

    pub use super::contract::authorizer::{Attributes, Decision, Subject};

    /// Whether somebody may do something. The error says why nobody knows; in a scan there is no requester.
    pub fn check(who: &Subject, what: &Attributes) -> Result<Decision, String> {
        host::check(who, what)
    }
}

/// A resource by its plural; the core group is the empty string.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    /// Group.
    pub group: &'static str,
    /// Version.
    pub version: &'static str,
    /// Plural, such as `ingresses`.
    pub resource: &'static str,
}

impl From<&Resource> for GroupVersionResource {
    fn from(Resource { group, version, resource }: &Resource) -> Self {
        Self { group: (*group).to_owned(), version: (*version).to_owned(), resource: (*resource).to_owned() }
    }
}

/// Why a read has no answer, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    resource: &'static str,
    why: String,
}

impl ReadError {
    fn of(of: &Resource, why: contract::cluster::ReadError) -> Self {
        use contract::cluster::ReadError as Why;
        let why = match why {
            Why::Forbidden(what) => format!("forbidden: {what}"),
            Why::UnknownResource => "there is no such resource".to_owned(),
            Why::Invalid(what) => format!("invalid: {what}"),
            Why::TooMuch => "a call may ask 64 times and read 8 MiB in all".to_owned(),
            Why::Unavailable(what) => format!("unavailable: {what}"),
        };
        Self { resource: of.resource, why }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read {}: {}", self.resource, self.why)
    }
}

impl std::error::Error for ReadError {}

#[cfg(target_arch = "wasm32")]
mod host {
    pub(super) use super::contract::authorizer::check;
    pub(super) use super::contract::cluster::{get, list};
}

/// Whether the policy asked what only a server answers, since this was last asked.
#[cfg(all(feature = "cases", not(target_arch = "wasm32")))]
pub(crate) fn was_asked() -> bool {
    host::ASKED.replace(false)
}

/// In a component somebody answers.
#[cfg(all(feature = "cases", target_arch = "wasm32"))]
pub(crate) fn was_asked() -> bool {
    false
}

#[cfg(not(target_arch = "wasm32"))]
mod host {
    use super::contract::authorizer::{Attributes, Decision, Subject};
    use super::contract::cluster::ReadError;
    use super::*;

    const NOBODY: &str = "there is no cluster outside of a component";

    thread_local! {
        /// Somebody asked.
        pub(super) static ASKED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }

    fn nobody() -> String {
        ASKED.set(true);
        NOBODY.to_owned()
    }

    pub(super) fn get(_: &GroupVersionResource, _: &str, _: &str, _: &[String]) -> Result<Option<Vec<u8>>, ReadError> {
        Err(ReadError::Unavailable(nobody()))
    }

    pub(super) fn list(_: &GroupVersionResource, _: &str, _: &str, _: &[String]) -> Result<Vec<Vec<u8>>, ReadError> {
        Err(ReadError::Unavailable(nobody()))
    }

    pub(super) fn check(_: &Subject, _: &Attributes) -> Result<Decision, String> {
        Err(nobody())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_without_an_answer_says_of_what_and_why() {
        let ingresses = Resource { group: "networking.k8s.io", version: "v1", resource: "ingresses" };
        let error = cluster::list::<serde_json::Value>(&ingresses, "", "", &[]).unwrap_err();
        assert_eq!(error.to_string(), "read ingresses: unavailable: there is no cluster outside of a component");
    }
}
