//! Pods that say nothing of seccomp get the container runtime's default profile, as the Pod Security Standard
//! "restricted" demands it. What a Pod says itself, for all of its containers, stays.

use gatehouse_policy::prelude::*;

/// The policy.
pub struct DefaultSeccomp;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// The profile that Pods get; `RuntimeDefault` when absent.
    #[serde(default)]
    profile: Profile,
}

/// A seccomp profile that needs no file on the node.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub enum Profile {
    /// What the container runtime ships.
    #[default]
    RuntimeDefault,
    /// None at all.
    Unconfined,
}

/// The part of a Pod that the policy reads.
#[derive(Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
pub struct Pod {
    #[serde(default)]
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Spec {
    security_context: Option<SecurityContext>,
    os: Option<Os>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct SecurityContext {
    seccomp_profile: Option<Value>,
}

#[derive(Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
struct Os {
    name: String,
}

impl Policy for DefaultSeccomp {
    const ABOUT: About = About {
        name: "default-seccomp",
        version: env!("CARGO_PKG_VERSION"),
        description: "Gives Pods that say nothing of seccomp the container runtime's default profile.",
        reads: &["spec.securityContext", "spec.os"],
        writes: &["spec.securityContext.seccompProfile"],
        rules: &[("seccomp-default", "A Pod without a seccomp profile gets one.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Pod;
}

impl Mutator for DefaultSeccomp {
    fn mutate(settings: &Settings, review: &Review<Pod>, patch: &mut Patch) {
        let Some(Pod { spec }) = &review.object else { return };
        // Windows has no seccomp, and the API refuses a Pod that sets both.
        let is_windows = spec.os.as_ref().is_some_and(|os| os.name == "windows");
        let is_set = spec.security_context.as_ref().is_some_and(|context| context.seccomp_profile.is_some());
        if is_windows || is_set {
            return;
        }
        let profile = match settings.profile {
            Profile::RuntimeDefault => "RuntimeDefault",
            Profile::Unconfined => "Unconfined",
        };
        patch.set(&["spec", "securityContext", "seccompProfile"], json!({ "type": profile }));
    }
}

gatehouse_policy::mutator!(DefaultSeccomp);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::mutator::<super::DefaultSeccomp>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
