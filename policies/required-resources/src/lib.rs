//! Containers must say what they need and what they may use at most, within bounds.

use gatehouse_policy::prelude::*;
use workload::quantity::thousandths;
use workload::{Workload, nullable};

/// The policy.
pub struct RequiredResources;

/// What a binding sets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, crate = "gatehouse_policy::serde")]
#[schemars(crate = "gatehouse_policy::schemars")]
pub struct Settings {
    /// Resources that must be requested, such as `cpu`.
    #[serde(default)]
    requests: Vec<String>,
    /// Resources that must have a limit, such as `memory`.
    #[serde(default)]
    limits: Vec<String>,
    /// The highest limit that a container may have, by resource. One of `cpu`, `memory` and `ephemeral-storage` must have a
    /// limit then, for without one there is no bound.
    #[serde(default)]
    maximum: BTreeMap<String, String>,
}

/// Of these a container may use all that there is when it has no limit; of any other resource it gets none.
const UNBOUNDED: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// The part of a Pod that the policy reads. What somebody adds later to look inside has no resources.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Spec {
    #[serde(default, deserialize_with = "nullable")]
    init_containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    containers: Vec<Container>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
struct Container {
    #[serde(default, deserialize_with = "nullable")]
    resources: Resources,
}

#[derive(Default, Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
struct Resources {
    #[serde(default, deserialize_with = "nullable")]
    requests: BTreeMap<String, Quantity>,
    #[serde(default, deserialize_with = "nullable")]
    limits: BTreeMap<String, Quantity>,
}

/// A quantity, which an author may write as a number.
#[derive(Deserialize)]
#[serde(untagged, crate = "gatehouse_policy::serde")]
enum Quantity {
    Text(String),
    Number(i64),
}

impl Quantity {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

impl Policy for RequiredResources {
    const ABOUT: About = About {
        name: "required-resources",
        version: env!("CARGO_PKG_VERSION"),
        description: "Containers must request the resources and have the limits that the binding asks for, and stay below its bounds.",
        reads: workload::reads!(containers: ["resources"], pod: []),
        writes: &[],
        rules: &[
            ("request-required", "The container must say how much it needs."),
            ("limit-required", "The container must say how much it may use."),
            ("limit-maximum", "The limit must not exceed the maximum."),
        ],
    };
    const READS_REQUEST: &'static [RequestPart] = &[];
    type Settings = Settings;
    type Object = Workload<Spec>;

    fn check(settings: &Settings, problems: &mut Verdict) {
        for (resource, maximum) in &settings.maximum {
            if thousandths(maximum).is_none() {
                let message = format!("\"{maximum}\" is no quantity, such as 500m or 2Gi");
                problems.violation("settings", format!("maximum[{resource}]"), message);
            }
        }
    }
}

impl Validator for RequiredResources {
    fn validate(settings: &Settings, review: &Review<Self::Object>, verdict: &mut Verdict) {
        let Some(workload) = &review.object else { return };
        for (place, container) in workload::each(&workload.spec.init_containers, &workload.spec.containers, &[]) {
            let Resources { requests, limits } = &container.resources;
            let at = |name: &str| workload.at(format_args!("spec.{place}.resources.{name}"));
            for resource in &settings.requests {
                // A limit without a request requests as much.
                if !requests.contains_key(resource) && !limits.contains_key(resource) {
                    let message = format!("the container must say how much {resource} it needs");
                    verdict.violation("request-required", at(&format!("requests[{resource}]")), message);
                }
            }
            let bounded = settings.maximum.keys().filter(|resource| UNBOUNDED.contains(&resource.as_str()));
            let bounded = bounded.filter(|resource| !settings.limits.contains(resource));
            for resource in settings.limits.iter().chain(bounded) {
                if !limits.contains_key(resource) {
                    let message = format!("the container must say how much {resource} it may use at most");
                    verdict.violation("limit-required", at(&format!("limits[{resource}]")), message);
                }
            }
            for (resource, maximum) in &settings.maximum {
                let Some(limit) = limits.get(resource).map(Quantity::text) else { continue };
                if thousandths(&limit) > thousandths(maximum) {
                    let message = format!("is {limit}, but must be at most {maximum}");
                    verdict.violation("limit-maximum", at(&format!("limits[{resource}]")), message);
                }
            }
        }
    }
}

gatehouse_policy::validator!(RequiredResources);

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        gatehouse_policy::cases::validator::<super::RequiredResources>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    }
}
