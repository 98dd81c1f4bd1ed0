//! Jobs that have ended are cleared away after some time, unless they say otherwise.

use gatehouse_policy::prelude::*;

/// The policy.
pub struct DefaultJobTtl;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// How long a Job stays after it has ended, in seconds.
    seconds: u32,
}

/// The part of a Job that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Job {
    #[serde(default)]
    metadata: Metadata,
    spec: Option<Spec>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Metadata {
    owner_references: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Spec {
    /// Any number: whether it can be one is for the API to say.
    ttl_seconds_after_finished: Option<i64>,
}

impl Policy for DefaultJobTtl {
    const ABOUT: About = About {
        name: "default-job-ttl",
        version: env!("CARGO_PKG_VERSION"),
        description: "Gives Jobs of nobody a time after which they are cleared away when they have ended.",
        reads: &["metadata.ownerReferences", "spec.ttlSecondsAfterFinished"],
        writes: &["spec.ttlSecondsAfterFinished"],
        rules: &[("ttl-default", "A Job that says nothing is cleared away.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Job;
}

impl Mutator for DefaultJobTtl {
    fn mutate(settings: &Settings, review: &Review<Job>, patch: &mut Patch) {
        let Some(Job { metadata, spec: Some(spec) }) = &review.object else { return };
        // Whoever owns a Job, as a CronJob does, keeps a history of its own.
        let is_owned = metadata.owner_references.as_ref().is_some_and(|owners| !owners.is_empty());
        if !is_owned && spec.ttl_seconds_after_finished.is_none() {
            patch.set(&["spec", "ttlSecondsAfterFinished"], settings.seconds);
        }
    }
}

gatehouse_policy::mutator!(DefaultJobTtl);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::mutator::<super::DefaultJobTtl>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
