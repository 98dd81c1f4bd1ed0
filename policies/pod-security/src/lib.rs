//! The Pod Security Standards `baseline` and `restricted` in every version since v1.0, with the verdicts of upstream's
//! `k8s.io/pod-security-admission` v0.37.2 and the fields that they are about. No policy itself: two crates beside this
//! one apply one standard each.

mod baseline;
mod pod;
mod restricted;
mod version;

pub use pod::{Container, Spec};
pub use version::Version;

use gatehouse_policy::prelude::*;
use workload::Workload;

/// A Pod as the checks read it.
pub type Pod = Workload<Spec>;

/// The fields that the checks read.
pub const READS: &[&str] = workload::reads!(
    containers: ["name", "securityContext", "ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"],
    pod: ["metadata.annotations", "spec.securityContext", "spec.volumes", "spec.hostNetwork", "spec.hostPID", "spec.hostIPC", "spec.hostUsers", "spec.os"]
);

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// The version of the standard: `latest`, or that of a Kubernetes version such as `v1.37`.
    #[serde(default = "latest")]
    version: String,
}

fn latest() -> String {
    "latest".to_owned()
}

/// Refuses settings whose version there cannot be.
pub fn check(settings: &Settings, problems: &mut Verdict) {
    if Version::parse(&settings.version).is_none() {
        problems.violation("settings", "version", "must be \"latest\" or \"v1.x\"");
    }
}

/// Which standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What keeps known ways to more rights shut.
    Baseline,
    /// What hardens Pods besides.
    Restricted,
}

/// One revision of a check: from a version on, until the next of the same rule.
struct Check {
    /// The rule's name: upstream's identifier in dashes.
    rule: &'static str,
    level: Level,
    /// The minor version from which on it holds.
    since: u32,
    /// Rule of `baseline` that it takes the place of in `restricted`.
    instead_of: Option<&'static str>,
    find: fn(&Pod, &mut Found<'_>),
}

/// Where a check puts what it finds.
struct Found<'a> {
    rule: &'static str,
    version: u32,
    verdict: &'a mut Verdict,
}

impl Found<'_> {
    fn add(&mut self, field: String, message: impl Into<String>) {
        self.verdict.violation(self.rule, field, message);
    }
}

/// Judges a Pod by a standard in a version.
pub fn judge(level: Level, settings: &Settings, pod: &Pod, verdict: &mut Verdict) {
    let minor = Version::parse(&settings.version).unwrap_or_default().minor();
    let checks = || baseline::CHECKS.iter().chain(restricted::CHECKS).filter(|check| check.since <= minor);
    let is_last = |check: &Check| !checks().any(|other| other.rule == check.rule && other.since > check.since);
    let in_force = |check: &&Check| match level {
        Level::Baseline => check.level == Level::Baseline && is_last(check),
        Level::Restricted => is_last(check) && !checks().any(|other| other.instead_of == Some(check.rule)),
    };
    for check in checks().filter(in_force) {
        (check.find)(pod, &mut Found { rule: check.rule, version: minor, verdict });
    }
}

/// What the policy of a standard says of itself.
pub const fn about(name: &'static str, version: &'static str, level: Level) -> About {
    match level {
        Level::Baseline => About {
            name,
            version,
            description: "Pods must keep to the Pod Security Standard baseline: no known way to more rights than a container should have.",
            reads: READS,
            writes: &[],
            rules: baseline::RULES,
        },
        Level::Restricted => About {
            name,
            version,
            description: "Pods must keep to the Pod Security Standard restricted: baseline, and hardened as is good practice today.",
            reads: READS,
            writes: &[],
            rules: restricted::RULES,
        },
    }
}
