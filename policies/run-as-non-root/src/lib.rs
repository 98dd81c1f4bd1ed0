//! Containers do not run as root: the Pod or each container says so.

use gatehouse_policy::prelude::*;
use workload::{Workload, nullable};

/// The policy.
pub struct RunAsNonRoot;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// The lowest user that a container may name; 1 when left out.
    #[serde(default = "first")]
    #[schemars(range(min = 1))]
    minimum_user: i64,
}

fn first() -> i64 {
    1
}

/// The part of a Pod that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Spec {
    #[serde(default, deserialize_with = "nullable")]
    init_containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    ephemeral_containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    security_context: SecurityContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Container {
    #[serde(default, deserialize_with = "nullable")]
    security_context: SecurityContext,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct SecurityContext {
    run_as_non_root: Option<bool>,
    run_as_user: Option<i64>,
}

impl Policy for RunAsNonRoot {
    const ABOUT: About = About {
        name: "run-as-non-root",
        version: env!("CARGO_PKG_VERSION"),
        description: "Containers must run as another user than root, and say so.",
        reads: workload::reads!(containers: ["securityContext.runAsNonRoot", "securityContext.runAsUser"], pod: ["spec.securityContext.runAsNonRoot", "spec.securityContext.runAsUser"]),
        writes: &[],
        rules: &[
            ("run-as-non-root", "The kubelet must be told to refuse an image that runs as root."),
            ("user-minimum", "The user must not lie below the minimum."),
        ],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Workload<Spec>;

    fn check(settings: &Settings, problems: &mut Verdict) {
        if settings.minimum_user < 1 {
            problems.violation("settings", "minimumUser", "must be at least 1; 0 is root");
        }
    }
}

impl Validator for RunAsNonRoot {
    fn validate(settings: &Settings, review: &Review<Self::Object>, verdict: &mut Verdict) {
        let Some(workload) = &review.object else { return };
        let Spec { init_containers, containers, ephemeral_containers, security_context: whole } = &workload.spec;
        let minimum = settings.minimum_user;
        let mut user = |field: String, user: Option<i64>| {
            if let Some(user) = user.filter(|user| *user < minimum) {
                verdict.violation("user-minimum", field, format!("is {user}, but must be at least {minimum}"));
            }
        };
        user(workload.at("spec.securityContext.runAsUser"), whole.run_as_user);
        let each = || workload::each(init_containers, containers, ephemeral_containers);
        for (place, container) in each() {
            user(workload.at(format_args!("spec.{place}.securityContext.runAsUser")), container.security_context.run_as_user);
        }
        for (place, container) in each() {
            let own = &container.security_context;
            // A user that is no root says as much.
            let is_other = own.run_as_user.or(whole.run_as_user).is_some_and(|user| user > 0);
            let said = own.run_as_non_root.or(whole.run_as_non_root);
            if said != Some(true) && !(said.is_none() && is_other) {
                let field = workload.at(format_args!("spec.{place}.securityContext.runAsNonRoot"));
                let message = format!("must be true here, or in {}", workload.at("spec.securityContext"));
                verdict.violation("run-as-non-root", field, message);
            }
        }
    }
}

gatehouse_policy::validator!(RunAsNonRoot);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::RunAsNonRoot>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
