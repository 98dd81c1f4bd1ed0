//! No container has the rights of the node's root, nor a way to get them.

use gatehouse_policy::prelude::*;
use workload::{Workload, each, nullable};

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

/// The part of a Pod that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Spec {
    security_context: Option<SecurityContext>,
    #[serde(default, deserialize_with = "nullable")]
    init_containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    ephemeral_containers: Vec<Container>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Container {
    security_context: Option<SecurityContext>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct SecurityContext {
    privileged: Option<bool>,
    allow_privilege_escalation: Option<bool>,
    windows_options: Option<WindowsOptions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct WindowsOptions {
    host_process: Option<bool>,
}

const HOST_PROCESS: &str = "securityContext.windowsOptions.hostProcess";

/// Whether it is a process of the node, which is what Windows has in the place of privileged containers.
fn is_host_process(context: Option<&SecurityContext>) -> bool {
    context.and_then(|context| context.windows_options.as_ref()).is_some_and(|options| options.host_process == Some(true))
}

impl Policy for PrivilegedContainers {
    const ABOUT: About = About {
        name: "privileged-containers",
        version: env!("CARGO_PKG_VERSION"),
        description: "Containers must not be privileged, and must say that their processes may not gain rights.",
        reads: workload::reads!(
            containers: [
                "securityContext.privileged",
                "securityContext.allowPrivilegeEscalation",
                "securityContext.windowsOptions.hostProcess"
            ],
            pod: ["spec.securityContext.windowsOptions.hostProcess"]
        ),
        writes: &[],
        rules: &[
            ("privileged", "The container must not be privileged."),
            ("privilege-escalation", "The container must forbid its processes to gain rights."),
        ],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Workload<Spec>;
}

impl Validator for PrivilegedContainers {
    fn validate(settings: &Settings, review: &Review<Self::Object>, verdict: &mut Verdict) {
        let Some(workload) = &review.object else { return };
        let Spec { security_context, init_containers, containers, ephemeral_containers } = &workload.spec;
        let message = "must not be true: a process of the node has all its rights";
        if is_host_process(security_context.as_ref()) {
            verdict.violation("privileged", workload.at(format_args!("spec.{HOST_PROCESS}")), message);
        }
        for (place, container) in each(init_containers, containers, ephemeral_containers) {
            let context = container.security_context.as_ref();
            if is_host_process(context) {
                verdict.violation("privileged", workload.at(format_args!("spec.{place}.{HOST_PROCESS}")), message);
            }
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
