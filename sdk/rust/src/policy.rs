//! What a policy is made of.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{Patch, Request, RequestPart, Verdict};

/// What a policy says of itself.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its name, lower case with dashes.
    pub name: &'static str,
    /// Its version; `env!("CARGO_PKG_VERSION")` is a good one.
    pub version: &'static str,
    /// A sentence or two for people.
    pub description: &'static str,
    /// The fields it reads, such as `metadata.labels` or `spec.containers[*].image`. The server hands over only these
    /// (with `apiVersion` and `kind`), which is what makes a call cheap. Empty means the whole object.
    pub reads: &'static [&'static str],
    /// The fields a mutator may change; the server refuses a patch that touches any other. Empty for a validator.
    pub writes: &'static [&'static str],
    /// Its rules: a short stable name, and what it demands.
    pub rules: &'static [(&'static str, &'static str)],
}

/// Settings of a policy that has none; a binding that sets something is refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// What validators and mutators have in common.
pub trait Policy {
    /// What it is.
    const ABOUT: About;
    /// Its settings. Their JSON schema is what a binding is checked against; use [`NoSettings`] for none.
    type Settings: DeserializeOwned + JsonSchema + Send + Sync + 'static;
    /// The object, as far as the policy reads it. `serde_json::Value` works; a struct with the few fields is faster.
    type Object: DeserializeOwned;

    /// What it reads of the request beyond where the write goes; the server leaves the rest empty. A policy that reads neither
    /// [`RequestPart::Uid`] nor [`RequestPart::Time`] and asks for no ability is not called again when it is shown the same.
    const READS_REQUEST: &'static [RequestPart] = &[
        RequestPart::Uid,
        RequestPart::Time,
        RequestPart::User,
        RequestPart::Origin,
        RequestPart::Name,
        RequestPart::DryRun,
        RequestPart::Options,
    ];

    /// Without a user there is nothing to judge: a scan of what is stored then says so and does not ask.
    const NEEDS_USER: bool = false;

    /// Checks what a schema cannot say of settings. What it adds refuses the binding; `field` is relative to the settings.
    fn check(_settings: &Self::Settings, _problems: &mut Verdict) {}
}

/// Judges.
pub trait Validator: Policy {
    /// Adds to `verdict` whatever is wrong; nothing added means that the object may be stored.
    fn validate(settings: &Self::Settings, review: &Review<Self::Object>, verdict: &mut Verdict);
}

/// Changes.
pub trait Mutator: Policy {
    /// Adds to `patch` whatever is to change. Must be idempotent: the server may ask again after other mutators.
    fn mutate(settings: &Self::Settings, review: &Review<Self::Object>, patch: &mut Patch);
}

/// One write to the API.
#[derive(Debug)]
pub struct Review<O> {
    /// Who wants what.
    pub request: Request,
    /// The object as it would be stored; absent on a delete.
    pub object: Option<O>,
    /// The object as it is stored now; absent on a create.
    pub old: Option<O>,
    /// The object that the binding names under `paramRef`, as it is now.
    pub params: Option<serde_json::Value>,
}
