//! Containers drop the capabilities they must, and add none but those that are allowed.

use gatehouse_policy::prelude::*;
use workload::{Containers, Workload, nullable};

/// The policy.
pub struct AllowedCapabilities;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// Capabilities that containers may add, such as `NET_BIND_SERVICE`.
    #[serde(default)]
    allowed: Vec<String>,
    /// Capabilities that every container must drop; `ALL` covers all of them.
    #[serde(default)]
    required_drop: Vec<String>,
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
    capabilities: Option<Capabilities>,
}

#[derive(Default, Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
struct Capabilities {
    #[serde(default, deserialize_with = "nullable")]
    add: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    drop: Vec<String>,
}

impl Policy for AllowedCapabilities {
    const ABOUT: About = About {
        name: "allowed-capabilities",
        version: env!("CARGO_PKG_VERSION"),
        description: "Containers must drop the capabilities that the binding names, and may add only those that it allows.",
        reads: workload::reads!(containers: ["securityContext.capabilities"], pod: []),
        writes: &[],
        rules: &[
            ("capability-allowed", "The capability must be one that may be added."),
            ("capability-dropped", "The capability must be dropped."),
        ],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Workload<Containers<Container>>;
}

impl Validator for AllowedCapabilities {
    fn validate(settings: &Settings, review: &Review<Self::Object>, verdict: &mut Verdict) {
        let Some(workload) = &review.object else { return };
        for (place, container) in workload.spec.each() {
            let capabilities = container.security_context.as_ref().and_then(|context| context.capabilities.as_ref());
            let at = |name: &str| workload.at(format_args!("spec.{place}.securityContext.capabilities.{name}"));
            // Linux takes both spellings; Kubernetes writes them without the prefix.
            let plain = |name: &str| name.strip_prefix("CAP_").unwrap_or(name).to_owned();
            for added in capabilities.iter().flat_map(|capabilities| &capabilities.add) {
                if !settings.allowed.iter().any(|allowed| *allowed == plain(added)) {
                    let allowed = if settings.allowed.is_empty() { "none".to_owned() } else { settings.allowed.join(", ") };
                    let message = format!("{added} must not be added; allowed: {allowed}");
                    verdict.violation("capability-allowed", at("add"), message);
                }
            }
            for required in &settings.required_drop {
                let is_dropped = |dropped: &String| dropped == "ALL" || plain(dropped) == *required;
                if !capabilities.is_some_and(|capabilities| capabilities.drop.iter().any(is_dropped)) {
                    verdict.violation("capability-dropped", at("drop"), format!("must include \"{required}\""));
                }
            }
        }
    }
}

gatehouse_policy::validator!(AllowedCapabilities);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::AllowedCapabilities>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
