//! Pods and whatever makes Pods must keep to the Pod Security Standard "baseline". The checks are in the crate
//! `pod-security`; what is here is the policy and its settings.

use gatehouse_policy::prelude::*;
use pod_security::{Level, Pod, Settings};

/// The policy.
pub struct PodSecurityBaseline;

impl Policy for PodSecurityBaseline {
    const ABOUT: About = pod_security::about("pod-security-baseline", env!("CARGO_PKG_VERSION"), Level::Baseline);
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Pod;

    fn check(settings: &Settings, problems: &mut Verdict) {
        pod_security::check(settings, problems);
    }
}

impl Validator for PodSecurityBaseline {
    fn validate(settings: &Settings, review: &Review<Pod>, verdict: &mut Verdict) {
        if let Some(pod) = &review.object {
            pod_security::judge(Level::Baseline, settings, pod, verdict);
        }
    }
}

gatehouse_policy::validator!(PodSecurityBaseline);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::PodSecurityBaseline>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
