//! Services are of the types that are allowed: what reaches the outside goes through what was made for it.

use gatehouse_policy::prelude::*;

/// The policy.
pub struct ServiceTypes;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// The types that Services may have.
    #[schemars(length(min = 1))]
    allowed: Vec<ServiceType>,
}

/// A type of Service.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub enum ServiceType {
    /// An address inside of the cluster.
    #[default]
    ClusterIP,
    /// A port of every node.
    NodePort,
    /// An address of the provider's.
    LoadBalancer,
    /// A name elsewhere.
    ExternalName,
}

/// The part of a Service that the policy reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Service {
    #[serde(default)]
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
struct Spec {
    #[serde(rename = "type", default)]
    kind: ServiceType,
}

impl Policy for ServiceTypes {
    const ABOUT: About = About {
        name: "service-types",
        version: env!("CARGO_PKG_VERSION"),
        description: "Services must be of one of the types that the binding allows.",
        reads: &["spec.type"],
        writes: &[],
        rules: &[("service-type", "The type must be one that is allowed.")],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Service;

    fn check(settings: &Settings, problems: &mut Verdict) {
        if settings.allowed.is_empty() {
            problems.violation("settings", "allowed", "at least one type must be named");
        }
    }
}

impl Validator for ServiceTypes {
    fn validate(settings: &Settings, review: &Review<Service>, verdict: &mut Verdict) {
        let Some(Service { spec }) = &review.object else { return };
        if !settings.allowed.contains(&spec.kind) {
            let allowed: Vec<String> = settings.allowed.iter().map(|kind| format!("{kind:?}")).collect();
            let message = format!("is {:?}, but must be one of: {}", spec.kind, allowed.join(", "));
            verdict.violation("service-type", "spec.type", message);
        }
    }
}

gatehouse_policy::validator!(ServiceTypes);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::ServiceTypes>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
