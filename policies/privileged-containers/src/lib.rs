//! No container has the rights of the node's root, nor a way to get them.

use gatehouse_policy::prelude::*;
use workload::{Containers, Workload};

/// The policy.
pub struct PrivilegedContainers;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// Whether a process may gain more rights than its parent; without it every container must say that it may not.
    #[serde(default)]
    allow_privilege_escalation: bool,
}

/// The part of a container that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Container {
    security_context: Option<SecurityContext>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct SecurityContext {
    privileged: Option<bool>,
    allow_privilege_escalation: Option<bool>,
}

impl Policy for PrivilegedContainers {
    const ABOUT: About = About {
        name: "privileged-containers",
        version: env!("CARGO_PKG_VERSION"),
        description: "Containers must not be privileged, and must say that their processes may not gain rights.",
        reads: workload::reads!(containers: ["securityContext.privileged", "securityContext.allowPrivilegeEscalation"], pod: []),
        writes: &[],
        rules: &[
            ("privileged", "The container must not be privileged."),
            ("privilege-escalation", "The container must forbid its processes to gain rights."),
        ],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Workload<Containers<Container>>;
}

impl Validator for PrivilegedContainers {
    fn validate(settings: &Settings, review: &Review<Self::Object>, verdict: &mut Verdict) {
        let Some(workload) = &review.object else { return };
        for (place, container) in workload.spec.each() {
            let context = container.security_context.as_ref();
            let at = |name: &str| workload.at(format_args!("spec.{place}.securityContext.{name}"));
            if context.is_some_and(|context| context.privileged == Some(true)) {
                let message = "the container must not be privileged; add the one capability that it needs instead";
                verdict.violation("privileged", at("privileged"), message);
            } else if !settings.allow_privilege_escalation
                && context.and_then(|context| context.allow_privilege_escalation) != Some(false)
            {
                verdict.violation("privilege-escalation", at("allowPrivilegeEscalation"), "must be false");
            }
        }
    }
}

gatehouse_policy::validator!(PrivilegedContainers);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::PrivilegedContainers>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
